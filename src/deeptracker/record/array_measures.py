"""What is measured of every filter where weights come as arrays, without torch?

1. The definitions of docs/format.md, written out: sums and norms in float64, what is undefined is NaN. The measures
   that the recorder takes of tensors (`measures.py`) are the same to the rounding of float32; a test holds that.
2. `measure_rows` is all of the arithmetic: arrays of one layer in, arrays out. It walks them in blocks of filters that
   fit the processor's cache.
3. Each dump's weights are kept as rows until the next, which is compared with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.record.array_layers import ArrayLayer
from deeptracker.record.bins import count_array
from deeptracker.record.dump import Measured, OfLayer
from deeptracker.schema import HISTOGRAM_BINS, MEASURES

BLOCK_WEIGHTS = 1 << 18

_ROW = {name: row for row, name in enumerate(MEASURES)}

Rows = npt.NDArray[np.floating[Any]]
Doubles = npt.NDArray[np.float64]


def measure_rows(
    now: Rows, *, previous: Rows | None = None, before: Rows | None = None, gradient: Rows | None = None
) -> OfLayer:
    """Measures of a layer, float32 (measures, filters), and counts of weights and gradients, int64 (2, bins).

    All arrays are (filters, fan_in), float32 or float64: weights `now`, those of the dump before (`previous`) and of
    just `before` the optimizer step, and their gradient. What needs an array that is not given is NaN, or not counted.
    """
    table = np.full((len(MEASURES), len(now)), np.nan, np.float32)
    with np.errstate(all="ignore"):  # NaN and infinities are data
        for part in _blocks(*now.shape):
            block = now[part].astype(np.float64)
            found = _of_weights(block)
            if gradient is not None:
                found |= _of_gradient(gradient[part].astype(np.float64), found["nonfinite"])
            if previous is not None:
                found |= _compared(block, previous[part].astype(np.float64))
            if before is not None:
                found["update_ratio"] = _distance(block, before[part].astype(np.float64))
            for name, values in found.items():
                table[_ROW[name], part] = values
        none = np.zeros(HISTOGRAM_BINS, np.int64)
        counts = np.stack([count_array(now), none if gradient is None else count_array(gradient)])
    return table, counts


class ArrayMeasurer:
    """Measures the same layers, dump after dump."""

    def __init__(self, layers: Sequence[ArrayLayer]) -> None:
        self._layers = layers
        self._previous: list[Rows] | None = None

    def remember(self, weights: Mapping[str, Any]) -> None:
        """Take these weights as those of the dump before, without measuring."""
        self._previous = self._rows(weights)

    def measure(
        self, weights: Mapping[str, Any], gradients: Mapping[str, Any] | None, before: Mapping[str, Any] | None
    ) -> Measured:
        """A dump's measures, of arrays by the names of layers. If this fails the next dump has no `change`."""
        previous, self._previous = self._previous, None
        now, old = self._rows(weights), None if before is None else self._rows(before)
        parts: list[OfLayer] = []
        for index, one in enumerate(self._layers):
            gradient = None if gradients is None else gradients.get(one.layer.name)
            parts.append(
                measure_rows(
                    now[index],
                    previous=None if previous is None else previous[index],
                    before=None if old is None else old[index],
                    gradient=None if gradient is None else one.rows(gradient),
                )
            )
        self._previous = now
        return Measured.of(parts)

    def rows(self, index: int) -> Rows:
        """The weights of a layer at the dump that was measured last."""
        if self._previous is None:
            raise ValueError("weights must have been measured. They were not, or could not be.")
        return self._previous[index]

    def _rows(self, weights: Mapping[str, Any]) -> list[Rows]:
        missing = [one.layer.name for one in self._layers if one.layer.name not in weights]
        if missing:
            raise ValueError(f"weights must have an array for each layer. Got none for {', '.join(missing)}.")
        return [one.rows(weights[one.layer.name]) for one in self._layers]


def _of_weights(w: Doubles) -> dict[str, Doubles]:
    return {
        "sum": w.sum(1),
        "mean": w.mean(1),
        "sd": w.std(1),
        "min": w.min(1),
        "max": w.max(1),
        "l1": np.abs(w).sum(1),
        "l2": _norm(w),
        "nonfinite": _nonfinite(w),
    }


def _of_gradient(g: Doubles, nonfinite: Doubles) -> dict[str, Doubles]:
    return {
        "grad_mean": g.mean(1),
        "grad_sd": g.std(1),
        "grad_l2": _norm(g),
        "grad_max": g.max(1),
        "nonfinite": nonfinite + _nonfinite(g),
    }


def _compared(w: Doubles, p: Doubles) -> dict[str, Doubles]:
    # Divided before multiplied: the product of the norms of dying filters would leave the range.
    norm, norm_before = _norm(w), _norm(p)
    directions = np.einsum("ij,ij->i", w / norm[:, None], p / norm_before[:, None])
    return {
        "cosine": np.where((norm > 0) & (norm_before > 0), directions.clip(-1, 1), np.nan),
        "change": _distance(w, p),
        "change_l1": _ratio(np.abs(w - p).sum(1), np.abs(p).sum(1)),
        "euclidean": _norm(w - p),
    }


def _distance(w: Doubles, p: Doubles) -> Doubles:
    return _ratio(_norm(w - p), _norm(p))


def _ratio(numerator: Doubles, denominator: Doubles) -> Doubles:
    ratio: Doubles = np.where(denominator > 0, numerator / denominator, np.nan)
    return ratio


def _norm(rows: Doubles) -> Doubles:
    norm: Doubles = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norm


def _nonfinite(rows: Doubles) -> Doubles:
    count: Doubles = (~np.isfinite(rows)).sum(1).astype(np.float64)
    return count


def _blocks(filters: int, fan_in: int) -> Iterator[slice]:
    size = max(1, BLOCK_WEIGHTS // fan_in)
    for first in range(0, filters, size):
        yield slice(first, first + size)
