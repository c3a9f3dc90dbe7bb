"""Does one callback record a training of Lightning, whatever it does, and does the training not notice?"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

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
)  # fmt: skip

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lightning = pytest.importorskip(
        "lightning", reason="Lightning is not installed: pip install 'deeptracker[lightning]'"
    )
    from lightning.pytorch.callbacks import Callback, ModelCheckpoint
    from lightning.pytorch.plugins import MixedPrecision

# Lightning warns of much that is no concern of ours; our own warnings stay errors.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::deeptracker.record.trouble.RecorderWarning"),
]


class Module(lightning.LightningModule):
    def __init__(self, *, dropout: float = 0.3) -> None:
        super().__init__()
        self.net = network(dropout=dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]


class Stop(Callback):
    """Raises after so many batches, as a machine that is taken away."""

    def __init__(self, after: int) -> None:
        self.left = after

    def on_train_batch_end(self, *args: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise ConnectionAbortedError("taken away")


def loaders(*, shuffle: bool = True) -> list[Any]:
    training = DataLoader(TensorDataset(X, Y), batch_size=BATCH, shuffle=shuffle)
    return [training, DataLoader(TensorDataset(VAL_X, VAL_Y), batch_size=5)]


def trainer(folder: Path, *callbacks: Any, epochs: int = 2, **options: Any) -> Any:
    return lightning.Trainer(
        **{
            "default_root_dir": folder,
            "max_epochs": epochs,
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": any(isinstance(one, ModelCheckpoint) for one in callbacks),
            "callbacks": list(callbacks),
            **options,
        }
    )


def test_a_rule_that_holds_stops_the_trainer(tmp_path: Path) -> None:
    told: list[str] = []
    callback = deeptracker.LightningCallback(
        tmp_path / "run", every=100, stop_on="nan", on_finding=lambda finding: told.append(finding.key), strict=True
    )
    spoiled = X.clone()
    spoiled[2 * BATCH] = torch.nan
    batches = DataLoader(TensorDataset(spoiled, Y), batch_size=BATCH)
    fit = trainer(tmp_path, callback)
    fit.fit(Module(), batches, loaders()[1])
    assert (fit.global_step, told[:1]) == (3, ["not-finite"])
    info = LogReader(Blobs(tmp_path / "run")).info
    assert (info.state, info.stopped) == ("finished", "at iteration 3: The loss is NaN or infinite at iteration 3.")


@pytest.mark.parametrize(
    ("options", "iterations"),
    [
        ({}, [0, 3, 6, 9, 12]),
        ({"accumulate_grad_batches": 2, "gradient_clip_val": 0.1}, [0, 3, 6]),
        ({"precision": "bf16-mixed"}, [0, 3, 6, 9, 12]),
    ],
    ids=["plain", "accumulated and clipped", "mixed precision"],
)
def test_training_is_bit_identical_with_and_without_the_callback(
    tmp_path: Path, options: dict[str, Any], iterations: list[int]
) -> None:
    left = []
    for callbacks in ([], [deeptracker.LightningCallback(tmp_path / "run", every=3, strict=True)]):
        seed()
        module, fit = Module(), trainer(tmp_path, *callbacks, **options)
        fit.fit(module, *loaders())
        left.append(left_behind(module, fit.optimizers))
    assert_same(*left)
    reader = check_run(tmp_path / "run", iterations)
    scalars = reader.scalars()
    assert scalars["iteration"].tolist() == list(range(iterations[-1] + 1))
    assert np.isfinite(scalars["loss"][1:]).all()
    assert reader.info.state == "finished"
    if "gradient_clip_val" in options:  # gradients are those that the optimizer saw
        for dump in reader.dumps[1:]:
            assert 0 < np.linalg.norm(reader.filters(dump)["grad_l2"]) <= 0.1001


def test_seven_dumps_an_epoch_and_the_trainers_own_loader_unless_told(tmp_path: Path) -> None:
    seed()
    options = {"check_val_every_n_epoch": 2, "num_sanity_val_steps": 0, "accumulate_grad_batches": 4}
    callback = deeptracker.LightningCallback(tmp_path / "run", strict=True)
    trainer(tmp_path, callback, **options).fit(Module(), *loaders())
    reader = check_run(tmp_path / "run", [0, 1, 2, 3, 4])
    assert reader.info.every == "2 times an epoch of 2 iterations"


def test_an_interrupted_and_resumed_training_gives_one_run(tmp_path: Path) -> None:
    def fit(run: str, *callbacks: Any, checkpoint: Path | None = None) -> None:
        seed()
        saved = ModelCheckpoint(tmp_path / run, save_last=True)
        recorded = deeptracker.LightningCallback(tmp_path / run / "run", every=3, strict=True)
        module = Module(dropout=0)
        trainer(tmp_path, recorded, saved, *callbacks, epochs=3).fit(
            module, *loaders(shuffle=False), ckpt_path=checkpoint
        )

    fit("whole")
    with pytest.raises(ConnectionAbortedError):
        fit("parts", Stop(11))
    failed = LogReader(Blobs(tmp_path / "parts" / "run"))
    assert (failed.info.state, failed.info.exception) == ("failed", "ConnectionAbortedError: taken away")
    assert [dump.iteration for dump in failed.dumps] == [0, 3, 6, 9]
    last = tmp_path / "parts" / "last.ckpt"  # of the end of an epoch: iteration 6, then 12
    with pytest.raises(ConnectionAbortedError):
        fit("parts", Stop(9), checkpoint=last)
    fit("parts", checkpoint=last)
    parts = check_run(tmp_path / "parts" / "run", [0, 3, 6, 9, 12, 15, 18])
    assert_same_dumps(parts, check_run(tmp_path / "whole" / "run", [0, 3, 6, 9, 12, 15, 18]))
    assert [branch.start for branch in parts.info.branches] == [0, 6, 12]
    assert parts.info.state == "finished"
    assert parts.scalars()["iteration"].tolist() == list(range(19))


def test_steps_that_a_scaler_skips_are_not_counted_and_gradients_are_unscaled(tmp_path: Path) -> None:
    norms: list[float] = []

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            if all(torch.isfinite(parameter.grad).all() for parameter in module.parameters()):
                norms.append(float(module.net[0].weight.grad.double().norm()))

    class Half(Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x).float()

    seed()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**22, growth_interval=1000)
    fit = trainer(
        tmp_path,
        callback := deeptracker.LightningCallback(tmp_path / "run", every=1, strict=True),
        Watch(),
        plugins=[MixedPrecision("16-mixed", "cpu", scaler)],
    )
    fit.fit(Half(), *loaders())
    assert callback.state_dict() == {"iteration": len(norms)}
    assert 0 < len(norms) < fit.global_step == 12
    reader = check_run(tmp_path / "run", list(range(len(norms) + 1)))
    found = [np.linalg.norm(reader.filters(dump)["grad_l2"][:6].astype(np.float64)) for dump in reader.dumps[1:]]
    np.testing.assert_allclose(found, norms, rtol=1e-5)

    done = len(norms)
    fit.save_checkpoint(tmp_path / "after.ckpt")
    callback = deeptracker.LightningCallback(tmp_path / "run", every=1, strict=True)
    trainer(tmp_path, callback, epochs=3).fit(Half(), *loaders(), ckpt_path=tmp_path / "after.ckpt")
    reader = check_run(tmp_path / "run", list(range(done + 7)))
    assert [branch.start for branch in reader.info.branches] == [0, done]


def test_of_several_optimizers_the_chosen_one_is_counted(tmp_path: Path) -> None:
    class Two(Module):
        automatic_optimization = False

        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.net[0], self.net[5])]

        def training_step(self, batch: Any, index: int) -> None:
            first, second = self.optimizers()
            loss = super().training_step(batch, index)
            first.zero_grad()
            second.zero_grad()
            self.manual_backward(loss)
            second.step()
            if index % 2:
                first.step()

    for optimizer, last in ((0, 6), (1, 12)):
        seed()
        run = tmp_path / f"run{optimizer}"
        callback = deeptracker.LightningCallback(run, every=3, optimizer=optimizer, network="net", strict=True)
        trainer(tmp_path, callback).fit(Two(), *loaders())
        reader = LogReader(Blobs(run))
        assert [dump.iteration for dump in reader.dumps] == list(range(0, last + 1, 3))
        assert reader.network is not None
        assert [layer.name for layer in reader.network.layers] == ["0", "5"]


def test_a_further_fit_goes_on_in_the_same_run(tmp_path: Path) -> None:
    seed()
    callback, module = deeptracker.LightningCallback(tmp_path / "run", every=3, strict=True), Module()
    fit = trainer(tmp_path, callback)
    fit.fit(module, *loaders())
    fit.fit_loop.max_epochs = 3
    fit.fit(module, *loaders())
    reader = LogReader(Blobs(tmp_path / "run"))
    assert [dump.iteration for dump in reader.dumps] == [0, 3, 6, 9, 12, 15, 18]
    assert [branch.start for branch in reader.info.branches] == [0, 12]


def test_a_training_without_validation_data_is_recorded_without_predictions(tmp_path: Path) -> None:
    for name, validation, given in (("off", False, loaders()), ("none", None, loaders()[:1])):
        seed()
        callback = deeptracker.LightningCallback(tmp_path / name, every=6, validation=validation, strict=True)
        trainer(tmp_path, callback).fit(Module(), *given)
        reader = LogReader(Blobs(tmp_path / name))
        assert [sorted(dump.paths) for dump in reader.dumps] == [["filters", "kernels", "layers"]] * 3


def test_what_a_checkpoint_knows_is_on_disk_before_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_disk(monkeypatch)
    seen: list[int] = []

    class Look(ModelCheckpoint):
        def _save_checkpoint(self, trainer: Any, filepath: str) -> None:
            super()._save_checkpoint(trainer, filepath)
            states = torch.load(filepath, weights_only=True)["callbacks"]
            iteration = states["LightningCallback"]["iteration"]
            assert [dump.iteration for dump in LogReader(Blobs(tmp_path / "run")).dumps] == list(range(iteration + 1))
            seen.append(iteration)

    seed()
    callback = deeptracker.LightningCallback(tmp_path / "run", every=1, strict=True)
    trainer(tmp_path, callback, Look(tmp_path, every_n_train_steps=4)).fit(Module(), *loaders())
    assert seen == [4, 8, 12]


def test_what_cannot_be_recorded_is_a_warning_at_the_users_line(tmp_path: Path) -> None:
    seed()
    callback = deeptracker.LightningCallback(tmp_path / "run", every=1, validation=[("an image", "a label")])
    fit, module = trainer(tmp_path, callback), Module()
    with pytest.warns(deeptracker.RecorderWarning, match="could not record predictions") as caught:
        fit.fit(module, *loaders())
    assert [warning.filename for warning in caught if warning.category is deeptracker.RecorderWarning] == [__file__]
    reader = LogReader(Blobs(tmp_path / "run"))
    assert len(reader.dumps) == 13
    assert "predictions at iterations 0, 1, 2" in reader.info.lost[0]


def test_a_fit_that_fails_in_trouble_leaves_a_flight_with_its_batches(tmp_path: Path) -> None:
    callback = deeptracker.LightningCallback(tmp_path / "run", every=100, flight=4, snapshots=10**6, strict=True)

    class Broken(Module):
        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            assert callback.recorder is not None
            callback.recorder.batch([index])
            return super().training_step(batch, index) * (torch.nan if self.global_step == 3 else 1)

    with pytest.raises(ConnectionAbortedError):
        trainer(tmp_path, callback, Stop(5)).fit(Broken(), *loaders(shuffle=False))
    run = deeptracker.open_run(tmp_path / "run")
    (flight,) = run.flights()
    assert run.state == "failed"
    assert (flight.dump, flight.first, flight.last) == (5, 1, 4)  # the ring holds still at the NaN
    assert [run.flight_batch(5, iteration).tolist() for iteration in (1, 2, 3, 4)] == [[0], [1], [2], [3]]
    assert (tmp_path / "run" / "weights" / "000000000005.safetensors").exists()


def test_a_development_run_is_not_recorded(tmp_path: Path) -> None:
    callback = deeptracker.LightningCallback(tmp_path / "run", every=1, strict=True)
    trainer(tmp_path, callback, fast_dev_run=True).fit(Module(), *loaders())
    assert not (tmp_path / "run").exists()


def test_wrong_options_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Got evry"):
        deeptracker.LightningCallback(tmp_path / "run", evry=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="every must be >= 1"):
        deeptracker.LightningCallback(tmp_path / "run", every=0)
