"""How long do the answers of Validation and Layer view take at the paper's scale, against plain numpy?

    python benchmarks/analysis.py                   # 50,000 samples, 27,560 filters, 750 dumps; about three minutes
    python benchmarks/analysis.py --run runs/paper  # a run that is there already

1. Predictions and measures come from a run: a generated one (generate.py, seeded), written to a temporary folder, or
   the one given.
2. Each answer is timed in this process, the median of several repeats, beside the literal definition in plain numpy:
   windows of k dumps slid over the 0/1 rows; Lloyd's k-means from 10 starts; predictions read from one .npz a dump. The
   order of classes stands beside scipy's optimal leaf ordering; layers.py says what layers and filters stand beside,
   mini_sets.py what mini-sets do.
3. Both results are compared; the last column says how.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from generate import Scale, write_dumps
from layers import layer_rows
from mini_sets import partition_rows
from rich.console import Console
from rich.progress import track
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import pdist
from timing import OUR_REPEATS, THEIR_REPEATS, Row, add, empty_table, same, timed

from deeptracker.analysis.anomalies import FlipEvents, anomalies, count_table, flip_events, scores
from deeptracker.analysis.classes import ClassSamples
from deeptracker.analysis.clusters import cluster_curves, similarity_order
from deeptracker.run import WINDOWS, Run, open_run
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

THRESHOLD = 0.35
SOME_WINDOWS = (5, 10, 40)
STARTS = 10

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Shares = npt.NDArray[np.float32]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Record:
    """What is analysed: `correct` (samples, dumps) in class order, class offsets, error curves (classes, dumps)."""

    correct: Bools
    offsets: Offsets
    curves: Shares

    @classmethod
    def of(cls, run: Run) -> Record:
        assert run.samples is not None
        labels = run.samples.labels
        predicted = np.concatenate([run.class_samples(c).predicted for c in range(run.samples.classes)])
        return cls(np.ascontiguousarray(predicted == labels[:, None]), run.samples.class_offsets, run.error_rates())


def literal_scores(correct: Bools, offsets: Offsets, window: int) -> tuple[Shares, Shares]:
    """Both rules as written: is the sample's value the same in the `window` dumps before a flip, or from it on?"""
    shape = (len(offsets) - 1, correct.shape[1])
    left, right = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for cls, (first, end) in enumerate(pairwise(offsets)):
        rows = correct[first:end]
        windows = np.lib.stride_tricks.sliding_window_view(rows, window, axis=1)
        steady = windows.all(axis=2) | ~windows.any(axis=2)  # entry t: the dumps t ... t + window - 1
        flips = rows[:, 1:] != rows[:, :-1]  # entry t - 1: a flip at t
        left[cls, window:] = (steady[:, :-1] & flips[:, window - 1 :]).mean(axis=0)
        last = steady.shape[1]
        right[cls, 1:last] = (steady[:, 1:] & flips[:, : last - 1]).mean(axis=0)
    return left, right


def literal_events(correct: Bools) -> list[npt.NDArray[np.int32]]:
    """Sample, dump, left and right run of every flip: runs counted dump by dump, forwards and backwards."""
    samples, dumps = correct.shape
    before, after = np.ones((dumps, samples), np.int32), np.ones((dumps, samples), np.int32)
    columns = np.ascontiguousarray(correct.T)
    for t in range(1, dumps):
        before[t] = np.where(columns[t] == columns[t - 1], before[t - 1] + 1, 1)
    for t in range(dumps - 2, -1, -1):
        after[t] = np.where(columns[t] == columns[t + 1], after[t + 1] + 1, 1)
    sample, dump = np.nonzero(correct[:, 1:] != correct[:, :-1])
    return [sample, dump + 1, before[dump, sample], after[dump + 1, sample]]


def literal_counts(correct: Bools, offsets: Offsets, windows: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """(windows, 101): for each window and each threshold in percent, the (class, dump) pairs that reach it."""
    table = np.zeros((len(windows), 101), np.int64)
    sizes = np.diff(offsets)[:, None]
    for row, window in enumerate(windows):
        either = np.maximum(*literal_scores(correct, offsets, window)) * sizes
        counts = np.rint(either).astype(np.int64)
        for percent in range(101):
            table[row, percent] = ((counts * 100 >= percent * sizes) & (counts > 0)).sum()
    return table


def literal_clusters(curves: Floats, k: int) -> tuple[npt.NDArray[np.intp], float]:
    """Lloyd's k-means, the best of 10 random starts: assignment and sum of squared distances."""
    rng = np.random.default_rng(0)
    best: tuple[npt.NDArray[np.intp], float] | None = None
    for _ in range(STARTS):
        centres = curves[rng.choice(len(curves), k, replace=False)]
        nearest = np.full(len(curves), -1)
        while True:
            apart = np.stack([((curves - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
            before, nearest = nearest, apart.argmin(axis=1)
            if np.array_equal(before, nearest):
                break
            members = [curves[nearest == c] for c in range(k)]
            centres = np.array([m.mean(axis=0) if len(m) else centres[c] for c, m in enumerate(members)])
        spread = float(apart.min(axis=1).sum())
        if best is None or spread < best[1]:
            best = nearest, spread
    assert best is not None
    return best


def spread_of(curves: Floats, assignment: npt.NDArray[np.integer[Any]]) -> float:
    """Sum of squared distances of curves to the mean of their cluster."""
    members = [curves[assignment == c] for c in range(int(assignment.max()) + 1)]
    return float(sum(((m - m.mean(axis=0)) ** 2).sum() for m in members))


def length_of(rows: Floats, order: npt.NDArray[np.integer[Any]]) -> float:
    """Sum of distances between neighbours."""
    return float(np.sqrt((np.diff(rows[order], axis=0) ** 2).sum(axis=1)).sum())


def anomaly_rows(record: Record) -> Iterator[Row]:
    """Flip events, scores for a new window, counts for many."""
    ours, events = timed(lambda: flip_events(record.correct), OUR_REPEATS)
    other, literal = timed(lambda: literal_events(record.correct), THEIR_REPEATS)
    columns = (events.sample, events.dump, events.left_run, events.right_run)
    yield Row(f"all {len(events.sample):,} flip events", ours, other, same(*zip(columns, literal, strict=True)))
    for window in SOME_WINDOWS:
        yield _new_window(record, events, window)
    ours, table = timed(lambda: count_table(events, record.offsets, SOME_WINDOWS), OUR_REPEATS)
    other, counts = timed(lambda: literal_counts(record.correct, record.offsets, SOME_WINDOWS), 1)
    yield Row(f"count table, {len(SOME_WINDOWS)} windows x 101 thresholds", ours, other, same((table, counts)))
    ours, _ = timed(lambda: count_table(events, record.offsets, WINDOWS), OUR_REPEATS)
    yield Row(f"count table, {len(WINDOWS)} windows x 101 thresholds", ours, None, "")


def _new_window(record: Record, events: FlipEvents, window: int) -> Row:
    def answer() -> Any:
        found = scores(events, record.offsets, window)
        return found, anomalies(found, THRESHOLD)

    ours, (found, chosen) = timed(answer, OUR_REPEATS)
    other, literal = timed(lambda: literal_scores(record.correct, record.offsets, window), THEIR_REPEATS)
    agreement = same((found.left, literal[0]), (found.right, literal[1]))
    return Row(f"anomalies of all classes, k = {window} ({len(chosen.cls):,} found)", ours, other, agreement)


def class_rows(record: Record) -> Iterator[Row]:
    """Clusters and order of the classes."""
    curves = record.curves.astype(np.float64)
    for k in (4, 8):
        ours, found = timed(lambda k=k: cluster_curves(record.curves, k), THEIR_REPEATS)
        other, literal = timed(lambda k=k: literal_clusters(curves, k), THEIR_REPEATS)
        share = spread_of(curves, found.assignment) / literal[1]
        yield Row(f"clusters of classes, k = {k}", ours, other, f"squared distances x {share:.4f}")
    ours, order = timed(lambda: similarity_order(record.curves), OUR_REPEATS)

    def scipy_order() -> npt.NDArray[np.int32]:
        distances = pdist(curves)
        return leaves_list(optimal_leaf_ordering(linkage(distances, "average"), distances))

    other, theirs = timed(scipy_order, THEIR_REPEATS)
    share = length_of(curves, order.order) / length_of(curves, theirs)
    yield Row("similarity order of classes (beside scipy's)", ours, other, f"length x {share:.4f}")


def chart_rows(place: Path, archives: Path, offsets: Offsets, dumps: int) -> Iterator[Row]:
    """A class's pixel chart: predicted classes of its samples at all dumps, and their order."""
    rows = [slice(int(first), int(end)) for first, end in pairwise(offsets)]

    def first() -> tuple[Run, ClassSamples]:
        run = open_run(place)
        return run, run.class_samples(0)

    def literal(cls: int) -> npt.NDArray[Any]:
        columns: list[npt.NDArray[Any]] = []
        for dump in range(dumps):
            with np.load(archives / f"{dump:06d}.npz") as archive:
                columns.append(archive["predicted"][rows[cls]])
        return np.stack(columns, axis=1)

    ours, (run, chart) = timed(first, THEIR_REPEATS)
    other, expected = timed(lambda: literal(0), THEIR_REPEATS)
    agreement = same((chart.predicted, expected))
    yield Row("open the run, chart of a first class", ours, other, agreement)
    classes = iter(range(1, len(rows)))  # a new one each time, as a run keeps the orders that it has found
    ours, (cls, chart) = timed(lambda: (cls := next(classes), run.class_samples(cls)), OUR_REPEATS)
    agreement = same((chart.predicted, literal(cls)))
    yield Row("chart of each further class", ours, other, agreement)


def write_archives(place: Path, samples: int, archives: Path) -> None:
    """The same predictions as somebody might keep them without DeepTracker: one .npz a dump."""
    archives.mkdir()
    log = LogReader(Blobs(place))
    for number, dump in enumerate(track(log.dumps, description="writing .npz", transient=True)):
        read = log.predictions(dump, samples)
        np.savez(archives / f"{number:06d}.npz", predicted=read.predicted, probability=read.probability)


def main() -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run that is there, instead of a generated one")
    parser.add_argument("--dumps", type=int, default=750)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--samples-per-class", type=int, default=50)
    chosen = parser.parse_args()
    scale = Scale(chosen.dumps, chosen.classes, chosen.samples_per_class, pictures=False)
    with tempfile.TemporaryDirectory() as folder:
        place = chosen.run or Path(folder) / "run"
        if chosen.run is None:
            for _ in track(write_dumps(place, scale), total=scale.dumps, description="writing a run", transient=True):
                pass
        record = Record.of(open_run(place))
        classes, dumps = record.curves.shape
        write_archives(place, len(record.correct), Path(folder) / "archives")
        table = empty_table(f"{classes:,} classes, {len(record.correct):,} samples, {dumps} dumps; medians")
        charts = chart_rows(place, Path(folder) / "archives", record.offsets, dumps)
        mini_sets = partition_rows(place, THRESHOLD)
        for rows in (anomaly_rows(record), class_rows(record), charts, layer_rows(place), mini_sets):
            for row in rows:
                add(table, row)
            table.add_section()
    console = Console()
    console.width = max(console.width, 110)
    console.print(table)


if __name__ == "__main__":
    main()
