"""How are the measures of a dump taken with torch's own operations, on an accelerator?

1. The filters of all layers are measured in a few chunks (`chunks.py`), each by some hundred operations, however many
   layers there are. Nothing waits for the device: sizes are known on the host, and the results are one packed copy to
   it (`transfer.py`), for which the writer's thread waits.
2. Before a due optimizer step weights are copied, gradients measured. After it weights are measured, and compared with
   these and with those of the dump before. Where numba is missing (`on_host.py`) this measures on the host too.
3. All is computed in float64, whatever the model's dtype (in float32 on Apple's GPUs, which have no other): squares of
   weights and gradients as small as 1e-30 are met in dying filters, and would be 0 in float32.
4. <w, p> = (‖w‖² + ‖p‖² - ‖w - p‖²) / 2 saves a pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from deeptracker.record import histograms
from deeptracker.record.chunks import Chunk, Room, Rows, dealt_out
from deeptracker.record.dump import Later, OfLayer
from deeptracker.record.network import WeightedLayer
from deeptracker.record.transfer import Arriving, to_device
from deeptracker.schema import GRADIENT_MEASURES, HISTOGRAM_BINS, MEASURES, STEP_MEASURES, WEIGHT_MEASURES

KEPT_PLANS = 8
"""For so many sets of layers it is kept how they are dealt out: which have gradients may be others each time."""

_WEIGHT, _GRADIENT = 0, 1
_TABLE = (*WEIGHT_MEASURES, "weight_nonfinite", *GRADIENT_MEASURES, "grad_nonfinite", *STEP_MEASURES)
_ROW = {name: row for row, name in enumerate(_TABLE)}
_MEASURED = [_ROW[name] for name in MEASURES[:-1]]
_NONFINITE = [_ROW["weight_nonfinite"], _ROW["grad_nonfinite"]]


class DeviceMeasurer:
    """Measures layers of one device where they are. `room` is for tests: what is usual there, if not given."""

    def __init__(self, layers: Sequence[WeightedLayer], room: Room | None = None) -> None:
        self._layers = layers
        self._device = layers[0].weight.device
        self._room = room or Room.on(self._device)
        self._ends = np.cumsum([layer.layer.filters for layer in layers])
        self._are_channels_last = [_is_channels_last(layer.weight) for layer in layers]
        self._plans: dict[tuple[int, ...], _Plan] = {}
        self._all = _Plan.of(range(len(layers)), layers, self._room)
        self._before: list[torch.Tensor] = []
        self._previous: list[_Previous] = []
        in_table = len(_TABLE) * int(self._ends[-1])
        self._packed = torch.zeros(in_table + 2 * len(layers) * HISTOGRAM_BINS, dtype=torch.int32, device=self._device)
        self._table = self._packed[:in_table].view(torch.float32).view(len(_TABLE), -1)
        self._counts = self._packed[in_table:].view(2, len(layers), HISTOGRAM_BINS)

    def follow(self, layers: Sequence[WeightedLayer]) -> None:
        """The same layers with other parameters."""
        self._layers = layers

    def clear(self) -> None:
        """Begin a dump: nothing is known."""
        self._table.fill_(math.nan)
        for row in _NONFINITE:
            self._table[row].zero_()
        self._counts.zero_()

    def results(self) -> Later[list[OfLayer]]:
        """What was measured of each layer."""
        arriving, rows, ends = Arriving(self._packed), len(_TABLE), self._ends

        def here() -> list[OfLayer]:
            packed = arriving.here()
            in_table = rows * int(ends[-1])
            table = packed[:in_table].view(np.float32).reshape(rows, -1)
            measures = np.concatenate([table[_MEASURED], table[_NONFINITE].sum(0, keepdims=True)])
            counts = packed[in_table:].view(np.uint32).reshape(2, -1, HISTOGRAM_BINS)  # int32 that may have gone round
            of_layers = np.split(measures, ends[:-1], axis=1)
            return [(of, counts[:, place]) for place, of in enumerate(of_layers)]

        return Later(here)

    def remember(self) -> None:
        """Take the weights as those of the dump before."""
        rows = self._weights()
        with _without_autocast(self._device):
            self._previous = [_Previous.of(chunk, chunk.gathered(rows)) for chunk in self._all.chunks]

    def before_step(self) -> None:
        """Copy the weights."""
        rows = self._weights()
        with _without_autocast(self._device):
            self._before = [_copy(chunk, chunk.gathered(rows)) for chunk in self._all.chunks]

    def forget_step(self) -> None:
        """There was no step."""
        self._before = []

    def gradients(self, scale: torch.Tensor | None, of: Callable[[torch.Tensor], bool]) -> None:
        """Measure gradients of the weights that `of` names, divided by `scale`; those measured last count."""
        places = tuple(at for at, x in enumerate(self._layers) if x.weight.grad is not None and of(x.weight))
        if not places:
            return
        plan = self._plan(places)
        rows = _Rows(self._gradient)
        counts = self._counts[_GRADIENT]
        counts.index_fill_(0, plan.places, 0)
        with _without_autocast(self._device):
            for chunk in plan.chunks:
                found = as_float(chunk.gathered(rows))
                found = found if scale is None else found / scale.to(self._device, non_blocking=True)
                _, mean, sd, norm, nonfinite = self._spread(chunk, found, _precise(found))
                self._store(chunk, "grad_mean", mean, sd, norm, chunk.largest(found), nonfinite)
                chunk.count(histograms.bins_of(found), counts, waits=self._room.waits)

    def weights(self) -> None:
        """Measure the weights. If this fails the next dump has no `change`."""
        before, previous, self._before, self._previous = self._before, self._previous, [], []
        rows, now = self._weights(), []
        with _without_autocast(self._device):
            for chunk in self._all.chunks:
                # Taken from the lists, so that their memory is free again for the next.
                then, old = before.pop(0) if before else None, previous.pop(0) if previous else None
                stored = chunk.gathered(rows)
                found = as_float(stored)
                values = _precise(found)
                sizes = self._measure_weights(chunk, found, values)
                if then is not None:
                    self._measure_update(chunk, values, then)
                if old is not None:
                    self._compare(chunk, values, sizes, old)
                del values
                chunk.count(histograms.bins_of(found), self._counts[_WEIGHT], waits=self._room.waits)
                now.append(_Previous(_copy(chunk, stored, None if old is None else old.stored), sizes))
        self._previous = now

    def _plan(self, places: tuple[int, ...]) -> _Plan:
        if len(places) == len(self._layers):
            return self._all
        if places not in self._plans:
            if len(self._plans) == KEPT_PLANS:
                del self._plans[next(iter(self._plans))]
            self._plans[places] = _Plan.of(places, self._layers, self._room)
        return self._plans[places]

    def _weights(self) -> Rows:
        def rows(place: int) -> torch.Tensor:
            layer = self._layers[place]
            return _rows(layer, layer.weight.detach(), channels_last=self._are_channels_last[place])

        return _Rows(rows)

    def _gradient(self, place: int) -> torch.Tensor:
        layer = self._layers[place]
        assert layer.weight.grad is not None
        return _rows(layer, dense(layer.weight.grad))

    def _measure_weights(self, chunk: Chunk, found: torch.Tensor, values: torch.Tensor) -> _Sizes:
        total, mean, sd, norm, nonfinite = self._spread(chunk, found, values)
        sizes = _Sizes(chunk.total(values.abs()), norm)
        self._store(chunk, "sum", total, mean, sd, chunk.least(found), chunk.largest(found), sizes.l1, norm, nonfinite)
        return sizes

    def _measure_update(self, chunk: Chunk, values: torch.Tensor, before: torch.Tensor) -> None:
        then = _precise(before)
        self._store(chunk, "update_ratio", _ratio(chunk.norm(values - then), chunk.norm(then)))

    def _compare(self, chunk: Chunk, values: torch.Tensor, sizes: _Sizes, previous: _Previous) -> None:
        norm, then = sizes.l2, previous.sizes
        difference = values - _precise(previous.stored)
        moved = chunk.norm(difference)
        # Divided before multiplied: squares of the norms of dying filters would leave the range.
        change = _ratio(moved, then.l2)
        cosine = (_ratio(norm, then.l2) + _ratio(then.l2, norm) - change * _ratio(moved, norm)) / 2
        change_l1 = _ratio(chunk.total(difference.abs_()), then.l1)
        self._store(chunk, "cosine", cosine.clamp(-1, 1), change, change_l1, moved)

    def _spread(self, chunk: Chunk, found: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Sum, mean, standard deviation and norm of each filter, and how many of its values are not finite."""
        total = chunk.total(values)
        mean = total / chunk.fan_ins
        sd = (chunk.norm(values - chunk.each(mean)).square() / chunk.fan_ins).sqrt()
        if self._room.waits and bool(torch.isfinite(total).all()):
            return total, mean, sd, chunk.norm(values), torch.zeros_like(total)
        nonfinite = chunk.total(torch.isfinite(found).logical_not_().to(values.dtype))
        return total, mean, sd, chunk.norm(values), nonfinite

    def _store(self, chunk: Chunk, first: str, *measures: torch.Tensor) -> None:
        """Put measures of a chunk's filters into the rows from `first` on."""
        rows = self._table[_ROW[first] : _ROW[first] + len(measures)]
        rows.index_copy_(1, chunk.columns, torch.stack(measures).to(torch.float32))


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the layers at some places are dealt out."""

    places: torch.Tensor
    chunks: list[Chunk]

    @classmethod
    def of(cls, places: Sequence[int], layers: Sequence[WeightedLayer], room: Room) -> _Plan:
        there = to_device(np.array(places, np.int64), layers[0].weight.device)
        return cls(there, dealt_out(layers, places, room))


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How large each filter of a chunk is: Σ |w| and ‖w‖."""

    l1: torch.Tensor
    l2: torch.Tensor


@dataclass(frozen=True, slots=True)
class _Previous:
    """A chunk's weights at the dump before, and how large its filters were."""

    stored: torch.Tensor
    sizes: _Sizes

    @classmethod
    def of(cls, chunk: Chunk, stored: torch.Tensor) -> _Previous:
        values = _precise(as_float(stored))
        return cls(_copy(chunk, stored), _Sizes(chunk.total(values.abs()), chunk.norm(values)))


class _Rows:
    """The rows of the layer that was asked for last are kept: where they are a copy, it is made once for all pieces."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._kept: tuple[int, torch.Tensor] | None = None

    def __call__(self, place: int) -> torch.Tensor:
        if self._kept is None or self._kept[0] != place:
            self._kept = place, self._rows(place)
        return self._kept[1]


def dense(gradient: torch.Tensor) -> torch.Tensor:
    """A sparse gradient as the one that it stands for."""
    return gradient.to_dense() if gradient.is_sparse else gradient


def as_float(block: torch.Tensor) -> torch.Tensor:
    """Weights or gradients as float32, or float64 where they are: sums need no less."""
    return block if block.dtype in (torch.float32, torch.float64) else block.float()


def _precise(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.float32 if tensor.device.type == "mps" else torch.float64)


def _ratio(numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
    return torch.where(denominator > 0, numerator / denominator, math.nan)


def _copy(chunk: Chunk, gathered: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
    """What was gathered, but not the weights themselves: in memory that is kept, if it fits, as that is faster."""
    if chunk.copies:
        return gathered
    if kept is None or kept.dtype != gathered.dtype:
        return gathered.clone()
    torch._foreach_copy_([kept], [gathered])
    return kept


def _rows(layer: WeightedLayer, tensor: torch.Tensor, *, channels_last: bool | None = None) -> torch.Tensor:
    """As `WeightedLayer.rows`, but weights in channels-last order are taken as they lie."""
    if channels_last is None:
        channels_last = _is_channels_last(tensor)
    if channels_last and not layer.groups:
        tensor = tensor.movedim(1, -1)
        return tensor.reshape(layer.layer.filters, layer.layer.fan_in)
    return layer.rows(tensor)


def _is_channels_last(tensor: torch.Tensor) -> bool:
    return tensor.ndim > 2 and not tensor.is_contiguous() and tensor.movedim(1, -1).is_contiguous()


def _without_autocast(device: torch.device) -> Any:
    return torch.autocast(device.type, enabled=False)
