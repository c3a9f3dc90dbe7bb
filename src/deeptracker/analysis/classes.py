"""What is answered of one class over all dumps? (paper, 6: Cls-Stat and Cls-Image index)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.clusters import Ordering
from deeptracker.schema import MISSING

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ClassStats:
    """One class over all dumps; every array is (dumps,).

    `error` float32; `left`, `right`, `pending` float32, the scores of the anomaly rules; `became_wrong` and
    `became_right` int32, how many samples flipped which way.
    """

    iterations: NDArray[np.int64]
    error: Floats
    left: Floats
    right: Floats
    pending: Floats
    became_wrong: NDArray[np.int32]
    became_right: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class ClassSamples:
    """The samples of one class: `samples` int32 (n,) their indexes, `ids` their names, `predicted` int (n, dumps), -1
    where missing, and their similarity `order`.
    """

    samples: NDArray[np.int32]
    ids: tuple[str, ...]
    predicted: NDArray[np.integer[Any]]
    order: Ordering


@dataclass(frozen=True, slots=True, eq=False)
class ClassLevels:
    """The samples of one class in columns of `level` dumps; `first` is the first dump of the first column.

    `samples` int32 (n,), `ids` and `order` as in `ClassSamples`. `error` float32 (n, columns): the share of a column's
    dumps at which a sample was wrong, of those that have it; NaN where none has. `left` and `right` int32 (columns,):
    how many samples' rule fires (analysis.anomalies), at that dump of the column where the most do. `predicted` int
    (n, columns), -1 where missing, at level 1; else None.
    """

    level: int
    first: int
    samples: NDArray[np.int32]
    ids: tuple[str, ...]
    order: Ordering
    error: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    predicted: NDArray[np.integer[Any]] | None

    @property
    def count(self) -> int:
        """How many columns there are."""
        return int(self.error.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class TakenFor:
    """What the samples of a class are taken for in columns of `level` dumps; `first` as in `ClassLevels`.

    `labels` int32 (k,): the wrong classes predicted most often at all dumps of the run, the most frequent first, of
    equal ones the lower index. `counts` int32 (k + 1, columns): how often each is predicted, over the samples and dumps
    of a column; the last row is that of all other wrong classes. `known` int32 (columns,): how often any class is.
    """

    level: int
    first: int
    labels: NDArray[np.int32]
    counts: NDArray[np.int32]
    known: NDArray[np.int32]


def wrong_labels(predicted: NDArray[np.integer[Any]], truth: int, most: int) -> TakenFor:
    """What is predicted in place of class `truth`: a column a dump, at most so many labels, of int (samples, dumps).

    >>> found = wrong_labels(np.array([[0, 2, 1], [0, 2, -1], [1, 0, 3]]), 0, 1)
    >>> found.labels.tolist(), found.counts.tolist(), found.known.tolist()
    ([1], [[1, 0, 1], [0, 2, 1]], [3, 3, 2])
    """
    known = predicted != MISSING
    is_wrong = known & (predicted != truth)
    totals = np.bincount(predicted[is_wrong & (predicted >= 0)].astype(np.intp))
    ranked = np.argsort(-totals, kind="stable")[:most]
    labels = ranked[totals[ranked] > 0].astype(np.int32)
    of_each = [(predicted == label).sum(axis=0) for label in labels]
    others = is_wrong.sum(axis=0) - sum(of_each, np.zeros(predicted.shape[1], np.int64))
    counts = np.stack([*of_each, others]).astype(np.int32)
    return TakenFor(1, 0, labels, counts, known.sum(axis=0).astype(np.int32))


def flips_each_way(correct: NDArray[np.bool_], recorded: NDArray[np.intp]) -> NDArray[np.int32]:
    """int32 (2, dumps): how many samples of bool (samples, dumps) became wrong, and right, since the recorded dump
    before; 0 at dumps that are not `recorded`.

    >>> flips_each_way(np.array([[True, False, False, True]]), np.array([0, 2, 3])).tolist()
    [[0, 0, 1, 0], [0, 0, 0, 1]]
    """
    became = np.zeros((2, correct.shape[1]), np.int32)
    known = correct[:, recorded]
    became[0, recorded[1:]] = (known[:, :-1] & ~known[:, 1:]).sum(axis=0)
    became[1, recorded[1:]] = (~known[:, :-1] & known[:, 1:]).sum(axis=0)
    return became
