"""How do TensorBoard's event files answer? A tensor a layer and measure, and the predictions, at every dump.

1. Events are written as a user writes them, by torch's `SummaryWriter`, and read as TensorBoard's own reader reads
   them: all of them, once, before the first answer. They stay in memory.
2. A scalar a filter and measure, the other way to use it, is timed on a small sample only (`scalars_per_second`).
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from benchmarks.rivals import Array, Fixed, Rival, dumps_of

SCALAR_FILTERS, SCALAR_DUMPS = 500, 20


class TensorBoard(Rival):
    """Opening reads all events."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._events = _loaded(folder / "events")

    @staticmethod
    def write(place: Path, folder: Path) -> None:
        import torch
        from torch.utils.tensorboard import SummaryWriter

        fixed = Fixed.read(folder)
        with SummaryWriter(str(folder / "events")) as writer:
            for number, measures, predicted in dumps_of(place):
                for layer in fixed.layers:
                    for name, values in measures.items():
                        own = torch.from_numpy(values[fixed.filters(layer)].copy())
                        writer.add_tensor(f"{layer}/{name}", own, number)
                writer.add_tensor("predicted", torch.from_numpy(predicted.copy()), number)

    def measure(self, name: str, layer: str) -> Array:
        return np.stack(self._tensors(f"{layer}/{name}"))

    def at(self, name: str, dump: int) -> Array:
        found = [self._events.Tensors(f"{layer}/{name}")[dump].tensor_proto for layer in self.fixed.layers]
        return np.concatenate([make_ndarray(proto) for proto in found])

    def predicted(self, samples: slice) -> Array:
        return np.stack([tensor[samples] for tensor in self._tensors("predicted")], axis=1)

    def _tensors(self, tag: str) -> list[Array]:
        return [make_ndarray(event.tensor_proto) for event in self._events.Tensors(tag)]


def scalars_per_second(folder: Path) -> float:
    """How many events of one scalar each are loaded in a second, from so many filters and dumps."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for dump in range(SCALAR_DUMPS):
            for filter_ in range(SCALAR_FILTERS):
                writer.add_scalar(f"layer/{filter_}/change", filter_ / (dump + 1), dump)
    start = time.perf_counter()
    _loaded(folder)
    return SCALAR_FILTERS * SCALAR_DUMPS / (time.perf_counter() - start)


def _loaded(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={TENSORS: 0})
    events.Reload()
    return events
