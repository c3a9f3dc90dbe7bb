"""How are values of arrays counted into the bins of histograms, and what of the counts goes to disk?

1. The bin of a value is the top 14 bits of its float32; `histograms.py` says why, and counts tensors where they are.
2. Only bins that hold anything are kept. Bin 0 takes both zeros; NaN and infinities are not counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.schema import HISTOGRAM_BINS, HISTOGRAM_DROPPED_BITS

_NEGATIVE = HISTOGRAM_BINS // 2
_NOT_FINITE = slice(255 << 5, 256 << 5)  # the exponent of NaN and infinities, below the sign


def count_array(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    """int64 (HISTOGRAM_BINS,): how many values have each bit pattern. What is not finite is still among them."""
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    return np.bincount(bits >> HISTOGRAM_DROPPED_BITS, minlength=HISTOGRAM_BINS).astype(np.int64)


def filled_bins(counts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
    """Numbers of the filled bins, ascending, and their counts: what goes to disk."""
    halves = counts.reshape(2, _NEGATIVE).copy()
    halves[:, _NOT_FINITE] = 0
    halves[0, 0] += halves[1, 0]
    halves[1, 0] = 0
    finite = halves.reshape(HISTOGRAM_BINS)
    filled = np.flatnonzero(finite)
    return filled.astype(np.uint16), finite[filled].astype(np.uint32)
