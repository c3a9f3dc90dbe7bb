"""Write a run of any size, as a recorder would have: seeded, and structured like a real one.

    python benchmarks/generate.py runs/paper            # the paper's scale: 750 dumps, 27,560 filters, 50,000 samples
    python benchmarks/generate.py runs/small --dumps 200 --classes 60 --small-network
    python benchmarks/generate.py runs/long --dumps 7500                  # ten times the paper's: 20 GB
    python benchmarks/generate.py runs/wide --filters-times 10            # 16 GB
    python benchmarks/generate.py runs/paper --flights 200                # single iterations before some dumps, too
    python benchmarks/generate.py runs/many --samples-per-class 500       # 4.4 GB, and 0.3 GB of pictures

1. Every class has an ability that grows with training, jumps up at the three drops of the learning rate, and at a few
   dumps of its own collapses or leaps. At four dumps of the run all classes suffer.
2. A sample is right while its class's ability, with slowly varying noise of its own, exceeds its hardness. A few
   samples of each class are never right. A wrong sample is mostly taken for one or two other classes.
3. Filters drift; how much they change follows the learning rate, and at dumps where a class jumps a few filters of its
   own change strongly (generated_filters.py). The network is ResNet-50 or a small one (generated_network.py).
4. Always planted, and told by `Scale.planted`: two filters of the first layer never change; three of a layer in the
   middle change ten times as much as their neighbours in the last third of the run; the gradients of one layer vanish.
5. `--filters-times N` widens every layer but the last, which has a filter a class, N times; the kernels of the first
   are left out where the recorder would leave them out. One dump is in memory at a time, and the plan of all jumps.
6. `--flights N` keeps N iterations before each of the four dumps at which all classes suffer (generated_flights.py).
7. What is not asked about can be left out: `--small-network` (9 layers, 88 filters and one a class: 0.4 MB a dump with
   50,000 samples, so 3 GB for 7,500 dumps), fewer classes or samples of each, `--no-pictures`. benchmarks/growth.py
   does so.
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

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a command, only this folder is there to import from

from benchmarks.generated_filters import Filters  # noqa: E402
from benchmarks.generated_flights import Flights  # noqa: E402
from benchmarks.generated_network import RESNET50, SMALL, Architecture, Planted  # noqa: E402
from deeptracker.schema import Branch, Network, Predictions, RunInfo  # noqa: E402
from deeptracker.store.blobs import Blobs  # noqa: E402
from deeptracker.store.listing import KINDS  # noqa: E402
from deeptracker.store.log import LogWriter  # noqa: E402
from deeptracker.store.samples import encode_picture, write_samples  # noqa: E402

Floats = npt.NDArray[np.float32]

MOST_KERNEL_WEIGHTS = 1 << 16
"""A recorder writes the kernels of a first convolution of no more weights (record/kernels.py, which needs torch)."""


class UnsyncedBlobs(Blobs):
    """A place whose files are written without waiting for the disk: what a power loss takes is generated again."""

    def put(self, path: str, data: bytes) -> None:
        """Write a file; in an object store as always."""
        if self.local is None:
            super().put(path, data)
            return
        (self.local / path).parent.mkdir(parents=True, exist_ok=True)
        temporary = (self.local / path).with_name(f".{Path(path).name}.tmp")  # never listed, should a reader follow
        temporary.write_bytes(data)
        temporary.replace(self.local / path)


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a run is."""

    dumps: int = 750
    classes: int = 1000
    samples_per_class: int = 50
    iterations_per_dump: int = 1600
    resnet50: bool = True
    pictures: bool = True
    filters_times: int = 1
    flights: int = 0

    def __post_init__(self) -> None:
        sizes = (self.dumps, self.classes, self.samples_per_class, self.iterations_per_dump, self.filters_times)
        if min(sizes) < 1 or self.flights < 0:
            raise ValueError(f"all sizes of a run must be >= 1, flights >= 0. Got {self}.")

    @property
    def architecture(self) -> Architecture:
        """The network of the run."""
        return (RESNET50 if self.resnet50 else SMALL).widened(self.filters_times)

    @property
    def planted(self) -> Planted:
        """Filters that misbehave, for tests to find."""
        return self.architecture.planted

    @property
    def stages(self) -> npt.NDArray[np.int64]:
        """int64 (dumps,): how often the learning rate has dropped before each dump."""
        drops = [int(self.dumps * share) for share in (0.4, 0.69, 0.87)]
        return np.searchsorted(drops, np.arange(self.dumps), side="left")


def write_run(place: str | Path, scale: Scale | None = None, *, seed: int = 0, finished: bool = True) -> None:
    """Write a whole run below `place`."""
    for _ in write_dumps(place, scale or Scale(), seed=seed, finished=finished):
        pass


def write_dumps(
    place: str | Path, scale: Scale, *, seed: int = 0, finished: bool = True, synced: bool = False
) -> Iterator[int]:
    """Write a run dump by dump; yields each dump's number once it is written, and `synced` to the disk."""
    # Streams of their own: what is drawn for one does not change the others.
    streams = (np.random.default_rng(key) for key in (seed, [seed, 1], [seed, 2], [seed, 3]))
    rng, of_filters, of_scalars, of_flights = streams
    blobs = Blobs(place) if synced else UnsyncedBlobs(place)
    log = LogWriter(blobs)
    network = scale.architecture.network(1000 if scale.resnet50 else scale.classes)
    parts = kinds_of(network)
    names = tuple(f"class {c:03d}" for c in range(scale.classes))
    info = RunInfo(Path(str(place)).name, _now(), (Branch(0, _now()),), class_names=names, every="generated")
    log.write_info(info)
    log.write_network(network)
    _write_samples(blobs, scale, rng)
    images = _Images(scale, rng)
    filters = Filters(network, scale.planted, stages=scale.stages, classes=scale.classes, rng=of_filters)
    flights = Flights(network, scale.flights, rng=of_flights)
    l2_before: Floats | None = None
    for dump in range(scale.dumps):
        iteration = dump * scale.iterations_per_dump
        predictions = images.step(dump)
        found = filters.step(dump, images.jumped)
        log.write_predictions(iteration, predictions, parts=parts)
        log.write_layers(iteration, found.histograms, parts=parts)
        if "kernels" in parts:
            log.write_kernels(iteration, found.kernels, parts=parts)
        log.write_filters(iteration, found.measures, parts=parts)
        if scale.flights and l2_before is not None and dump in images.common:
            worst = [(int(c), names[c]) for c in images.jumped[:3]]
            log.write_flight(flights.before(iteration, found.measures, l2_before, worst))
        l2_before = found.measures["l2"]
        error = float((predictions.predicted != images.labels).mean())
        _write_scalars(log, dump, scale, error, images.lr(dump), of_scalars)
        yield dump
    if finished:
        log.write_info(RunInfo(info.name, info.created, info.branches, "finished", class_names=names, every=info.every))


def kinds_of(network: Network) -> tuple[str, ...]:
    """The kinds of files that each dump has."""
    first = network.layers[0]
    has_kernels = first.filters * first.fan_in <= MOST_KERNEL_WEIGHTS
    return tuple(kind for kind in KINDS if kind != "kernels" or has_kernels)


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
        self._stages = scale.stages
        self.common = set(rng.choice(np.arange(2, max(6, int(dumps * 0.4))), 4, replace=False).tolist())
        self._jumps = self._plan_jumps(classes, dumps)

    def lr(self, dump: int) -> float:
        return 0.8 * 0.1 ** float(self._stages[dump])

    def step(self, dump: int) -> Predictions:
        stage = int(self._stages[dump])
        self._noise = 0.9 * self._noise + 0.44 * self._rng.normal(0, 1, len(self._noise))
        progress = 1 - np.exp(-dump / (self._speed * self._dumps))
        ability = self._ease + 1.4 * progress - 1.2 + 0.45 * stage * (stage > 0) - (0.8 if dump in self.common else 0)
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
    parser.add_argument("--filters-times", type=int, default=1, help="so many times the filters in each layer")
    parser.add_argument("--small-network", action="store_true", help="9 layers instead of ResNet-50's 54")
    parser.add_argument("--no-pictures", action="store_true", help="samples without pictures")
    parser.add_argument("--flights", type=int, default=0, help="iterations to keep before four of the dumps")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if (Path(chosen.place) / "run.json").exists():
        sys.exit(f"{chosen.place} has a run already. Remove it, or give another folder.")
    scale = Scale(
        chosen.dumps,
        chosen.classes,
        chosen.samples_per_class,
        resnet50=not chosen.small_network,
        pictures=not chosen.no_pictures,
        filters_times=chosen.filters_times,
        flights=chosen.flights,
    )
    for _ in track(write_dumps(chosen.place, scale, seed=chosen.seed), total=scale.dumps, description="writing"):
        pass


if __name__ == "__main__":
    main()
