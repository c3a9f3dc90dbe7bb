"""An index that is of something else, or damaged, is never believed, and building mends it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.generate import write_run
from deeptracker import open_run
from deeptracker.indexing import build_index
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import INDEX_VERSION, ROOT
from deeptracker.store.samples import read_samples, write_samples
from tests.indexing.asked import SCALE, assert_as_from_the_log, logs_answers, shards


@pytest.mark.parametrize("what", ["another network", "another version", "other samples", "not JSON", "empty"])
def test_an_index_of_something_else_is_passed_over_and_built_anew(indexed: Path, tmp_path: Path, what: str) -> None:
    place = shutil.copytree(indexed, tmp_path / "run")
    root = place / ROOT
    if what == "another network":
        document = json.loads((place / "network.json").read_bytes())
        document["source"] = "somebody else's"
        (place / "network.json").write_text(json.dumps(document))
    elif what == "other samples":
        samples = read_samples(Blobs(place))
        assert samples is not None
        labels = np.where(np.arange(len(samples.labels)) == 0, 3, samples.labels)
        write_samples(Blobs(place), samples.ids, labels, classes=samples.classes)
    elif what == "another version":
        root.write_text(root.read_text().replace(f'"index_version": {INDEX_VERSION}', '"index_version": 1'))
    else:
        root.write_bytes(b"" if what == "empty" else b"{")
    expected = logs_answers(place, tmp_path)
    run = open_run(place)
    assert_as_from_the_log(run, expected)
    assert build_index(place).blocks_written == 3
    run.refresh()
    assert_as_from_the_log(open_run(place), expected)
    assert build_index(place).blocks_kept == 3


SOME_ARRAYS = ("change", "cosine", "node_stats", "predicted", "probability", "loss", "correct", "class_error", "error")


def test_an_index_left_by_another_run_in_the_same_place_is_not_believed(indexed: Path, tmp_path: Path) -> None:
    """The same network, samples and iterations, recorded anew: other numbers."""
    place = shutil.copytree(indexed, tmp_path / "run")
    for path in place.iterdir():
        if path.name != "index":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_run(place, SCALE, seed=5)
    expected = logs_answers(place, tmp_path)
    assert_as_from_the_log(open_run(place), expected)
    assert build_index(place).blocks_written == 3
    assert_as_from_the_log(open_run(place), expected)


@pytest.mark.parametrize("fault", ["removed", "emptied", "cut", "index changed", "end changed"])
@pytest.mark.parametrize("name", SOME_ARRAYS)
def test_a_damaged_shard_is_read_from_the_log_and_repaired(
    indexed: Path, expected: dict[str, Any], tmp_path: Path, fault: str, name: str
) -> None:
    place = shutil.copytree(indexed, tmp_path / "run")
    shard = next(path for path in shards(place) if path.relative_to(place).parts[2:5] == (name, "c", "1"))
    whole = shard.read_bytes()
    data = bytearray(whole)
    if fault == "removed":
        shard.unlink()
    else:
        data[9 if fault == "index changed" else -1] ^= 4
        cut = {"emptied": b"", "cut": whole[: len(whole) // 2]}
        shard.write_bytes(cut.get(fault, bytes(data)))
    run = open_run(place)
    assert_as_from_the_log(run, expected)
    touched = fault != "end changed" or name not in ("change", "cosine")
    assert not touched or [text for text in run.warnings if str(shard.relative_to(place)) in text and "index" in text]
    report = build_index(place)
    assert (report.blocks_written, report.blocks_kept) == (1, 2)
    assert shard.read_bytes() == whole
    assert open_run(place).warnings == []


def test_a_block_with_a_dump_that_cannot_be_read_is_left_to_the_log(recorded: Path, tmp_path: Path) -> None:
    place = shutil.copytree(recorded, tmp_path / "run")
    damaged = sorted((place / "log/filters").iterdir())[70]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-100])
    expected = logs_answers(place, tmp_path)
    report = build_index(place)
    assert (report.blocks_written, report.blocks_left_out) == (2, 1)
    run = open_run(place)
    assert_as_from_the_log(run, expected)
    assert [text for text in run.warnings if damaged.name in text]
    damaged.write_bytes(whole)
    assert build_index(place).blocks_written == 1
    assert_as_from_the_log(open_run(place), logs_answers(place, tmp_path))
