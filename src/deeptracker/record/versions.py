"""Where is a training recorded whose layers are others than those of its run?

A run has one network: filters are rows of every dump, by number. So a network with other layers, added or removed in
mid-training, is a run of its own beside it, `RUN.network2` and so on, which begins where the change was noticed.
Training that is resumed goes on in the one that has its layers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from deeptracker.schema import Layer
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

DISTRIBUTED_LAYERS_CHANGED = (
    "the layers of a distributed training must stay the same. They have changed, so weights are recorded no more. "
    "Close the recorder, and make one for another run on all processes"
)

_SUFFIX = re.compile(r"\.network\d+$")


def version_with(run: str | os.PathLike[str], layers: Sequence[Layer]) -> Blobs | None:
    """The run at this place, or the first version of it that has these layers; None if none has."""
    for blobs in (Blobs(run), *_there(run)):
        if not blobs.exists("run.json"):
            return None
        network = LogReader(blobs).network
        if network is None or same_layers(network.layers, layers):
            return blobs
    return None


def next_version(run: str | os.PathLike[str], layers: Sequence[Layer]) -> Blobs:
    """Where a training of this run goes on once it has these layers: a version that is there, or a new one."""
    for blobs in _versions(run):
        if not blobs.exists("run.json") or same_layers(getattr(LogReader(blobs).network, "layers", ()), layers):
            return blobs
    raise AssertionError("there is always a version more")


def same_layers(some: Sequence[Layer], others: Sequence[Layer]) -> bool:
    """Have they the same names, kinds and shapes, in whatever order?"""
    return _by_name(some) == _by_name(others)


def went_on_in(place: str, iteration: int) -> str:
    """What `run.json` says of a run that has ended because the layers changed."""
    return f"the layers changed at iteration {iteration}: recorded on in {place}"


def copy_samples(source: Blobs, target: Blobs) -> None:
    """The samples of a run are those of its next version, labels last: where they are, the pictures are complete."""
    for path in sorted((blob.path for blob in source.list("samples/")), reverse=True):
        target.put(path, source.get(path))


def _by_name(layers: Sequence[Layer]) -> dict[str, tuple[object, ...]]:
    return {layer.name: (layer.kind, layer.shape, layer.filters, layer.fan_in) for layer in layers}


def _there(run: str | os.PathLike[str]) -> Iterator[Blobs]:
    return takewhile(lambda blobs: blobs.exists("run.json"), _versions(run))


def _versions(run: str | os.PathLike[str]) -> Iterator[Blobs]:
    base = _SUFFIX.sub("", Blobs(run).place)
    yield Blobs(base)
    number = 2
    while True:
        yield Blobs(f"{base}.network{number}")
        number += 1
