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
_EXPONENT = 255 << 5
"""Below the sign: of NaN and infinities all of these bits are set."""

Counts = npt.NDArray[np.int64] | npt.NDArray[np.uint32]
"""(HISTOGRAM_BINS,)."""


def count_array(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    """int64 (HISTOGRAM_BINS,): how many values have each bit pattern. What is not finite is still among them."""
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    return np.bincount(bits >> HISTOGRAM_DROPPED_BITS, minlength=HISTOGRAM_BINS).astype(np.int64)


def filled_bins(counts: Counts) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
    """Numbers of the filled bins, ascending, and their counts: what goes to disk."""
    filled = np.flatnonzero(counts != 0)
    # Few bins are filled: all else is done with these.
    zeros = int(counts[0]) + int(counts[_NEGATIVE])
    filled = filled[(filled & _EXPONENT != _EXPONENT) & (filled & (_NEGATIVE - 1) != 0)]
    bins, many = filled.astype(np.uint16), counts[filled].astype(np.uint32)
    if zeros:
        return np.insert(bins, 0, 0), np.insert(many, 0, zeros)
    return bins, many
