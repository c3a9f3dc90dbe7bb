"""Which classes evolve alike, and in which order should rows stand so that like rows are neighbours? (paper, 7.1.1)

`cluster_curves` groups the error curves of classes:

1. A missing value (NaN) is interpolated from its row's neighbours in time; a class whose error is never known is left
   out.
2. Equal curves are merged into one weighted curve. They are sorted on the way, so the order of classes has no
   influence.
3. k-means runs on the curves; clusters are then numbered from easy to hard.

`similarity_order` orders rows: steps 1 and 2, then a dendrogram (average linkage of Euclidean distances) whose branches
are turned so that neighbours are as close as they can be (leaf_order.py). Its time grows with the cube of the rows, so
more rows get a plainer order, and the answer says which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist
from threadpoolctl import threadpool_limits

from deeptracker.analysis.bits import WORD
from deeptracker.analysis.leaf_order import optimal_leaf_order

OPTIMAL_ROWS = 1500
"""Optimal leaf order takes up to 0.3 s for 1,000 rows x 750 on one core, 0.7 s for 1,500, 2 s for 2,000."""

DENDROGRAM_ROWS = 2500
"""Distances and dendrogram take 0.7 s for 2,500 rows x 750 on one core, 4 s for 5,000; the first principal component
0.3 s for 5,000, 1.4 s for 20,000."""

DECIMALS = 5
"""Rows that agree to this many decimals count as equal: finer than one sample of any class of up to 100,000."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Classes grouped by their error curves; cluster 0 is the easiest.

    `assignment` is int32 (classes,), -1 for a class whose error is never known. `curves` is float32 (k, dumps): the
    mean error of each cluster's classes, NaN where none is known. `sizes` is int32 (k,), the classes in each, >= 1.
    Raises ValueError where they do not fit together.
    """

    assignment: NDArray[np.int32]
    curves: NDArray[np.float32]
    sizes: NDArray[np.int32]

    def __post_init__(self) -> None:
        counted = np.bincount(self.assignment[self.assignment >= 0], minlength=self.k)
        if self.curves.ndim != 2 or not np.array_equal(counted, self.sizes):
            raise ValueError(
                f"sizes must count the classes of each of the {self.k} clusters. Got {self.sizes.tolist()} for "
                f"{counted.tolist()}. Make clusters with cluster_curves()."
            )

    @property
    def k(self) -> int:
        """Clusters found: what was asked for, or as many as there are different curves."""
        return len(self.curves)


@dataclass(frozen=True, slots=True, eq=False)
class Ordering:
    """Rows in similarity order: `order` is int32 (rows,), a permutation; `method` says how, in words for a legend."""

    order: NDArray[np.int32]
    method: str


def cluster_curves(curves: ArrayLike, k: int, *, seed: int = 0) -> Clusters:
    """Group classes with similar error curves (paper, 7.1.1: k-means), from easy to hard.

    `curves` is float (classes, dumps), errors in 0..1, NaN where unknown. `k` is cut to the number of different curves.
    Clusters are sorted by the mean of their curve, then by its last known value. The same curves and seed give the same
    clusters, whatever the order of the classes. Raises ValueError for another shape, or k < 1.

    >>> found = cluster_curves([[0.9, 0.8], [0.2, 0.1], [1.0, 0.8], [0.2, np.nan]], k=2)
    >>> found.assignment.tolist(), found.sizes.tolist(), found.curves.round(2).tolist()
    ([1, 0, 1, 0], [2, 2], [[0.20000000298023224, 0.10000000149011612], [0.949999988079071, 0.800000011920929]])
    """
    if k < 1:
        raise ValueError(f"k must be >= 1. Got {k}. 4 is a good start.")
    given = _as_matrix(curves)
    known = _ever_known(given)
    distinct, which, weights = _distinct_rows(_interpolated(given[known]))
    k = min(k, len(distinct))
    if k > 1:
        from sklearn.cluster import KMeans  # takes over a second to import, which `deeptracker ls` need not wait for

        # On one thread: beside a training, the threads of so small a problem wait for each other ten times longer.
        with threadpool_limits(1):
            means = KMeans(k, n_init=10, random_state=seed).fit(distinct, sample_weight=weights)
        _, labels = np.unique(means.labels_[which], return_inverse=True)
    else:
        labels = np.zeros(which.size, dtype=np.intp)
    means_of = _mean_rows(given[known], labels)
    easy_to_hard = np.lexsort((_last_known(means_of), _mean_known(means_of)))
    rank = np.argsort(easy_to_hard)
    assignment = np.full(given.shape[0], -1, dtype=np.int32)
    assignment[known] = rank[labels]
    sizes = np.bincount(rank[labels], minlength=len(means_of)).astype(np.int32)
    return Clusters(assignment, means_of[easy_to_hard].astype(np.float32), sizes)


def similarity_order(rows: ArrayLike, *, limit: int = OPTIMAL_ROWS) -> Ordering:
    """Order rows so that similar ones are neighbours, the end with the lower values first.

    `rows` is (rows, dumps), bool, int or float, NaN where unknown: error curves of classes, or 1 where a sample is
    classified wrongly, so that what is easy comes first. Equal rows keep their order; rows never known come last. Up to
    `limit` different rows are in optimal leaf order, up to `DENDROGRAM_ROWS` in dendrogram order, and more along their
    first principal component. Raises ValueError for another shape.

    >>> similarity_order([[1, 1, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 1, 1]])
    Ordering(order=array([1, 3, 2, 0], dtype=int32), method='optimal leaf order')
    """
    given = _as_matrix(rows)
    known = _ever_known(given)
    distinct, which, _ = _distinct_rows(_interpolated(given[known]))
    order, method = _order_of_distinct(distinct, limit)
    rank = np.argsort(_low_end_first(distinct, order))
    positions = np.flatnonzero(known)[np.argsort(rank[which], kind="stable")]
    return Ordering(np.concatenate([positions, np.flatnonzero(~known)]).astype(np.int32), method)


def similarity_order_of_bits(words: NDArray[np.uint64], dumps: int, *, limit: int = OPTIMAL_ROWS) -> Ordering:
    """What `similarity_order` gives of rows that are 1 where a bit is not set: right or wrong, from a record of bits.

    `words` is uint64 (blocks, rows), as in bits.py; bits of later dumps than there are mean nothing. Distances are
    counted in words, so it takes a small part of the time.

    >>> from deeptracker.analysis.bits import packed
    >>> similarity_order_of_bits(packed(np.array([[False, False], [True, True], [False, True]])), 2).order.tolist()
    [1, 2, 0]
    """
    wrong = ~words
    wrong[-1:] &= ~np.uint64(0) >> np.uint64(-dumps % WORD)
    as_bytes = np.ascontiguousarray(wrong.T, "<u8").view(np.uint8).reshape(wrong.shape[1], 8 * len(wrong))
    if as_bytes.size == 0:
        return similarity_order(np.zeros((wrong.shape[1], dumps)), limit=limit)
    # Sorted as the rows would be, the first dump first: that is the lowest bit of the first byte.
    in_order = _REVERSED[as_bytes].view(f"V{as_bytes.shape[1]}").ravel()
    _, first, which = np.unique(in_order, return_index=True, return_inverse=True)
    distinct = wrong[:, first]
    if len(first) > limit:
        rows = np.unpackbits(as_bytes, axis=1, count=dumps, bitorder="little")
        return similarity_order(rows, limit=limit)
    if len(first) <= 2:
        order = np.arange(len(first))
    else:
        distances = np.concatenate(
            [_differing(distinct[:, place + 1 :], distinct[:, place, None]) for place in range(len(first) - 1)]
        )
        distances = np.sqrt(distances.astype(np.float64))
        order = optimal_leaf_order(linkage(distances, "average"), distances)
    half = len(order) // 2
    counts = np.bitwise_count(distinct).sum(axis=0, dtype=np.int64)[order]
    ends = [(int(part.sum()), int(place)) for part, place in ((counts[:half], order[0]), (counts[-half:], order[-1]))]
    if half and ends[0] > ends[1]:
        order = order[::-1]
    rank = np.argsort(order)
    return Ordering(np.argsort(rank[which], kind="stable").astype(np.int32), "optimal leaf order")


_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"), axis=1)[:, 0]
"""The bits of a byte the other way round."""


def _differing(words: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.asarray(np.bitwise_count(words ^ other).sum(axis=0, dtype=np.int64))


def _order_of_distinct(rows: NDArray[np.float64], limit: int) -> tuple[NDArray[np.intp], str]:
    count = len(rows)
    if count <= 2:
        return np.arange(count), "optimal leaf order"
    if count > max(limit, DENDROGRAM_ROWS):
        from sklearn.decomposition import PCA

        along = PCA(1, random_state=0).fit_transform(rows)[:, 0]
        text = f"first principal component ({count:,} different rows: a dendrogram would take seconds)"
        return np.argsort(along, kind="stable"), text
    distances = pdist(rows)
    tree = linkage(distances, "average")
    if count > limit:
        text = f"dendrogram order ({count:,} different rows: optimal leaf order would take seconds)"
        return leaves_list(tree).astype(np.intp), text
    return optimal_leaf_order(tree, distances), "optimal leaf order"


def _low_end_first(rows: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """The order or its reverse; where both halves have the same mean, the one that starts with the lower row number."""
    half = len(order) // 2
    if half == 0:
        return order
    first, second = (round(float(rows[part].mean()), 9) for part in (order[:half], order[-half:]))
    return order[::-1] if (first, order[0]) > (second, order[-1]) else order


def _as_matrix(rows: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(rows, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"rows must be 2-d, one a class or sample. Got {matrix.shape}. Reshape to (rows, dumps).")
    return matrix


def _ever_known(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((~np.isnan(rows)).any(axis=1))


def _interpolated(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN replaced along each row: linearly between known values, by the nearest one where there is none beyond."""
    missing = np.isnan(rows)
    if not missing.any():
        return rows
    full = rows.copy()
    for row in np.flatnonzero(missing.any(axis=1)):
        gaps = missing[row]
        full[row, gaps] = np.interp(np.flatnonzero(gaps), np.flatnonzero(~gaps), rows[row, ~gaps])
    return full


def _distinct_rows(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Different rows in an order of their own, for each row which of them it is, and how often each occurs."""
    if rows.size == 0:
        return rows[:0], np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    rounded = np.round(rows, DECIMALS).astype(np.float32) + np.float32(0)  # + 0: -0.0 and 0.0 have other bytes
    # Rows compared as bytes: np.unique(axis=0) compares them value by value, which takes 20 times longer.
    _, first, which, counts = np.unique(
        rounded.view(f"V{rounded.strides[0]}").ravel(), return_index=True, return_inverse=True, return_counts=True
    )
    return rounded[first].astype(np.float64), which, counts


def _mean_rows(rows: NDArray[np.float64], labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean of the known values of each label's rows, NaN where there are none: (labels, dumps)."""
    members = labels == np.arange(labels.max(initial=-1) + 1)[:, None]
    known = members @ (~np.isnan(rows)).astype(np.float64)
    total = members @ np.nan_to_num(rows)
    means = np.full(total.shape, np.nan)
    np.divide(total, known, out=means, where=known > 0)
    return means


def _mean_known(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([curve[~np.isnan(curve)].mean().round(9) for curve in curves])


def _last_known(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([curve[~np.isnan(curve)][-1] for curve in curves])
