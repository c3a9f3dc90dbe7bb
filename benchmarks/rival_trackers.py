"""What does looking into a network cost here, and with Weights & Biases, TensorBoard and Aim, in the same training?

    pip install -c constraints.txt -e '.[dev,bench,rivals]'
    python benchmarks/rival_trackers.py

1. ResNet-20 on random images in the shape of CIFAR, the same seed for all, batches of 32; one dump an iteration.
2. DeepTracker records measures of every filter, and histograms of every layer's weights and gradients. TensorBoard gets
   `add_histogram` of every parameter and every gradient; Weights & Biases, offline, `watch(log="all", log_freq=1)`; Aim
   `track_params_dists` and `track_gradients_dists`.
3. Two networks are trained in turn, step by step, one of them tracked: so what else the machine does is met by both.
   All is the difference of the two. "Training waits": median of the clock. "Its thread computes": median of what
   the thread that trains has taken of a processor, which other work on the machine hardly changes. "All computes": what
   all threads and processes have taken for all dumps until everything is closed, by dumps. Medians over rounds.
4. Bytes are those of the whole folder after BYTES_DUMPS dumps of a training with two images, by dumps.
5. What is not installed is left out, and its error told.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import psutil  # noqa: E402
import torch  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from deeptracker.demo.models import make_model  # noqa: E402

BATCH, WARM_UP = 32, 3
BYTES_DUMPS, BYTES_BATCH = 100, 2

Track = Callable[[int], None]
"""Called after each optimizer step, with the iteration: what the user's script would do there."""


@contextmanager
def deeptracker(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> Iterator[Track]:
    """Our recorder, without validation data, as the others have none."""
    from deeptracker import Recorder

    with Recorder(folder, model, optimizer, every=1, index=False, strict=True):
        yield lambda iteration: None


@contextmanager
def tensorboard(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> Iterator[Track]:
    """A histogram of each parameter and gradient."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:

        def track(iteration: int) -> None:
            for name, parameter in model.named_parameters():
                writer.add_histogram(name, parameter, iteration)
                writer.add_histogram(f"{name}/gradient", parameter.grad, iteration)

        yield track


@contextmanager
def wandb(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> Iterator[Track]:
    """`watch`, offline; what Weights & Biases records of the machine is turned off."""
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        silent=True, console="off", x_disable_stats=True, x_disable_meta=True, x_save_requirements=False
    )
    with wandb.init(mode="offline", dir=str(folder), project="rivals", settings=settings) as run:
        run.watch(model, log="all", log_freq=1)
        yield lambda iteration: run.log({"iteration": iteration})
        run.unwatch(model)


@contextmanager
def aim(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> Iterator[Track]:
    """Distributions of parameters and of gradients; what Aim records of the machine is turned off."""
    from aim import Run
    from aim.pytorch import track_gradients_dists, track_params_dists

    folder.mkdir(parents=True, exist_ok=True)
    run = Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False, log_system_params=False)

    def track(iteration: int) -> None:
        track_params_dists(model, run)
        track_gradients_dists(model, run)

    yield track
    run.close()


TRACKERS: dict[str, Callable[..., Any]] = {
    "DeepTracker": deeptracker,
    "TensorBoard, add_histogram": tensorboard,
    'Weights & Biases, watch(log="all")': wandb,
    "Aim, track_params_dists and _gradients_dists": aim,
}


@dataclass(slots=True)
class Cost:
    """Of one tracker: seconds a dump of the clock, of the training's thread, and of all processors; bytes a dump."""

    clock: list[float] = field(default_factory=list)
    thread: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)
    size_bytes: float = 0.0

    @property
    def seconds(self) -> tuple[float, float, float]:
        """Medians over rounds."""
        return statistics.median(self.clock), statistics.median(self.thread), statistics.median(self.processors)


class Training:
    """A network that is trained on the same batch again and again."""

    def __init__(self, batch: int) -> None:
        torch.manual_seed(0)
        self.model = make_model("resnet20", 3, 10, 32)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self._images, self._labels = torch.rand(batch, 3, 32, 32), torch.randint(0, 10, (batch,))

    def step(self, track: Track, iteration: int) -> tuple[float, float]:
        """Seconds of one and of what is called after it: of the clock, and of this thread."""
        start, computed = time.perf_counter(), time.thread_time()
        self.optimizer.zero_grad()
        functional.cross_entropy(self.model(self._images), self._labels).backward()
        self.optimizer.step()
        track(iteration)
        return time.perf_counter() - start, time.thread_time() - computed


@dataclass(frozen=True, slots=True)
class Trained:
    """Seconds of each step (clock and thread), alone and tracked, and of all processors."""

    alone: list[tuple[float, float]]
    tracked: list[tuple[float, float]]
    processors: float


def trained(tracker: Callable[..., Any], folder: Path, steps: int) -> Trained:
    """Train two networks in turn, one of them tracked."""
    bare, training = Training(BATCH), Training(BATCH)
    alone, tracked = [], []
    with tracker(training.model, training.optimizer, folder) as track:
        for iteration in range(WARM_UP + steps):
            if iteration == WARM_UP:
                began = processor_seconds()
            alone.append(bare.step(lambda iteration: None, iteration))
            tracked.append(training.step(track, iteration))
    processors = processor_seconds() - began
    return Trained(alone[WARM_UP:], tracked[WARM_UP:], processors)


def bytes_a_dump(tracker: Callable[..., Any], folder: Path) -> float:
    """Bytes on disk of a training that is only tracked, by dumps."""
    training = Training(BYTES_BATCH)
    with tracker(training.model, training.optimizer, folder) as track:
        for iteration in range(BYTES_DUMPS):
            training.step(track, iteration)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / BYTES_DUMPS


def processor_seconds() -> float:
    """What this process and those below it have taken of all processors so far."""
    total = time.process_time()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            total += child.cpu_times().user + child.cpu_times().system
    return total


def measured(folder: Path, steps: int, rounds: int) -> tuple[float, dict[str, Cost], dict[str, str]]:
    """Median seconds of a bare step, the cost of each tracker, and the errors of those that could not be run."""
    costs, errors, bare = {name: Cost() for name in TRACKERS}, dict[str, str](), list[float]()
    for number in range(rounds):
        for index, (name, tracker) in enumerate(TRACKERS.items()):
            if name in errors:
                continue
            place = folder / f"{index}-{number}"
            try:
                found = trained(tracker, place, steps)
                if number == 0:
                    costs[name].size_bytes = bytes_a_dump(tracker, folder / "bytes")
            except Exception as error:  # one that is not installed, or fails, is told in the table
                errors[name] = f"{type(error).__name__}: {error}"
                continue
            finally:
                shutil.rmtree(place, ignore_errors=True)
                shutil.rmtree(folder / "bytes", ignore_errors=True)
            added = np.array(found.tracked) - np.array(found.alone)
            bare += [clock for clock, _ in found.alone]
            clock, thread = np.median(added, axis=0).tolist()
            costs[name].clock.append(clock)
            costs[name].thread.append(thread)
            costs[name].processors.append((found.processors - 2 * sum(own for _, own in found.alone)) / steps)
    return statistics.median(bare), costs, errors


def main() -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "AIM_TELEMETRY_ENABLED": "0"}
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        step, costs, errors = measured(Path(folder), given.steps, given.rounds)
    model = make_model("resnet20", 3, 10, 32)
    weights = sum(parameter.numel() for parameter in model.parameters())
    title = (
        f"ResNet-20, {weights:,} parameters, a step of {1e3 * step:.0f} ms; {given.steps} dumps, {given.rounds} rounds"
    )
    table = Table(title=title, title_style="")
    for heading in (
        "a dump", "training waits", "its thread computes", "ratio", "all computes", "ratio", "bytes on disk", "ratio",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "a dump" else "right")
    ours = costs["DeepTracker"]
    for name, cost in costs.items():
        if name in errors:
            table.add_row(name, f"not measured: {errors[name]}")
            continue
        (clock, thread, everything), (_, our_thread, our_everything) = cost.seconds, ours.seconds
        table.add_row(
            name,
            f"{1e3 * clock:.1f} ms",
            f"{1e3 * thread:.1f} ms",
            f"{thread / our_thread:.1f}",
            f"{1e3 * everything:.1f} ms",
            f"{everything / our_everything:.1f}",
            f"{cost.size_bytes:,.0f}",
            f"{cost.size_bytes / ours.size_bytes:.2f}",
        )
    console = Console()
    console.width = max(console.width, 150)
    console.print(table)


if __name__ == "__main__":
    main()
