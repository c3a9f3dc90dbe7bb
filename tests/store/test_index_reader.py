"""What an index holds is read whatever way it is asked for, and what was damaged is read again once it is whole."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker.indexing import build_index
from deeptracker.store import index_reader as module
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import ROOT
from deeptracker.store.index_reader import IndexReader, Wanted
from deeptracker.store.log import LogReader
from deeptracker.store.samples import read_samples

SCALE = Scale(200, classes=3, samples_per_class=120, iterations_per_dump=10, resnet50=False, pictures=False)
"""Four blocks, the last one short; two inner chunks of samples."""


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its index; not to be changed."""
    place = tmp_path_factory.mktemp("indexed") / "run"
    write_run(place, SCALE)
    build_index(place)
    return place


@pytest.fixture
def place(indexed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(indexed, tmp_path / "run")


def opened(place: Path) -> tuple[IndexReader, LogReader]:
    blobs = Blobs(place)
    log = LogReader(blobs)
    reader = IndexReader(blobs, log)
    reader.samples = read_samples(blobs)
    return reader, log


def shard_of(place: Path, name: str, block: int) -> Path:
    (found,) = (place / "index").glob(f"*/{name}/c/{block}")
    return found if found.is_file() else found / "0"


def damage(shard: Path) -> bytes:
    """Change the last byte; what was there before."""
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    return whole


def look(reader: IndexReader) -> None:
    """What every question begins with."""
    reader.stretches(0, SCALE.dumps)


EVERYTHING: list[Wanted] = [
    (name, block, columns)
    for name in ("predicted", "probability", "correct", "class_error", "error", "change", "node_stats")
    for block in range(4)
    for columns in (None, slice(0, 1), slice(1, 1))
    if columns is None or name != "error"
]


def test_what_is_fetched_is_what_is_read_one_by_one(place: Path) -> None:
    damage(shard_of(place, "predicted", 1))
    shard_of(place, "probability", 2).unlink()
    reader, _ = opened(place)
    look(reader)
    fetched = list(opened(place)[0].fetch(EVERYTHING))  # of a reader that has not looked yet: it does so itself
    read = [reader.read(*one) for one in EVERYTHING]
    assert [one is None for one in read].count(True) == 2 * 3, "nothing more is taken of a damaged shard"
    for one, other in zip(fetched, read, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_damaged_shard_is_not_read_again_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(shard_of(place, "correct", 1))
    reader, log = opened(place)
    look(reader)
    assert reader.read("correct", 1) is None
    monkeypatch.setattr(Blobs, "range", lambda *_: pytest.fail("it was read again"))
    look(reader)
    assert reader.read("correct", 1) is None
    assert len(log.problems) == 1


def test_a_shard_that_was_repaired_is_read_again_after_a_while(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = shard_of(place, "correct", 1)
    whole = damage(shard)
    reader, log = opened(place)
    look(reader)
    assert reader.read("correct", 1) is None
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    look(reader)
    assert reader.read("correct", 1) is None
    assert len(log.problems) == 1, "it is damaged still"
    shard.write_bytes(whole)
    look(reader)
    assert log.problems == []
    np.testing.assert_array_equal(reader.read("correct", 1), opened(place)[0].read("correct", 1))


def test_one_shard_that_stays_damaged_does_not_keep_others_from_being_read_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = {name: shard_of(place, name, 0) for name in ("correct", "class_error", "error")}
    whole = {name: damage(shard) for name, shard in shards.items()}
    reader, log = opened(place)
    look(reader)
    assert [reader.read(name, 0) for name in shards] == [None] * 3
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    for name in ("class_error", "error"):
        shards[name].write_bytes(whole[name])
    read: list[str] = []
    original = Blobs.range
    monkeypatch.setattr(Blobs, "range", lambda s, path, *args: (read.append(path), original(s, path, *args))[1])
    look(reader)
    assert len(read) == 1, "the first is damaged still: no more is tried this time"
    look(reader)
    assert len(read) == 4
    assert [reader.read(name, 0) is None for name in shards] == [True, False, False]
    assert [str(shards["correct"].relative_to(place)) in text for text in log.problems] == [True]


def test_a_root_that_cannot_be_read_is_no_index_and_is_named(place: Path) -> None:
    (place / ROOT).unlink()
    (place / ROOT).mkdir()
    reader, log = opened(place)
    assert reader.head == 0
    assert [ROOT in text and "must be readable" in text for text in log.problems] == [True]
    (place / ROOT).rmdir()
    log.refresh()
    look(reader)
    assert log.problems == []
