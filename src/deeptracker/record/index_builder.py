"""When is the index of a run built while it is recorded, and how does training not notice?

1. Dumps are counted as they reach the disk. With every further block of settled ones a process of low priority is
   started that builds it (index_process.py), and ends after it. One at a time: what is due meanwhile is built next.
2. Neither the training thread nor the writer thread ever waits for it. A thread that sleeps does.
3. What goes wrong is told like a loss, once, and nothing is lost: the log has all. It is tried again with the next
   block, unless it was refused for good.
4. At the end of a run the last block, which is a shorter one, is built as well; who closes the recorder waits no longer
   than is said. What is left then, `deeptracker serve` or `deeptracker index` builds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from deeptracker.errors import IndexNotBuiltError
from deeptracker.index_process import IndexProcess
from deeptracker.record.beginning import Beginning
from deeptracker.record.dump import Dump
from deeptracker.record.losses import INDEX
from deeptracker.record.writer import Failure
from deeptracker.store.index_layout import BLOCK

LAST_SECONDS = 10.0
SILENT_SECONDS = 2.0
"""Whoever closes a recorder is told what it waits for after so long."""


class IndexBuilder:
    """Builds the index of the run at a place, which begins or goes on like this; hands failures to `tell`."""

    def __init__(self, place: str, begun: Beginning, tell: Callable[[Failure], None]) -> None:
        self._place = place
        self._dumps, self._newest = begun.dumps, begun.newest
        self._has_samples = begun.samples is not None
        self._tell = tell
        self._due_blocks, self._due_at = 0, self._newest
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process: IndexProcess | None = None
        self._is_due = self._is_given_up = False

    def written(self, dump: Dump) -> None:
        """This dump has reached the disk."""
        if dump.iteration > self._newest:
            self._dumps, self._newest = self._dumps + 1, dump.iteration
        self._has_samples = self._has_samples or dump.predictions is not None
        # Of a run with samples, dumps count up to the newest that has predictions: those before receive none any more.
        is_settled = dump.predictions is not None or not self._has_samples
        if is_settled and self._dumps // BLOCK > self._due_blocks:
            self._due_blocks, self._due_at = self._dumps // BLOCK, self._newest
            self._build()

    def finish(self, seconds: float) -> None:
        """Build what is left of a run that is finished, for at most so many seconds."""
        end = time.monotonic() + seconds
        if seconds > 0 and self._dumps >= max(BLOCK, self._due_blocks * BLOCK + 1):
            self._build()
        try:
            self._wait(min(SILENT_SECONDS, seconds))
            if self._thread is not None and end > time.monotonic():
                _say(f"The last block of the index of {self._place} is being built: {seconds:g} s at most.")
                self._wait(end - time.monotonic())
            if self._thread is not None and seconds > 0:
                _say(f"The index is not complete; nothing is lost. deeptracker index {self._place} completes it.")
        finally:
            self.stop()

    def stop(self) -> None:
        """End what is under way, now and for good; blocks that are built stay."""
        with self._lock:
            self._is_given_up, self._is_due = True, False
            thread, process = self._thread, self._process
        if process is not None:
            process.stop()
        if thread is not None:
            thread.join()

    def _build(self) -> None:
        with self._lock:
            if self._is_given_up:
                return
            self._is_due = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="deeptracker-index", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while (process := self._next()) is not None:
            try:
                with process:
                    process.build(self._place)
            except Exception as error:
                is_refused = isinstance(error, IndexNotBuiltError) and error.is_refused
                self._is_given_up = self._is_given_up or is_refused
                self._tell(Failure(INDEX, self._due_at, error))

    def _next(self) -> IndexProcess | None:
        with self._lock:
            if self._is_due and not self._is_given_up:
                self._is_due = False
                self._process = IndexProcess()
            else:
                self._thread = self._process = None
            return self._process

    def _wait(self, seconds: float) -> None:
        thread = self._thread
        if thread is not None and seconds > 0:
            thread.join(seconds)


def _say(text: str) -> None:
    logging.getLogger("deeptracker").warning(text)
