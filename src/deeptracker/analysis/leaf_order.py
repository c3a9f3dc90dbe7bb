"""How should the branches of a dendrogram be turned so that neighbouring leaves are closest to each other?

Turning branches never tears a cluster apart. Of the 2^(n - 1) orders that it allows, the one with the smallest sum of
distances between neighbours is found exactly (optimal leaf ordering; Bar-Joseph, Gifford and Jaakkola, 2001):

1. Leaves are numbered as the dendrogram lists them, so that each branch is a range [low, high) split at a middle.
2. `best[i, j]` is the length of the shortest order, from i to j, of the smallest branch that holds both. From the small
   branches up: an order from i in one half to j in the other leaves i's half at some k and enters j's half at some m,
   and both halves are already solved. Two products in which min replaces sum and + replaces times try every k and m.
3. From the root down, the ends of each branch tell the k and m between its halves.

scipy's `optimal_leaf_ordering` is not used: what it returns can be longer than the dendrogram's own order
(scipy/scipy#11227), and for chains of rows, such as error curves from easy to hard, it takes ten times as long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list
from scipy.spatial.distance import squareform

Matrix = NDArray[np.float64]


def optimal_leaf_order(tree: Matrix, distances: Matrix) -> NDArray[np.intp]:
    """The order of leaves with the smallest sum of distances between neighbours that the dendrogram allows.

    `tree` is float64 (n - 1, 4), a linkage of scipy; `distances` float64 (n (n - 1) / 2,), condensed as by pdist.
    Returns intp (n,). Raises ValueError where the two are not of one n. Takes time O(n^3) and memory O(n^2).

    >>> from scipy.cluster.hierarchy import linkage
    >>> distances = np.array([9.0, 2.0, 7.0, 7.0, 2.0, 5.0])  # of four points on a line: 0, 9, 2 and 7
    >>> optimal_leaf_order(linkage(distances), distances).tolist()
    [0, 2, 3, 1]
    """
    count = len(tree) + 1
    if distances.shape != (count * (count - 1) // 2,):
        raise ValueError(
            f"distances must be condensed, of the {count} leaves of the tree. Got shape {distances.shape}. Use pdist()."
        )
    listed = leaves_list(tree)
    apart = squareform(distances)[np.ix_(listed, listed)]
    middles, branches = _ranges(tree)
    best = np.zeros((count, count))
    for low, high in branches:
        _solve(best, apart, middles, low, high)
    return np.asarray(listed[_walk(best, apart, middles)], dtype=np.intp)


def _ranges(tree: Matrix) -> tuple[dict[tuple[int, int], int], list[tuple[int, int]]]:
    """The middle of each branch by its range, and the branches from the leaves up."""
    count = len(tree) + 1
    sizes = [1] * count + [int(size) for size in tree[:, 3]]
    low = {2 * count - 2: 0}
    middles, branches = {}, []
    for node in range(2 * count - 2, count - 1, -1):
        left, right = (int(child) for child in tree[node - count, :2])
        low[left], low[right] = low[node], low[node] + sizes[left]
        branches.append((low[node], low[node] + sizes[node]))
        middles[branches[-1]] = low[right]
    return middles, branches[::-1]


def _solve(best: Matrix, apart: Matrix, middles: dict[tuple[int, int], int], low: int, high: int) -> None:
    """Fill `best` between the halves of one branch whose halves are filled."""
    middle = middles[low, high]
    right = slice(middle, high)
    left_then_step = np.empty((middle - low, high - middle))
    for ends, others in _sides(middles, low, middle):
        left_then_step[ends.start - low : ends.stop - low] = _min_plus(best[ends, others], apart[others, right])
    for ends, others in _sides(middles, middle, high):
        entered = left_then_step[:, others.start - middle : others.stop - middle]
        best[low:middle, ends] = _min_plus(entered, best[others, ends])
    best[right, low:middle] = best[low:middle, right].T


def _sides(middles: dict[tuple[int, int], int], low: int, high: int) -> list[tuple[slice, slice]]:
    """For each half of a branch, where an order that starts in it ends: in the other half. A leaf ends in itself."""
    if high - low == 1:
        return [(slice(low, high), slice(low, high))]
    first, second = slice(low, middles[low, high]), slice(middles[low, high], high)
    return [(first, second), (second, first)]


def _min_plus(a: Matrix, b: Matrix) -> Matrix:
    """out[i, j] = min over k of a[i, k] + b[k, j]; loops over the shortest of the three axes."""
    rows, inner, columns = a.shape[0], a.shape[1], b.shape[1]
    out = np.full((rows, columns), np.inf)
    if inner <= min(rows, columns):
        for k in range(inner):
            np.minimum(out, a[:, k, None] + b[k], out=out)
    elif rows <= columns:
        for i in range(rows):
            out[i] = (a[i, :, None] + b).min(axis=0)
    else:
        across = b.T.copy()
        for j in range(columns):
            out[:, j] = (a + across[j]).min(axis=1)
    return out


def _walk(best: Matrix, apart: Matrix, middles: dict[tuple[int, int], int]) -> list[int]:
    """Leaves along the best order, from the root down; a stack, as a dendrogram may be as deep as it has leaves."""
    count = len(best)
    if count == 1:
        return [0]
    middle = middles[0, count]
    first, last = divmod(int(best[:middle, middle:].argmin()), count - middle)
    order: list[int] = []
    stack = [(0, count, first, middle + last)]
    while stack:
        low, high, start, end = stack.pop()
        if high - low == 1:
            order.append(low)
            continue
        middle = middles[low, high]
        near, far = ((low, middle), (middle, high)) if start < middle else ((middle, high), (low, middle))
        leave, enter = _far_side(middles, near, start), _far_side(middles, far, end)
        through = best[start, leave, None] + apart[leave, enter] + best[enter, end]
        k, m = divmod(int(through.argmin()), enter.stop - enter.start)
        stack.append((*far, enter.start + m, end))
        stack.append((*near, start, leave.start + k))
    return order


def _far_side(middles: dict[tuple[int, int], int], branch: tuple[int, int], end: int) -> slice:
    return next(others for ends, others in _sides(middles, *branch) if ends.start <= end < ends.stop)
