"""What is kept of the last iterations, whatever happens, in memory of fixed size?

1. A row an iteration: FLIGHT_MEASURES of every filter, and the ids of the training samples of its batch. Of `count`
   rows the oldest makes room for the newest. The measures take 16 bytes x filters x count, asked for once; beside them
   lie one copy of the weights, those before the step, and the ids.
2. An iteration is `begin`, `gradients` (of each optimizer), `complete`. One that is begun and never completed, as its
   step was skipped, leaves nothing behind; its batch belongs to the next, whose step follows it.
3. The layers of each device are measured there (`flight_on_host.py`, `flight_on_device.py`). A model that moves to
   another device, or has other parameters, begins an empty ring where it must.
4. What is `taken` is gone from the ring, which goes on with new memory: no iteration is in two flights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from deeptracker.record.flight_on_device import DeviceRows, Mark
from deeptracker.record.measures import HAS_COMPILER
from deeptracker.record.network import WeightedLayer
from deeptracker.schema import FLIGHT_MEASURES, Flight, Reason
from deeptracker.store.flights import MOST_ITEMS

LARGEST_SHARE = 0.5
"""Of the machine's memory a ring may take so much."""

Ids = npt.NDArray[np.int64]


class Ring:
    """The last `count` iterations of these layers."""

    def __init__(self, layers: Sequence[WeightedLayer], count: int) -> None:
        self._count = count
        self._slot = 0
        self._iterations = np.full(count, -1, np.int64)
        self._devices: list[torch.device] = []
        self._groups: list[list[int]] = []
        self._rows: list[Any] = []
        self.follow(layers)
        self._prepare()

    def __len__(self) -> int:
        return int((self._iterations >= 0).sum())

    @property
    def layers(self) -> Sequence[WeightedLayer]:
        """Those that are measured."""
        return self._layers

    def follow(self, layers: Sequence[WeightedLayer]) -> None:
        """The same layers with other parameters."""
        self._layers = layers
        for group, rows in zip(self._groups, self._rows, strict=True):
            rows.follow([layers[i] for i in group])

    @torch.no_grad()
    def begin(self) -> None:
        """An optimizer is about to step: copy the weights."""
        if [layer.weight.device for layer in self._layers] != self._devices:
            self._prepare()
        self._iterations[self._slot] = -1
        for rows in self._rows:
            rows.begin(self._slot)

    @torch.no_grad()
    def gradients(self, scale: torch.Tensor | None, of: Callable[[torch.Tensor], bool]) -> None:
        """Measure the gradients of the weights that `of` names, divided by `scale`; those measured last count."""
        for rows in self._rows:
            rows.gradients(self._slot, scale, of)

    @torch.no_grad()
    def complete(self, iteration: int, batch: Sequence[Any]) -> None:
        """The step is done: measure the weights. `batch` are the ids that were handed in since the step before."""
        for rows in self._rows:
            rows.weights(self._slot)
        self._iterations[self._slot], self._batches[self._slot] = iteration, list(batch)
        self._slot = (self._slot + 1) % self._count

    def mark(self) -> Mark:
        """What comes once the rows up to now can be read."""
        return Mark([event for rows in self._rows for event in rows.marks()])

    def nonfinite(self, after: int, until: int) -> tuple[Ids, npt.NDArray[np.float32]]:
        """Iterations above `after` and up to `until`, ascending, and that measure of them: (iterations, filters)."""
        slots = [slot for slot in self._order() if after < self._iterations[slot] <= until]
        return self._iterations[slots], self._in_order([rows.nonfinite(slots) for rows in self._rows])

    def taken(self, reasons: tuple[Reason, ...]) -> Callable[[int], Flight]:
        """What is in the ring, for the writer thread to make a flight of a dump; the ring is empty then."""
        order, iterations, batches = self._order(), self._iterations, self._batches
        come = [rows.taken() for rows in self._rows]
        self._forget()

        def flight(dump: int) -> Flight:
            parts = [rows()[order] for rows in come]
            values = np.ascontiguousarray(self._in_order(parts).transpose(1, 0, 2))
            ids = tuple(_ids(batches[slot]) for slot in order)
            return Flight(dump, iterations[order], values, reasons, ids if any(map(len, ids)) else ())

        return flight

    def _prepare(self) -> None:
        """Memory for the layers where they are now."""
        self._devices = [layer.weight.device for layer in self._layers]
        self._groups = [
            [i for i, other in enumerate(self._devices) if other == one] for one in dict.fromkeys(self._devices)
        ]
        self._rows = [_rows([self._layers[i] for i in group], self._count) for group in self._groups]
        columns = np.split(np.arange(_filters(self._layers)), np.cumsum([x.layer.filters for x in self._layers])[:-1])
        self._columns = np.concatenate([columns[i] for group in self._groups for i in group])
        self._forget()

    def _forget(self) -> None:
        self._slot = 0
        self._iterations = np.full(self._count, -1, np.int64)
        self._batches: list[list[Any]] = [[] for _ in range(self._count)]

    def _order(self) -> list[int]:
        """The rows that are complete, ascending by iteration."""
        slots = [(self._slot + i) % self._count for i in range(self._count)]
        return [slot for slot in slots if self._iterations[slot] >= 0]

    def _in_order(self, parts: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """What was measured on all devices, the last dimension in the order of the network's filters."""
        if len(parts) == 1:
            return parts[0]
        found = np.empty((*parts[0].shape[:-1], len(self._columns)), np.float32)
        found[..., self._columns] = np.concatenate(parts, axis=-1)
        return found


def check_flight(flight: Any, layers: Sequence[WeightedLayer]) -> int:
    """How many iterations are kept; TypeError or ValueError where that cannot be."""
    if isinstance(flight, bool) or not isinstance(flight, int):
        raise TypeError(f"flight must be a number of iterations. Got {flight!r}.")
    if flight < 0:
        raise ValueError(f"flight must be a number of iterations >= 0. Got {flight}.")
    size, filters = ring_bytes(layers, flight), _filters(layers)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 40
    most = int(min(LARGEST_SHARE * memory // (4 * len(FLIGHT_MEASURES)), MOST_ITEMS) // filters)
    if flight > most:
        raise ValueError(
            f"flight must be at most {most:,} iterations: a ring of {flight:,} for {filters:,} filters takes "
            f"{size / 1e9:,.1f} GB. Keep fewer; as many as lie between two dumps are enough."
        )
    return flight


def ring_bytes(layers: Sequence[WeightedLayer], count: int) -> int:
    """What the measures of so many iterations take in memory, and about as much on disk."""
    return 4 * len(FLIGHT_MEASURES) * _filters(layers) * count


def as_ids(given: Any) -> Any:
    """Ids of samples as they are kept: int64 (n,), a tensor where it is on a device; TypeError for anything else."""
    if isinstance(given, torch.Tensor) and given.device.type != "cpu":
        if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
            raise TypeError(_WRONG_IDS.format(f"a tensor of {given.dtype}"))
        return given.detach().reshape(-1).clone()
    array = np.asarray(given)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(_WRONG_IDS.format(f"values of {array.dtype}"))
    return array.reshape(-1).astype(np.int64)  # a copy: a loader may use its memory again


_WRONG_IDS = "ids of training samples must be whole numbers, as their places in the data set are. Got {}."


def _ids(handed_in: Sequence[Any]) -> Ids:
    arrays = [x.cpu().numpy() if isinstance(x, torch.Tensor) else x for x in handed_in]
    return np.concatenate([np.zeros(0, np.int64), *arrays]).astype(np.int64)


def _filters(layers: Sequence[WeightedLayer]) -> int:
    return sum(layer.layer.filters for layer in layers)


def _rows(layers: Sequence[WeightedLayer], count: int) -> Any:
    """For layers of one device."""
    if layers[0].weight.device.type == "cpu" and HAS_COMPILER:
        try:
            from deeptracker.record.flight_on_host import HostRows
        except ImportError:  # a numba that does not know this numpy
            return DeviceRows(layers, count)
        return HostRows(layers, count)
    return DeviceRows(layers, count)
