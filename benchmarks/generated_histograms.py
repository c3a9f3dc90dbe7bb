"""What would the histograms of a layer's weights and gradients be, if these followed a known distribution?

1. Weights are normal and gradients Laplacian, cut off at their extremes, with the mean and deviation of the layer.
2. Bins are those of docs/format.md. Expected counts are rounded cumulatively, so that they add up to the number of
   weights exactly, and to each count the next is near.
3. All layers are done at once: the edges of bins are the same for all, up to the power of two of the deviation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from deeptracker.schema import HISTOGRAM_BINS, HISTOGRAM_DROPPED_BITS

Doubles = npt.NDArray[np.float64]
Bins = list[npt.NDArray[np.uint16]]
Counts = list[npt.NDArray[np.uint32]]

_BINS_PER_OCTAVE = 32
_LOWEST, _HIGHEST = -14, 4
"""Powers of two around the deviation that are told apart; what is nearer to zero is counted in the lowest bins."""

_BIAS = 127
_EDGES = np.concatenate(
    [2.0**power * (1 + np.arange(_BINS_PER_OCTAVE) / _BINS_PER_OCTAVE) for power in range(_LOWEST, _HIGHEST)]
)


@dataclass(frozen=True, slots=True)
class Spread:
    """Of each layer, (layers,): mean, deviation, smallest and largest value, and how many there are."""

    mean: Doubles
    sd: Doubles
    min: Doubles
    max: Doubles
    count: npt.NDArray[np.int64]


def normal(spread: Spread) -> tuple[Bins, Counts]:
    """Histograms of normal values, one a layer: numbers of the filled bins and their counts."""
    return _histograms(spread, ndtr)


def laplacian(spread: Spread) -> tuple[Bins, Counts]:
    """The same of values that are Laplacian: most of them near the mean, a few far away."""
    return _histograms(spread, _laplace)


def counted(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
    """The histogram of values that are known; all must be finite."""
    bins = (values.ravel().view(np.uint32) >> HISTOGRAM_DROPPED_BITS) & (HISTOGRAM_BINS - 1)
    filled, counts = np.unique(np.where(bins == HISTOGRAM_BINS // 2, 0, bins), return_counts=True)
    return filled.astype(np.uint16), counts.astype(np.uint32)


def _histograms(spread: Spread, cumulative: Callable[[Doubles], Doubles]) -> tuple[Bins, Counts]:
    octave = np.floor(np.log2(spread.sd)).astype(np.int64)
    edges = np.ldexp(1.0, octave)[:, None] * np.concatenate([-_EDGES[::-1], _EDGES[1:]])
    upto = cumulative((edges - spread.mean[:, None]) / spread.sd[:, None])
    upto[edges <= spread.min[:, None]] = 0
    upto[edges >= spread.max[:, None]] = 1
    upto[:, 0], upto[:, -1] = 0, 1
    counts = np.diff(np.rint(upto * spread.count[:, None]).astype(np.int64), axis=1)
    # Negative bins from the largest magnitude down, and positive ones upwards; both begin at the lowest edge.
    positive = (_BIAS + _LOWEST + octave)[:, None] * _BINS_PER_OCTAVE + np.arange(len(_EDGES) - 1)
    bins = np.concatenate([HISTOGRAM_BINS // 2 + positive[:, ::-1], positive], axis=1)
    ascending = np.concatenate([np.arange(len(_EDGES) - 1, bins.shape[1]), np.arange(len(_EDGES) - 2, -1, -1)])
    bins, counts = bins[:, ascending].astype(np.uint16), counts[:, ascending].astype(np.uint32)
    filled = counts > 0
    ends = np.cumsum(filled.sum(axis=1))[:-1]
    return np.split(bins[filled], ends), np.split(counts[filled], ends)


def _laplace(x: Doubles) -> Doubles:
    tail = np.exp(-np.sqrt(2) * np.abs(x)) / 2
    return np.where(x < 0, tail, 1 - tail)
