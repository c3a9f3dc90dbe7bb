"""What do the scalars that were logged every iteration say of the dumps? (paper, 8.1)

1. A stage of training ends where the learning rate jumps: changes by a factor of more than 1.5 from one iteration to
   the next. Near 0 smooth schedules do so as well (the second step of a warm-up doubles the rate, the end of a cosine
   quarters it), but little by little: a large change that goes on from a smaller one in the same direction, at most
   three times as large, is no jump. Steps and restarts are. Both ends of a stage are told.
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
SMOOTH_GROWTH = 3.0
"""The last changes of a cosine, as logarithms of their factors: 0.45, 0.58, 0.81, 1.39, each at most 1.7 times the one
before. A step of 10 (2.30) after even a steep exponential decay (0.4) is more than 5 times."""
LARGEST_CHANGE = 3.5
"""A change to 0 counts as this, so that the end of a cosine, 3 times its change before, is smooth."""
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
    starts = np.concatenate([[0], _jumps(np.abs(lr)) + 1])
    ends = np.concatenate([starts[1:] - 1, [len(lr) - 1]])
    return [
        Stage(int(iterations[a]), int(iterations[b]), float(lr[a]), float(lr[b]))
        for a, b in zip(starts, ends, strict=True)
    ]


def _jumps(lr: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows after which the rate jumps. Leaving the 0 that some warm-ups begin with is no jump."""
    begun = np.maximum.accumulate(lr)[:-1] > 0
    changed = np.flatnonzero((lr[1:] != lr[:-1]) & begun)
    # A rate of 0 has no logarithm: a change to or from it counts as one as large as any.
    logs = np.log(np.maximum(lr, np.finfo(np.float64).tiny))
    steps = np.clip(logs[changed + 1] - logs[changed], -LARGEST_CHANGE, LARGEST_CHANGE)
    smooth = np.abs(steps) <= np.log(JUMP_FACTOR) + 1e-9  # the third step of a warm-up is by 1.5, give or take rounding
    large = np.flatnonzero(~smooth)
    for rows, neighbour in ((large, -1), (large[::-1], 1)):
        for row in rows:
            beside = row + neighbour
            if 0 <= beside < len(steps) and smooth[beside]:
                same_way = steps[row] * steps[beside] > 0
                smooth[row] |= same_way and abs(steps[row]) <= SMOOTH_GROWTH * abs(steps[beside])
    jumps: NDArray[np.intp] = changed[~smooth]
    return jumps


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
                finite = rows[name][np.isfinite(rows[name])]
                values = rows[name] / 100 if finite.max(initial=0) > 1.5 else rows[name]
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
    # Summed dump by dump, not as differences of running sums: one infinite value would spoil all dumps after it.
    dump = np.searchsorted(dumps, iterations[known], side="left")
    sums = np.bincount(dump, values[known], len(dumps) + 1)[: len(dumps)]
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float32] = (sums / np.bincount(dump, minlength=len(dumps) + 1)[: len(dumps)]).astype(
            np.float32
        )
    return means


def values_at(
    iterations: NDArray[np.int64], logged: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float32]:
    """float32 (dumps,): the value logged at each dump's iteration or the next one after it, NaN if nothing was logged.

    `iterations` (dumps,) and `logged` (n,) ascend, `values` is (n,), NaN where only others were logged; beyond the last
    one logged that one counts.

    >>> values_at(np.array([0, 20, 40]), np.array([1, 20]), np.array([0.5, 0.25])).tolist()
    [0.5, 0.25, 0.25]
    """
    known = ~np.isnan(values)
    logged, values = logged[known], values[known]
    if not len(logged):
        return np.full(len(iterations), np.nan, np.float32)
    row = np.clip(np.searchsorted(logged, iterations), 0, len(logged) - 1)
    return values[row].astype(np.float32)
