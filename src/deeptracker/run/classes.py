"""What does a run say of its classes and samples? (paper: Cls-Stat and Cls-Image index)"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.analysis import anomalies as anomaly_rules
from deeptracker.analysis.anomalies import Anomalies, AnomalyScores, FlipEvents, flip_events_of_bits
from deeptracker.analysis.bits import packed
from deeptracker.analysis.classes import ClassSamples, ClassStats, flips_each_way
from deeptracker.analysis.clusters import Clusters, Ordering, cluster_curves, similarity_order, similarity_order_of_bits
from deeptracker.analysis.flips_by_cell import anomalies_at, bounding_window, flips_by_cell, top_cells
from deeptracker.errors import DeepTrackerError, LogFileError, UnknownNameError
from deeptracker.run.opened import Floats, OpenedRun
from deeptracker.store.history import PredictionHistory
from deeptracker.store.samples import Pictures, Samples, read_samples

WINDOWS = tuple(range(2, 61))
"""Windows (the paper's k, in dumps) that `anomaly_counts` covers."""

WINDOWS_KEPT = 2
"""Of so many windows the scores of all classes are kept: 9 MB each for 1,000 classes and 750 dumps."""

PIECE_SAMPLES = 4096
"""So many samples are compared with their labels at a time, where the index cannot tell which were right."""


class ClassAnswers(OpenedRun):
    """What was predicted for every sample, and what follows from it. Needs predictions where it says nothing else."""

    def __init__(self, place: str | os.PathLike[str], branch: int | None = None) -> None:
        super().__init__(place, branch)
        self._pictures = Pictures(self._blobs)
        self._samples: Samples | None = None
        self._history: PredictionHistory | None = None
        self._read_samples()

    @property
    def samples(self) -> Samples | None:
        """The validation samples; None where no predictions were recorded."""
        return self._samples

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for every class; its number where none was given."""
        classes = self._samples.classes if self._samples else 0
        given = self.info.class_names or ()
        return tuple(given[:classes]) + tuple(str(c) for c in range(len(given), classes))

    def refresh(self) -> bool:
        """Look for what is new; True if anything is."""
        changed = super().refresh()
        if self._samples is None and self._read_samples():
            self._cache.clear()
            changed = True
        return changed

    @property
    def held_bytes(self) -> int:
        """Bytes of what is kept so that it need not be read or found again."""
        return super().held_bytes + (self._history.size_bytes if self._history else 0)

    def hold_at_most(self, size_bytes: int) -> None:
        """Keep at most so many `held_bytes`: what is read again the fastest goes first."""
        super().hold_at_most(size_bytes)
        if self._history is not None and self.held_bytes > size_bytes:
            self._history.forget()

    @property
    def settled(self) -> int:
        """Dumps that will never change: those behind may still receive the user's own predictions."""
        return self._predictions().settled if self._samples else 0

    def validation_error(self) -> Floats:
        """float32 (dumps,): share of the validation samples that are wrong."""
        if self._samples is None:
            return np.full(len(self.iterations), np.nan, np.float32)
        return self._predictions().overall_error

    def error_rates(self) -> Floats:
        """float32 (classes, dumps): share of each class's samples that are wrong; NaN where missing."""
        return self._predictions().error_rates

    def class_stats(self, cls: int | str, window: int = 10) -> ClassStats:
        """The Cls-Stat index: one class over all dumps."""
        c = self.class_index(cls)
        history, rows = self._predictions(), self._rows(c)
        right = history.right(rows)
        events = anomaly_rules.flip_events(history.carried(right, rows))
        scores = self._spread(anomaly_rules.scores(events, np.array([0, len(right)]), window))
        left_of, right_of, pending = (part[0] for part in (scores.left, scores.right, scores.pending))
        became = flips_each_way(right, history.recorded)
        return ClassStats(self.iterations, history.error_rates[c], left_of, right_of, pending, *became)

    def class_samples(self, cls: int | str) -> ClassSamples:
        """The Cls-Image index: predictions of every sample of a class over all dumps.

        The order is that of their correct/incorrect rows, the easy ones first.
        """
        c = self.class_index(cls)
        history, rows = self._predictions(), self._rows(c)
        predicted = history.predicted(rows)
        return ClassSamples(
            np.arange(rows.start, rows.stop, dtype=np.int32),
            tuple(self._known_samples().ids[rows]),
            predicted,
            self._kept(("order", c), lambda: self._order(history.carried(predicted == c, rows))),
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
        offsets = self._known_samples().class_offsets
        found = self._kept(
            ("scores", window), lambda: self._spread(anomaly_rules.scores(self._events(), offsets, window))
        )
        for oldest in [key for key in self._cache if key[0] == "scores"][:-WINDOWS_KEPT]:
            del self._cache[oldest]
        return found

    def anomalies(self, window: int, threshold: float) -> Anomalies:
        """Anomaly iterations of every class whose score reaches the threshold under either rule."""
        if self._kept(("first anomalies",), lambda: (window, threshold)) == (window, threshold):
            # Sorting flips pays from the second question on; a live run may get no second before it grows.
            return anomaly_rules.anomalies(self.anomaly_scores(window), threshold)
        offsets, recorded = self._known_samples().class_offsets, self._predictions().recorded
        flips = self._kept(("flips by cell",), lambda: flips_by_cell(self._events(), offsets))
        bounding = bounding_window(window)
        top = self._kept(("top cells", bounding), lambda: top_cells(flips, bounding))
        found = anomalies_at(flips, top, window, threshold)
        if len(recorded) == self._predictions().dumps:
            return found
        highest = found.highest and replace(found.highest, dump=int(recorded[found.highest.dump]))
        return replace(found, dump=recorded[found.dump].astype(np.int32), highest=highest)

    def anomaly_counts(self) -> npt.NDArray[np.int32]:
        """int32 (windows, 101): how many anomalies each of WINDOWS and each threshold in percent would show."""
        offsets = self._known_samples().class_offsets
        return self._kept(("counts",), lambda: anomaly_rules.count_table(self._events(), offsets, WINDOWS))

    def class_index(self, cls: int | str) -> int:
        """The index of a class given by index or name; `UnknownNameError`."""
        names = self.class_names
        if isinstance(cls, str) and cls in names:
            return names.index(cls)
        if not isinstance(cls, str) and 0 <= cls < len(names):
            return int(cls)
        raise UnknownNameError(f"no class {cls!r} in this run. It has {len(names)}: {', '.join(names[:12])} ...")

    @staticmethod
    def _order(correct: npt.NDArray[np.bool_]) -> Ordering:
        """The similarity order of the rows of bool (samples, recorded dumps), the easy ones first."""
        return similarity_order_of_bits(packed(correct), correct.shape[1])

    def _read_samples(self) -> bool:
        try:
            self._samples = read_samples(self._blobs)
        except LogFileError as error:
            self._log.note_problem("samples/labels.arrow", str(error))
        if self._samples is None:
            return False
        self._index.samples = self._samples
        self._history = PredictionHistory(self._log, self._samples, self._index)
        return True

    def _predictions(self) -> PredictionHistory:
        if self._history is None:
            raise DeepTrackerError(
                f"no predictions in {self._blobs.place}. Record them: Recorder(..., validation=...) or predictions()."
            )
        self._kept(("predictions are read",), self._history.refresh)
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

    def _events(self) -> FlipEvents:
        return self._kept(("events",), self._find_events)

    def _find_events(self) -> FlipEvents:
        return flip_events_of_bits(*self._correct_bits())

    def _correct_bits(self) -> tuple[npt.NDArray[np.uint64], int]:
        """Which samples were right, as `flip_events_of_bits` takes it, and how many dumps have predictions."""
        history, samples = self._predictions(), len(self._known_samples().labels)
        words = history.correct_words()
        if words is not None:
            return words, history.dumps
        starts = range(0, max(samples, 1), PIECE_SAMPLES)
        pieces = [packed(history.correct(slice(start, min(start + PIECE_SAMPLES, samples)))) for start in starts]
        return np.concatenate(pieces, axis=1), len(history.recorded)

    def _spread_clusters(self, k: int) -> Clusters:
        found = cluster_curves(self._predictions().recorded_error_rates, k)
        return replace(found, curves=self._predictions().spread(found.curves, np.nan))

    def _spread(self, scores: AnomalyScores) -> AnomalyScores:
        spread = [self._predictions().spread(part, 0) for part in (scores.left, scores.right, scores.pending)]
        return AnomalyScores(spread[0], spread[1], spread[2], scores.sizes, scores.window)
