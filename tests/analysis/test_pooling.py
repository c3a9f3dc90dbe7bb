"""Pooling the measures of filters gives what computing from all their weights at once gives."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis.pooling import needed_measures, pool
from deeptracker.schema import FILTER_MEASURES, GRADIENT_MEASURES, STEP_MEASURES, WEIGHT_MEASURES, Layer

Floats = NDArray[np.float64]
MEANS_OF_DEFINED = (*STEP_MEASURES, "cosine_distance")
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


def layers_of(sizes: list[int], fan_ins: list[int]) -> list[Layer]:
    offsets = np.cumsum([0, *sizes])
    return [
        Layer(f"layer {i}", "linear", (size, fan_in), size, fan_in, int(offset))
        for i, (size, fan_in, offset) in enumerate(zip(sizes, fan_ins, offsets, strict=False))
    ]


def pool_all(measure: str, filters: dict[str, NDArray], weights: list[int]) -> float:
    """Every filter a layer of its own, all in one group, at one dump."""
    rows = {name: np.asarray(column, np.float32)[None] for name, column in filters.items()}
    found = pool(measure, rows, layers_of([1] * len(weights), weights), [range(len(weights))])
    assert found.shape == (1, 1)
    assert found.dtype == np.float32
    return float(found[0, 0])


def literal_pool(measure: str, filters: dict[str, NDArray], weights: NDArray) -> float:
    """The definition, for one dump and one group: (filters,) each, `weights` of each filter."""
    of_measure = filters[measure].astype(np.float64)
    share = weights / weights.sum()
    if measure in ("sum", "l1", "nonfinite"):
        return float(of_measure.sum())
    if measure in ("l2", "grad_l2"):
        return float(np.sqrt((of_measure**2).sum()))
    if measure == "min":
        return float(of_measure.min())
    if measure in ("max", "grad_max"):
        return float(of_measure.max())
    if measure in ("mean", "grad_mean"):
        return float((share * of_measure).sum())
    if measure in ("sd", "grad_sd"):
        means = filters[measure.replace("sd", "mean")].astype(np.float64)
        mean = (share * means).sum()
        return float(np.sqrt((share * (of_measure**2 + (means - mean) ** 2)).sum()))
    defined = of_measure[~np.isnan(of_measure)]
    return float(defined.mean()) if len(defined) else float("nan")


@given(networks)
def test_pooling_filters_equals_computing_from_all_weights_at_once(filters: list[list[float]]) -> None:
    of_filters = measures_of(filters)
    weights = [len(row) for row in filters]
    whole = measures_of([[value for row in filters for value in row]])
    for name in (*WEIGHT_MEASURES, *GRADIENT_MEASURES, "nonfinite"):
        assert pool_all(name, of_filters, weights) == pytest.approx(whole[name][0], rel=1e-4, abs=1e-2), name


@given(networks, st.integers(0, 7))
def test_pooling_layers_of_pooled_filters_changes_nothing(filters: list[list[float]], cut: int) -> None:
    """Exactness at every level of the hierarchy: a module's value follows from its layers' values as well."""
    of_filters = measures_of(filters)
    weights = [len(row) for row in filters]
    parts = [part for part in (slice(0, cut), slice(cut, None)) if weights[part]]
    for name in (*WEIGHT_MEASURES, *GRADIENT_MEASURES):
        layers = {
            n: np.array([pool_all(n, {m: of_filters[m][p] for m in of_filters}, weights[p]) for p in parts])
            for n in needed_measures(name)
        }
        by_layers = pool_all(name, layers, [sum(weights[p]) for p in parts])
        assert by_layers == pytest.approx(pool_all(name, of_filters, weights), rel=1e-4, abs=1e-2), name


@given(st.data())
def test_all_groups_and_dumps_at_once_are_each_by_itself(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    fan_ins = data.draw(st.lists(st.integers(1, 50), min_size=len(sizes), max_size=len(sizes)))
    groups = data.draw(st.lists(st.sets(st.sampled_from(range(len(sizes)))).map(sorted), max_size=4))
    dumps, count = data.draw(st.integers(0, 3)), sum(sizes)
    layers = layers_of(sizes, fan_ins)
    cell = values | st.sampled_from([np.nan, np.inf, -np.inf])
    name = data.draw(st.sampled_from(FILTER_MEASURES))
    rows = {
        n: np.array(
            data.draw(st.lists(st.lists(cell, min_size=count, max_size=count), min_size=dumps, max_size=dumps)),
            np.float32,
        ).reshape(dumps, count)
        for n in needed_measures(name)
    }
    found = pool(name, rows, layers, groups)
    assert found.shape == (dumps, len(groups))
    weights = np.repeat(fan_ins, sizes)
    for place, group in enumerate(groups):
        chosen = [i for index in group for i in range(layers[index].rows.start, layers[index].rows.stop)]
        for dump in range(dumps):
            expected = np.nan
            if chosen:
                with np.errstate(invalid="ignore"):
                    expected = literal_pool(name, {n: rows[n][dump, chosen] for n in rows}, weights[chosen])
            np.testing.assert_allclose(found[dump, place], expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_a_mean_is_weighted_by_weights_and_no_mean_of_means() -> None:
    mean = np.array([1, 4])
    assert pool_all("mean", {"mean": mean}, [3, 1]) == 1.75
    assert pool_all("grad_mean", {"grad_mean": mean}, [1, 3]) == 3.25


def test_filters_that_differ_in_their_means_spread_although_each_is_constant() -> None:
    assert pool_all("sd", {"mean": np.array([-1, 1]), "sd": np.zeros(2)}, [5, 5]) == 1


def test_a_small_deviation_beside_a_large_mean_is_not_lost() -> None:
    """Second moments less the square of the mean would leave nothing of it, or less than nothing."""
    sizes = [300, 500]
    rows = {"sd": np.full((1, 800), 1e-6, np.float32), "mean": np.full((1, 800), 1000.1, np.float32)}
    found = pool("sd", rows, layers_of(sizes, [7, 3]), [[0], [0, 1]])
    np.testing.assert_allclose(found, 1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", MEANS_OF_DEFINED)
def test_ratios_are_averaged_over_the_filters_where_they_are_defined(name: str) -> None:
    nan = np.nan
    assert pool_all(name, {name: np.array([1, nan, 4])}, [100, 1, 1]) == 2.5
    assert np.isnan(pool_all(name, {name: np.array([nan, nan])}, [1, 1]))


@pytest.mark.parametrize("name", [name for name in FILTER_MEASURES if name not in MEANS_OF_DEFINED])
def test_an_undefined_filter_makes_everything_else_undefined(name: str) -> None:
    filters = {n: np.array([1, np.nan, 4]) for n in needed_measures(name)}
    assert np.isnan(pool_all(name, filters, [1, 1, 1]))


@pytest.mark.parametrize("name", FILTER_MEASURES)
def test_diverged_filters_are_pooled_without_a_warning(name: str) -> None:
    filters = {n: np.array([np.inf, -np.inf, 1]) for n in needed_measures(name)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pooled = pool_all(name, filters, [1, 1, 1])
        beyond_float32 = pool_all(name, {n: np.full(3, 3e38) for n in needed_measures(name)}, [1, 1, 1])
    assert not np.isfinite(pooled)
    assert not np.isnan(beyond_float32)


def test_what_is_needed_is_the_measure_itself_and_for_deviations_the_mean() -> None:
    for name in FILTER_MEASURES:
        expected = {"sd": ("sd", "mean"), "grad_sd": ("grad_sd", "grad_mean")}.get(name, (name,))
        assert needed_measures(name) == expected


def test_a_network_without_layers_has_nothing_to_pool() -> None:
    assert np.isnan(pool("mean", {"mean": np.zeros((2, 0), np.float32)}, [], [[]])).tolist() == [[True], [True]]
