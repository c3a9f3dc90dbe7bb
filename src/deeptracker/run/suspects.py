"""Which samples of a run are likely to have a wrong label? The score of analysis/suspicion.py, over all classes.

1. The weights of dumps are found from some samples, spread evenly over all classes.
2. Classes are then read a few at a time, so that memory is bounded, however many samples and dumps there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.suspicion import (
    Suspects,
    dump_weights,
    ranked,
    suspects_of_class,
    true_probability,
)
from deeptracker.run.correlation import CorrelationAnswers

PIECE_CELLS = 1 << 22
"""Classes of about so many samples x dumps are read at a time."""

WEIGHED_SAMPLES = 4096
"""The weights of dumps are found from about so many samples."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassRows:
    """What was predicted of the samples of a class, whose indexes begin at `first`, at the dumps that have predictions.

    `predicted` int (samples, dumps), -1 where missing; `probability` float32 of the true class (suspicion.py).
    """

    cls: int
    first: int
    predicted: npt.NDArray[np.integer]
    probability: npt.NDArray[np.float32]


class SuspectAnswers(CorrelationAnswers):
    """The ranking of likely mislabelled samples. Needs predictions."""

    def suspects(self, most: int | None = None) -> Suspects:
        """All samples, or at most so many, the likeliest to have a wrong label first (analysis/suspicion.py)."""
        found: Suspects = self._kept(("suspects",), self._rank)
        if most is None:
            return found
        return Suspects(**{name: getattr(found, name)[:most] for name in Suspects.__dataclass_fields__})

    def _rank(self) -> Suspects:
        weights = self._dump_weights()
        return ranked(
            [
                suspects_of_class(rows.predicted, rows.cls, rows.probability, weights, rows.first)
                for rows in self._class_rows()
            ]
        )

    def _dump_weights(self) -> npt.NDArray[np.float32]:
        step = max(1, len(self._known_samples().labels) // WEIGHED_SAMPLES)
        spread = [rows.probability[(-rows.first) % step :: step] for rows in self._class_rows()]
        return dump_weights(np.concatenate(spread)) if spread else np.zeros(0, np.float32)

    def _class_rows(self) -> Iterator[ClassRows]:
        """Every class that has samples, in order."""
        history, labels = self._predictions(), self._known_samples().labels
        recorded = history.recorded
        for classes in self._pieces_of_classes(len(recorded)):
            start, stop = self._rows(classes[0]).start, self._rows(classes[-1]).stop
            rows = slice(start, stop)
            predicted = history.predicted(rows)[:, recorded]
            probability = true_probability(predicted, labels[rows], history.detail("probability", rows)[:, recorded])
            for cls in classes:
                own = self._rows(cls)
                if own.start < own.stop:
                    of_class = slice(own.start - start, own.stop - start)
                    yield ClassRows(cls, own.start, predicted[of_class], probability[of_class])

    def _pieces_of_classes(self, dumps: int) -> list[range]:
        offsets = self._known_samples().class_offsets
        cells = offsets * dumps // PIECE_CELLS  # classes that begin in the same piece
        borders = [0, *(np.flatnonzero(np.diff(cells[:-1])) + 1).tolist(), len(offsets) - 1]
        return [range(first, end) for first, end in pairwise(borders) if first < end]
