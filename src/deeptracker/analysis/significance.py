"""How likely is it that chance alone gives as much, and how many of many such findings are false?

1. Of a population some are marked, and some are drawn without regard to that: the number of marked ones among those
   drawn is hypergeometric. Its upper tail is summed term by term, which is exact, where 1 - cdf would round to 0.
   Pairs that agree in all of these numbers need one sum: who asks for many brings each triple once.
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

    of_marked, of_drawn = marked.astype(np.int64), drawn.astype(np.int64)
    total = np.zeros(len(hits))
    most = np.minimum(of_marked, of_drawn)
    # No fewer can be marked than are drawn beyond all that are not.
    at = np.maximum(hits, of_drawn - (population - of_marked))
    open_ = np.flatnonzero(at <= most)
    while len(open_):
        k, m, n = at[open_], of_marked[open_], of_drawn[open_]
        total[open_] += np.exp(choose(m, k) + choose(population - m, n - k) - choose(population, n))
        at[open_] += 1
        open_ = open_[at[open_] <= most[open_]]
    return np.minimum(total, 1.0)


def false_discovery_rates(p: Doubles, tests: int, counts: NDArray[np.integer] | None = None) -> Doubles:
    """float64 (n,): the q value of each p of so many tests, of which the others have p = 1 (Benjamini and Hochberg).

    `counts`, int (n,), says how many tests have each p; one, if not given.

    >>> false_discovery_rates(np.array([0.01, 0.04, 0.03]), 4).round(4).tolist()
    [0.04, 0.0533, 0.0533]
    >>> false_discovery_rates(np.array([0.01, 0.03]), 4, np.array([1, 2])).round(4).tolist()
    [0.04, 0.04]
    """
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, len(p) + 1) if counts is None else np.cumsum(counts[order])
    raw = p[order] * tests / rank
    found = np.empty(len(p))
    found[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return found
