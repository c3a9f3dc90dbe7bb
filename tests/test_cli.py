"""The command line as a user meets it: its own process, exit status, no traceback."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

import deeptracker
from deeptracker.cli import app
from deeptracker.errors import DeepTrackerError
from deeptracker.server import serving
from deeptracker.store import cache


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "deeptracker", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"},
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_version_and_help() -> None:
    assert run("--version").stdout.strip() == deeptracker.__version__
    top = run("--help").stdout
    for command in ("demo", "serve", "ls", "info", "check", "findings", "index", "thin", "export", "ablate", "prune"):
        assert command in top
        assert len(CliRunner().invoke(app, [command, "--help"]).stdout) > 400


def test_ls_lists_runs_and_json_has_numbers(served_root: Path) -> None:
    assert "group/tiny" in run("ls", str(served_root)).stdout
    found = json.loads(run("ls", str(served_root), "--json").stdout)
    assert {one["id"]: one["dumps"] for one in found} == {"small": 60, "group/tiny": 5}


def test_info_says_what_a_run_holds(served_root: Path) -> None:
    done = run("info", str(served_root / "small"), "--json")
    assert done.returncode == 0
    facts = json.loads(done.stdout)
    expected = {
        "name": "small",
        "dumps": 60,
        "iterations": 5900,
        "layers": 9,
        "filters": 94,
        "samples": 120,
        "classes": 6,
    }
    assert {name: facts[name] for name in expected} == expected
    taken = sum(path.stat().st_size for path in (served_root / "small").rglob("*") if path.is_file())
    assert facts["bytes"] == taken
    assert "5,900" in run("info", str(served_root / "small")).stdout


def test_info_says_what_takes_the_space(small_run: Path) -> None:
    (small_run / "notes.txt").write_text("mine")
    facts = json.loads(run("info", str(small_run), "--json").stdout)
    kinds = {one["kind"]: one for one in facts["space"]}
    filters = [path.stat().st_size for path in (small_run / "log" / "filters").iterdir()]
    assert kinds["filters"] == {
        "kind": "filters",
        "files": 60,
        "bytes": sum(filters),
        "bytes_a_dump": sum(filters) / 60,
        "share": sum(filters) / facts["bytes"],
    }
    assert (kinds["foreign"]["bytes"], kinds["foreign"]["bytes_a_dump"]) == (4, None)
    said = run("info", str(small_run)).stdout
    row = next(line.split() for line in said.splitlines() if line.startswith("filters ") and "MiB" in line)
    assert row[1:3] == ["60", f"{sum(filters):,}"]
    assert row[-2:] == [f"{sum(filters) / 60:,.0f}", f"{sum(filters) / facts['bytes']:.1%}"]
    total = next(line.split() for line in said.splitlines() if line.startswith("all "))
    assert total[2] == f"{facts['bytes']:,}"


def test_check_is_status_0_only_where_all_is_well(small_run: Path) -> None:
    done = run("check", str(small_run))
    assert (done.returncode, "60 dumps, all whole" in done.stdout) == (0, True)
    (small_run / "log/filters/000000000300.arrow").write_bytes(b"")
    (small_run / "log/filters/notes.txt").write_text("mine")
    done = run("check", str(small_run))
    assert done.returncode == 1
    assert "000000000300.arrow must be an Arrow file. It is empty." in done.stdout
    assert "notes.txt is not a file of DeepTracker" in done.stdout
    assert len(json.loads(run("check", str(small_run), "--json").stdout)["problems"]) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("info", "nowhere"), "no run in nowhere"),
        (("check", "nowhere"), "deeptracker demo"),
        (("serve", "nowhere"), "must be a folder"),
        (("ls", "nowhere"), "must be a folder"),
        (("serve", ".", "--host", "192.0.2.1", "--port", "0"), "cannot listen"),
        (("serve", ".", "--host", "0.0.0.0", "--port", "0", "--token", "x"), "at least 8"),
        (("demo", "--dataset", "nowhere", "--no-serve"), "no data set at nowhere"),
        (("demo", "--model", "alexnet", "--no-serve"), "must be one of resnet8"),
        (("demo", "--learning-rate", "0", "--no-serve"), "learning rate must be > 0 and finite"),
        (("demo", "--learning-rate", "fast", "--no-serve"), "Invalid value for '--learning-rate'"),
        (("frobnicate",), "No such command"),
    ],
)
def test_an_error_is_one_message_and_status_not_0(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode != 0
    assert says in done.stderr


def test_a_file_that_is_no_run_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": "deeptracker-run", "format_version": 99}')
    done = run("info", str(tmp_path))
    assert done.returncode == 1
    assert "format version 99" in done.stderr
    assert run("ls", str(tmp_path)).returncode == 1


def test_serve_prints_its_link_and_ends_cleanly_on_ctrl_c(served_root: Path) -> None:
    command = [sys.executable, "-m", "deeptracker", "serve", str(served_root), "--port", "0", "--no-open"]
    environment = os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        link = re.search(r"http://\S+", process.stdout.readline())
        assert link
        with urllib.request.urlopen(link[0] + "api/runs") as response:
            assert len(json.load(response)["runs"]) == 2
        stream = urllib.request.urlopen(link[0] + "api/live?run=small")
        stream.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
        stream.close()
    assert "Traceback" not in errors


def test_serve_keeps_no_more_than_it_is_told(served_root: Path) -> None:
    command = [sys.executable, "-m", "deeptracker", "serve", str(served_root), "--port", "0", "--no-open"]
    environment = os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    with subprocess.Popen(
        [*command, "--cache-mb", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        link = re.search(r"http://\S+", process.stdout.readline())
        assert link
        for _ in range(2):
            with urllib.request.urlopen(link[0] + "api/overall?run=small") as response:
                assert len(response.read()) > 100
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
    assert "Traceback" not in errors
    assert "--cache-mb" in run("serve", str(served_root), "--cache-mb", "-1").stderr


@pytest.mark.parametrize(("arguments", "kept_bytes"), [([], 256 << 20), (["--cache-mb", "3"], 3 << 20)])
def test_memory_for_answers_and_for_fetched_files_is_bounded_alike(
    served_root: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], kept_bytes: int
) -> None:
    given = []

    def noted(*_: object, cache_bytes: int, **__: object) -> None:
        given.append(cache_bytes)
        raise DeepTrackerError("far enough")

    monkeypatch.setattr(serving, "Server", noted)
    monkeypatch.setattr(cache.FETCHED, "limit_bytes", cache.FETCHED.limit_bytes)  # as it was, after this
    with pytest.raises(DeepTrackerError, match="far enough"):
        app(["serve", str(served_root), *arguments], standalone_mode=False)
    assert given == [cache.FETCHED.limit_bytes] == [kept_bytes]


@pytest.mark.slow
def test_demo_records_a_real_training_and_never_over_another(tmp_path: Path) -> None:
    record = (
        "demo",
        "--model",
        "resnet8",
        "--epochs",
        "2",
        "--dumps",
        "20",
        "--run",
        str(tmp_path / "digits"),
        "--no-serve",
    )
    done = run(*record)
    assert done.returncode == 0, done.stderr
    facts = json.loads(run("info", str(tmp_path / "digits"), "--json").stdout)
    assert facts["dumps"] > 20
    assert (facts["state"], facts["classes"], facts["samples"]) == ("finished", 10, 599)
    assert facts["validation_error"] < 0.9
    done = run(*record)
    assert done.returncode == 1
    assert "has a run already" in done.stderr


@pytest.mark.slow
def test_demo_shows_the_run_growing_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deeptracker", "demo", "--model", "resnet8", "--epochs", "4", "--dumps", "60"]
    command += ["--port", "0", "--no-open"]
    environment = os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "300", "TERM": "dumb"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        said = process.stdout.readline() + process.stdout.readline()
        link = re.search(r"(http://\S+)\?run=(\S+)", said)
        assert link, said
        states = []
        while states[-1:] != ["finished"]:
            with urllib.request.urlopen(f"{link[1]}api/runs") as response:
                states += [one["state"] for one in json.load(response)["runs"]]
        assert "live" in states
        line = process.stdout.readline()  # the run is finished a moment before the command knows
        while line and "until Ctrl+C" not in line:
            line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert (tmp_path / "runs" / link[2] / "run.json").exists()


@pytest.mark.slow
def test_a_demo_that_is_stopped_keeps_what_was_recorded(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "deeptracker",
        "demo",
        "--epochs",
        "500",
        "--run",
        str(tmp_path / "cut"),
        "--no-serve",
    ]
    environment = os.environ | {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "300"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        while not list(tmp_path.glob("cut/log/filters/*.arrow")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "Traceback" not in output + errors
    assert "What was recorded stays" in output
    done = run("check", str(tmp_path / "cut"))
    assert done.returncode == 0, done.stdout
