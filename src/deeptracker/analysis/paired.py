"""What did a change to a model do to its error, sample by sample, and is that more than other such changes do?

1. The same samples are judged before and after, so only those count that were right once and wrong once: `spoiled`
   (right before only) and `mended` (right after only). The error changes by (spoiled - mended) / samples.
2. Its interval is that of a difference of paired proportions by Bonett and Price (J. Educ. Behav. Stat. 37, 2012): one
   is added to both counts and two to the samples, then as for a normal distribution. It is close to its level with few
   samples too, and no point where nothing changed.
3. If the change were chance, a sample that differs would be spoiled or mended with probability 1/2 each: the exact
   McNemar test (McNemar, Psychometrika 12, 1947), two-sided.
4. Among random changes of the same size, one's own counts as well, so a p-value is never 0 (Phipson and Smyth, Stat.
   Appl. Genet. Mol. Biol. 9, 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Change:
    """How the error of `samples` changed: `before`, `after` and `change` are shares, `low` to `high` its interval."""

    samples: int
    spoiled: int
    mended: int
    before: float
    after: float
    change: float
    low: float
    high: float


def change_of(was_right: NDArray[np.bool_], is_right: NDArray[np.bool_], level: float = LEVEL) -> Change:
    """The change from `was_right` to `is_right`, bool (samples,) each; ValueError unless there are as many, and any.

    >>> found = change_of(np.array([True] * 9 + [False]), np.array([True] * 6 + [False] * 3 + [True]))
    >>> found.spoiled, found.mended, round(found.change, 3), round(found.low, 3), round(found.high, 3)
    (3, 1, 0.2, -0.222, 0.555)
    """
    n = len(was_right)
    if was_right.shape != is_right.shape or not n:
        raise ValueError(f"there must be samples, as many before as after. Got {n} and {len(is_right)}.")
    spoiled = int(np.count_nonzero(was_right & ~is_right))
    mended = int(np.count_nonzero(~was_right & is_right))
    before, after = (1 - np.count_nonzero(right) / n for right in (was_right, is_right))
    low, high = paired_interval(spoiled, mended, n, level)
    return Change(n, spoiled, mended, float(before), float(after), (spoiled - mended) / n, low, high)


def paired_interval(spoiled: int, mended: int, samples: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of (spoiled - mended) / samples by Bonett and Price, within -1..1."""
    up, down = (spoiled + 1) / (samples + 2), (mended + 1) / (samples + 2)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt((up + down - (up - down) ** 2) / (samples + 2))
    return max(-1.0, float(up - down - half)), min(1.0, float(up - down + half))


def mcnemar(spoiled: int, mended: int) -> float:
    """How probable so uneven a number of spoiled and mended samples is, if both were equally likely; 1 without any."""
    differing = spoiled + mended
    return float(stats.binomtest(spoiled, differing).pvalue) if differing else 1.0


def rank_p(own: float, others: Sequence[float], expected: Literal["more", "less"]) -> float:
    """Share of all values, one's own among them, that are at least (`more`) or at most (`less`) one's own.

    >>> rank_p(0.1, [0.0, 0.05, 0.1, 0.2], "more")
    0.6
    """
    values, tolerance = np.array(others, float), 1e-12
    reached = values >= own - tolerance if expected == "more" else values <= own + tolerance
    return float((1 + np.count_nonzero(reached)) / (1 + len(values)))


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """The interval of the mean of independent values, by Student's t; a point where all are equal or there is one."""
    found = np.array(values, float)
    if len(found) < 2 or not found.std():
        return float(found.mean()), float(found.mean())
    half = stats.t.ppf((1 + level) / 2, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
    return float(found.mean() - half), float(found.mean() + half)
