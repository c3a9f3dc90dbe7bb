"""At which dumps do many samples of a class flip between correct and wrong? (paper, 7.1.2)

1. A flip is a dump at which a sample is classified correctly and was not at the dump before, or the other way round.
   `flip_events` lists every flip of a record once (found by bits.py), with the length of the run that ends there (left
   run) and of the run that begins there (right run). Runs are counted inside the record only.
2. The left rule fires at a flip whose left run is at least `window` dumps long, the right rule at one whose right run
   is. Both name the first dump with the new value. `scores` counts, for each class and dump, the samples whose rule
   fires, as a share of the class. A newest flip whose right run is still too short is pending, not false.
3. `anomalies` keeps the scores that reach a threshold, and `count_table` says how many it would keep at every window
   and every threshold of a whole percentage. Both ask `needed_counts`, so they agree to the last sample.

The events do not depend on window and threshold: a new setting is a filter over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptracker.analysis.bits import WORD, count_flips, flips, packed

PIECE_FLIPS = 1 << 16
"""Classes of about so many flips are scored at a time, so that the temporaries stay in the cache."""

SHARE_TOLERANCE = 5e-8
"""A share this little under a threshold still reaches it: more than the rounding of a float32 share (3e-8), so that a
score handed back as a threshold names itself, and too little to let a smaller count pass as a whole percentage in
classes below 200,000 samples."""


@dataclass(frozen=True, slots=True, eq=False)
class FlipEvents:
    """Every flip of a record, sorted by sample, then dump; hence by class, as samples come in class order.

    All arrays are (flips,). `sample`, `dump` (the first with the new value), `left_run` and `right_run` (in dumps,
    >= 1) are int32. `last` is bool: the sample's newest flip, whose right run is still open at the end of the record.
    `samples` and `dumps` are the record's extent. A flip takes 17 bytes. Raises ValueError where the arrays do not fit
    together.
    """

    sample: NDArray[np.int32]
    dump: NDArray[np.int32]
    left_run: NDArray[np.int32]
    right_run: NDArray[np.int32]
    last: NDArray[np.bool_]
    samples: int
    dumps: int

    def __post_init__(self) -> None:
        columns = (self.sample, self.dump, self.left_run, self.right_run, self.last)
        kinds = [(column.dtype.name, column.shape) for column in columns]
        flips = (self.sample.size,)
        if kinds != [("int32", flips)] * 4 + [("bool", flips)]:
            raise ValueError(
                f"sample, dump, left_run, right_run must be int32 and last bool, all 1-d of one length. Got {kinds}. "
                "Make events with flip_events()."
            )


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyScores:
    """Scores of every class at every dump for one window.

    `left`, `right` and `pending` are float32 (classes, dumps): the share of the class's samples whose left rule fires,
    whose right rule fires, and whose right rule may still fire when the record grows. `sizes` is int32 (classes,), the
    samples of each class; a class without samples scores 0. Raises ValueError where the arrays do not fit together.
    """

    left: NDArray[np.float32]
    right: NDArray[np.float32]
    pending: NDArray[np.float32]
    sizes: NDArray[np.int32]
    window: int

    def __post_init__(self) -> None:
        shapes = [self.left.shape, self.right.shape, self.pending.shape]
        if self.left.ndim != 2 or len(set(shapes)) != 1 or self.sizes.shape != self.left.shape[:1]:
            raise ValueError(
                "left, right and pending must be (classes, dumps) and sizes (classes,). "
                f"Got {shapes} and {self.sizes.shape}. Make scores with scores()."
            )


@dataclass(frozen=True, slots=True)
class HighestScore:
    """The highest score of all classes and dumps at one window, and the rule it belongs to."""

    score: float
    cls: int
    dump: int
    rule: Literal["left", "right"]


@dataclass(frozen=True, slots=True, eq=False)
class Anomalies:
    """Anomaly iterations: one entry for each (class, dump) where a rule's score reaches the threshold.

    Sorted by class, then dump. `cls` and `dump` are int32 (n,); `left`, `right` and `pending` float32 (n,), the scores
    there, those under the threshold as they are. `highest` is the highest score at this window, whatever the threshold:
    the first by class, then dump, then left before right; None where no rule fires at all.
    """

    cls: NDArray[np.int32]
    dump: NDArray[np.int32]
    left: NDArray[np.float32]
    right: NDArray[np.float32]
    pending: NDArray[np.float32]
    window: int
    threshold: float
    highest: HighestScore | None


def flip_events(correct: NDArray[np.bool_]) -> FlipEvents:
    """List the flips of every sample (paper, 7.1.2, step 1, for all windows at once).

    `correct` is bool (samples, dumps), samples in class order. Raises ValueError for another shape or dtype.

    >>> events = flip_events(np.array([[False, False, True, True, True, False]]))
    >>> events.dump.tolist(), events.left_run.tolist(), events.right_run.tolist(), events.last.tolist()
    ([2, 5], [2, 3], [3, 1], [False, True])
    """
    if correct.ndim != 2 or correct.dtype != np.bool_:
        raise ValueError(
            f"correct must be bool (samples, dumps). Got {correct.dtype} {correct.shape}. "
            "Compare predicted with true labels first."
        )
    return flip_events_of_bits(packed(correct), correct.shape[1])


def flip_events_of_bits(words: NDArray[np.uint64], dumps: int) -> FlipEvents:
    """The same of a record of bits: uint64 (blocks, samples), bit i of [b, s] for sample s at dump 64 b + i.

    Bits of later dumps than there are mean nothing. Raises ValueError for another shape or dtype.
    """
    if words.ndim != 2 or words.dtype != np.uint64 or len(words) != -(-dumps // WORD):
        raise ValueError(
            f"words must be uint64 ({-(-dumps // WORD)}, samples) for {dumps} dumps. Got {words.dtype} {words.shape}. "
            "Pack a record with bits.packed()."
        )
    count = count_flips(words, dumps)
    sample, dump, left_run, right_run = (np.empty(count, np.int32) for _ in range(4))
    last = np.empty(count, np.bool_)
    end = 0
    for samples_of, dumps_of in flips(words, dumps):
        own = slice(end, end := end + len(samples_of))
        sample[own], dump[own] = samples_of, dumps_of
        _measure_runs(samples_of, dumps_of, dumps, left_run[own], right_run[own], last[own])
    return FlipEvents(sample, dump, left_run, right_run, last, words.shape[1], dumps)


def scores(events: FlipEvents, class_offsets: ArrayLike, window: int) -> AnomalyScores:
    """Score every class at every dump (paper, 7.1.2, step 2).

    `class_offsets` is int (classes + 1,): the samples of class c are [class_offsets[c], class_offsets[c + 1]), none
    where the two are equal. `window` is the paper's k, in dumps. Raises ValueError for a window < 1 or offsets that do
    not cover the samples in order.

    >>> record = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 1, 0], [1, 0, 1, 1, 1]], dtype=bool)
    >>> at = scores(flip_events(record), [0, 2, 3], window=2)
    >>> at.left.tolist()
    [[0.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    >>> at.right.tolist()
    [[0.0, 0.0, 0.0, 0.5, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]]
    >>> at.pending.tolist()
    [[0.0, 0.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    if window < 1:
        raise ValueError(f"window must be >= 1. Got {window}. A run of one dump is the shortest there is.")
    offsets = checked_offsets(class_offsets, events.samples)
    bounds = np.searchsorted(events.sample, offsets)
    sizes = np.diff(offsets).astype(np.int32)
    left, right, pending = (np.empty((len(sizes), events.dumps), np.float32) for _ in range(3))
    for classes in _pieces(bounds):
        own = slice(bounds[classes.start], bounds[classes.stop])
        # Where a flip counts: in the cell of its class, of those of this piece, and its dump.
        cell = np.repeat(np.arange(classes.stop - classes.start) * events.dumps, np.diff(bounds)[classes])
        cell += events.dump[own]
        fires = events.right_run[own] >= window
        rules = ((left, events.left_run[own] >= window), (right, fires), (pending, events.last[own] & ~fires))
        for shares, chosen in rules:
            counts = np.bincount(cell[np.flatnonzero(chosen)], minlength=shares[classes].size)
            shares[classes] = as_shares(counts.reshape(shares[classes].shape), sizes[classes, None])
    return AnomalyScores(left, right, pending, sizes, window)


def anomalies(scores: AnomalyScores, threshold: float) -> Anomalies:
    """Keep the scores that reach a threshold under either rule (paper, 7.1.1, "experts can set a threshold").

    `threshold` is a share 0..1; a share less by up to `SHARE_TOLERANCE` reaches it too, and a threshold of 0 keeps
    every score above 0. Raises ValueError for a threshold outside 0..1.

    >>> record = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 1, 0]], dtype=bool)
    >>> found = anomalies(scores(flip_events(record), [0, 2], window=2), threshold=0.6)
    >>> found.dump.tolist(), found.left.tolist(), found.right.tolist(), found.highest
    ([3], [1.0], [0.5], HighestScore(score=1.0, cls=0, dump=3, rule='left'))
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be a share in 0..1. Got {threshold}. 0.35 means 35 % of the class's samples.")
    sizes = scores.sizes[:, None]
    # Shares and limits are rounded to float32 by the same division, so comparing them compares the counts.
    limits = as_shares(needed_counts(sizes, np.array([threshold])), sizes)
    cls, dump = np.nonzero((scores.left >= limits) | (scores.right >= limits))
    return Anomalies(
        cls.astype(np.int32),
        dump.astype(np.int32),
        scores.left[cls, dump],
        scores.right[cls, dump],
        scores.pending[cls, dump],
        scores.window,
        threshold,
        _highest(scores),
    )


def count_table(events: FlipEvents, class_offsets: ArrayLike, windows: ArrayLike) -> NDArray[np.int32]:
    """Count what `anomalies` would name at every window and every threshold of a whole percentage.

    `class_offsets` as for `scores`; `windows` is int (w,), each >= 1, in any order. Returns int32 (w, 101): entry
    [i, j] is the number of (class, dump) pairs that reach j % at windows[i]; for j = 0 those with any score above 0.
    Raises ValueError as `scores` does.

    >>> record = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 1, 0]], dtype=bool)
    >>> table = count_table(flip_events(record), [0, 2], [1, 2, 4])
    >>> table[:, [0, 50, 51, 100]].tolist()
    [[2, 2, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]]
    """
    asked = np.asarray(windows, dtype=np.int64)
    if asked.ndim != 1 or (asked < 1).any():
        raise ValueError(f"windows must be 1-d and each >= 1. Got {asked.tolist()}. Leave out the others.")
    offsets = checked_offsets(class_offsets, events.samples)
    bounds = np.searchsorted(events.sample, offsets)
    ascending, position = np.unique(asked, return_inverse=True)
    reached = np.searchsorted(ascending, np.arange(events.dumps + 1), side="right")  # by length of a run
    needed = needed_counts(np.diff(offsets)[:, None], np.arange(101) / 100)
    table = np.zeros((ascending.size, 101), dtype=np.int64)
    for cls in np.flatnonzero(np.diff(bounds)):
        own = slice(bounds[cls], bounds[cls + 1])
        dump = events.dump[own]
        shape = (ascending.size + 1, events.dumps)
        fired = np.maximum(
            _fired(reached[events.left_run[own]], dump, shape), _fired(reached[events.right_run[own]], dump, shape)
        )
        table += _dumps_with_at_least(fired, int(offsets[cls + 1] - offsets[cls]))[:, needed[cls]]
    return table[position].astype(np.int32)


def _measure_runs(
    sample: NDArray[np.int32],
    dump: NDArray[np.int32],
    dumps: int,
    left_run: NDArray[np.int32],
    right_run: NDArray[np.int32],
    last: NDArray[np.bool_],
) -> None:
    """Fill the last three columns of `FlipEvents` for all flips of some samples."""
    last[-1:] = True
    np.not_equal(sample[1:], sample[:-1], out=last[:-1])
    gap, is_between = np.diff(dump), ~last[:-1]
    left_run[:], right_run[:] = dump, np.int32(dumps) - dump
    np.copyto(left_run[1:], gap, where=is_between)
    np.copyto(right_run[:-1], gap, where=is_between)


def checked_offsets(class_offsets: ArrayLike, samples: int) -> NDArray[np.int64]:
    offsets = np.asarray(class_offsets)
    if (
        offsets.ndim != 1
        or not np.issubdtype(offsets.dtype, np.integer)
        or offsets.size == 0
        or offsets[0] != 0
        or offsets[-1] != samples
        or (offsets[1:] < offsets[:-1]).any()
    ):
        raise ValueError(
            f"class_offsets must be integers that ascend from 0 to the number of samples, {samples}. "
            f"Got {class_offsets!r}. Take the cumulated class sizes, with a 0 in front."
        )
    return offsets.astype(np.int64)


def _pieces(bounds: NDArray[np.intp]) -> Iterator[slice]:
    """The classes in slices of about PIECE_FLIPS flips each; class c has the flips [bounds[c], bounds[c + 1])."""
    first = 0
    while first < len(bounds) - 1:
        fitting = int(np.searchsorted(bounds, bounds[first] + PIECE_FLIPS, side="right")) - 1
        yield slice(first, first := max(fitting, first + 1))


def as_shares(counts: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.float32]:
    """Counts as shares of their class: the one division. Distinct counts stay distinct below 2^23 samples a class."""
    return np.asarray(counts / np.maximum(sizes, 1), dtype=np.float32)


def needed_counts(sizes: NDArray[np.integer], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """The smallest number of samples, at least 1, that is the share `threshold` of a class of `size`; broadcasts."""
    return np.maximum(np.ceil((thresholds - SHARE_TOLERANCE) * sizes), 1).astype(np.int64)


def _fired(reached: NDArray[np.intp], dump: NDArray[np.int32], shape: tuple[int, int]) -> NDArray[np.intp]:
    """How many samples of a class fire at each window and dump: (windows, dumps).

    `reached` is, for each flip, how many of the ascending windows its run reaches; `shape` is (windows + 1, dumps).
    """
    exactly = np.bincount(reached * shape[1] + dump, minlength=shape[0] * shape[1]).reshape(shape)
    return np.cumsum(exactly[:0:-1], axis=0)[::-1]


def _dumps_with_at_least(fired: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Entry [w, c]: at how many dumps do c samples or more fire? For c in 0..size, from counts (windows, dumps)."""
    windows = fired.shape[0]
    key = fired + (size + 1) * np.arange(windows)[:, None]
    exactly = np.bincount(key.ravel(), minlength=windows * (size + 1)).reshape(windows, size + 1)
    return np.cumsum(exactly[:, ::-1], axis=1)[:, ::-1]


def _highest(scores: AnomalyScores) -> HighestScore | None:
    cls, dump = np.nonzero((scores.left > 0) | (scores.right > 0))
    return highest_score(cls, dump, scores.left[cls, dump], scores.right[cls, dump])


def highest_score(
    cls: NDArray[np.integer], dump: NDArray[np.integer], left: NDArray[np.float32], right: NDArray[np.float32]
) -> HighestScore | None:
    """The highest of the scores of some cells, sorted by class, then dump; None where all are 0. Arrays are (n,)."""
    either = np.maximum(left, right)
    if not either.any():
        return None
    place = int(either.argmax())
    rule: Literal["left", "right"] = "left" if left[place] >= right[place] else "right"
    return HighestScore(float(either[place]), int(cls[place]), int(dump[place]), rule)
