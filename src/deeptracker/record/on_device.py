"""How are the measures of a dump taken with torch's own operations, on an accelerator?

1. Before a due optimizer step weights are copied, gradients measured. After it each layer is walked in blocks of
   filters; on an accelerator a layer is one block. Where numba is missing (`on_host.py`) this measures on the host too,
   in blocks that fit the processor's cache.
2. Sums and norms are accumulated in float64 (float32 on Apple's GPUs, which have no other), whatever the model's dtype:
   squares of weights and gradients as small as 1e-30 are met in dying filters, and would be 0 in float32.
3. ‖w‖² = Σ(w - m)² + 2m Σ(w - m) + n m² and <w, p> = (‖w‖² + ‖p‖² - ‖w - p‖²) / 2 save two passes.
4. Results stay on the device until all are there: one transfer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from deeptracker.record import histograms
from deeptracker.record.dump import OfLayer
from deeptracker.record.network import WeightedLayer
from deeptracker.schema import HISTOGRAM_BINS, MEASURES

BLOCK_WEIGHTS = 1 << 18

_ROW = {name: row for row, name in enumerate(MEASURES)}
_WEIGHT, _GRADIENT = 0, 1


class DeviceMeasurer:
    """Measures layers of one device where they are."""

    def __init__(self, layers: Sequence[WeightedLayer]) -> None:
        self._layers = layers
        self._before: list[torch.Tensor] | None = None
        self._previous: list[_Previous] | None = None
        self._tables = [_on_device_of(x, (len(MEASURES), x.layer.filters), torch.float32) for x in layers]
        self._counts = [_on_device_of(x, (2, HISTOGRAM_BINS), torch.int64) for x in layers]

    def follow(self, layers: Sequence[WeightedLayer]) -> None:
        """The same layers with other parameters."""
        self._layers = layers

    def clear(self) -> None:
        """Begin a dump: nothing is known."""
        for table, counts in zip(self._tables, self._counts, strict=True):
            table.fill_(math.nan)[_ROW["nonfinite"]] = 0
            counts.zero_()

    def results(self) -> list[OfLayer]:
        """What was measured of each layer."""
        table = torch.cat(self._tables, 1).cpu().numpy()
        on_host = self._counts[0].device.type == "cpu"  # then a copy would be in vain, of many MB
        counts = self._counts if on_host else torch.stack(self._counts).cpu()
        ends = np.cumsum([layer.layer.filters for layer in self._layers])
        return [(of, x.numpy()) for of, x in zip(np.split(table, ends[:-1], axis=1), counts, strict=True)]

    def remember(self) -> None:
        """Take the weights as those of the dump before."""
        self._previous = [_Previous.of(layer) for layer in self._layers]

    def before_step(self) -> None:
        """Copy the weights."""
        self._before = [_copied_rows(layer) for layer in self._layers]

    def forget_step(self) -> None:
        """There was no step."""
        self._before = None

    def gradients(self, scale: torch.Tensor | None, of: Callable[[torch.Tensor], bool]) -> None:
        """Measure gradients of the weights that `of` names, divided by `scale`; those measured last count."""
        for index, layer in enumerate(self._layers):
            gradient = layer.weight.grad
            if gradient is None or not of(layer.weight):
                continue
            self._tables[index][_ROW["nonfinite"]] = 0
            self._counts[index][_GRADIENT] = 0
            rows = layer.rows(dense(gradient))
            with _without_autocast(rows):
                for part in _blocks(rows):
                    block = as_float(rows[part])
                    block = block if scale is None else block / scale.to(block.device)
                    _measure_gradient(block, self._tables[index][:, part])
                    self._counts[index][_GRADIENT] += histograms.count(block)

    def weights(self) -> None:
        """Measure the weights. If this fails the next dump has no `change`."""
        before, previous, self._before, self._previous = self._before, self._previous, None, None
        now = [] if previous is None else previous
        for index, layer in enumerate(self._layers):
            rows = layer.rows(layer.weight.detach())
            if previous is None:
                now.append(_Previous.empty(rows))
            with _without_autocast(rows):
                for part in _blocks(rows):
                    block, out = as_float(rows[part]), self._tables[index][:, part]
                    sizes = _measure_weights(block, out)
                    if before is not None:
                        _measure_update(block, as_float(before[index][part]), out)
                    _compare(block, sizes, now[index], part, out, known=previous is not None)
                    now[index].rows[part] = rows[part]
                    self._counts[index][_WEIGHT] += histograms.count(block)
        self._previous = now


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How large each row is: Σ |w| and ‖w‖."""

    l1: torch.Tensor
    l2: torch.Tensor


@dataclass(frozen=True, slots=True)
class _Previous:
    """A layer's weights at the dump before, as rows, and how large they were."""

    rows: torch.Tensor
    sizes: _Sizes

    @classmethod
    def empty(cls, rows: torch.Tensor) -> _Previous:
        return cls(torch.empty(rows.shape, dtype=rows.dtype, device=rows.device), _unknown_sizes(rows))

    @classmethod
    def of(cls, layer: WeightedLayer) -> _Previous:
        rows = _copied_rows(layer)
        previous = cls(rows, _unknown_sizes(rows))
        for part in _blocks(rows):
            block = as_float(rows[part])
            previous.keep(part, _Sizes(_total(block.abs()), _norm(block)))
        return previous

    def keep(self, part: slice, sizes: _Sizes) -> None:
        self.sizes.l1[part], self.sizes.l2[part] = sizes.l1, sizes.l2


@dataclass(frozen=True, slots=True)
class _Spread:
    """Sum, mean, standard deviation and norm of each row, and how many values in it are not finite."""

    total: torch.Tensor
    mean: torch.Tensor
    sd: torch.Tensor
    norm: torch.Tensor
    nonfinite: torch.Tensor | float

    @classmethod
    def of(cls, block: torch.Tensor) -> _Spread:
        n = block.shape[1]
        total = _total(block)
        mean = total / n
        centre = mean.to(block.dtype)
        squares = _norm(block - centre[:, None]).square()
        off = mean - centre  # what rounding the mean to the weights' dtype has taken away
        sd = (squares / n - off.square()).clamp_min(0).sqrt()
        norm = (squares + n * centre.to(mean.dtype) * (2 * off + centre)).clamp_min(0).sqrt()
        if block.device.type == "cpu" and bool(torch.isfinite(squares).all()):
            return cls(total, mean, sd, norm, 0.0)
        # With infinities the identity gives NaN for a norm that is infinite; elsewhere, asking would wait for the GPU.
        return cls(total, mean, sd, _norm(block), (~torch.isfinite(block)).sum(1))


def _measure_gradient(block: torch.Tensor, out: torch.Tensor) -> None:
    spread = _Spread.of(block)
    _store(out, grad_mean=spread.mean, grad_sd=spread.sd, grad_l2=spread.norm, grad_max=block.amax(1))
    out[_ROW["nonfinite"]] += spread.nonfinite


def _measure_weights(block: torch.Tensor, out: torch.Tensor) -> _Sizes:
    spread = _Spread.of(block)
    sizes = _Sizes(_total(block.abs()), spread.norm)
    _store(out, sum=spread.total, mean=spread.mean, sd=spread.sd, l1=sizes.l1, l2=sizes.l2)
    _store(out, min=block.amin(1), max=block.amax(1))
    out[_ROW["nonfinite"]] += spread.nonfinite
    return sizes


def _measure_update(block: torch.Tensor, before: torch.Tensor, out: torch.Tensor) -> None:
    _store(out, update_ratio=_ratio(_norm(block - before), _norm(before)))


def _compare(
    block: torch.Tensor, sizes: _Sizes, previous: _Previous, part: slice, out: torch.Tensor, *, known: bool
) -> None:
    if known:
        norm, norm_before, l1_before = sizes.l2, previous.sizes.l2[part], previous.sizes.l1[part]
        difference = block - as_float(previous.rows[part])
        moved = _norm(difference)
        # Divided before multiplied: squares of the norms of dying filters would leave the range.
        change = _ratio(moved, norm_before)
        cosine = (_ratio(norm, norm_before) + _ratio(norm_before, norm) - change * _ratio(moved, norm)) / 2
        _store(out, cosine=cosine.clamp(-1, 1), change=change, euclidean=moved)
        _store(out, change_l1=_ratio(_total(difference.abs_()), l1_before))
    previous.keep(part, sizes)


def _store(out: torch.Tensor, **measures: torch.Tensor) -> None:
    for name, values in measures.items():
        out[_ROW[name]] = values


def _ratio(numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
    return torch.where(denominator > 0, numerator / denominator, math.nan)


def _total(block: torch.Tensor) -> torch.Tensor:
    return block.sum(1, dtype=_precise(block))


def _norm(block: torch.Tensor) -> torch.Tensor:
    norm: torch.Tensor = torch.linalg.vector_norm(block, dim=1, dtype=_precise(block))
    return norm


def _precise(tensor: torch.Tensor) -> torch.dtype:
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def dense(gradient: torch.Tensor) -> torch.Tensor:
    """A sparse gradient as the one that it stands for."""
    return gradient.to_dense() if gradient.is_sparse else gradient


def as_float(block: torch.Tensor) -> torch.Tensor:
    """Weights or gradients as float32, or float64 where they are: sums need no less."""
    return block if block.dtype in (torch.float32, torch.float64) else block.float()


def _blocks(rows: torch.Tensor) -> Iterator[slice]:
    filters, fan_in = rows.shape
    size = max(1, BLOCK_WEIGHTS // fan_in) if rows.device.type == "cpu" else filters
    for first in range(0, filters, size):
        yield slice(first, first + size)


def _copied_rows(layer: WeightedLayer) -> torch.Tensor:
    weight = layer.weight.detach()
    rows = layer.rows(weight)
    return rows.clone() if rows.data_ptr() == weight.data_ptr() else rows


def _unknown_sizes(rows: torch.Tensor) -> _Sizes:
    nan = torch.full((2, len(rows)), math.nan, dtype=_precise(rows), device=rows.device)
    return _Sizes(nan[0], nan[1])


def _on_device_of(layer: WeightedLayer, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=layer.weight.device)


def _without_autocast(rows: torch.Tensor) -> Any:
    return torch.autocast(rows.device.type, enabled=False)
