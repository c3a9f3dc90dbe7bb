"""Does an error of ours ever stop or change a training, and is what was lost told?"""

from __future__ import annotations

import errno
import inspect
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from deeptracker.record import evaluations
from deeptracker.record.measures import Measurer
from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

X, Y = torch.randn(12, 1, 6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3


def make() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(X), Y).backward()
    optimizer.step()


STEP_LINE = inspect.getsourcelines(step)[1] + 3


def trained_without() -> list[torch.Tensor]:
    model, optimizer = make()
    for _ in range(8):
        step(model, optimizer)
    return list(model.parameters())


def assert_trained_alike(model: nn.Module) -> None:
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), trained_without(), strict=True))


class FullDisk:
    """Makes `Blobs.put` fail while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        put = Blobs.put

        def put_or_fail(blobs: Blobs, path: str, data: bytes) -> None:
            if self.is_full:
                raise OSError(errno.ENOSPC, "No space left on device")
            put(blobs, path, data)

        monkeypatch.setattr(Blobs, "put", put_or_fail)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    return FullDisk(monkeypatch)


def test_a_full_disk_costs_dumps_and_one_warning_at_the_users_line(tmp_path: Path, disk: FullDisk) -> None:
    model, optimizer = make()
    recorder = Recorder(tmp_path / "run", model, optimizer, validation=(X, Y))
    recorder.flush()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(1, 9):
            disk.is_full = i in (3, 4, 5)
            step(model, optimizer)
            recorder._writer.flush()
    recorder.close()
    assert {w.category for w in caught} == {RecorderWarning}
    about_dumps = [w for w in caught if "could not record dump" in str(w.message)]
    assert len(about_dumps) == 1
    assert (about_dumps[0].filename, about_dumps[0].lineno) == (__file__, STEP_LINE)
    assert "No space left on device" in str(about_dumps[0].message)
    assert_trained_alike(model)
    reader = LogReader(Blobs(tmp_path / "run"))
    assert [dump.iteration for dump in reader.dumps] == [0, 1, 2, 6, 7, 8]
    assert reader.info.state == "finished"
    assert any(text.startswith("dump at iterations 3, 4, 5: OSError") for text in reader.info.lost)
    assert reader.check() == []


def test_a_disk_that_stays_full_is_told_at_the_end_as_run_json_cannot_tell_it(tmp_path: Path, disk: FullDisk) -> None:
    model, optimizer = make()
    recorder = Recorder(tmp_path / "run", model, optimizer, validation=(X, Y))
    recorder.flush()
    disk.is_full = True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            step(model, optimizer)
        recorder.close()
    last = str(caught[-1].message)
    assert "could not write run.json at the end" in last
    assert "dump at iterations 1, 2, 3: OSError" in last
    assert [dump.iteration for dump in LogReader(Blobs(tmp_path / "run")).dumps] == [0]


def test_a_strict_recorder_raises_what_the_writer_met(tmp_path: Path, disk: FullDisk) -> None:
    model, optimizer = make()
    recorder = Recorder(tmp_path / "run", model, optimizer, strict=True)
    recorder.flush()
    disk.is_full = True
    step(model, optimizer)
    recorder._writer.flush()
    with pytest.raises(OSError, match="No space left"):
        step(model, optimizer)
    disk.is_full = False
    recorder._writer.flush()
    recorder._writer.failures()
    recorder.close()


def test_a_run_folder_that_becomes_a_file_does_not_stop_training(tmp_path: Path) -> None:
    model, optimizer = make()
    recorder = Recorder(tmp_path / "run", model, optimizer, validation=(X, Y))
    recorder.flush()
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").write_text("in the way")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(8):
            step(model, optimizer)
        recorder.close()
    assert {w.category for w in caught} == {RecorderWarning}
    assert_trained_alike(model)


def test_an_error_while_measuring_costs_the_measures_of_that_dump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = make()
    recorder = Recorder(tmp_path / "run", model, optimizer, validation=(X, Y))
    with monkeypatch.context() as patch:
        patch.setattr(Measurer, "before_step", lambda self: 1 / 0)
        with pytest.warns(RecorderWarning, match="measures at iteration 1: ZeroDivisionError") as caught:
            step(model, optimizer)
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, STEP_LINE)]
    for _ in range(7):
        step(model, optimizer)
    recorder.close()
    assert_trained_alike(model)
    reader = LogReader(Blobs(tmp_path / "run"))
    assert reader.info.lost == ("measures at iteration 1: ZeroDivisionError: division by zero",)
    assert [sorted(dump.paths) for dump in reader.dumps[:3]] == [
        ["filters", "kernels", "layers", "predictions"],
        ["kernels", "predictions"],
        ["filters", "kernels", "layers", "predictions"],
    ]


def test_a_failing_evaluation_costs_the_predictions_and_restores_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = make()
    recorder = Recorder(tmp_path / "run", model, optimizer, validation=(X, Y))

    def fail(model: Any, batches: Any, inputs: Any, see: Any) -> Any:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(evaluations, "evaluate", fail)
        with pytest.warns(RecorderWarning, match="predictions at iteration 1: RuntimeError: out of memory"):
            step(model, optimizer)
        for _ in range(2):
            step(model, optimizer)
    assert all(module.training for module in model.modules())
    recorder.close()
    reader = LogReader(Blobs(tmp_path / "run"))
    assert [len(dump.paths) for dump in reader.dumps] == [4, 3, 3, 3]
    assert reader.info.lost == ("predictions at iterations 1, 2, 3: RuntimeError: out of memory",)


def test_validation_data_that_changes_its_order_costs_the_predictions(tmp_path: Path) -> None:
    class Turning:
        passes = 0

        def __iter__(self) -> Any:
            self.passes += 1
            return iter([(X, Y.roll(self.passes))])

    model, optimizer = make()
    recorder = Recorder(tmp_path / "run", model, optimizer, validation=Turning())
    with pytest.warns(RecorderWarning, match="same samples in the same order"):
        step(model, optimizer)
    recorder.close()


def test_scalars_that_are_no_numbers_are_told_and_training_goes_on(tmp_path: Path) -> None:
    model, optimizer = make()
    with Recorder(tmp_path / "run", model, optimizer) as recorder:
        step(model, optimizer)
        with pytest.warns(RecorderWarning, match="loss must be a number") as caught:
            recorder.log(loss="low")
        assert caught[0].filename == __file__
        with pytest.warns(RecorderWarning, match="loss must be one number"):
            Recorder(tmp_path / "other", model, optimizer).log(loss=torch.zeros(2))


def test_pictures_that_cannot_be_made_are_told_and_the_rest_is_recorded(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(5, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(RecorderWarning, match="pictures at iteration 0: ValueError: a batch of images"):
        recorder = Recorder(tmp_path / "run", model, optimizer, validation=(torch.randn(12, 5), Y))
    recorder.close()
    assert len(LogReader(Blobs(tmp_path / "run")).dumps[0].paths) == 3


def test_a_closed_recorder_says_so(tmp_path: Path) -> None:
    model, optimizer = make()
    recorder = Recorder(tmp_path / "run", model, optimizer)
    recorder.close()
    recorder.close()
    with pytest.warns(RecorderWarning, match="has been closed"):
        recorder.log(loss=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(model, optimizer)
    assert recorder.iteration == 0
