"""Whatever the index holds, whole, partly, damaged or not at all: every answer of `Run` is that of its log alone."""

import dataclasses
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.analysis.hierarchy import preorder
from deeptracker.run import Run
from deeptracker.indexing import build_index
from deeptracker.schema import FILTER_MEASURES, MEASURES, NODE_MEASURES, Branch, Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import BLOCK, ROOT, Published
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.samples import read_samples, write_samples
from tests.s3 import Bucket

DUMPS = 150
SCALE = Scale(DUMPS, classes=7, samples_per_class=90, iterations_per_dump=10, resnet50=False, pictures=False)

QUESTIONS: dict[str, Callable[[Run], Any]] = {
    "iterations": lambda run: run.iterations,
    "state": lambda run: run.state,
    "settled": lambda run: run.settled,
    "first_new_dump": lambda run: run.first_new_dump(500, 0),
    "scalars": lambda run: run.scalars(),
    "learning_rate": lambda run: run.learning_rate(),
    "learning_rate_stages": lambda run: run.learning_rate_stages(),
    "training_error": lambda run: run.training_error(),
    "validation_error": lambda run: run.validation_error(),
    "error_rates": lambda run: run.error_rates(),
    "class_stats": lambda run: run.class_stats(3, window=4),
    "class_samples": lambda run: [run.class_samples(cls) for cls in (0, 3, 6)],
    "probabilities": lambda run: run.probabilities(5),
    "sample_history": lambda run: [run.sample_history(sample) for sample in (0, 255, 256, 629)],
    "clusters": lambda run: run.clusters(3),
    "class_order": lambda run: run.class_order(),
    "anomaly_scores": lambda run: run.anomaly_scores(6),
    "anomalies": lambda run: run.anomalies(5, 0.2),
    "anomaly_counts": lambda run: run.anomaly_counts(),
    "nodes": lambda run: run.nodes(),
    "layer_stats": lambda run: [run.layer_stats(name, "sd") for name in ("", "layer1", "conv1")],
    **{f"node_stats {name}": lambda run, name=name: run.node_stats(name) for name in NODE_MEASURES},  # type: ignore[misc]
    "box": lambda run: [run.box(node, name) for node in (0, 1, 3) for name in ("change", "weight_q1", "grad_median")],
    "filter_stats": lambda run: [run.filter_stats(layer, "cosine_distance") for layer in (0, 3, 8)],
    **{f"filter_stats {name}": lambda run, name=name: run.filter_stats(2, name) for name in FILTER_MEASURES},  # type: ignore[misc]
    "normalised_filters": lambda run: run.normalised_filters(4, "l2", "filter"),
    "never_changing": lambda run: run.never_changing("conv1"),
    "filter_order": lambda run: [run.filter_order(1, "change", by) for by in ("similarity", "activity")],  # type: ignore[arg-type]
    "filter_history": lambda run: run.filter_history(2, 5),
    "filter_rank": lambda run: run.filter_rank(2, 5, "sd"),
    "top_filters": lambda run: [run.top_filters(int(run.iterations[at]), 9) for at in (0, -1)],
    "top_counts": lambda run: run.top_counts(9),
    "kernels": lambda run: run.kernels(int(run.iterations[-1])),
    "kernel_layer": lambda run: run.kernel_layer(),
}
"""Everything that `Run` can be asked and that follows from its dumps."""

NOT_ASKED = {
    "samples", "class_names", "refresh", "picture", "class_index", "info", "has_network", "network", "branch",
    "warnings", "updated", "size_bytes", "check", "node_index", "layer",
}  # fmt: skip
"""What has nothing to do with the index, or changes with the clock."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run without an index; not to be changed."""
    place = tmp_path_factory.mktemp("recorded") / "run"
    write_run(place, SCALE)
    return place


@pytest.fixture
def place(recorded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(recorded, tmp_path / "run")


@pytest.fixture(scope="module")
def indexed(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a complete index; not to be changed."""
    place = shutil.copytree(recorded, tmp_path_factory.mktemp("indexed") / "run")
    assert build_index(place).blocks_written == 3
    return place


def bytes_of(answer: Any) -> Any:
    """Something that is equal only where every byte of an answer is."""
    if isinstance(answer, np.ndarray):
        return answer.dtype.str, answer.shape, answer.tobytes()
    if dataclasses.is_dataclass(answer):
        return [bytes_of(getattr(answer, field.name)) for field in dataclasses.fields(answer)]
    if isinstance(answer, dict):
        return {name: bytes_of(value) for name, value in answer.items()}
    return [bytes_of(one) for one in answer] if isinstance(answer, list | tuple) else answer


def answers(run: Run, names: Iterator[str] | None = None) -> dict[str, Any]:
    return {name: bytes_of(QUESTIONS[name](run)) for name in (names or QUESTIONS)}


def logs_answers(place: Path, tmp_path: Path) -> dict[str, Any]:
    """The answers of the same run without its index."""
    alone = tmp_path / "alone"
    shutil.rmtree(alone, ignore_errors=True)
    shutil.copytree(place, alone, ignore=shutil.ignore_patterns("index"))
    return answers(open_run(alone))


def assert_as_from_the_log(run: Run, expected: dict[str, Any]) -> None:
    found = answers(run)
    assert [name for name in QUESTIONS if found[name] != expected[name]] == []


def shards(place: Path) -> list[Path]:
    return sorted(path for path in (place / "index").rglob("*") if path.is_file() and path.name != "zarr.json")


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
    answers(run, iter(set(QUESTIONS) - {"top_filters"}))


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


def copy_dumps(source: Path, target: Path, dumps: range, *, state: str) -> None:
    """The run as it was when it had these dumps."""
    info = LogReader(Blobs(source)).info
    for path in source.rglob("*"):
        parts = path.relative_to(source).parts
        if path.is_file() and (parts[0] == "samples" or parts[:2] == ("log", "scalars") or parts[0] == "network.json"):
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path.relative_to(source))
    for kind in ("predictions", "layers", "kernels", "filters"):
        (target / "log" / kind).mkdir(parents=True, exist_ok=True)
        for path in sorted((source / "log" / kind).iterdir()):
            if int(path.name[:12]) // SCALE.iterations_per_dump in dumps:
                shutil.copyfile(path, target / "log" / kind / path.name)
    LogWriter(Blobs(target)).write_info(dataclasses.replace(info, state=state))


def published(place: Path) -> Published | None:
    return Published.from_json((place / ROOT).read_bytes()) if (place / ROOT).exists() else None


def resume(place: Path, start: int, dumps: int) -> None:
    """Another branch: begins after dump `start`, and repeats earlier dumps with other predictions."""
    blobs = Blobs(place)
    log = LogReader(blobs)
    info = log.info.with_branch(Branch(start * SCALE.iterations_per_dump, "later"))
    writer = LogWriter(blobs, branch=info.branches[-1:] and len(info.branches) - 1)
    writer.write_info(info)
    samples = SCALE.classes * SCALE.samples_per_class
    for step in range(1, dumps + 1):
        dump, iteration = log.dumps[step], (start + step) * SCALE.iterations_per_dump
        given = log.predictions(dump, samples)
        writer.write_predictions(iteration, Predictions(given.predicted[::-1].copy(), given.probability, given.loss))
        writer.write_layers(iteration, log.histograms(dump))
        writer.write_filters(iteration, {name: -values for name, values in log.filters(dump).items()})


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
        root.write_text(root.read_text().replace('"index_version": 1', '"index_version": 2'))
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


@pytest.mark.parametrize("fault", ["removed", "emptied", "cut", "index changed", "end changed"])
@pytest.mark.parametrize("name", SOME_ARRAYS)
def test_a_damaged_shard_is_read_from_the_log_and_repaired(
    indexed: Path, tmp_path: Path, fault: str, name: str
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
    assert_as_from_the_log(run, EXPECTED(indexed))
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


def contents(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in (place / "index").rglob("*") if path.is_file()}


def test_however_it_is_built_the_bytes_are_the_same(indexed: Path, recorded: Path, tmp_path: Path) -> None:
    place = shutil.copytree(recorded, tmp_path / "run")
    seen: list[tuple[int, int]] = []
    report = build_index(place, processes=2, on_progress=lambda done, of: seen.append((done, of)))
    assert contents(place) == contents(indexed)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert report.bytes == sum(path.stat().st_size for path in shards(place))
    again = build_index(place)
    assert (again.blocks_written, again.blocks_kept, again.bytes) == (0, 3, 0)
    assert contents(place) == contents(indexed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of distributed's own
def test_a_dask_cluster_writes_the_same_bytes(indexed: Path, recorded: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    place = shutil.copytree(recorded, tmp_path / "run")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        assert build_index(place, scheduler=cluster.scheduler_address).blocks_written == 3
    assert contents(place) == contents(indexed)


def test_two_builders_at_once_are_harmless(indexed: Path, recorded: Path, tmp_path: Path) -> None:
    place = shutil.copytree(recorded, tmp_path / "run")
    context = multiprocessing.get_context("spawn")
    builders = [context.Process(target=build_index, args=(str(place),)) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(120)
    assert [builder.exitcode for builder in builders] == [0, 0]
    assert contents(place) == contents(indexed)


def test_a_builder_that_is_killed_leaves_a_run_that_answers_and_can_be_gone_on_with(
    indexed: Path, recorded: Path, tmp_path: Path
) -> None:
    chance = random.Random(1)
    context = multiprocessing.get_context("fork")
    place = shutil.copytree(recorded, tmp_path / "run")
    names = ["node_stats sd", "filter_stats change", "class_samples", "anomaly_counts", "error_rates"]
    for _ in range(8):
        builder = context.Process(target=build_index, args=(str(place),))
        builder.start()
        time.sleep(chance.uniform(0.01, 0.4))
        assert builder.pid is not None
        os.kill(builder.pid, signal.SIGKILL)
        builder.join()
        run = open_run(place)
        assert answers(run, iter(names)) == {name: EXPECTED(indexed)[name] for name in names}
        assert run.warnings == []
        if chance.random() < 0.4:
            shutil.rmtree(place / "index", ignore_errors=True)
    build_index(place)
    temporary = [path for path in contents(place) if path.rsplit("/", 1)[-1].startswith(".")]
    assert {path: data for path, data in contents(place).items() if path not in temporary} == contents(indexed)


def test_zarr_and_xarray_open_it_and_read_the_same_values(indexed: Path) -> None:
    run = open_run(indexed)
    root = zarr.open_group(indexed / "index", mode="r")
    name = root.attrs["deeptracker"]["group"]  # type: ignore[index,call-overload]
    group = zarr.open_group(indexed / "index" / name, mode="r")
    dataset = xarray.open_zarr(indexed / "index", group=name)
    every = slice(0, run.network().filters)
    for measure in MEASURES:
        expected = np.concatenate([run.filter_stats(layer.name, measure) for layer in run.network().layers]).T
        assert expected.shape == (DUMPS, every.stop)
        np.testing.assert_array_equal(group[measure][:], expected)  # type: ignore[index]
        np.testing.assert_array_equal(root[f"{name}/{measure}"][:], expected)  # type: ignore[index]
        np.testing.assert_array_equal(dataset[measure].values, expected)
        assert dataset[measure].dims == ("dump", "filter")
        np.testing.assert_array_equal(zarr.open_array(indexed / "index" / name / measure, mode="r")[:], expected)
    np.testing.assert_array_equal(dataset["iteration"].values, run.iterations)
    assert (dataset["branch"].values == 0).all()
    assert dataset["node_stats"].attrs["nodes"] == [node.name for node in preorder(run.network().hierarchy)]
    for place, measure in enumerate(dataset["node_stats"].attrs["node_measures"]):
        np.testing.assert_array_equal(dataset["node_stats"].values[:, place].T, run.node_stats(measure))
    predicted = np.concatenate([run.class_samples(cls).predicted for cls in range(SCALE.classes)])
    np.testing.assert_array_equal(dataset["predicted"].values.T, predicted)
    for detail in ("probability", "loss"):
        rows = np.stack([run.sample_history(sample)[detail] for sample in range(0, 630, 37)])
        np.testing.assert_array_equal(dataset[detail].values[:, ::37].T, rows)
    np.testing.assert_array_equal(dataset["class_error"].values.T, run.error_rates())
    np.testing.assert_array_equal(dataset["error"].values, run.validation_error())
    assert (dataset["missing"].values == 0).all()
    words = dataset["correct"].values
    labels = np.repeat(np.arange(SCALE.classes), SCALE.samples_per_class)
    for dump in (0, 63, 64, DUMPS - 1):
        bits = (words[dump // BLOCK] >> np.uint64(dump % BLOCK)) & np.uint64(1)
        np.testing.assert_array_equal(bits.astype(bool), predicted[:, dump] == labels)


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


def test_reading_a_run_does_not_import_zarr(indexed: Path) -> None:
    code = f"import sys, deeptracker; deeptracker.open_run({str(indexed)!r}).node_stats('sd'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"zarr", "numcodecs", "pandas", "xarray"} & set(done.stdout.split())


_EXPECTED: dict[Path, dict[str, Any]] = {}


def EXPECTED(place: Path) -> dict[str, Any]:  # noqa: N802
    """The answers of a run that is whole, taken once."""
    if place not in _EXPECTED:
        _EXPECTED[place] = answers(open_run(place))
    return _EXPECTED[place]
