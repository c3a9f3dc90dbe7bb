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


@dataclass(frozen=True, slots=True, eq=False)
class Leading:
    """Filters with the largest values of a measure, largest first, at each of some dumps; every array is (dumps, k).

    `filter` int32 is the number within the network, -1 where fewer are known; `value` float32, NaN there.
    """

    filter: NDArray[np.int32]
    value: Floats

    def first(self, k: int) -> Leading:
        """The first k of each dump."""
        return Leading(self.filter[:, :k], self.value[:, :k])


def leading(values: Floats, k: int) -> Leading:
    """The k largest of float32 (dumps, filters) at each dump; ValueError for k < 1.

    >>> found = leading(np.array([[2, np.nan, 7, 2], [np.nan, np.nan, np.nan, 1]], np.float32), 2)
    >>> found.filter.tolist(), found.value.tolist()
    ([[2, 0], [3, -1]], [[7.0, 2.0], [1.0, nan]])
    """
    if k < 1:
        raise ValueError(f"k must be >= 1. Got {k}.")
    found = Leading(np.full((len(values), k), -1, np.int32), np.full((len(values), k), np.nan, np.float32))
    for dump, row in enumerate(values):
        chosen = _largest(row, k)
        chosen = chosen[np.argsort(-row[chosen], kind="stable")]
        found.filter[dump, : len(chosen)] = chosen
        found.value[dump, : len(chosen)] = row[chosen]
    return found


def top_filters(leading: Leading, offsets: NDArray[np.int64]) -> TopFilters:
    """Those of one dump, fewer than k where fewer are known; `offsets` (layers,) is each layer's first filter.

    >>> found = top_filters(leading(np.array([[2, np.nan, 7, 2]], np.float32), 2), np.array([0, 3]))
    >>> found.layer.tolist(), found.filter.tolist(), found.value.tolist()
    ([0, 0], [2, 0], [7.0, 2.0])
    """
    (filter,), (value,) = leading.filter, leading.value
    chosen = filter[filter >= 0]
    layer = np.searchsorted(offsets, chosen, side="right") - 1
    return TopFilters(layer.astype(np.int32), (chosen - offsets[layer]).astype(np.int32), value[: len(chosen)].copy())


def top_counts(leading: Leading, offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """int32 (dumps, layers): how many of each dump's k largest are in each layer.

    >>> found = leading(np.array([[2, 9, 7, 2], [1, 2, 3, np.nan]], np.float32), 2)
    >>> top_counts(found, np.array([0, 1, 3])).tolist()
    [[0, 2, 0], [0, 2, 0]]
    """
    dumps, layers = len(leading.filter), len(offsets)
    dump, rank = np.nonzero(leading.filter >= 0)
    layer = np.searchsorted(offsets, leading.filter[dump, rank], side="right") - 1
    return np.bincount(dump * layers + layer, minlength=dumps * layers).reshape(dumps, layers).astype(np.int32)


def most_moved(leading: Leading) -> NDArray[np.int32]:
    """int32 (dumps, k): those above 0, ascending by filter, then -1 if fewer.

    What has not moved at all is never among those that moved the most.

    >>> most_moved(leading(np.array([[2, 9, 7, 2], [0, 0, 3, np.nan]], np.float32), 2)).tolist()
    [[1, 2], [2, -1]]
    """
    none = np.iinfo(np.int32).max
    ascending = np.sort(np.where(leading.value > 0, leading.filter, none), axis=1)
    return np.where(ascending == none, -1, ascending)


def ranks(values: Floats, filter: int) -> NDArray[np.int32]:
    """int32 (dumps,): 1 + how many of float32 (dumps, filters) are larger than this filter's; 0 where that has none."""
    own = values[:, filter, None]
    larger = np.count_nonzero(values > own, axis=1)
    return np.where(np.isnan(own[:, 0]), 0, 1 + larger).astype(np.int32)


def _largest(values: Floats, k: int) -> NDArray[np.intp]:
    """The k largest of float32 (filters,), ascending by filter."""
    if k >= len(values):
        return np.flatnonzero(~np.isnan(values))
    descending = -values
    last = np.partition(descending, k - 1)[k - 1]  # NaN counts as the largest here, so it comes last
    if np.isnan(last):
        return np.flatnonzero(~np.isnan(values))
    beyond = np.flatnonzero(descending < last)
    equal = np.flatnonzero(descending == last)[: k - len(beyond)]
    return np.sort(np.concatenate([beyond, equal]))
