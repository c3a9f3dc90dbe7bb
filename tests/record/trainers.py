"""What tests of several trainers need: a small network, data in a fixed order, and what a training leaves behind."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import read_samples

CLASSES, TRAINING, HELD_OUT, BATCH = 3, 48, 21, 8
"""Six batches an epoch."""


def images(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


X, Y = images(TRAINING, 1), torch.arange(TRAINING) % CLASSES
VAL_X, VAL_Y = images(HELD_OUT, 2), torch.arange(HELD_OUT).flip(0) % CLASSES


def seed() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


def network(*, dropout: float = 0.3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(6 * 36, CLASSES)
    )


def left_behind(model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> dict[str, Any]:
    """Everything that a training leaves behind and that a recorder could have changed."""
    return {
        "model": {name: value.clone() for name, value in model.state_dict().items()},
        "flags": [module.training for module in model.modules()],
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "torch": torch.get_rng_state(),
        "numpy": repr(np.random.get_state()),
        "python": random.getstate(),
    }


def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file takes a while, so that what nobody waits for is not there."""
    put = Blobs.put

    def put_slowly(blobs: Blobs, path: str, data: bytes) -> None:
        time.sleep(0.05)
        put(blobs, path, data)

    monkeypatch.setattr(Blobs, "put", put_slowly)


def check_run(run: Path, iterations: list[int], samples: int = HELD_OUT) -> LogReader:
    """The run is whole: these dumps, with every kind of file and a prediction of every sample; nothing was lost."""
    reader = LogReader(Blobs(run))
    assert [dump.iteration for dump in reader.dumps] == iterations
    found = read_samples(Blobs(run))
    assert found is not None
    assert len(found.labels) == samples
    for dump in reader.dumps:
        assert sorted(dump.paths) == ["filters", "kernels", "layers", "predictions"]
        assert (reader.predictions(dump, samples).predicted >= 0).all()
        assert np.isfinite(reader.filters(dump)["l2"]).all()
    for dump in reader.dumps[1:]:
        assert np.isfinite(reader.filters(dump)["change"]).all()
        assert np.isfinite(reader.filters(dump)["update_ratio"]).all()
    assert reader.check() == []
    assert reader.info.lost == ()
    return reader


def assert_same_dumps(a: LogReader, b: LogReader) -> None:
    """Both runs show the same: predictions to the last bit, measures to the rounding of what a resumed run compares."""
    for one, other in zip(a.dumps, b.dumps, strict=True):
        assert one.iteration == other.iteration
        for name, values in a.filters(one).items():
            known, where = b.filters(other)[name], f"{name} at {one.iteration}"
            np.testing.assert_allclose(values, known, rtol=1e-6, atol=1e-9, err_msg=where)
        mine, theirs = a.predictions(one, HELD_OUT), b.predictions(other, HELD_OUT)
        np.testing.assert_array_equal(mine.probability, theirs.probability)
