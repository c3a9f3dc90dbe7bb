"""How is every step measured for a flight, of layers that lie in the host's memory?

1. Before the step weights are copied and gradients measured; after it weights, with those copied. Compiled by numba
   (`one_pass.py`), dealt out to threads as the measures of a dump are (`on_host.py`).
2. What is measured goes straight to its row of the ring, which is numpy's; so does nothing else, and no memory is asked
   for in a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from deeptracker.record import one_pass
from deeptracker.record.network import WeightedLayer
from deeptracker.record.on_device import as_float, dense
from deeptracker.record.on_host import Task, as_array, copied, dealt, in_threads
from deeptracker.schema import FLIGHT_MEASURES

_GRADIENT, _NONFINITE = FLIGHT_MEASURES.index("grad_l2"), FLIGHT_MEASURES.index("nonfinite")


class HostRows:
    """A ring of so many rows (FLIGHT_MEASURES, filters) of layers in the host's memory."""

    def __init__(self, layers: Sequence[WeightedLayer], count: int) -> None:
        self._layers = layers
        self._tasks = dealt([(x.layer.filters, x.layer.fan_in) for x in layers], torch.get_num_threads())
        self._firsts = np.cumsum([0, *(x.layer.filters for x in layers)])
        self._count = count
        self._before: list[torch.Tensor] = []
        self.renew()

    def follow(self, layers: Sequence[WeightedLayer]) -> None:
        """The same layers with other parameters."""
        self._layers = layers

    def renew(self) -> None:
        """New memory for the ring: what is there belongs to whoever took it."""
        self._ring = np.empty((self._count, len(FLIGHT_MEASURES), int(self._firsts[-1])), np.float32)

    def begin(self, slot: int) -> None:
        """Copy the weights; nothing is known of this row."""
        self._ring[slot] = np.nan
        self._ring[slot, _NONFINITE] = 0
        self._before = copied(self._rows(), self._before, self._tasks)

    def gradients(self, slot: int, scale: torch.Tensor | None, of: Callable[[torch.Tensor], bool]) -> None:
        """Measure gradients of the weights that `of` names, divided by `scale`; those measured last count."""
        table, rows = self._ring[slot], {}
        for index, layer in enumerate(self._layers):
            if layer.weight.grad is not None and of(layer.weight):
                rows[index] = layer.rows_as_stored(dense(layer.weight.grad))
                table[_NONFINITE, self._firsts[index] : self._firsts[index + 1]] = 0

        def measure(task: Task) -> None:
            if task.layer in rows:
                block = as_float(rows[task.layer][task.part])
                values = as_array(block if scale is None else block / scale.to(block.device))
                one_pass.step_gradients(values, self._firsts[task.layer] + task.part.start, table)

        in_threads(self._tasks, measure)

    def weights(self, slot: int) -> None:
        """Measure the weights, which completes the row."""
        table, rows = self._ring[slot], self._rows()

        def measure(task: Task) -> None:
            values, before = (as_array(as_float(x[task.layer][task.part])) for x in (rows, self._before))
            one_pass.step_weights(values, before, self._firsts[task.layer] + task.part.start, table)

        in_threads(self._tasks, measure)

    def marks(self) -> list[torch.cuda.Event]:
        """What comes once all rows that are complete by now can be read: they can."""
        return []

    def nonfinite(self, slots: Sequence[int]) -> npt.NDArray[np.float32]:
        """That measure of some rows: (rows, filters)."""
        return self._ring[list(slots), _NONFINITE]

    def taken(self) -> Callable[[], npt.NDArray[np.float32]]:
        """The whole ring (rows, measures, filters), for the writer thread to call; another one begins."""
        ring = self._ring
        self.renew()
        return lambda: ring

    def _rows(self) -> list[torch.Tensor]:
        return [layer.rows_as_stored(layer.weight.detach()) for layer in self._layers]
