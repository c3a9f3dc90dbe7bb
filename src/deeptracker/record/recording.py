"""What does anything that records need, whatever it records from?

1. A run is begun; what is captured goes to a writer thread; `run.json` says at the end how it ended.
2. An error of ours becomes a loss and one warning, and training goes on; `strict` lets it through.
3. What it takes is measured, and told in `run.json`.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from deeptracker.record.alerts import AlertOptions, Alerts
from deeptracker.record.beginning import Beginning
from deeptracker.record.dump import Dump
from deeptracker.record.index_builder import IndexBuilder
from deeptracker.record.losses import Losses, tried
from deeptracker.record.output import Evaluated, Output
from deeptracker.record.overhead import Overhead
from deeptracker.record.scalars import Scalars
from deeptracker.record.writer import Failure, Writer
from deeptracker.schema import Network
from deeptracker.store.blobs import Blobs


class Recording:
    """A run that is being written, from its beginning on; `iteration` is the newest that anything was said of."""

    def __init__(
        self,
        blobs: Blobs,
        begun: Beginning,
        network: Network,
        evaluations: Evaluated,
        alerting: AlertOptions,
        *,
        index: bool,
        strict: bool,
    ) -> None:
        begun.write(network)
        self.iteration = begun.iteration
        self.scalars = Scalars()
        self.is_closed = False
        self._info = begun.info
        self._losses = Losses(begun.info.lost, strict=strict)
        self._writer = Writer()
        builder = IndexBuilder(blobs.place, begun, self._writer.tell) if index else None
        self.alerts = Alerts(alerting, blobs.place, begun, network, self._writer.tell)
        self._output = Output(self._writer, begun.log, blobs, evaluations, builder, self.alerts)
        self._overhead = Overhead()
        self._finalizer = weakref.finalize(self, self._output.drain, self.scalars)

    @property
    def is_here(self) -> bool:
        """False in a forked child, which writes nothing."""
        return self._writer.is_here

    @property
    def overhead(self) -> dict[str, float]:
        """Dumps made, and seconds that training has spent on them."""
        return self._overhead.told(self._writer.waiting_seconds)

    @contextmanager
    def guard(self, what: str, iteration: int, *, seconds: str | None = None) -> Iterator[None]:
        """An error inside becomes a loss; the time it takes is counted as `seconds` ("measure", "validate")."""
        try:
            with nullcontext() if seconds is None else self._overhead.timed(seconds):
                yield
        except Exception as error:
            self.lose(what, iteration, error)

    def advance(self, iteration: int) -> None:
        """Something is to be recorded of this iteration; ValueError for an earlier one, or after the end."""
        if self.is_closed:
            raise ValueError("a recorder must be open to record. It has been closed.")
        number = operator.index(iteration)
        if number < self.iteration:
            raise ValueError(f"iterations must not descend. Got {number} after {self.iteration}.")
        self.iteration = number

    def lose(self, what: str, iteration: int, error: Exception) -> None:
        """Tell of something that could not be recorded."""
        failure = Failure(what, iteration, error)
        self._losses.add(failure)
        self._losses.tell(failure)

    def write_dump(self, dump: Dump) -> None:
        """Hand over a dump, and the scalars before it."""
        self.write_scalars(before=dump.iteration)
        self._output.write_dump(dump)
        self._overhead.dumps += 1
        for failure in self._take_failures():
            self._losses.tell(failure)
        if not self._losses.are_told or self.alerts.told != self._info.told:
            self._write_info()

    def write_scalars(self, *, before: int | None) -> None:
        """Hand over the scalars of iterations below, or all."""
        self._output.write_scalars(self.scalars.take(before=before))

    def flush(self) -> None:
        """Wait until all that was handed over is on disk."""
        self._writer.flush()
        for failure in self._take_failures():
            self._losses.tell(failure)

    def close(self, state: str, exception: str | None, index_seconds: float) -> None:
        """Write what is left and end, once; losses are told, unless training ended by an exception of its own."""
        if self.is_closed or not self.is_here:
            return
        self.is_closed = True
        self._finalizer.detach()
        self.write_scalars(before=None)
        self._writer.flush()
        failed = exception is not None
        raised = tried(lambda: self.alerts.ended(self.iteration, index_seconds, training_failed=failed))
        failures = self._take_failures()
        self._write_info(state=state, exception=exception, stopped=self.alerts.stopped_at(self.iteration))
        self._output.close(index_seconds)
        failures += self._take_failures()
        self._losses.tell_at_end(failures, training_failed=failed)
        if raised:
            raise raised[0]

    def _write_info(self, **changes: Any) -> None:
        self._losses.are_told = True
        changes |= {"lost": self._losses.texts, "overhead": self.overhead, "told": self.alerts.told}
        self._info = info = replace(self._info, **changes)
        self._output.write_info(self.iteration, info)

    def _take_failures(self) -> list[Failure]:
        failures = self._writer.failures()
        for failure in failures:
            self._losses.add(failure)
        return failures
