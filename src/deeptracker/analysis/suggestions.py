"""Which window and threshold show anomalies that chance does not explain? (paper, section 10: suggestions)

An anomaly is that many samples of one class change at one dump after, or before, a long time without change, and that
this is rare. So what is expected by chance is counted twice, and the larger count holds:

1. *In time.* Of each sample's row of right and wrong the end is joined to the beginning, and it is turned by an offset
   of its own, drawn at random. So it flips as often as before, after runs as long; that samples flip together is gone.
2. *Among classes.* Samples change places at random, so classes of the same sizes hold others. Where the whole network
   moves, early or when the learning rate changes, they still flip together; that those of one class do is gone. (Not
   where there is one class.)
3. For each window, `count_table` counts the anomalies at every threshold of a whole percentage: in the record, and in
   as many of each kind as make a steady mean. What is to be expected is (all of theirs + 1) / (their number + 1): so
   nothing is called impossible because it was not seen.
4. The threshold of a window is the smallest at which at most RATE of the anomalies are expected by chance (the false
   discovery rate, bounded), they are rare (at most RARE of all classes x dumps, or one a class), and each is of many
   samples (MANY of a class; where none is so large, of fewer).
5. The best setting is the one with the longest window of those that show nearly as much as any (NEARLY of the most
   beyond chance): the longer samples stayed the same, the more it says that they change. Then come shorter windows,
   then those that show less. Windows are apart by a factor of two or more: neighbours show the same.

Classes add up, so a few of them are taken at a time, and memory is bounded. Equal seeds give equal answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptracker.analysis.anomalies import checked_offsets, count_table, flip_events, flip_events_of_bits
from deeptracker.analysis.bits import packed

RATE = 0.05
"""Of the anomalies that a suggested setting shows at most this share is expected by chance."""

RARE = 0.01
"""Of classes x dumps at most this share, or one a class, is shown: of a record of 100 dumps and more, one in 100."""

MANY = 0.2
"""The share of a class that changes at once, at least, where any does."""

NEARLY = 0.75
"""Of anomalies beyond chance: so many of the most are as good."""

LONGEST_WINDOW = 50
"""What stayed the same for so many dumps is stable, however long the record is."""

LEAST_DUMPS = 8
"""Of a shorter record nothing is said."""

MOST_ROUNDS, LEAST_ROUNDS, ENOUGH_CELLS = 20, 5, 1 << 20
"""So many turned records are counted: fewer where one has many cells (classes x dumps), whose mean is steady sooner.
With 20 a single anomaly can be told from chance: 1 / 21 is below RATE."""

PIECE_CELLS = 1 << 24
"""Classes of about so many samples x dumps are taken at a time, a byte each."""

_STEPS = (1, 2, 3, 5, 7)
_APART = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """A window (dumps) and a threshold (share of a class, a whole percentage), and what they show.

    `anomalies` is the number of (class, dump) pairs that either rule marks, `expected` how many of them chance would
    give, in time or among classes, whichever is more.
    """

    window: int
    threshold: float
    anomalies: int
    expected: float

    @property
    def false_discovery_rate(self) -> float:
        """The share of its anomalies that chance explains."""
        return self.expected / self.anomalies


def windows_for(dumps: int) -> list[int]:
    """The windows that are tried for a record of so many dumps: five to each power of ten, to a third of the record.

    None is longer than LONGEST_WINDOW.

    >>> windows_for(40)
    [1, 2, 3, 5, 7, 10]
    """
    tried = (step * 10**power for power in range(len(str(dumps))) for step in _STEPS)
    return [window for window in tried if window <= min(dumps // 3, LONGEST_WINDOW)]


def suggest(correct: NDArray[np.bool_], class_offsets: ArrayLike, *, settings: int = 3, seed: int = 0) -> list[Setting]:
    """At most so many settings, the best first; none where chance explains everything, or the record is too short.

    `correct` is bool (samples, dumps), samples in class order; `class_offsets` int (classes + 1,) as for
    `anomalies.scores`. Raises ValueError as `flip_events` and `scores` do.

    >>> rng = np.random.default_rng(1)
    >>> record = rng.random((60, 40)) < 0.1
    >>> record[:20, 11:25], record[:20, 25:] = False, True
    >>> best = suggest(record, [0, 20, 40, 60])[0]
    >>> best.window, best.threshold, best.anomalies, round(best.expected, 3)
    (10, 0.61, 1, 0.048)
    """
    flip_events(correct[:0])  # which says what is wrong with an array of another kind
    return suggest_of_bits(packed(correct), correct.shape[1], class_offsets, settings=settings, seed=seed)


def suggest_of_bits(
    words: NDArray[np.uint64], dumps: int, class_offsets: ArrayLike, *, settings: int = 3, seed: int = 0
) -> list[Setting]:
    """The same of a record of bits, as `anomalies.flip_events_of_bits` takes it."""
    flip_events_of_bits(words[:, :0], dumps)
    samples = words.shape[1]
    offsets = checked_offsets(class_offsets, samples)
    windows = windows_for(dumps)
    if dumps < LEAST_DUMPS or not samples:
        return []
    sizes = np.diff(offsets)
    cells = max(1, dumps * len(sizes))
    rounds = int(np.clip(-(-ENOUGH_CELLS // cells), LEAST_ROUNDS, MOST_ROUNDS))
    rng = np.random.default_rng(seed)
    observed, by_chance = _counted(words, dumps, offsets, windows, rng.integers(0, dumps, (rounds, samples)))
    if np.count_nonzero(sizes) > 1:
        none = np.zeros((0, samples), np.int64)
        orders = (rng.permutation(samples) for _ in range(rounds))
        mixed = sum(_counted(words[:, order], dumps, offsets, windows, none)[0] for order in orders)
        by_chance = np.maximum(by_chance, mixed)
    expected = (by_chance + 1) / (rounds + 1)
    most = max(int(RARE * cells), len(sizes))
    found = [_of(window, observed[at], expected[at], most) for at, window in enumerate(windows)]
    return _apart(_best_first([setting for setting in found if setting]))[:settings]


def turned(rows: NDArray[np.bool_], by: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Each row (samples, dumps) with its end joined to its beginning, turned by its own offset, int (samples,).

    >>> turned(np.array([[True, False, False], [True, False, False]]), np.array([0, 2])).astype(int).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    found = np.empty_like(rows)
    order = np.argsort(by, kind="stable")
    bounds = np.searchsorted(by[order], np.arange(rows.shape[1] + 1))
    for offset in np.flatnonzero(np.diff(bounds)):
        alike = order[bounds[offset] : bounds[offset + 1]]
        found[alike] = np.roll(rows[alike], offset, axis=1)
    return found


def _counted(
    words: NDArray[np.uint64],
    dumps: int,
    offsets: NDArray[np.int64],
    windows: list[int],
    turns: NDArray[np.integer],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The tables (windows, 101) of a record of bits, and of all turned ones together; `turns` is (rounds, samples)."""
    observed, of_turned = np.zeros((2, len(windows), 101), np.int64)
    for classes in _pieces(offsets, dumps):
        first, last = offsets[classes.start], offsets[classes.stop]
        own = offsets[classes.start : classes.stop + 1] - first
        rows = _rows(words[:, first:last], dumps)
        observed += count_table(flip_events(rows), own, windows)
        for turn in turns:
            of_turned += count_table(flip_events(turned(rows, turn[first:last])), own, windows)
    return observed, of_turned


def _of(window: int, observed: NDArray[np.int64], expected: NDArray[np.float64], most: int) -> Setting | None:
    """The setting of a window, from counts at each percentage; a threshold of 0 is none."""
    fits = (expected <= RATE * observed) & (observed > 0) & (observed <= most)
    fitting = np.flatnonzero(fits[1:]) + 1
    if not len(fitting):
        return None
    many = fitting[fitting >= 100 * MANY]
    at = int(many[0] if len(many) else fitting[0])
    return Setting(window, at / 100, int(observed[at]), float(expected[at]))


def _best_first(found: list[Setting]) -> list[Setting]:
    """In the order of step 5; those of many samples before those of fewer."""
    most = max((s.anomalies - s.expected for s in found if s.threshold >= MANY), default=0.0)

    def rank(s: Setting) -> tuple[bool, bool, float]:
        beyond = s.anomalies - s.expected
        is_less = beyond < NEARLY * most
        return s.threshold < MANY, is_less, -beyond if is_less else -s.window

    return sorted(found, key=rank)


def _apart(found: list[Setting]) -> list[Setting]:
    """The first of neighbouring windows."""
    chosen: list[Setting] = []
    for one in found:
        if all(max(one.window, other.window) >= _APART * min(one.window, other.window) for other in chosen):
            chosen.append(one)
    return chosen


def _pieces(offsets: NDArray[np.int64], dumps: int) -> Iterator[slice]:
    """The classes, some at a time."""
    first, most = 0, max(1, PIECE_CELLS // dumps)
    while first < len(offsets) - 1:
        fitting = int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1
        yield slice(first, first := max(fitting, first + 1))


def _rows(words: NDArray[np.uint64], dumps: int) -> NDArray[np.bool_]:
    """bool (samples, dumps) of a record of bits (blocks, samples)."""
    of_bytes = np.ascontiguousarray(words.T, "<u8").view(np.uint8).reshape(words.shape[1], 8 * len(words))
    return np.unpackbits(of_bytes, axis=1, bitorder="little", count=dumps).view(np.bool_)
