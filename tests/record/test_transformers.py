"""Does one callback record a training of Hugging Face's Trainer, and does the training not notice?"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

import deeptracker
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from tests.record.test_bit_identity import assert_same
from tests.record.trainers import (
    BATCH,
    VAL_X,
    VAL_Y,
    X,
    Y,
    assert_same_dumps,
    check_run,
    left_behind,
    network,
    seed,
    slow_disk,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: pip install 'deeptracker[transformers]'"
    )
    pytest.importorskip("accelerate", reason="accelerate is not installed: pip install 'deeptracker[transformers]'")

# The Trainer warns of much that is no concern of ours; our own warnings stay errors.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::deeptracker.record.trouble.RecorderWarning"),
]


class Items(Dataset[Any]):
    """Data as the Trainer takes them; `label` under one of the names in use."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, label: str = "labels") -> None:
        self.x, self.y, self.label = x, y, label

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"pixel_values": self.x[index], self.label: int(self.y[index])}


class Model(nn.Module):
    main_input_name = "pixel_values"

    def __init__(self, *, dropout: float = 0.3) -> None:
        super().__init__()
        self.net = network(dropout=dropout)

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        logits = self.net(pixel_values)
        return {"logits": logits} if labels is None else {
            "loss": nn.functional.cross_entropy(logits, labels), "logits": logits
        }  # fmt: skip


class Stop(transformers.TrainerCallback):
    """Raises after so many steps, as a machine that is taken away."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        if state.global_step == self.at:
            raise ConnectionAbortedError("taken away")


def trainer(folder: Path, *callbacks: Any, dropout: float = 0.3, **options: Any) -> Any:
    arguments = transformers.TrainingArguments(
        **{
            "output_dir": str(folder / "checkpoints"),
            "num_train_epochs": 2,
            "per_device_train_batch_size": BATCH,
            "learning_rate": 0.01,
            "save_strategy": "no",
            "logging_steps": 1,
            "report_to": "none",
            "use_cpu": True,
            "disable_tqdm": True,
            **options,
        }
    )
    seed()
    return transformers.Trainer(Model(dropout=dropout), arguments, train_dataset=Items(X, Y), callbacks=list(callbacks))


def test_a_rule_that_holds_stops_the_trainer(tmp_path: Path) -> None:
    callback = deeptracker.TransformersCallback(tmp_path / "run", every=100, stop_on=["high"], strict=True)
    training = trainer(tmp_path, callback, logging_nan_inf_filter=False)
    spoiled = X.clone()
    spoiled[::2] = torch.nan
    training.train_dataset = Items(spoiled, Y)
    training.train()
    assert training.state.global_step == 1
    info = LogReader(Blobs(tmp_path / "run")).info
    assert (info.state, info.stopped) == ("finished", "at iteration 1: The loss is NaN or infinite at iteration 1.")


@pytest.mark.parametrize(
    ("options", "iterations"),
    [
        ({}, [0, 3, 6, 9, 12]),
        ({"gradient_accumulation_steps": 2, "max_grad_norm": 0.1}, [0, 3, 6]),
        ({"bf16": True}, [0, 3, 6, 9, 12]),
    ],
    ids=["plain", "accumulated and clipped", "mixed precision"],
)
def test_training_is_bit_identical_with_and_without_the_callback(
    tmp_path: Path, options: dict[str, Any], iterations: list[int]
) -> None:
    left = []
    recorded = deeptracker.TransformersCallback(tmp_path / "run", validation=Items(VAL_X, VAL_Y), every=3, strict=True)
    for callbacks in ([], [recorded]):
        training = trainer(tmp_path, *callbacks, **options)
        training.train()
        left.append(left_behind(training.model, [training.optimizer]))
    assert_same(*left)
    reader = check_run(tmp_path / "run", iterations)
    scalars = reader.scalars()
    assert scalars["iteration"].tolist() == list(range(iterations[-1] + 1))
    assert np.isfinite(scalars["loss"][1:]).all()
    assert "train_runtime" not in scalars
    assert reader.info.state == "finished"
    if "max_grad_norm" in options:  # gradients are those that the optimizer saw
        for dump in reader.dumps[1:]:
            assert 0 < np.linalg.norm(reader.filters(dump)["grad_l2"]) <= 0.1001


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_an_interrupted_and_resumed_training_gives_one_run(tmp_path: Path, dropout: float) -> None:
    def train(run: str, *callbacks: Any, resume: bool = False) -> None:
        recorded = deeptracker.TransformersCallback(
            tmp_path / run / "run", validation=Items(VAL_X, VAL_Y), every=2, strict=True
        )
        training = trainer(
            tmp_path / run,
            recorded,
            *callbacks,
            dropout=dropout,
            num_train_epochs=3,
            save_strategy="steps",
            save_steps=4,
        )
        training.train(resume_from_checkpoint=resume)

    whole = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    train("whole")
    with pytest.raises(ConnectionAbortedError):
        train("parts", Stop(7))
    with pytest.raises(ConnectionAbortedError):
        train("parts", Stop(11), resume=True)
    train("parts", resume=True)
    parts = check_run(tmp_path / "parts" / "run", whole)
    assert_same_dumps(parts, check_run(tmp_path / "whole" / "run", whole))
    assert [branch.start for branch in parts.info.branches] == [0, 4, 8]
    assert parts.scalars()["iteration"].tolist() == list(range(19))
    assert parts.info.state == "finished"


def test_what_a_checkpoint_knows_is_on_disk_before_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_disk(monkeypatch)
    seen: list[int] = []

    class Look(transformers.TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}" / "trainer_state.json"
            iteration = json.loads(path.read_text())["stateful_callbacks"]["deeptracker"]["iteration"]
            assert [dump.iteration for dump in LogReader(Blobs(tmp_path / "run")).dumps] == list(range(iteration + 1))
            seen.append(iteration)

    recorded = deeptracker.TransformersCallback(tmp_path / "run", validation=(VAL_X, VAL_Y), every=1, strict=True)
    trainer(tmp_path, recorded, Look(), save_strategy="epoch").train()
    assert seen == [6, 12]


def test_the_run_goes_on_at_its_own_iteration_where_the_trainer_counts_otherwise(tmp_path: Path) -> None:
    """With a scaler the trainer counts the steps that are skipped, too."""
    recorded = deeptracker.TransformersCallback(tmp_path / "run", every=2, strict=True)
    trainer(tmp_path, recorded, num_train_epochs=1, save_strategy="epoch").train()
    path = tmp_path / "checkpoints" / "checkpoint-6" / "trainer_state.json"
    state = json.loads(path.read_text())
    state["stateful_callbacks"]["deeptracker"]["iteration"] = 4
    path.write_text(json.dumps(state))
    recorded = deeptracker.TransformersCallback(tmp_path / "run", every=2, strict=True)
    trainer(tmp_path, recorded).train(resume_from_checkpoint=True)
    reader = LogReader(Blobs(tmp_path / "run"))
    assert [branch.start for branch in reader.info.branches] == [0, 4]
    assert [dump.iteration for dump in reader.dumps] == [0, 2, 4, 6, 8, 10]


def test_a_checkpoint_that_knows_nothing_of_the_run_still_knows_its_step(tmp_path: Path) -> None:
    trainer(tmp_path, num_train_epochs=1, save_strategy="epoch").train()
    recorded = deeptracker.TransformersCallback(tmp_path / "run", validation=(VAL_X, VAL_Y), every=3)
    with pytest.warns(deeptracker.RecorderWarning, match="a new one begins at iteration 6"):
        trainer(tmp_path, recorded).train(resume_from_checkpoint=True)
    assert [dump.iteration for dump in LogReader(Blobs(tmp_path / "run")).dumps] == [6, 9, 12]


def test_a_training_that_begins_anew_ends_the_one_before_it_as_failed(tmp_path: Path) -> None:
    recorded = deeptracker.TransformersCallback(tmp_path / "run", every=3, strict=True)
    training = trainer(tmp_path, recorded, Stop(7))
    with pytest.raises(ConnectionAbortedError):
        training.train()
    with pytest.raises(FileExistsError):
        training.train()
    info = LogReader(Blobs(tmp_path / "run")).info
    assert (info.state, info.exception) == ("failed", "InterruptedError: training began anew")


def test_seven_dumps_an_epoch_unless_told(tmp_path: Path) -> None:
    recorded = deeptracker.TransformersCallback(tmp_path / "run", validation=Items(VAL_X, VAL_Y, "label"), strict=True)
    trainer(tmp_path, recorded, gradient_accumulation_steps=4).train()
    assert check_run(tmp_path / "run", [0, 1, 2, 3, 4]).info.every == "2 times an epoch of 2 iterations"


def test_class_names_come_from_the_configuration(tmp_path: Path) -> None:
    recorded = deeptracker.TransformersCallback(tmp_path / "run", every=6, strict=True)
    training = trainer(tmp_path, recorded)
    training.model.config = transformers.PretrainedConfig(id2label={0: "cat", 1: "dog", 2: "owl"})
    training.train()
    assert LogReader(Blobs(tmp_path / "run")).info.class_names == ("cat", "dog", "owl")


def test_trouble_leaves_a_flight(tmp_path: Path) -> None:
    class Breaks(transformers.TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            if state.global_step == 3:
                next(parts["model"].parameters()).data.fill_(torch.nan)

    recorded = deeptracker.TransformersCallback(tmp_path / "run", every=6, flight=20, strict=True)
    trainer(tmp_path, recorded, Breaks()).train()
    (flight,) = deeptracker.open_run(tmp_path / "run").flights()
    assert (flight.dump, flight.first, flight.last) == (6, 1, 5)  # looked at after each fifth iteration
    assert flight.reasons[0].iteration == 4


def test_wrong_options_and_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Got evry"):
        deeptracker.TransformersCallback(tmp_path / "run", evry=3)  # type: ignore[call-arg]
    recorded = deeptracker.TransformersCallback(tmp_path / "run", validation=Items(VAL_X, VAL_Y, "y"), strict=True)
    with pytest.raises(ValueError, match="Got pixel_values, y"):
        trainer(tmp_path, recorded).train()
