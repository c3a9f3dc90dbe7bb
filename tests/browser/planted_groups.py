"""A run to explore: groups of filters that move exactly when their classes jump, among classes that jump by themselves.

1. A group's filters lie still, but at five dumps of its own they move far, and most samples of its classes flip for
   good. The gong has a group to itself; classes with sky in them share one, those in a bush another.
2. Every class jumps once or twice by itself, and all other filters move more or less at every dump: with TOP anomaly
   filters a dump, chance divides these into many mini-sets that mean nothing.
3. Pictures show what classes of a group have in common: a disc, sky, leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.generate import UnsyncedBlobs
from benchmarks.generated_filters import Filters
from benchmarks.generated_network import Architecture, Planted
from deeptracker.schema import Branch, Predictions, RunInfo
from deeptracker.store.log import LogWriter
from deeptracker.store.samples import encode_picture, write_samples

DUMPS, EVERY, SAMPLES, TOP = 160, 200, 24, 12
WORDS = "gong kite seashore pier airliner quail hay bison desk fig hammer iron jeep lynx mosque tabby"
NAMES = tuple(WORDS.split())
ARCHITECTURE = Architecture(
    (16, 3, 3, 3), ((16, 2), (32, 2), (64, 1)), False, Planted("layer2.1.conv1", (1, 4), "layer1.0.conv2", (2, 5))
)
LOUDEST = len(NAMES) - 1
"""More samples of this class flip when it jumps than of any other."""

QUIET, FAR = 1e-3, 1.4
"""Relative changes: of a group's filters usually, and when they move."""


@dataclass(frozen=True, slots=True)
class Group:
    """Classes that jump, and filters of one layer that move, at the same dumps."""

    classes: tuple[int, ...]
    layer: str
    filters: tuple[int, ...]
    dumps: tuple[int, ...]
    look: str


GROUPS = (
    Group((0,), "layer3.0.conv2", (7, 21), (30, 58, 84, 110, 133), "disc"),
    Group((1, 2, 3, 4), "conv1", (3, 9, 11), (24, 51, 77, 101, 126), "sky"),
    Group((5, 6, 7), "layer2.0.conv1", (12, 30), (38, 64, 92, 118, 140), "leaves"),
)


def write_planted(place: Path, *, seed: int = 0) -> None:
    """Write the run below `place`."""
    for _ in planted_dumps(place, seed=seed):
        pass


def planted_dumps(place: Path, *, seed: int = 0) -> Iterator[int]:
    """Write the run dump by dump; yields each dump's number once it is written. At the end training has finished."""
    rng = np.random.default_rng(seed)
    blobs = UnsyncedBlobs(place)
    log = LogWriter(blobs)
    network = ARCHITECTURE.network(len(NAMES))
    kinds = ("predictions", "layers", "filters")
    info = RunInfo(place.name, "2026-01-01T00:00:00Z", (Branch(0, "2026-01-01T00:00:00Z"),), class_names=NAMES)
    log.write_info(info)
    log.write_network(network)
    labels = np.repeat(np.arange(len(NAMES), dtype=np.int32), SAMPLES)
    write_samples(
        blobs,
        [f"{NAMES[cls]}_{i:02d}" for cls in range(len(NAMES)) for i in range(SAMPLES)],
        labels,
        classes=len(NAMES),
        pictures=[encode_picture(picture(cls, rng)) for cls in labels],
    )
    correct = outcomes(rng)
    filters = Filters(
        network,
        ARCHITECTURE.planted,
        stages=np.zeros(DUMPS, np.int64),
        classes=len(NAMES),
        rng=np.random.default_rng([seed, 1]),
    )
    for dump in range(DUMPS):
        iteration = dump * EVERY
        predicted = np.where(correct[:, dump], labels, (labels + 1) % len(NAMES)).astype(np.int16)
        probability = np.where(correct[:, dump], 0.8, 0.1).astype(np.float16)
        log.write_predictions(iteration, Predictions(predicted, probability), parts=kinds)
        found = filters.step(dump, np.zeros(0, np.int64))
        log.write_layers(iteration, found.histograms, parts=kinds)
        for group in GROUPS:
            rows = network.layer(group.layer).offset + np.array(group.filters)
            for measure in ("change", "change_l1", "euclidean"):
                found.measures[measure][rows] = FAR if dump in group.dumps else QUIET
        log.write_filters(iteration, found.measures, parts=kinds)
        error = np.array([1 - correct[:, dump].mean()])
        scalars = {"train_error": error * 0.9, "validation_error": error, "lr": np.array([0.1])}
        log.write_scalars(np.array([iteration]), scalars)
        yield dump
    log.write_info(RunInfo(info.name, info.created, info.branches, "finished", class_names=NAMES))


def outcomes(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """bool (samples, dumps): correct or not. Jumps are far enough apart for windows of 10 dumps."""
    correct = np.arange(DUMPS) >= rng.integers(3, 14, (len(NAMES) * SAMPLES, 1))
    for cls in range(len(NAMES)):
        together = {dump for group in GROUPS if cls in group.classes for dump in group.dumps}
        free = [d for d in range(26, DUMPS - 12) if min((abs(d - t) for t in together), default=99) > 11]
        own = {int(rng.choice(free))} if free else set()
        if not together:
            own |= {int(d) for d in rng.choice(np.arange(26, DUMPS - 12, 12), 2, replace=False)}
        for dump in sorted(together | own):
            rows = cls * SAMPLES + rng.choice(SAMPLES, SAMPLES - (1 if cls == LOUDEST else 5), replace=False)
            correct[rows, dump:] ^= True
    return correct


def picture(cls: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """uint8 (32, 32, 3)."""
    y, x = np.mgrid[0:32, 0:32]
    hue = np.random.default_rng(cls).integers(70, 190, 3)
    values = np.kron(rng.integers(-25, 25, (8, 8, 1)), np.ones((4, 4, 1))) + hue
    look = next((group.look for group in GROUPS if cls in group.classes), "")
    if look == "disc":
        values[(x - 16) ** 2 + (y - 16) ** 2 < 120] = (206, 168, 70)
    elif look == "sky":
        values[y < 19] = (112, 168, 224)
    elif look == "leaves":
        values[rng.random((32, 32)) < 0.55] = (58, 110, 44)
    return values.clip(0, 255).astype(np.uint8)
