"""`deeptracker index` killed, without room, without leave, beside others: nothing wrong is ever published.

Everything is done to the command, in processes of its own; what `Run` then says is held against the log alone.
Where it is killed often, a parent that has imported everything forks it, so that a kill does not cost an import.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import deeptracker
from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.schema import Branch, Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader, LogWriter
from tests.cli.forked import Commands, Forked
from tests.store.test_index_faults import digests, files

SCALE = Scale(200, classes=4, samples_per_class=70, iterations_per_dump=10, resnet50=False, pictures=False)
"""Four blocks, the last one short."""

KILLS = 30
BEFORE_IT_WRITES = 5
PATIENCE_SECONDS = 120.0
ENVIRONMENT = os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run without an index; not to be changed."""
    place = tmp_path_factory.mktemp("alone") / "run"
    write_run(place, SCALE)
    return place


@pytest.fixture(scope="module")
def expected(alone: Path) -> dict[str, str]:
    """What the log alone says."""
    return digests(open_run(alone))


@pytest.fixture(scope="module")
def whole(alone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the index, built in one go."""
    place = linked(alone, tmp_path_factory.mktemp("whole"))
    assert build(place).returncode == 0
    return files(place)


@pytest.fixture
def place(alone: Path, tmp_path: Path) -> Path:
    return linked(alone, tmp_path)


def linked(alone: Path, folder: Path) -> Path:
    """The same run in a folder of its own."""
    return Path(shutil.copytree(alone, folder / "run", copy_function=os.link))


def start(place: Path, *options: str, **popen: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deeptracker", "index", str(place), *options]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True, **pipes, **popen)


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    (tmp_path / "pipes").mkdir()
    made = Commands(tmp_path / "pipes", ENVIRONMENT)
    yield made
    made.close()


def ended(builder: subprocess.Popen[str] | Forked) -> subprocess.CompletedProcess[str]:
    """Wait until it and all its workers have ended: each holds the pipes open."""
    try:
        said, errors = builder.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(builder.pid, signal.SIGKILL)
        raise
    assert "Traceback" not in said
    # A worker that is being started when its command is killed is told so by Python itself, in Python's own code.
    assert not [part for part in errors.split("Traceback")[1:] if str(Path(deeptracker.__file__).parent) in part]
    return subprocess.CompletedProcess(builder.args, builder.returncode, said, errors)


def build(place: Path, *options: str, **popen: Any) -> subprocess.CompletedProcess[str]:
    return ended(start(place, *options, **popen))


def newest(place: Path) -> int:
    """When something was last written to the index."""
    times = [0]
    for path in (place / "index").rglob("*"):
        try:
            times.append(path.stat().st_mtime_ns)
        except FileNotFoundError:
            continue  # a temporary name, renamed meanwhile
    return max(times)


def wait_until_it_writes(builder: subprocess.Popen[str] | Forked, place: Path, before: int) -> float:
    """Seconds until the index is written to, or the builder has ended."""
    began = time.perf_counter()
    while newest(place) == before and builder.poll() is None:
        time.sleep(0.001)
    return time.perf_counter() - began


def times_of(commands: Commands, place: Path, *options: str) -> tuple[float, float]:
    """Seconds of a whole build before it writes, and from then on."""
    builder = commands.start("index", str(place), *options)
    first = wait_until_it_writes(builder, place, newest(place))
    began = time.perf_counter()
    assert ended(builder).returncode == 0
    shutil.rmtree(place / "index")
    return first, time.perf_counter() - began


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_any_moment_it_leaves_a_run_that_answers_right_and_is_gone_on_with(
    place: Path, expected: dict[str, str], whole: dict[str, bytes], commands: Commands
) -> None:
    """The command is forked by a parent that has imported everything, so that a kill does not cost an import."""
    moments = random.Random(4)
    shares = [(kill + moments.random()) / KILLS for kill in range(KILLS)]
    moments.shuffle(shares)
    options = [("--processes", "1"), ("--processes", "2")]
    times = [times_of(commands, place, *one) for one in options]
    interrupted = 0
    for kill, share in enumerate(shares):
        reading, writing = times[kill % 2]
        before = newest(place)
        builder = commands.start("index", str(place), *options[kill % 2])
        if kill % BEFORE_IT_WRITES == 0:
            time.sleep(share * reading)
        else:
            wait_until_it_writes(builder, place, before)
            time.sleep(share * writing)
        builder.kill()
        ended(builder)
        run = open_run(place)
        assert digests(run) == expected, (kill, share)
        assert run.warnings == []
        left = files(place)
        interrupted += bool(left) and left != whole
        if left == whole or moments.random() < 0.5:
            shutil.rmtree(place / "index", ignore_errors=True)
    assert interrupted > KILLS / 4
    assert build(place, "--processes", "2").returncode == 0
    assert files(place) == whole


def test_a_worker_that_is_killed_ends_the_build_with_a_remedy(place: Path, expected: dict[str, str]) -> None:
    """As the system does where memory is short."""
    builder = start(place, "--processes", "2")
    wait_until_it_writes(builder, place, 0)
    children = Path(f"/proc/{builder.pid}/task/{builder.pid}/children")
    if not children.exists():
        builder.kill()
        pytest.skip("the system does not tell the children of a process")
    for child in map(int, children.read_text().split()):
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(child, signal.SIGKILL)
            break
    done = ended(builder)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "One of them ended abruptly" in done.stderr
    assert "with fewer processes if memory is short" in done.stderr
    assert digests(open_run(place)) == expected
    assert build(place).returncode == 0


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB: room for a block, and not for two."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs leave to do so")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_on_a_full_disk_it_says_so_and_what_is_published_is_whole(
    place: Path, tiny_disk: Path, expected: dict[str, str], whole: dict[str, bytes], processes: str
) -> None:
    (place / "index").symlink_to(tiny_disk)
    for _ in range(2):
        done = build(place, "--processes", processes)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert f"{place}/index must be a folder that can be written to, with room." in done.stderr
        assert "No space left on device" in done.stderr
        assert "Make room for about as much as log/ takes" in done.stderr
        run = open_run(place)
        assert digests(run) == expected
        assert run.warnings == []
        assert [path for path in tiny_disk.rglob(".*") if path.is_file()] == []
    (place / "index").unlink()
    shutil.copytree(tiny_disk, place / "index")
    assert build(place).returncode == 0
    assert files(place) == whole


def test_where_files_may_not_be_so_large_it_says_so(place: Path, expected: dict[str, str]) -> None:
    """The same without leave to mount a disk: the system refuses the third shard or so."""
    done = build(place, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)))
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "The run is answered from its log meanwhile." in done.stderr
    assert digests(open_run(place)) == expected
    assert build(place).returncode == 0


def test_where_it_may_not_write_it_says_so(place: Path, tiny_disk: Path, expected: dict[str, str]) -> None:
    (place / "index").symlink_to(tiny_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    done = build(place)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Read-only file system" in done.stderr
    assert "where you may write" in done.stderr
    assert digests(open_run(place)) == expected


@pytest.mark.parametrize("what", ["a file", "a link to nowhere", "a link to itself", "a document that is a folder"])
def test_where_something_else_lies_it_says_so(place: Path, expected: dict[str, str], what: str) -> None:
    index = place / "index"
    if what == "a file":
        index.write_text("something else")
    elif what == "a document that is a folder":
        (index / "zarr.json").mkdir(parents=True)
    else:
        index.symlink_to("/not/there" if what == "a link to nowhere" else "index")
    assert digests(open_run(place)) == expected
    done = build(place)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(index) in done.stderr
    if index.is_dir():
        shutil.rmtree(index)
    else:
        index.unlink()
    assert build(place).returncode == 0
    assert digests(open_run(place)) == expected


def resume(place: Path, after: int, dumps: int) -> None:
    """Training goes on after a dump once more, and other numbers come out."""
    log = LogReader(Blobs(place))
    iterations = SCALE.iterations_per_dump
    info = replace(log.info.with_branch(Branch(after * iterations, "later")), state="finished")
    writer = LogWriter(Blobs(place), branch=len(info.branches) - 1)
    writer.write_info(info)
    for step in range(1, dumps + 1):
        dump, iteration = log.dumps[step], (after + step) * iterations
        given = log.predictions(dump, SCALE.classes * SCALE.samples_per_class)
        writer.write_predictions(iteration, Predictions(given.predicted[::-1].copy(), given.probability, given.loss))
        writer.write_layers(iteration, log.histograms(dump))
        writer.write_filters(iteration, {name: -values for name, values in log.filters(dump).items()})


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("after", [199, 128, 30])
def test_builders_at_once_and_training_resumed_meanwhile_are_never_seen(
    alone: Path, expected: dict[str, str], tmp_path: Path, after: int
) -> None:
    """Two builders; training is resumed while they write; two more, which know of that; a reader all along."""
    chance = random.Random(after)
    place, later = Path(shutil.copytree(alone, tmp_path / "run")), linked(alone, tmp_path / "later")
    resume(later, after, 100)
    (later / "run.json").replace(tmp_path / "resumed.json")
    expected_later = _digests_with(later, tmp_path / "resumed.json")
    builders = [start(place, "--processes", "1"), start(place, "--processes", "2")]
    wait_until_it_writes(builders[0], place, 0)
    for _ in range(chance.randrange(3)):
        assert digests(open_run(place)) == expected
    shutil.copytree(later / "log", place / "log", dirs_exist_ok=True, ignore=_known(place))
    assert digests(open_run(place)) == expected, "files of a branch that run.json does not list do not count"
    (tmp_path / "resumed.json").replace(place / "run.json")
    builders += [start(place, "--processes", "1"), start(place, "--processes", "2")]
    held = open_run(place)
    while any(builder.poll() is None for builder in builders):
        assert digests(open_run(place)) == expected_later
        held.refresh()
        assert digests(held) == expected_later
    for builder in builders:
        ended(builder)
    assert digests(open_run(place)) == expected_later
    assert build(place).returncode == 0
    run = open_run(place)
    assert digests(run) == expected_later
    assert run.warnings == []
    again = build(place)
    assert "nothing to build" in again.stdout


def _digests_with(place: Path, info: Path) -> dict[str, str]:
    shutil.copyfile(info, place / "run.json")
    return digests(open_run(place))


def _known(place: Path) -> Any:
    """What a copy need not write again."""

    def ignore(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name.endswith(".arrow") and ".branch" not in name]

    return ignore
