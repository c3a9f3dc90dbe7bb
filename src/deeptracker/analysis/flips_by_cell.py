"""Which anomalies are there at a new window, where most of a long record can be left alone? (paper, 7.1.2)

1. Flips are sorted by cell, that is by class and dump. What a window counts in a cell is what a smaller one counts
   there, or less: so the scores at a power of two are bounds for the windows up to the next one.
2. Of each power of two the TOP cells with the highest bounds are kept, the highest first. A threshold needs those that
   reach it; the highest score is found once it is above the bound of all that are left.
3. Of the highest of these the runs are sorted within each cell: what a window counts there is then looked up, however
   many samples a class has. Of others, flips are counted.
4. Where these cells do not suffice (a threshold of nearly 0) all flips are counted.
5. A newest flip whose right run is too short is pending. There is at most one of each sample; they are counted in the
   cells that are named.

What is found is what anomalies.py finds in the scores of all classes and dumps, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptracker.analysis.anomalies import (
    Anomalies,
    FlipEvents,
    as_shares,
    checked_offsets,
    highest_score,
    needed_counts,
)

TOP = 1 << 15
"""So many cells are kept of each power of two: 0.4 MB, however long the record."""

FIRST = 256
"""So many cells are looked at, at least."""

SORTED = 1 << 11
"""So many of the highest cells have their runs sorted: more anomalies than that nobody looks at."""

SLACK = np.float32(1e-6)
"""More than a threshold's tolerance and the rounding of a share: cells in doubt are counted."""


@dataclass(frozen=True, slots=True, eq=False)
class FlipsByCell:
    """All flips of a record, by class, then dump.

    `left_run` and `right_run` int32 (flips,); those of the i-th cell that has any are [starts[i], starts[i + 1]),
    int64 (cells + 1,). `cls` and `dump` int32 (cells,) say which cell it is. `newest_runs` int64 ascend:
    (class x dumps + dump) x (dumps + 1) + right run, of the newest flip of each sample. `sizes` int32 (classes,), of
    `dumps`.
    """

    left_run: NDArray[np.int32]
    right_run: NDArray[np.int32]
    starts: NDArray[np.int64]
    cls: NDArray[np.int32]
    dump: NDArray[np.int32]
    newest_runs: NDArray[np.int64]
    sizes: NDArray[np.int32]
    dumps: int


@dataclass(frozen=True, slots=True, eq=False)
class TopCells:
    """The cells with the highest scores of either rule at a window, the highest first.

    `cells` int64 (n,) are places among those of `FlipsByCell`, `bounds` float32 (n,) their scores; no other cell has
    more than `rest`. `left_runs` and `right_runs` int64 ascend: place among `cells` x (dumps + 1) + run, of each run of
    the window or longer in the first SORTED cells.
    """

    cells: NDArray[np.int64]
    bounds: NDArray[np.float32]
    rest: float
    left_runs: NDArray[np.int64]
    right_runs: NDArray[np.int64]


def flips_by_cell(events: FlipEvents, class_offsets: ArrayLike) -> FlipsByCell:
    """Sort the flips of a record; `class_offsets` as for `anomalies.scores`, and ValueError as there."""
    offsets = checked_offsets(class_offsets, events.samples)
    bounds = np.searchsorted(events.sample, offsets)
    # Numbers of 16 bits are sorted in a time that grows with the flips only.
    dump = events.dump.astype(np.uint16) if events.dumps <= 1 << 16 else events.dump
    order = np.empty(len(dump), np.int64)
    sizes = np.diff(offsets).astype(np.int32)
    for one in range(len(sizes)):
        own = slice(bounds[one], bounds[one + 1])
        order[own] = bounds[one] + np.argsort(dump[own], kind="stable")
    cell = np.repeat(np.arange(len(sizes), dtype=np.int64) * events.dumps, np.diff(bounds)) + events.dump
    newest_runs = np.sort(cell[events.last] * (events.dumps + 1) + events.right_run[events.last])
    cell = cell[order]
    first_of_cell = np.flatnonzero(np.diff(cell, prepend=-1))
    cls, dump_of_cell = np.divmod(cell[first_of_cell], max(events.dumps, 1))
    return FlipsByCell(
        events.left_run[order],
        events.right_run[order],
        np.append(first_of_cell, len(cell)),
        cls.astype(np.int32),
        dump_of_cell.astype(np.int32),
        newest_runs,
        sizes,
        events.dumps,
    )


def bounding_window(window: int) -> int:
    """The power of two whose `top_cells` are asked for a window; ValueError for a window < 1."""
    if window < 1:
        raise ValueError(f"window must be >= 1. Got {window}. A run of one dump is the shortest there is.")
    return 1 << (window.bit_length() - 1)


def top_cells(flips: FlipsByCell, window: int) -> TopCells:
    """The cells with the highest scores at a window: all flips are counted."""
    left, right = _scores(flips, window, None)
    bounds = np.maximum(left, right)
    cells, rest = np.flatnonzero(bounds), 0.0
    if len(cells) > TOP:  # only what is kept is sorted
        order = np.argpartition(-bounds[cells], TOP)
        cells, rest = cells[order[:TOP]], float(bounds[cells[order[TOP]]])
    cells = cells[np.argsort(-bounds[cells], kind="stable")]
    of_cells = _flips_of(flips, cells[:SORTED])
    left_runs, right_runs = (
        _sorted_runs(runs, of_cells, window, flips.dumps) for runs in (flips.left_run, flips.right_run)
    )
    return TopCells(cells, bounds[cells], rest, left_runs, right_runs)


def anomalies_at(flips: FlipsByCell, top: TopCells, window: int, threshold: float) -> Anomalies:
    """What `anomalies.anomalies` keeps of the scores at a window (dumps) under a threshold (share).

    ValueError as there. `top` are the `top_cells` at the window's `bounding_window`.

    >>> from deeptracker.analysis.anomalies import flip_events
    >>> record = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 1, 0]], dtype=bool)
    >>> flips = flips_by_cell(flip_events(record), [0, 2])
    >>> found = anomalies_at(flips, top_cells(flips, bounding_window(2)), window=2, threshold=0.6)
    >>> found.dump.tolist(), found.left.tolist(), found.right.tolist(), found.highest
    ([3], [1.0], [0.5], HighestScore(score=1.0, cls=0, dump=3, rule='left'))
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be a share in 0..1. Got {threshold}. 0.35 means 35 % of the class's samples.")
    cells, left, right = _enough(flips, top, window, np.float32(threshold) - SLACK)
    cls, dump = flips.cls[cells], flips.dump[cells]
    size = flips.sizes[cls]
    limits = as_shares(needed_counts(size, np.array([threshold])), size)
    chosen = np.flatnonzero((left >= limits) | (right >= limits))
    pending = as_shares(_pending(flips, window, cls[chosen], dump[chosen]), size[chosen])
    highest = highest_score(cls, dump, left, right)
    return Anomalies(cls[chosen], dump[chosen], left[chosen], right[chosen], pending, window, threshold, highest)


def _enough(
    flips: FlipsByCell, top: TopCells, window: int, threshold: np.float32
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Cells, ascending, and their scores: all that may reach the threshold, and that with the highest score."""
    count = max(FIRST, int(np.searchsorted(-top.bounds, -threshold, side="right")))
    while True:
        cells, left, right = _top_scores(flips, top, window, count)
        highest = max(left.max(initial=0), right.max(initial=0))
        next_bound = top.bounds[count] if count < len(top.bounds) else top.rest
        if next_bound < highest or next_bound == 0:
            break
        if count >= len(top.bounds):
            return np.arange(len(flips.cls)), *_scores(flips, window, None)
        count *= 2
    if top.rest and top.rest >= threshold:
        return np.arange(len(flips.cls)), *_scores(flips, window, None)
    return cells, left, right


def _top_scores(
    flips: FlipsByCell, top: TopCells, window: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """The first cells at the top, ascending, and the scores of both rules, float32 (cells,) each."""
    cells = top.cells[:count]
    order = np.argsort(cells)
    if count > SORTED:
        return cells[order], *_scores(flips, window, cells[order])
    size = flips.sizes[flips.cls[cells]]
    first = np.arange(len(cells), dtype=np.int64) * (flips.dumps + 1)
    left, right = (
        as_shares(np.searchsorted(runs, first + flips.dumps + 1) - np.searchsorted(runs, first + window), size)
        for runs in (top.left_runs, top.right_runs)
    )
    return cells[order], left[order], right[order]


def _scores(
    flips: FlipsByCell, window: int, cells: NDArray[np.int64] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The scores of both rules at some cells (None: at all), float32 (cells,) each."""
    if cells is None:
        ends, runs = flips.starts[1:], (flips.left_run, flips.right_run)
        size = flips.sizes[flips.cls]
    else:
        of_cells = _flips_of(flips, cells)
        ends, runs = of_cells.ends, (flips.left_run[of_cells.places], flips.right_run[of_cells.places])
        size = flips.sizes[flips.cls[cells]]
    # Counted up to each cell's end, and subtracted: cells have some three flips, too few to add up each for itself.
    left, right = (np.diff(np.cumsum(run >= window)[ends - 1], prepend=0) for run in runs)
    return as_shares(left, size), as_shares(right, size)


@dataclass(frozen=True, slots=True, eq=False)
class _FlipsOfCells:
    """Where the flips of some cells are, one cell after the other: int64 `places` (flips,), `ends` (cells,)."""

    places: NDArray[np.int64]
    ends: NDArray[np.int64]


def _flips_of(flips: FlipsByCell, cells: NDArray[np.int64]) -> _FlipsOfCells:
    counts = flips.starts[cells + 1] - flips.starts[cells]
    ends = np.cumsum(counts)
    return _FlipsOfCells(np.repeat(flips.starts[cells + 1] - ends, counts) + np.arange(counts.sum()), ends)


def _sorted_runs(runs: NDArray[np.int32], of_cells: _FlipsOfCells, window: int, dumps: int) -> NDArray[np.int64]:
    """As in `TopCells`."""
    cell = np.repeat(np.arange(len(of_cells.ends), dtype=np.int64), np.diff(of_cells.ends, prepend=0))
    own = runs[of_cells.places]
    counts = own >= window
    return np.sort(cell[counts] * (dumps + 1) + own[counts])


def _pending(flips: FlipsByCell, window: int, cls: NDArray[np.int32], dump: NDArray[np.int32]) -> NDArray[np.int64]:
    """int64 (n,): how many newest flips at these classes and dumps may still reach the window."""
    first = (cls.astype(np.int64) * flips.dumps + dump) * (flips.dumps + 1)
    return np.searchsorted(flips.newest_runs, first + window) - np.searchsorted(flips.newest_runs, first)
