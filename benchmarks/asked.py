"""How is a question put in a fresh process, and how long does its answer take there?

    python benchmarks/asked.py WAY FOLDER PLACE REPEATS SECONDS

1. Everything is imported, then the files below the folder are dropped from the system's cache, as far as it lets go of
   them (posix_fadvise), then the clock starts: opening and the first answer are the cold time.
2. In the same process the question is asked again of other layers, classes, iterations or windows: the warm times. A
   way that is slow stops after so many seconds, but not before three answers.
3. Which questions, and of what, is read from PLACE; times, the largest memory of the process and the first answers are
   written there.

`ask` does all this from a benchmark's process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.memory import peak_bytes  # noqa: E402
from benchmarks.rivals import THRESHOLD, TOP, WINDOW, Answer, Npz, Parquet, Rival  # noqa: E402
from deeptracker.run import Run, open_run  # noqa: E402

ARGUMENTS = 64
WIDTH = 1000
"""Columns that a page has room for."""

ZOOMED_DUMPS = 750
LEAST_REPEATS = 3
ONE_PROCESS_SECONDS = 540


class Ours:
    """The same questions, asked of `Run`; and those over time at a fixed width, in levels of detail."""

    def __init__(self, folder: Path) -> None:
        self.run: Run = open_run(folder)

    def layer_stats(self, node: str) -> Answer:
        """Mean of all weights below a module."""
        return (self.run.layer_stats(node, "mean"),)

    def filter_stats(self, layer: str) -> Answer:
        """The change of every filter of a layer."""
        return (self.run.filter_stats(layer, "change"),)

    def top_filters(self, iteration: int) -> Answer:
        """The most changed filters at an iteration."""
        found = self.run.top_filters(iteration, TOP, "change")
        return found.layer, found.filter, found.value

    def class_stats(self, cls: int) -> Answer:
        """Error rate, scores of both rules, and flips each way of a class."""
        found = self.run.class_stats(cls, WINDOW)
        return found.error, found.left, found.right, found.became_wrong, found.became_right

    def class_samples(self, cls: int) -> Answer:
        """Predictions of a class's samples, and their order."""
        found = self.run.class_samples(cls)
        return found.predicted, found.order.order

    def error_rates(self, _: None) -> Answer:
        """Error rates of all classes."""
        return (self.run.error_rates(),)

    def anomalies(self, window: int) -> Answer:
        """Anomaly iterations of all classes at a window."""
        found = self.run.anomalies(window, THRESHOLD)
        return found.cls, found.dump, found.left, found.right

    def node_levels(self, measure: str) -> Answer:
        """A measure of all nodes, as a page draws it."""
        found = self.run.node_levels(measure, WIDTH)
        return found.mean, found.min, found.max

    def filter_levels(self, layer: str) -> Answer:
        """The change of every filter of a layer, as a page draws it."""
        found = self.run.filter_levels(layer, "change", WIDTH, "filter")
        return found.extremes, found.sizes

    def filter_zoom(self, layer: str) -> Answer:
        """The same of the last dumps only."""
        last = len(self.run.iterations)
        found = self.run.filter_levels(layer, "change", WIDTH, "filter", first=max(0, last - ZOOMED_DUMPS), end=last)
        return found.extremes, found.sizes

    def class_levels(self, cls: int) -> Answer:
        """When each sample of a class was wrong, flips, and order, as a page draws them."""
        found = self.run.class_levels(cls, WIDTH, WINDOW)
        return found.error, found.left, found.right, found.order.order

    def taken_for(self, cls: int) -> Answer:
        """What the samples of a class are taken for, as a page draws it."""
        found = self.run.taken_for(cls, WIDTH)
        return found.labels, found.counts, found.known

    def error_levels(self, _: None) -> Answer:
        """Error rates of all classes, as a page draws them."""
        found = self.run.error_levels(WIDTH)
        return found.mean, found.max


QUESTIONS = {
    "layer_stats": "mean weight of a module",
    "filter_stats": "change of the filters of a widest layer",
    "top_filters": f"{TOP} most changed filters at one iteration",
    "class_stats": "error, scores and flips of a class",
    "class_samples": "predictions of a class's samples, ordered",
    "error_rates": "error rates of all classes",
    "anomalies": "anomalies of all classes for a new k",
}

LEVEL_QUESTIONS = {
    "node_levels": f"a measure of all nodes, {WIDTH:,} columns",
    "filter_levels": f"change of the filters of a layer, {WIDTH:,} columns",
    "filter_zoom": f"the same, zoomed in on the last {ZOOMED_DUMPS} dumps",
    "class_levels": f"a class's samples, flips and order, {WIDTH:,} columns",
    "taken_for": f"what they are taken for, {WIDTH:,} columns",
    "error_levels": f"error rates of all classes, {WIDTH:,} columns",
}
"""Only ours can be asked these."""


def arguments(run: Run) -> dict[str, list[Any]]:
    """What to ask each question of: `ARGUMENTS` different classes, iterations and windows, as far as there are.

    Layers are the widest of the network but the last, of which there are some, and modules are few: they come again.
    """
    layers, dumps = run.network().layers[:-1], run.iterations
    widest = max(layer.filters for layer in layers)
    rng = np.random.default_rng(0)
    classes = rng.permutation(len(run.class_names))[:ARGUMENTS].tolist()
    iterations = rng.permutation(dumps[len(dumps) // 10 :])[:ARGUMENTS].tolist()
    widest_layers = [layer.name for layer in layers if layer.filters == widest]
    return {
        "layer_stats": [node.name for node in run.nodes() if len(node.layers) > 1],
        "filter_stats": widest_layers,
        "top_filters": iterations,
        "class_stats": classes,
        "class_samples": classes,
        "error_rates": [None],
        "anomalies": [5, 10, 40, *(k for k in range(2, min(len(dumps), ARGUMENTS)) if k not in (5, 10, 40))],
        "node_levels": ["mean", "change"],
        "filter_levels": widest_layers,
        "filter_zoom": widest_layers,
        "class_levels": classes,
        "taken_for": classes,
        "error_levels": [None],
    }


def opener(way: str) -> Callable[[Path], Ours | Rival]:
    """What opens a folder, by name; what it needs is imported by now."""
    if way == "tensorboard":
        from benchmarks.rival_tensorboard import TensorBoard

        return TensorBoard
    known: dict[str, Callable[[Path], Ours | Rival]] = {"ours": Ours, "npz": Npz, "parquet": Parquet}
    return known[way]


@dataclass(frozen=True, slots=True)
class Asked:
    """What one process told of one question: seconds, cold and warm, bytes at most in memory, and the first answer."""

    cold: float
    warm: tuple[float, ...]
    peak_bytes: int
    answer: Answer


def ask(
    way: str,
    folder: Path,
    questions: Sequence[str],
    chosen: dict[str, list[Any]],
    *,
    first: int = 0,
    repeats: int = 0,
    seconds: float = 60,
) -> dict[str, Asked]:
    """Put questions in one fresh process; `chosen` are the `arguments` of the run, of which the `first` comes first."""
    with tempfile.TemporaryDirectory() as place:
        starts = {name: first % len(chosen[name]) for name in questions}
        asked = {name: chosen[name][start:] + chosen[name][:start] for name, start in starts.items()}
        (Path(place) / "arguments.json").write_text(json.dumps(asked))
        command = [sys.executable, __file__, way, str(folder), place, str(repeats), str(seconds)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=ONE_PROCESS_SECONDS)
        told = json.loads((Path(place) / "told.json").read_text())
        found = {}
        for name in questions:
            with np.load(Path(place) / f"{name}.npz") as arrays:
                answer = tuple(arrays[key] for key in arrays.files)
            times = told["times"][name]
            found[name] = Asked(times["cold"], tuple(times["warm"]), told["peak_bytes"], answer)
        return found


def drop_from_cache(folder: Path) -> None:
    """Let the system forget the files below a folder; it keeps what other processes have mapped."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)


def main() -> None:
    """Answer in this process, and tell how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=["ours", "npz", "parquet", "tensorboard"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("place", type=Path, help="arguments.json is read from here, and times and answers go here")
    parser.add_argument("repeats", type=int)
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    asked = json.loads((given.place / "arguments.json").read_text())
    open_it = opener(given.way)
    drop_from_cache(given.folder)
    start = time.perf_counter()
    opened = open_it(given.folder)
    opening = time.perf_counter() - start
    times = {}
    for name, values in asked.items():
        answer_to = getattr(opened, name)
        start = time.perf_counter()
        answer = answer_to(values[0])
        cold = opening + time.perf_counter() - start
        np.savez(given.place / f"{name}.npz", *answer)
        warm: list[float] = []
        while len(warm) < given.repeats and (len(warm) < LEAST_REPEATS or sum(warm) < given.seconds):
            value = values[(1 + len(warm)) % len(values)]
            start = time.perf_counter()
            answer_to(value)
            warm.append(time.perf_counter() - start)
        times[name] = {"cold": cold, "warm": warm}
    (given.place / "told.json").write_text(json.dumps({"times": times, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
