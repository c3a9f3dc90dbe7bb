"""The index of a run that is being recorded: it is there, it is right, and training never notices."""

import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deeptracker import companion, index_process, open_run
from deeptracker.companion import Companion
from deeptracker.indexing import build_index
from deeptracker.record import index_builder
from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.run import Run
from deeptracker.schema import FILTER_MEASURES, NODE_MEASURES
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import ROOT, Published
from deeptracker.store.log import LogReader, LogWriter
from tests.s3 import Bucket
from tests.test_index_process import is_alive, until

CLASSES = 3
IMAGES = 24
LONG = 150
"""Dumps of two blocks and a part of a third."""


def make() -> tuple[nn.Module, torch.optim.Optimizer, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, CLASSES))
    images = torch.randn(IMAGES, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    return model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9), images, torch.arange(IMAGES) % CLASSES


class Training:
    """A small training, recorded at each step unless `place` is None."""

    def __init__(self, place: Path | str | None, **options: Any) -> None:
        self.model, self.optimizer, self.x, self.y = make()
        options = {"validation": (self.x, self.y)} | options
        self.recorder = None if place is None else Recorder(place, self.model, self.optimizer, **options)

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(self.x), self.y).backward()
            self.optimizer.step()

    @property
    def builder(self) -> index_builder.IndexBuilder:
        assert self.recorder is not None
        found = self.recorder._output._index
        assert found is not None
        return found

    @property
    def pid(self) -> int:
        """Of the process that builds now; 0 if there is none."""
        process = self.builder._process
        started = process and process._process
        return started.pid if started else 0

    def parameters(self) -> list[bytes]:
        return [parameter.detach().numpy().tobytes() for parameter in self.model.parameters()]


@pytest.fixture(scope="module")
def unrecorded() -> list[bytes]:
    """The weights after so many steps without a recorder."""
    training = Training(None)
    training.steps(LONG - 1)
    return training.parameters()


def indexed_dumps(place: Path | str) -> int:
    data = Blobs(place)
    found = Published.from_json(data.get(ROOT)) if data.exists(ROOT) else None
    return len(found.dumps) if found else 0


def answers(run: Run) -> Iterator[np.ndarray]:
    """All that is said of every dump."""
    yield run.iterations
    yield run.error_rates()
    yield run.validation_error()
    yield from (run.class_samples(cls).predicted for cls in range(CLASSES))
    yield from (run.probabilities(cls) for cls in range(CLASSES))
    yield from (run.node_stats(measure) for measure in NODE_MEASURES)
    yield from (run.filter_stats(layer, measure) for layer in range(2) for measure in FILTER_MEASURES)
    found = run.anomalies(5, 0.1)
    yield from (found.cls, found.dump, found.left, found.right, found.pending)


def assert_as_from_the_log(place: Path, tmp_path: Path, dumps: int) -> None:
    """Every answer has the bytes that it has without the index."""
    alone = shutil.copytree(place, tmp_path / "alone", ignore=shutil.ignore_patterns("index"), dirs_exist_ok=True)
    assert not (alone / "index").exists()
    run = open_run(place)
    assert len(run.iterations) == dumps
    for found, expected in zip(answers(run), answers(open_run(alone)), strict=True):
        assert (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())
    assert run.warnings == []


def test_the_index_of_a_finished_run_is_whole_and_training_was_the_same(
    tmp_path: Path, unrecorded: list[bytes]
) -> None:
    place = tmp_path / "run"
    training = Training(place, strict=True)
    training.steps(LONG - 1)
    assert training.recorder is not None
    training.recorder.close(index_seconds=120)
    assert training.parameters() == unrecorded
    assert indexed_dumps(place) == LONG
    assert build_index(place).blocks_kept == 3
    assert_as_from_the_log(place, tmp_path, LONG)


def test_a_block_is_built_while_training_goes_on_and_readers_see_it(tmp_path: Path) -> None:
    place = tmp_path / "run"
    training = Training(place, strict=True)
    training.steps(70)
    until(lambda: indexed_dumps(place) == 64, "the first block must be built")
    until(lambda: not training.pid, "its process must end")
    training.steps(70)
    until(lambda: indexed_dumps(place) == 128, "the second block must be built")
    assert training.recorder is not None
    training.recorder.flush()
    assert_as_from_the_log(place, tmp_path, 141)
    training.recorder.close(index_seconds=0)
    assert indexed_dumps(place) == 128
    assert open_run(place).state == "finished"


def test_training_waits_for_a_builder_that_hangs_neither_on_its_way_nor_at_the_end(
    tmp_path: Path, unrecorded: list[bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "run"
    monkeypatch.setattr(index_builder, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(companion, "STOP_SECONDS", 0.5)
    training = Training(place, strict=True)
    training.steps(64)
    until(lambda: training.pid, "the builder must be started")
    pid = training.pid
    os.kill(pid, signal.SIGSTOP)
    training.steps(LONG - 1 - 64)
    assert training.recorder is not None
    training.recorder.flush()
    assert len(LogReader(Blobs(place)).dumps) == LONG
    assert is_alive(pid)
    with caplog.at_level(logging.WARNING, "deeptracker"):
        training.recorder.close(index_seconds=0.5)
    assert not is_alive(pid)
    assert training.parameters() == unrecorded
    assert [text.split(str(place))[1] for text in caplog.messages] == [
        " is being built: 0.5 s at most.",
        " completes it.",
    ]
    assert open_run(place).state == "finished"
    build_index(place)
    assert_as_from_the_log(place, tmp_path, LONG)


def test_a_builder_that_is_killed_is_one_warning_and_the_next_one_goes_on(tmp_path: Path) -> None:
    place = tmp_path / "run"
    training = Training(place)
    training.steps(64)
    until(lambda: training.pid, "the builder must be started")
    os.kill(training.pid, signal.SIGKILL)
    until(lambda: not training.builder._thread, "it must be noticed")
    with pytest.warns(RecorderWarning, match="could not build the index at iteration 63: .* status -9") as caught:
        training.steps(1)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    training.steps(LONG - 66)
    assert training.recorder is not None
    training.recorder.close(index_seconds=120)
    assert indexed_dumps(place) == LONG
    assert open_run(place).info.lost == (), "nothing was lost"
    assert_as_from_the_log(place, tmp_path, LONG)


def test_a_strict_recorder_raises_what_the_builder_met(tmp_path: Path) -> None:
    training = Training(tmp_path / "run", strict=True)
    (tmp_path / "run" / "index").write_text("in the way")
    training.steps(64)
    assert training.recorder is not None
    training.recorder._writer.flush()
    until(lambda: not training.builder._thread, "the builder must fail")
    with pytest.raises(index_process.IndexNotBuiltError):
        training.steps(1)
    training.recorder.close(index_seconds=0)


SCRIPT = """
import sys, torch
from torch import nn
from deeptracker.record.recorder import Recorder
torch.set_num_threads(1)
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(24, 1, 6, 6), torch.arange(24) % 3
recorder = Recorder(sys.argv[1], model, optimizer, validation=(x, y))
while True:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    process = recorder._output._index._process
    if process and process._process:
        print(process._process.pid, flush=True)
"""


@pytest.mark.parametrize("shards", [0, 1, 12])
def test_a_training_that_is_killed_while_a_block_is_built_leaves_a_run_to_go_on_with(
    tmp_path: Path, shards: int
) -> None:
    place = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(place)], stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout is not None
        builder = int(training.stdout.readline())
        until(lambda: sum(path.is_file() for path in (place / "index").rglob("*")) >= shards, "the builder must write")
        training.kill()
        training.stdout.close()
    until(lambda: not is_alive(builder), "the builder must leave")
    dumps = len(LogReader(Blobs(place)).dumps)
    assert dumps >= 64
    assert not list((place / "index").rglob(".*"))
    assert_as_from_the_log(place, tmp_path, dumps)
    build_index(place)
    assert indexed_dumps(place) >= 64
    assert_as_from_the_log(place, tmp_path, dumps)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_on_a_full_disk_training_goes_on_and_what_was_not_written_is_said(
    small_disk: Path, unrecorded: list[bytes], tmp_path: Path
) -> None:
    place = small_disk / "run"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        training = Training(place)
        training.steps(LONG - 1)
        assert training.recorder is not None
        training.recorder.close(index_seconds=120)
    said = [str(warning.message) for warning in caught]
    assert {warning.category for warning in caught} == {RecorderWarning}
    assert training.parameters() == unrecorded
    assert len([text for text in said if "could not record dump" in text and "No space left on device" in text]) == 1
    assert len([text for text in said if "could not build the index" in text]) == 1
    run = open_run(place)
    lost = " ".join([*run.info.lost, *said])
    assert 20 < len(run.iterations) < LONG
    assert "dump at iterations" in lost
    shutil.copytree(place, tmp_path / "moved")
    assert_as_from_the_log_or_less(tmp_path / "moved", tmp_path)


def assert_as_from_the_log_or_less(place: Path, tmp_path: Path) -> None:
    """A run some of whose files could not be written: the same bytes, with and without what there is of an index."""
    alone = shutil.copytree(place, tmp_path / "alone", ignore=shutil.ignore_patterns("index"))
    for found, expected in zip(answers(open_run(place)), answers(open_run(alone)), strict=True):
        assert found.tobytes() == expected.tobytes()


def test_a_builder_that_may_not_write_costs_the_index_and_nothing_else(tmp_path: Path, unrecorded: list[bytes]) -> None:
    """Files of the log are shorter than the limit, shards of a block are not."""
    place = tmp_path / "run"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10, before[1]))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            training = Training(place)
            training.steps(LONG - 1)
            assert training.recorder is not None
            training.recorder.close(index_seconds=120)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (said,) = [str(warning.message) for warning in caught]
    assert "could not build the index at iteration " in said
    assert "File too large" in said
    assert training.parameters() == unrecorded
    assert indexed_dumps(place) == 0
    assert open_run(place).info.lost == ()
    assert_as_from_the_log(place, tmp_path, LONG)


def test_a_short_run_and_one_that_wants_none_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Companion, "_start", lambda self: pytest.fail("no process must be started"))
    for name, dumps, options in (("short", 63, {}), ("none", 130, {"index": False})):
        training = Training(tmp_path / name, strict=True, **options)
        training.steps(dumps - 1)
        assert training.recorder is not None
        training.recorder.close()
        assert not (tmp_path / name / "index").exists()


def test_a_resumed_run_goes_on_with_its_index(tmp_path: Path) -> None:
    place = tmp_path / "run"
    first = Training(place, strict=True)
    first.steps(100)
    assert first.recorder is not None
    first.recorder.close(index_seconds=120)
    assert indexed_dumps(place) == 101
    second = Training(place, resume=80, strict=True)
    second.steps(47)
    until(lambda: indexed_dumps(place) == 128, "two blocks of the new branch must be built")
    assert second.recorder is not None
    second.recorder.close(index_seconds=0)
    assert_as_from_the_log(place, tmp_path, 128)


def test_dumps_that_wait_for_predictions_are_not_indexed_yet(tmp_path: Path) -> None:
    place = tmp_path / "run"
    training = Training(place, validation=None, strict=True)
    recorder = training.recorder
    assert recorder is not None
    for step in range(70):
        training.steps(1)
        if step in (0, 65):
            probabilities = torch.softmax(training.model(training.x), 1).detach()
            recorder.predictions(list(range(IMAGES)), training.y, probabilities)
        if step == 64:
            recorder.flush()
            assert training.builder._due_blocks == 0
    until(lambda: indexed_dumps(place) == 64, "the block must be built once it is settled")
    recorder.close(index_seconds=120)
    assert indexed_dumps(place) == 71


def test_ctrl_c_while_the_last_block_is_awaited_ends_the_waiting_and_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(tmp_path / "run")
    training.steps(69)
    assert training.recorder is not None
    pids: list[int] = []

    def interrupt(self: index_builder.IndexBuilder, seconds: float) -> None:
        until(lambda: training.pid, "the builder must be started")
        pids.append(training.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(index_builder.IndexBuilder, "_wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.recorder.close()
    assert not is_alive(pids[0])
    assert open_run(tmp_path / "run").state == "finished"


def test_a_recorder_that_nobody_closed_leaves_no_process(tmp_path: Path) -> None:
    training = Training(tmp_path / "run")
    training.steps(64)
    until(lambda: training.pid, "the builder must be started")
    pid = training.pid
    assert training.recorder is not None
    training.recorder._finalizer()
    assert not is_alive(pid)
    assert open_run(tmp_path / "run").info.state == "running"


def test_in_an_object_store_it_is_the_same(s3: Bucket, tmp_path: Path) -> None:
    training = Training(s3.url("run"), strict=True)
    training.steps(69)
    assert training.recorder is not None
    training.recorder.close(index_seconds=120)
    assert indexed_dumps(s3.url("run")) == 70
    place = Blobs(tmp_path / "run")
    for blob in Blobs(s3.url("run")).list():
        place.put(blob.path, Blobs(s3.url("run")).get(blob.path))
    assert_as_from_the_log(tmp_path / "run", tmp_path, 70)
    LogWriter(place).write_info(LogReader(place).info)
