"""`import checkpoints --model`, `import tensorboard` and `export` as a user meets them."""

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from pyarrow import parquet
from torch import nn

from deeptracker.cli import app
from deeptracker.errors import DeepTrackerError
from deeptracker.run import open_run

NETWORK = """
import torch
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))

def wider():
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 3), nn.Linear(3, 3))
"""


def run(*arguments: str) -> None:
    """A command, in this process; what it raises is what is printed as an error."""
    with suppress(typer.Exit):  # as --help leaves
        assert not app(list(arguments), standalone_mode=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, for as long as the test takes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def folder(here: Path) -> Path:
    """Three checkpoints, the module that makes the network, and validation data."""
    (here / "my_nets.py").write_text(NETWORK)
    for step in (0, 10, 20):
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
        torch.save(model.state_dict(), here / f"step_{step}.pt")
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    np.savez(here / "val.npz", x=images, y=np.arange(12) % 3)
    return here


def test_a_function_of_the_current_folder_makes_the_network_and_the_run_is_exported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [f"step_{step}.pt" for step in (0, 10, 20)]
    given = ("--validation", "val.npz", "--mean", "0.5", "--sd", "0.25", "--run", "runs/a")
    run("import", "checkpoints", *files, "--model", "my_nets:make", *given)
    assert "runs/a: 3 dumps written, 0 dumps kept" in capsys.readouterr().out
    it = open_run(folder / "runs" / "a")
    assert len(it.network().graph.nodes) == 3
    assert it.samples is not None
    assert it.samples.has_pictures
    assert np.isfinite(it.scalars()["validation_error"]).all()
    with pytest.raises(DeepTrackerError, match=r"In the file there is no 4\.weight, 4\.bias\."):
        run("import", "checkpoints", *files, "--model", "my_nets:wider", *given[:-1], "runs/b")
    assert not (folder / "runs" / "b").exists()
    run("export", "runs/a", "--format", "parquet", "--to", "out", "--measures", "change,l2")
    said = capsys.readouterr().out
    assert "out: filters: 21 rows; layers: 9 rows; predictions: 36 rows; scalars: 3 rows; samples: 12 rows" in said
    table = parquet.read_table(folder / "out" / "filters.parquet")
    assert table.column_names == ["iteration", "layer", "filter", "l2", "change"]
    with pytest.raises(DeepTrackerError, match=r"filters\.parquet must not be there"):
        run("export", "runs/a", "--format", "parquet", "--to", "out")
    for wrong, says in (
        (("--mean", "a"), "must be numbers with commas"),
        (("--validation", "nothing", "--mean", "0.5"), "none of these"),
    ):
        with pytest.raises(ValueError, match=says):
            run(
                "import",
                "checkpoints",
                *files,
                "--run",
                "runs/c",
                "--model",
                "my_nets:make",
                *given[:2],
                *wrong,
                "--sd",
                "1",
            )


@pytest.mark.filterwarnings("ignore")  # those of TensorBoard's own imports
def test_scalars_of_event_files_get_into_a_run_and_out_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter("logs") as writer:
        for step in range(20):
            writer.add_scalar("train/lr", 0.5, step)
    run("import", "tensorboard", "logs", "--run", "runs/a", "--rename", "train/lr=lr")
    assert "runs/a (new, without a network): 20 values written: lr; 0 kept." in capsys.readouterr().out
    assert open_run(here / "runs" / "a").scalars()["lr"].tolist() == [0.5] * 20
    run("export", "runs/a", "--format", "tensorboard", "--to", "out")
    assert "out: scalars: 20 values" in capsys.readouterr().out
    with pytest.raises(DeepTrackerError, match="runs must hold event files"):
        run("import", "tensorboard", "runs", "--run", "runs/b")
    with pytest.raises(ValueError, match="--rename must be TAG=NAME"):
        run("import", "tensorboard", "logs", "--run", "runs/b", "--rename", "lr")


def test_help_says_what_each_takes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, words in (
        (("import", "checkpoints"), ("--model", "--validation", "--allow", "--mean", "checkpoint-500", "update_ratio")),
        (("import", "tensorboard"), ("--rename", "LOGDIR", "deeptracker[tensorboard]")),
        (("export",), ("parquet", "--tables", "--measures", "--layers", "--force")),
    ):
        run(*command, "--help")
        text = capsys.readouterr().out
        assert all(word in text for word in words), text
