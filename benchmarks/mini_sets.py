"""How long does it take to divide anomaly filters into mini-sets, beside the paper's Algorithm 1 word for word?

1. The anomaly filters are those of a run: the 100 most changed at each anomaly iteration, by layer, as the Correlation
   view asks for them. The algorithm is the one that the tests hold ours against (tests/analysis/test_partition.py).
2. Both divide every layer's filters; the sets are compared.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from timing import OUR_REPEATS, THEIR_REPEATS, Row, timed

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deeptracker.analysis.partition import mini_sets, partition
from deeptracker.run import open_run
from tests.analysis.test_partition import algorithm_1

WINDOW, TOP = 10, 100


def partition_rows(place: Path, threshold: float) -> Iterator[Row]:
    """All mini-sets of a run: from arrays, as the page's question does it, and from sets."""
    run = open_run(place)
    dumps = run.correlation(WINDOW, threshold).dumps
    offsets = np.array([layer.offset for layer in run.network().layers])
    tops = [run.top_filters(int(iteration), TOP) for iteration in run.iterations[dumps]]
    moved = np.stack([offsets[top.layer] + top.filter for top in tops])
    known, element = np.unique(moved, return_inverse=True)
    layer = np.searchsorted(offsets, known, side="right") - 1
    at = np.repeat(np.arange(len(dumps)), TOP)
    families = [
        [set(found.tolist()) for row in moved if len(found := np.intersect1d(row, known[layer == number]))]
        for number in np.unique(layer)
    ]
    ours, number = timed(lambda: partition(element.ravel(), at, layer), OUR_REPEATS)
    from_sets, found = timed(lambda: [mini_sets(family) for family in families], OUR_REPEATS)
    literal, expected = timed(lambda: [algorithm_1(family) for family in families], THEIR_REPEATS)
    divided = [set(map(frozenset, sets)) for sets in expected]
    members = (known[number == one] for one in range(number.max() + 1))
    assert set(map(frozenset, (filters.tolist() for filters in members))) == set().union(*divided)
    assert [set(map(frozenset, sets)) for sets in found] == divided
    sizes = f"{len(known):,} filters, {len(families)} layers, {len(dumps)} iterations: {number.max() + 1:,} mini-sets"
    yield Row(sizes, ours, literal, "equal")
    yield Row("  the same from sets, mini_sets()", from_sets, literal, "equal")
