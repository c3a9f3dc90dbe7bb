"""`deeptracker import checkpoints` as a user meets it; what it writes is held in tests/record/test_checkpoints.py."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from deeptracker.run import open_run
from tests.cli.forked import Commands, Run
from tests.cli.test_index import ENVIRONMENT


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run a command; torch is imported once, and not by each."""
    commands = Commands(tmp_path_factory.mktemp("pipes"), ENVIRONMENT, "torch", "deeptracker.record.checkpoints")
    yield commands.run
    commands.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four snapshots of one layer."""
    place = tmp_path / "resnet" / "checkpoints"
    place.mkdir(parents=True)
    for iteration in (0, 100, 200, 1600):
        torch.save({"fc.weight": torch.full((3, 2), 1.0 + iteration)}, place / f"step_{iteration}.pt")
    return place


def test_help_says_what_it_reads_and_how(run: Run) -> None:
    assert "checkpoints" in run("import", "--help").stdout
    text = run("import", "checkpoints", "--help").stdout
    for word in ("safetensors", "--run", "--processes", "--scheduler", "--iterations", "embeddings", "step=1600.pt"):
        assert word in text


def test_it_says_what_was_imported_what_was_kept_and_where_iterations_come_from(
    folder: Path, tmp_path: Path, run: Run
) -> None:
    done = run("import", "checkpoints", "resnet/checkpoints", "--run", "runs/a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "runs/a: 4 dumps written, 0 dumps kept, in " in done.stdout
    assert 'Iterations are the number after "step" or "iteration" in their names.' in done.stdout
    it = open_run(tmp_path / "runs" / "a")
    assert (it.info.name, it.state, it.iterations.tolist()) == ("checkpoints", "finished", [0, 100, 200, 1600])
    assert it.info.config["imported_from"] == str(folder)
    torch.save({"fc.weight": torch.ones(3, 2)}, folder / "step_1700.pt")
    done = run("import", "checkpoints", str(folder), "--run", "runs/a", "--processes", "2", cwd=tmp_path)
    assert "runs/a: 1 dump written, 4 dumps kept, in " in done.stdout
    done = run("import", "checkpoints", str(folder), "--run", "runs/a", cwd=tmp_path)
    assert "runs/a: nothing to import; 5 dumps kept." in done.stdout
    assert run("check", "runs/a", cwd=tmp_path).returncode == 0
    assert "checkpoints" in run("info", "runs/a", cwd=tmp_path).stdout


def test_a_damaged_file_is_named_the_others_are_imported_and_the_status_is_1(
    folder: Path, tmp_path: Path, run: Run
) -> None:
    (folder / "step_200.pt").write_bytes((folder / "step_200.pt").read_bytes()[:300])
    done = run("import", "checkpoints", str(folder), "--run", str(tmp_path / "run"))
    assert done.returncode == 1
    assert f"left out {folder}/step_200.pt cannot be read: it is empty, cut short or damaged" in done.stdout
    assert "3 dumps written" in done.stdout
    assert open_run(tmp_path / "run").iterations.tolist() == [0, 100, 1600]


def test_iterations_may_be_taken_from_names_although_files_say_others(folder: Path, tmp_path: Path, run: Run) -> None:
    for path in folder.iterdir():
        torch.save({"model": {"fc.weight": torch.ones(3, 2)}, "step": 1}, path)
    done = run("import", "checkpoints", str(folder), "--run", str(tmp_path / "run"))
    assert done.returncode == 1
    assert "are both of 1, by 'step' in the files." in done.stderr
    assert "--iterations names takes the numbers in their names" in done.stderr
    assert not (tmp_path / "run").exists()
    done = run("import", "checkpoints", str(folder), "--run", str(tmp_path / "run"), "--iterations", "names")
    assert done.returncode == 0
    assert open_run(tmp_path / "run").iterations.tolist() == [0, 100, 200, 1600]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--run", "a"), "nowhere must be a folder of snapshots"),
        ((".", "--run", "a"), "must hold snapshots (.safetensors, .pt, .pth, .ckpt)"),
        (("checkpoints",), "--run"),
        (("checkpoints", "--run", "a", "--processes", "0"), "--processes"),
        (("checkpoints", "--run", "a", "--iterations", "dates"), "--iterations"),
        (
            ("checkpoints", "--run", "a", "--scheduler", "nonsense://x"),
            "the Dask scheduler at nonsense://x must be reached",
        ),
    ],
)
def test_bad_input_is_one_message(folder: Path, arguments: tuple[str, ...], says: str, run: Run) -> None:
    done = run("import", "checkpoints", *arguments, cwd=folder.parent)
    assert done.returncode != 0
    assert says in done.stderr
    assert not (folder.parent / "a").exists()


def test_stopped_by_ctrl_c_it_goes_on_from_there(tmp_path: Path, run: Run) -> None:
    (tmp_path / "many").mkdir()
    for iteration in range(150):
        torch.save({f"layer{i}.weight": torch.rand(40, 30) for i in range(20)}, tmp_path / "many" / f"{iteration}.pt")
    command = [sys.executable, "-m", "deeptracker", "import", "checkpoints", "many", "--run", "run"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    ) as process:
        while not list(tmp_path.glob("run/log/filters/*.arrow")):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all processes of the command hear it
        said, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said + errors
    assert "Stopped. Dumps that are written stay" in said
    assert open_run(tmp_path / "run").info.state == "running"
    done = run("import", "checkpoints", "many", "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert " 0 dumps kept" not in done.stdout
    assert len(open_run(tmp_path / "run").iterations) == 150
