"""How do dumps get to disk while training goes on?

1. One daemon thread takes jobs from a bounded queue, in order. A full queue makes training wait, and the waiting is
   measured: a disk that is too slow must be seen, not hidden in memory.
2. A job that fails is remembered as a `Failure`; the training thread takes the failures at its next step and tells the
   user. The jobs after it are still tried.
3. A forked child (a worker of a DataLoader) has the object but not the thread, and writes nothing.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

QUEUE_SIZE = 8
DRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be recorded ("dump", "predictions", "scalars") or built ("index"), at which iteration, and why."""

    what: str
    iteration: int
    error: Exception


@dataclass(frozen=True, slots=True)
class _Job:
    what: str
    iteration: int
    work: Callable[[], None]


class Writer:
    """The thread, and what the training thread needs to know of it."""

    def __init__(self) -> None:
        self.waiting_seconds = 0.0
        self._jobs: queue.Queue[_Job | None] = queue.Queue(QUEUE_SIZE)
        self._failures: queue.SimpleQueue[Failure] = queue.SimpleQueue()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="deeptracker-writer", daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """False in a forked child, which has no writer thread."""
        return os.getpid() == self._process

    def submit(self, what: str, iteration: int, work: Callable[[], None]) -> None:
        """Hand over a job; waits while the queue is full."""
        start = time.perf_counter()
        self._jobs.put(_Job(what, iteration, work))
        self.waiting_seconds += time.perf_counter() - start

    def tell(self, failure: Failure) -> None:
        """Hand in a failure of something else that works beside training."""
        self._failures.put(failure)

    def failures(self) -> list[Failure]:
        """Those that came since the last call."""
        found = []
        while not self._failures.empty():
            found.append(self._failures.get())
        return found

    def flush(self) -> None:
        """Wait until all jobs handed over so far are done."""
        if self.is_here and self._thread.is_alive():
            done = threading.Event()
            self.submit("mark", 0, done.set)
            done.wait()

    def close(self, *, timeout_seconds: float | None = None) -> None:
        """Do what is left, and end the thread."""
        if self.is_here and self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job.work()
            except Exception as error:
                self._failures.put(Failure(job.what, job.iteration, error))
