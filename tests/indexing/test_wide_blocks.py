"""A long run: its wide blocks say what rows say, are written once and for good, and mended where they are damaged."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.indexing import build_index
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import BLOCK, WIDE
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.log import LogReader
from tests.indexing.asked import QUESTIONS, answers, contents, copy_dumps, published, resume, shards
from tests.s3 import Bucket

pytestmark = pytest.mark.slow

DUMPS = 2 * WIDE + 70
NAMES = [name for name in QUESTIONS if name.endswith(("_levels", "_means", "_span", "never_changing"))]
NAMES[NAMES.index("error_levels")] = "taken_for"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two wide blocks and a bit, without an index; not to be changed."""
    place = tmp_path_factory.mktemp("recorded") / "run"
    write_run(place, Scale(DUMPS, 2, 2, 10, resnet50=False, pictures=False))
    return place


@pytest.fixture(scope="module")
def expected(recorded: Path) -> dict[str, Any]:
    """What its log says."""
    return answers(open_run(recorded), NAMES)


@pytest.fixture(scope="module")
def indexed(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a complete index; not to be changed."""
    place = shutil.copytree(recorded, tmp_path_factory.mktemp("indexed") / "run")
    report = build_index(place)
    assert (report.blocks_written, report.wide_written) == (-(-DUMPS // BLOCK), 2)
    assert report.bytes == sum(path.stat().st_size for path in shards(place))
    return place


def assert_as_from_the_log(place: str | Path, expected: dict[str, Any]) -> list[str]:
    """Of a run that is opened for it; the warnings."""
    run = open_run(place)
    found = answers(run, NAMES)
    assert [name for name in NAMES if found[name] != expected[name]] == []
    return run.warnings


def test_levels_are_those_of_the_log(indexed: Path, expected: dict[str, Any]) -> None:
    assert assert_as_from_the_log(indexed, expected) == []
    for name in NAMES:  # each may be the first, and then nothing is kept of others
        assert answers(open_run(indexed), [name])[name] == expected[name], name
    found = published(indexed)
    assert found is not None
    assert found.wide == {0, 1}


def test_a_column_of_a_wide_block_is_read_from_it_alone(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, int]] = []
    fetch = IndexReader.fetch
    monkeypatch.setattr(
        IndexReader, "fetch", lambda s, wanted: (read.extend(x[:2] for x in wanted), fetch(s, wanted))[1]
    )
    monkeypatch.setattr(LogReader, "filters", lambda *_: pytest.fail("the log must not be read"))
    open_run(indexed).filter_levels(2, "sd", 200)
    assert read == [("sd_16", 0), ("sd_16", 1), ("sd", 32), ("sd", 33)]
    read.clear()
    open_run(indexed).node_levels("sd", 40, 1100, 2000)
    assert read == [("node_stats_mean_64", 1), ("node_stats_64", 1)]
    read.clear()
    open_run(indexed).taken_for(1, 200)
    assert [x for x in read if x[0].startswith("pred")] == [
        ("predicted_1", 0),
        ("predicted_1", 1),
        ("predicted", 32),
        ("predicted", 33),
    ]


def test_dumps_that_fill_no_wide_block_have_no_levels(recorded: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    copy_dumps(recorded, place, range(WIDE - 1), state="finished")
    assert build_index(place).wide_written == 0
    assert not [path for path in contents(place) if "_16" in path or "_64" in path]
    assert "_16" not in (place / "index/zarr.json").read_text()


def test_the_dump_that_fills_it_completes_it(recorded: Path, tmp_path: Path, expected: dict[str, Any]) -> None:
    """As the recorder builds: block after block, nothing that is published is looked at again."""
    place = tmp_path / "run"
    written = []
    for dumps in (WIDE - BLOCK, WIDE - 1, WIDE, WIDE + BLOCK):
        copy_dumps(recorded, place, range(dumps), state="running")
        before = {path: path.stat().st_mtime_ns for path in shards(place)} if dumps > WIDE else {}
        written.append(build_index(place, check_published=False).wide_written)
        assert all(path.stat().st_mtime_ns == time for path, time in before.items()), "a shard was written again"
    assert written == [0, 0, 1, 0]
    copy_dumps(recorded, place, range(DUMPS), state="finished")
    assert assert_as_from_the_log(place, expected) == []


@pytest.mark.parametrize(
    "name", ["change_16", "change_64", "l2_mean_16", "node_stats_16", "node_stats_mean_64", "predicted_1"]
)
@pytest.mark.parametrize("fault", ["removed", "cut", "changed"])
def test_a_damaged_wide_block_is_made_from_rows_and_mended(
    indexed: Path, tmp_path: Path, expected: dict[str, Any], name: str, fault: str
) -> None:
    place = shutil.copytree(indexed, tmp_path / "run", copy_function=os.link)
    shard = next(path for path in shards(place) if path.relative_to(place).parts[2:5] == (name, "c", "1"))
    whole = shard.read_bytes()
    shard.unlink()
    if fault != "removed":
        shard.write_bytes(whole[:-9] + (b"" if fault == "cut" else bytes(byte ^ 1 for byte in whole[-9:])))
    run = open_run(place)
    found = answers(run, NAMES)
    assert found == expected
    report = build_index(place)
    assert (report.blocks_written, report.wide_written) == (0, 1)
    assert shard.read_bytes() == whole


def test_where_a_block_is_left_out_there_is_no_wide_block(recorded: Path, tmp_path: Path) -> None:
    place = shutil.copytree(recorded, tmp_path / "run", copy_function=os.link)
    damaged = sorted((place / "log/filters").iterdir())[70]
    whole = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(whole[:-100])
    report = build_index(place)
    assert (report.blocks_left_out, report.wide_written) == (1, 1)
    alone = shutil.copytree(place, tmp_path / "alone", copy_function=os.link, ignore=shutil.ignore_patterns("index"))
    assert answers(open_run(place), NAMES) == answers(open_run(alone), NAMES)
    damaged.write_bytes(whole)
    report = build_index(place)
    assert (report.blocks_written, report.wide_written) == (1, 1)


@pytest.mark.parametrize("start", [WIDE - 10, WIDE + 500])
def test_where_training_was_resumed_abandoned_columns_do_not_count(indexed: Path, tmp_path: Path, start: int) -> None:
    place = shutil.copytree(indexed, tmp_path / "run")
    run = open_run(place)
    answers(run, NAMES)
    resume(place, start, 40)
    alone = shutil.copytree(place, tmp_path / "alone", ignore=shutil.ignore_patterns("index"))
    expected = answers(open_run(alone), NAMES)
    run.refresh()
    assert answers(run, NAMES) == expected
    assert assert_as_from_the_log(place, expected) == []
    assert build_index(place).wide_written == 1
    run.refresh()
    assert answers(run, NAMES) == expected
    assert assert_as_from_the_log(place, expected) == []


def test_two_processes_write_the_same_bytes(indexed: Path, recorded: Path, tmp_path: Path) -> None:
    place = shutil.copytree(recorded, tmp_path / "run", copy_function=os.link)
    done: list[tuple[int, int]] = []
    build_index(place, processes=2, on_progress=lambda count, of: done.append((count, of)))
    assert contents(place) == contents(indexed)
    assert done == [(count, 36) for count in range(1, 37)]


def test_metadata_that_somebody_changed_are_mended(indexed: Path, tmp_path: Path) -> None:
    place = shutil.copytree(indexed, tmp_path / "run")
    expected = contents(place)
    nodes = [*place.rglob("index/*/zarr.json"), *place.rglob("index/*/change_16/zarr.json")]
    assert len(nodes) == 2
    nodes[0].write_bytes(b"{")
    nodes[1].unlink()
    report = build_index(place)
    assert (report.blocks_written, report.wide_written) == (0, 0)
    assert contents(place) == expected


def test_zarr_and_xarray_read_the_same_levels(indexed: Path) -> None:
    run = open_run(indexed)
    name = zarr.open_group(indexed / "index", mode="r").attrs["deeptracker"]["group"]  # type: ignore[index,call-overload]
    dataset = xarray.open_zarr(indexed / "index", group=name)
    for level, width in ((16, 200), (64, 40)):
        columns = 2 * WIDE // level
        assert dict(dataset[f"change_{level}"].sizes) == {
            f"dump_{level}": columns,
            "extreme": 2,
            "filter": run.network().filters,
        }
        assert dataset[f"change_{level}"].attrs["extremes"] == ["min", "max"]
        layers = [run.filter_levels(layer.name, "change", width) for layer in run.network().layers]
        assert layers[0].level == level
        for extreme, values in enumerate(("min", "max")):
            rows = np.concatenate([getattr(one, values) for one in layers])[:, :columns]
            np.testing.assert_array_equal(dataset[f"change_{level}"].values[:, extreme].T, rows)
        means = [run.filter_means(layer.name, "change", width) for layer in run.network().layers]
        np.testing.assert_array_equal(dataset[f"change_mean_{level}"].values.T, np.concatenate(means)[:, :columns])
        place = dataset["node_stats_16"].attrs["node_measures"].index("grad_median")
        nodes = run.node_levels("grad_median", width)
        assert dataset[f"node_stats_{level}"].dims == (f"dump_{level}", "extreme", "node_measure", "node")
        np.testing.assert_array_equal(dataset[f"node_stats_{level}"].values[:, 1, place].T, nodes.max[:, :columns])
        np.testing.assert_array_equal(dataset[f"node_stats_mean_{level}"].values[:, place].T, nodes.mean[:, :columns])


def test_in_an_object_store_it_is_the_same(recorded: Path, tmp_path: Path, s3: Bucket) -> None:
    """Of filters alone, as a store takes its time for each file."""
    place = tmp_path / "run"
    copy_dumps(recorded, place, range(WIDE + 9), state="finished")
    for kind in ("predictions", "layers", "kernels"):
        for path in sorted((place / "log" / kind).iterdir())[:-1]:
            path.unlink()
    expected = answers(open_run(place), NAMES)
    assert build_index(place).wide_written == 1
    blobs = Blobs(s3.url("run"))
    for path in place.rglob("*"):
        if path.is_file():
            blobs.put(path.relative_to(place).as_posix(), path.read_bytes())
    run = open_run(s3.url("run"))
    assert answers(run, NAMES) == expected
    assert run.warnings == []
