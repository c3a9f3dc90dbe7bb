"""Optimal leaf order against every order that turning the branches of a dendrogram can give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist, squareform

from deeptracker.analysis.leaf_order import optimal_leaf_order

Matrix = NDArray[np.float64]

points = arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(1, 3)), elements=st.integers(0, 9))


def turnings(tree: Matrix, node: int) -> list[tuple[int, ...]]:
    """Every order of the leaves below a node that turning its branches can give."""
    leaves = len(tree) + 1
    if node < leaves:
        return [(node,)]
    left, right = (turnings(tree, int(child)) for child in tree[node - leaves, :2])
    return [turned for a in left for b in right for turned in (a + b, b + a)]


def length(distances: Matrix, order: tuple[int, ...] | NDArray[np.intp]) -> float:
    apart = squareform(distances)
    return float(sum(apart[a, b] for a, b in itertools.pairwise(order)))


@settings(deadline=None)
@given(points, st.sampled_from(["average", "single", "ward"]))
def test_the_order_is_the_shortest_of_all_that_turning_branches_allows(rows: Matrix, method: str) -> None:
    distances = pdist(rows)
    tree = linkage(distances, method)
    allowed = turnings(tree, 2 * len(rows) - 2)
    order = optimal_leaf_order(tree, distances)
    assert tuple(order.tolist()) in allowed
    assert length(distances, order) == pytest.approx(min(length(distances, turned) for turned in allowed))


@pytest.mark.parametrize("method", ["average", "single"])
def test_a_shuffled_chain_of_hundreds_of_points_is_put_back_in_order(method: str) -> None:
    chain = np.random.default_rng(0).permutation(400)
    distances = pdist(chain[:, None].astype(float))
    found = chain[optimal_leaf_order(linkage(distances, method), distances)].tolist()
    assert found in (list(range(400)), list(range(400))[::-1])


def test_a_dendrogram_deeper_than_the_recursion_limit_is_ordered() -> None:
    rows = (1.01 ** np.arange(1500))[:, None]  # each point joins all before it
    distances = pdist(rows)
    tree = linkage(distances, "single")
    assert length(distances, optimal_leaf_order(tree, distances)) <= length(distances, leaves_list(tree))
    assert length(distances, optimal_leaf_order(tree, distances)) == pytest.approx(rows[-1, 0] - rows[0, 0])


def test_distances_of_another_number_of_leaves_are_refused() -> None:
    distances = pdist(np.arange(4.0)[:, None])
    with pytest.raises(
        ValueError, match=r"distances must be condensed, of the 4 leaves of the tree\. Got shape \(5,\)"
    ):
        optimal_leaf_order(linkage(distances), distances[:5])
