"""Whatever the index holds, whole, partly or not at all: every answer of `Run` is that of its log alone."""

import shutil
from pathlib import Path

import pytest

from deeptracker import open_run
from deeptracker.indexing import build_index
from deeptracker.run import Run
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import BLOCK
from deeptracker.store.log import LogReader
from tests.indexing.asked import (
    DUMPS,
    NOT_ASKED,
    OF_SINGLE_DUMPS,
    QUESTIONS,
    SCALE,
    answers,
    assert_as_from_the_log,
    bytes_of,
    copy_dumps,
    logs_answers,
    published,
    resume,
    shards,
)
from tests.s3 import Bucket


def test_every_public_call_is_among_the_questions() -> None:
    public = {name for name in dir(Run) if not name.startswith("_")}
    assert public - NOT_ASKED <= {name.split()[0] for name in QUESTIONS}


def test_a_complete_index_answers_as_the_log_does(indexed: Path, tmp_path: Path) -> None:
    run = open_run(indexed)
    assert_as_from_the_log(run, logs_answers(indexed, tmp_path))
    assert run.warnings == []


@pytest.mark.parametrize("name", QUESTIONS)
def test_any_question_may_be_the_first(indexed: Path, recorded: Path, name: str) -> None:
    assert bytes_of(QUESTIONS[name](open_run(indexed))) == bytes_of(QUESTIONS[name](open_run(recorded)))


def test_a_run_is_answered_from_its_index_where_it_has_one(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(indexed)
    for kind in ("filters", "histograms", "predictions"):
        monkeypatch.setattr(LogReader, kind, lambda *_: pytest.fail("the log must not be read"))
    answers(run, set(QUESTIONS) - OF_SINGLE_DUMPS)


@pytest.mark.parametrize("dumps", [0, 1, 63, 64, 65, 128, 149])
def test_index_and_tail_answer_as_the_log_does(recorded: Path, tmp_path: Path, dumps: int) -> None:
    """The index is built when the run has so many dumps; then the others are recorded."""
    place = tmp_path / "run"
    copy_dumps(recorded, place, range(dumps), state="running")
    build_index(place)
    run = open_run(place)
    if dumps >= 63:
        answers(run)
    copy_dumps(recorded, place, range(DUMPS), state="finished")
    expected = logs_answers(place, tmp_path)
    run.refresh()
    assert_as_from_the_log(run, expected)
    assert_as_from_the_log(open_run(place), expected)
    assert published(place) is None if dumps < 64 else len(published(place).dumps) == dumps // 64 * 64  # type: ignore[union-attr]
    build_index(place)
    run.refresh()
    assert_as_from_the_log(run, expected)
    assert_as_from_the_log(open_run(place), expected)
    assert len(published(place).dumps) == DUMPS  # type: ignore[union-attr]


@pytest.mark.parametrize("start", [149, 128, 100, 10])
def test_an_index_of_abandoned_dumps_counts_up_to_where_training_was_resumed(
    indexed: Path, tmp_path: Path, start: int
) -> None:
    place = shutil.copytree(indexed, tmp_path / "run")
    run = open_run(place)
    answers(run)
    resume(place, start, 60)
    expected = logs_answers(place, tmp_path)
    run.refresh()
    assert_as_from_the_log(run, expected)
    assert_as_from_the_log(open_run(place), expected)
    before = {path: path.read_bytes() for path in shards(place)}
    build_index(place)
    assert all(path.read_bytes() == data for path, data in before.items()), "published shards were rewritten"
    run.refresh()
    assert_as_from_the_log(run, expected)
    assert_as_from_the_log(open_run(place), expected)


def test_where_training_was_resumed_the_blocks_before_are_copied(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shutil.copytree(indexed, tmp_path / "run")
    resume(place, 140, 30)
    read: list[int] = []
    filters = LogReader.filters
    monkeypatch.setattr(LogReader, "filters", lambda s, dump: (read.append(dump.iteration), filters(s, dump))[1])
    assert build_index(place).blocks_written == 2
    assert read == [], "two blocks are complete, and both are those of before"
    damaged = next(path for path in shards(place) if "branch001" in str(path) and "/sd/c/1/" in str(path))
    damaged.unlink()
    build_index(place)
    assert read == [dump * SCALE.iterations_per_dump for dump in range(64, 128)], "repaired from the log"


def test_predictions_that_came_late_are_not_hidden_by_the_index(recorded: Path, tmp_path: Path) -> None:
    place = shutil.copytree(recorded, tmp_path / "run")
    late = sorted((place / "log/predictions").iterdir())[70]
    data = late.read_bytes()
    late.unlink()
    build_index(place)
    late.write_bytes(data)
    expected = logs_answers(place, tmp_path)
    assert_as_from_the_log(open_run(place), expected)
    assert build_index(place).blocks_written == 3
    assert_as_from_the_log(open_run(place), expected)


@pytest.mark.parametrize("dumps", [70, DUMPS])
def test_in_an_object_store_it_is_the_same(recorded: Path, tmp_path: Path, s3: Bucket, dumps: int) -> None:
    """Built and read there, with and without a tail, and with a shard damaged."""
    place = tmp_path / "run"
    copy_dumps(recorded, place, range(dumps), state="running" if dumps < DUMPS else "finished")
    expected = logs_answers(place, tmp_path)
    blobs = Blobs(s3.url("run"))
    for path in place.rglob("*"):
        if path.is_file():
            blobs.put(path.relative_to(place).as_posix(), path.read_bytes())
    report = build_index(s3.url("run"))
    assert (report.blocks_written, report.blocks_left_out) == (-(-dumps // BLOCK) if dumps == DUMPS else 1, 0)
    run = open_run(s3.url("run"))
    assert_as_from_the_log(run, expected)
    assert run.warnings == []
    shard = next(blob.path for blob in blobs.list("index/") if "/change/c/0/" in blob.path)
    blobs.put(shard, blobs.get(shard)[:-5] + b"wrong")
    run = open_run(s3.url("run"))
    assert_as_from_the_log(run, expected)
    assert [text for text in run.warnings if shard in text]
    assert build_index(s3.url("run")).blocks_written == 1
