"""How are the weights kept at trouble, without filling the disk?

1. At a dump that has a flight the state of the model is copied to the host, and written by the writer thread as
   `weights/ITERATION.safetensors`; the file says its iteration, so `deeptracker import checkpoints` reads the folder.
2. All files together never take more than a bound, those of the run before it was continued included. What would not
   fit is not written, and nothing is deleted for it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from deeptracker.errors import DeepTrackerError
from deeptracker.record.network import unwrap
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogWriter

FOLDER = "weights/"
HEADER_BYTES = 1024
"""More than the table of contents of a file takes for a tensor, its name apart."""


class KeptWeights:
    """Weights of a model in a run, of at most so many bytes."""

    def __init__(self, model: nn.Module, blobs: Blobs, log: LogWriter, most_bytes: int) -> None:
        self._model, self._log, self._most = model, log, most_bytes
        self._used = sum(blob.size_bytes for blob in blobs.list(FOLDER))

    @torch.no_grad()
    def taken(self, iteration: int) -> Callable[[], None] | None:
        """The weights as they are now, for the writer thread to write; None where they do not fit any more."""
        state = unwrap(self._model).state_dict()
        tensors = {name: value.detach() for name, value in state.items() if isinstance(value, torch.Tensor)}
        size = sum(HEADER_BYTES + len(name) + x.numel() * x.element_size() for name, x in tensors.items())
        if self._used + size > self._most:
            return None
        self._used += size
        copies = {name: x.to("cpu", copy=True).contiguous() for name, x in tensors.items()}

        def write() -> None:
            from safetensors.torch import save

            self._log.write_weights(iteration, save(copies, {"iteration": str(iteration)}))

        return write

    @property
    def used_up(self) -> str:
        """What is said when they do not fit any more."""
        return f"no more weights are written: snapshots={self._most:,} bytes are used up, and nothing is deleted"


def check_snapshots(snapshots: Any, flight: int) -> int:
    """The bound in bytes; TypeError, ValueError or DeepTrackerError where that cannot be."""
    if isinstance(snapshots, bool) or not isinstance(snapshots, int):
        raise TypeError(f"snapshots must be a number of bytes. Got {snapshots!r}.")
    if snapshots < 0:
        raise ValueError(f"snapshots must be a number of bytes >= 0. Got {snapshots}.")
    if snapshots and not flight:
        raise ValueError("snapshots must come with flight=N: the same trouble sets off both. Got flight=0.")
    if snapshots and find_spec("safetensors") is None:
        raise DeepTrackerError("snapshots needs safetensors, which is missing. pip install 'deeptracker[torch]'")
    return snapshots
