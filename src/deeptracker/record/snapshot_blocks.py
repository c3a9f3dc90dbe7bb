"""What are the dumps of some snapshots after each other, and how are they measured in little memory?

1. All that follows from weights alone is measured by what the recorder measures with, so it is the same bytes. What
   needs gradients or a step is NaN. `change` and its kin compare with the snapshot before.
2. Layers are taken in groups of so many bytes, or one by one where they are larger. A group goes through all snapshots
   of the block before the next one begins: weights of one group of two snapshots are in memory, however large snapshots
   are, and however many.
3. A block is told everything by its value, and knows the snapshot before its first: who measures it does not matter.
4. With a network all of a snapshot is in memory, as it is looked at whole (`snapshot_models.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import nn

from deeptracker.record.dump import Dump, Measured
from deeptracker.record.kernels import FirstConvolution
from deeptracker.record.measures import Measurer
from deeptracker.record.network import WeightedLayer
from deeptracker.record.snapshot_models import ModelSpec, looked_at
from deeptracker.record.snapshots import Snapshot
from deeptracker.record.weights import SnapshotError, open_weights
from deeptracker.schema import MEASURES, Kernels, Layer, Network
from deeptracker.store.histograms import Histograms

GROUP_BYTES = 64 << 20
"""Weights of layers that are measured together, as float32."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some snapshots after each other, and the one `before` that the first is compared with, None if there is none.

    `model` is what is known of the network beyond the names in files; `allow` the classes that files may hold.
    """

    network: Network
    before: Snapshot | None
    snapshots: tuple[Snapshot, ...]
    model: ModelSpec | None = None
    labels_crc32: int = 0
    allow: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Those of the network."""
        return self.network.layers

    @property
    def all(self) -> tuple[Snapshot, ...]:
        """The one before first."""
        return self.snapshots if self.before is None else (self.before, *self.snapshots)


def measure_block(block: Block) -> list[Dump]:
    """The dumps of all snapshots of a block, that of the one before first; SnapshotError if one cannot be read now."""
    if block.model is not None:
        with one_thread():
            return looked_at(block.model, block.network, block.before, block.snapshots, block.labels_crc32, block.allow)
    layers = without_weights(block.layers)
    convolution = FirstConvolution.of(layers)
    filters = sum(layer.filters for layer in block.layers)
    # One array for all, so that what is kept does not lie scattered among what is freed.
    measures = np.empty((len(block.all), len(MEASURES), filters), np.float32)
    histograms: list[list[Histograms]] = [[] for _ in block.all]
    kernels: list[Kernels | None] = [None for _ in block.all]
    with one_thread():
        for group in _groups(layers):
            measurer = Measurer(group)
            rows = slice(group[0].layer.offset, group[-1].layer.rows.stop)
            for place, snapshot in enumerate(block.all):
                with _loaded(group, snapshot, block.allow):
                    measured = measurer.weights()
                    if convolution is not None and any(layer is convolution.layer for layer in group):
                        kernels[place] = convolution.kernels()
                for row, name in enumerate(MEASURES):
                    measures[place, row, rows] = measured.measures[name]
                histograms[place].append(measured.histograms)
    return [
        Dump(
            snapshot.iteration,
            Measured(dict(zip(MEASURES, measures[place], strict=True)), _together(histograms[place])),
            kernels[place],
        )
        for place, snapshot in enumerate(block.all)
    ]


def without_weights(layers: Sequence[Layer]) -> list[WeightedLayer]:
    """Layers whose weights are not in memory."""
    return [WeightedLayer(layer, nn.Parameter(torch.empty(0), requires_grad=False)) for layer in layers]


def _groups(layers: Sequence[WeightedLayer]) -> Iterator[list[WeightedLayer]]:
    """Layers after each other whose weights are GROUP_BYTES together at most, or one that is larger."""
    group: list[WeightedLayer] = []
    size_bytes = 0
    for one in layers:
        more = 4 * one.layer.filters * one.layer.fan_in
        if group and size_bytes + more > GROUP_BYTES:
            yield group
            group, size_bytes = [], 0
        group.append(one)
        size_bytes += more
    yield group


@contextmanager
def _loaded(layers: Sequence[WeightedLayer], snapshot: Snapshot, allow: Sequence[str]) -> Iterator[None]:
    """Meanwhile the layers have the weights of a snapshot: mapped, as far as they are looked at."""
    with open_weights(snapshot.path, allow=allow) as file:
        for one in layers:
            there = file.layers.get(one.layer.name)
            if there is None or there.shape != one.layer.shape:
                raise SnapshotError(
                    f"{snapshot.path} must stay as it is while it is imported. It has become another. Import again."
                )
            one.weight.data = file.tensor(one.layer.name)
        try:
            yield
        finally:
            for one in layers:
                one.weight.data = torch.empty(0)  # what is mapped counts as memory until nobody has it


def _together(groups: Sequence[Histograms]) -> Histograms:
    """The histograms of all layers, from those of groups."""
    of_all = {kind.name: [row for group in groups for row in getattr(group, kind.name)] for kind in fields(Histograms)}
    return Histograms(**of_all)


@contextmanager
def one_thread() -> Iterator[None]:
    """Meanwhile torch uses one: with more, long sums are rounded otherwise, and processes get in each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
