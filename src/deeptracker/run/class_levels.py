"""What does a run say of the samples of a class where there is room for fewer columns than dumps?

1. Columns are those of levels.py. Which samples were right is known of all dumps, a bit each (store/correct_bits.py):
   shares of dumps, flips and the order of samples are counted in these words, 64 dumps at a time.
2. What the rules of anomalies and the order of samples say follows from all dumps, whatever part is asked for.
3. What samples are taken for has no level that is stored: it is counted in the predictions of all dumps, and kept.
4. Where a dump has no predictions, or a sample is missing at one, predictions are read in place of bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.anomalies import flip_events_of_bits, scores
from deeptracker.analysis.bits import WORD, Words, count_by_column, packed
from deeptracker.analysis.classes import ClassLevels, TakenFor, wrong_labels
from deeptracker.analysis.clusters import similarity_order_of_bits
from deeptracker.analysis.levels import LevelColumns, columns_for
from deeptracker.run.classes import ClassAnswers
from deeptracker.run.opened import Floats
from deeptracker.schema import MISSING

Int32s = npt.NDArray[np.int32]


class ClassLevelAnswers(ClassAnswers):
    """The samples of a class in as many columns as there is room for; `width`, `first` and `end` as in levels.py."""

    def class_levels(
        self, cls: int | str, width: int, window: int = 10, first: int = 0, end: int | None = None
    ) -> ClassLevels:
        """Which samples of a class were wrong, and how many flip under both rules of anomalies at a `window` (dumps).

        Needs predictions; `UnknownNameError` for an unknown class, ValueError for a window < 1.
        """
        c = self.class_index(cls)
        history, rows = self._predictions(), self._rows(c)
        asked = columns_for(history.dumps, width, first, end)
        found = history.correct_words_of(rows)
        words, dumps = (self._carried_words(rows), len(history.recorded)) if found is None else (found, history.dumps)
        left, right = self._most_firing(words, dumps, window, asked)
        predicted = None
        if asked.level == 1:
            predicted = history.predicted(rows, asked.first, asked.end)
            error = wrong_share(predicted, c, 1)
        elif found is None:
            error = wrong_share(history.predicted(rows, asked.first, asked.end), c, asked.level)
        else:
            error = _wrong_share_of_bits(found, asked)
        return ClassLevels(
            asked.level,
            asked.first,
            np.arange(rows.start, rows.stop, dtype=np.int32),
            tuple(self._known_samples().ids[rows]),
            self._kept(("order", c), lambda: similarity_order_of_bits(words, dumps)),
            error,
            left,
            right,
            predicted,
        )

    def taken_for(self, cls: int | str, width: int, most: int = 5, first: int = 0, end: int | None = None) -> TakenFor:
        """What samples of a class are taken for: at most so many classes apart, and all others together.

        Needs predictions; `UnknownNameError` for an unknown class, ValueError for most < 1.
        """
        if most < 1:
            raise ValueError(f"most must be >= 1. Got {most}. It is how many wrong classes are told apart.")
        c = self.class_index(cls)
        history, rows = self._predictions(), self._rows(c)
        asked = columns_for(history.dumps, width, first, end)
        whole: TakenFor = self._kept(("taken", c, most), lambda: wrong_labels(history.predicted(rows), c, most))
        counts, known = (_by_column(np.add, of_all, asked) for of_all in (whole.counts, whole.known))
        return TakenFor(asked.level, asked.first, whole.labels, counts, known)

    def _carried_words(self, rows: slice) -> Words:
        return packed(self._predictions().correct(rows))

    def _most_firing(self, words: Words, dumps: int, window: int, asked: LevelColumns) -> tuple[Int32s, Int32s]:
        """How many samples fire under the left and the right rule at most, int32 (columns,) each."""
        samples = words.shape[1]
        found = self._spread(scores(flip_events_of_bits(words, dumps), np.array([0, samples]), window))
        counts = (np.rint(share[0] * samples).astype(np.int32) for share in (found.left, found.right))
        left, right = (_by_column(np.maximum, of_all, asked) for of_all in counts)
        return left, right


def wrong_share(predicted: npt.NDArray[np.integer], truth: int, level: int) -> Floats:
    """float32 (samples, columns): the share of wrong predictions of int (samples, dumps), NaN where all are missing.

    >>> wrong_share(np.array([[0, 1, -1, 0, -1]]), 0, 4).tolist()
    [[0.3333333432674408, nan]]
    """
    starts = np.arange(0, predicted.shape[1], level)
    if not len(starts):
        return np.zeros((len(predicted), 0), np.float32)
    known = predicted != MISSING
    counts = [np.add.reduceat(flags, starts, axis=1, dtype=np.int32) for flags in (known & (predicted != truth), known)]
    with np.errstate(invalid="ignore"):
        return (counts[0] / counts[1]).astype(np.float32)


def _wrong_share_of_bits(words: Words, asked: LevelColumns) -> Floats:
    """The same of a record without gaps, of bits of all dumps, in the columns asked for."""
    before = asked.first // WORD
    right = count_by_column(words[before : -(-asked.end // WORD)], asked.end - before * WORD, asked.level)
    right = right[:, asked.first // asked.level - before * (WORD // asked.level) :]
    sizes = np.full(asked.count, asked.level, np.int32)
    if asked.count:
        sizes[-1] = asked.end - asked.first - (asked.count - 1) * asked.level
    return ((sizes - right) / sizes).astype(np.float32)


def _by_column(reduce: np.ufunc, values: Int32s, asked: LevelColumns) -> Int32s:
    """int32 (..., columns) of int32 (..., dumps of the run)."""
    own = values[..., asked.first : asked.end]
    if asked.level == 1:
        return own.copy()
    starts = np.arange(0, own.shape[-1], asked.level)
    return reduce.reduceat(own, starts, axis=-1, dtype=np.int32) if len(starts) else own[..., :0].copy()
