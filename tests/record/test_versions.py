"""Does a training whose layers have changed find the run that has its layers?"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.record.versions import next_version
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

X, Y = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3


def make(width: int) -> tuple[nn.Sequential, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, width), nn.Linear(width, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(X), Y).backward()
    optimizer.step()


def widen(model: nn.Sequential, width: int) -> None:
    model[0], model[1] = nn.Linear(4, width), nn.Linear(width, 3)


def iterations(run: Path) -> list[int]:
    return [dump.iteration for dump in LogReader(Blobs(run)).dumps]


def test_each_change_begins_a_run_and_going_back_continues_the_one_that_was(tmp_path: Path) -> None:
    model, optimizer = make(5)
    run = tmp_path / "run"
    with Recorder(run, model, optimizer) as recorder:
        for width in (6, 7, 6):
            step(model, optimizer)
            widen(model, width)
            with pytest.warns(RecorderWarning, match="the layers changed at iteration"):
                step(model, optimizer)
        assert recorder.place == f"{run}.network2"
    assert iterations(run) == [0, 1]
    assert iterations(tmp_path / "run.network3") == [3, 4, 5]
    assert iterations(tmp_path / "run.network2") == [1, 2, 3, 5, 6]
    assert len(LogReader(Blobs(f"{run}.network2")).info.branches) == 2


def test_a_resumed_training_goes_on_in_the_run_that_has_its_layers(tmp_path: Path) -> None:
    model, optimizer = make(5)
    run = tmp_path / "run"
    with Recorder(run, model, optimizer):
        step(model, optimizer)
        widen(model, 6)
        with pytest.warns(RecorderWarning, match="the layers changed"):
            step(model, optimizer)
    for width, place in ((6, f"{run}.network2"), (5, str(run))):
        with Recorder(run, *make(width), resume=1, strict=True) as recorder:
            assert recorder.place == place
    with pytest.raises(ValueError, match="layers differ"):
        Recorder(run, *make(9), resume=1)
    assert next_version(run, ()).place == f"{run}.network3"


def test_where_the_next_run_cannot_be_begun_training_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = make(5)
    with Recorder(tmp_path / "run", model, optimizer) as recorder:
        step(model, optimizer)
        widen(model, 6)
        (tmp_path / "run.network2").write_text("in the way")
        with pytest.warns(RecorderWarning, match="could not record dump at iteration 2"):
            step(model, optimizer)
        step(model, optimizer)
        assert recorder.iteration == 3
    reader = LogReader(Blobs(tmp_path / "run"))
    assert [dump.iteration for dump in reader.dumps] == [0, 1]
    assert len(reader.info.lost) == 1
