"""How are weights and gradients counted into bins that every layer, run and device shares?

A bin is the top 14 bits of the float32: sign, 8 bits of exponent, 5 of mantissa. So

1. bins are logarithmic, 32 to each power of two, and linear within it: a bin is 1/32 of its lower edge wide at most,
   and its middle within 1/64 (1.6 %) of every value in it;
2. finding a bin is integer arithmetic on the bits: the same on every device, and counts of layers add up exactly;
3. bin 0 takes both zeros and what is nearer to zero than 2^-131; NaN and infinities are not counted.

docs/decisions/0002-histogram-bins-from-the-float-bits.md compares the choices.
"""

from __future__ import annotations

import torch

from deeptracker.record.bins import filled_bins as filled_bins
from deeptracker.schema import HISTOGRAM_BINS, HISTOGRAM_DROPPED_BITS


def count(values: torch.Tensor) -> torch.Tensor:
    """int64 (HISTOGRAM_BINS,): how many values have each bit pattern. What is not finite is still among them."""
    bins = bins_of(values).view(-1)
    if bins.device.type == "cpu":
        return torch.bincount(bins, minlength=HISTOGRAM_BINS)
    counts = torch.zeros(HISTOGRAM_BINS, dtype=torch.int64, device=bins.device)  # bincount would wait for the device
    return counts.scatter_add_(0, bins.long(), counts.new_ones(()).expand(len(bins)))


def bins_of(values: torch.Tensor) -> torch.Tensor:
    """int32, as many: the bin of each value."""
    bits = values.to(torch.float32).contiguous().view(torch.int32)
    return (bits >> HISTOGRAM_DROPPED_BITS).bitwise_and_(HISTOGRAM_BINS - 1)
