"""Columns that stand for several dumps say what the literal loops over these dumps say, whatever is missing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some
from numpy.typing import NDArray

from deeptracker.analysis.filters import normalised
from deeptracker.analysis.levels import (
    LEVELS,
    Envelope,
    columns_for,
    derived_extremes,
    divided,
    extremes,
    extremes_over_time,
    furthest_from_0,
    level_for,
    means,
    reduced,
)
from deeptracker.store.index_layout import BLOCK, STORED_LEVELS

nan, inf = np.nan, np.inf
level = st.sampled_from(LEVELS)
numbers = st.floats(-100, 100, width=32) | st.sampled_from([nan, 0.0, -0.0, inf, -inf])
over_dumps = some.arrays(np.float32, st.tuples(st.integers(1, 140), st.integers(1, 3)), elements=numbers)


def literal(values: NDArray[np.float32], level: int) -> NDArray[np.float32]:
    """Mean, smallest and largest value of every column, one after the other."""
    found = []
    for start in range(0, len(values), level):
        column = []
        for row in values[start : start + level].T:
            known = [float(value) for value in row if not np.isnan(value)]
            total = 0.0
            for value in known:
                total += value
            column.append([total / len(known), min(known), max(known)] if known else [nan] * 3)
        found.append(np.float32(column).T)
    return np.stack(found)


@given(values=over_dumps, level=level)
def test_statistics_are_those_of_a_literal_loop(values: NDArray[np.float32], level: int) -> None:
    found = reduced(values, level)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, literal(values, level))
    np.testing.assert_array_equal(found[:, 0], means(values, level))
    np.testing.assert_array_equal(found[:, 1:], extremes(values, level))


@given(values=over_dumps, level=level, data=st.data())
def test_bytes_do_not_depend_on_what_is_reduced_together(
    values: NDArray[np.float32], level: int, data: st.DataObject
) -> None:
    whole = reduced(values, level)
    column = data.draw(st.integers(0, values.shape[1] - 1))
    assert reduced(np.ascontiguousarray(values[:, column]), level).tobytes() == whole[..., column].tobytes()
    assert reduced(np.asfortranarray(values), level).tobytes() == whole.tobytes()
    first = data.draw(st.integers(0, len(whole) - 1))
    assert reduced(values[first * level :], level).tobytes() == whole[first:].tobytes()
    swapped = np.where(values == 0, -values, values)
    assert reduced(swapped, level).tobytes() == whole.tobytes(), "0 and -0 are one"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dump", [0, 7, 63, 64, 149])
@pytest.mark.parametrize("spike", [5, -5, inf])
def test_what_one_dump_did_is_seen_at_every_level(level: int, dump: int, spike: float) -> None:
    values = np.float32(np.sin(np.arange(150)))[:, None]
    values[dump] = spike
    low, high = extremes(values, level).swapaxes(0, 1)
    assert furthest_from_0(low, high)[dump // level, 0] == spike


def test_nothing_but_missing_is_missing() -> None:
    values = np.float32([[nan], [nan], [nan], [nan], [nan], [2]])
    np.testing.assert_array_equal(reduced(values, 4)[:, :, 0], np.float32([[nan] * 3, [2, 2, 2]]))
    assert reduced(np.zeros((0, 5), np.float32), 16).shape == (0, 3, 5)
    assert np.isnan(means(np.float32([inf, -inf]), 4)).all()


def test_blocks_of_the_index_end_where_columns_do() -> None:
    assert set(STORED_LEVELS) <= set(LEVELS)
    assert all(BLOCK % level == 0 for level in LEVELS)
    assert all(after % before == 0 for before, after in pairwise(LEVELS))


@given(dumps=st.integers(0, 100_000), width=st.integers(1, 3000))
def test_the_level_is_the_first_that_fits(dumps: int, width: int) -> None:
    level = level_for(dumps, width)
    assert dumps <= level * width or level == LEVELS[-1]
    assert all(dumps > lower * width for lower in LEVELS if lower < level)


@given(
    dumps=st.integers(0, 5000), width=st.integers(1, 300), ends=st.tuples(st.integers(0, 6000), st.integers(0, 6000))
)
def test_columns_are_aligned_and_hold_the_dumps_asked_for(dumps: int, width: int, ends: tuple[int, int]) -> None:
    first, end = sorted(ends)
    found = columns_for(dumps, width, first, end)
    inside = range(min(first, dumps), min(end, dumps))
    assert found.level == level_for(len(inside), width)
    assert found.first % found.level == 0
    assert found.end % found.level == 0 or found.end == dumps
    assert set(inside) <= set(range(found.first, found.end))
    assert inside.start - found.first < found.level
    assert found.end - max(inside.stop, found.first) < found.level
    assert found.count == len(range(found.first, found.end, found.level))
    assert found.count <= width + 1 or found.level == LEVELS[-1]


@pytest.mark.parametrize(
    ("asked", "says"),
    [((9, 0), r"width must be >= 1\. Got 0"), ((9, 1, -1), r"Got -1 to None"), ((9, 1, 5, 4), r"Got 5 to 4")],
)
def test_what_cannot_be_asked_is_said(asked: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        columns_for(*asked)


def envelope(values: NDArray[np.float32], level: int) -> Envelope:
    """Of float32 (rows, dumps)."""
    low, high = extremes(values.T, level).swapaxes(0, 1)
    return Envelope(level, 0, low.T, high.T, furthest_from_0(low, high).T, np.ones((1, 1), np.float32))


@given(
    values=some.arrays(np.float32, (3, 40), elements=st.floats(-100, 100, width=32) | st.just(nan)),
    level=level,
    by=st.sampled_from(["filter", "global"]),
)
def test_rows_are_divided_by_the_same_at_every_level(values: NDArray[np.float32], level: int, by: str) -> None:
    found = envelope(values, level)
    ends = extremes_over_time(found.low.T, found.high.T)
    shares = divided(found, by, *ends)  # type: ignore[arg-type]
    expected = normalised(values.copy(), by)  # type: ignore[arg-type]
    np.testing.assert_array_equal(shares.sizes, expected.sizes)
    np.testing.assert_array_equal(shares.min, extremes(expected.values.T, level)[:, 0].T)
    np.testing.assert_array_equal(shares.max, extremes(expected.values.T, level)[:, 1].T)
    np.testing.assert_array_equal(np.abs(shares.extremes), np.fmax(np.abs(shares.min), np.abs(shares.max)))


def test_columns_are_divided_by_their_own_largest() -> None:
    values = np.float32([[1, -4, 2, 0, 8, inf], [2, 0, 0, 0, nan, 0]])
    found = divided(envelope(values, 4), "iteration", np.zeros(2, np.float32), np.zeros(2, np.float32))
    assert found.sizes.tolist() == [[4, 8]]
    np.testing.assert_array_equal(found.extremes, np.float32([[-1, inf], [0.5, 0]]))
    with pytest.raises(ValueError, match=r"normalise must be .* Got 'layer'"):
        divided(found, "layer", found.low, found.high)  # type: ignore[arg-type]


@given(values=over_dumps, level=level)
def test_extremes_of_what_is_derived_follow_from_the_source(values: NDArray[np.float32], level: int) -> None:
    expected = extremes(1 - values, level)
    np.testing.assert_array_equal(derived_extremes("cosine_distance", extremes(values, level)), expected)
    np.testing.assert_array_equal(derived_extremes("cosine", values[:, None]), values[:, None])
