"""How are weights and gradients counted into bins that every layer, run and device shares?

A bin is the top 14 bits of the float32: sign, 8 bits of exponent, 5 of mantissa. So

1. bins are logarithmic, 32 to each power of two, and linear within it: a bin is 1/32 of its lower edge wide at most,
   and its middle within 1/64 (1.6 %) of every value in it;
2. finding a bin is integer arithmetic on the bits: the same on every device, and counts of layers add up exactly;
3. bin 0 takes both zeros and what is nearer to zero than 2^-131; NaN and infinities are not counted.

docs/decisions/0002-histogram-bins-from-the-float-bits.md compares the choices.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from deeptracker.schema import HISTOGRAM_BINS, HISTOGRAM_DROPPED_BITS

_NEGATIVE = HISTOGRAM_BINS // 2
_NOT_FINITE = slice(255 << 5, 256 << 5)  # the exponent of NaN and infinities, below the sign


def count(values: torch.Tensor) -> torch.Tensor:
    """int64 (HISTOGRAM_BINS,): how many values have each bit pattern. What is not finite is still among them."""
    bits = values.to(torch.float32).contiguous().view(torch.int32)
    bins = (bits >> HISTOGRAM_DROPPED_BITS).bitwise_and_(HISTOGRAM_BINS - 1)
    return torch.bincount(bins.view(-1), minlength=HISTOGRAM_BINS)


def filled_bins(counts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
    """Numbers of the filled bins, ascending, and their counts: what goes to disk."""
    halves = counts.reshape(2, _NEGATIVE).copy()
    halves[:, _NOT_FINITE] = 0
    halves[0, 0] += halves[1, 0]
    halves[1, 0] = 0
    finite = halves.reshape(HISTOGRAM_BINS)
    filled = np.flatnonzero(finite)
    return filled.astype(np.uint16), finite[filled].astype(np.uint32)
