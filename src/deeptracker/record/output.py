"""What does a recorder hand over to its writer thread, and what happens to it there?

1. A dump: the samples first, where it is the first with predictions; then its files; then index and alerts are told.
2. Rows of scalars, and `run.json`.
3. Of a recorder that nobody closed what is left is handed over when the process ends; the run stays "running".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from deeptracker.record import scalars as scalar_rows
from deeptracker.record.alerts import Alerts
from deeptracker.record.dump import Dump
from deeptracker.record.index_builder import IndexBuilder
from deeptracker.record.losses import RUN_FILE
from deeptracker.record.scalars import Rows, Scalars
from deeptracker.record.writer import DRAIN_SECONDS, Writer
from deeptracker.schema import Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogWriter


class Evaluated(Protocol):
    """Where predictions come from: the recorder's own evaluations, or what is handed to it."""

    @property
    def has_collected(self) -> bool:
        """Has the user handed in an evaluation that is not written yet?"""

    def take_collected(self) -> tuple[int, Predictions]:
        """What was handed in: its iteration, and predictions in class order."""

    def write_samples(self, blobs: Blobs) -> None:
        """Write the samples unless they are."""


class Output:
    """Writes a run through the writer thread. `alerts` and `index`, where one is built, are told what is on disk."""

    def __init__(
        self,
        writer: Writer,
        log: LogWriter,
        blobs: Blobs,
        evaluations: Evaluated,
        index: IndexBuilder | None,
        alerts: Alerts,
    ) -> None:
        self._writer = writer
        self._log = log
        self._blobs = blobs
        self._evaluations = evaluations
        self._index = index
        self._alerts = alerts

    def write_dump(self, dump: Dump) -> None:
        """Write a dump, unless it is empty."""
        if dump.parts:
            what = "predictions" if dump.parts == ("predictions",) else "dump"
            self._writer.submit(what, dump.iteration, partial(self._put, dump))

    def write_scalars(self, rows: Rows) -> None:
        """Write rows as one file, unless there are none."""
        if rows:
            self._writer.submit("scalars", max(rows), partial(self._put_scalars, rows))

    def write_info(self, iteration: int, info: RunInfo) -> None:
        """Replace `run.json`, which says how things are at this iteration."""
        self._writer.submit(RUN_FILE, iteration, partial(self._log.write_info, info))

    def close(self, index_seconds: float) -> None:
        """Write what is left; build what is left of the index of a finished run, for at most so many seconds."""
        self._writer.close()
        if self._index is not None:
            self._index.finish(index_seconds)

    def drain(self, scalars: Scalars, end: Callable[[Callable[[Dump], None]], None] = lambda write: None) -> None:
        """Write what is left of a recorder that nobody closed; `end` hands over a last dump, if there is one."""
        if not self._writer.is_here:
            return
        end(self.write_dump)
        self.write_scalars(scalars.take())
        if self._evaluations.has_collected:
            iteration, predictions = self._evaluations.take_collected()
            self.write_dump(Dump(iteration, predictions=predictions))
        self._writer.close(timeout_seconds=DRAIN_SECONDS)
        if self._index is not None:
            self._index.stop()
        self._alerts.finish(0)

    def _put_scalars(self, rows: Rows) -> None:
        scalar_rows.write(self._log, rows)
        self._alerts.written_scalars(rows)

    def _put(self, dump: Dump) -> None:
        if dump.predictions is not None:
            self._evaluations.write_samples(self._blobs)
        dump = dump.arrived()
        dump.write(self._log)
        if self._index is not None:
            self._index.written(dump)
        self._alerts.written(dump)
