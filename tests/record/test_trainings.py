"""docs/trainings.md says of each training what is found when it is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from deeptracker import open_run
from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.schema import UNDEFINED
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from tests.record import recorded, trainings
from tests.record.processes import Processes
from tests.record.trainings import RECIPES, Training, batch
from tests.record.trainings_table import DISTRIBUTED, distributed_row, documented, row, title


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.__name__)
def test_what_the_table_says_of_a_training_is_so(recipe: Callable[[], Training], tmp_path: Path) -> None:
    found = row(recipe, tmp_path)
    assert found == documented()[title(recipe)]
    assert all(cell.startswith("yes") for cell in found[1:])


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    parent = Processes()
    yield parent
    parent.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", DISTRIBUTED)
def test_what_the_table_says_of_a_training_in_several_processes_is_so(
    kind: str, processes: Processes, tmp_path: Path
) -> None:
    found = distributed_row(kind, processes, tmp_path)
    assert found == documented()[DISTRIBUTED[kind]]
    assert all(cell.startswith("yes") for cell in found[1:])


def test_the_table_has_a_row_for_each_training_and_no_other() -> None:
    assert list(documented()) == [*(title(recipe) for recipe in RECIPES), *DISTRIBUTED.values()]


def test_a_difference_would_be_seen(tmp_path: Path) -> None:
    def disturbed() -> Training:
        training = trainings.plain()
        if disturbed.runs:  # type: ignore[attr-defined]
            torch.rand(())
        disturbed.runs += 1  # type: ignore[attr-defined]
        return training

    disturbed.runs = 0  # type: ignore[attr-defined]
    assert recorded.is_identical(disturbed, tmp_path).startswith("no: ")


def read(run: Path) -> LogReader:
    return LogReader(Blobs(run))


@pytest.mark.parametrize("recipe", [trainings.mixed_precision, trainings.mixed_precision_fused])
def test_gradients_are_measured_as_they_are_without_the_scaler(recipe: Callable[[], Training], tmp_path: Path) -> None:
    norms = []
    training = recipe()
    weight = training.model.get_parameter("5.weight")
    with Recorder(tmp_path / "run", training.model, training.optimizers[0], strict=True):
        for i in range(trainings.CHANGED_AT):
            training.step(i)
            assert weight.grad is not None
            # A fused optimizer unscales within its kernel, in place.
            norms.append(weight.grad.norm(dim=1).tolist())
    reader = read(tmp_path / "run")
    for dump, expected in zip(reader.dumps[1:], norms, strict=True):
        np.testing.assert_allclose(reader.filters(dump)["grad_l2"][4:], expected, rtol=1e-5)


def test_of_several_optimizers_each_gradient_is_that_of_its_last_step(tmp_path: Path) -> None:
    training = trainings.several_optimizers()
    body, head = training.optimizers
    conv, linear = (training.model.get_parameter(name) for name in ("0.weight", "5.weight"))
    seen: dict[int, torch.Tensor] = {}
    before = conv.detach().clone()
    for optimizer, weight in ((body, conv), (head, linear)):
        optimizer.register_step_pre_hook(lambda *_, weight=weight: seen.update({id(weight): weight.grad.clone()}))
    with Recorder(tmp_path / "run", training.model, [body, head], strict=True) as recorder:
        training.step(0)
        assert recorder.iteration == 1
    reader = read(tmp_path / "run")
    found = reader.filters(reader.dumps[1])
    expected = torch.cat([seen[id(weight)].flatten(1).norm(dim=1) for weight in (conv, linear)])
    np.testing.assert_allclose(found["grad_l2"], expected, rtol=1e-5)
    update = (conv.detach() - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)
    np.testing.assert_allclose(found["update_ratio"][:4], update, rtol=1e-4)
    assert {"lr", "lr/1"} <= set(reader.scalars())
    assert (found["nonfinite"] == 0).all()
    histograms = reader.histograms(reader.dumps[1])
    assert [int(counts.sum()) for counts in histograms.grad_counts] == [conv.numel(), linear.numel()]


def test_what_is_given_as_optimizers_is_checked(tmp_path: Path) -> None:
    training = trainings.plain()
    optimizer = training.optimizers[0]
    for given, error, text in (
        ([], ValueError, "empty list"),
        ([optimizer, optimizer], ValueError, "one twice"),
        ([optimizer, object()], TypeError, "Got a object"),
    ):
        with pytest.raises(error, match=text):
            Recorder(tmp_path / "run", training.model, given)
    assert not (tmp_path / "run").exists()


def test_an_average_is_dumped_once_it_has_taken_up_the_step(tmp_path: Path) -> None:
    training = trainings.ema_measured()
    average = training.model.get_parameter("module.5.weight")
    norms = [average.detach().norm(dim=1).tolist()]
    with Recorder(tmp_path / "run", training.model, training.optimizers[0], strict=True):
        for i in range(3):
            training.step(i)
            norms.append(average.detach().norm(dim=1).tolist())
    reader = read(tmp_path / "run")
    assert reader.network is not None
    assert [layer.name for layer in reader.network.layers] == ["0", "5"]
    for dump, expected in zip(reader.dumps, norms, strict=True):
        np.testing.assert_allclose(reader.filters(dump)["l2"][4:], expected, rtol=1e-6)


def test_a_validation_model_is_evaluated_in_place_of_the_measured_one(tmp_path: Path) -> None:
    training = trainings.ema_validated()
    average = training.kept["average"]
    images, labels = batch(5000)
    with Recorder(
        tmp_path / "run", training.model, training.optimizers[0], validation=(images, labels), strict=True,
        **training.arguments,
    ):  # fmt: skip
        for i in range(4):
            training.step(i)
    with torch.no_grad():
        expected = average.eval()(images).softmax(1)[range(len(labels)), labels]
    reader = read(tmp_path / "run")
    order = np.argsort(labels.numpy(), kind="stable")
    found = reader.predictions(reader.dumps[-1], len(labels))
    np.testing.assert_allclose(found.probability, expected[order], rtol=2e-3)
    trained = training.model.get_parameter("5.weight").detach().norm(dim=1)
    np.testing.assert_allclose(reader.filters(reader.dumps[-1])["l2"][4:], trained, rtol=1e-6)


def test_the_layers_of_a_run_that_changes_are_told_and_both_runs_are_whole(tmp_path: Path) -> None:
    training = trainings.layer_added()
    images, labels = batch(5000)
    run, version = tmp_path / "run", tmp_path / "run.network2"
    with Recorder(
        run, training.model, training.optimizers[0], validation=(images, labels), config={"a": 1}, class_names="abc"
    ) as recorder:
        for i in range(3):
            training.step(i)
        with pytest.warns(RecorderWarning, match=r"the layers changed at iteration 3: recorded on in .*run\.network2"):
            training.step(3)
        assert recorder.place == str(version)
        training.step(4)
    before, after = open_run(run), open_run(version)
    assert (before.state, after.state) == ("finished", "finished")
    assert before.warnings == [f"the layers changed at iteration 3: recorded on in {version}"]
    assert before.iterations.tolist() == [0, 1, 2, 3]
    assert after.iterations.tolist() == [3, 4, 5]
    assert [layer.name for layer in before.network().layers] == ["0", "5"]
    assert [layer.name for layer in after.network().layers] == ["0", "2.0", "5"]
    assert (after.info.config, after.class_names) == ({"a": 1}, ("a", "b", "c"))
    np.testing.assert_array_equal(before.error_rates()[:, 3] >= 0, after.error_rates()[:, 0] >= 0)
    assert after.warnings == []
    assert Blobs(run).get("samples/labels.arrow") == Blobs(version).get("samples/labels.arrow")
    assert np.isfinite(after.filter_stats("2.0", "change")[:, 1:]).all()


def test_a_model_that_becomes_nan_is_recorded_as_data(tmp_path: Path) -> None:
    training = trainings.not_a_number()
    with Recorder(tmp_path / "run", training.model, training.optimizers[0], validation=batch(5000), strict=True):
        for i in range(trainings.CHANGED_AT + 1):
            training.step(i)
    run = open_run(tmp_path / "run")
    assert run.warnings == []
    last = run.filter_stats("5", "nonfinite")[:, -1]
    assert (last == 2 * 144).all()  # weights and gradients
    assert run.scalars()["validation_error"][-1] == 1
    assert (run.class_samples(0).predicted[:, -1] == UNDEFINED).all()
    assert run.validation_error()[-1] == 1  # it collapsed: that is seen, not missing
    assert (run.error_rates()[:, -1] == 1).all()
    assert run.class_levels(0, 1000).error[:, -1].tolist() == [1] * len(run.class_samples(0).samples)
    taken = run.taken_for(0, 1000)
    assert taken.counts[-1, -1] == taken.known[-1] > 0  # none of the classes
    assert np.isnan(run.filter_stats("5", "l2")[:, -1]).all()


def test_what_was_frozen_has_gradients_once_it_is_thawed(tmp_path: Path) -> None:
    training = trainings.thawed()
    with Recorder(tmp_path / "run", training.model, training.optimizers[0], strict=True):
        for i in range(6):
            training.step(i)
    gradients = open_run(tmp_path / "run").filter_stats("0", "grad_l2")[0]
    assert np.isnan(gradients).tolist() == [True] * (trainings.CHANGED_AT + 1) + [False] * 3


class Own(nn.Module):
    """Compiled in place only what is no module of torch's own is compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = trainings.network()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def compilations(run: Path | None, *, in_place: bool, whole_step: bool) -> dict[str, object]:
    """What torch.compile counts in a training with validation of another batch size."""
    torch._dynamo.reset()
    counters.clear()
    torch.manual_seed(0)
    model = Own()
    optimizer = trainings.sgd(model)
    compiled: nn.Module = model
    if in_place:
        model.compile(backend="eager")
    else:
        compiled = torch.compile(model, backend="eager")  # type: ignore[assignment]
    step = torch.compile(optimizer.step, backend="eager") if whole_step else optimizer.step
    images, labels = (part[:7] for part in batch(5000))
    recorder = Recorder(run, compiled, optimizer, validation=(images, labels), strict=True, flight=3) if run else None
    for i in range(4):
        optimizer.zero_grad()
        trainings.loss_of(compiled, i).backward()
        step()
    if recorder is not None:
        recorder.close()
        assert recorder.iteration == 4
    return {name: dict(counters[name]) for name in ("stats", "graph_break", "recompile_limit", "unimplemented")}


@pytest.mark.parametrize("in_place", [False, True])
def test_nothing_is_compiled_because_of_the_recorder(tmp_path: Path, in_place: bool) -> None:
    without = compilations(None, in_place=in_place, whole_step=False)
    assert without["stats"]["unique_graphs"] >= 1  # type: ignore[index]
    assert without["graph_break"] == {}
    assert compilations(tmp_path / "run", in_place=in_place, whole_step=False) == without


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own, on its way
def test_steps_of_an_optimizer_that_is_compiled_itself_are_counted(tmp_path: Path) -> None:
    compilations(tmp_path / "run", in_place=False, whole_step=True)
    assert open_run(tmp_path / "run").iterations.tolist() == [0, 1, 2, 3, 4]
