"""What happened in the iterations before a dump that shows trouble?

1. Of the last iterations a few measures of every filter and the ids of the batches are kept in memory
   (`flight_ring.py`), at every optimizer step.
2. Trouble is NaN, a leap of the loss, or an anomaly (`triggers.py`). It is looked for at each dump; between dumps after
   each quarter of the ring, once what is needed has come from the device by itself. If there is any, the ring holds
   still until the next dump: what came before the trouble is not overwritten by what came after.
3. At the dump the ring is handed to the writer thread, with the reasons. It begins anew, so a flight holds what none
   before it does. Reasons without any iteration left are those of the flight before, and are not told again.
4. A recording that ends, or whose training fails, looks once more.
5. An error in here ends the flights of a run, and is told; the rest of the recording goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from deeptracker.record.beginning import Beginning
from deeptracker.record.dump import Dump
from deeptracker.record.flight_on_device import Mark
from deeptracker.record.flight_ring import Ring, as_ids, check_flight
from deeptracker.record.kept_weights import KeptWeights, check_snapshots
from deeptracker.record.losses import Losses
from deeptracker.record.network import WeightedLayer
from deeptracker.record.overhead import Overhead
from deeptracker.record.sharded import is_sharded
from deeptracker.record.transfer import Arriving
from deeptracker.record.triggers import Anomalies, Leaps, NonFinite
from deeptracker.record.trouble import warn_user
from deeptracker.record.writer import Writer
from deeptracker.schema import Predictions, Reason
from deeptracker.store.blobs import Blobs

LOOKS = 4
"""So many times a ring is looked at while it fills."""

SHARDED = (
    "flight=N is off: this model's weights are spread over processes, which would wait for each other at every step. "
    "Record with DistributedDataParallel, or leave flight out"
)

Labels = Callable[[], npt.NDArray[np.int32] | None]


@dataclass(frozen=True, slots=True)
class FlightOptions:
    """So many iterations are kept, and so many bytes of weights at most; 0: none."""

    flight: int = 0
    snapshots: int = 0

    @classmethod
    def checked(cls, flight: Any, snapshots: Any, layers: Sequence[WeightedLayer]) -> Self:
        """TypeError or ValueError where that cannot be, with these layers."""
        return cls(check_flight(flight, layers), check_snapshots(snapshots, flight))


def flights_of(
    options: FlightOptions,
    model: nn.Module,
    layers: Sequence[WeightedLayer],
    begun: Beginning,
    blobs: Blobs,
    *,
    leads: bool,
    writer: Writer,
    losses: Losses,
    overhead: Overhead,
    labels: Labels,
) -> Flights:
    """The flights of a run that begins or goes on; only the process that leads keeps any."""
    is_on = options.flight > 0 and leads
    if is_on and is_sharded(layers):
        warn_user(SHARDED)
        is_on = False
    weights = KeptWeights(model, blobs, begun.log, options.snapshots) if is_on and options.snapshots else None
    ring = Ring(layers, options.flight) if is_on else None
    return Flights(
        ring, weights, begun, count=options.flight, writer=writer, losses=losses, overhead=overhead, labels=labels
    )


class Flights:
    """The flights of one run, which begins or goes on at an iteration. Without `ring` everything here does nothing.

    `iteration` is the last that is done, `newest_dump` that of the newest dump; `is_begun` while one is measured.
    """

    def __init__(
        self,
        ring: Ring | None,
        weights: KeptWeights | None,
        begun: Beginning,
        *,
        count: int,
        writer: Writer,
        losses: Losses,
        overhead: Overhead,
        labels: Labels,
    ) -> None:
        self._ring, self._weights, self._look_after = ring, weights, max(1, count // LOOKS)
        self._log, self._writer, self._losses, self._overhead = begun.log, writer, losses, overhead
        self._labels, self._names = labels, begun.info.class_names or ()
        self.newest_dump = self.iteration = self._asked_at = self._seen = begun.iteration
        self._open: int | None = None
        self.is_begun = self._is_held = False
        self._ids: list[Any] = []
        self._loss: dict[int, float | torch.Tensor] = {}
        self._asked: _Asked | None = None
        self._reasons: list[Reason] = []
        self._nonfinite = NonFinite([] if ring is None else [x.layer for x in ring.layers])
        self._leaps = Leaps()
        self._anomalies: Anomalies | None = None

    def begin(self, layers: Sequence[WeightedLayer]) -> None:
        """An optimizer is about to make the first step of an iteration."""
        with self._kept_going() as ring:
            if ring is not None and not self._is_held:
                self._settle(ring)
                if layers is not ring.layers:
                    ring.follow(layers)
                ring.begin()
                self.is_begun = True

    def gradients(self, scale: torch.Tensor | None, of: Callable[[torch.Tensor], bool]) -> None:
        """Measure the gradients of the weights that `of` names, as the optimizer uses them."""
        if self.is_begun:
            with self._kept_going() as ring:
                if ring is not None:
                    ring.gradients(scale, of)

    def stepped(self, iteration: int, *, is_late: bool) -> None:
        """An iteration is done. `is_late`: its weights are those of an average, which takes up the step after it."""
        self.iteration = iteration
        if not self.is_begun:
            self._ids = []
            return
        self._open, self.is_begun = iteration, False
        if not is_late:
            with self._kept_going() as ring:
                if ring is not None:
                    self._settle(ring)

    def batch(self, ids: Any) -> None:
        """Ids of training samples of the step to come; what is no ids is told as a loss."""
        if self._ring is not None:
            with self._losses.guard("batch", self.iteration):
                self._ids.append(as_ids(ids))

    def logged(self, iteration: int, scalars: Mapping[str, Any]) -> None:
        """What was logged of an iteration; its `loss` is looked at, until there is trouble."""
        loss = scalars.get("loss")
        if loss is not None and self._ring is not None and not self._is_held:
            loss = loss.detach().reshape(()) if isinstance(loss, torch.Tensor) else loss
            on_device = isinstance(loss, torch.Tensor) and loss.device.type != "cpu"
            self._loss[iteration] = loss.clone() if on_device else float(loss)

    def dumped(self, dump: Dump) -> None:
        """A dump was handed to the writer thread: write a flight where there is trouble."""
        self.newest_dump = dump.iteration
        with self._kept_going() as ring:
            if ring is not None:
                self._settle(ring)
                self._look(ring)
                if dump.predictions is not None:
                    self._reasons += self._judged(dump.iteration, dump.predictions)
                self._write(ring, dump.iteration)

    def has_trouble(self) -> bool:
        """Has there been any since the newest flight?"""
        with self._kept_going() as ring:
            if ring is not None:
                self._settle(ring)
                self._look(ring)
                return bool(self._reasons) and len(ring) > 0
        return False

    def stop(self) -> None:
        """Keep nothing any more."""
        self._ring, self.is_begun = None, False
        self._ids, self._loss, self._asked = [], {}, None

    @contextmanager
    def _kept_going(self) -> Iterator[Ring | None]:
        """An error inside is told once, and ends all flights."""
        if self._ring is None:
            yield None
            return
        try:
            with self._losses.guard("flight", self.iteration), self._overhead.timed("measure"):
                is_done = False
                yield self._ring
                is_done = True
        finally:
            if not is_done:
                self.stop()

    def _settle(self, ring: Ring) -> None:
        """Complete the iteration that is done, and look for trouble when it is time."""
        if self._open is None:
            return
        ring.complete(self._open, self._ids)
        self._open, self._ids = None, []
        if self._asked is None and self.iteration - self._asked_at >= self._look_after:
            self._ask(ring)
        if self._asked is not None and self._asked.has_come():
            self._hear(ring)
            self._is_held = bool(self._reasons)

    def _ask(self, ring: Ring) -> None:
        losses, self._loss = self._loss, {}
        self._asked, self._asked_at = _Asked(ring.mark(), self.iteration, losses), self.iteration

    def _hear(self, ring: Ring) -> None:
        asked, self._asked = self._asked, None
        if asked is None:
            return
        asked.mark.wait()
        self._reasons += self._nonfinite.measures(*ring.nonfinite(self._seen, asked.until))
        self._seen = asked.until
        iterations, losses = asked.losses()
        self._reasons += self._nonfinite.losses(iterations, losses)
        self._reasons += self._leaps.losses(iterations, losses)

    def _look(self, ring: Ring) -> None:
        """Look for trouble in all that there is, and wait for it."""
        self._hear(ring)
        self._ask(ring)
        self._hear(ring)

    def _judged(self, iteration: int, predictions: Predictions) -> list[Reason]:
        labels = self._labels()
        if labels is None:
            return []
        if self._anomalies is None:
            self._anomalies = Anomalies(labels, self._names)
        watch = self._anomalies
        found = watch.predictions(iteration, predictions)
        suggestion = watch.suggestion()
        if suggestion is not None:
            self._writer.submit("flight", iteration, suggestion)
        return found

    def _write(self, ring: Ring, iteration: int) -> None:
        reasons, self._reasons, self._is_held = tuple(self._reasons), [], False
        if not reasons or not len(ring):
            return
        flight = ring.taken(reasons)
        self._writer.submit("flight", iteration, lambda: self._log.write_flight(flight(iteration)))
        if self._weights is None:
            return
        write = self._weights.taken(iteration)
        if write is not None:
            self._writer.submit("weights", iteration, write)
        else:
            self._losses.note(f"from iteration {iteration} on {self._weights.used_up}")
            self._weights = None


class _Asked:
    """What was asked of devices: rows of the ring up to some iteration, and the losses so far."""

    def __init__(self, mark: Mark, until: int, losses: dict[int, float | torch.Tensor]) -> None:
        self.mark, self.until = mark, until
        self._losses = dict(sorted(losses.items()))
        on_device = {i: loss for i, loss in self._losses.items() if isinstance(loss, torch.Tensor)}
        self._places = list(on_device)
        self._arriving = Arriving(_stacked(list(on_device.values()))) if on_device else None

    def has_come(self) -> bool:
        return self.mark.has_come() and (self._arriving is None or self._arriving.has_come())

    def losses(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Iterations and losses; waits for those that have not come."""
        if self._arriving is not None:
            self._losses.update(zip(self._places, self._arriving.here().tolist(), strict=True))
        return np.array(list(self._losses), np.int64), np.array(list(self._losses.values()), np.float64)


def _stacked(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """float32 (n,), where the first of some numbers lies."""
    return torch.stack([value.to(values[0].device, torch.float32, non_blocking=True) for value in values])
