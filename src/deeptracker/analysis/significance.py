"""How likely is it that chance alone gives as much, and how many of many such findings are false?

1. Of a population some are marked, and some are drawn without regard to that: the number of marked ones among those
   drawn is hypergeometric. Its upper tail is summed term by term, which is exact, where 1 - cdf would round to 0.
2. Of many tests at a level of 5 %, 5 % of those where nothing is would be reported. Benjamini and Hochberg (J. R. Stat.
   Soc. B 57, 1995, 289-300) bound the share of false ones among those reported instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Ints = NDArray[np.int32]
Doubles = NDArray[np.float64]


def hypergeometric_tail(population: int, marked: Ints, drawn: Ints, hits: Ints) -> Doubles:
    """float64 (n,): the probability that `drawn` of `population`, of which `marked` are marked, have `hits` or more.

    >>> hypergeometric_tail(10, np.array([4, 4]), np.array([3, 3]), np.array([3, 0])).round(6).tolist()
    [0.033333, 1.0]
    """
    logs = gammaln(np.arange(population + 1) + 1.0)

    def choose(n: NDArray[np.integer] | int, k: NDArray[np.integer]) -> Doubles:
        found: Doubles = logs[n] - logs[k] - logs[n - k]
        return found

    triples, back = np.unique(np.stack([marked, drawn, hits]), axis=1, return_inverse=True)
    of_marked, of_drawn, from_hits = triples.astype(np.int64)
    total = np.zeros(triples.shape[1])
    most = np.minimum(of_marked, of_drawn)
    # No fewer can be marked than are drawn beyond all that are not.
    at = np.maximum(from_hits, of_drawn - (population - of_marked))
    open_ = np.flatnonzero(at <= most)
    while len(open_):
        k, m, n = at[open_], of_marked[open_], of_drawn[open_]
        total[open_] += np.exp(choose(m, k) + choose(population - m, n - k) - choose(population, n))
        at[open_] += 1
        open_ = open_[at[open_] <= most[open_]]
    return np.minimum(total, 1.0)[back.ravel()]


def false_discovery_rates(p: Doubles, tests: int) -> Doubles:
    """float64 (n,): the q value of each p of so many tests, of which the others have p = 1 (Benjamini and Hochberg).

    >>> false_discovery_rates(np.array([0.01, 0.04, 0.03]), 4).round(4).tolist()
    [0.04, 0.0533, 0.0533]
    """
    order = np.argsort(p, kind="stable")
    raw = p[order] * tests / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    found[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return found
