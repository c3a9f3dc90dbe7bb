"""What the documents say is so: code blocks run, links lead somewhere, words are defined once."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import deeptracker
from benchmarks.generate import Scale, write_run
from deeptracker.analysis.findings import KINDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "web" / "README.md"])


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


def test_the_two_line_recorder_of_the_readme_records_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 3))
    images, labels = torch.rand(24, 1, 8, 8), torch.arange(24) % 3
    batches = [(images[i : i + 8], labels[i : i + 8]) for i in (0, 8, 16)]
    names = {
        "deeptracker": deeptracker,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "criterion": nn.CrossEntropyLoss(),
        "val_loader": batches,
        "train_loader": batches * 2,
    }
    exec(blocks(ROOT / "README.md", "python")[0].replace("every=1600", "every=2"), names)
    run = deeptracker.open_run("runs/resnet50")
    assert run.iterations.tolist() == [0, 2, 4, 6]
    assert run.state == "finished"
    assert set(run.scalars()) >= {"loss", "lr", "validation_error"}


def test_the_notebook_lines_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run("runs/resnet50", Scale(301, 3, 4, 1600))
    code = blocks(ROOT / "README.md", "python")[1].replace('"gong"', '"class 001"')
    exec(code, {})


def test_the_lines_for_findings_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run("runs/resnet50", Scale(20, 3, 8, 100, resnet50=False, pictures=False))
    exec("".join(blocks(ROOT / "docs" / "findings.md", "python")), {})


def test_the_lines_for_flights_record_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 3))
    images, labels = torch.rand(24, 1, 8, 8), torch.arange(24) % 3
    images[7] = torch.nan
    batches = [(images[i : i + 8], labels[i : i + 8], torch.arange(i, i + 8)) for i in (8, 16, 0)]
    names = {
        "deeptracker": deeptracker,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "criterion": nn.CrossEntropyLoss(),
        "val_loader": [(torch.rand(6, 1, 8, 8), torch.arange(6) % 3)],
        "train_loader": batches,
    }
    exec(blocks(ROOT / "docs" / "flights.md", "python")[0], names)
    run = deeptracker.open_run("runs/resnet50")
    (flight,) = run.flights()
    assert (flight.first, flight.last) == (1, 3)
    assert run.flight_batch(flight.dump, 3).tolist() == list(range(8))  # the image that is to blame is among them
    assert len(list((tmp_path / "runs" / "resnet50" / "weights").iterdir())) == 1


def test_the_lines_for_alerts_tell_of_a_finding_and_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 3))
    images, labels = torch.rand(24, 1, 8, 8), torch.arange(24) % 3
    images[10] = torch.nan
    names = {
        "deeptracker": deeptracker,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "criterion": nn.CrossEntropyLoss(),
        "val_loader": [(torch.rand(6, 1, 8, 8), torch.arange(6) % 3)],
        "train_loader": [(images[i : i + 8], labels[i : i + 8]) for i in (0, 8, 16)],
    }
    (code,) = blocks(ROOT / "docs" / "alerts.md", "python")
    exec(code.replace('    webhook="https://hooks.example.org/training",\n', ""), names)
    told, remedy = "The loss is NaN or infinite at iteration 2.", KINDS["not-finite"].remedy
    said = capsys.readouterr().out.splitlines()
    assert f"high {told} It was logged as nan. {remedy}" in said
    assert said[-1] == f"stopped: {told}"
    assert deeptracker.open_run("runs/resnet50").info.stopped == f"at iteration 2: {told}"


def digits() -> dict[str, Any]:
    """What the ways in of the README name, of a tiny training."""
    images, labels = np.random.default_rng(0).normal(size=(24, 8, 8, 1)).astype(np.float32), np.arange(24) % 3
    return {"deeptracker": deeptracker, "x": images, "y": labels, "x_test": images, "y_test": labels}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_line_for_lightning_of_the_readme_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lightning = pytest.importorskip("lightning", reason="Lightning is not installed")
    monkeypatch.chdir(tmp_path)
    names = {"deeptracker": deeptracker, "lightning": lightning}
    exec(blocks(ROOT / "README.md", "python")[2].replace("every=100", "every=2"), names)
    trainer: Any = names["trainer"]

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 3)

        def training_step(self, batch: Any, index: int) -> Any:
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    data = torch.utils.data.TensorDataset(torch.rand(16, 4))
    trainer.fit_loop.max_epochs = 1
    trainer.fit(Module(), torch.utils.data.DataLoader(data, batch_size=4))
    assert deeptracker.open_run("runs/lightning").iterations.tolist() == [0, 2, 4]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_lines_for_hugging_face_of_the_readme_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    monkeypatch.chdir(tmp_path)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 3)

        def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
            logits = self.net(pixel_values)
            return {"loss": logits.square().mean(), "logits": logits}

    items = [{"pixel_values": torch.rand(4), "labels": i % 3} for i in range(16)]
    arguments = transformers.TrainingArguments(
        "out", num_train_epochs=1, per_device_train_batch_size=4, save_strategy="no", report_to="none", use_cpu=True
    )
    names = {"deeptracker": deeptracker, "transformers": transformers, "model": Model(), "args": arguments}
    names |= {"train_dataset": items, "eval_dataset": items}
    exec(blocks(ROOT / "README.md", "python")[3].replace("every=100", "every=2"), names)
    trainer: Any = names["trainer"]
    trainer.train()
    run = deeptracker.open_run("runs/hugging-face")
    assert run.iterations.tolist() == [0, 2, 4]
    assert run.samples is not None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_line_for_keras_of_the_readme_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    line = blocks(ROOT / "README.md", "python")[4].replace("every=100", "every=1")
    exec(line, {**digits(), "model": model})
    run = deeptracker.open_run("runs/keras")
    assert run.iterations.tolist() == [0, 1]
    assert run.samples is not None


def test_the_lines_for_arrays_of_the_readme_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kernels = {"conv": np.ones((3, 3, 1, 4), np.float32), "head": np.ones((144, 3), np.float32)}
    names = {**digits(), "kernels": kernels, "gradients": kernels, "logits": np.zeros((24, 3), np.float32)}
    exec(blocks(ROOT / "README.md", "python")[5], names)
    run = deeptracker.open_run("runs/jax")
    assert run.iterations.tolist() == [0]
    assert [layer.filters for layer in run.network().layers] == [4, 3]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_between_documents_and_to_pictures_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_glossary_defines_each_word_once() -> None:
    words = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[2:]
    assert len(words) == len(set(words)) > 15


def test_the_version_is_in_the_changelog() -> None:
    assert f"## {deeptracker.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_make_target_that_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for path in DOCUMENTS for name in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(), re.MULTILINE)}
    assert named <= targets
    assert {"demo", "test", "check", "bench", "web", "clean"} <= targets
