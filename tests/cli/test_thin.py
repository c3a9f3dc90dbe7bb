"""`deeptracker thin` as a user meets it: what it says, what it asks, and what a stop leaves behind."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from benchmarks.generate import Scale, write_run
from deeptracker.run import open_run
from deeptracker.server.app import create_app
from tests.s3 import Bucket
from tests.test_cli import run

ENVIRONMENT = os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}


def thin(
    source: Path | str, target: Path | str, *more: str, keep: str = "every=10"
) -> subprocess.CompletedProcess[str]:
    return run("thin", str(source), "--keep", keep, "--to", str(target), *more)


def answered(target: Path, source: Path, answer: bytes | None) -> tuple[str, int]:
    """What is said at a terminal where this is typed when asked (None: it is stopped by Ctrl+C), and the status."""
    command = [sys.executable, "-m", "deeptracker", "thin", str(source), "--keep", "every=10", "--to", str(target)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT) as process:
        os.close(theirs)
        said, typed, end, pressed = b"", False, time.monotonic() + 60, 0.0
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    said += os.read(ours, 4096)
                except OSError:
                    break  # the other side of the terminal was closed
            if b"[y/N]" in said and answer is None and time.monotonic() > pressed + 3:
                process.send_signal(signal.SIGINT)  # again, if it came after the question and before the wait
                typed, pressed = True, time.monotonic()
            elif b"[y/N]" in said and not typed:
                os.write(ours, answer or b"")
                typed = True
        status = process.wait(30)
    os.close(ours)
    assert typed, said
    return said.decode(), status


def test_a_dry_run_says_what_is_kept_and_what_goes_and_writes_nothing(small_run: Path, tmp_path: Path) -> None:
    (small_run / "index").mkdir()
    (small_run / "index" / "zarr.json").write_bytes(b"{}")
    done = thin(small_run, tmp_path / "new", "--dry-run", keep="every=10,anomalies")
    assert done.returncode == 0, done.stderr
    kept, gone = (
        next(line.split() for line in done.stdout.splitlines() if line.startswith(w)) for w in ("kept", "goes")
    )
    assert int(kept[1]) + int(gone[1]) == 60
    total = sum(path.stat().st_size for path in small_run.rglob("*") if path.is_file())
    assert int(kept[2].replace(",", "")) + int(gone[2].replace(",", "")) == total
    assert float(kept[-1].rstrip("%")) + float(gone[-1].rstrip("%")) == pytest.approx(100)
    assert re.search(r"\d+ anomaly iterations of any class; the dumps beside are kept too", done.stdout)
    assert "Of that: index, 1 file of 2 (0.0 MiB); it can be built again." in done.stdout
    assert "Nothing was written (--dry-run)." in done.stdout
    assert not (tmp_path / "new").exists()


def test_a_thinned_run_is_whole_and_tells_what_it_is(small_run: Path, tmp_path: Path) -> None:
    done = thin(small_run, tmp_path / "new", "--yes", "--window", "3", "--threshold", "0.5", keep="every=20,anomalies")
    assert done.returncode == 0, done.stderr
    assert "100%" in done.stdout or "MiB" in done.stdout
    checked = run("check", str(tmp_path / "new"))
    assert (checked.returncode, "all whole" in checked.stdout) == (0, True)
    facts = json.loads(run("info", str(tmp_path / "new"), "--json").stdout)
    assert facts["name"] == "small, thinned"
    assert facts["dumps"] < 60
    assert "--keep every=20,anomalies at window 3 and threshold 0.5" in facts["config"]["thinned"]
    assert facts["bytes"] == sum(path.stat().st_size for path in (tmp_path / "new").rglob("*") if path.is_file())
    assert {one["id"] for one in json.loads(run("ls", str(tmp_path), "--json").stdout)} == {"small", "new"}


def test_a_thinned_run_is_served(small_run: Path, tmp_path: Path) -> None:
    assert thin(small_run, tmp_path / "new", "--yes", keep="every=3,anomalies").returncode == 0
    with TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1") as client:
        for route in ("run", "overall", "classes", "anomalies", "anomaly-counts", "clusters", "network"):
            question = {"run": "new"} | ({"k": "2"} if route == "clusters" else {})
            answer = client.get(f"/api/{route}", params=question)
            assert answer.status_code == 200, answer.text
        told = client.get("/api/run", params={"run": "new"}).json()
    assert (told["state"], told["warnings"], "thinned" in told["config"]) == ("finished", [], True)


def test_without_a_terminal_it_must_be_told_yes(small_run: Path, tmp_path: Path) -> None:
    done = thin(small_run, tmp_path / "new")
    assert done.returncode == 1
    assert "must be confirmed. There is no terminal to ask at. Give --yes, or look first with --dry-run" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1), (None, 1)])
def test_at_a_terminal_it_asks(small_run: Path, tmp_path: Path, answer: bytes | None, status: int) -> None:
    said, ended = answered(tmp_path / "new", small_run, answer)
    assert "goes" in said.partition("[y/N]")[0]
    assert "Traceback" not in said
    assert (ended == 0) == (status == 0)
    assert (tmp_path / "new" / "run.json").exists() == (status == 0)
    assert (tmp_path / "new").exists() == (status == 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--keep", "every=2", "--to", "new"), "no run in nowhere"),
        (("small", "--keep", "every=2", "--to", "small"), "must lie apart from small"),
        (("small", "--keep", "every=2", "--to", "small/below"), "must lie apart from small"),
        (("small", "--keep", "every=2", "--to", "."), "must lie apart from small"),
        (("small", "--keep", "every=0", "--to", "new"), "every must be >= 1. Got 0."),
        (("small", "--keep", "some", "--to", "new"), "keep must be every=N, anomalies, or both"),
        (("small", "--keep", "anomalies", "--threshold", "35", "--to", "new"), "--threshold"),
        (("small", "--keep", "anomalies", "--window", "0", "--to", "new"), "--window"),
        (("small", "--keep", "every=2"), "--to"),
        (("small", "--to", "new"), "--keep"),
        (("small", "--keep", "every=2", "--to", "a-file"), "a-file"),
        (("small", "--keep", "every=2", "--to", "a-file/below"), "a-file"),
        (("small", "--keep", "every=2", "--to", "gopher://x/y"), "gopher://x/y"),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_written(
    small_run: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "a-file").write_text("precious")
    done = run("thin", *arguments, "--yes", cwd=tmp_path)
    assert done.returncode != 0
    assert says in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"small", "a-file"}
    assert (tmp_path / "a-file").read_text() == "precious"
    assert open_run(small_run).check() == []


def test_a_place_that_has_a_run_is_never_written_to(served_root: Path, small_run: Path) -> None:
    done = thin(served_root / "small", small_run, "--yes")
    assert done.returncode == 1
    assert "must be free for a new run. It holds one already" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_copy_is_no_run_and_can_be_gone_on_with(tmp_path: Path, how: signal.Signals) -> None:
    write_run(tmp_path / "long", Scale(400, 3, 4, 10, resnet50=False, pictures=False))
    new = tmp_path / "new"
    command = [
        sys.executable,
        "-m",
        "deeptracker",
        "thin",
        str(tmp_path / "long"),
        "--keep",
        "every=1",
        "--to",
        str(new),
    ]
    with subprocess.Popen(
        [*command, "--yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        while not list(new.glob("log/layers/*.arrow")):
            assert process.poll() is None
        process.send_signal(how)
        said, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said + errors
    if how == signal.SIGINT:
        assert "is unfinished and has no run.json; the old run is as it was" in said
    assert not (new / "run.json").exists()
    assert "long" in run("ls", str(tmp_path)).stdout
    assert "new" not in run("ls", str(tmp_path)).stdout.replace(str(tmp_path), "")
    done = thin(tmp_path / "long", new, "--yes", keep="every=1")
    assert done.returncode == 1
    assert "Go on with the same command and --resume, or remove it" in done.stderr
    done = thin(tmp_path / "long", new, "--yes", "--resume", keep="every=1")
    assert done.returncode == 0, done.stderr
    assert "400 dumps, all whole" in run("check", str(new)).stdout


def test_info_and_thin_work_on_an_object_store(small_run: Path, s3: Bucket) -> None:
    done = thin(small_run, s3.url("thin"), "--yes")
    assert done.returncode == 0, done.stderr
    facts = json.loads(run("info", s3.url("thin"), "--json").stdout)
    assert facts["dumps"] == 7
    assert sum(kind["bytes"] for kind in facts["space"]) == facts["bytes"]
    assert run("check", s3.url("thin")).returncode == 0
    assert "holds one already" in thin(small_run, s3.url("thin"), "--yes").stderr
