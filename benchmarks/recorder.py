"""What does recording cost: one dump against reading the memory once, and against TensorBoard and .npz?

1. Weights in the shapes of ResNet-50 (27,560 filters), random. One dump is measured and handed to the writer thread.
   The limit is to read weights, gradients and the previous dump's weights once from memory; a dump may take 2.5 times
   as long. Beside it torch's own operations measure the same, as they do where numba is missing. All are timed in turn.
2. One dump of the paper's scale (measures of all filters, histograms of all layers, predictions of 50,000 samples) is
   written and synced to disk, by the log, as an .npz, and through TensorBoard's writer.
3. A small network is trained while two blocks (128 dumps) of the index of a run of the paper's scale are built: by the
   process that the recorder starts, and, for comparison, by a thread. What each block costs is the time by which steps
   are slower than those right before and after, added up (decision 0013).

All figures are medians of the same run.   python benchmarks/recorder.py
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.generate import Scale, write_run  # noqa: E402
from deeptracker.index_process import IndexProcess  # noqa: E402
from deeptracker.indexing import build_index  # noqa: E402
from deeptracker.record import measures  # noqa: E402
from deeptracker.record.measures import Measured, Measurer  # noqa: E402
from deeptracker.record.network import WeightedLayer, weighted_layers  # noqa: E402
from deeptracker.record.recorder import Recorder  # noqa: E402
from deeptracker.schema import MEASURES, Kernels, Predictions  # noqa: E402
from deeptracker.store.blobs import Blobs  # noqa: E402
from deeptracker.store.log import LogWriter  # noqa: E402

SAMPLES = 50_000
REPEATS = 7
TURNS = 15
BAR = 2.5
PARTS = ("copying the weights before the step", "gradients", "weights, and what is made of all")
ROUNDS = 3
BLOCKS = 2
STEPS = 300
SCALARS_TRIED = 2_000


def resnet50_shapes() -> list[tuple[int, ...]]:
    """conv1, 16 bottlenecks of which 4 have a downsample convolution, and fc: 54 layers."""
    shapes: list[tuple[int, ...]] = [(64, 3, 7, 7)]
    channels = 64
    for width, bottlenecks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for bottleneck in range(bottlenecks):
            shapes += [(width, channels, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            if bottleneck == 0:
                shapes.append((4 * width, channels, 1, 1))
            channels = 4 * width
    return [*shapes, (1000, 2048)]


class Weights(nn.Module):
    """A module that owns a weight of the given shape and computes nothing."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(shape))


def seconds(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median of `repeats` runs after one to warm up."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(Weights(shape) for shape in resnet50_shapes()))
    layers = weighted_layers(model)
    for parameter in model.parameters():
        parameter.grad = 1e-3 * torch.randn_like(parameter)
    filters = sum(layer.layer.filters for layer in layers)
    weights = sum(layer.weight.numel() for layer in layers)
    print(f"ResNet-50's shapes: {len(layers)} layers, {filters:,} filters, {weights / 1e6:.1f} M weights")
    print(f"{torch.get_num_threads()} threads, float32, {processor()}\n")
    measured = time_of_a_dump(model, layers)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        time_to_log(Path(folder), layers, measured)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        time_beside_the_index(Path(folder) / "run")


def processor() -> str:
    """What /proc/cpuinfo calls it, and how many there are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else platform.processor()}"


def time_of_a_dump(model: nn.Module, layers: tuple[WeightedLayer, ...]) -> Measured:
    """Print what a dump costs the training; returns the measures of one."""
    previous = [layer.weight.detach().clone() for layer in layers]

    def read_once() -> None:
        for layer, before in zip(layers, previous, strict=True):
            for tensor in (layer.weight.detach(), layer.weight.grad, before):
                assert tensor is not None
                tensor.sum()

    by_pass, by_torch = Measurer(layers), measurer_of_torch(layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    taken = in_turn(
        {
            "step": lambda: [seconds_of(optimizer.step)],
            "read": lambda: [seconds_of(read_once)],
            "pass": lambda: seconds_of_a_dump(by_pass),
            "torch": lambda: seconds_of_a_dump(by_torch),
        }
    )
    (bare,), (limit,) = taken["step"], taken["read"]
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(f"{folder}/run", model, optimizer, every=1)

        def step_recorded() -> None:
            optimizer.step()
            recorder._writer.flush()  # so that the disk's time is not met by the next step

        start_waiting = recorder.overhead["measure_seconds"]
        whole = seconds(step_recorded) - bare
        handing = (recorder.overhead["measure_seconds"] - start_waiting) / (REPEATS + 1)
        recorder.close()
    row("read weights, gradients, previous weights once", limit)
    row(f"one dump: all measures and histograms (bar: {BAR} x)", sum(taken["pass"]), limit, "of reading once")
    for what, one in zip(PARTS, taken["pass"], strict=True):
        row(f"  {what}", one, limit, "of reading once")
    row("the same by torch's operations", sum(taken["torch"]), limit, "of reading once")
    for what, one in zip(PARTS, taken["torch"], strict=True):
        row(f"  {what}", one, limit, "of reading once")
    row("in training, as the step hooks measure it", handing, limit, "of reading once")
    row("  and until it is on disk (log synced)", whole, limit, "of reading once")
    print()
    by_pass.before_step()
    by_pass.gradients()
    return by_pass.after_step()


def measurer_of_torch(layers: tuple[WeightedLayer, ...]) -> Measurer:
    """What measures on a host without numba."""
    has_compiler, measures.HAS_COMPILER = measures.HAS_COMPILER, False
    try:
        return Measurer(layers)
    finally:
        measures.HAS_COMPILER = has_compiler


def seconds_of_a_dump(measurer: Measurer) -> list[float]:
    """What each of the PARTS takes."""
    return [seconds_of(part) for part in (measurer.before_step, measurer.gradients, measurer.after_step)]


def seconds_of(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(works: dict[str, Callable[[], list[float]]]) -> dict[str, list[float]]:
    """Medians of what each takes; they come one after the other, so that all meet the same disturbances."""
    for work in works.values():
        for _ in range(2):
            work()
    taken: dict[str, list[list[float]]] = {name: [] for name in works}
    for _ in range(TURNS):
        for name, work in works.items():
            taken[name].append(work())
    return {name: [statistics.median(part) for part in zip(*times, strict=True)] for name, times in taken.items()}


def time_to_log(folder: Path, layers: tuple[WeightedLayer, ...], measured: Measured) -> None:
    """Print what writing one dump of the paper's scale takes here and elsewhere."""
    rng = np.random.default_rng(0)
    predictions = Predictions(
        rng.integers(0, 1000, SAMPLES).astype(np.int16),
        rng.random(SAMPLES).astype(np.float16),
        rng.exponential(size=SAMPLES).astype(np.float16),
    )
    kernels = Kernels(0, rng.normal(size=(64, 3, 7, 7)).astype(np.float32))
    log, iteration = LogWriter(Blobs(folder / "run")), iter(range(10**9))

    def ours() -> None:
        at, parts = next(iteration), ("predictions", "layers", "kernels", "filters")
        log.write_predictions(at, predictions, parts=parts)
        log.write_layers(at, measured.histograms, parts=parts)
        log.write_kernels(at, kernels, parts=parts)
        log.write_filters(at, measured.measures, parts=parts)

    def npz() -> None:
        with open(folder / f"{next(iteration)}.npz", "wb") as file:
            flat = {
                f"{name}{i}": row
                for name in ("weight_bins", "weight_counts", "grad_bins", "grad_counts")
                for i, row in enumerate(getattr(measured.histograms, name))
            }
            np.savez(file, **measured.measures, **flat, p=predictions.predicted, q=predictions.probability)
            file.flush()
            os.fsync(file.fileno())

    here = seconds(ours)
    size = sum(blob.size_bytes for blob in Blobs(folder / "run").list("log/")) / (REPEATS + 1)
    print(f"one dump of the paper's scale on disk: {size / 1e6:.2f} MB, four files")
    row("log: write and sync", here)
    row("np.savez: write and sync", seconds(npz), here, "of the log")
    time_tensorboard(folder / "tensorboard", layers, measured, predictions, here)


def time_tensorboard(
    folder: Path,
    layers: tuple[WeightedLayer, ...],
    measured: Measured,
    predictions: Predictions,
    here: float,
) -> None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("TensorBoard is not installed: pip install tensorboard")
        return
    writer = SummaryWriter(str(folder))
    iteration = iter(range(10**9))

    def tensors() -> None:
        at = next(iteration)
        for layer in layers:
            for name in MEASURES:
                values = torch.from_numpy(measured.measures[name][layer.layer.rows])
                writer.add_tensor(f"{layer.layer.name}/{name}", values, at)
        writer.add_tensor("predicted", torch.from_numpy(predictions.predicted), at)
        writer.add_tensor("probability", torch.from_numpy(predictions.probability), at)
        writer.flush()

    def scalars() -> None:
        at = next(iteration)
        for index in range(SCALARS_TRIED):
            writer.add_scalar(f"filter{index}/change", float(measured.measures["change"][index]), at)
        writer.flush()

    row("TensorBoard add_tensor, a layer x measure", seconds(tensors), here, "of the log")
    whole = seconds(scalars, 3) * len(MEASURES) * len(measured.measures["change"]) / SCALARS_TRIED
    row(f"TensorBoard add_scalar, a filter x measure (from {SCALARS_TRIED:,})", whole, here, "of the log")
    writer.close()


def time_beside_the_index(place: Path) -> None:
    """Print what building the index beside it costs a training."""
    write_run(place, Scale(dumps=64 * BLOCKS, pictures=False))

    def by_process() -> None:
        with IndexProcess() as process:
            process.build(str(place))

    builders: dict[str, Callable[[], object]] = {"process": by_process, "thread": lambda: build_index(place)}
    step = small_training()
    alone, lost, took = [], dict[str, list[float]](), dict[str, list[float]]()
    for _ in range(ROUNDS):
        for name, build in builders.items():
            shutil.rmtree(place / "index", ignore_errors=True)
            around = [step() for _ in range(STEPS)]
            thread = threading.Thread(target=build)
            began = time.perf_counter()
            thread.start()
            beside = []
            while thread.is_alive():
                beside.append(step())
            seconds_of_building = time.perf_counter() - began
            around += [step() for _ in range(STEPS)]
            alone.append(statistics.mean(around))
            lost.setdefault(name, []).append((sum(beside) - len(beside) * alone[-1]) / BLOCKS)
            took.setdefault(name, []).append(seconds_of_building / BLOCKS)
    print("\na block of the index (64 dumps) of the paper's scale, built while a small network is trained")
    row("a step of the training, nothing built", statistics.median(alone))
    for name in builders:
        row(f"building a block, by a {name}, takes", statistics.median(took[name]))
        row("  and makes the training longer by", statistics.median(lost[name]))


def small_training() -> Callable[[], float]:
    """A step of training a small convolutional network; it gives its seconds."""
    kinds = [m for _ in range(8) for m in (nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())]
    model, images = nn.Sequential(*kinds), torch.randn(8, 16, 16, 16)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)

    def step() -> float:
        began = time.perf_counter()
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()
        return time.perf_counter() - began

    for _ in range(STEPS):
        step()
    return step


def row(what: str, taken: float, other: float | None = None, unit: str = "") -> None:
    ratio = "" if other is None else f"{taken / other:10.1f} x {unit}"
    print(f"  {what:<62} {1e3 * taken:10.1f} ms {ratio}")


if __name__ == "__main__":
    main()
