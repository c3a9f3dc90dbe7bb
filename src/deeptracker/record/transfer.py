"""How do numbers get to an accelerator and back without anybody waiting?

1. On CUDA, through pinned memory: the copy takes its turn among the device's other work, and an event behind it tells
   when it is there. Who needs the numbers waits for the event, in the writer's thread; training does not.
2. Elsewhere a copy is made at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch


def to_device(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """The same numbers there."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class Arriving:
    """A copy of a tensor that is on its way to the host. The tensor may be changed meanwhile."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._event: Any = None
        if tensor.device.type != "cuda":
            self._copy = tensor.to("cpu", copy=True)
            return
        self._copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        self._copy.copy_(tensor, non_blocking=True)
        self._event = torch.cuda.current_stream(tensor.device).record_event()

    def has_come(self) -> bool:
        """Are they there? Waits for nothing."""
        return self._event is None or bool(self._event.query())

    def here(self) -> npt.NDArray[Any]:
        """The numbers, once they are there."""
        array: npt.NDArray[Any] = self.tensor().numpy()
        return array

    def tensor(self) -> torch.Tensor:
        """The same as a tensor, of whatever dtype."""
        if self._event is not None:
            self._event.synchronize()
        return self._copy
