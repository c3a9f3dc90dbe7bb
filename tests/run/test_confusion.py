"""What `Run` says of confusions agrees with the predictions that were written, whatever is missing of them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import UnsyncedBlobs
from deeptracker import open_run
from deeptracker.errors import DeepTrackerError, LogFileError, UnknownNameError
from deeptracker.run import Run
from deeptracker.schema import MEASURES, Branch, Predictions, RunInfo
from deeptracker.store.log import LogWriter
from deeptracker.store.samples import write_samples

SIZES = (5, 4, 6)
TRUE = np.repeat(np.arange(3), SIZES)
ITERATIONS = [10 * dump for dump in range(12)]
WITHOUT = 40
"""A dump without predictions."""


def labels_at(iteration: int) -> np.ndarray:
    """int16 (samples,): of all kinds, -1 and -2 among them; the last dump is right but for one sample."""
    if iteration == ITERATIONS[-1]:
        return np.where(np.arange(len(TRUE)) == 2, 1, TRUE).astype(np.int16)
    return np.random.default_rng(iteration).integers(-2, 3, len(TRUE)).astype(np.int16)


def write(place: Path) -> None:
    blobs = UnsyncedBlobs(place)
    log = LogWriter(blobs)
    log.write_info(RunInfo("run", "2026-01-01T00:00:00+00:00", (Branch(0, "2026-01-01T00:00:00+00:00"),)))
    write_samples(blobs, [f"s{number}" for number in range(len(TRUE))], TRUE.astype(np.int32), classes=3)
    for iteration in ITERATIONS:
        if iteration == WITHOUT:
            log.write_filters(iteration, dict.fromkeys(MEASURES, np.zeros(1, np.float32)), parts=["filters"])
            continue
        probability = np.linspace(1, 0, len(TRUE)).astype(np.float16)
        log.write_predictions(iteration, Predictions(labels_at(iteration), probability), parts=["predictions"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("confused") / "run"
    write(place)
    return open_run(place)


def test_counts_at_a_dump_are_those_of_its_predictions(run: Run) -> None:
    for iteration in (0, 50):
        found, label = run.confusion(iteration), labels_at(iteration)
        for c in range(3):
            for predicted in range(-2, 3):
                assert found.of(c, predicted) == (label[c == TRUE] == predicted).sum()
        changed = run.confusion_change(iteration, 70)
        assert changed.before.sum() == changed.after.sum() == len(TRUE)


def test_a_course_is_counted_over_all_dumps_and_unknown_where_none_was_evaluated(run: Run) -> None:
    for predicted in (-2, -1, 1):
        found = run.confusion_course(0, predicted)
        expected = [
            -1 if iteration == WITHOUT else ((TRUE == 0) & (labels_at(iteration) == predicted)).sum()
            for iteration in ITERATIONS
        ]
        assert found.counts.tolist() == [expected]
        columns = run.confusion_course(0, predicted, 3, 4)
        assert (columns.level, columns.first) == (4, 4)
        assert columns.counts.tolist() == [[max(expected[4:8]), max(expected[8:])]]


def test_pairs_come_with_their_counts_at_the_dump_and_their_courses_both_ways(run: Run) -> None:
    found = run.confused_pairs(20, 2)
    pairs, counts = found.pairs, found.courses.counts
    assert counts.shape == (4, len(ITERATIONS))
    place = ITERATIONS.index(20)
    assert counts[:2, place].tolist() == pairs.there.tolist()
    assert counts[2:, place].tolist() == pairs.back.tolist()
    (one,) = run.confused_pairs(ITERATIONS[-1]).pairs.first.tolist()
    assert one == 0
    assert (
        run.confused_pairs(ITERATIONS[-1]).courses.counts[1].tolist() == run.confusion_course(1, 0).counts[0].tolist()
    )


def test_the_samples_of_a_cell_come_with_the_surest_mistake_first(run: Run) -> None:
    found = run.confusion_samples(ITERATIONS[-1], 2, 2)
    expected = np.flatnonzero(TRUE == 2)[::-1]  # probabilities fall with the number
    assert found.samples.tolist() == expected.tolist()
    assert found.ids == tuple(f"s{number}" for number in expected)
    assert (np.diff(found.probability) > 0).all()
    assert run.confusion_samples(ITERATIONS[-1], 2, 0).samples.tolist() == []


def test_flows_of_a_class_and_the_order_of_all(run: Run) -> None:
    assert run.confusion_flows(0, 20, 1).count.sum() == SIZES[1]
    changed = labels_at(0) != labels_at(20)
    assert run.confusion_flows(0, 20).count.sum() == changed.sum()
    assert sorted(run.confusion_order().order.tolist()) == [0, 1, 2]


def test_a_dump_that_is_not_there_or_has_no_predictions_is_named(run: Run) -> None:
    with pytest.raises(UnknownNameError, match="no dump at iteration 7"):
        run.confusion(7)
    with pytest.raises(DeepTrackerError, match="iteration 40 has no predictions"):
        run.confusion(WITHOUT)
    with pytest.raises(UnknownNameError, match="no class 9"):
        run.confusion_course(9, 0)
    with pytest.raises(ValueError, match="predicted must be a class, -2"):
        run.confusion_course(0, -3)


def test_a_damaged_dump_is_told_and_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path)
    file = tmp_path / "log" / "predictions" / f"{50:012d}.arrow"
    file.write_bytes(file.read_bytes()[:-40])
    run = open_run(tmp_path)
    with pytest.raises(LogFileError, match=r"000000000050\.arrow"):
        run.confusion(50)
    assert run.confusion(60).count.sum() == len(TRUE)
    assert run.confusion_course(0, 1).counts[0, 5] == -1
