"""What is answered of one class over all dumps? (paper, 6: Cls-Stat and Cls-Image index)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.clusters import Ordering

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
