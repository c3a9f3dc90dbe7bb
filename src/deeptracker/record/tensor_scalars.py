"""How is a loss logged without waiting for the accelerator that computes it?

Tensors are kept as detached copies, and converted together when rows are taken: one transfer a device and dtype.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch

from deeptracker.record.scalars import Rows, Scalars


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
            numbers = torch.stack([row[name] for row, name in found]).cpu().to(torch.float64).tolist()
            for (row, name), number in zip(found, numbers, strict=True):
                row[name] = number
