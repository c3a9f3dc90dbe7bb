"""What does a run say? The one place that reads it: numpy in the documented shapes, from log and analysis.

1. A run is opened from its folder or object-store URL; `refresh` looks for new dumps, so a run can be followed while it
   trains. Every call answers for what was seen at the last refresh.
2. Dumps are numbered in the order of their iterations (`iterations`). Arrays over time have one column a dump; a dump
   without the thing asked for has NaN (or -1, for predicted classes).
3. What costs time (flip events, orders) is kept until the run grows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from deeptracker.analysis import anomalies as anomaly_rules
from deeptracker.analysis.anomalies import Anomalies, AnomalyScores, FlipEvents
from deeptracker.analysis.clusters import Clusters, Ordering, cluster_curves, similarity_order
from deeptracker.analysis.pooling import Normalisation, merge, needed_measures, normalised, pool, quantiles
from deeptracker.analysis.scalars import Stage, learning_rate_stages, means_since_last, training_error
from deeptracker.errors import DeepTrackerError, LogFileError, UnknownNameError
from deeptracker.schema import MEASURES, QUANTILES, Network, RunInfo, check_measure
from deeptracker.store.blobs import Blobs
from deeptracker.store.history import PredictionHistory
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Pictures, Samples, read_samples

WINDOWS = tuple(range(2, 61))
"""Windows (the paper's k, in dumps) that `anomaly_counts` covers."""

State = Literal["live", "finished", "failed", "stopped"]
Floats = npt.NDArray[np.float32]
Cached = TypeVar("Cached")


@dataclass(frozen=True, slots=True, eq=False)
class ClassStats:
    """One class over all dumps; every array is (dumps,).

    `error` float32; `left`, `right`, `pending` float32, the scores of the anomaly rules; `became_wrong` and
    `became_right` int32, how many samples flipped which way.
    """

    iterations: npt.NDArray[np.int64]
    error: Floats
    left: Floats
    right: Floats
    pending: Floats
    became_wrong: npt.NDArray[np.int32]
    became_right: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class ClassSamples:
    """The samples of one class: `samples` int32 (n,) their indexes, `ids` their names, `predicted` int (n, dumps), -1
    where missing, and their similarity `order`.
    """

    samples: npt.NDArray[np.int32]
    ids: tuple[str, ...]
    predicted: npt.NDArray[np.integer[Any]]
    order: Ordering


@dataclass(frozen=True, slots=True, eq=False)
class TopFilters:
    """Filters with the largest value of a measure at one iteration, largest first; every array is (k,)."""

    layer: npt.NDArray[np.int32]
    filter: npt.NDArray[np.int32]
    value: Floats


def open_run(place: str | os.PathLike[str]) -> Run:
    """Open the run in a folder or at an object-store URL; `RunNotFoundError` if there is none."""
    return Run(place)


class Run:
    """A run, read-only. Not safe for several threads at once: the caller holds a lock."""

    def __init__(self, place: str | os.PathLike[str]) -> None:
        self._blobs = Blobs(place)
        self._log = LogReader(self._blobs)
        self._pictures = Pictures(self._blobs)
        self._samples: Samples | None = None
        self._history: PredictionHistory | None = None
        self._history_is_current = False
        self._cache: dict[tuple[Any, ...], Any] = {}
        self._read_samples()

    @property
    def info(self) -> RunInfo:
        """Name, configuration, branches, how it ended."""
        return self._log.info

    @property
    def has_network(self) -> bool:
        """False until the recorder has begun."""
        return self._log.network is not None

    def network(self) -> Network:
        """Layers (`.layers`: name, kind, shape, filters, offset) and hierarchy; needs `has_network`."""
        if self._log.network is None:
            raise DeepTrackerError(f"no network in {self._blobs.place}. The recorder writes it when it begins.")
        return self._log.network

    @property
    def samples(self) -> Samples | None:
        """The validation samples; None where no predictions were recorded."""
        return self._samples

    @property
    def iterations(self) -> npt.NDArray[np.int64]:
        """int64 (dumps,), ascending."""
        return np.array([dump.iteration for dump in self._log.dumps], np.int64)

    @property
    def branch(self) -> int:
        """How often training was resumed."""
        return len(self.info.branches) - 1

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for every class; its number where none was given."""
        classes = self._samples.classes if self._samples else 0
        given = self.info.class_names or ()
        return tuple(given[:classes]) + tuple(str(c) for c in range(len(given), classes))

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the run's files as far as noticed, and what the recorder could not write."""
        return [*self.info.lost, *self._log.problems]

    @property
    def updated(self) -> datetime:
        """When something was last written (UTC)."""
        return max(self._log.modified, datetime.fromisoformat(self.info.created))

    @property
    def size_bytes(self) -> int:
        """Bytes of the log."""
        return self._log.size_bytes

    @property
    def state(self) -> State:
        """`live` while dumps come in; `stopped` when none came for long and nobody closed the run."""
        if self.info.state != "running":
            return "finished" if self.info.state == "finished" else "failed"
        created = datetime.fromisoformat(self.info.created)
        seconds_per_dump = (self.updated - created).total_seconds() / max(1, len(self._log.dumps))
        silence = (datetime.now(UTC) - self.updated).total_seconds()
        return "live" if silence < max(120.0, 10 * seconds_per_dump) else "stopped"

    def refresh(self) -> bool:
        """Look for what is new; True if anything is."""
        changed = self._log.refresh()
        if self._samples is None:
            changed |= self._read_samples()
        if changed:
            self._cache.clear()
            self._history_is_current = False
        return changed

    def check(self) -> list[str]:
        """Read every file; one sentence for each that is damaged, foreign or missing, or could not be written."""
        self._log.check()
        return self.warnings

    def first_new_dump(self, since: int | None, branch: int | None) -> int:
        """The first dump that somebody lacks who has all up to iteration `since` as `branch` had them; 0 for None."""
        if since is None or branch is None or not 0 <= branch <= self.branch:
            return 0
        common = min([since, *(b.start for b in self.info.branches[branch + 1 :])])
        return int(np.searchsorted(self.iterations, common, side="right"))

    @property
    def settled(self) -> int:
        """Dumps that will never change: those behind may still receive the user's own predictions."""
        return self._predictions().settled if self._samples else 0

    def scalars(self, names: list[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        """`iteration` int64 (n,) and float64 (n,) for each name, NaN where it was not logged; `UnknownNameError`."""
        rows = self._kept(("scalars",), self._log.scalars)
        for name in names or ():
            if name not in rows:
                raise UnknownNameError(f"no scalar {name!r} in this run. Logged: {', '.join(sorted(rows))}.")
        return rows if names is None else {"iteration": rows["iteration"]} | {name: rows[name] for name in names}

    def learning_rate_stages(self) -> list[Stage]:
        """The stages of the learning rate, from the optimizer's first group."""
        rows = self.scalars()
        return learning_rate_stages(rows["iteration"], rows["lr"]) if "lr" in rows else []

    def learning_rate(self) -> Floats:
        """float32 (dumps,): learning rate of the step that led to the dump (of the first step, at iteration 0)."""
        rows = self.scalars()
        if "lr" not in rows or not len(rows["lr"]):
            return np.full(len(self.iterations), np.nan, np.float32)
        row = np.clip(np.searchsorted(rows["iteration"], self.iterations), 0, len(rows["lr"]) - 1)
        return rows["lr"][row].astype(np.float32)

    def validation_error(self) -> Floats:
        """float32 (dumps,): share of the validation samples that are wrong."""
        if self._samples is None:
            return np.full(len(self.iterations), np.nan, np.float32)
        return self._predictions().overall_error

    def training_error(self) -> Floats:
        """float32 (dumps,): mean of the training error logged since the dump before, as a share; NaN if none was."""
        rows = self.scalars()
        return means_since_last(self.iterations, rows["iteration"], training_error(rows))

    def error_rates(self) -> Floats:
        """float32 (classes, dumps): share of each class's samples that are wrong; NaN where missing."""
        return self._predictions().error_rates

    def class_stats(self, cls: int | str, window: int = 10) -> ClassStats:
        """The Cls-Stat index: one class over all dumps."""
        c = self.class_index(cls)
        history, scores = self._predictions(), self.anomaly_scores(window)
        correct = history.predicted(self._rows(c)) == c
        became = np.zeros((2, history.dumps), np.int32)
        recorded = history.recorded
        known = correct[:, recorded]
        became[0, recorded[1:]] = (known[:, :-1] & ~known[:, 1:]).sum(axis=0)
        became[1, recorded[1:]] = (~known[:, :-1] & known[:, 1:]).sum(axis=0)
        return ClassStats(
            self.iterations, history.error_rates[c], scores.left[c], scores.right[c], scores.pending[c], *became
        )

    def class_samples(self, cls: int | str) -> ClassSamples:
        """The Cls-Image index: predictions of every sample of a class over all dumps.

        The order is that of their correct/incorrect rows, the easy ones first.
        """
        c = self.class_index(cls)
        rows = self._rows(c)
        return ClassSamples(
            np.arange(rows.start, rows.stop, dtype=np.int32),
            self._known_samples().ids[rows],
            self._predictions().predicted(rows),
            self._kept(("order", c), lambda: similarity_order(~self._correct()[rows])),
        )

    def probabilities(self, cls: int | str) -> npt.NDArray[np.float16]:
        """float16 (samples of the class, dumps): probability of the true class, NaN where missing."""
        return self._predictions().detail("probability", self._rows(self.class_index(cls)))

    def sample_history(self, sample: int) -> dict[str, npt.NDArray[Any]]:
        """One sample over all dumps: `predicted` int (dumps,), `probability` and `loss` float16 (dumps,)."""
        self._check_sample(sample)
        history = self._predictions()
        detail = {name: history.detail(name, sample) for name in ("probability", "loss")}
        return {"predicted": history.predicted(sample), **detail}

    def picture(self, sample: int) -> bytes | None:
        """A sample's encoded picture (PNG or JPEG); None where none was recorded."""
        self._check_sample(sample)
        return self._pictures.get(sample) if self._known_samples().has_pictures else None

    def clusters(self, k: int) -> Clusters:
        """Classes grouped by their error curves, easy to hard. `curves` is float32 (k, dumps)."""
        return self._kept(("clusters", k), lambda: self._spread_clusters(k))

    def class_order(self) -> Ordering:
        """The classes in similarity order of their error curves."""
        return self._kept(("class order",), lambda: similarity_order(self._predictions().recorded_error_rates))

    def anomaly_scores(self, window: int) -> AnomalyScores:
        """Scores of every class at every dump, (classes, dumps) each; dumps without predictions score 0."""
        return self._kept(("scores", window), lambda: self._spread_scores(window))

    def anomalies(self, window: int, threshold: float) -> Anomalies:
        """Anomaly iterations of every class whose score reaches the threshold under either rule."""
        return anomaly_rules.anomalies(self.anomaly_scores(window), threshold)

    def anomaly_counts(self) -> npt.NDArray[np.int32]:
        """int32 (windows, 101): how many anomalies each of WINDOWS and each threshold in percent would show."""
        offsets = self._known_samples().class_offsets
        return self._kept(("counts",), lambda: anomaly_rules.count_table(self._events(), offsets, WINDOWS))

    def filter_stats(self, layer: str, measure: str, normalise: Normalisation | None = None) -> Floats:
        """The Layer-Filter index: float32 (filters, dumps).

        `normalise` divides by the largest magnitude of each filter, of each iteration, or of the whole layer.
        """
        check_measure(measure)
        known = self.network().layer(layer)
        values = np.full((len(self._log.dumps), known.filters), np.nan, np.float32)
        for row, read in enumerate(self._log.filters_over_time([measure])):
            if read is not None:
                values[row] = read[measure][known.rows]
        return normalised(values.T, normalise)

    def layer_stats(self, node: str, measure: str) -> Floats:
        """The Layer-Stat index: float32 (dumps,) at any layer or module, '' being the whole network.

        Sums, norms, means and deviations are pooled exactly, QUANTILES within 1/64 (see analysis.pooling).
        """
        check_measure(measure, (*MEASURES, *QUANTILES))
        layers = self.network().layers_below(node)
        if measure in QUANTILES:
            return self._quantile(self.network().indexes(layers), measure)
        rows = np.concatenate([np.arange(x.offset, x.offset + x.filters) for x in layers])
        weights = np.repeat([x.fan_in for x in layers], [x.filters for x in layers])
        names = needed_measures(measure)
        pooled = np.full(len(self._log.dumps), np.nan, np.float32)
        for row, read in enumerate(self._log.filters_over_time(names)):
            if read is not None:
                pooled[row] = pool(measure, {name: read[name][rows] for name in names}, weights)
        return pooled

    def top_filters(self, iteration: int, k: int, measure: str = "change") -> TopFilters:
        """The Iter-Filter index: the k filters with the largest value at a dump, over all layers; NaN never counts."""
        check_measure(measure)
        if k < 1:
            raise ValueError(f"k must be >= 1. Got {k}.")
        values = self._log.filters(self._log.dump_at(iteration), [measure])[measure]
        candidates = np.flatnonzero(~np.isnan(values))
        top = candidates[np.argsort(-values[candidates], kind="stable")[:k]]
        offsets = np.array([x.offset for x in self.network().layers])
        layer = np.searchsorted(offsets, top, side="right") - 1
        return TopFilters(layer.astype(np.int32), (top - offsets[layer]).astype(np.int32), values[top])

    def class_index(self, cls: int | str) -> int:
        """The index of a class given by index or name; `UnknownNameError`."""
        names = self.class_names
        if isinstance(cls, str) and cls in names:
            return names.index(cls)
        if not isinstance(cls, str) and 0 <= cls < len(names):
            return int(cls)
        raise UnknownNameError(f"no class {cls!r} in this run. It has {len(names)}: {', '.join(names[:12])} ...")

    def _read_samples(self) -> bool:
        try:
            self._samples = read_samples(self._blobs)
        except LogFileError as error:
            self._log.note_problem("samples/labels.arrow", str(error))
        if self._samples is None:
            return False
        self._history = PredictionHistory(self._log, self._samples)
        return True

    def _kept(self, key: tuple[Any, ...], make: Callable[[], Cached]) -> Cached:
        if key not in self._cache:
            self._cache[key] = make()
        kept: Cached = self._cache[key]
        return kept

    def _predictions(self) -> PredictionHistory:
        if self._history is None:
            raise DeepTrackerError(
                f"no predictions in {self._blobs.place}. Record them: Recorder(..., validation=...) or predictions()."
            )
        if not self._history_is_current:
            self._history.refresh()
            self._history_is_current = True
        return self._history

    def _known_samples(self) -> Samples:
        self._predictions()
        assert self._samples is not None
        return self._samples

    def _rows(self, c: int) -> slice:
        offsets = self._known_samples().class_offsets
        return slice(int(offsets[c]), int(offsets[c + 1]))

    def _check_sample(self, sample: int) -> None:
        count = len(self._known_samples().labels)
        if not 0 <= sample < count:
            raise UnknownNameError(f"sample must be in 0..{count - 1}. Got {sample}.")

    def _quantile(self, layers: list[int], measure: str) -> Floats:
        read = [None if x is None else x.of(measure, layers) for x in self._log.histograms_over_time()]
        shares = [QUANTILES[measure]]
        return np.array([np.nan if of is None else quantiles(*merge(*of), shares)[0] for of in read], np.float32)

    def _correct(self) -> npt.NDArray[np.bool_]:
        return self._kept(("correct",), self._predictions().correct)

    def _events(self) -> FlipEvents:
        return self._kept(("events",), lambda: anomaly_rules.flip_events(self._correct()))

    def _spread_clusters(self, k: int) -> Clusters:
        found = cluster_curves(self._predictions().recorded_error_rates, k)
        return replace(found, curves=self._predictions().spread(found.curves, np.nan))

    def _spread_scores(self, window: int) -> AnomalyScores:
        scores = anomaly_rules.scores(self._events(), self._known_samples().class_offsets, window)
        spread = [self._predictions().spread(part, 0) for part in (scores.left, scores.right, scores.pending)]
        return AnomalyScores(spread[0], spread[1], spread[2], scores.sizes, window)
