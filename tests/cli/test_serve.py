"""`deeptracker serve` as a user meets it: the indexes that it builds, and a root that it does not find."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker.indexing import build_index
from tests.s3 import Bucket
from tests.test_index_process import is_alive, until

LONG = Scale(dumps=640, classes=5, samples_per_class=40, iterations_per_dump=10, resnet50=False, pictures=False)
ENVIRONMENT = {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200", "TERM": "dumb"}


@contextmanager
def serving(root: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "deeptracker", "serve", root, "--port", "0", "--no-open", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def children(pid: int) -> list[int]:
    """The processes that this one has started and that live."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = re.search(r"^PPid:\t(\d+)", status.read_text(), re.MULTILINE)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent and int(parent[1]) == pid:
            found.append(int(status.parent.name))
    return found


def test_it_says_when_an_index_is_begun_and_built(tmp_path: Path) -> None:
    write_run(tmp_path / "resnet50", LONG)
    with serving(str(tmp_path)) as process:
        assert "http://127.0.0.1" in line(process)
        assert line(process) == "building the index of resnet50 (10 blocks of 64 dumps)"
        assert re.fullmatch(r"index of resnet50 built in \d+ s", line(process))
        until(lambda: not children(process.pid), "the process that builds must end")
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=30)
    assert (said, "Traceback" in errors) == ("", False)
    assert build_index(tmp_path / "resnet50").blocks_kept == 10


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_ended_while_it_builds_it_leaves_no_process_and_nothing_half(tmp_path: Path, how: signal.Signals) -> None:
    write_run(tmp_path / "resnet50", LONG)
    index = tmp_path / "resnet50" / "index"
    with serving(str(tmp_path)) as process:
        line(process)
        assert line(process).startswith("building the index of resnet50")
        (builder,) = children(process.pid)
        process.send_signal(how)
        _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    if how == signal.SIGINT:
        assert not is_alive(builder)
    until(lambda: not is_alive(builder), "the process that builds must leave")
    assert not list(index.rglob(".*"))
    assert build_index(tmp_path / "resnet50").blocks_left_out == 0


def test_told_not_to_it_builds_nothing(tmp_path: Path) -> None:
    write_run(tmp_path / "resnet50", LONG)
    with serving(str(tmp_path), "--no-index") as process:
        link = re.search(r"http://\S+", line(process))
        assert link
        for _ in range(3):
            assert httpx2.get(f"{link[0]}api/node-stats?run=resnet50&measure=sd", timeout=60).status_code == 200
            assert children(process.pid) == []
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert said == ""
    assert not (tmp_path / "resnet50" / "index").exists()


def test_a_bucket_that_is_missing_is_said_at_once_and_shown_once_it_is_there(s3: Bucket) -> None:
    with serving(f"s3://{s3.name}-later/runs") as process:
        link = re.search(r"http://\S+", line(process))
        said = line(process)
        assert f"s3://{s3.name}-later/runs must lie in a bucket that exists" in said
        assert said.endswith("The server stays, and shows the runs once it finds them.")
        assert link
        assert httpx2.get(f"{link[0]}api/runs").status_code == 503
        httpx2.put(f"{s3.server}/{s3.name}-later").raise_for_status()
        assert httpx2.get(f"{link[0]}api/runs").json()["runs"] == []


@pytest.mark.parametrize("root", ["nowhere", "s3://"])
def test_a_root_that_can_never_be_is_an_error(tmp_path: Path, root: str) -> None:
    with serving(str(tmp_path / root) if root == "nowhere" else root) as process:
        if root == "nowhere":
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 1
            assert "must be a folder" in errors
        else:
            line(process)
            assert "must be the URL of an object store" in line(process)
