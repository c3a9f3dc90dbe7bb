"""Does a flight tell what happened before trouble, and does the training not notice?"""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deeptracker import open_run
from deeptracker.record import flight, flight_ring
from deeptracker.record.evaluations import Evaluations
from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.schema import Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from tests.record import recorded, trainings
from tests.record.flown import NAN, flights, train
from tests.record.trainings import RECIPES, TWO_RUNS, Training


@pytest.mark.parametrize("recipe", [x for x in RECIPES if x not in TWO_RUNS], ids=lambda recipe: recipe.__name__)
def test_training_is_the_same_bit_for_bit_with_a_flight(recipe: Callable[[], Training], tmp_path: Path) -> None:
    is_identical(recipe, tmp_path)


@pytest.mark.parametrize("recipe", [trainings.mixed_precision, trainings.bfloat16])
def test_training_is_the_same_with_a_flight_measured_as_on_a_device(
    recipe: Callable[[], Training], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight_ring, "HAS_COMPILER", False)
    is_identical(recipe, tmp_path)


def is_identical(recipe: Callable[[], Training], folder: Path) -> None:
    def flying() -> Training:
        training = recipe()
        training.arguments = {**training.arguments, "flight": 4, "snapshots": 1 << 20}
        return training

    assert recorded.is_identical(flying, folder) == "yes"


def test_the_ring_holds_still_after_trouble_until_the_next_dump(tmp_path: Path) -> None:
    training = trainings.plain()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=50, flight=8, strict=True) as recorder:
        train(recorder, training, 60, losses={20: NAN})
    (found,) = flights(tmp_path / "run").values()
    assert found["iterations"] == list(range(15, 23))  # looked at after each quarter of the ring
    assert found["reasons"] == [
        {"kind": "nan", "text": "the loss is NaN or infinite from iteration 20 on", "iteration": 20, "class": None}
    ]
    assert list(flights(tmp_path / "run")) == [50]


def test_no_iteration_is_in_two_flights_and_trouble_that_goes_on_is_told_once(tmp_path: Path) -> None:
    training = trainings.plain()
    losses = {4: NAN, 5: NAN, 6: NAN, 7: NAN, 10: NAN}
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=3, flight=20, strict=True) as recorder:
        train(recorder, training, 15, losses=losses)
    found = flights(tmp_path / "run")
    # The loss of a dump's own iteration is logged after the dump.
    assert {dump: one["iterations"] for dump, one in found.items()} == {6: [1, 2, 3, 4, 5, 6], 12: list(range(7, 13))}
    assert [one["reasons"][0]["iteration"] for one in found.values()] == [4, 10]


def test_weights_that_become_nan_are_told_by_layer(tmp_path: Path) -> None:
    training = trainings.not_a_number()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=3, flight=20, strict=True) as recorder:
        for i in range(12):
            training.step(i)
            assert recorder.iteration == i + 1
    (found,) = flights(tmp_path / "run").values()
    assert [reason["text"] for reason in found["reasons"]] == [
        "weights or gradients are NaN or infinite from iteration 4 on, in 0, 5"
    ]
    assert found["iterations"] == [1, 2, 3, 4, 5, 6]
    assert (found["nonfinite"] > 0).all(axis=1).tolist() == [False, False, False, True, True, True]


def test_a_leap_of_the_loss_is_kept_with_the_batches_before_it(tmp_path: Path) -> None:
    training, noise = trainings.plain(), np.random.default_rng(0)
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=50, flight=40, strict=True) as recorder:
        for i in range(200):
            recorder.batch(np.arange(12) + 12 * i)
            training.step(i)
            recorder.log(loss=torch.tensor(1 + 0.1 * noise.normal() + (3 if i >= 159 else 0)))
    (dump, found), = flights(tmp_path / "run").items()  # fmt: skip
    assert dump == 200
    assert [(reason["kind"], reason["iteration"]) for reason in found["reasons"]] == [("loss", 160)]
    assert 160 in found["iterations"]
    assert found["iterations"][0] <= 135
    assert found["batches"] == [list(range(12 * (i - 1), 12 * i)) for i in found["iterations"]]


def test_ids_that_are_no_numbers_are_told_and_cost_only_themselves(tmp_path: Path) -> None:
    training = trainings.plain()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=1000, flight=5) as recorder:
        with pytest.warns(RecorderWarning, match="ids of training samples must be whole numbers"):
            recorder.batch(["a", "b"])
        train(recorder, training, 3, losses={3: NAN})
    (found,) = flights(tmp_path / "run").values()
    assert (found["iterations"], found["batches"]) == ([1, 2, 3], None)


def test_a_training_that_fails_leaves_a_flight_if_there_was_trouble(tmp_path: Path) -> None:
    for name, loss in (("trouble", NAN), ("none", 1.0)):
        training = trainings.plain()
        recorder = Recorder(tmp_path / name, training.model, training.optimizers, every=1000, flight=5)
        train(recorder, training, 7, losses={7: loss})
        recorder.__exit__(RuntimeError, RuntimeError("out of luck"), None)
        assert LogReader(Blobs(tmp_path / name)).info.state == "failed"
    assert list(flights(tmp_path / "trouble")) == [7]
    assert flights(tmp_path / "none") == {}
    trouble, none = (open_run(tmp_path / name) for name in ("trouble", "none"))
    assert [one.dump for one in trouble.flights()] == [7]
    assert (trouble.iterations.tolist(), none.iterations.tolist()) == ([0, 7], [0])


def test_a_recorder_that_nobody_closed_leaves_a_flight_as_well(tmp_path: Path) -> None:
    training = trainings.plain()
    recorder = Recorder(tmp_path / "run", training.model, training.optimizers, every=1000, flight=5)
    train(recorder, training, 3, losses={2: NAN})
    recorder._finalizer()
    assert list(flights(tmp_path / "run")) == [3]
    run = open_run(tmp_path / "run")
    assert [one.dump for one in run.flights()] == [3]
    norms = training.model.get_parameter("5.weight").detach().norm(dim=1)
    np.testing.assert_allclose(run.filter_stats("5", "l2")[:, -1], norms, rtol=1e-6)
    assert np.isnan(run.filter_stats("5", "grad_l2")[:, -1]).all()


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray[Any, Any]]:
    """What the model is made to predict at each evaluation: labels of the samples (30,)."""
    planned: list[np.ndarray[Any, Any]] = []

    def evaluate(self: Any) -> tuple[Predictions, float]:
        real, _ = evaluate_really(self)
        return Predictions(planned.pop(0).astype(np.int16), real.probability), 0.5

    evaluate_really = Evaluations.evaluate
    monkeypatch.setattr(Evaluations, "evaluate", evaluate)
    return planned


def test_an_anomaly_is_kept_and_named(tmp_path: Path, predicted: list[np.ndarray[Any, Any]]) -> None:
    training, random = trainings.plain(), np.random.default_rng(0)
    x, y = torch.randn(30, 1, 8, 8), torch.arange(30) % 3
    labels = np.sort(y.numpy())
    for dump in range(51):
        right = random.random(30) < 0.97
        if 26 <= dump < 42:
            right[10:20] = False  # a class collapses, and leaps back
        predicted.append(np.where(right, labels, (labels + 1) % 3))
    with Recorder(
        tmp_path / "run", training.model, training.optimizers, validation=(x, y), every=1, flight=20, strict=True,
        class_names=("cat", "dog", "frog"),
    ) as recorder:  # fmt: skip
        for i in range(50):
            training.step(i)
            recorder._writer.flush()  # so that it does not depend on this machine when a setting is found
    found = flights(tmp_path / "run")
    assert 42 in found
    assert found[42]["iterations"][-1] == 42
    (reason,) = (reason for reason in found[42]["reasons"] if reason["class"] == 1)
    assert (reason["kind"], reason["iteration"]) == ("anomaly", 42)
    assert reason["text"].startswith("class dog: ")
    assert len(found) <= 3


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"flight": -1}, ValueError, "flight must be a number of iterations >= 0. Got -1."),
        ({"flight": 1.5}, TypeError, "flight must be a number of iterations. Got 1.5."),
        ({"flight": True}, TypeError, "flight must be a number of iterations. Got True."),
        ({"flight": 10**12}, ValueError, "a ring of 1,000,000,000,000 for 7 filters takes 112,000.0 GB. Keep fewer"),
        ({"snapshots": 10}, ValueError, "snapshots must come with flight=N"),
        ({"flight": 3, "snapshots": -1}, ValueError, "snapshots must be a number of bytes >= 0"),
        ({"flight": 3, "snapshots": "1 GB"}, TypeError, "snapshots must be a number of bytes. Got '1 GB'"),
    ],
)
def test_what_cannot_be_is_refused_before_a_run_begins(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    training = trainings.plain()
    with pytest.raises(error, match=text):
        Recorder(tmp_path / "run", training.model, training.optimizers, **options)
    assert not (tmp_path / "run").exists()


def test_a_network_with_other_layers_has_a_ring_of_its_own(tmp_path: Path) -> None:
    training = trainings.layer_added()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecorderWarning)
        with Recorder(tmp_path / "run", training.model, training.optimizers, flight=20) as recorder:
            train(recorder, training, 6, losses={2: NAN, 5: NAN})
    (before,), (after,) = (flights(tmp_path / name).values() for name in ("run", "run.network2"))
    assert (before["iterations"], before["l2"].shape[1]) == ([1, 2, 3], 7)
    assert (after["iterations"], after["l2"].shape[1]) == ([4, 5, 6], 11)


def test_a_full_disk_costs_the_flight_and_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training, put = trainings.plain(), Blobs.put

    def full(blobs: Blobs, path: str, data: bytes) -> None:
        if "/flights/" in path and not path.endswith("09.arrow"):
            raise OSError(errno.ENOSPC, "No space left on device")
        put(blobs, path, data)

    monkeypatch.setattr(Blobs, "put", full)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Recorder(tmp_path / "run", training.model, training.optimizers, every=3, flight=20) as recorder:
            train(recorder, training, 9, losses={1: NAN, 4: NAN, 7: NAN})
    told = [str(one.message) for one in caught]
    assert len(told) == 1
    assert "could not record flight at iteration 3: OSError" in told[0]
    reader = LogReader(Blobs(tmp_path / "run"))
    assert [text.split(":")[0] for text in reader.info.lost] == ["flight at iterations 3, 6"]
    assert [dump.iteration for dump in reader.dumps] == [0, 3, 6, 9]
    assert list(flights(tmp_path / "run")) == [9]


def test_an_error_of_ours_ends_the_flights_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ValueError("broken")

    training = trainings.plain()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=2, flight=5) as recorder:
        train(recorder, training, 1)
        monkeypatch.setattr(flight_ring.Ring, "complete", broken)
        with pytest.warns(RecorderWarning, match="could not record flight at iteration 2: ValueError: broken"):
            train(recorder, training, 1)
        train(recorder, training, 4, losses={3: NAN})
    reader = LogReader(Blobs(tmp_path / "run"))
    assert reader.info.lost == ("flight at iteration 2: ValueError: broken",)
    assert [dump.iteration for dump in reader.dumps] == [0, 2, 4, 6]
    assert flights(tmp_path / "run") == {}


def test_of_weights_that_are_spread_over_processes_no_flight_is_kept_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight, "is_sharded", lambda layers: True)
    training = trainings.plain()
    with pytest.warns(RecorderWarning, match=r"flight=N is off: .* Record with DistributedDataParallel"):
        recorder = Recorder(tmp_path / "run", training.model, training.optimizers, flight=5, snapshots=10**6)
    with recorder:
        train(recorder, training, 3, losses={2: NAN})
    assert flights(tmp_path / "run") == {}
    assert not (tmp_path / "run" / "weights").exists()
