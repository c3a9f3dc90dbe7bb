"""What would somebody have without DeepTracker, and how would it answer? `.npz` and Parquet files, one a dump.

1. The same run is written again, only what the questions need: two measures of every filter (`MEASURES_ASKED`) and the
   predicted class of every sample. What does not change over time (layers, labels) lies beside it, once.
2. A rival is opened from its folder and reads files when asked: nothing is kept between questions.
3. What follows from numbers once they are read (scores, flips, orders) is computed by DeepTracker's own analysis for
   all, so that what is compared is finding and reading them.
4. DuckDB is given what it is good at: means, error rates and the largest values are computed by it, in SQL.

TensorBoard is in rival_tensorboard.py.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from deeptracker.analysis import anomalies as rules
from deeptracker.analysis.classes import flips_each_way
from deeptracker.analysis.clusters import similarity_order
from deeptracker.analysis.ranking import top_filters
from deeptracker.run import open_run
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import read_samples

MEASURES_ASKED = ("mean", "change")
TOP = 100
WINDOW, THRESHOLD = 10, 0.35

Array = npt.NDArray[Any]
Answer = tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """What does not change: labels (samples,) in class order, class offsets, iterations, layers and modules.

    `layers` are (first filter, filters, weights of a filter) by name, `modules` the names of their layers.
    """

    labels: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    iterations: npt.NDArray[np.int64]
    layers: dict[str, tuple[int, int, int]]
    modules: dict[str, list[str]]

    @classmethod
    def write(cls, place: Path, folder: Path) -> None:
        """Take it from a run."""
        run = open_run(place)
        assert run.samples is not None
        np.savez(
            folder / "fixed.npz",
            labels=run.samples.labels,
            offsets=run.samples.class_offsets,
            iterations=run.iterations,
        )
        layers = run.network().layers
        known = {layer.name: (layer.offset, layer.filters, layer.fan_in) for layer in layers}
        modules = {node.name: [layers[index].name for index in node.layers] for node in run.nodes()}
        (folder / "fixed.json").write_text(json.dumps({"layers": known, "modules": modules}))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it back."""
        about = json.loads((folder / "fixed.json").read_text())
        with np.load(folder / "fixed.npz") as arrays:
            return cls(**arrays, layers={k: tuple(v) for k, v in about["layers"].items()}, modules=about["modules"])

    def filters(self, layer: str) -> slice:
        """The filters of a layer among all."""
        first, count, _ = self.layers[layer]
        return slice(first, first + count)


class Rival(ABC):
    """Answers from something other than our log. Subclasses read; what follows is here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fixed = Fixed.read(folder)

    @staticmethod
    @abstractmethod
    def write(place: Path, folder: Path) -> None:
        """Write the files of a run into a folder that has its `Fixed` already."""

    @abstractmethod
    def measure(self, name: str, layer: str) -> Array:
        """float32 (dumps, filters of the layer)."""

    @abstractmethod
    def at(self, name: str, dump: int) -> Array:
        """float32 (filters,): a measure of all filters at one dump."""

    @abstractmethod
    def predicted(self, samples: slice) -> Array:
        """int (samples, dumps)."""

    def layer_stats(self, node: str) -> Answer:
        """Mean of all weights below a module, (dumps,)."""
        total, weights = np.zeros(len(self.fixed.iterations)), 0
        for layer in self.fixed.modules[node]:
            _, count, fan_in = self.fixed.layers[layer]
            total += fan_in * self.measure("mean", layer).sum(axis=1, dtype=np.float64)
            weights += count * fan_in
        return ((total / weights).astype(np.float32),)

    def filter_stats(self, layer: str) -> Answer:
        """The change of every filter of a layer, (filters, dumps)."""
        return (self.measure("change", layer).T,)

    def top_filters(self, iteration: int) -> Answer:
        """The most changed filters at an iteration: layer, filter, value."""
        starts = np.array([first for first, _, _ in self.fixed.layers.values()])
        found = top_filters(self.at("change", self._dump(iteration)), TOP, starts)
        return found.layer, found.filter, found.value

    def class_stats(self, cls: int) -> Answer:
        """Error rate, scores of both rules, and flips each way of a class, (dumps,) each."""
        correct = self._predicted_of(cls) == cls
        found = rules.scores(rules.flip_events(correct), [0, len(correct)], WINDOW)
        error = ((~correct).sum(axis=0) / len(correct)).astype(np.float32)
        became = flips_each_way(correct, np.arange(correct.shape[1]))
        return error, found.left[0], found.right[0], *became

    def class_samples(self, cls: int) -> Answer:
        """Predictions of a class's samples, (samples, dumps), and the order of the samples."""
        predicted = self._predicted_of(cls)
        return predicted, similarity_order(predicted != cls).order

    def error_rates(self, _: None) -> Answer:
        """Error rates of all classes, (classes, dumps)."""
        wrong = self._all() != self.fixed.labels[:, None]
        sizes = np.diff(self.fixed.offsets)[:, None]
        return ((np.add.reduceat(wrong, self.fixed.offsets[:-1], axis=0, dtype=np.int64) / sizes).astype(np.float32),)

    def anomalies(self, window: int) -> Answer:
        """Anomaly iterations of all classes: class, dump and both scores."""
        correct = np.ascontiguousarray(self._all() == self.fixed.labels[:, None])
        found = rules.anomalies(rules.scores(rules.flip_events(correct), self.fixed.offsets, window), THRESHOLD)
        return found.cls, found.dump, found.left, found.right

    def _predicted_of(self, cls: int) -> Array:
        return self.predicted(slice(int(self.fixed.offsets[cls]), int(self.fixed.offsets[cls + 1])))

    def _all(self) -> Array:
        return self.predicted(slice(0, len(self.fixed.labels)))

    def _dump(self, iteration: int) -> int:
        return int(np.searchsorted(self.fixed.iterations, iteration))


def dumps_of(place: Path) -> Iterator[tuple[int, dict[str, Array], Array]]:
    """Number, measures asked about, and predicted classes of every dump of a run."""
    blobs = Blobs(place)
    log, samples = LogReader(blobs), read_samples(blobs)
    assert samples is not None
    for number, dump in enumerate(log.dumps):
        yield number, log.filters(dump, MEASURES_ASKED), log.predictions(dump, len(samples.labels)).predicted


class Npz(Rival):
    """One `.npz` a dump: an array for each measure, and the predictions."""

    @staticmethod
    def write(place: Path, folder: Path) -> None:
        for number, measures, predicted in dumps_of(place):
            np.savez(folder / f"{number:06d}.npz", **measures, predicted=predicted)

    def measure(self, name: str, layer: str) -> Array:
        return np.stack(self._each(name, self.fixed.filters(layer)))

    def at(self, name: str, dump: int) -> Array:
        return self._load(dump, name)

    def predicted(self, samples: slice) -> Array:
        return np.stack(self._each("predicted", samples), axis=1)

    def _each(self, name: str, rows: slice) -> list[Array]:
        return [self._load(dump, name)[rows] for dump in range(len(self.fixed.iterations))]

    def _load(self, dump: int, name: str) -> Array:
        with np.load(self.folder / f"{dump:06d}.npz") as archive:
            found: Array = archive[name]
            return found

    def layer_stats(self, node: str) -> Answer:
        """Each file is read once, not once a layer."""
        weights = np.zeros(sum(count for _, count, _ in self.fixed.layers.values()))
        for layer in self.fixed.modules[node]:
            weights[self.fixed.filters(layer)] = self.fixed.layers[layer][2]
        total = weights.sum()
        found = [self._load(dump, "mean") @ weights / total for dump in range(len(self.fixed.iterations))]
        return (np.array(found, np.float32),)


class Parquet(Rival):
    """Two Parquet files a dump, a row a filter and a row a sample, asked in SQL by DuckDB."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._database = duckdb.connect()
        self._database.execute("SET threads TO 2")

    @staticmethod
    def write(place: Path, folder: Path) -> None:
        fixed = Fixed.read(folder)
        names, counts = list(fixed.layers), [count for _, count, _ in fixed.layers.values()]
        layer = pa.DictionaryArray.from_arrays(
            pa.array(np.repeat(np.arange(len(names), dtype=np.int16), counts)), names
        )
        weights = np.repeat(np.array([fan_in for _, _, fan_in in fixed.layers.values()], np.int32), counts)
        number_of = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])
        order = np.arange(len(fixed.labels), dtype=np.int32)
        for kind in ("filters", "predictions"):
            (folder / kind).mkdir()
        for number, measures, predicted in dumps_of(place):
            about = {"dump": np.full(len(number_of), number, np.int32), "filter": number_of, "weights": weights}
            table = pa.table({**about, "layer": layer, **measures})
            pa.parquet.write_table(table, folder / "filters" / f"{number:06d}.parquet")
            about = {"dump": np.full(len(order), number, np.int32), "sample": order, "label": fixed.labels}
            table = pa.table({**about, "predicted": predicted})
            pa.parquet.write_table(table, folder / "predictions" / f"{number:06d}.parquet")

    def measure(self, name: str, layer: str) -> Array:
        found = self._ask(f"SELECT {name} FROM {self._files('filters')} WHERE layer = ? ORDER BY dump, filter", [layer])
        return found[name].reshape(len(self.fixed.iterations), -1)

    def at(self, name: str, dump: int) -> Array:
        return self._ask(f"SELECT {name} FROM {self._files('filters', dump)}")[name]

    def predicted(self, samples: slice) -> Array:
        found = self._ask(
            f"SELECT predicted FROM {self._files('predictions')} WHERE sample >= ? AND sample < ? "
            "ORDER BY dump, sample",
            [samples.start, samples.stop],
        )
        return found["predicted"].reshape(len(self.fixed.iterations), -1).T

    def layer_stats(self, node: str) -> Answer:
        """One aggregation."""
        found = self._ask(
            "SELECT sum(mean::DOUBLE * weights) / sum(weights) AS mean "
            f"FROM {self._files('filters')} WHERE layer IN (SELECT unnest(?)) GROUP BY dump ORDER BY dump",
            [self.fixed.modules[node]],
        )
        return (found["mean"].astype(np.float32),)

    def top_filters(self, iteration: int) -> Answer:
        """One sorted selection from one file; equal values in the order of filters, as in ours."""
        found = self._ask(
            f"SELECT layer, filter, change FROM {self._files('filters', self._dump(iteration))} "
            f"WHERE change IS NOT NULL AND NOT isnan(change) ORDER BY change DESC, file_row_number LIMIT {TOP}",
        )
        place = {name: index for index, name in enumerate(self.fixed.layers)}
        return np.array([place[name] for name in found["layer"]], np.int32), found["filter"], found["change"]

    def error_rates(self, _: None) -> Answer:
        """One aggregation."""
        found = self._ask(
            f"SELECT avg((predicted <> label)::INT) AS error FROM {self._files('predictions')} "
            "GROUP BY label, dump ORDER BY label, dump"
        )
        return (found["error"].astype(np.float32).reshape(-1, len(self.fixed.iterations)),)

    def _files(self, kind: str, dump: int | None = None) -> str:
        which = "*" if dump is None else f"{dump:06d}"
        return f"read_parquet('{self.folder}/{kind}/{which}.parquet', file_row_number = true)"

    def _ask(self, query: str, values: list[Any] | None = None) -> dict[str, Array]:
        found: dict[str, Array] = self._database.execute(query, values or []).fetchnumpy()
        return found
