"""Are the kernels of the first convolution recorded, row by row as everything else, and only where they are few?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deeptracker.record.kernels import MOST_WEIGHTS, FirstConvolution
from deeptracker.record.network import weighted_layers
from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.schema import Kernels
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import read_samples

X, Y = torch.rand(12, 1, 6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3


def first_convolution(*modules: nn.Module) -> FirstConvolution:
    found = FirstConvolution.of(weighted_layers(nn.Sequential(*modules)))
    assert found is not None
    return found


def pictures_of(module: Any) -> np.ndarray:
    """(filters, channels, height, width), straight from what the layouts mean."""
    weight = module.weight.detach().float().numpy()
    if isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        inputs = weight.shape[0] // module.groups
        groups = [weight[g * inputs : (g + 1) * inputs].swapaxes(0, 1) for g in range(module.groups)]
        weight = np.concatenate(groups)
    if weight.ndim == 3:
        return weight[:, :, None, :]
    if weight.ndim == 5:
        return np.concatenate(list(weight.transpose(2, 0, 1, 3, 4)), axis=2)
    return weight


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv1d(4, 6, 5),
        nn.Conv2d(3, 7, (3, 5)),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.Conv2d(3, 7, 3).to(memory_format=torch.channels_last),
        nn.Conv3d(2, 4, (2, 3, 5)),
        nn.ConvTranspose1d(6, 9, 3, groups=3),
        nn.ConvTranspose2d(4, 6, (2, 3), groups=2),
        nn.Conv2d(3, 7, 3).to(torch.bfloat16),
        nn.Conv2d(3, 7, 3).to(torch.float16),
        nn.Conv2d(3, 7, 3).double(),
    ],
    ids=str,
)
def test_kernels_are_pictures_of_the_weights(module: nn.Module) -> None:
    found = first_convolution(nn.Linear(3, 3), module, nn.Conv2d(1, 2, 3)).kernels()
    assert found.layer == 1
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, pictures_of(module))


def test_kernels_are_a_copy() -> None:
    module = nn.Conv2d(1, 2, 3)
    found = first_convolution(module).kernels()
    with torch.no_grad():
        module.weight.zero_()
    assert (found.values != 0).all()


def test_a_convolution_of_many_weights_has_no_kernels_and_no_later_one_takes_its_place() -> None:
    side = MOST_WEIGHTS // 64
    assert first_convolution(nn.Conv2d(64, side, 1)).index == 0
    large = (nn.Conv2d(64, side + 1, 1), nn.Conv2d(3, 4, 3))
    assert FirstConvolution.of(weighted_layers(nn.Sequential(*large))) is None
    assert FirstConvolution.of(weighted_layers(nn.Sequential(nn.Linear(3, 3), nn.Embedding(3, 3)))) is None


class Backwards(nn.Module):
    """Its modules stand in the order in which data does not reach them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(32, 3)
        self.second = nn.Conv2d(4, 2, 1)
        self.first = nn.Conv2d(1, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.second(self.first(x).relu()).flatten(1))
        return logits


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(X), Y).backward()
    optimizer.step()


def recorded(run: Path, train: Callable[[Recorder, Any, Any], None], **options: Any) -> tuple[LogReader, Backwards]:
    torch.manual_seed(0)
    model = Backwards()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(run, model, optimizer, validation=(X, Y), **options) as recorder:
        train(recorder, model, optimizer)
    return LogReader(Blobs(run)), model


def values(kernels: Kernels | None) -> np.ndarray:
    assert kernels is not None
    assert kernels.layer == 0
    return kernels.values


def test_every_dump_has_the_kernels_of_the_convolution_that_data_reaches_first(tmp_path: Path) -> None:
    seen: list[np.ndarray] = []

    def train(recorder: Recorder, model: Any, optimizer: Any) -> None:
        for _ in range(4):
            seen.append(model.first.weight.detach().numpy().copy())
            step(model, optimizer)
        seen.append(model.first.weight.detach().numpy().copy())

    reader, _ = recorded(tmp_path / "run", train, every=2, strict=True)
    assert [dump.iteration for dump in reader.dumps] == [0, 2, 4]
    for dump in reader.dumps:
        assert sorted(dump.paths) == ["filters", "kernels", "layers", "predictions"]
        np.testing.assert_array_equal(values(reader.kernels(dump)), seen[dump.iteration])
    assert reader.check() == []


def test_weights_that_are_no_numbers_are_recorded_as_they_are(tmp_path: Path) -> None:
    def train(recorder: Recorder, model: Any, optimizer: Any) -> None:
        with torch.no_grad():
            model.first.weight[1] = torch.nan
            model.first.weight[2, 0, 0] = torch.inf
        step(model, optimizer)

    reader, model = recorded(tmp_path / "run", train)
    np.testing.assert_array_equal(values(reader.kernels(reader.dumps[1])), model.first.weight.detach().numpy())
    assert reader.check() == []


def test_kernels_that_cannot_be_copied_cost_no_more_than_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(recorder: Recorder, model: Any, optimizer: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(FirstConvolution, "kernels", lambda self: 1 / 0)
            with pytest.warns(RecorderWarning, match="kernels at iteration 1: ZeroDivisionError"):
                step(model, optimizer)
        step(model, optimizer)

    reader, _ = recorded(tmp_path / "run", train)
    assert reader.info.lost == ("kernels at iteration 1: ZeroDivisionError: division by zero",)
    assert [reader.kernels(dump) is None for dump in reader.dumps] == [False, True, False]
    assert all("filters" in dump.paths and "predictions" in dump.paths for dump in reader.dumps)
    assert read_samples(Blobs(tmp_path / "run")) is not None
    assert reader.check() == []
