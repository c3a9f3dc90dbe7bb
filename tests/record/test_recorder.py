"""Does a recorder write the run that was asked for, from its beginning over resumptions to its end?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deeptracker.errors import RunExistsError
from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Pictures, media_type, read_samples

X, Y = torch.rand(12, 1, 6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(12).flip(0) % 3


def make(seed: int = 0) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> torch.Tensor:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(X), Y)
    loss.backward()
    optimizer.step()
    return loss


def read(run: Path) -> LogReader:
    return LogReader(Blobs(run))


def test_a_run_has_dumps_predictions_samples_and_scalars(tmp_path: Path) -> None:
    model, optimizer = make()
    run = tmp_path / "run"
    losses, outputs = [], [model(X).detach()]
    with Recorder(
        run, model, optimizer, validation=(X, Y), every=2, config={"lr": 0.1}, class_names=["a", "b", "c"], strict=True
    ) as recorder:
        for i in range(1, 6):
            losses.append(step(model, optimizer))
            recorder.log(loss=losses[-1], epoch=i // 3)
            if i % 2 == 0:
                outputs.append(model(X).detach())
    reader = read(run)
    assert [dump.iteration for dump in reader.dumps] == [0, 2, 4]
    info = reader.info
    assert (info.name, info.state, info.every, info.config) == ("run", "finished", "every 2 iterations", {"lr": 0.1})
    assert info.class_names == ("a", "b", "c")
    assert info.overhead["dumps"] == 3
    samples = read_samples(Blobs(run))
    assert samples is not None
    order = np.argsort(Y.numpy(), kind="stable")
    assert samples.ids == tuple(str(i) for i in order)
    for dump, logits in zip(reader.dumps, outputs, strict=True):
        found = reader.predictions(dump, 12)
        assert found.predicted.dtype == np.int16
        assert found.predicted.tolist() == logits.argmax(1)[order].tolist()
        probability = logits.softmax(1)[range(12), Y][order]
        np.testing.assert_allclose(found.probability, probability, rtol=1e-3)
        assert found.loss is not None
        np.testing.assert_allclose(found.loss, -probability.log(), rtol=1e-3)
    picture = Pictures(Blobs(run)).get(0)
    assert media_type(picture) == "image/png"
    scalars = reader.scalars()
    assert scalars["iteration"].tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(scalars["loss"][1:], [x.item() for x in losses])
    assert np.isfinite(scalars["iteration_seconds"][1:]).all()
    errors = [float((x.argmax(1) != Y).float().mean()) for x in outputs]
    np.testing.assert_allclose(scalars["validation_error"][::2], errors, rtol=1e-6)
    assert reader.check() == []


def test_step_measures_are_those_of_weights_captured_by_hand(tmp_path: Path) -> None:
    model, optimizer = make()
    weight = model[3].weight
    at_dump = weight.detach().clone().double()
    with Recorder(tmp_path / "run", model, optimizer, every=3, strict=True):
        for i in range(1, 7):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X), Y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            before, gradient = weight.detach().clone().double(), weight.grad.clone().double()
            optimizer.step()
            if i == 3:
                expected_previous, at_dump = at_dump, weight.detach().clone().double()
                expected = {
                    "update_ratio": (at_dump - before).norm(dim=1) / before.norm(dim=1),
                    "change": (at_dump - expected_previous).norm(dim=1) / expected_previous.norm(dim=1),
                    "change_l1": (at_dump - expected_previous).abs().sum(1) / expected_previous.abs().sum(1),
                    "euclidean": (at_dump - expected_previous).norm(dim=1),
                    "cosine": torch.cosine_similarity(at_dump, expected_previous, dim=1),
                    "grad_l2": gradient.norm(dim=1),
                    "grad_max": gradient.amax(1),
                }
    reader = read(tmp_path / "run")
    found = reader.filters(reader.dumps[1])
    for name, values in expected.items():
        np.testing.assert_allclose(found[name][4:], values, rtol=1e-5, err_msg=name)
    assert np.isnan(reader.filters(reader.dumps[0])["change"]).all()


def test_gradients_of_a_closure_are_measured_within_the_step(tmp_path: Path) -> None:
    model, optimizer = make()

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(X), Y)
        loss.backward()
        return loss

    with Recorder(tmp_path / "run", model, optimizer, strict=True):
        optimizer.step(closure)
    reader = read(tmp_path / "run")
    expected = model[3].weight.grad.norm(dim=1)
    np.testing.assert_allclose(reader.filters(reader.dumps[1])["grad_l2"][4:], expected, rtol=1e-5)


def test_learning_rates_of_all_groups_are_logged_as_used(tmp_path: Path) -> None:
    model, _ = make()
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[3].parameters(), "lr": 0.5}], 0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    with Recorder(tmp_path / "run", model, optimizer, every=10, strict=True):
        for _ in range(4):
            step(model, optimizer)
            scheduler.step()
    scalars = read(tmp_path / "run").scalars()
    np.testing.assert_allclose(scalars["lr"], [0.1, 0.1, 0.01, 0.01])
    np.testing.assert_allclose(scalars["lr/1"], [0.5, 0.5, 0.05, 0.05])


def test_validate_records_at_any_iteration_but_only_once(tmp_path: Path) -> None:
    model, optimizer = make()
    with Recorder(tmp_path / "run", model, optimizer, validation=(X, Y), every=5, strict=True) as recorder:
        step(model, optimizer)
        error = recorder.validate()
        assert error == pytest.approx(float((model(X).argmax(1) != Y).float().mean()))
        assert recorder.validate() == error
    reader = read(tmp_path / "run")
    assert [(dump.iteration, sorted(dump.paths)) for dump in reader.dumps] == [
        (0, ["filters", "kernels", "layers", "predictions"]),
        (1, ["predictions"]),
    ]


def test_validate_without_data_says_what_to_give(tmp_path: Path) -> None:
    model, optimizer = make()
    with (
        Recorder(tmp_path / "run", model, optimizer) as recorder,
        pytest.warns(RecorderWarning, match="validation=LOADER"),
    ):
        assert np.isnan(recorder.validate())


def test_predictions_of_the_users_own_evaluation_come_in_batches(tmp_path: Path) -> None:
    model, optimizer = make()
    run = tmp_path / "run"
    ids = [f"img{i}" for i in range(12)]
    with Recorder(run, model, optimizer, every=1) as recorder:
        for _ in range(2):
            step(model, optimizer)
            probabilities = model(X).softmax(1).detach()
            for part in (slice(0, 8), slice(8, 12)):
                recorder.predictions(ids[part], Y[part], probabilities[part].numpy(), images=X[part])
        step(model, optimizer)
        recorder.predictions(["img3", "other"], torch.tensor([int(Y[3]), 0]), probabilities[:2])
        with pytest.warns(RecorderWarning, match="1 were not among them"):
            step(model, optimizer)
    reader = read(run)
    samples = read_samples(Blobs(run))
    assert samples is not None
    assert samples.has_pictures
    found = reader.predictions(reader.dumps[2], 12)
    expected = dict(zip(ids, probabilities.argmax(1).tolist(), strict=True))
    assert found.predicted.tolist() == [expected[name] for name in samples.ids]
    partial = reader.predictions(reader.dumps[3], 12)
    assert [name for name, value in zip(samples.ids, partial.predicted, strict=True) if value >= 0] == ["img3"]
    assert np.isnan(partial.probability).sum() == 11
    assert reader.check() == []


@pytest.mark.parametrize("closed", [False, True])
def test_a_recorder_that_nobody_closed_is_drained_when_the_process_ends(tmp_path: Path, closed: bool) -> None:
    program = f"""
import sys; sys.path.insert(0, {os.fspath(Path(__file__).parent)!r})
from test_recorder import *
model, optimizer = make()
recorder = Recorder({os.fspath(tmp_path / "run")!r}, model, optimizer, every=3)
for _ in range(4):
    step(model, optimizer)
    recorder.log(loss=1.0)
recorder.predictions(range(12), Y, model(X).softmax(1).detach())
{"recorder.close()" if closed else ""}
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)
    reader = read(tmp_path / "run")
    assert reader.info.state == ("finished" if closed else "running")
    assert [dump.iteration for dump in reader.dumps] == [0, 3, 4]
    assert reader.scalars()["loss"].tolist() == [1.0] * 4


def test_an_exception_in_the_body_is_told_in_the_run(tmp_path: Path) -> None:
    model, optimizer = make()
    with pytest.raises(ZeroDivisionError), Recorder(tmp_path / "run", model, optimizer):
        raise ZeroDivisionError("by zero")
    info = read(tmp_path / "run").info
    assert (info.state, info.exception) == ("failed", "ZeroDivisionError: by zero")


def test_a_forked_child_writes_nothing(tmp_path: Path) -> None:
    model, optimizer = make()
    with Recorder(tmp_path / "run", model, optimizer, strict=True) as recorder:
        recorder.flush()
        child = os.fork()
        if child == 0:
            for parameter in model.parameters():
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
            recorder.log(loss=1)
            recorder.close()
            os._exit(0 if recorder.iteration == 0 else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert [dump.iteration for dump in read(tmp_path / "run").dumps] == [0]


def test_resuming_at_a_dump_continues_after_it_and_knows_its_weights(tmp_path: Path) -> None:
    run = tmp_path / "run"
    model, optimizer = make()
    with Recorder(run, model, optimizer, validation=(X, Y), class_names="abc", strict=True) as recorder:
        for _ in range(2):
            step(model, optimizer)
        checkpoint = {k: v.clone() for k, v in model.state_dict().items()}
        for _ in range(3):
            step(model, optimizer)
    model.load_state_dict(checkpoint)
    weight = checkpoint["3.weight"]
    with Recorder(run, model, optimizer, validation=(X, Y), resume=2, strict=True) as recorder:
        assert recorder.iteration == 2
        step(model, optimizer)
    reader = read(run)
    assert [(dump.iteration, dump.branch) for dump in reader.dumps] == [(0, 0), (1, 0), (2, 0), (3, 1)]
    assert [branch.start for branch in reader.info.branches] == [0, 2]
    assert reader.info.class_names == ("a", "b", "c")
    change = (model[3].weight.detach() - weight).norm(dim=1) / weight.norm(dim=1)
    np.testing.assert_allclose(reader.filters(reader.dumps[-1])["change"][4:], change, rtol=1e-4)
    assert reader.scalars()["iteration"].tolist() == [0, 1, 2, 3]
    assert reader.check() == []


def test_resuming_between_dumps_dumps_at_once(tmp_path: Path) -> None:
    run = tmp_path / "run"
    model, optimizer = make()
    with Recorder(run, model, optimizer, every=4, strict=True):
        for _ in range(5):
            step(model, optimizer)
    with Recorder(run, model, optimizer, every=4, resume=3, strict=True):
        step(model, optimizer)
    reader = read(run)
    assert [(dump.iteration, dump.branch) for dump in reader.dumps] == [(0, 0), (3, 1), (4, 1)]


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    model, optimizer = make()
    Recorder(tmp_path / "run", model, optimizer).close()
    with pytest.raises(RunExistsError, match="resume=ITERATION"):
        Recorder(tmp_path / "run", model, optimizer)


def test_resuming_where_there_is_no_run_begins_one_and_says_so(tmp_path: Path) -> None:
    model, optimizer = make()
    with pytest.warns(RecorderWarning, match="no run in .* to resume"):
        recorder = Recorder(tmp_path / "run", model, optimizer, resume=40)
    step(model, optimizer)
    recorder.close()
    assert [dump.iteration for dump in read(tmp_path / "run").dumps] == [40, 41]


def test_resuming_with_other_data_or_another_model_is_refused(tmp_path: Path) -> None:
    model, optimizer = make()
    Recorder(tmp_path / "run", model, optimizer, validation=(X, Y)).close()
    with pytest.raises(ValueError, match="must have the run's 12 samples"):
        Recorder(tmp_path / "run", model, optimizer, validation=(X[:9], Y[:9]), resume=0)
    with pytest.raises(ValueError, match="12 with another label"):
        Recorder(tmp_path / "run", model, optimizer, validation=(X, (Y + 1) % 3), resume=0)
    with pytest.raises(ValueError, match="layers differ"):
        Recorder(tmp_path / "run", nn.Linear(3, 2), optimizer, resume=0)
    assert len(read(tmp_path / "run").info.branches) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"every": 0}, ValueError, "every must be >= 1"),
        ({"resume": -1}, ValueError, "resume must be an iteration >= 0"),
        ({"validation": iter([])}, ValueError, "again and again"),
        ({"validation": 7}, TypeError, "validation must be"),
        ({"every": "7/epoch"}, ValueError, "steps_per_epoch"),
    ],
)
def test_wrong_arguments_raise_at_once_and_leave_nothing_behind(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    model, optimizer = make()
    with pytest.raises(error, match=text):
        Recorder(tmp_path / "run", model, optimizer, **arguments)
    assert not (tmp_path / "run").exists()


def test_something_that_is_no_torch_optimizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="optimizer must be a torch optimizer"):
        Recorder(tmp_path / "run", make()[0], object())  # type: ignore[arg-type]
