"""What does a measure of filters say of a whole layer, block, module or network? (paper, 6: Layer-Stat index)

1. sum, l1, nonfinite add up; min, max, grad_max are extremes; l2 and grad_l2 are root sums of squares.
2. mean and grad_mean are weighted by the number of weights, never a mean of means; sd and grad_sd follow from the
   filters' second moments, so pooling filters equals computing from all weights at once.
3. cosine, change and update_ratio have no pooled form in their own terms: the mean over filters where they are defined.
4. Quantiles come from histograms, whose counts add up: bins are the same for all layers (docs/format.md), and a bin's
   middle is within 1/64 of every value in it, so a quantile is within 1/64 (1.6 %) of the value that it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deeptracker.schema import HISTOGRAM_BINS, HISTOGRAM_DROPPED_BITS

Normalisation = Literal["filter", "iteration", "global"]
Measures = Mapping[str, NDArray[np.float32]]

_NEGATIVE = HISTOGRAM_BINS // 2
_MEAN_OF = {"sd": "mean", "grad_sd": "grad_mean"}


def needed_measures(measure: str) -> tuple[str, ...]:
    """Which measures of the filters `pool` needs for one pooled measure."""
    return (measure, _MEAN_OF[measure]) if measure in _MEAN_OF else (measure,)


@np.errstate(invalid="ignore")  # infinities of both signs, in training that diverges, give NaN
def pool(measure: str, filters: Measures, weights: NDArray[np.int64]) -> float:
    """One measure of all filters together: float32 (filters,) each, `weights` (filters,) the weights of each filter.

    NaN where a filter that counts has NaN (the ratios of rule 3 pass it over, NaN if all are).

    >>> pool("mean", {"mean": np.array([1, 4], np.float32)}, np.array([3, 1]))
    1.75
    """
    values = filters[measure].astype(np.float64)
    share = weights / weights.sum()
    if measure in ("sum", "l1", "nonfinite"):
        return float(values.sum())
    if measure in ("l2", "grad_l2"):
        return float(np.sqrt(np.square(values).sum()))
    if measure == "min":
        return float(values.min())
    if measure in ("max", "grad_max"):
        return float(values.max())
    if measure in ("mean", "grad_mean"):
        return float((share * values).sum())
    if measure in _MEAN_OF:
        means = filters[_MEAN_OF[measure]].astype(np.float64)
        mean = (share * means).sum()
        return float(np.sqrt((share * (np.square(values) + np.square(means - mean))).sum()))
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def normalised(values: NDArray[np.float32], by: Normalisation | None) -> NDArray[np.float32]:
    """Divide float32 (filters, dumps) by the largest finite magnitude of each filter, of each iteration, or of all.

    None changes nothing; where all is 0 the result is 0; NaN and infinities stay. Raises ValueError for another `by`.

    >>> normalised(np.array([[1, -2], [0, 0]], np.float32), "filter").tolist()
    [[0.5, -1.0], [0.0, 0.0]]
    """
    if by is None:
        return values
    axes: dict[str, int | None] = {"filter": 1, "iteration": 0, "global": None}
    if by not in axes:
        raise ValueError(f"normalise must be None, 'filter', 'iteration' or 'global'. Got {by!r}.")
    finite = np.isfinite(values)
    size = np.max(np.abs(values), axis=axes[by], keepdims=True, initial=0, where=finite)
    scaled = np.divide(values, size, out=np.zeros_like(values), where=size > 0)
    return np.where(finite, scaled, values)


def merge(
    bins: Sequence[NDArray[np.uint16]], counts: Sequence[NDArray[np.uint32]]
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Sparse histograms of several layers as one: numbers of the filled bins, ascending, and their counts.

    >>> filled, counts = merge([np.uint16([3, 5]), np.uint16([5])], [np.uint32([1, 2]), np.uint32([4])])
    >>> filled.tolist(), counts.tolist()
    ([3, 5], [1, 6])
    """
    if not bins:
        return np.zeros(0, np.uint16), np.zeros(0, np.int64)
    filled, place = np.unique(np.concatenate(bins), return_inverse=True)
    total = np.zeros(len(filled), np.int64)
    np.add.at(total, place, np.concatenate(counts))
    return filled, total


def quantiles(
    bins: NDArray[np.uint16], counts: NDArray[np.integer[Any]], shares: Sequence[float]
) -> NDArray[np.float64]:
    """float64 (shares,): for each the smallest value that at least this share of all values does not exceed.

    That is numpy's `inverted_cdf`, taken from a sparse histogram: (n,) numbers of filled bins and their counts. Within
    1/64 of the true one, down to 2^-126; of no values NaN. Raises ValueError for a share outside 0..1.

    >>> quantiles(np.array([4064, 4096], np.uint16), np.array([3, 1]), [0, 0.5, 1]).tolist()
    [1.015625, 1.015625, 2.03125]
    """
    if any(not 0 <= share <= 1 for share in shares):
        raise ValueError(f"a share must be in 0..1. Got {list(shares)}.")
    by_value = np.argsort(np.where(bins < _NEGATIVE, bins.astype(np.int64), _NEGATIVE - bins.astype(np.int64)))
    upto = np.cumsum(counts[by_value], dtype=np.int64)
    if not len(upto) or not upto[-1]:
        return np.full(len(shares), np.nan)
    ranks = np.maximum(np.ceil(np.asarray(shares, np.float64) * upto[-1]), 1)
    return _middles(bins[by_value[np.searchsorted(upto, ranks)]])


def _middles(bins: NDArray[np.uint16]) -> NDArray[np.float64]:
    """What each bin stands for: the number whose dropped bits are half of what they can be, and 0 for bin 0."""
    bits = (bins.astype(np.uint32) << HISTOGRAM_DROPPED_BITS) | np.uint32(1 << (HISTOGRAM_DROPPED_BITS - 1))
    return np.where(bins % _NEGATIVE == 0, 0.0, bits.view(np.float32))
