"""What is measured around the steps of one iteration?

1. For a dump, where one is due: weights are kept before the first step, gradients measured as each optimizer will use
   them (one with a closure makes them within its step), weights measured at the end (`measuring.py`).
2. For a flight, always: the same few measures of every iteration (`flight.py`).
3. Where a recording ends in trouble that no dump has shown, one more is made, of weights alone: a flight belongs to a
   dump, and a training that fails must not be made to compute.
4. Where something of a dump fails the rest of its measures is left out, and the dump goes without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from deeptracker.record.dump import Dump, Later, Measured
from deeptracker.record.flight import Flights
from deeptracker.record.losses import Losses
from deeptracker.record.measuring import Measuring
from deeptracker.record.network import WeightedLayer
from deeptracker.record.overhead import Overhead
from deeptracker.record.steps import Part
from deeptracker.schema import Kernels

Owned = Callable[[torch.Tensor], bool]


class StepMeasures:
    """The measures of one run, iteration after iteration; `is_due` says whether the one under way has a dump."""

    def __init__(self, measuring: Measuring, flights: Flights, losses: Losses, overhead: Overhead) -> None:
        self._measuring, self.flights = measuring, flights
        self._losses, self._overhead = losses, overhead
        self._iteration = 0
        self._is_whole = True
        self.is_due = False

    def changed_layers(self) -> Sequence[WeightedLayer] | None:
        """The model's layers, if they are others than those that are measured."""
        return self._measuring.changed_layers()

    def stop(self) -> None:
        """Measure nothing any more."""
        self._measuring.stop()

    def begin(self, iteration: int, *, is_due: bool) -> None:
        """The first step of an iteration is about to be made."""
        self._iteration, self.is_due = iteration, is_due
        if self.is_due:
            self._is_whole = True
            self._take(Measuring.before_step)
        self.flights.begin(self._measuring.layers)

    def before(self, part: Part, owned: Callable[[Part], Owned]) -> None:
        """An optimizer is about to step; `owned` tells whose gradients are its own."""
        if not part.closure:
            self._gradients(part, part.scale, owned)

    def after(self, part: Part, owned: Callable[[Part], Owned]) -> None:
        """It has made its step."""
        if part.closure:
            self._gradients(part, None, owned)

    def whole(self, iteration: int) -> tuple[Measured | Later[Measured] | None, Kernels | Later[Kernels] | None]:
        """What there is for the dump of an iteration, which is done."""
        self._iteration = iteration
        measured: list[Measured | Later[Measured] | None] = []
        kernels: list[Kernels | Later[Kernels] | None] = []
        if self._is_whole:
            self._take(lambda it: measured.append(it.after_step()))
        with self._losses.guard("kernels", iteration), self._overhead.timed("measure"):
            kernels.append(self._measuring.kernels())
        return next(iter(measured), None), next(iter(kernels), None)

    def ended(self, write: Callable[[Dump], None]) -> None:
        """Nothing follows the iteration that is done; `write` takes a dump."""
        if not self.flights.has_trouble():
            return
        measured: list[Measured | None] = []
        self._is_whole, self._iteration = True, self.flights.iteration
        if self._iteration > self.flights.newest_dump:
            self._take(lambda it: measured.append(it.weights()))
        dump = Dump(self._iteration, next(iter(measured), None))
        write(dump)
        self.flights.dumped(dump)

    def _gradients(self, part: Part, scale: torch.Tensor | None, owned: Callable[[Part], Owned]) -> None:
        if not self.is_due and not self.flights.is_begun:
            return  # whose gradients they are takes a while to tell
        of = owned(part)
        if self.is_due:
            self._take(lambda it: it.gradients(scale=scale, of=of))
        self.flights.gradients(scale, of)

    def _take(self, take: Callable[[Measuring], None]) -> None:
        if self._is_whole:
            self._is_whole = False
            with self._losses.guard("measures", self._iteration), self._overhead.timed("measure"):
                take(self._measuring)
                self._is_whole = True
