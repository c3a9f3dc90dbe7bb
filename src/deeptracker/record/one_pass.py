"""How are all measures of filters taken while their weights are in the processor's cache, on the host?

1. Arrays in, arrays out: `weights` and `gradients` measure some rows of a layer, a filter a row. They are compiled by
   numba, each for itself, hold no lock of Python's, and call nothing of torch: several threads work on several rows.
2. A filter's weights come from memory once, with those before the step and those at the dump before: of each block of
   them bins of the histogram, sums, extremes and distances are taken one after the other while it is in the cache. In
   long blocks processor and memory would wait for each other in turn; in short ones they work at the same time.
3. Sums are float64, of differences from the filter's first value: so the deviation is not lost in a large mean, and is
   exactly 0 for a filter of equal values. Their order is left to the processor's vectors.
4. Extremes of float32 are found in their bits, whose order as integers is that of the values once those of negative
   ones are turned: NaN, which has no order, need not be thought of, and vectors are filled.
5. A filter with a value that is not finite is met by its sum of squares, and measured again, slowly and literally.
6. For flights, which measure every step, `step_gradients` and `step_weights` take the few sums that those need.

Definitions: docs/format.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from deeptracker.schema import FLIGHT_MEASURES, HISTOGRAM_DROPPED_BITS, MEASURES

Rows = npt.NDArray[np.float32] | npt.NDArray[np.float64]
"""(filters, fan in), contiguous."""

Bits = npt.NDArray[np.int32]
"""Of the same as float32: `bits_of(rows)`."""

Table = npt.NDArray[np.float32]
"""(measures, filters) of a layer, in the order of MEASURES; `nonfinite` is added to what is there."""

Counts = npt.NDArray[np.uint32]
"""(bins,) of a layer."""

Spread = tuple[float, float, float, float, float, Any, Any, int]
"""Sum, mean, deviation, l1, l2, least, largest, and how many are not finite."""

Extremes = tuple[np.int32, np.int32]
"""Least and largest, as `_ordered` bits."""

BLOCK_WEIGHTS = 1024
"""So many of a filter's weights are measured in one go."""

_REORDERED = {"reassoc", "contract", "nsz", "arcp"}  # NaN and infinities stay what they are

_SUM, _MEAN, _SD, _MIN, _MAX, _L1, _L2 = (MEASURES.index(x) for x in ("sum", "mean", "sd", "min", "max", "l1", "l2"))
_GRAD_MEAN, _GRAD_SD, _GRAD_L2, _GRAD_MAX = (MEASURES.index(f"grad_{x}") for x in ("mean", "sd", "l2", "max"))
_COSINE, _CHANGE, _CHANGE_L1 = (MEASURES.index(x) for x in ("cosine", "change", "change_l1"))
_EUCLIDEAN, _UPDATE_RATIO = MEASURES.index("euclidean"), MEASURES.index("update_ratio")
_NONFINITE = MEASURES.index("nonfinite")
_STEP_L2, _STEP_GRAD_L2, _STEP_UPDATE_RATIO, _STEP_NONFINITE = (
    FLIGHT_MEASURES.index(x) for x in ("l2", "grad_l2", "update_ratio", "nonfinite")
)


def _compiled(**options: Any) -> Callable[[Any], Any]:
    """Compile without Python's lock, and keep the result where there is a place for it."""

    def compiled(function: Any) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # neither the package's folder nor the user's cache can be written
            return njit(nogil=True, **options)(function)

    return compiled


def bits_of(rows: Rows) -> Bits:
    """What the measures take beside the rows."""
    return rows.astype(np.float32, copy=False).view(np.int32)


@_compiled()
def gradients(rows: Rows, bits: Bits, first: int, out: Table, counts: Counts) -> None:
    """Measure gradients of the filters from `first` on, and add the bins that they are in."""
    filters, fan_in = rows.shape
    blocks = -(-fan_in // BLOCK_WEIGHTS)
    for row in range(filters):
        filter, pivot = first + row, np.float64(rows[row, 0])
        sums, extremes = (0.0, 0.0, 0.0), (_ordered(bits[row, 0]), _ordered(bits[row, 0]))
        for block in range(blocks):
            start, end = _bounds(block, fan_in)
            _count(bits[row], start, end, counts)
            sums = _plus(sums, _sums(rows[row], start, end, pivot))
            extremes = _wider(extremes, _extremes(bits[row], start, end))
        _, mean, sd, _, norm, _, highest, nonfinite = _spread(rows[row], pivot, sums, extremes)
        out[_GRAD_MEAN, filter], out[_GRAD_SD, filter] = mean, sd
        out[_GRAD_L2, filter], out[_GRAD_MAX, filter] = norm, highest
        out[_NONFINITE, filter] += nonfinite


@_compiled()
def weights(
    rows: Rows, bits: Bits, before: Rows, previous: Rows, knows_previous: bool, first: int, out: Table, counts: Counts
) -> None:
    """Measure weights of the filters from `first` on, and add the bins that they are in.

    `before` are those before the optimizer's step, without rows where there was none. `previous` are those at the dump
    before, if it `knows_previous`, and become those of this one.
    """
    filters, fan_in = rows.shape
    blocks = -(-fan_in // BLOCK_WEIGHTS)
    for row in range(filters):
        filter, values, pivot = first + row, rows[row], np.float64(rows[row, 0])
        sums, extremes = (0.0, 0.0, 0.0), (_ordered(bits[row, 0]), _ordered(bits[row, 0]))
        step, way = (0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 0.0)
        for block in range(blocks):
            start, end = _bounds(block, fan_in)
            _count(bits[row], start, end, counts)
            sums = _plus(sums, _sums(values, start, end, pivot))
            extremes = _wider(extremes, _extremes(bits[row], start, end))
            if len(before):
                squares, squares_before = _step(values, before[row], start, end)
                step = step[0] + squares, step[1] + squares_before
            if knows_previous:
                found = _way(values, previous[row], start, end)
                way = (
                    way[0] + found[0],
                    way[1] + found[1],
                    way[2] + found[2],
                    way[3] + found[3],
                    way[4] + found[4],
                )
            _copy(values, previous[row], start, end)
        total, mean, sd, l1, norm, lowest, highest, nonfinite = _spread(values, pivot, sums, extremes)
        out[_SUM, filter], out[_MEAN, filter], out[_SD, filter] = total, mean, sd
        out[_L1, filter], out[_L2, filter] = l1, norm
        out[_MIN, filter], out[_MAX, filter] = lowest, highest
        out[_NONFINITE, filter] += nonfinite
        if len(before):
            out[_UPDATE_RATIO, filter] = _ratio(math.sqrt(step[0]), math.sqrt(step[1]))
        if knows_previous:
            moved, norm_before = math.sqrt(way[0]), math.sqrt(way[3])
            out[_EUCLIDEAN, filter] = moved
            out[_CHANGE, filter] = _ratio(moved, norm_before)
            out[_CHANGE_L1, filter] = _ratio(way[1], way[4])
            # Divided twice: the product of the norms of dying filters would leave the range.
            out[_COSINE, filter] = _between(_ratio(_ratio(way[2], norm), norm_before))


@_compiled()
def step_gradients(rows: Rows, first: int, out: Table) -> None:
    """Measure gradients of the filters from `first` on for a flight; `out` is (FLIGHT_MEASURES, filters)."""
    for row in range(len(rows)):
        squares = _squares(rows[row])
        out[_STEP_GRAD_L2, first + row] = math.sqrt(squares)
        if not math.isfinite(squares):
            out[_STEP_NONFINITE, first + row] += _nonfinite(rows[row])


@_compiled()
def step_weights(rows: Rows, before: Rows, first: int, out: Table) -> None:
    """Measure weights of the filters from `first` on for a flight, and how far a step has moved them from `before`."""
    for row in range(len(rows)):
        squares, moved, squares_before = _moved(rows[row], before[row])
        out[_STEP_L2, first + row] = math.sqrt(squares)
        out[_STEP_UPDATE_RATIO, first + row] = _ratio(math.sqrt(moved), math.sqrt(squares_before))
        if not math.isfinite(squares):
            out[_STEP_NONFINITE, first + row] += _nonfinite(rows[row])


@_compiled(fastmath=_REORDERED)
def _squares(values: Any) -> float:
    squares = 0.0
    for i in range(values.size):
        value = np.float64(values[i])
        squares += value * value
    return squares


@_compiled(fastmath=_REORDERED)
def _moved(values: Any, others: Any) -> tuple[float, float, float]:
    """Sums of squares: of the values, of their distances from the others, and of these."""
    squares = moved = others_squares = 0.0
    for i in range(values.size):
        value, other = np.float64(values[i]), np.float64(others[i])
        difference = value - other
        squares += value * value
        moved += difference * difference
        others_squares += other * other
    return squares, moved, others_squares


@_compiled()
def _nonfinite(values: Any) -> int:
    found = 0
    for i in range(values.size):
        found += not math.isfinite(values[i])
    return found


@_compiled()
def _bounds(block: int, fan_in: int) -> tuple[np.uint64, np.uint64]:
    """Unsigned: numba takes a signed index for one that may count from the end, and vectors are not filled."""
    start = block * BLOCK_WEIGHTS
    return np.uint64(start), np.uint64(min(start + BLOCK_WEIGHTS, fan_in))


@_compiled()
def _spread(values: Any, pivot: float, sums: tuple[float, float, float], extremes: Extremes) -> Spread:
    n, (off, squares, l1) = values.size, sums
    if not math.isfinite(squares):
        literal: Spread = _literal_spread(values)
        return literal
    variance = max(0.0, (squares - off * off / n) / n)
    norm = math.sqrt(max(0.0, squares + pivot * (2 * off + n * pivot)))
    lowest, highest = _value(extremes[0]), _value(extremes[1])
    return off + n * pivot, pivot + off / n, math.sqrt(variance), l1, norm, lowest, highest, 0


@_compiled(fastmath=_REORDERED)
def _sums(values: Any, start: np.uint64, end: np.uint64, pivot: float) -> tuple[float, float, float]:
    """Sums of the differences from the pivot, of their squares, and of absolute values."""
    off = squares = l1 = 0.0
    for i in range(start, end):
        value = np.float64(values[i])
        difference = value - pivot
        off += difference
        squares += difference * difference
        l1 += abs(value)
    return off, squares, l1


@_compiled()
def _literal_spread(values: Any) -> Spread:
    """The same of a filter with NaN or infinities in it, or whose squares leave the range."""
    total = squares = l1 = 0.0
    lowest, highest, nonfinite = np.inf, -np.inf, 0
    for i in range(values.size):
        value = np.float64(values[i])
        nonfinite += not math.isfinite(value)
        total += value
        squares += value * value
        l1 += abs(value)
        lowest = value if value < lowest or math.isnan(value) else lowest  # once NaN, nothing is below it
        highest = value if value > highest or math.isnan(value) else highest
    mean, variance = total / values.size, 0.0
    for i in range(values.size):
        variance += (np.float64(values[i]) - mean) ** 2 / values.size
    return total, mean, math.sqrt(variance), l1, math.sqrt(squares), lowest, highest, nonfinite


@_compiled(fastmath=_REORDERED)
def _step(values: Any, others: Any, start: np.uint64, end: np.uint64) -> tuple[float, float]:
    """Squares of the distance, and of the others."""
    squares = others_squares = 0.0
    for i in range(start, end):
        value, other = np.float64(values[i]), np.float64(others[i])
        difference = value - other
        squares += difference * difference
        others_squares += other * other
    return squares, others_squares


@_compiled(fastmath=_REORDERED)
def _way(values: Any, others: Any, start: np.uint64, end: np.uint64) -> tuple[float, float, float, float, float]:
    """Square of the distance, l1 distance, inner product, and square and l1 of the others."""
    squares = distance = product = others_squares = others_l1 = 0.0
    for i in range(start, end):
        value, other = np.float64(values[i]), np.float64(others[i])
        difference = value - other
        squares += difference * difference
        distance += abs(difference)
        product += value * other
        others_squares += other * other
        others_l1 += abs(other)
    return squares, distance, product, others_squares, others_l1


@_compiled()
def _extremes(bits: Bits, start: np.uint64, end: np.uint64) -> Extremes:
    """Least and largest of finite values, as what is ordered as they are."""
    lowest = highest = _ordered(bits[start])
    for i in range(start, end):
        order = _ordered(bits[i])
        lowest = min(lowest, order)
        highest = max(highest, order)
    return lowest, highest


@_compiled()
def _plus(one: tuple[float, float, float], other: tuple[float, float, float]) -> tuple[float, float, float]:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


@_compiled()
def _wider(one: Extremes, other: Extremes) -> Extremes:
    return min(one[0], other[0]), max(one[1], other[1])


@_compiled()
def _value(order: np.int32) -> np.float32:
    value: np.float32 = np.int32(_ordered(order)).view(np.float32)
    return value


@_compiled()
def _ordered(bits: np.int32) -> np.int32:
    """Turns all but the sign where it is set: bits to what is ordered as the values are, and back."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@_compiled()
def _count(bits: Bits, start: np.uint64, end: np.uint64, counts: Counts) -> None:
    """Add each value's bin: the upper bits of the float32 (decision 0002)."""
    for i in range(start, end):
        counts[np.uint32(bits[i]) >> np.uint32(HISTOGRAM_DROPPED_BITS)] += 1


@_compiled()
def _copy(values: Any, into: Any, start: np.uint64, end: np.uint64) -> None:
    """In a loop of its own, which fills vectors: numba's assignment of a slice takes four times as long."""
    for i in range(start, end):
        into[i] = values[i]


@_compiled()
def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan


@_compiled()
def _between(cosine: float) -> float:
    """Within [-1, 1], which rounding may leave; NaN stays."""
    return min(1.0, max(-1.0, cosine)) if not math.isnan(cosine) else cosine
