"""Clusters of error curves and similarity orders, on curves whose structure was planted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from deeptracker.analysis import clusters as module
from deeptracker.analysis.bits import packed
from deeptracker.analysis.clusters import Clusters, cluster_curves, similarity_order, similarity_order_of_bits

Rows = NDArray[np.float64]

shapes = st.tuples(st.integers(0, 9), st.integers(0, 6))
errors = st.integers(0, 20).map(lambda n: n / 20) | st.just(float("nan"))
error_rows = arrays(np.float64, shapes, elements=errors)
known_rows = arrays(np.float64, shapes, elements=st.integers(0, 20).map(lambda n: n / 20))
wrong_rows = arrays(np.bool_, shapes)


def planted(levels: list[float], each: int, seed: int) -> tuple[Rows, NDArray[np.int64]]:
    """Noisy curves falling from 1 to each level, shuffled, and which level each belongs to."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(levels)), each))
    fall = np.exp(-np.arange(60) / 10)
    floor = np.array(levels)[truth][:, None]
    return np.clip(floor + (1 - floor) * fall + rng.normal(0, 0.01, (truth.size, 60)), 0, 1), truth


@pytest.mark.parametrize("seed", range(3))
def test_planted_clusters_are_recovered_and_numbered_from_easy_to_hard(seed: int) -> None:
    curves, truth = planted([0.1, 0.35, 0.6, 0.9], each=12, seed=seed)
    found = cluster_curves(curves, 4)
    assert found.assignment.tolist() == truth.tolist()
    assert found.sizes.tolist() == [12] * 4
    for cluster in range(4):
        np.testing.assert_allclose(found.curves[cluster], curves[truth == cluster].mean(axis=0), rtol=1e-6)


@settings(deadline=None, max_examples=40)
@given(error_rows, st.integers(1, 12))
def test_every_known_class_is_in_one_cluster_and_clusters_run_from_easy_to_hard(curves: Rows, k: int) -> None:
    found = cluster_curves(curves, k)
    known = ~np.isnan(curves).all(axis=1)
    assert ((found.assignment >= 0) == known).all()
    assert found.k <= min(k, known.sum())
    assert found.curves.shape == (found.k, curves.shape[1])
    for cluster in range(found.k):
        members = curves[found.assignment == cluster]
        assert len(members) == found.sizes[cluster] > 0
        for t in range(curves.shape[1]):
            values = [value for value in members[:, t].tolist() if value == value]
            expected = sum(values) / len(values) if values else np.nan
            assert found.curves[cluster, t] == pytest.approx(expected, abs=1e-6, nan_ok=True)
    means = [curve[~np.isnan(curve)].mean() for curve in found.curves]
    assert all(a <= b + 1e-6 for a, b in itertools.pairwise(means))


@settings(deadline=None, max_examples=40)
@given(known_rows, st.integers(1, 12))
def test_as_many_clusters_as_asked_for_are_found_unless_fewer_curves_differ(curves: Rows, k: int) -> None:
    different = len({tuple(curve) for curve in curves.tolist() if curve})
    assert cluster_curves(curves, k).k == min(k, different)


@settings(deadline=None, max_examples=40)
@given(error_rows, st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_order_of_classes_changes_nothing_but_the_order_of_the_assignment(
    curves: Rows, k: int, random: st.DataObject
) -> None:
    order = list(range(len(curves)))
    random.shuffle(order)
    found, shuffled = cluster_curves(curves, k), cluster_curves(curves[order], k)
    assert shuffled.assignment.tolist() == found.assignment[order].tolist()
    np.testing.assert_allclose(shuffled.curves, found.curves, rtol=1e-6)


def test_the_same_seed_gives_the_same_clusters() -> None:
    curves = np.random.default_rng(5).random((80, 30))
    one, two = cluster_curves(curves, 6, seed=3), cluster_curves(curves, 6, seed=3)
    assert one.assignment.tolist() == two.assignment.tolist()
    assert one.curves.tolist() == two.curves.tolist()


def test_clusters_of_equal_mean_are_ordered_by_where_they_end() -> None:
    found = cluster_curves([[0.2, 0.8], [0.8, 0.2], [0.2, 0.8]], 2)
    assert found.assignment.tolist() == [1, 0, 1]


def test_classes_with_equal_curves_weigh_as_many_as_they_are() -> None:
    levels = np.repeat([0.0, 0.3, 0.9], [50, 50, 1])
    found = cluster_curves(np.repeat(levels[:, None], 4, axis=1), 2)
    assert found.sizes.tolist() == [50, 51], "one odd class does not take a cluster from two groups of fifty"


def test_missing_dumps_do_not_move_a_class_to_another_cluster() -> None:
    curves, truth = planted([0.1, 0.5, 0.9], each=10, seed=4)
    curves[np.random.default_rng(0).random(curves.shape) < 0.3] = np.nan
    curves[:, 7] = np.nan
    found = cluster_curves(curves, 3)
    assert found.assignment.tolist() == truth.tolist()
    assert np.isnan(found.curves[:, 7]).all()
    assert not np.isnan(np.delete(found.curves, 7, axis=1)).any()


def test_a_class_whose_error_is_never_known_is_in_no_cluster() -> None:
    found = cluster_curves([[np.nan, np.nan], [0.5, 0.4], [np.nan, 0.1]], 3)
    assert found.assignment.tolist() == [-1, 1, 0]
    assert found.sizes.tolist() == [1, 1]


@settings(deadline=None)
@given(error_rows | wrong_rows, st.integers(0, 6))
def test_an_order_is_a_permutation_of_the_rows(rows: Rows, limit: int) -> None:
    found = similarity_order(rows, limit=limit)
    assert found.order.dtype == np.int32
    assert sorted(found.order.tolist()) == list(range(len(rows)))


@settings(deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(1, 6)), elements=st.integers(0, 20)))
def test_the_first_half_of_an_order_is_the_lower_one(rows: Rows) -> None:
    different = np.unique(rows / 20, axis=0)
    ordered = different[similarity_order(different).order]
    half = len(different) // 2
    assert ordered[:half].sum() <= ordered[len(different) - half :].sum() + 1e-6


@settings(deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(3, 9), st.integers(1, 6))), st.randoms(use_true_random=False))
def test_rows_given_in_another_order_are_shown_in_the_same_order(
    rows: NDArray[np.bool_], random: st.DataObject
) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    shown = rows[similarity_order(rows).order]
    assert shown.tolist() == rows[order][similarity_order(rows[order]).order].tolist()


@pytest.mark.parametrize("limit", [60, 0])
@pytest.mark.parametrize("seed", range(3))
def test_a_shuffled_chain_of_curves_is_put_back_in_order(seed: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    hard = np.sort(rng.random(60))
    shuffled = rng.permutation(60)
    rows = (hard[:, None] * np.exp(-np.arange(20) / 15))[shuffled]
    found = similarity_order(rows, limit=limit)
    chain = shuffled[found.order].tolist()
    if limit:
        assert chain == list(range(60))
    else:
        assert chain != list(range(60)), "the dendrogram alone does not turn its branches"


def test_a_shuffled_chain_of_samples_learnt_one_after_the_other_is_put_back_in_order() -> None:
    learnt_at = np.random.default_rng(1).permutation(40)
    wrong = np.arange(41)[None, :] < learnt_at[:, None]
    assert learnt_at[similarity_order(wrong).order].tolist() == list(range(40))


def test_equal_rows_stand_together_in_the_order_they_came_in() -> None:
    rows = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert similarity_order(rows).order.tolist() == [1, 4, 3, 0, 2]


@pytest.mark.parametrize("count", [0, 1, 2, 700])
def test_rows_that_are_all_equal_keep_their_order(count: int) -> None:
    assert similarity_order(np.full((count, 4), 0.5)).order.tolist() == list(range(count))


def test_two_rows_are_ordered_from_low_to_high() -> None:
    assert similarity_order([[0.9, 0.9], [0.1, 0.2]]).order.tolist() == [1, 0]


def test_rows_that_are_never_known_come_last() -> None:
    missing = np.nan
    rows = [[missing, missing], [0.9, missing], [missing, missing], [missing, 0.1]]
    assert similarity_order(rows).order.tolist() == [3, 1, 0, 2]


def test_more_rows_than_the_limit_get_a_plainer_order_that_says_so() -> None:
    rows = np.arange(12)[:, None] < np.arange(12)[None, :]
    assert similarity_order(rows, limit=12).method == "optimal leaf order"
    plain = similarity_order(rows, limit=11)
    assert plain.method == "dendrogram order (12 different rows: optimal leaf order would take seconds)"


def test_thousands_of_rows_are_ordered_along_their_first_principal_component(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DENDROGRAM_ROWS", 30)
    hard = np.random.default_rng(6).permutation(40)
    found = similarity_order(hard[:, None] / 40 * np.linspace(1, 0.5, 8), limit=20)
    assert hard[found.order].tolist() == list(range(40))
    assert found.method == "first principal component (40 different rows: a dendrogram would take seconds)"


def test_one_column_is_enough_for_every_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DENDROGRAM_ROWS", 5)
    values = np.random.default_rng(7).permutation(10)[:, None] / 10
    for limit in (1, 20):
        assert values[similarity_order(values, limit=limit).order, 0].tolist() == sorted(values[:, 0])


def test_what_is_no_matrix_or_no_number_of_clusters_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rows must be 2-d.* Got \(3,\)\."):
        similarity_order([1, 2, 3])
    with pytest.raises(ValueError, match=r"rows must be 2-d.* Got \(3,\)\."):
        cluster_curves([1, 2, 3], 2)
    with pytest.raises(ValueError, match=r"k must be >= 1\. Got 0\."):
        cluster_curves([[0.1]], 0)


def test_clusters_whose_sizes_do_not_count_their_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sizes must count the classes of each of the 2 clusters"):
        Clusters(np.array([0, 1, 1], np.int32), np.zeros((2, 3), np.float32), np.array([2, 1], np.int32))


@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.integers(0, 140), st.sampled_from([0.02, 0.3, 0.5]))
@settings(deadline=None)
def test_rows_of_bits_are_in_the_order_of_their_values(seed: int, rows: int, dumps: int, often: float) -> None:
    right = np.random.default_rng(seed).random((rows, dumps)) < often
    words = packed(right).copy()
    if dumps % 64:
        words[-1] |= ~np.uint64(0) << np.uint64(dumps % 64)  # bits of later dumps mean nothing
    for limit in (3, 1500):
        found, expected = similarity_order_of_bits(words, dumps, limit=limit), similarity_order(~right, limit=limit)
        np.testing.assert_array_equal(found.order, expected.order)
        assert found.method == expected.method
