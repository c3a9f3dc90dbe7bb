"""`deeptracker index` as a user meets it; that the index is right is held in tests/indexing/."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.generate import Scale, write_run
from deeptracker.run import open_run
from tests.test_cli import run

ENVIRONMENT = os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with two runs, of three blocks and of one."""
    write_run(tmp_path / "runs" / "long", Scale(150, 3, 4, 10, resnet50=False, pictures=False))
    write_run(tmp_path / "runs" / "group" / "tiny", Scale(5, 3, 4, 10, resnet50=False, pictures=False), seed=1)
    return tmp_path / "runs"


def test_it_says_what_was_built_and_what_was_kept(runs: Path) -> None:
    done = run("index", str(runs / "long"))
    assert done.returncode == 0, done.stderr
    assert f"{runs}/long: 3 blocks built, 0 blocks kept, in " in done.stdout
    assert "MiB) written." in done.stdout
    assert run("index", str(runs / "long")).stdout.strip() == f"{runs}/long: nothing to build; 3 blocks kept."
    shard = max((runs / "long" / "index").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    shard.write_bytes(shard.read_bytes()[:-10])
    assert ": 1 block built, 2 blocks kept, in " in run("index", str(runs / "long")).stdout
    assert run("check", str(runs / "long")).returncode == 0


def test_all_runs_below_a_folder_are_indexed_in_turn_by_several_processes(runs: Path) -> None:
    done = run("index", f"{runs}/", "--processes", "2")
    assert done.returncode == 0, done.stderr
    assert f"{runs}/long: 3 blocks built" in done.stdout
    assert f"{runs}/group/tiny: 1 block built" in done.stdout
    assert (runs / "group" / "tiny" / "index" / "zarr.json").exists()


def test_a_run_that_cannot_be_read_stops_no_other_and_is_status_1(runs: Path) -> None:
    (runs / "group" / "tiny" / "run.json").write_text("{")
    done = run("index", str(runs))
    assert done.returncode == 1
    assert "tiny/run.json must be JSON" in done.stdout
    assert "long: 3 blocks built" in done.stdout


def test_dumps_that_cannot_be_read_are_told(runs: Path) -> None:
    (runs / "long" / "log" / "filters" / "000000000700.arrow").write_bytes(b"")
    done = run("index", str(runs / "long"))
    assert done.returncode == 1
    assert "2 blocks built" in done.stdout
    assert "1 block left out, for dumps that cannot be read; the log answers." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "must be a folder"),
        ((".",), "no run in ., nor below it"),
        ((".", "--processes", "0"), "--processes"),
        ((".", "--processes", "many"), "--processes"),
        (("run", "--scheduler", "nonsense://x"), "the Dask scheduler at nonsense://x must be reached"),
    ],
)
def test_bad_input_is_one_message(runs: Path, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "empty").mkdir()
    place = str(runs / "long") if arguments[0] == "run" else arguments[0]
    done = run("index", place, *arguments[1:], cwd=tmp_path / "empty")
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_stopped_by_ctrl_c_it_goes_on_from_there(tmp_path: Path, processes: str) -> None:
    write_run(tmp_path / "long", Scale(256, 3, 4, 10, resnet50=False, pictures=False))
    command = [sys.executable, "-m", "deeptracker", "index", str(tmp_path / "long"), "--processes", processes]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    ) as process:
        while not (tmp_path / "long" / "index" / "zarr.json").exists():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all processes of the command hear it
        said, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said + errors
    assert "Stopped. Blocks that are written stay" in said
    done = run("index", str(tmp_path / "long"))
    assert done.returncode == 0, done.stderr
    assert "0 blocks kept" not in done.stdout
    assert len(open_run(tmp_path / "long").iterations) == 256
