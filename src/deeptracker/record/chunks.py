"""How are the filters of all layers dealt out so that few operations measure them all, in bounded memory?

1. The weights of many filters are gathered into a chunk, and each operation works on the whole chunk: how many
   operations there are grows with the number of weights, not with that of layers.
2. A chunk has `Room.weights` weights at most, so what an operation makes is bounded; a filter with more has its own. A
   layer with more fills chunks of its own, without a copy where its weights already lie as rows. What is left of all
   layers is put together, sorted by fan-in: two chunks after each other are more than one would hold.
3. Filters of equal fan-in are the rows of a matrix (`Matrix`). Others lie one after the other (`Segments`), on devices
   that reduce segments; elsewhere a change of the fan-in begins another chunk.
4. Each filter is reduced on its own, always in the same order: the same weights give the same bits again.
5. Weights in channels-last order are taken as they lie: no measure depends on the order within a filter, as long as
   those that are compared have the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch

from deeptracker.record.network import WeightedLayer
from deeptracker.record.transfer import to_device
from deeptracker.schema import HISTOGRAM_BINS

Rows = Callable[[int], torch.Tensor]
"""The weights (filters, fan_in) of the layer at a place."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many weights are measured at once; are segments reduced; may the processor look at what it has computed?"""

    weights: int
    segments: bool
    waits: bool

    @classmethod
    def on(cls, device: torch.device) -> Room:
        """On the host, what fits its cache. Elsewhere some 200 MB are needed meanwhile (48 bytes a weight at most)."""
        if device.type == "cpu":
            return cls(1 << 18, segments=False, waits=True)
        return cls(1 << 22, segments=device.type == "cuda", waits=False)


@dataclass(frozen=True, slots=True)
class Piece:
    """The filters from `first` to `last` (which is not one of them) of the layer at a place."""

    layer: int
    first: int
    last: int
    fan_in: int

    @property
    def filters(self) -> int:
        """How many."""
        return self.last - self.first

    @property
    def weights(self) -> int:
        """How many."""
        return self.filters * self.fan_in

    def of(self, rows: Rows) -> torch.Tensor:
        """Its weights."""
        return rows(self.layer)[self.first : self.last]


class Chunk(ABC):
    """Filters that are measured together: `columns` says which of all filters they are, `fan_ins` how large each.

    A value is what there is of each weight of the chunk: it, its gradient, its distance from another.
    """

    def __init__(self, pieces: Sequence[Piece], offsets: Sequence[int], device: torch.device) -> None:
        self.pieces = tuple(pieces)
        self.weights = sum(piece.weights for piece in pieces)
        filters = [piece.filters for piece in pieces]
        columns = np.concatenate([np.arange(x.first, x.last) + offsets[x.layer] for x in pieces])
        self.columns = to_device(columns, device)
        self.fan_ins = to_device(np.repeat([x.fan_in for x in pieces], filters), device)
        self._first_bins = to_device(np.repeat([HISTOGRAM_BINS * x.layer for x in pieces], filters), device)

    @property
    def copies(self) -> bool:
        """Is what it gathers a copy, for itself alone?"""
        return len(self.pieces) > 1

    @abstractmethod
    def gathered(self, rows: Rows) -> torch.Tensor:
        """All values: as they lie where there is one piece, else a copy."""

    @abstractmethod
    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of each filter's values (filters,)."""

    @abstractmethod
    def norm(self, values: torch.Tensor) -> torch.Tensor:
        """The root of the sum of each filter's squares."""

    @abstractmethod
    def least(self, values: torch.Tensor) -> torch.Tensor:
        """Each filter's least value; NaN if there is one."""

    @abstractmethod
    def largest(self, values: torch.Tensor) -> torch.Tensor:
        """Each filter's largest value; NaN if there is one."""

    @abstractmethod
    def each(self, numbers: torch.Tensor) -> torch.Tensor:
        """A number of each filter, for each of its values."""

    def count(self, bins: torch.Tensor, counts: torch.Tensor, *, waits: bool) -> None:
        """Add the bins (int32) of all values to `counts`, int32 (layers, bins). bincount is faster, and `waits`."""
        if waits:
            parts = torch.split(bins.view(-1), [piece.weights for piece in self.pieces])
            for piece, part in zip(self.pieces, parts, strict=True):
                counts[piece.layer] += torch.bincount(part, minlength=HISTOGRAM_BINS)
            return
        places = (bins + self.each(self._first_bins)).view(-1)
        one = torch.ones((), dtype=counts.dtype, device=counts.device)
        counts.view(-1).scatter_add_(0, places, one.expand(len(places)))


class Matrix(Chunk):
    """Filters of equal fan-in: values are (filters, fan_in)."""

    def gathered(self, rows: Rows) -> torch.Tensor:
        parts = [piece.of(rows) for piece in self.pieces]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        return values.sum(1)

    def norm(self, values: torch.Tensor) -> torch.Tensor:
        norm: torch.Tensor = torch.linalg.vector_norm(values, dim=1)
        return norm

    def least(self, values: torch.Tensor) -> torch.Tensor:
        return values.amin(1)

    def largest(self, values: torch.Tensor) -> torch.Tensor:
        return values.amax(1)

    def each(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers[:, None]


class Segments(Chunk):
    """Filters of any fan-in: values are (weights,), a filter's after those of the one before."""

    def gathered(self, rows: Rows) -> torch.Tensor:
        return torch.cat([piece.of(rows).reshape(-1) for piece in self.pieces])

    def total(self, values: torch.Tensor) -> torch.Tensor:
        return self._reduced(values, "sum")

    def norm(self, values: torch.Tensor) -> torch.Tensor:
        return self._reduced(values.square(), "sum").sqrt_()

    def least(self, values: torch.Tensor) -> torch.Tensor:
        return self._reduced(values, "min")

    def largest(self, values: torch.Tensor) -> torch.Tensor:
        return self._reduced(values, "max")

    def each(self, numbers: torch.Tensor) -> torch.Tensor:
        # To find out for itself how many values there are it would wait for the device.
        return torch.repeat_interleave(numbers, self.fan_ins, output_size=self.weights)

    def _reduced(self, values: torch.Tensor, how: str) -> torch.Tensor:
        # Unsafe is what does not check the lengths, for which it would wait.
        return torch.segment_reduce(values, how, lengths=self.fan_ins, unsafe=True)


def dealt_out(layers: Sequence[WeightedLayer], places: Sequence[int], room: Room) -> list[Chunk]:
    """Chunks of all filters of the layers at these places, which are of one device."""
    offsets = [0, *accumulate(layer.layer.filters for layer in layers)]
    device = layers[0].weight.device
    # Of one dtype, so that nothing is converted when a chunk is gathered; a place after the other in each.
    order = sorted(places, key=lambda place: (str(layers[place].weight.dtype), layers[place].layer.fan_in))
    chunks: list[Chunk] = []
    for pieces in _together([(place, layers[place]) for place in order], room):
        kind = Matrix if len({piece.fan_in for piece in pieces}) == 1 else Segments
        chunks.append(kind(pieces, offsets, device))
    return chunks


def _together(layers: Sequence[tuple[int, WeightedLayer]], room: Room) -> Iterator[list[Piece]]:
    pieces: list[Piece] = []
    weights, last = 0, None
    for place, layer in layers:
        filters, fan_in = layer.layer.filters, layer.layer.fan_in
        size = max(1, room.weights // fan_in)
        whole = filters - filters % size
        yield from ([Piece(place, first, first + size, fan_in)] for first in range(0, whole, size))
        if whole == filters:
            continue
        piece = Piece(place, whole, filters, fan_in)
        kind = (layer.weight.dtype, None if room.segments else fan_in)
        if pieces and (kind != last or weights + piece.weights > room.weights):
            yield pieces
            pieces, weights = [], 0
        pieces.append(piece)
        weights, last = weights + piece.weights, kind
    if pieces:
        yield pieces
