"""Does a flight hold what plain operations give of each of the last steps, however it is measured?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deeptracker.record import flight_ring
from deeptracker.record.flight_on_device import DeviceRows
from deeptracker.record.network import weighted_layers
from deeptracker.record.recorder import Recorder
from deeptracker.schema import FLIGHT_MEASURES, Reason
from tests.record import trainings
from tests.record.flown import NAN, flights, train
from tests.record.trainings import Training


@pytest.fixture(params=["one pass", "torch operations"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of measuring: compiled for the host, and with torch's operations, as on an accelerator."""
    monkeypatch.setattr(flight_ring, "HAS_COMPILER", request.param == "one pass")
    return str(request.param)


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


def test_of_more_iterations_than_the_ring_has_the_last_are_kept(way: str, tmp_path: Path) -> None:
    training = trainings.plain()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=1000, flight=4, strict=True) as recorder:
        train(recorder, training, 10, losses={10: NAN})
    (found,) = flights(tmp_path / "run").values()
    assert found["iterations"] == [7, 8, 9, 10]
    assert found["l2"].shape == (4, 7)
    assert np.isfinite(found["update_ratio"]).all()


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


def test_parameters_that_are_exchanged_are_followed(tmp_path: Path) -> None:
    training = trainings.parameters_exchanged()
    with Recorder(tmp_path / "run", training.model, training.optimizers, every=2, flight=20, strict=True) as recorder:
        train(recorder, training, 5, losses={5: NAN})
        norms = training.model.get_parameter("5.weight").detach().norm(dim=1)
    (found,) = flights(tmp_path / "run").values()
    np.testing.assert_allclose(found["l2"][-1, 4:], norms, rtol=1e-6)


def test_layers_of_several_devices_come_in_the_order_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4), nn.Linear(4, 3))
    ring = flight_ring.Ring(weighted_layers(model), 2)
    ring._groups = [[0, 2], [1]]  # as if the second lay elsewhere
    ring._rows = [DeviceRows([ring.layers[i] for i in group], 2) for group in ring._groups]
    ring._columns = np.array([0, 1, 6, 7, 8, 2, 3, 4, 5])
    ring.begin()
    ring.complete(1, [])
    values = ring.taken((Reason("nan", "a reason", 1),))(1).values
    expected = torch.cat([layer.weight.detach().norm(dim=1) for layer in ring.layers])
    np.testing.assert_allclose(values[0, 0], expected, rtol=1e-6)
