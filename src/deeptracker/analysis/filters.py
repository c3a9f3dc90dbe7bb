"""What can be said of the filters of a layer from one measure over all dumps?

1. Values are made comparable by dividing them by the largest finite magnitude of their filter, of their iteration, or
   of all; one infinite value so does not flatten the others.
2. The filters of a layer stand in similarity order (clusters.py, of rows divided by their filter's largest) or by
   activity, the mean magnitude. Dumps at which no filter is known have no influence.
3. Filters of anything are summed up at each dump by five numbers: extremes, quartiles and median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.clusters import Ordering, similarity_order

Floats = NDArray[np.float32]
Normalisation = Literal["filter", "iteration", "global"]
FilterOrder = Literal["similarity", "activity"]

FIVE_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_AXES: dict[str, int | None] = {"filter": 1, "iteration": 0, "global": None}


@dataclass(frozen=True, slots=True, eq=False)
class Normalised:
    """`values` float32 (filters, dumps), divided by `sizes` float32: (filters, 1), (1, dumps) or (1, 1)."""

    values: Floats
    sizes: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """`values` float32 (5, dumps): smallest, first quartile, median, third quartile and largest at each dump.

    `of` says what of: `filters` (their values of a measure), `weights` or `gradients`.
    """

    of: Literal["filters", "weights", "gradients"]
    values: Floats


def normalised(values: Floats, by: Normalisation | None) -> Normalised:
    """Divide float32 (filters, dumps) by the largest finite magnitude of each filter, of each iteration, or of all.

    None divides by 1; where all is 0 the result is 0; NaN and infinities stay. Raises ValueError for another `by`.

    >>> normalised(np.array([[1, -2], [0, 0]], np.float32), "filter").values.tolist()
    [[0.5, -1.0], [0.0, 0.0]]
    """
    if by is None:
        return Normalised(values, np.ones((1, 1), np.float32))
    if by not in _AXES:
        raise ValueError(f"normalise must be None, 'filter', 'iteration' or 'global'. Got {by!r}.")
    magnitudes = np.abs(values)
    magnitudes[~np.isfinite(magnitudes)] = 0
    sizes: Floats = magnitudes.max(axis=_AXES[by], keepdims=True, initial=0)
    divisors = np.where(sizes > 0, sizes, np.float32(1))
    return Normalised(np.divide(values, divisors, dtype=np.float32), sizes)


def never_changing(change: Floats) -> NDArray[np.int32]:
    """int32 (n,), ascending: filters whose `change`, float32 (filters, dumps), is 0 wherever it is known, and known."""
    known = ~np.isnan(change)
    moved = known & (change != 0)
    return np.flatnonzero(known.any(axis=1) & ~moved.any(axis=1)).astype(np.int32)


def filter_order(values: Floats, by: FilterOrder) -> Ordering:
    """The rows of float32 (filters, dumps) in an order for drawing; ValueError for another `by`.

    `similarity` puts like rows next to each other; `activity` sorts by the mean magnitude over the dumps where it is
    known, the largest first. Rows that are never known come last.

    >>> filter_order(np.array([[1, 1], [np.nan, np.nan], [-3, 3]], np.float32), "activity")
    Ordering(order=array([2, 0, 1], dtype=int32), method='mean magnitude over the dumps, the largest first')
    """
    if by == "activity":
        magnitudes = np.abs(values, dtype=np.float64)
        known = ~np.isnan(magnitudes)
        count = known.sum(axis=1)
        mean = np.divide(magnitudes.sum(axis=1, where=known), count, out=np.full(len(values), -1.0), where=count > 0)
        order = np.argsort(-mean, kind="stable").astype(np.int32)
        return Ordering(order, "mean magnitude over the dumps, the largest first")
    if by != "similarity":
        raise ValueError(f"by must be 'similarity' or 'activity'. Got {by!r}.")
    recorded = values[:, ~np.isnan(values).all(axis=0)] if len(values) else values
    # Infinities as the largest magnitude: a distance has to be a number.
    return similarity_order(np.clip(normalised(recorded, "filter").values, -1, 1))


def five_numbers(values: Floats, filters: Sequence[slice]) -> Floats:
    """float32 (dumps, 5): smallest value, quartiles, median and largest of some filters of float32 (dumps, filters).

    NaN is passed over, and is the result where nothing is left. Quartiles lie between values as numpy's do (linear).

    >>> five_numbers(np.array([[5, 1, np.nan, 7, 3, 9]], np.float32), [slice(0, 3), slice(4, 5)]).tolist()
    [[1.0, 2.0, 3.0, 4.0, 5.0]]
    """
    if not filters:
        return np.full((len(values), 5), np.nan, np.float32)
    ascending = np.concatenate([values[:, one] for one in filters], axis=1)
    ascending.sort(axis=1)  # NaN last
    known = ascending.shape[1] - np.isnan(ascending).sum(axis=1)
    return _shares_of_sorted(ascending, known).astype(np.float32)


def _shares_of_sorted(ascending: Floats, known: NDArray[np.intp]) -> NDArray[np.float64]:
    """float64 (rows, 5) from rows whose first `known` values ascend; NaN where none is known."""
    place = np.maximum(known - 1, 0)[:, None] * np.array(FIVE_SHARES)
    below = np.floor(place).astype(np.intp)
    low = np.take_along_axis(ascending, below, axis=1).astype(np.float64)
    high = np.take_along_axis(ascending, np.ceil(place).astype(np.intp), axis=1).astype(np.float64)
    with np.errstate(invalid="ignore"):  # between infinities of both signs there is no number
        between = low + (place - below) * (high - low)
    return np.where(low == high, low, between)
