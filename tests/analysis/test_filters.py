"""Filters are made comparable, ordered and summed up, whatever is missing or infinite among their values."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis.derived import derived, source_of
from deeptracker.analysis.filters import (
    filter_order,
    five_numbers,
    never_changing,
    normalised,
)
from deeptracker.schema import DERIVED_MEASURES, FILTER_MEASURES, MEASURES

values = st.floats(-100, 100, width=32)
nan, inf = np.nan, np.inf


def test_every_measure_has_a_source_that_is_recorded() -> None:
    assert {source_of(name) for name in FILTER_MEASURES} <= set(MEASURES)
    assert all(source_of(name) == name for name in MEASURES)
    assert all(source_of(name) != name for name in DERIVED_MEASURES)


def test_the_cosine_distance_is_what_the_cosine_lacks_to_one() -> None:
    cosine = np.array([[1, -1], [nan, 0.75]], np.float32)
    found = derived("cosine_distance", cosine)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0, 2], [nan, 0.25]])
    np.testing.assert_array_equal(derived("cosine", cosine), cosine)


@given(st.lists(st.lists(values | st.just(nan), min_size=3, max_size=3), min_size=1, max_size=5))
def test_normalised_values_are_shares_of_the_largest_magnitude(rows: list[list[float]]) -> None:
    given_rows = np.array(rows, np.float32)

    def largest(part: NDArray[np.float32]) -> float:
        return max((abs(float(x)) for x in part.ravel() if not np.isnan(x)), default=0.0)

    for by in ("filter", "iteration", "global"):
        found = normalised(given_rows, by)  # type: ignore[arg-type]
        assert found.values.dtype == found.sizes.dtype == np.float32
        for f, row in enumerate(rows):
            for i, value in enumerate(row):
                size = largest({"filter": given_rows[f], "iteration": given_rows[:, i], "global": given_rows}[by])
                expected = value if np.isnan(value) else value / size if size > 0 else 0.0
                assert found.values[f, i] == pytest.approx(expected, rel=1e-5, abs=1e-30, nan_ok=True)
                assert np.broadcast_to(found.sizes, given_rows.shape)[f, i] == np.float32(size)


def test_nothing_changes_without_a_way_to_normalise() -> None:
    given_rows = np.array([[1, nan], [-inf, 4]], np.float32)
    found = normalised(given_rows, None)
    np.testing.assert_array_equal(found.values, given_rows)
    assert found.sizes.tolist() == [[1]]


def test_one_infinite_value_does_not_flatten_the_others() -> None:
    rows = np.array([[1, inf, -2], [-inf, 4, nan]], np.float32)
    expected = np.array([[0.25, inf, -0.5], [-inf, 1, nan]], np.float32)
    np.testing.assert_array_equal(normalised(rows, "global").values, expected)


@pytest.mark.parametrize(("by", "shape"), [("filter", (3, 1)), ("iteration", (1, 0)), ("global", (1, 1))])
def test_no_dumps_are_normalised_to_none(by: str, shape: tuple[int, int]) -> None:
    found = normalised(np.zeros((3, 0), np.float32), by)  # type: ignore[arg-type]
    assert (found.values.shape, found.sizes.shape) == ((3, 0), shape)


def test_another_way_to_normalise_or_to_order_is_refused() -> None:
    rows = np.zeros((1, 1), np.float32)
    with pytest.raises(ValueError, match=r"normalise must be None, 'filter', .* Got 'layer'"):
        normalised(rows, "layer")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"by must be 'similarity' or 'activity'. Got 'size'"):
        filter_order(rows, "size")  # type: ignore[arg-type]


def test_filters_never_change_whose_change_is_zero_and_known() -> None:
    change = np.array([[nan, 0, 0], [nan, nan, nan], [0, 0, 0], [0, 1e-30, 0], [nan, 0, nan], [inf, 0, 0]], np.float32)
    found = never_changing(change)
    assert found.dtype == np.int32
    assert found.tolist() == [0, 2, 4]
    assert never_changing(np.zeros((4, 0), np.float32)).tolist() == []


def test_activity_is_the_mean_magnitude_where_it_is_known() -> None:
    rows = np.array([[1, 1, 1], [nan, nan, nan], [nan, -9, nan], [2, 2, nan], [inf, 0, 0], [-2, 2, 2]], np.float32)
    found = filter_order(rows, "activity")
    assert found.order.tolist() == [4, 2, 3, 5, 0, 1]
    assert found.order.dtype == np.int32
    assert "magnitude" in found.method


def test_similarity_compares_the_shapes_of_curves_and_not_their_sizes() -> None:
    rising, falling = np.linspace(0, 1, 20), np.linspace(1, 0, 20)
    rows = np.array([rising, 5 * falling, 0.001 * rising + 1e-6, 9 * falling + 0.01], np.float32)
    found = filter_order(rows, "similarity")
    places = {row: place for place, row in enumerate(found.order.tolist())}
    assert abs(places[0] - places[2]) == abs(places[1] - places[3]) == 1
    assert found.method == "optimal leaf order"


def test_dumps_without_any_value_have_no_influence_on_the_order() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 12)).astype(np.float32)
    with_gaps = np.insert(rows, [0, 5, 5], nan, axis=1)
    assert filter_order(with_gaps, "similarity").order.tolist() == filter_order(rows, "similarity").order.tolist()


def test_dumps_that_only_some_filters_lack_count_for_the_others() -> None:
    rows = np.array([[1, 1, 0.5], [1, 0, 0.5], [1, 1, 0.5], [0.2, nan, 1]], np.float32)
    places = filter_order(rows, "similarity").order.tolist()
    assert abs(places.index(0) - places.index(2)) == 1


@pytest.mark.parametrize("by", ["similarity", "activity"])
@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((3, 0)),
        np.zeros((1, 5)),
        np.full((4, 3), nan),
        np.zeros((4, 1)),
        np.array([[inf, 1], [-inf, nan], [nan, inf]]),
        np.full((3, 2), 3e38),
    ],
)
def test_there_is_an_order_of_anything(by: str, rows: NDArray[np.float64]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = filter_order(rows.astype(np.float32), by)  # type: ignore[arg-type]
    assert sorted(found.order.tolist()) == list(range(len(rows)))


cells = values | st.sampled_from([nan, inf, -inf])


@given(st.lists(st.lists(cells, min_size=7, max_size=7), max_size=4), st.sets(st.integers(0, 6)))
def test_five_numbers_are_numpys_of_what_is_known(rows: list[list[float]], chosen: set[int]) -> None:
    given_rows = np.array(rows, np.float32).reshape(-1, 7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = five_numbers(given_rows, [slice(i, i + 1) for i in sorted(chosen)])
    assert found.shape == (len(rows), 5)
    assert found.dtype == np.float32
    for five, row in zip(found, given_rows, strict=True):
        known = np.sort([row[i] for i in chosen if not np.isnan(row[i])])
        if np.isfinite(known).all():
            expected = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if len(known) else [nan] * 5
            np.testing.assert_allclose(five, expected, rtol=1e-5, atol=1e-5)
        else:
            assert (five[0], five[4]) == (known[0], known[-1])


def test_a_median_of_infinities_is_infinite() -> None:
    rows = np.array([[inf, inf, 1], [-inf, -inf, -inf]], np.float32)
    np.testing.assert_array_equal(five_numbers(rows, [slice(0, 3)]), [[1, inf, inf, inf, inf], [-inf] * 5])
