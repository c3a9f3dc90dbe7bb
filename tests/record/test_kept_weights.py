"""Are weights kept with flights, and never more than was allowed?"""

from __future__ import annotations

from pathlib import Path

import torch

from deeptracker.record.recorder import Recorder
from deeptracker.record.weights import open_weights
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.space import space_of
from deeptracker.store.thin import plan_thinning
from tests.record import trainings
from tests.record.flown import NAN, flights, train


def test_weights_are_kept_with_a_flight_until_the_bytes_are_used_up(tmp_path: Path) -> None:
    training = trainings.plain()
    size = 16_000
    with Recorder(
        tmp_path / "run", training.model, training.optimizers, every=2, flight=20, snapshots=size, strict=True
    ) as recorder:
        for i in range(16):
            training.step(i)
            recorder.log(loss=NAN if i % 4 == 2 else 1.0)
            if recorder.iteration == 4:
                weight = training.model.get_parameter("5.weight").detach().clone()
    kept = sorted((tmp_path / "run" / "weights").iterdir())
    assert kept[0].name == "000000000004.safetensors"
    with open_weights(str(kept[0])) as file:
        assert file.said == {"iteration": 4}
        assert torch.equal(file.tensor("5"), weight)
        assert set(file.state()) == set(training.model.state_dict())
    assert 1 <= len(kept) < len(flights(tmp_path / "run"))
    assert sum(path.stat().st_size for path in kept) <= size
    (told,) = LogReader(Blobs(tmp_path / "run")).info.lost
    assert f"no more weights are written: snapshots={size:,} bytes are used up, and nothing is deleted" in told
    with Recorder(
        tmp_path / "run", training.model, training.optimizers, every=2, flight=20, snapshots=size, resume=16
    ) as recorder:
        train(recorder, training, 12, losses={17: NAN, 20: NAN, 23: NAN, 26: NAN})
    assert sum(path.stat().st_size for path in (tmp_path / "run" / "weights").iterdir()) <= size


def test_what_they_take_is_told_and_a_thinned_run_has_those_of_its_dumps(tmp_path: Path) -> None:
    training = trainings.plain()
    with Recorder(
        tmp_path / "run", training.model, training.optimizers, every=2, flight=20, snapshots=10**6, strict=True
    ) as recorder:
        train(recorder, training, 8, losses={3: NAN, 5: NAN})
    run = Blobs(tmp_path / "run")
    space = space_of(run)
    assert (space.of("flights").files, space.of("weights").files, space.of("foreign").files) == (2, 2, 0)
    planned = {blob.path for blob in plan_thinning(run, [0, 6], rule="hand").files}
    assert {path for path in planned if path.startswith(("log/flights/", "weights/"))} == {
        "log/flights/000000000006.arrow",
        "weights/000000000006.safetensors",
    }
