"""How is a loss logged without waiting for the accelerator that computes it?

Tensors are kept as detached copies. When rows are taken they begin to be copied to the host, all of a device and dtype
together; they are numbers once these are written, by the writer's thread.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch

from deeptracker.record.scalars import Rows, Scalars
from deeptracker.record.transfer import Arriving


class TensorScalars(Scalars):
    """Rows of scalars by iteration, of numbers and of tensors of one number."""

    def _kept(self, name: str, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return super()._kept(name, value)
        if value.numel() != 1:
            raise ValueError(f"{name} must be one number. Got a tensor of shape {tuple(value.shape)}. Log its mean.")
        return value.detach().reshape(()).clone()

    def _convert(self, rows: Rows) -> None:
        places: dict[tuple[torch.device, torch.dtype], list[tuple[dict[str, Any], str]]] = defaultdict(list)
        for row in rows.values():
            for name, value in row.items():
                if isinstance(value, torch.Tensor):
                    places[value.device, value.dtype].append((row, name))
        for found in places.values():
            arriving = Arriving(torch.stack([row[name] for row, name in found]))
            for place, (row, name) in enumerate(found):
                row[name] = _Number(arriving, place)


@dataclass(frozen=True, slots=True)
class _Number:
    """One of several numbers that are on their way."""

    arriving: Arriving
    place: int

    def __float__(self) -> float:
        return float(self.arriving.tensor()[self.place])
