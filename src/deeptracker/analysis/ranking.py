"""Which filters have the largest values of a measure, over all layers? (paper, 6: Iter-Filter index; 7.3)

1. Of equal values the one of the lower filter counts first, so that there are always exactly k.
2. NaN never counts: neither among the largest, nor as larger than another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TopFilters:
    """Filters with the largest value of a measure at one iteration, largest first; every array is (k,).

    `layer` int32 and `filter` int32 (within its layer) say which, `value` float32 what.
    """

    layer: NDArray[np.int32]
    filter: NDArray[np.int32]
    value: Floats


def top_filters(values: Floats, k: int, offsets: NDArray[np.int64]) -> TopFilters:
    """The k largest of float32 (filters,), fewer where fewer are known; `offsets` (layers,) is each layer's first.

    >>> found = top_filters(np.array([2, np.nan, 7, 2], np.float32), 2, np.array([0, 3]))
    >>> found.layer.tolist(), found.filter.tolist(), found.value.tolist()
    ([0, 0], [2, 0], [7.0, 2.0])
    """
    chosen = _largest(values, k)
    chosen = chosen[np.argsort(-values[chosen], kind="stable")]
    layer = np.searchsorted(offsets, chosen, side="right") - 1
    return TopFilters(layer.astype(np.int32), (chosen - offsets[layer]).astype(np.int32), values[chosen])


def top_counts(values: Floats, k: int, offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """int32 (dumps, layers): how many of each dump's k largest of float32 (dumps, filters) are in each layer.

    >>> top_counts(np.array([[2, 9, 7, 2], [1, 2, 3, np.nan]], np.float32), 2, np.array([0, 1, 3])).tolist()
    [[0, 2, 0], [0, 2, 0]]
    """
    counts = np.zeros((len(values), len(offsets)), np.int32)
    for dump, row in enumerate(values):
        layer = np.searchsorted(offsets, _largest(row, k), side="right") - 1
        counts[dump] = np.bincount(layer, minlength=len(offsets))
    return counts


def most_moved(values: Floats, k: int) -> NDArray[np.int32]:
    """int32 (dumps, k): the k largest above 0 of float32 (dumps, filters), ascending by filter, then -1 if fewer.

    What has not moved at all is never among those that moved the most.

    >>> most_moved(np.array([[2, 9, 7, 2], [0, 0, 3, np.nan]], np.float32), 2).tolist()
    [[1, 2], [2, -1]]
    """
    found = np.full((len(values), k), -1, np.int32)
    for dump, row in enumerate(values):
        chosen = _largest(row, k)
        chosen = chosen[row[chosen] > 0]
        found[dump, : len(chosen)] = chosen
    return found


def ranks(values: Floats, filter: int) -> NDArray[np.int32]:
    """int32 (dumps,): 1 + how many of float32 (dumps, filters) are larger than this filter's; 0 where that has none."""
    own = values[:, filter, None]
    larger = np.count_nonzero(values > own, axis=1)
    return np.where(np.isnan(own[:, 0]), 0, 1 + larger).astype(np.int32)


def _largest(values: Floats, k: int) -> NDArray[np.intp]:
    """The k largest of float32 (filters,), ascending by filter; ValueError for k < 1."""
    if k < 1:
        raise ValueError(f"k must be >= 1. Got {k}.")
    if k >= len(values):
        return np.flatnonzero(~np.isnan(values))
    descending = -values
    last = np.partition(descending, k - 1)[k - 1]  # NaN counts as the largest here, so it comes last
    if np.isnan(last):
        return np.flatnonzero(~np.isnan(values))
    beyond = np.flatnonzero(descending < last)
    equal = np.flatnonzero(descending == last)[: k - len(beyond)]
    return np.sort(np.concatenate([beyond, equal]))
