"""The largest values of all layers, their counts and ranks, agree with sorting each dump by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis.ranking import leading, most_moved, ranks, top_counts, top_filters

cell = st.sampled_from([0.0, -0.0, 1.0, 2.0, -3.0, np.nan, np.inf, -np.inf]) | st.floats(width=32)


@st.composite
def tables(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """float32 (dumps, filters) and the offsets of some layers."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    dumps, count = draw(st.integers(0, 4)), sum(sizes)
    rows = draw(st.lists(st.lists(cell, min_size=count, max_size=count), min_size=dumps, max_size=dumps))
    return np.array(rows, np.float32).reshape(dumps, count), np.cumsum([0, *sizes])[:-1]


def literal_top(row: NDArray[np.float32], k: int) -> list[int]:
    known = [i for i, value in enumerate(row) if not np.isnan(value)]
    return sorted(known, key=lambda i: (-row[i], i))[:k]


@given(tables(), st.integers(1, 25))
def test_the_largest_are_those_of_a_sorted_list(table: tuple[NDArray[np.float32], NDArray[np.int64]], k: int) -> None:
    values, offsets = table
    every = leading(values, k)
    counts, moved = top_counts(every, offsets), most_moved(every)
    assert counts.shape == (len(values), len(offsets))
    assert counts.dtype == np.int32
    for dump, row in enumerate(values):
        expected = literal_top(row, k)
        found = top_filters(leading(row[None], k), offsets)
        assert (offsets[found.layer] + found.filter).tolist() == expected
        np.testing.assert_array_equal(found.value, row[expected])
        assert (found.layer.dtype, found.filter.dtype, found.value.dtype) == (np.int32, np.int32, np.float32)
        np.testing.assert_array_equal(counts[dump], np.bincount(found.layer, minlength=len(offsets)))
        assert [filter for filter in moved[dump] if filter >= 0] == sorted(i for i in expected if row[i] > 0)


@given(tables(), st.data())
def test_a_rank_counts_those_that_are_larger(
    table: tuple[NDArray[np.float32], NDArray[np.int64]], data: st.DataObject
) -> None:
    values, _ = table
    chosen = data.draw(st.integers(0, values.shape[1] - 1))
    found = ranks(values, chosen)
    assert found.dtype == np.int32
    for rank, row in zip(found, values, strict=True):
        assert rank == (0 if np.isnan(row[chosen]) else 1 + sum(value > row[chosen] for value in row))


def test_of_equal_values_the_first_filters_count() -> None:
    every = leading(np.array([[1, 5, 1, 1]], np.float32), 3)
    found = top_filters(every, np.array([0, 2]))
    assert (found.layer.tolist(), found.filter.tolist()) == ([0, 0, 1], [1, 0, 0])
    assert top_counts(every, np.array([0, 2])).tolist() == [[2, 1]]


@pytest.mark.parametrize("k", [0, -1])
def test_fewer_than_one_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be >= 1. Got {k}"):
        leading(np.zeros((1, 3), np.float32), k)
