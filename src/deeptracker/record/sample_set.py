"""Which samples does a run follow, and where does each stand?

The first complete evaluation fixes them: their ids, labels and, where there are, pictures. From then on a sample is its
place in class order. Later evaluations are put in that order; what they lack is -1 and NaN, what they have beyond it is
left out and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.schema import Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.samples import Samples, class_order, write_samples


@dataclass(frozen=True, slots=True)
class Outcome:
    """One evaluation in the order of the data, all (n,): labels, predicted int64; probability, loss float16."""

    ids: Sequence[str]
    labels: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float16]
    loss: npt.NDArray[np.float16]
    classes: int

    @property
    def error_rate(self) -> float:
        """Share of samples with a predicted label other than the true one."""
        return float(np.mean(self.predicted != self.labels))


class SampleSet:
    """The samples of a run, in class order."""

    def __init__(
        self, ids: Sequence[str], labels: npt.NDArray[np.integer], classes: int, pictures: list[bytes] | None = None
    ) -> None:
        order = class_order(labels)
        self.ids = tuple(str(ids[i]) for i in order)
        self.labels = labels[order].astype(np.int32)
        self.classes = classes
        self._pictures = None if pictures is None else [pictures[i] for i in order]
        self._places = {name: place for place, name in enumerate(self.ids)}
        self._is_written = False
        if len(self._places) != len(self.ids):
            raise ValueError(
                f"ids of validation samples must differ. Got {len(self.ids) - len(self._places)} more than once."
            )

    @classmethod
    def stored(cls, samples: Samples) -> SampleSet:
        """Those of a run that is continued."""
        found = cls(samples.ids, samples.labels, samples.classes)
        found._is_written = True
        return found

    def __len__(self) -> int:
        return len(self.ids)

    def write(self, blobs: Blobs) -> None:
        """Write them, once."""
        if not self._is_written:
            write_samples(blobs, self.ids, self.labels, classes=self.classes, pictures=self._pictures)
            self._is_written, self._pictures = True, None

    def check(self, ids: Sequence[str], labels: npt.NDArray[np.integer], *, complete: bool) -> int:
        """How many of these samples are unknown; ValueError if known ones have other labels or, `complete`, differ."""
        places = self._places_of(ids)
        known = places >= 0
        if complete and (len(ids) != len(self) or not known.all()):
            raise ValueError(
                f"validation must have the run's {len(self)} samples each time. Got {len(ids)}. "
                "Use the same validation data, or record another run."
            )
        differing = int((self.labels[places[known]] != labels[known]).sum())
        if differing:
            raise ValueError(
                f"validation must give the same samples in the same order each time. Got {differing} with another "
                "label than at first. Use shuffle=False, or record another run."
            )
        return int((~known).sum())

    def predictions(self, outcome: Outcome) -> Predictions:
        """An evaluation in class order."""
        places = self._places_of(outcome.ids)
        known = places >= 0
        rows = places[known]
        kind = np.int16 if self.classes <= np.iinfo(np.int16).max else np.int32
        predicted: npt.NDArray[np.integer[Any]] = np.full(len(self), -1, kind)
        probability = np.full(len(self), np.nan, np.float16)
        loss = np.full(len(self), np.nan, np.float16)
        predicted[rows] = outcome.predicted[known]
        probability[rows] = outcome.probability[known]
        loss[rows] = outcome.loss[known]
        return Predictions(predicted, probability, loss)

    def share(self, outcome: Outcome) -> Predictions:
        """An evaluation of some of the samples, which it names, as one process of several writes it."""
        places = self._places_of(outcome.ids)
        rows = np.sort(places[places >= 0])
        whole = self.predictions(outcome)
        loss = None if whole.loss is None else whole.loss[rows]
        return Predictions(whole.predicted[rows], whole.probability[rows], loss, rows.astype(np.int32))

    def _places_of(self, ids: Sequence[str]) -> npt.NDArray[np.int64]:
        return np.array([self._places.get(name, -1) for name in ids], np.int64)
