"""A process that builds an index beside what matters more: it gives way, says what is wrong, and leaves nothing."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.generate import Scale, write_run
from deeptracker import index_process
from deeptracker.errors import IndexNotBuiltError
from deeptracker.index_process import Built, IndexProcess
from deeptracker.indexing import build_index
from tests.s3 import Bucket

LONG = Scale(dumps=640, classes=5, samples_per_class=40, iterations_per_dump=10, resnet50=False, pictures=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of ten blocks without an index; not to be changed."""
    place = tmp_path_factory.mktemp("recorded") / "run"
    write_run(place, LONG)
    return place


@pytest.fixture
def place(recorded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(recorded, tmp_path / "run", copy_function=os.link)


def until(is_so: Callable[[], object], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"{what} within {seconds} s"
        time.sleep(0.01)


def pid_of(process: IndexProcess) -> int:
    assert process._process is not None
    return process._process.pid


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def contents(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in (place / "index").rglob("*") if path.is_file()}


def test_it_builds_what_is_missing_says_so_and_gives_way(place: Path, recorded: Path, tmp_path: Path) -> None:
    begun: list[int] = []
    with IndexProcess() as process:
        priorities: list[int] = []

        def begin(blocks: int) -> None:
            begun.append(blocks)
            priorities.append(os.getpriority(os.PRIO_PROCESS, pid_of(process)))

        first = process.build(str(place), on_begin=begin)
        second = process.build(str(place), on_begin=begin)
        pid = pid_of(process)
    assert first is not None
    assert (first.blocks_written, first.blocks_kept) == (10, 0)
    assert second is not None
    assert (second.blocks_written, second.blocks_kept) == (0, 10)
    assert (begun, priorities) == ([10], [19])
    assert not is_alive(pid)
    other = shutil.copytree(recorded, tmp_path / "other")
    build_index(other)
    assert contents(place) == contents(other)


def test_of_many_blocks_it_builds_some_and_says_how_many_are_left(place: Path) -> None:
    with IndexProcess() as process:
        found = [process.build(str(place), most_blocks=4) for _ in range(4)]
    assert [(one.blocks_written, one.blocks_kept, one.blocks_left) for one in found if one] == [
        (4, 0, 6),
        (4, 4, 2),
        (2, 8, 0),
        (0, 10, 0),
    ]
    assert build_index(place).blocks_kept == 10


def test_a_run_with_fewer_dumps_than_a_block_has_no_index(tmp_path: Path) -> None:
    write_run(tmp_path / "run", Scale(63, 3, 4, 10, resnet50=False, pictures=False))
    with IndexProcess() as process:
        built = process.build(str(tmp_path / "run"))
    assert built is not None
    assert (built.blocks_written, built.blocks_kept) == (0, 0)
    assert not (tmp_path / "run" / "index").exists()


def test_what_is_wrong_is_an_error_and_the_next_run_is_built(place: Path, tmp_path: Path) -> None:
    with IndexProcess() as process:
        with pytest.raises(IndexNotBuiltError, match="no run in "):
            process.build(str(tmp_path))
        (place / "index").write_text("in the way")
        with pytest.raises(IndexNotBuiltError, match="index") as caught:
            process.build(str(place))
        assert not caught.value.is_refused
        (place / "index").unlink()
        built = process.build(str(place))
    assert built is not None
    assert built.blocks_written == 10


def test_stopped_from_elsewhere_it_ends_at_once_and_leaves_nothing_half(place: Path, recorded: Path) -> None:
    process = IndexProcess()
    answers: list[Built | None] = []
    thread = threading.Thread(target=lambda: answers.append(process.build(str(place))))
    thread.start()
    until((place / "index" / "zarr.json").exists, "a block must be published")
    pid = pid_of(process)
    process.stop()
    thread.join(10)
    assert answers == [None]
    assert not is_alive(pid)
    assert not [path for path in contents(place) if "/." in path]
    assert process.build(str(place)) is None
    report = build_index(place)
    assert report.blocks_kept >= 1
    assert report.blocks_kept + report.blocks_written == 10


def test_one_that_is_killed_is_an_error_and_the_next_goes_on(place: Path) -> None:
    with IndexProcess() as process:
        with pytest.raises(IndexNotBuiltError, match=r"ended with status -9\. Try it by hand: deeptracker index "):
            process.build(str(place), on_begin=lambda blocks: os.kill(pid_of(process), signal.SIGKILL))
        built = process.build(str(place))
    assert built is not None
    assert built.blocks_written + built.blocks_kept == 10


PARENT = """
import sys
from deeptracker.index_process import IndexProcess
process = IndexProcess()
process.build(sys.argv[1], on_begin=lambda blocks: print(process._process.pid, flush=True))
"""


def test_it_leaves_when_who_asked_for_it_is_killed(place: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)  # it must not be done before
        parent.kill()
    os.kill(pid, signal.SIGCONT)
    until(lambda: not is_alive(pid), "it must leave")
    assert not [path for path in contents(place) if "/." in path]
    assert build_index(place).blocks_left_out == 0


def test_ctrl_c_in_the_terminal_is_not_for_it(place: Path) -> None:
    """A terminal sends it to the group of processes that is in front."""
    groups: list[int] = []
    with IndexProcess() as process:
        process.build(str(place), on_begin=lambda blocks: groups.append(os.getpgid(pid_of(process))))
    assert groups != [os.getpgid(0)]


def test_the_last_room_on_a_disk_is_left_to_the_log(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = [
        max((place / "log" / kind).iterdir()) for kind in ("predictions", "layers", "kernels", "filters", "scalars")
    ]
    needed = 4 * 64 * sum(path.stat().st_size for path in newest)
    usage = shutil.disk_usage(place)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=needed - 1))
    with pytest.raises(OSError, match="the log must have room to grow before its index takes any"):
        index_process._build(str(place), None, lambda blocks: None)
    assert not (place / "index").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=needed))
    assert index_process._build(str(place), None, lambda blocks: None).blocks_written == 10


def test_a_program_that_is_no_python_is_not_started_a_second_time(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with IndexProcess() as process, pytest.raises(IndexNotBuiltError, match="index=False") as caught:
        process.build(str(place))
    assert caught.value.is_refused


def test_a_store_that_refuses_is_not_worth_another_try(s3: Bucket) -> None:
    with IndexProcess() as process:
        with pytest.raises(IndexNotBuiltError, match="no run in"):
            process.build(s3.url("run"))
        s3.check_credentials()
        try:
            with pytest.raises(IndexNotBuiltError, match="refuses them") as caught:
                process.build(s3.url("run"))
        finally:
            s3.check_credentials(False)
    assert caught.value.is_refused
