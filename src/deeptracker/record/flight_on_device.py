"""How is every step measured for a flight with torch's own operations, on an accelerator, and never waited for?

1. Filters with equally many weights are put into one matrix, a filter a row, whatever layer they are of: a ResNet-50
   has 54 layers, but eleven such sizes. So some 250 small operations are queued a step; none asks for a result.
2. Sums are accumulated in float64 (float32 on Apple's GPUs, which have no other).
3. On CUDA the ring is page-locked memory of the host: the row of a step is copied there behind its measures, and takes
   no memory of the GPU. Elsewhere it lies on the device.
4. What must be known while training goes on (`Mark`) is asked for later, when it has come by itself.

This measures on a host without numba as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from deeptracker.record.network import WeightedLayer
from deeptracker.record.on_device import as_float, dense
from deeptracker.schema import FLIGHT_MEASURES

_ROW = {name: row for row, name in enumerate(FLIGHT_MEASURES)}


class DeviceRows:
    """A ring of so many rows (FLIGHT_MEASURES, filters) of the layers of one device."""

    def __init__(self, layers: Sequence[WeightedLayer], count: int) -> None:
        self._layers = layers
        self._device = layers[0].weight.device
        firsts = np.cumsum([0, *(x.layer.filters for x in layers)])
        every = torch.arange(int(firsts[-1]), device=self._device)
        self._columns = [every[firsts[i] : firsts[i + 1]] for i in range(len(layers))]
        self._columns_of: dict[tuple[int, ...], torch.Tensor] = {}
        self._row = torch.empty((len(FLIGHT_MEASURES), len(every)), dtype=torch.float32, device=self._device)
        self._shape = (count, *self._row.shape)
        self._before: list[torch.Tensor] = []
        self.renew()

    def follow(self, layers: Sequence[WeightedLayer]) -> None:
        """The same layers with other parameters."""
        self._layers = layers

    def renew(self) -> None:
        """New memory for the ring: what is there belongs to whoever took it."""
        locked = self._device.type == "cuda"
        place = "cpu" if locked else self._device
        self._ring = torch.empty(self._shape, dtype=torch.float32, device=place, pin_memory=locked)

    def begin(self, slot: int) -> None:
        """Copy the weights; nothing is known of this row."""
        self._row.fill_(math.nan)[_ROW["nonfinite"]] = 0
        with self._without_autocast():
            self._before = [self._matrix(group, self._weight) for group in self._groups(range(len(self._layers)))]

    def gradients(self, slot: int, scale: torch.Tensor | None, of: Callable[[torch.Tensor], bool]) -> None:
        """Measure gradients of the weights that `of` names, divided by `scale`; those measured last count."""
        there = [i for i, x in enumerate(self._layers) if x.weight.grad is not None and of(x.weight)]
        if there:
            self._row[_ROW["nonfinite"]].index_fill_(0, self._columns_for(tuple(there)), 0)
        with self._without_autocast():
            for group in self._groups(there):
                matrix = self._matrix(group, self._gradient)
                if scale is not None:
                    matrix = as_float(matrix) / scale.to(matrix.device)
                self._store("grad_l2", group, _norms(matrix))
                self._count(group, matrix)

    def weights(self, slot: int) -> None:
        """Measure the weights, which completes the row."""
        groups = self._groups(range(len(self._layers)))
        with self._without_autocast():
            for place, group in enumerate(groups):
                now, before = self._matrix(group, self._weight), self._before[place]
                size = _norms(before)
                moved = _norms(as_float(now) - as_float(before))
                self._store("l2", group, _norms(now))
                self._store("update_ratio", group, torch.where(size > 0, moved / size, math.nan))
                self._count(group, now)
        self._before = []
        self._ring[slot].copy_(self._row, non_blocking=True)

    def marks(self) -> list[torch.cuda.Event]:
        """What comes once all rows that are complete by now can be read."""
        return marks_of(self._device)

    def nonfinite(self, slots: Sequence[int]) -> npt.NDArray[np.float32]:
        """That measure of some rows that have come: (rows, filters)."""
        found: npt.NDArray[np.float32]
        found = self._ring[:, _ROW["nonfinite"]].cpu().numpy()[list(slots)]
        return found

    def taken(self) -> Callable[[], npt.NDArray[np.float32]]:
        """The whole ring (rows, measures, filters), for the writer thread to call; another one begins."""
        ring, mark = self._ring, Mark(self.marks())
        self.renew()

        def come() -> npt.NDArray[np.float32]:
            mark.wait()
            found: npt.NDArray[np.float32] = ring.cpu().numpy()
            return found

        return come

    def _groups(self, layers: Sequence[int]) -> list[tuple[int, ...]]:
        """Those of these layers whose filters fit into one matrix, together."""
        found: dict[tuple[int, torch.dtype], list[int]] = {}
        for index in layers:
            layer = self._layers[index]
            found.setdefault((layer.layer.fan_in, layer.weight.dtype), []).append(index)
        return [tuple(group) for group in found.values()]

    def _without_autocast(self) -> Any:
        return torch.autocast(self._device.type, enabled=False)

    def _matrix(self, group: Sequence[int], what: Callable[[WeightedLayer], torch.Tensor]) -> torch.Tensor:
        return torch.cat([self._layers[i].rows_as_stored(what(self._layers[i])) for i in group])

    @staticmethod
    def _weight(layer: WeightedLayer) -> torch.Tensor:
        return layer.weight.detach()

    @staticmethod
    def _gradient(layer: WeightedLayer) -> torch.Tensor:
        assert layer.weight.grad is not None
        return dense(layer.weight.grad)

    def _columns_for(self, group: tuple[int, ...]) -> torch.Tensor:
        if group not in self._columns_of:
            self._columns_of[group] = torch.cat([self._columns[i] for i in group])
        return self._columns_of[group]

    def _store(self, measure: str, group: tuple[int, ...], values: torch.Tensor) -> None:
        self._row[_ROW[measure]].index_copy_(0, self._columns_for(group), values.float())

    def _count(self, group: tuple[int, ...], matrix: torch.Tensor) -> None:
        """Add how many values are not finite: those whose difference from themselves is not 0."""
        found = ((matrix - matrix) != 0).sum(1).float()
        self._row[_ROW["nonfinite"]].index_add_(0, self._columns_for(group), found)


class Mark:
    """A moment of the work that devices were given, which comes by itself."""

    def __init__(self, events: Sequence[torch.cuda.Event]) -> None:
        self._events = events

    def has_come(self) -> bool:
        """Is all of it done? Waits for nothing."""
        return all(event.query() for event in self._events)  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Wait until it is."""
        for event in self._events:
            event.synchronize()


def marks_of(device: torch.device) -> list[torch.cuda.Event]:
    """What comes once a device has done what is queued by now; none where reading waits by itself."""
    if device.type != "cuda":
        return []
    with torch.cuda.device(device):
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
    return [event]


def _norms(matrix: torch.Tensor) -> torch.Tensor:
    precise = torch.float32 if matrix.device.type == "mps" else torch.float64
    norms: torch.Tensor = torch.linalg.vector_norm(as_float(matrix), dim=1, dtype=precise)
    return norms
