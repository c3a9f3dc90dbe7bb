"""Which layer's kernels are recorded whole, and what are they now?

1. It is the first convolution that data reaches, as far as its weights are few: what each filter of it looks for can be
   seen in its kernel, and a copy of them costs next to nothing.
2. A transposed convolution counts too; its filters are the rows of `WeightedLayer.rows`, as everywhere.
3. Kernels are brought into three dimensions, as pictures: in one dimension the height is 1, in three the slices of a
   channel lie below each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from deeptracker.record.network import WeightedLayer
from deeptracker.schema import Kernels

MOST_WEIGHTS = 1 << 16


@dataclass(frozen=True, slots=True)
class FirstConvolution:
    """The layer whose kernels are recorded, and its index in the network."""

    index: int
    layer: WeightedLayer

    @classmethod
    def of(cls, layers: Sequence[WeightedLayer]) -> Self | None:
        """Of layers in the order in which data reaches them; None without a convolution, or if its weights are many."""
        for index, layer in enumerate(layers):
            known = layer.layer
            if known.kind.startswith("conv") and len(known.shape) > 2:
                return cls(index, layer) if known.filters * known.fan_in <= MOST_WEIGHTS else None
        return None

    @torch.no_grad()
    def kernels(self) -> Kernels:
        """A copy of its weights, float32 whatever the model's dtype."""
        known = self.layer.layer
        *depth, width = known.shape[2:]
        channels = known.fan_in // math.prod(known.shape[2:])
        rows = self.layer.rows(self.layer.weight.detach()).to("cpu", torch.float32, copy=True)
        return Kernels(self.index, rows.reshape(known.filters, channels, math.prod(depth), width).numpy())
