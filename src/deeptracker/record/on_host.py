"""How do several threads measure the layers that lie in the host's memory?

1. The filters of all layers are dealt out by their weights, in one piece to each of as many threads as torch computes
   with: so each layer but those at the borders is measured by one thread, and nothing is waited for in between.
2. `one_pass.py` measures; it is compiled once on a machine, some seconds, and kept. Weights in bfloat16 or float16 are
   measured as float32, a task's at a time.
3. Copies of the weights (before the step, and at the dump before) lie in memory that is kept between dumps: to ask for
   it anew would take longer than to copy. The same threads copy: torch's go on spinning for some milliseconds after
   what they did together, and would take the processors from those that measure next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from deeptracker.record import one_pass
from deeptracker.record.dump import OfLayer
from deeptracker.record.network import WeightedLayer
from deeptracker.record.on_device import as_float, dense
from deeptracker.schema import HISTOGRAM_BINS, MEASURES

THREAD_WEIGHTS = 1 << 19
"""No thread is started for fewer weights: that takes as long as to measure them."""

FILTER_WEIGHTS = 128
"""A filter, however small, takes as long as so many weights more."""

_NONFINITE = MEASURES.index("nonfinite")
_WEIGHT, _GRADIENT = 0, 1


@dataclass(frozen=True, slots=True)
class Task:
    """Some filters of a layer (its place), for one thread; `continues` if another thread has those before."""

    layer: int
    part: slice
    continues: bool


class HostMeasurer:
    """Measures layers in the host's memory."""

    def __init__(self, layers: Sequence[WeightedLayer]) -> None:
        self._layers = layers
        self._tasks = dealt(
            [(x.layer.filters, x.layer.fan_in + FILTER_WEIGHTS) for x in layers], torch.get_num_threads()
        )
        self._tables = [np.empty((len(MEASURES), x.layer.filters), np.float32) for x in layers]
        self._counts = np.zeros((len(layers), 2, HISTOGRAM_BINS), np.uint32)
        self._before: list[torch.Tensor] = []
        self._previous: list[torch.Tensor] = []
        self._has_before = self._has_previous = False

    def follow(self, layers: Sequence[WeightedLayer]) -> None:
        """The same layers with other parameters."""
        self._layers = layers

    def clear(self) -> None:
        """Begin a dump: nothing is known."""
        for table in self._tables:
            table.fill(np.nan)
            table[_NONFINITE] = 0
        self._counts.fill(0)

    def results(self) -> list[OfLayer]:
        """What was measured of each layer."""
        return list(zip(self._tables, self._counts, strict=True))

    def remember(self) -> None:
        """Take the weights as those of the dump before."""
        self._previous = copied(self._rows(), self._previous, self._tasks)
        self._has_previous = True

    def before_step(self) -> None:
        """Copy the weights."""
        self._before = copied(self._rows(), self._before, self._tasks)
        self._has_before = True

    def forget_step(self) -> None:
        """There was no step."""
        self._has_before = False

    def gradients(self, scale: torch.Tensor | None, of: Callable[[torch.Tensor], bool]) -> None:
        """Measure gradients of the weights that `of` names, divided by `scale`; those measured last count."""
        rows: dict[int, torch.Tensor] = {}
        for index, layer in enumerate(self._layers):
            if layer.weight.grad is not None and of(layer.weight):
                rows[index] = layer.rows(dense(layer.weight.grad))
                self._tables[index][_NONFINITE] = 0
                self._counts[index, _GRADIENT] = 0

        def measure(task: Task, counts: one_pass.Counts) -> None:
            if task.layer in rows:
                block = as_float(rows[task.layer][task.part])
                values = as_array(block if scale is None else block / scale.to(block.device))
                first, table = task.part.start, self._tables[task.layer]
                one_pass.gradients(values, one_pass.bits_of(values), first, table, counts)

        self._measure(measure, _GRADIENT)

    def weights(self) -> None:
        """Measure the weights. If this fails the next dump has no `change`."""
        rows, before, has_previous = self._rows(), self._before, self._has_previous
        if not self._has_before:
            before = [of_layer[:0] for of_layer in rows]
        if [x.dtype for x in self._previous] != [x.dtype for x in rows]:
            self._previous, has_previous = [torch.empty(x.shape, dtype=x.dtype) for x in rows], False
        self._has_before = self._has_previous = False

        def measure(task: Task, counts: one_pass.Counts) -> None:
            own, previous = rows[task.layer][task.part], self._previous[task.layer][task.part]
            values, values_previous = as_array(as_float(own)), as_array(as_float(previous))
            values_before = as_array(as_float(before[task.layer][task.part] if len(before[task.layer]) else own[:0]))
            one_pass.weights(
                values,
                one_pass.bits_of(values),
                values_before,
                values_previous,
                has_previous,
                task.part.start,
                self._tables[task.layer],
                counts,
            )
            if values.itemsize != own.element_size():
                previous.copy_(own)  # what was replaced was made for measuring

        self._measure(measure, _WEIGHT)
        self._has_previous = True

    def _rows(self) -> list[torch.Tensor]:
        return [layer.rows(layer.weight.detach()) for layer in self._layers]

    def _measure(self, measure: Callable[[Task, one_pass.Counts], None], what: int) -> None:
        """Do all tasks; a layer's bins are added up where two threads have it."""
        apart: list[tuple[int, one_pass.Counts]] = []

        def counted(task: Task) -> None:
            counts = self._counts[task.layer, what]
            if task.continues:
                counts = np.zeros(HISTOGRAM_BINS, np.uint32)
                apart.append((task.layer, counts))
            measure(task, counts)

        in_threads(self._tasks, counted)
        for layer, counts in apart:
            self._counts[layer, what] += counts


def in_threads(tasks: Sequence[list[Task]], do: Callable[[Task], None]) -> None:
    """Do the tasks of each thread in one of its own, and wait for all; an error in one is raised."""

    def work(of_thread: list[Task]) -> None:
        for task in of_thread:
            do(task)

    if len(tasks) == 1:
        work(tasks[0])
    else:
        with ThreadPoolExecutor(len(tasks)) as pool:
            list(pool.map(work, tasks))


def copied(rows: Sequence[torch.Tensor], kept: list[torch.Tensor], tasks: Sequence[list[Task]]) -> list[torch.Tensor]:
    """Copies of the rows of each layer, in the memory of those that are kept where they fit."""
    if [(x.shape, x.dtype) for x in kept] != [(x.shape, x.dtype) for x in rows]:
        kept = [torch.empty(x.shape, dtype=x.dtype) for x in rows]

    def copy(task: Task) -> None:
        np.copyto(_bytes(kept[task.layer][task.part]), _bytes(rows[task.layer][task.part].contiguous()))

    in_threads(tasks, copy)
    return kept


def dealt(sizes: Sequence[tuple[int, int]], threads: int) -> list[list[Task]]:
    """All filters as tasks for at most so many threads, alike in weights; `sizes` are (filters, fan in) of each layer.

    >>> [[(task.layer, task.part.start, task.part.stop) for task in tasks] for tasks in dealt([(4, 1 << 18)] * 2, 2)]
    [[(0, 0, 4)], [(1, 0, 4)]]
    """
    total = sum(filters * fan_in for filters, fan_in in sizes)
    threads = max(1, min(threads, total // THREAD_WEIGHTS))
    tasks: list[list[Task]] = [[] for _ in range(threads)]
    done = 0
    for layer, (filters, fan_in) in enumerate(sizes):
        first = 0
        while first < filters:
            thread = min(threads - 1, done * threads // total)
            room = -(-((thread + 1) * total - done * threads) // (threads * fan_in))
            last = filters if thread == threads - 1 else min(filters, first + max(1, room))
            tasks[thread].append(Task(layer, slice(first, last), first > 0))
            done += (last - first) * fan_in
            first = last
    return [of_thread for of_thread in tasks if of_thread]


def as_array(block: torch.Tensor) -> npt.NDArray[Any]:
    """The same as an array, contiguous; a view where it can be."""
    array: npt.NDArray[Any] = block.contiguous().numpy()
    return array


def _bytes(block: torch.Tensor) -> npt.NDArray[np.uint8]:
    """A tensor's own memory, whatever its dtype: numpy knows no bfloat16."""
    array: npt.NDArray[np.uint8] = block.view(torch.uint8).numpy()
    return array
