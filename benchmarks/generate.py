"""Write a run of any size, as a recorder would have: seeded, and structured like a real one.

    python benchmarks/generate.py runs/paper            # the paper's scale: 750 dumps, 27,560 filters, 50,000 samples
    python benchmarks/generate.py runs/small --dumps 200 --classes 60 --small-network

1. Every class has an ability that grows with training, jumps up at the three drops of the learning rate, and at a few
   dumps of its own collapses or leaps. At four dumps of the run all classes suffer.
2. A sample is right while its class's ability, with slowly varying noise of its own, exceeds its hardness. A few
   samples of each class are never right. A wrong sample is mostly taken for one or two other classes.
3. Filters drift; how much they change follows the learning rate, and at dumps where a class jumps a few filters of its
   own change strongly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from deeptracker.schema import MEASURES, Branch, Layer, Network, Node, Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import Histograms, LogWriter
from deeptracker.store.samples import encode_picture, write_samples

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a run is."""

    dumps: int = 750
    classes: int = 1000
    samples_per_class: int = 50
    iterations_per_dump: int = 1600
    resnet50: bool = True
    pictures: bool = True


def resnet50_shapes() -> list[tuple[str, tuple[int, ...]]]:
    """Names and weight shapes of the 54 weighted layers of ResNet-50 (He et al. 2016): 27,560 filters."""
    shapes: list[tuple[str, tuple[int, ...]]] = [("conv1", (64, 3, 7, 7))]
    channels = 64
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            shapes += [
                (f"{name}.conv1", (width, channels, 1, 1)),
                (f"{name}.conv2", (width, width, 3, 3)),
                (f"{name}.conv3", (4 * width, width, 1, 1)),
            ]
            if block == 0:
                shapes.append((f"{name}.downsample.0", (4 * width, channels, 1, 1)))
            channels = 4 * width
    return [*shapes, ("fc", (1000, 2048))]


def small_shapes(classes: int) -> list[tuple[str, tuple[int, ...]]]:
    """A network for tests: 5 layers."""
    return [
        ("conv1", (8, 3, 3, 3)),
        ("layer1.0.conv1", (8, 8, 3, 3)),
        ("layer1.0.conv2", (8, 8, 3, 3)),
        ("layer1.1.conv1", (16, 8, 3, 3)),
        ("fc", (classes, 16)),
    ]


def network_of(shapes: list[tuple[str, tuple[int, ...]]]) -> Network:
    """Layers with their filter offsets, in a flat hierarchy."""
    layers: list[Layer] = []
    offset = 0
    for name, shape in shapes:
        kind = "conv2d" if len(shape) == 4 else "linear"
        layers.append(Layer(name, kind, shape, shape[0], int(np.prod(shape[1:])), offset))
        offset += shape[0]
    leaves = tuple(Node(layer.name, layer=i) for i, layer in enumerate(layers))
    return Network(tuple(layers), Node("", leaves), source="generated")


def write_run(place: str | Path, scale: Scale | None = None, *, seed: int = 0, finished: bool = True) -> None:
    """Write a whole run below `place`."""
    for _ in write_dumps(place, scale or Scale(), seed=seed, finished=finished):
        pass


def write_dumps(place: str | Path, scale: Scale, *, seed: int = 0, finished: bool = True) -> Iterator[int]:
    """Write a run dump by dump; yields each dump's number once it is on disk."""
    rng = np.random.default_rng(seed)
    blobs = Blobs(place)
    log = LogWriter(blobs)
    shapes = resnet50_shapes() if scale.resnet50 else small_shapes(scale.classes)
    network = network_of(shapes)
    names = tuple(f"class {c:03d}" for c in range(scale.classes))
    info = RunInfo(Path(str(place)).name, _now(), (Branch(0, _now()),), class_names=names, every="generated")
    log.write_info(info)
    log.write_network(network)
    _write_samples(blobs, scale, rng)
    images, filters = _Images(scale, rng), _Filters(network, scale, rng)
    parts = ("predictions", "layers", "filters")
    for dump in range(scale.dumps):
        iteration = dump * scale.iterations_per_dump
        predictions = images.step(dump)
        log.write_predictions(iteration, predictions, parts=parts)
        log.write_layers(iteration, filters.histograms(), parts=parts)
        log.write_filters(iteration, filters.step(dump, images.jumped), parts=parts)
        _write_scalars(log, dump, scale, float((predictions.predicted != images.labels).mean()), images.lr(dump), rng)
        yield dump
    if finished:
        log.write_info(RunInfo(info.name, info.created, info.branches, "finished", class_names=names, every=info.every))


class _Images:
    """What is predicted for every sample, dump after dump."""

    def __init__(self, scale: Scale, rng: np.random.Generator) -> None:
        n, classes, dumps = scale.classes * scale.samples_per_class, scale.classes, scale.dumps
        self._rng, self._dumps = rng, dumps
        self.labels = np.repeat(np.arange(classes, dtype=np.int32), scale.samples_per_class)
        self.jumped = np.zeros(0, np.int64)
        self._ease = rng.normal(0.2, 0.55, classes)
        self._speed = rng.uniform(0.04, 0.35, classes)
        self._hardness = rng.normal(0, 0.55, n) + np.where(rng.random(n) < 0.05, 5, 0)
        self._noise = rng.normal(0, 1, n)
        self._taken_for = (self.labels + rng.integers(1, max(2, classes), (2, n))) % classes
        self._stages = [int(dumps * share) for share in (0.4, 0.69, 0.87)]
        self._common = set(rng.choice(np.arange(2, max(6, int(dumps * 0.4))), 4, replace=False).tolist())
        self._jumps = self._plan_jumps(classes, dumps)

    def lr(self, dump: int) -> float:
        return 0.8 * 0.1 ** sum(dump > stage for stage in self._stages)

    def step(self, dump: int) -> Predictions:
        stage = sum(dump > at for at in self._stages)
        self._noise = 0.9 * self._noise + 0.44 * self._rng.normal(0, 1, len(self._noise))
        progress = 1 - np.exp(-dump / (self._speed * self._dumps))
        ability = self._ease + 1.4 * progress - 1.2 + 0.45 * stage * (stage > 0) - (0.8 if dump in self._common else 0)
        ability = ability + self._jumps[:, dump]
        before = self._jumps[:, dump - 1] if dump else 0
        self.jumped = np.flatnonzero(np.abs(self._jumps[:, dump] - before) > 0.5)
        margin = ability[self.labels] + (0.42, 0.2, 0.14, 0.1)[stage] * self._noise - self._hardness
        correct = margin > 0
        which = self._rng.random(len(margin)) < 0.25
        taken_for = np.where(which, self._taken_for[1], self._taken_for[0])
        predicted = np.where(correct, self.labels, taken_for).astype(np.int16)
        probability = 1 / (1 + np.exp(-3 * margin))
        loss = -np.log(np.maximum(probability, 1e-7))
        return Predictions(predicted, probability.astype(np.float16), loss.astype(np.float16))

    def _plan_jumps(self, classes: int, dumps: int) -> Floats:
        jumps = np.zeros((classes, dumps), np.float32)
        for c in range(classes):
            for _ in range(self._rng.poisson(2.5)):
                start = int(self._rng.integers(1, max(2, int(dumps * 0.75))))
                length = int(self._rng.integers(3, max(4, dumps // 12)))
                jumps[c, start : start + length] += self._rng.choice([-1.3, 0.9])
        return jumps


class _Filters:
    """The measures of every filter, dump after dump."""

    def __init__(self, network: Network, scale: Scale, rng: np.random.Generator) -> None:
        self._rng, self._network = rng, network
        self._stages = [int(scale.dumps * share) for share in (0.4, 0.69, 0.87)]
        fan_in = np.concatenate([np.full(layer.filters, layer.fan_in) for layer in network.layers])
        self._fan_in = fan_in.astype(np.float32)
        self._sd = np.sqrt(2 / self._fan_in) * rng.lognormal(0, 0.1, network.filters)
        self._mean = np.zeros(network.filters)
        self._activity = rng.lognormal(0, 0.5, network.filters)
        self._activity[rng.choice(network.filters, max(1, network.filters // 500), replace=False)] = 0
        self._of_class = rng.integers(0, network.filters, (scale.classes, 4))

    def step(self, dump: int, jumped: npt.NDArray[np.int64]) -> dict[str, Floats]:
        rng, count = self._rng, self._network.filters
        rate = 0.2 * 0.35 ** sum(dump > at for at in self._stages)
        change = rate * self._activity * rng.lognormal(0, 0.25, count)
        change[self._of_class[jumped]] *= 6
        self._mean += 0.02 * change * self._sd * rng.normal(-0.4, 1, count)
        l2 = np.sqrt(self._fan_in) * np.hypot(self._sd, self._mean)
        gradient = 0.01 * change / np.sqrt(self._fan_in)
        columns = {
            "sum": self._mean * self._fan_in, "mean": self._mean, "sd": self._sd,
            "min": self._mean - 3 * self._sd, "max": self._mean + 3 * self._sd,
            "l1": 0.8 * self._sd * self._fan_in, "l2": l2,
            "grad_mean": 0.1 * gradient * rng.normal(0, 1, count), "grad_sd": gradient,
            "grad_l2": gradient * np.sqrt(self._fan_in), "grad_max": 3 * gradient,
            "cosine": 1 - change**2 / 2, "change": change, "update_ratio": 0.01 * change, "nonfinite": np.zeros(count),
        }  # fmt: skip
        if dump == 0:
            for name in ("cosine", "change", "update_ratio"):
                columns[name] = np.full(count, np.nan)
        return {name: columns[name].astype(np.float32) for name in MEASURES}

    def histograms(self) -> Histograms:
        bins = [np.arange(3800, 4000, dtype=np.uint16)] * len(self._network.layers)
        counts = [self._rng.integers(0, 500, 200).astype(np.uint32) for _ in self._network.layers]
        return Histograms(bins, counts, bins, counts)


def _write_samples(blobs: Blobs, scale: Scale, rng: np.random.Generator) -> None:
    labels = np.repeat(np.arange(scale.classes), scale.samples_per_class)
    pictures = None
    if scale.pictures:
        # One hue a class and one pattern a sample, so that a picture shown for the wrong sample is seen.
        hues = rng.integers(60, 220, (scale.classes, 3))
        coarse = rng.integers(-40, 40, (len(labels), 4, 4, 1)) + hues[labels][:, None, None, :]
        pictures = [encode_picture(np.kron(one, np.ones((8, 8, 1))).clip(0, 255).astype(np.uint8)) for one in coarse]
    ids = [f"val_{i:06d}" for i in range(len(labels))]
    write_samples(blobs, ids, labels, classes=scale.classes, pictures=pictures)


def _write_scalars(log: LogWriter, dump: int, scale: Scale, error: float, lr: float, rng: np.random.Generator) -> None:
    step = max(1, scale.iterations_per_dump // 8)
    end = dump * scale.iterations_per_dump
    rows = np.arange(end - scale.iterations_per_dump + step, end + 1, step) if dump else np.zeros(1, np.int64)
    trained = np.clip(error - 0.04 * (dump / scale.dumps) + rng.normal(0, 0.01, len(rows)), 0, 1)
    validated = np.full(len(rows), np.nan)
    validated[-1] = error
    values = {"train_error": trained, "loss": 3 * trained, "lr": np.full(len(rows), lr), "validation_error": validated}
    log.write_scalars(rows.astype(np.int64), values)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def main() -> None:
    """Parse the command line, and write with a progress bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place", help="folder or object-store URL to write the run to")
    parser.add_argument("--dumps", type=int, default=750)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--samples-per-class", type=int, default=50)
    parser.add_argument("--small-network", action="store_true", help="5 layers instead of ResNet-50's 54")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if (Path(chosen.place) / "run.json").exists():
        sys.exit(f"{chosen.place} has a run already. Remove it, or give another folder.")
    scale = Scale(chosen.dumps, chosen.classes, chosen.samples_per_class, resnet50=not chosen.small_network)
    for _ in track(write_dumps(chosen.place, scale, seed=chosen.seed), total=scale.dumps, description="writing"):
        pass


if __name__ == "__main__":
    main()
