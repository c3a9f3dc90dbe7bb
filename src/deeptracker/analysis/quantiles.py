"""What are the median and quartiles of all weights (or gradients) of a layer, block, module or network?

1. They come from histograms, whose counts add up: bins are the same for all layers (docs/format.md).
2. For all groups of layers at once: the bins that any layer fills are put in the order of their values, and counts are
   summed along them and down the layers. The sums of a group are differences of these, one for each piece of
   neighbouring layers in it, and each quantile is the first bin up to which there is its share.
3. Counts are whole numbers below 2^53, exact in float64 in whatever order they are added.
4. A bin's middle is within 1/64 of every value in it, so a quantile is within 1/64 (1.6 %) of the value that it stands
   for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from deeptracker.schema import HISTOGRAM_BINS, HISTOGRAM_DROPPED_BITS, QUANTILES

Histogram = tuple[Sequence[NDArray[np.uint16]], Sequence[NDArray[np.uint32]]]
"""Sparse histograms of all layers: for each the numbers of its filled bins, and their counts."""

Piece = tuple[int, int]
"""The first of some neighbouring layers, and the one after the last."""

FIVE_OF_WEIGHTS = ("min", "weight_q1", "weight_median", "weight_q3", "max")
FIVE_OF_GRADIENTS = ("grad_min", "grad_q1", "grad_median", "grad_q3", "grad_max")
"""The measures of a layer, or of what lies above it, that are the extremes, quartiles and median of its numbers."""

_NEGATIVE = HISTOGRAM_BINS // 2
_BY_VALUE = np.concatenate([np.arange(HISTOGRAM_BINS - 1, _NEGATIVE - 1, -1), np.arange(_NEGATIVE)])
"""All bins, from that of the most negative values to that of the largest."""


def quantiles(
    histograms: Iterable[Histogram | None], groups: Sequence[Sequence[int]], shares: Sequence[float]
) -> NDArray[np.float32]:
    """float32 (dumps, groups, shares): the smallest value that at least this share of all values does not exceed.

    That is numpy's `inverted_cdf`, taken from sparse histograms of all layers at each dump; None gives NaN. A group is
    some indexes of layers. Within 1/64 of the true one, down to 2^-126; of no values NaN. Raises ValueError for a share
    outside 0..1.

    >>> bins, counts = [np.uint16([4064]), np.uint16([4064, 4096])], [np.uint32([2]), np.uint32([1, 1])]
    >>> quantiles([(bins, counts)], [[0, 1], [1], []], [0.5, 1]).tolist()
    [[[1.015625, 2.03125], [1.015625, 2.03125], [nan, nan]]]
    """
    if any(not 0 <= share <= 1 for share in shares):
        raise ValueError(f"a share must be in 0..1. Got {list(shares)}.")
    pieces = [_pieces(set(group)) for group in groups]
    unknown = np.full((len(groups), len(shares)), np.nan, np.float32)
    rooms = _Room(), _Room()
    found = [unknown if one is None else _of_one_dump(*one, pieces, np.asarray(shares), rooms) for one in histograms]
    return np.array(found, np.float32).reshape(len(found), *unknown.shape)


class _Room:
    """Memory for a table that is made for each dump: to ask the system for it again takes longer than to fill it."""

    def __init__(self) -> None:
        self._held = np.empty(0)

    def zeros(self, rows: int, columns: int) -> NDArray[np.float64]:
        """float64 (rows, columns), until it is asked for again."""
        if rows * columns > len(self._held):
            self._held = np.empty(rows * columns * 5 // 4)
        table = self._held[: rows * columns].reshape(rows, columns)
        table[:] = 0
        return table


def _of_one_dump(
    bins: Sequence[NDArray[np.uint16]],
    counts: Sequence[NDArray[np.uint32]],
    groups: Sequence[Sequence[Piece]],
    shares: NDArray[np.float64],
    rooms: tuple[_Room, _Room],
) -> NDArray[np.float64]:
    numbers = np.concatenate([np.zeros(0, np.uint16), *bins])
    if not len(numbers):
        return np.full((len(groups), len(shares)), np.nan)
    by_value, column = _columns(numbers)
    row = np.repeat(np.arange(1, len(bins) + 1), [len(one) for one in bins])
    upto = rooms[0].zeros(len(bins) + 1, len(by_value))
    upto[row, column] = np.concatenate(counts)  # a layer names a bin once
    np.cumsum(upto, axis=1, out=upto)
    for layer in range(1, len(upto)):  # five times as fast as cumsum(axis=0)
        upto[layer] += upto[layer - 1]
    of_groups = rooms[1].zeros(len(groups), len(by_value))
    for sums, pieces in zip(of_groups, groups, strict=True):
        for first, end in pieces:
            sums += upto[end] - upto[first]
    ranks = np.maximum(np.ceil(of_groups[:, -1:] * shares), 1)
    places = [sums.searchsorted(wanted) for sums, wanted in zip(of_groups, ranks, strict=True)]
    middles = np.append(_middles(by_value), np.nan)  # the last for groups without any value: nothing reaches their rank
    return middles[np.array(places, np.intp).reshape(ranks.shape)]


def _pieces(group: set[int]) -> list[Piece]:
    """The runs of neighbouring layers in a group.

    >>> _pieces({5, 2, 3})
    [(2, 4), (5, 6)]
    """
    starts = sorted(layer for layer in group if layer - 1 not in group)
    ends = sorted(layer + 1 for layer in group if layer + 1 not in group)
    return list(zip(starts, ends, strict=True))


def same_histogram(measure: str) -> tuple[str, ...]:
    """Those of QUANTILES that come from the histogram from which this one does: of weights, or of gradients."""
    return tuple(name for name in QUANTILES if name.startswith("grad_") == measure.startswith("grad_"))


def within_extremes(five: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (5, n), smallest to largest, with what lies beyond the extremes put on them.

    Extremes are exact and quantiles within 1/64: where all values are nearly one, a quartile may come to lie outside.

    >>> within_extremes(np.array([[2.0], [1.97], [2.02], [2.02], [2.01]], np.float32)).ravel().round(2).tolist()
    [2.0, 2.0, 2.009999990463257, 2.009999990463257, 2.009999990463257]
    """
    upto = np.where(five > five[4], five[4], five)
    return np.where(upto < upto[0], upto[0], upto)


def _columns(numbers: NDArray[np.uint16]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The different bins in the order of their values, from the most negative, and where each given one is there."""
    is_filled = np.zeros(HISTOGRAM_BINS, bool)
    is_filled[numbers] = True
    by_value = _BY_VALUE[is_filled[_BY_VALUE]]
    place = np.zeros(HISTOGRAM_BINS, np.intp)
    place[by_value] = np.arange(len(by_value))
    return by_value, place[numbers]


def _middles(bins: NDArray[np.intp]) -> NDArray[np.float64]:
    """What each bin stands for: the number whose dropped bits are half of what they can be, and 0 for bin 0."""
    bits = (bins.astype(np.uint32) << HISTOGRAM_DROPPED_BITS) | np.uint32(1 << (HISTOGRAM_DROPPED_BITS - 1))
    return np.where(bins % _NEGATIVE == 0, 0.0, bits.view(np.float32))
