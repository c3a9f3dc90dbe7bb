"""What do the scalars that were logged every iteration say of the dumps? (paper, 8.1)

1. A stage of training ends where the learning rate changes by a factor of more than 1.5 from one iteration to the next:
   steps and restarts count, a smooth schedule (warm-up, cosine) does not. Both ends of a stage are told.
2. The training error at a dump is the mean of what was logged since the dump before. People log it under several
   names, as error or accuracy, as a share or in percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

JUMP_FACTOR = 1.5
ERROR_NAMES = ("train_error", "training_error", "error")
ACCURACY_NAMES = ("train_accuracy", "training_accuracy", "accuracy", "train_acc", "acc")


@dataclass(frozen=True, slots=True)
class Stage:
    """Iterations `first` to `last`, both inclusive; the learning rate at both."""

    first: int
    last: int
    lr: float
    lr_end: float


def learning_rate_stages(iterations: NDArray[np.int64], lr: NDArray[np.float64]) -> list[Stage]:
    """The stages of a schedule: `iterations` ascending (n,), `lr` (n,), NaN where it was not logged.

    >>> learning_rate_stages(np.arange(1, 7), np.array([0.1, 0.1, 0.1, 0.01, 0.01, 0.009]))
    [Stage(first=1, last=3, lr=0.1, lr_end=0.1), Stage(first=4, last=6, lr=0.01, lr_end=0.009)]
    """
    if iterations.shape != lr.shape:
        raise ValueError(f"iterations and lr must have the same length. Got {iterations.shape} and {lr.shape}.")
    known = np.isfinite(lr)
    iterations, lr = iterations[known], lr[known]
    if not len(lr):
        return []
    # A rate of 0 (some warm-ups begin there) has no ratio; the smallest float keeps the comparison defined.
    size = np.maximum(np.abs(lr), np.finfo(np.float64).tiny)
    ratio = np.maximum(size[1:] / size[:-1], size[:-1] / size[1:])
    jumps = (ratio > JUMP_FACTOR) & (size[:-1] > np.finfo(np.float64).tiny)
    starts = np.concatenate([[0], np.flatnonzero(jumps) + 1])
    ends = np.concatenate([starts[1:] - 1, [len(lr) - 1]])
    return [
        Stage(int(iterations[a]), int(iterations[b]), float(lr[a]), float(lr[b]))
        for a, b in zip(starts, ends, strict=True)
    ]


def training_error(rows: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """float64 (n,): the training error at each row of scalars, as a share, NaN where it was not logged.

    Taken from the first name of ERROR_NAMES that was logged, else 1 - the first of ACCURACY_NAMES. Values above 1.5
    anywhere mean that it was logged in percent.

    >>> training_error({"iteration": np.array([1, 2]), "accuracy": np.array([40.0, 75.0])}).tolist()
    [0.6, 0.25]
    """
    for names, is_error in ((ERROR_NAMES, True), (ACCURACY_NAMES, False)):
        for name in names:
            if name in rows:
                values = rows[name] / 100 if np.nanmax(rows[name], initial=0) > 1.5 else rows[name]
                return values if is_error else 1 - values
    return np.full(len(rows["iteration"]), np.nan)


def means_since_last(
    dumps: NDArray[np.int64], iterations: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float32]:
    """float32 (dumps,): mean of the values at iterations after the dump before, up to this one; NaN if there are none.

    `dumps` and `iterations` ascend; `values` (n,) goes with `iterations`.

    >>> means_since_last(np.array([0, 2]), np.array([1, 2, 3]), np.array([0.5, 0.25, 0.0])).tolist()
    [nan, 0.375]
    """
    known = ~np.isnan(values)
    sums = np.concatenate([[0.0], np.cumsum(values[known])])
    last = np.searchsorted(iterations[known], dumps, side="right")
    first = np.concatenate([[0], last[:-1]]) if len(last) else last
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float32] = ((sums[last] - sums[first]) / (last - first)).astype(np.float32)
    return means
