"""Pooling the measures of filters gives what computing from all their weights at once gives."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis.pooling import merge, needed_measures, normalised, pool, quantiles
from deeptracker.schema import GRADIENT_MEASURES, MEASURES, STEP_MEASURES, WEIGHT_MEASURES

Floats = NDArray[np.float64]
values = st.floats(-100, 100, width=32)
networks = st.lists(st.lists(values, min_size=1, max_size=9), min_size=1, max_size=8)


def measures_of(filters: list[list[float]]) -> dict[str, Floats]:
    """The definitions of docs/format.md, filter by filter; gradients measured on the same numbers."""
    rows = [np.array(row) for row in filters]
    found = {
        "sum": [w.sum() for w in rows],
        "mean": [w.mean() for w in rows],
        "sd": [w.std() for w in rows],
        "min": [w.min() for w in rows],
        "max": [w.max() for w in rows],
        "l1": [np.abs(w).sum() for w in rows],
        "l2": [np.sqrt((w**2).sum()) for w in rows],
        "nonfinite": [0.0 for _ in rows],
    }
    for name in GRADIENT_MEASURES:
        found[name] = found[name.removeprefix("grad_")]
    return {name: np.array(column) for name, column in found.items()}


@given(networks)
def test_pooling_filters_equals_computing_from_all_weights_at_once(filters: list[list[float]]) -> None:
    of_filters = {name: column.astype(np.float32) for name, column in measures_of(filters).items()}
    weights = np.array([len(row) for row in filters])
    whole = measures_of([[value for row in filters for value in row]])
    for name in (*WEIGHT_MEASURES, *GRADIENT_MEASURES, "nonfinite"):
        assert pool(name, of_filters, weights) == pytest.approx(whole[name][0], rel=1e-4, abs=1e-2), name


@given(networks, st.integers(0, 7))
def test_pooling_layers_of_pooled_filters_changes_nothing(filters: list[list[float]], cut: int) -> None:
    """Exactness at every level of the hierarchy: a module's value follows from its layers' values as well."""
    of_filters = {name: column.astype(np.float32) for name, column in measures_of(filters).items()}
    weights = np.array([len(row) for row in filters])
    parts = [part for part in (slice(0, cut), slice(cut, None)) if len(weights[part])]
    for name in (*WEIGHT_MEASURES, *GRADIENT_MEASURES):
        layers = {
            n: np.array([pool(n, {m: of_filters[m][p] for m in of_filters}, weights[p]) for p in parts], np.float32)
            for n in needed_measures(name)
        }
        at_once = pool(name, of_filters, weights)
        by_layers = pool(name, layers, np.array([weights[p].sum() for p in parts]))
        assert by_layers == pytest.approx(at_once, rel=1e-4, abs=1e-2), name


def test_a_mean_is_weighted_by_weights_and_no_mean_of_means() -> None:
    mean = np.array([1, 4], np.float32)
    assert pool("mean", {"mean": mean}, np.array([3, 1])) == 1.75
    assert pool("grad_mean", {"grad_mean": mean}, np.array([1, 3])) == 3.25


def test_filters_that_differ_in_their_means_spread_although_each_is_constant() -> None:
    filters = {"mean": np.array([-1, 1], np.float32), "sd": np.zeros(2, np.float32)}
    assert pool("sd", filters, np.array([5, 5])) == 1


@pytest.mark.parametrize("name", STEP_MEASURES)
def test_ratios_are_averaged_over_the_filters_where_they_are_defined(name: str) -> None:
    nan = np.nan
    assert pool(name, {name: np.array([1, nan, 4], np.float32)}, np.array([100, 1, 1])) == 2.5
    assert np.isnan(pool(name, {name: np.array([nan, nan], np.float32)}, np.array([1, 1])))


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in STEP_MEASURES])
def test_an_undefined_filter_makes_everything_else_undefined(name: str) -> None:
    filters = {n: np.array([1, np.nan, 4], np.float32) for n in needed_measures(name)}
    assert np.isnan(pool(name, filters, np.array([1, 1, 1])))


@pytest.mark.parametrize("name", MEASURES)
def test_diverged_filters_are_pooled_without_a_warning(name: str) -> None:
    filters = {n: np.array([np.inf, -np.inf, 1], np.float32) for n in needed_measures(name)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pooled = pool(name, filters, np.array([1, 1, 1]))
    assert not np.isfinite(pooled)


def test_what_is_needed_is_the_measure_itself_and_for_deviations_the_mean() -> None:
    for name in MEASURES:
        expected = {"sd": ("sd", "mean"), "grad_sd": ("grad_sd", "grad_mean")}.get(name, (name,))
        assert needed_measures(name) == expected


def histogram(numbers: NDArray[np.float32]) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """As docs/format.md defines it."""
    bins = (numbers.view(np.uint32) >> 18) & 0x3FFF
    filled, counts = np.unique(np.where(bins == 8192, 0, bins), return_counts=True)
    return filled.astype(np.uint16), counts.astype(np.uint32)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
layers_of_numbers = st.lists(st.lists(finite, max_size=20), min_size=1, max_size=6)


@given(layers_of_numbers)
def test_pooling_histograms_of_layers_equals_the_histogram_of_all_values(layers: list[list[float]]) -> None:
    parts = [histogram(np.array(layer, np.float32)) for layer in layers]
    filled, counts = merge([bins for bins, _ in parts], [counts for _, counts in parts])
    expected = histogram(np.array([x for layer in layers for x in layer], np.float32))
    np.testing.assert_array_equal(filled, expected[0])
    np.testing.assert_array_equal(counts, expected[1])


@given(layers_of_numbers, st.lists(st.sampled_from([0, 0.25, 0.5, 0.75, 1]) | st.floats(0, 1), min_size=1, max_size=5))
def test_each_quantile_is_within_a_64th_of_the_true_one(layers: list[list[float]], shares: list[float]) -> None:
    numbers = np.array([x for layer in layers for x in layer], np.float32)
    parts = [histogram(np.array(layer, np.float32)) for layer in layers]
    found = quantiles(*merge([bins for bins, _ in parts], [counts for _, counts in parts]), shares)
    if not len(numbers):
        assert np.isnan(found).all()
        return
    expected = np.quantile(numbers.astype(np.float64), shares, method="inverted_cdf")
    bound = np.maximum(np.abs(expected) / 64, 2.0**-131) * (1 + 1e-6)
    assert (np.abs(found - expected) <= bound).all()


def test_quantiles_go_from_the_most_negative_to_the_largest() -> None:
    numbers = np.array([-4, -2, -1, 0, 1, 2, 4], np.float32)
    found = quantiles(*histogram(numbers), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found, [-4, -2, 0, 2, 4], rtol=1 / 64)


def test_no_layers_have_no_quantiles() -> None:
    assert np.isnan(quantiles(*merge([], []), [0.5])).all()


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_beyond_all_values_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"share must be in 0\.\.1"):
        quantiles(*histogram(np.ones(3, np.float32)), [share])


def test_counts_beyond_32_bits_add_up() -> None:
    many = np.array([2**32 - 1], np.uint32)
    _, counts = merge([np.array([7], np.uint16)] * 3, [many] * 3)
    assert counts.tolist() == [3 * (2**32 - 1)]


@given(st.lists(st.lists(values | st.just(np.nan), min_size=3, max_size=3), min_size=1, max_size=5))
def test_normalised_values_are_shares_of_the_largest_magnitude(rows: list[list[float]]) -> None:
    given_rows = np.array(rows, np.float32)

    def largest(part: NDArray[np.float32]) -> float:
        return max((abs(float(x)) for x in part.ravel() if not np.isnan(x)), default=0.0)

    for by in ("filter", "iteration", "global"):
        found = normalised(given_rows, by)  # type: ignore[arg-type]
        assert found.dtype == np.float32
        for f, row in enumerate(rows):
            for i, value in enumerate(row):
                size = largest({"filter": given_rows[f], "iteration": given_rows[:, i], "global": given_rows}[by])
                expected = value if np.isnan(value) else value / size if size > 0 else 0.0
                assert found[f, i] == pytest.approx(expected, rel=1e-5, abs=1e-30, nan_ok=True)


def test_nothing_changes_without_a_way_to_normalise() -> None:
    given_rows = np.array([[1, np.nan], [-np.inf, 4]], np.float32)
    np.testing.assert_array_equal(normalised(given_rows, None), given_rows)


def test_one_infinite_value_does_not_flatten_the_others() -> None:
    rows = np.array([[1, np.inf, -2], [-np.inf, 4, np.nan]], np.float32)
    expected = np.array([[0.25, np.inf, -0.5], [-np.inf, 1, np.nan]], np.float32)
    np.testing.assert_array_equal(normalised(rows, "global"), expected)


def test_another_way_to_normalise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"normalise must be None, 'filter', .* Got 'layer'"):
        normalised(np.zeros((1, 1), np.float32), "layer")  # type: ignore[arg-type]
