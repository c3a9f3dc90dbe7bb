"""How is a list of tasks worked through by this process, by several, or by a Dask cluster?

1. One function does a task wherever it is, and is told everything by its task: results are the same bytes everywhere.
2. Results come in the order of the tasks. As many tasks as there are workers, and as many again, are handed out at a
   time: nobody waits for work, and what waits for its turn in memory is bounded.
3. When the caller leaves, by an error or Ctrl-C, tasks that are under way in processes are finished, no others begun.
   Where it is killed, its processes end.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from multiprocessing import get_context, parent_process
from types import ModuleType
from typing import Protocol, TypeVar

from deeptracker.errors import DeepTrackerError

HANDED_OUT = 2
"""Tasks that are handed out at a time, for each worker."""

Task = TypeVar("Task")
Result = TypeVar("Result")
Given = TypeVar("Given", covariant=True)


class Promise(Protocol[Given]):
    """A result that is to come, of a process or a cluster."""

    def result(self) -> Given:
        """Wait for it."""


@contextmanager
def handed_out(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    processes: int = 1,
    scheduler: str | None = None,
) -> Iterator[Iterator[Result]]:
    """Results of `work(task)` for each task, in their order: here, in so many processes, or on a Dask cluster.

    Elsewhere than here `work` must be a function of a module (or a `functools.partial` of one), and tasks and results
    must pickle. `scheduler` is the address of a `dask.distributed` scheduler. What `work` raises is raised at its turn;
    DeepTrackerError where processes or cluster fail, ValueError unless processes >= 1.

    >>> with handed_out(abs, [-1, 2, -3]) as results:
    ...     list(results)
    [1, 2, 3]
    """
    if processes < 1:
        raise ValueError(f"processes must be >= 1. Got {processes}.")
    if scheduler is not None:
        with _cluster(work, scheduler) as (submit, workers):
            yield _in_turn(submit, tasks, workers)
    elif processes > 1:
        with _pool(work, processes) as submit:
            yield _in_turn(submit, tasks, lambda: processes)
    else:
        yield map(work, tasks)


def _in_turn(
    submit: Callable[[Task], Promise[Result]], tasks: Iterable[Task], workers: Callable[[], int]
) -> Iterator[Result]:
    left, under_way = iter(tasks), deque[Promise[Result]]()
    while True:
        under_way.extend(map(submit, islice(left, max(0, HANDED_OUT * workers() - len(under_way)))))
        if not under_way:
            return
        yield under_way.popleft().result()


@contextmanager
def _pool(work: Callable[[Task], Result], processes: int) -> Iterator[Callable[[Task], Promise[Result]]]:
    # Spawned, not forked: a fork inherits threads of Arrow and of the object store in whatever state they are.
    with ProcessPoolExecutor(processes, get_context("spawn"), _end_with_parent) as pool:

        def submit(task: Task) -> Promise[Result]:
            with _interrupts_ignored():  # as those do that are started here
                return pool.submit(work, task)

        try:
            yield submit
        except BrokenExecutor as error:
            raise DeepTrackerError(
                "the processes must be left to finish. One of them ended abruptly: it was killed, memory ran short, or "
                "a file was cut while it was read. Run the same again, with fewer processes if memory is short."
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """End this process once that which started it is gone: killed, it cannot say so, and this would wait forever."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _cluster(
    work: Callable[[Task], Result], scheduler: str
) -> Iterator[tuple[Callable[[Task], Promise[Result]], Callable[[], int]]]:
    distributed = _distributed()
    try:
        client = distributed.Client(scheduler)
    except (OSError, ValueError) as error:
        raise DeepTrackerError(
            f"the Dask scheduler at {scheduler} must be reached. It is not ({error}). Start one: dask scheduler"
        ) from error
    with client:
        try:
            yield (
                lambda task: client.submit(work, task, pure=False),
                lambda: max(1, sum(client.nthreads().values())),
            )
        except (distributed.KilledWorker, CancelledError) as error:
            raise DeepTrackerError(
                f"the workers of the Dask cluster at {scheduler} must be left to finish. They were lost ({error}). "
                "Check that they see the files under the same name, and that their memory is enough."
            ) from error


def _distributed() -> ModuleType:
    try:
        return import_module("distributed")
    except ImportError as error:
        raise DeepTrackerError(
            "a scheduler needs dask.distributed. It is not installed: pip install 'deeptracker[distributed]'"
        ) from error


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Meanwhile Ctrl-C is nothing to this process, and to those it starts for good: who asked for them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
