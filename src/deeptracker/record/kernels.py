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
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from deeptracker.schema import Kernels, Layer

if TYPE_CHECKING:
    from deeptracker.record.network import WeightedLayer  # what is recorded from arrays has no torch

MOST_WEIGHTS = 1 << 16


def first_convolution(layers: Sequence[Layer]) -> int | None:
    """Its index, layers being in the order in which data reaches them; None without one, or if its weights are many."""
    for index, layer in enumerate(layers):
        if layer.kind.startswith("conv") and len(layer.shape) > 2:
            return index if layer.filters * layer.fan_in <= MOST_WEIGHTS else None
    return None


def kernels_of(index: int, layer: Layer, rows: npt.NDArray[np.floating[Any]]) -> Kernels:
    """A copy of the weights (filters, fan_in) of the layer at an index, float32 whatever their dtype."""
    *depth, width = layer.shape[2:]
    channels = layer.fan_in // math.prod(layer.shape[2:])
    values = np.array(rows, np.float32, order="C")
    return Kernels(index, values.reshape(layer.filters, channels, math.prod(depth), width))


@dataclass(frozen=True, slots=True)
class FirstConvolution:
    """The layer of a model whose kernels are recorded, and its index in the network."""

    index: int
    layer: WeightedLayer

    @classmethod
    def of(cls, layers: Sequence[WeightedLayer]) -> Self | None:
        """Of layers in the order in which data reaches them, as `first_convolution`."""
        index = first_convolution([one.layer for one in layers])
        return None if index is None else cls(index, layers[index])

    def kernels(self) -> Kernels:
        """What they are now."""
        rows = self.layer.rows(self.layer.weight.detach())
        return kernels_of(self.index, self.layer.layer, rows.float().cpu().numpy())
