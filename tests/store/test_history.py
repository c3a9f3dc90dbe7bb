"""The history says what reading every prediction file one by one says, also while a run grows."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from deeptracker.schema import Branch, Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.histograms import Histograms
from deeptracker.store.history import PredictionHistory
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.samples import Samples

CLASSES = 4
LABELS = np.array([0, 0, 0, 1, 1, 3], np.int32)  # class 2 has no samples
N = len(LABELS)
SAMPLES = Samples(tuple("abcdef"), LABELS, CLASSES, False)
PARTS = ("layers", "predictions")


def info(*starts: int) -> RunInfo:
    return RunInfo("a", "2026-01-02T03:04:05+00:00", tuple(Branch(start, "then") for start in (0, *starts)))


def begun(place: Path) -> tuple[Blobs, LogWriter]:
    blobs = Blobs(place)
    log = LogWriter(blobs)
    log.write_info(info())
    return blobs, log


def random_predictions(seed: int, *, some: bool = False, loss: bool = True) -> Predictions:
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero(rng.random(N) < 0.6).astype(np.int32) if some else np.arange(N, dtype=np.int32)
    return Predictions(
        rng.integers(0, CLASSES, len(chosen)).astype(np.int16),
        rng.random(len(chosen)).astype(np.float16),
        rng.random(len(chosen)).astype(np.float16) if loss else None,
        chosen if some else None,
    )


def write_dump(log: LogWriter, iteration: int, given: Predictions | None, *, parts: tuple[str, ...] = PARTS) -> None:
    if given is not None:
        log.write_predictions(iteration, given, parts=parts)
    log.write_layers(iteration, Histograms([], [], [], []), parts=parts if given is not None else ("layers",))


def history_of(blobs: Blobs) -> tuple[LogReader, PredictionHistory]:
    log = LogReader(blobs)
    history = PredictionHistory(log, SAMPLES, IndexReader(blobs, log))
    history.refresh()
    return log, history


def unindexed(blobs: Blobs, samples: Samples) -> PredictionHistory:
    log = LogReader(blobs)
    return PredictionHistory(log, samples, IndexReader(blobs, log))


def literal_row(given: Predictions | None) -> list[int]:
    row = [-1] * N
    if given is not None:
        for place, predicted in enumerate(given.predicted):
            row[place if given.samples is None else given.samples[place]] = int(predicted)
    return row


def assert_says(history: PredictionHistory, given: list[Predictions | None]) -> None:
    """Everything the history says of these dumps, sample by sample."""
    rows = [literal_row(one) for one in given]
    assert history.dumps == len(given)
    assert history.predicted(slice(None)).tolist() == [[row[i] for row in rows] for i in range(N)]
    for dump, row in enumerate(rows):
        known = [(LABELS[i], row[i]) for i in range(N) if row[i] >= 0]
        assert_mean(history.overall_error[dump], [label != predicted for label, predicted in known])
        for cls in range(CLASSES):
            of_class = [label != predicted for label, predicted in known if label == cls]
            assert_mean(history.error_rates[cls, dump], of_class)
    right = [[bool(row[i] == LABELS[i]) for row in rows] for i in range(N)]
    for samples in (slice(0, N), slice(2, 5)):
        assert history.right(samples).tolist() == right[samples]
    words = history.correct_words()
    assert (words is None) == any(min(row) < 0 for row in rows)
    if words is not None:
        as_bits = [[bool(int(words[t // 64, i]) >> t % 64 & 1) for t in range(len(rows))] for i in range(N)]
        assert as_bits == right
        assert history.right(slice(2, 5)).tolist() == right[2:5], "from what is held now"
    recorded = [dump for dump, row in enumerate(rows) if max(row) >= 0]
    assert history.recorded.tolist() == recorded
    before = [False] * N
    for place, dump in enumerate(recorded):
        row = rows[dump]
        before = [bool(row[i] == LABELS[i]) if row[i] >= 0 else before[i] for i in range(N)]
        assert history.correct(slice(None))[:, place].tolist() == before
    for name in ("probability", "loss"):
        expected = np.full((N, len(given)), np.nan, np.float16)
        for dump, one in enumerate(given):
            values = None if one is None else getattr(one, name)
            if values is not None:
                expected[slice(None) if one.samples is None else one.samples, dump] = values  # type: ignore[union-attr]
        np.testing.assert_array_equal(history.detail(name, slice(None)), expected)
        np.testing.assert_array_equal(history.detail(name, 4), expected[4])


def assert_mean(found: np.float32, flags: list[bool]) -> None:
    if not flags:
        assert np.isnan(found)
    else:
        assert found == np.float32(sum(flags) / len(flags))


def test_all_is_as_in_the_files_for_dumps_of_every_kind(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    given = [
        None,
        random_predictions(1),
        random_predictions(2, some=True),
        None,
        random_predictions(3, loss=False),
        random_predictions(4, some=True, loss=False),
        random_predictions(5),
        None,
    ]
    for i, one in enumerate(given):
        write_dump(log, i, one)
    _, history = history_of(blobs)
    assert_says(history, given)
    assert history.settled == 7


def test_nothing_recorded_is_an_empty_history(tmp_path: Path) -> None:
    _, history = history_of(begun(tmp_path)[0])
    assert history.dumps == history.settled == 0
    assert history.predicted(slice(None)).shape == (N, 0)
    assert history.error_rates.shape == (CLASSES, 0)
    assert history.correct(slice(None)).shape == (N, 0)
    assert history.detail("loss", slice(None)).shape == (N, 0)


def test_dumps_without_any_predictions_are_not_recorded_ones(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    for i in range(3):
        write_dump(log, i, None)
    assert_says(history_of(blobs)[1], [None] * 3)


def test_following_a_run_gives_what_reading_from_scratch_gives(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    rng = np.random.default_rng(0)
    reader, history = history_of(blobs)
    given: list[Predictions | None] = []
    for i in range(50):  # more than once over the capacity
        given.append(None if rng.random() < 0.3 else random_predictions(i, some=bool(rng.random() < 0.5)))
        write_dump(log, i, given[-1])
        if rng.random() < 0.4:
            reader.refresh()
            history.refresh()
            if rng.random() < 0.5:
                history.detail("loss", 0)  # from here on it is held, and has to grow
            assert_says(history, given)
    reader.refresh()
    history.refresh()
    assert_says(history, given)
    assert_says(history_of(blobs)[1], given)


def test_predictions_that_come_late_are_taken_while_no_later_dump_has_any(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    given = [random_predictions(0), None, None, None]
    for i, one in enumerate(given):
        write_dump(log, i, one)
    reader, history = history_of(blobs)
    assert history.settled == 1
    history.detail("loss", 0)
    for i in (2, 3):
        given[i] = random_predictions(i)
        log.write_predictions(i, given[i], parts=("layers",))  # type: ignore[arg-type]
        reader.refresh()
        history.refresh()
        assert history.settled == i + 1
        assert_says(history, given)


def test_a_settled_dump_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, log = begun(tmp_path)
    for i in range(5):
        write_dump(log, i, random_predictions(i))
    reader, history = history_of(blobs)
    read: list[int] = []
    original = LogReader.predictions
    monkeypatch.setattr(LogReader, "predictions", lambda s, d, n: (read.append(d.iteration), original(s, d, n))[1])
    write_dump(log, 5, random_predictions(5))
    reader.refresh()
    history.refresh()
    assert read == [5]


def test_a_damaged_prediction_file_is_a_dump_without_and_is_named(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    given: list[Predictions | None] = [random_predictions(i) for i in range(4)]
    for i, one in enumerate(given):
        write_dump(log, i, one)
    path = "log/predictions/000000000002.arrow"
    blobs.put(path, blobs.get(path)[:-40])
    given[2] = None
    reader, history = history_of(blobs)
    assert_says(history, given)
    assert [path in text for text in reader.problems] == [True]


def test_predictions_of_the_wrong_length_are_a_dump_without_and_are_named(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0, random_predictions(0))
    write_dump(log, 1, Predictions(np.zeros(N + 1, np.int16), np.zeros(N + 1, np.float16)))
    write_dump(log, 2, Predictions(np.zeros(1, np.int16), np.zeros(1, np.float16), None, np.array([N], np.int32)))
    reader, history = history_of(blobs)
    assert_says(history, [random_predictions(0), None, None])
    assert len(reader.problems) == 2


def test_a_resumed_run_replaces_the_dumps_that_were_abandoned(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    given: list[Predictions | None] = [random_predictions(i) for i in range(20)]
    for i, one in enumerate(given):
        write_dump(log, i, one)
    reader, history = history_of(blobs)
    history.detail("loss", 0)
    log = LogWriter(blobs, branch=1)
    log.write_info(info(11))
    given = given[:12]
    for i in range(12, 15):
        reader.refresh()
        history.refresh()
        assert_says(history, given)
        given.append(random_predictions(100 + i))
        write_dump(log, i, given[-1])
    reader.refresh()
    history.refresh()
    assert_says(history, given)


@pytest.mark.parametrize(
    ("classes", "dtype"), [(1000, np.int16), (32_767, np.int16), (32_768, np.int32), (70_000, np.int32)]
)
def test_predicted_classes_are_as_wide_as_their_number_needs(
    tmp_path: Path, classes: int, dtype: npt.DTypeLike
) -> None:
    blobs, log = begun(tmp_path)
    labels = np.array([0, classes - 2, classes - 1], np.int32)
    for i, predicted in enumerate((labels, labels[::-1].copy())):
        log.write_predictions(i, Predictions(predicted.astype(dtype), np.zeros(3, np.float16)))
    history = unindexed(blobs, Samples(("a", "b", "c"), labels, classes, False))
    history.refresh()
    assert history.predicted(slice(None)).dtype == dtype
    assert history.predicted(slice(None)).tolist() == [
        [0, classes - 1], [classes - 2, classes - 2], [classes - 1, 0]]  # fmt: skip
    assert history.correct(slice(None)).tolist() == [[True, False], [True, True], [True, False]]
    np.testing.assert_allclose(history.overall_error, [0, 2 / 3])


def test_a_sample_that_is_missing_is_never_correct_however_large_its_class(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    log.write_predictions(0, Predictions(np.array([0, -1], np.int16), np.zeros(2, np.float16)))
    labels = np.array([0, 65_535], np.int32)  # -1 where 16 bits have to hold it
    history = unindexed(blobs, Samples(("a", "b"), labels, 65_536, False))
    history.refresh()
    assert history.correct(slice(None)).tolist() == [[True], [False]]


def test_a_run_whose_classes_were_written_wider_than_needed_is_read(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0, random_predictions(0))
    given = random_predictions(1)
    wide = Predictions(given.predicted.astype(np.int64), given.probability, given.loss)
    write_dump(log, 1, wide)
    assert_says(history_of(blobs)[1], [random_predictions(0), given])
