"""The bits say which samples were right at which dumps, wherever they come from, and while a run grows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from deeptracker.indexing import build_index
from deeptracker.schema import Branch, Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.correct_bits import CorrectBits
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.sample_rows import SampleRows
from deeptracker.store.samples import Samples, write_samples

LABELS = np.array([0, 0, 1, 1, 1, 2, 2], np.int32)
SAMPLES = Samples(tuple("abcdefg"), LABELS, 3, False)
CREATED = "2026-01-02T03:04:05+00:00"


def predictions(dump: int) -> Predictions:
    """Random ones; every fifth dump lacks some samples."""
    rng = np.random.default_rng(dump)
    predicted = rng.integers(0, 3, len(LABELS)).astype(np.int16)
    probability = np.zeros(len(LABELS), np.float16)
    if dump % 5:
        return Predictions(predicted, probability)
    some = np.flatnonzero(rng.random(len(LABELS)) < 0.6).astype(np.int32)
    return Predictions(predicted[some], probability[some], None, some)


def write_run(place: Path, dumps: range, *, state: str = "running") -> None:
    log = LogWriter(Blobs(place))
    log.write_info(RunInfo("a", CREATED, (Branch(0, CREATED),), state=state))
    if not (place / "samples").exists():
        write_samples(Blobs(place), SAMPLES.ids, LABELS, classes=3)
    for dump in dumps:
        log.write_predictions(dump, predictions(dump))


def expected(dumps: int) -> npt.NDArray[np.bool_]:
    """bool (samples, dumps)"""
    right = np.zeros((len(LABELS), dumps), bool)
    for dump in range(dumps):
        given = predictions(dump)
        for place, predicted in enumerate(given.predicted):
            sample = place if given.samples is None else given.samples[place]
            right[sample, dump] = predicted == LABELS[sample]
    return right


class Opened:
    """A run with its bits, which follows the log."""

    def __init__(self, place: Path, limit_bytes: int = 1 << 20) -> None:
        blobs = Blobs(place)
        self.log = LogReader(blobs)
        index = IndexReader(blobs, self.log)
        index.samples = SAMPLES
        self.rows = SampleRows("predicted", len(LABELS), np.int16, index, self._read)
        self.bits = CorrectBits(LABELS, self.rows, index, limit_bytes=limit_bytes)
        self.refresh()

    def refresh(self) -> None:
        self.log.refresh()
        self.dumps = len(self.log.dumps)
        self.rows.grow(self.dumps)

    def _read(self, first: int, end: int):  # type: ignore[no-untyped-def]
        return (self.log.predictions(dump, len(LABELS)).predicted for dump in self.log.dumps[first:end])

    def assert_says(self, dumps: int) -> None:
        words = self.bits.words(dumps)
        assert words.shape == (-(-dumps // 64), len(LABELS))
        right = [[bool(int(words[t // 64, s]) >> t % 64 & 1) for t in range(dumps)] for s in range(len(LABELS))]
        assert right == expected(dumps).tolist()


@pytest.mark.parametrize("dumps", [1, 63, 64, 65, 128, 150])
@pytest.mark.parametrize("indexed", [0, 64, 128])
def test_bits_are_those_of_the_predictions_from_index_and_log(tmp_path: Path, dumps: int, indexed: int) -> None:
    write_run(tmp_path, range(min(dumps, indexed)), state="running")
    build_index(tmp_path)
    write_run(tmp_path, range(min(dumps, indexed), dumps))
    run = Opened(tmp_path)
    run.assert_says(dumps)
    right = expected(dumps)
    for samples in (slice(0, len(LABELS)), slice(2, 5), slice(3, 3)):
        np.testing.assert_array_equal(run.bits.held(samples, dumps), right[samples])


def test_an_index_that_ends_within_a_block_is_gone_on_with(tmp_path: Path) -> None:
    write_run(tmp_path, range(100), state="finished")
    build_index(tmp_path)
    write_run(tmp_path, range(100, 150))
    Opened(tmp_path).assert_says(150)


def test_nothing_is_held_before_all_samples_were_asked_about(tmp_path: Path) -> None:
    write_run(tmp_path, range(70))
    run = Opened(tmp_path)
    assert run.bits.held(slice(0, 2), 70) is None
    assert run.bits.size_bytes == 0
    run.bits.words(70)
    assert run.bits.size_bytes == 2 * 8 * len(LABELS)


def test_bits_follow_a_run_that_grows_and_forget_what_is_cut_off(tmp_path: Path) -> None:
    run: Opened | None = None
    for count in (1, 60, 64, 70, 128, 129, 140):
        write_run(tmp_path, range(count))
        run = run or Opened(tmp_path)
        run.refresh()
        assert run.bits.held(slice(0, 1), count) is None, "what is new has not been asked for"
        run.assert_says(count)
    assert run is not None
    for cut in (130, 64, 10):
        run.bits.cut(cut)
        assert run.bits.held(slice(0, 1), cut + 1) is None
        np.testing.assert_array_equal(run.bits.held(slice(0, 7), cut), expected(cut))
        run.assert_says(140)


def test_bits_beyond_the_limit_are_made_each_time(tmp_path: Path) -> None:
    write_run(tmp_path, range(70))
    run = Opened(tmp_path, limit_bytes=2 * 8 * len(LABELS) - 1)
    for _ in range(2):
        run.assert_says(70)
        assert run.bits.size_bytes == 0
    assert run.bits.held(slice(0, 1), 70) is None


DAMAGES: dict[str, Callable[[Path], object]] = {
    "removed": lambda shard: shard.unlink(),
    "changed": lambda shard: shard.write_bytes(shard.read_bytes()[:-1] + b"?"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_is_taken_from_the_predictions(tmp_path: Path, damage: str) -> None:
    write_run(tmp_path, range(140), state="finished")
    build_index(tmp_path)
    shard = next(path for path in tmp_path.glob("index/*/correct/c/1/*"))
    DAMAGES[damage](shard)
    run = Opened(tmp_path)
    run.assert_says(140)
    assert len(run.log.problems) == 1
