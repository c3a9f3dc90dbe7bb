"""What is trouble, so that what came before it is worth keeping?

1. NaN or infinity in weights, gradients or the loss. Told once, until all has been finite again.
2. A leap of the loss: three of five losses in a row are above every one of the 200 before them (at least 100), and
   above their median by more than six deviations (1.4826 x the median absolute deviation). Whatever the losses are
   distributed like, as long as they do not depend on each other, the first condition alone holds by chance at one
   iteration in 140,000 (10 / C(205, 3)). Then the record of losses begins anew.
3. An anomaly: at a dump the score of some class (its samples that flip after `window` dumps or more, left rule of
   analysis/anomalies.py) reaches the suggested threshold. Window and threshold are the best that
   analysis/suggestions.py finds in the dumps so far, from 24 on; found again when these are a quarter more. Told once,
   until a dump has none: in a network that has collapsed classes flip at every dump.

Arrays and numbers in, reasons out: who calls decides when, and on which thread suggestions are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from deeptracker.analysis.anomalies import needed_counts
from deeptracker.analysis.bits import packed
from deeptracker.analysis.suggestions import Setting, suggest_of_bits
from deeptracker.schema import MISSING, Layer, Predictions, Reason

BEFORE, LEAST_BEFORE = 200, 100
LAST, MOST_OF_LAST = 5, 3
DEVIATIONS = 6.0
NORMAL = 1.4826
"""A median absolute deviation times this is the standard deviation of a normal distribution."""

FIRST_SUGGESTION, SUGGEST_AGAIN = 24, 1.25
HISTORY_CELLS = 1 << 26
"""Samples x dumps that suggestions are computed from, at most: the newest dumps."""

_NAMED = 3


class NonFinite:
    """Watches weights, gradients and losses for NaN and infinities."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers
        self._is_bad = {"measures": False, "loss": False}

    def measures(self, iterations: npt.NDArray[np.int64], counts: npt.NDArray[np.float32]) -> list[Reason]:
        """Counts of what is not finite, (iterations, filters)."""
        found = self._first("measures", iterations, (counts != 0).any(axis=1))
        if found is None:
            return []
        at = counts[found]
        of = [x.name for x in self._layers if at[x.offset : x.offset + x.filters].any()]
        where = f"in {', '.join(of[:_NAMED])}" + (f" and {len(of) - _NAMED} more layers" if len(of) > _NAMED else "")
        iteration = int(iterations[found])
        text = f"weights or gradients are NaN or infinite from iteration {iteration:,} on, {where}"
        return [Reason("nan", text, iteration)]

    def losses(self, iterations: npt.NDArray[np.int64], losses: npt.NDArray[np.float64]) -> list[Reason]:
        """Losses as they were logged."""
        found = self._first("loss", iterations, ~np.isfinite(losses))
        if found is None:
            return []
        iteration = int(iterations[found])
        return [Reason("nan", f"the loss is NaN or infinite from iteration {iteration:,} on", iteration)]

    def _first(self, what: str, iterations: npt.NDArray[np.int64], bad: npt.NDArray[np.bool_]) -> int | None:
        """Where it began, if it did; a trouble that goes on is not told again."""
        if not len(iterations):
            return None
        begins = bad & ~np.concatenate([[self._is_bad[what]], bad[:-1]])
        self._is_bad[what] = bool(bad[-1])
        return int(np.argmax(begins)) if begins.any() else None


class Leaps:
    """Watches losses for a leap (rule 2)."""

    def __init__(self) -> None:
        self._iterations = np.zeros(0, np.int64)
        self._losses = np.zeros(0)

    def losses(self, iterations: npt.NDArray[np.int64], losses: npt.NDArray[np.float64]) -> list[Reason]:
        """The next losses, in their order; those that are not finite are passed over."""
        finite = np.isfinite(losses)
        self._iterations = np.concatenate([self._iterations, iterations[finite]])
        self._losses = np.concatenate([self._losses, losses[finite]])
        found = []
        while (reason := self._next()) is not None:
            found.append(reason)
        kept = BEFORE + LAST - 1  # what the next loss is judged with
        self._iterations, self._losses = self._iterations[-kept:], self._losses[-kept:]
        return found

    def _next(self) -> Reason | None:
        for end in _candidates(self._losses):
            before, last = self._losses[max(0, end - LAST - BEFORE) : end - LAST], self._losses[end - LAST : end]
            middle = float(np.median(before))
            limit = middle + DEVIATIONS * NORMAL * float(np.median(np.abs(before - middle)))
            above = np.flatnonzero((last > before.max()) & (last > limit))
            if len(above) >= MOST_OF_LAST:
                iteration = int(self._iterations[end - LAST + above[0]])
                text = (
                    f"the loss leapt at iteration {iteration:,}, to {np.median(last[above]):.4g}: before, its median "
                    f"was {middle:.4g} and its highest {before.max():.4g} in {len(before)} iterations"
                )
                self._iterations, self._losses = self._iterations[end:], self._losses[end:]
                return Reason("loss", text, iteration)
        return None


class Anomalies:
    """Watches the dumps' predictions for classes of which many samples flip (rule 3).

    `labels` int (samples,) are those of the run in class order, `names` what classes are called.
    """

    def __init__(self, labels: npt.NDArray[np.integer], names: Sequence[str] = ()) -> None:
        self._labels, self._names = labels, names
        self._correct = np.zeros(len(labels), bool)
        self._known = np.zeros(len(labels), bool)
        self._runs = np.zeros(len(labels), np.int32)
        self._history: list[npt.NDArray[np.uint8]] = []
        self._suggested_at = 0
        self._is_told = False
        self.dumps = 0
        self.setting: Setting | None = None

    def predictions(self, iteration: int, predictions: Predictions) -> list[Reason]:
        """Those of the next dump; samples without a prediction stay as they were."""
        place = slice(None) if predictions.samples is None else predictions.samples
        evaluated = np.zeros(len(self._labels), bool)
        evaluated[place] = predictions.predicted != MISSING
        correct = self._correct.copy()
        correct[place] = predictions.predicted == self._labels[place]
        correct = np.where(evaluated, correct, self._correct)
        flipped = (correct != self._correct) & self._known
        found = self._judged(iteration, flipped)
        was_told, self._is_told = self._is_told, bool(found)
        self._runs = np.where(flipped, 1, self._runs + 1).astype(np.int32)
        self._correct, self._known = correct, self._known | evaluated
        self._history.append(np.packbits(correct))
        del self._history[: -max(FIRST_SUGGESTION, HISTORY_CELLS // max(1, len(correct)))]
        self.dumps += 1
        return [] if was_told else found

    def suggestion(self) -> Callable[[], None] | None:
        """What finds the setting in the dumps so far, in seconds, on any one thread; None until that is due."""
        if self.dumps < max(FIRST_SUGGESTION, SUGGEST_AGAIN * self._suggested_at):
            return None
        self._suggested_at = self.dumps
        known, history = np.flatnonzero(self._known), list(self._history)

        def find() -> None:
            rows = np.stack([np.unpackbits(bits, count=len(self._labels))[known] for bits in history], axis=1)
            offsets = np.searchsorted(self._labels[known], np.arange(int(self._labels.max(initial=0)) + 2))
            found = suggest_of_bits(packed(rows.view(np.bool_)), len(history), offsets, settings=1)
            self.setting = found[0] if found else None

        return find

    def _judged(self, iteration: int, flipped: npt.NDArray[np.bool_]) -> list[Reason]:
        setting = self.setting
        if setting is None:
            return []
        classes = int(self._labels.max(initial=0)) + 1
        sizes = np.bincount(self._labels[self._known], minlength=classes)
        fired = np.bincount(self._labels[flipped & (self._runs >= setting.window)], minlength=classes)
        needed = needed_counts(sizes, np.array([setting.threshold]))
        return [
            Reason("anomaly", self._text(cls, fired[cls] / sizes[cls], setting), iteration, cls)
            for cls in np.flatnonzero((fired >= needed) & (sizes > 0)).tolist()
        ]

    def _text(self, cls: int, share: float, setting: Setting) -> str:
        name = self._names[cls] if cls < len(self._names) else str(cls)
        dumps = f"{setting.window} dumps" if setting.window > 1 else "a dump"
        return (
            f"class {name}: {share:.0%} of its samples changed after {dumps} or more "
            f"(suggested threshold {setting.threshold:.0%})"
        )


def _candidates(losses: npt.NDArray[np.float64]) -> list[int]:
    """Where five in a row end of which three are above all before them; places from there on, ascending."""
    if len(losses) < LEAST_BEFORE + LAST:
        return []
    padded = np.concatenate([np.full(BEFORE, -np.inf), losses])
    highest = sliding_window_view(padded, BEFORE).max(axis=1)[: len(losses)]  # of the 200 before each
    third = np.partition(sliding_window_view(losses, LAST), LAST - MOST_OF_LAST, axis=1)[:, LAST - MOST_OF_LAST]
    ends = np.arange(LAST, len(losses) + 1)
    above = (third > highest[ends - LAST]) & (ends >= LEAST_BEFORE + LAST)
    found: list[int] = ends[above].tolist()
    return found
