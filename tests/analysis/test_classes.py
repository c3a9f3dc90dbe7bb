"""Flips of a class are counted between the dumps that have predictions."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.analysis.classes import flips_each_way


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=5), st.sets(st.integers(0, 5)))
def test_each_sample_is_compared_with_the_recorded_dump_before(rows: list[list[bool]], recorded: set[int]) -> None:
    expected = np.zeros((2, 6), int)
    dumps = sorted(recorded)
    for before, dump in pairwise(dumps):
        for row in rows:
            if row[before] != row[dump]:
                expected[int(row[dump]), dump] += 1
    found = flips_each_way(np.array(rows), np.array(dumps, np.intp))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)
