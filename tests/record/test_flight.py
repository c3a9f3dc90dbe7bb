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
from torch import nn

from deeptracker import open_run
from deeptracker.record import flight, flight_ring
from deeptracker.record.evaluations import Evaluations
from deeptracker.record.flight_on_device import DeviceRows
from deeptracker.record.network import weighted_layers
from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.record.weights import open_weights
from deeptracker.schema import FLIGHT_MEASURES, Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.columns import decode_columns
from deeptracker.store.log import LogReader
from tests.record import recorded, trainings
from tests.record.trainings import RECIPES, TWO_RUNS, Training

NAN = float("nan")


@pytest.fixture(params=["one pass", "torch operations"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of measuring: compiled for the host, and with torch's operations, as on an accelerator."""
    monkeypatch.setattr(flight_ring, "HAS_COMPILER", request.param == "one pass")
    return str(request.param)


def flights(run: Path) -> dict[int, dict[str, Any]]:
    """The flights of a run by dump: `iterations`, each measure (iterations, filters), `batches` or None, `reasons`."""
    found = {}
    for path in sorted((run / "log" / "flights").glob("*.arrow")):
        columns = decode_columns(path.read_bytes(), "flights", place=str(path))
        arrays = {name: column.to_pylist() for name, column in columns.arrays.items()}
        found[columns.metadata["iteration"]] = {
            "iterations": arrays["iteration"],
            **{name: np.array(arrays[name], np.float32) for name in FLIGHT_MEASURES},
            "batches": arrays.get("batch"),
            "reasons": columns.metadata["reasons"],
        }
    return found


class Literal:
    """What a flight says of each iteration, written down beside it with plain operations in float64."""

    def __init__(self, training: Training) -> None:
        self.weights = [layer.weight for layer in weighted_layers(training.model)]
        self.rows: list[np.ndarray[Any, Any]] = []
        self._last = training.optimizers[-1]
        self._before: list[torch.Tensor] | None = None
        self._gradients: dict[int, torch.Tensor] = {}
        for optimizer in training.optimizers:
            optimizer.register_step_pre_hook(self._at_step)
            optimizer.register_step_post_hook(self._after_step)

    def _at_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._before is None:
            self._before = [weight.detach().double().clone() for weight in self.weights]
            self._gradients = {}
        scale = getattr(optimizer, "grad_scale", None)
        own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for weight in self.weights:
            if weight.grad is not None and id(weight) in own:
                self._gradients[id(weight)] = weight.grad.double() / (1 if scale is None else scale)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if optimizer is not self._last:
            return
        before, self._before = self._before, None
        found_inf = getattr(optimizer, "found_inf", None)
        if found_inf is not None and found_inf.item():
            return
        assert before is not None
        columns = []
        for weight, b in zip(self.weights, before, strict=True):
            a, b = weight.detach().double().flatten(1), b.flatten(1)
            g = self._gradients.get(id(weight), torch.full_like(a, NAN)).flatten(1)
            gone = (~a.isfinite()).sum(1) + (~g.isfinite() & (id(weight) in self._gradients)).sum(1)
            columns.append(torch.stack([a.norm(dim=1), g.norm(dim=1), (a - b).norm(dim=1) / b.norm(dim=1), gone]))
        self.rows.append(torch.cat(columns, 1).float().numpy())


@pytest.mark.parametrize(
    "recipe",
    [
        trainings.plain,
        trainings.mixed_precision,
        trainings.mixed_precision_fused,
        trainings.accumulation,
        trainings.clipping,
        trainings.several_optimizers,
        trainings.channels_last,
        trainings.bfloat16,
        trainings.float16,
        trainings.thawed,
        trainings.not_a_number,
    ],
    ids=lambda recipe: recipe.__name__,
)
def test_a_flight_has_of_each_step_what_plain_operations_give(
    recipe: Callable[[], Training], way: str, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    training = recipe()
    optimizers = training.optimizers if len(training.optimizers) > 1 else training.optimizers[0]
    with Recorder(tmp_path / "run", training.model, optimizers, every=1000, flight=64, strict=True) as recorder:
        literal = Literal(training)
        for i in range(8):
            training.step(i)
        recorder.log(loss=NAN)
    (found,) = flights(tmp_path / "run").values()
    assert found["iterations"] == list(range(1, training.after(8) + 1))
    expected = np.stack(literal.rows)
    for place, name in enumerate(FLIGHT_MEASURES):
        np.testing.assert_allclose(found[name], expected[:, place], rtol=2e-5, err_msg=name)


def test_of_a_step_with_a_closure_the_gradients_are_those_that_it_leaves(way: str, tmp_path: Path) -> None:
    torch.manual_seed(7)
    model = trainings.network()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    weight = model.get_parameter("5.weight")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = trainings.loss_of(model, 0)
        loss.backward()
        return loss

    with Recorder(tmp_path / "run", model, optimizer, every=1000, flight=5, strict=True) as recorder:
        norms = []
        for _ in range(3):
            optimizer.step(closure)
            assert weight.grad is not None
            norms.append(weight.grad.norm(dim=1).tolist())
        recorder.log(loss=NAN)
    (found,) = flights(tmp_path / "run").values()
    np.testing.assert_allclose(found["grad_l2"][:, 4:], norms, rtol=1e-5)


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


def train(recorder: Recorder, training: Training, steps: int, *, losses: dict[int, float] | None = None) -> None:
    for _ in range(steps):
        training.step(recorder.iteration)
        recorder.log(loss=(losses or {}).get(recorder.iteration, 1.0))


def test_of_more_iterations_than_the_ring_has_the_last_are_kept(way: str, tmp_path: Path) -> None:
    training = trainings.plain()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=1000, flight=4, strict=True) as recorder:
        train(recorder, training, 10, losses={10: NAN})
    (found,) = flights(tmp_path / "run").values()
    assert found["iterations"] == [7, 8, 9, 10]
    assert found["l2"].shape == (4, 7)
    assert np.isfinite(found["update_ratio"]).all()


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


def test_weights_that_become_nan_are_told_by_layer(way: str, tmp_path: Path) -> None:
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


def test_ids_of_accumulated_batches_add_up_and_may_be_tensors_or_lists(tmp_path: Path) -> None:
    training = trainings.accumulation()
    ids = torch.zeros(2, dtype=torch.int32)
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=1000, flight=5, strict=True) as recorder:
        for i in range(6):
            ids += 1
            if i < 4:
                recorder.batch(ids if i % 2 else ids.tolist())
            training.step(i)
        recorder.log(loss=NAN)
    (found,) = flights(tmp_path / "run").values()
    assert found["batches"] == [[1, 1, 2, 2], [3, 3, 4, 4], []]


def test_ids_that_are_no_numbers_are_told_and_cost_only_themselves(tmp_path: Path) -> None:
    training = trainings.plain()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=1000, flight=5) as recorder:
        with pytest.warns(RecorderWarning, match="ids of training samples must be whole numbers"):
            recorder.batch(["a", "b"])
        train(recorder, training, 3, losses={3: NAN})
    (found,) = flights(tmp_path / "run").values()
    assert (found["iterations"], found["batches"]) == ([1, 2, 3], None)


def test_an_average_flies_with_the_steps_that_it_takes_up_late(tmp_path: Path) -> None:
    training = trainings.ema_measured()
    average = training.model.get_parameter("module.5.weight")
    norms = []
    with Recorder(tmp_path / "run", training.model, training.optimizers[0], every=2, flight=9, strict=True) as recorder:
        for i in range(5):
            training.step(i)
            norms.append(average.detach().norm(dim=1).tolist())
        recorder.log(loss=NAN)
    (found,) = flights(tmp_path / "run").values()
    assert found["iterations"] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(found["l2"][:, 4:], norms, rtol=1e-6)
    assert (found["update_ratio"][1:, 4:] > 0).all()


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


def test_nothing_is_asked_of_a_device_in_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight_ring, "HAS_COMPILER", False)
    training = trainings.plain()
    recorder = Recorder(tmp_path / "run", training.model, training.optimizers, every=1000, flight=1000, strict=True)
    asked = []

    def refuse(name: str) -> Callable[..., Any]:
        original = getattr(torch.Tensor, name)

        def refused(*args: Any, **kwargs: Any) -> Any:
            asked.append(name)
            return original(*args, **kwargs)

        return refused

    training.step(0)
    names = ("item", "tolist", "cpu", "numpy", "nonzero", "__bool__", "__int__", "__float__", "__index__", "__array__")
    with monkeypatch.context() as patched:
        for name in names:
            patched.setattr(torch.Tensor, name, refuse(name))
        recorder.batch([1, 2])
        training.step(1)
        assert asked == []
        bool(torch.ones(()))
        assert asked == ["__bool__"]
    recorder.close()


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


def test_parameters_that_are_exchanged_are_followed(tmp_path: Path) -> None:
    training = trainings.parameters_exchanged()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=2, flight=20, strict=True) as recorder:
        train(recorder, training, 5, losses={5: NAN})
        norms = training.model.get_parameter("5.weight").detach().norm(dim=1)
    (found,) = flights(tmp_path / "run").values()
    np.testing.assert_allclose(found["l2"][-1, 4:], norms, rtol=1e-6)


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


def test_layers_of_several_devices_come_in_the_order_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4), nn.Linear(4, 3))
    ring = flight_ring.Ring(weighted_layers(model), 2)
    ring._groups = [[0, 2], [1]]  # as if the second lay elsewhere
    ring._rows = [DeviceRows([ring.layers[i] for i in group], 2) for group in ring._groups]
    ring._columns = np.array([0, 1, 6, 7, 8, 2, 3, 4, 5])
    ring.begin()
    ring.complete(1, [])
    values = ring.taken((flight.Reason("nan", "a reason", 1),))(1).values
    expected = torch.cat([layer.weight.detach().norm(dim=1) for layer in ring.layers])
    np.testing.assert_allclose(values[0, 0], expected, rtol=1e-6)
