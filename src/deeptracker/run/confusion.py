"""What does a run say of which class is taken for which?

1. At a dump all samples are read from its file in the log, which takes a millisecond, and counted.
2. Over all dumps the samples of a class are read, as for everything else that concerns a class (store/sample_rows.py).
3. The order in which confused classes are neighbours is that of the whole run, so that it stays while one looks from
   dump to dump: counted over ORDER_DUMPS dumps spread over those that have predictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.clusters import Ordering
from deeptracker.analysis.confusion import (
    Confusion,
    ConfusionChange,
    Flows,
    Pairs,
    added,
    change,
    confusion,
    course,
    flows,
    most_confused,
)
from deeptracker.analysis.levels import LevelColumns, columns_for
from deeptracker.errors import DeepTrackerError
from deeptracker.run.classes import ClassAnswers
from deeptracker.run.opened import Floats
from deeptracker.schema import UNDEFINED, Predictions

ORDER_DUMPS = 32
"""Enough that no single dump decides; at the paper's scale it takes 1.5 s to read, count and order them."""

Int32s = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Courses:
    """How many samples are taken so, in columns of `level` dumps; `first` is the first dump of the first column.

    `counts` int32 (cells, columns): at that dump of the column at which most are; -1 where no dump of it has
    predictions.
    """

    level: int
    first: int
    counts: Int32s


@dataclass(frozen=True, slots=True, eq=False)
class ConfusedPairs:
    """Pairs that are confused most at a dump, and how often they are over time: of pair i the `courses` i and
    i + pairs are those of `first` taken for `second`, and back.
    """

    pairs: Pairs
    courses: Courses


@dataclass(frozen=True, slots=True, eq=False)
class TakenSamples:
    """Samples that are taken for one class at a dump: `samples` int32 (n,), their `ids`, and `probability` float32
    (n,) of the true class, NaN where unknown. Those of which the network is surest that they are something else come
    first.
    """

    samples: Int32s
    ids: tuple[str, ...]
    probability: Floats


class ConfusionAnswers(ClassAnswers):
    """Which class is taken for which.

    Dumps are named by their iteration: `UnknownNameError` for one that there is not, DeepTrackerError for one without
    predictions, `LogFileError` where they cannot be read.
    """

    def confusion(self, iteration: int) -> Confusion:
        """How many samples of each class are taken for what at a dump."""
        return confusion(self._predictions_at(iteration).predicted, self._known_samples().class_offsets)

    def confusion_change(self, before: int, after: int) -> ConfusionChange:
        """The same at two dumps, cell by cell."""
        return change(self.confusion(before), self.confusion(after))

    def confusion_flows(self, before: int, after: int, cls: int | str | None = None) -> Flows:
        """Which samples are taken for what at two dumps: of all classes those that are taken for something else; of
        one class all. `UnknownNameError` for an unknown class.
        """
        c = None if cls is None else self.class_index(cls)
        found = [self._predictions_at(one).predicted for one in (before, after)]
        return flows(found[0], found[1], self._known_samples().class_offsets, c)

    def confusion_course(
        self, cls: int | str, predicted: int, width: int | None = None, first: int = 0, end: int | None = None
    ) -> Courses:
        """How many samples of a class are taken for another (or for none: -2, -1) over time; columns as in levels.py,
        without `width` one a dump. `UnknownNameError` for an unknown class, ValueError for predicted < -2.
        """
        if predicted < UNDEFINED:
            raise ValueError(f"predicted must be a class, -2 (no number) or -1 (not evaluated). Got {predicted}.")
        asked = self._shown_columns(width, first, end)
        return Courses(asked.level, asked.first, _most(self._course(self.class_index(cls), predicted), asked)[None])

    def confused_pairs(
        self, iteration: int, most: int = 12, width: int | None = None, first: int = 0, end: int | None = None
    ) -> ConfusedPairs:
        """At most so many pairs of classes that are confused most at a dump, and their course; columns as above.

        ValueError for most < 1.
        """
        pairs = most_confused(self.confusion(iteration), most)
        asked = self._shown_columns(width, first, end)
        ways = [(pairs.first, pairs.second), (pairs.second, pairs.first)]
        cells = [(int(c), int(label)) for true, taken in ways for c, label in zip(true, taken, strict=True)]
        counts = [_most(self._course(c, label), asked) for c, label in cells]
        together = np.stack(counts) if counts else np.zeros((0, asked.count), np.int32)
        return ConfusedPairs(pairs, Courses(asked.level, asked.first, together))

    def confusion_samples(self, iteration: int, cls: int | str, predicted: int) -> TakenSamples:
        """The samples of a class that are taken for another (or for none) at a dump."""
        rows = self._rows(self.class_index(cls))
        read = self._predictions_at(iteration)
        chosen = np.flatnonzero(read.predicted[rows] == predicted)
        probability = read.probability[rows][chosen].astype(np.float32)
        order = np.argsort(probability, kind="stable")  # NaN last
        ids = self._known_samples().ids[rows]
        found = chosen[order]
        return TakenSamples((rows.start + found).astype(np.int32), tuple(ids[at] for at in found), probability[order])

    def confusion_order(self) -> Ordering:
        """The classes, those that are confused with each other side by side, over the whole run."""
        return self._kept(("confusion order",), self._find_order)

    def _find_order(self) -> Ordering:
        from deeptracker.analysis.confusion_order import confusion_order  # with it comes scipy, which takes a while

        recorded = self._predictions().recorded
        if not len(recorded):
            return Ordering(np.arange(len(self.class_names), dtype=np.int32), "as they are numbered")
        places = np.unique(np.linspace(0, len(recorded) - 1, min(ORDER_DUMPS, len(recorded))).round().astype(int))
        iterations = self.iterations[recorded[places]]
        return confusion_order(added([self.confusion(int(one)) for one in iterations]))

    def _course(self, c: int, label: int) -> Int32s:
        return self._kept(("confusion course", c, label), partial(self._count_course, c, label))

    def _count_course(self, c: int, label: int) -> Int32s:
        history = self._predictions()
        counts = course(history.predicted(self._rows(c)), label)
        lacking = np.ones(len(counts), np.bool_)
        lacking[history.recorded] = False
        counts[lacking] = -1
        return counts

    def _shown_columns(self, width: int | None, first: int, end: int | None) -> LevelColumns:
        dumps = self._predictions().dumps
        return columns_for(dumps, max(1, dumps) if width is None else width, first, end)

    def _predictions_at(self, iteration: int) -> Predictions:
        samples, dump = self._known_samples(), self._log.dump_at(iteration)
        if "predictions" not in dump.paths:
            raise DeepTrackerError(
                f"the dump at iteration {iteration} has no predictions. Ask for one that has: validation_error() is a "
                "number there."
            )
        return self._log.predictions(dump, len(samples.labels))


def _most(counts: npt.NDArray[Any], asked: LevelColumns) -> Int32s:
    """int32 (columns,): the largest of each column, of int32 (dumps of the run,)."""
    own = counts[asked.first : asked.end]
    if asked.level == 1 or not len(own):
        return own.astype(np.int32)
    return np.maximum.reduceat(own, np.arange(0, len(own), asked.level)).astype(np.int32)
