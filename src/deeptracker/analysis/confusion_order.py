"""In which order should classes stand so that those that are confused with each other are neighbours?

1. Two classes are as near as the mean of the shares of their samples that are taken for the other. This is divided by
   the root of how much each is confused altogether: a class that everything is taken for is near to none by that.
2. Classes that are confused with none have no place among the others: they come last.
3. A dendrogram (average linkage of 1 - nearness) whose branches are turned so that neighbours are as near as they can
   be (leaf_order.py). The end that is confused less comes first.
4. The matrix of distances grows with the square of the classes. Of more than DENDROGRAM_ROWS the cells alone are
   ordered, so that they lie close to the diagonal (Cuthill and McKee, 1969), and the answer says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.spatial.distance import squareform

from deeptracker.analysis.clusters import DENDROGRAM_ROWS, OPTIMAL_ROWS, Ordering
from deeptracker.analysis.confusion import Confusion
from deeptracker.analysis.leaf_order import optimal_leaf_order

Floats = NDArray[np.float64]


def confusion_order(found: Confusion, *, limit: int = OPTIMAL_ROWS, dense: int = DENDROGRAM_ROWS) -> Ordering:
    """All classes, those that are confused with each other side by side.

    Up to `limit` classes that are confused at all are in optimal leaf order, up to `dense` in dendrogram order.

    >>> from deeptracker.analysis.confusion import confusion
    >>> predicted = np.array([0, 2, 1, 3, 2, 0, 3, 1])  # 0 and 2 are taken for each other, and so are 1 and 3
    >>> confusion_order(confusion(predicted, np.array([0, 2, 4, 6, 8]))).order.tolist()
    [0, 2, 3, 1]
    """
    near = _nearness(found)
    totals = np.asarray(near.sum(axis=1)).ravel()
    confused = np.flatnonzero(totals > 0)
    rest = np.flatnonzero(totals == 0)
    order, method = _order(near[confused][:, confused], limit, dense)
    half = len(order) // 2
    if half and totals[confused][order[:half]].sum() > totals[confused][order[-half:]].sum():
        order = order[::-1]
    return Ordering(np.concatenate([confused[order], rest]).astype(np.int32), method)


def _nearness(found: Confusion) -> csr_array[Any]:
    """(classes, classes), symmetric, 0 on the diagonal: the mean of the shares of two classes taken for each other."""
    true, known = found.true, found.known
    apart = (found.predicted >= 0) & (found.predicted < found.classes) & (found.predicted != true)
    shares = found.count[apart] / known[true[apart]]
    size = (found.classes, found.classes)
    there = coo_array((shares, (true[apart], found.predicted[apart])), size).tocsr()
    return csr_array((there + there.T) / 2)


def _order(near: csr_array[Any], limit: int, dense: int) -> tuple[NDArray[np.intp], str]:
    count = near.shape[0]
    if count <= 2:
        return np.arange(count), "optimal leaf order"
    if count > dense:
        text = f"Cuthill and McKee ({count:,} classes: a dendrogram would take seconds)"
        return reverse_cuthill_mckee(near.tocsr(), symmetric_mode=True).astype(np.intp), text
    full = near.toarray()
    totals = full.sum(axis=1)
    full /= np.sqrt(totals[:, None] * totals)
    distances: Floats = squareform(np.clip(1 - full, 0, 1) * (1 - np.eye(count)), checks=False)
    tree = linkage(distances, "average")
    if count > limit:
        text = f"dendrogram order ({count:,} classes: optimal leaf order would take seconds)"
        return leaves_list(tree).astype(np.intp), text
    return optimal_leaf_order(tree, distances), "optimal leaf order"
