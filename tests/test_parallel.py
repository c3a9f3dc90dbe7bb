"""Tasks are done by whoever is there, and results come in their order."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from deeptracker.errors import DeepTrackerError
from deeptracker.parallel import HANDED_OUT, _in_turn, handed_out


def cube(number: int, *, too_large: int = 100) -> int:
    if number >= too_large:
        raise ValueError(f"{number} is too large")
    return number**3


def end_abruptly(number: int) -> int:
    os._exit(number)


class Later:
    """A result that is made when it is asked for; `asked` counts."""

    def __init__(self, make: Callable[[], int]) -> None:
        self.result = make


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_tasks(processes: int) -> None:
    with handed_out(cube, range(20), processes=processes) as results:
        assert list(results) == [number**3 for number in range(20)]


def test_no_more_is_handed_out_than_twice_the_workers_and_nothing_is_begun_that_nobody_waits_for() -> None:
    begun: list[int] = []
    workers = 3

    def submit(task: int) -> Later:
        begun.append(task)
        return Later(lambda: task)

    results = _in_turn(submit, range(100), lambda: workers)
    assert begun == []
    assert next(results) == 0
    assert begun == list(range(HANDED_OUT * 3))
    workers = 5  # a cluster may grow
    assert next(results) == 1
    assert len(begun) == 1 + HANDED_OUT * 5
    assert list(results) == list(range(2, 100))


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_task_raises_is_raised_at_its_turn(processes: int) -> None:
    done: list[int] = []
    with (
        pytest.raises(ValueError, match="3 is too large"),
        handed_out(partial(cube, too_large=3), range(20), processes=processes) as results,
    ):
        done.extend(results)
    assert done == [0, 1, 8]


def test_a_process_that_dies_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DeepTrackerError, match="ended abruptly"), handed_out(end_abruptly, [1], processes=2) as results:
        list(results)


def test_a_scheduler_that_is_not_there_is_an_error_with_a_remedy() -> None:
    pytest.importorskip("distributed")
    with (
        pytest.raises(DeepTrackerError, match="Start one: dask scheduler"),
        handed_out(cube, [1], scheduler="nonsense://x"),
    ):
        pass


def test_there_must_be_a_process() -> None:
    with pytest.raises(ValueError, match="Got 0"), handed_out(cube, [1], processes=0):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of distributed's own
def test_a_cluster_does_the_same_and_raises_what_a_task_raises() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with handed_out(abs, range(-20, 0), scheduler=cluster.scheduler_address) as results:
            assert list(results) == list(range(20, 0, -1))
        with (
            pytest.raises(ValueError, match="invalid literal"),
            handed_out(int, ["1", "x"], scheduler=cluster.scheduler_address) as results,
        ):
            list(results)


WAITING = """
import os, sys, time
from functools import partial
from pathlib import Path
from deeptracker.parallel import handed_out

def wait(folder, number):
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    with handed_out(partial(wait, sys.argv[1]), range(2), processes=2) as results:
        list(results)
"""


def is_running(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes there are")
def test_where_the_caller_is_killed_its_processes_end(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    seen = tmp_path / "processes"
    seen.mkdir()
    with subprocess.Popen([sys.executable, str(tmp_path / "waiting.py"), str(seen)]) as caller:
        while len(list(seen.iterdir())) < 2:
            assert caller.poll() is None
            time.sleep(0.02)
        caller.kill()
    processes = [int(path.name) for path in seen.iterdir()]
    deadline = time.monotonic() + 60
    while any(map(is_running, processes)):
        assert time.monotonic() < deadline, "processes that nobody waits for go on"
        time.sleep(0.02)
