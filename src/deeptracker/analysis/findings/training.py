"""What is wrong with a training as a whole? Rules on its errors, its loss and its learning rate.

Errors are those at the dumps, each the median of 3 neighbours; "late" is the last quarter of the dumps. Rules on
errors need at least 8 dumps with both.

1. *Not learning*: in the last half of at least 10 dumps the share of validation samples that are right is, in the
   median, no more than guessing: 1.5 times the share of the largest class, at most 5 % above it, and three standard
   errors.
   From 20 dumps on it is told as severe.
2. *Overfitting*: late the validation error is at least 0.08 above the training error, and more than twice it; and it
   has risen, at three of four late dumps to 0.05 and a quarter above its best (the median of a tenth of the dumps, so
   that one lucky dump is none) while the training error fell (severe), or it has gained nothing since the middle of the
   record (dumps from 40 to 60 %): not a tenth, or not two standard errors. The fifth of the classes with the largest
   error late is left out: a class that has no training images, or two that are exchanged, are another fault.
3. *Underfitting*: late both errors are at least 0.3 and within 0.15 of each other; the network is better than guessing
   (otherwise rule 1 tells).
4. *Loss spike*: it is 3 times the median of the (up to 50, at least 10) values logged before it, and above that
   by half of the median of the first 10. Neighbouring spikes are one. An infinite loss is told as not finite.
5. *Error step*: where the learning rate drops, the median error of the 5 dumps after it (the first left out) is 0.05
   and 30 % below that of the 5 before, and as far below what it would be had it gone on as in the second half of the
   stage (a straight line through at least 5 dumps).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.analysis.scalars import Stage

Doubles = NDArray[np.float64]

ERROR_DUMPS, LATE = 8, 0.25
GUESSING_DUMPS, CERTAIN_DUMPS = 10, 20
GUESSING, GUESSING_ABOVE, STANDARD_ERRORS = 1.5, 0.05, 3.0
LARGEST_CLASS = 0.9
"""Where one class makes more of the samples, guessing cannot be told from knowing by how many are right."""
GAP, GAP_TIMES, NO_BETTER, GAIN_ERRORS = 0.08, 2.0, 0.9, 2.0
WORST_CLASSES = 5
"""One of so many classes is left out."""
RISEN, RISEN_TIMES = 0.05, 1.25
STUCK, STUCK_APART = 0.3, 0.15
SPIKE, SPIKE_OF_FIRST, LOSSES_BEFORE, LEAST_LOSSES, FIRST_LOSSES = 3.0, 0.5, 50, 10, 10
STEP, STEP_SHARE, STEP_DUMPS = 0.05, 0.3, 5


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRecord:
    """A training as a whole; float64, NaN where unknown.

    `iterations` int64 (dumps,), with `train_error`, `validation_error` and `learning_rate` (dumps,), errors as shares;
    `usual_error` (dumps,) is the mean validation error of the classes without the worst fifth of them;
    `loss_iterations` int64 (n,) and `loss` (n,), as it was logged; the `stages` of the learning rate; how many samples
    are validated on, and the share of them that the largest class has.
    """

    iterations: NDArray[np.int64]
    train_error: Doubles
    validation_error: Doubles
    usual_error: Doubles
    learning_rate: Doubles
    loss_iterations: NDArray[np.int64]
    loss: Doubles
    stages: Sequence[Stage] = ()
    samples: int = 0
    largest_class: float = 0.0

    def __post_init__(self) -> None:
        for name in ("train_error", "validation_error", "usual_error", "learning_rate"):
            if getattr(self, name).shape != self.iterations.shape:
                raise ValueError(f"{name} must have one value a dump. Got {getattr(self, name).shape}.")
        if self.loss.shape != self.loss_iterations.shape:
            raise ValueError(f"loss must go with loss_iterations. Got {self.loss.shape}.")

    def at(self, dumps: NDArray[np.intp]) -> TrainingRecord:
        """The same training with these of its dumps only."""
        names = ("iterations", "train_error", "validation_error", "usual_error", "learning_rate")
        return replace(self, **{name: getattr(self, name)[dumps] for name in names})

    @property
    def guessing(self) -> float:
        """The share of samples that is right by guessing, generously."""
        largest = self.largest_class
        noise = STANDARD_ERRORS * np.sqrt(largest * (1 - largest) / max(1, self.samples))
        return float(min(GUESSING * largest, largest + GUESSING_ABOVE) + noise)


def not_learning(record: TrainingRecord) -> Iterator[Finding]:
    """Rule 1."""
    known = np.flatnonzero(np.isfinite(record.validation_error))
    if len(known) < GUESSING_DUMPS or not 0 < record.largest_class <= LARGEST_CLASS:
        return
    half = known[len(known) // 2 :]
    right = 1 - float(np.median(record.validation_error[half]))
    if right > record.guessing:
        return
    trained = record.train_error[half]
    trained = trained[np.isfinite(trained)]
    beside = f" The training error is {np.median(trained):.2f} there." if len(trained) else ""
    yield Finding(
        "not-learning",
        "high" if len(known) >= CERTAIN_DUMPS else "medium",
        f"After {int(record.iterations[known[-1]]):,} iterations the network is right no more often than by guessing.",
        f"{100 * right:.1f} % of {record.samples:,} validation samples are right in the median of the last {len(half)} "
        f"dumps; the largest class alone makes {100 * record.largest_class:.1f} %.{beside}",
        Place(first=int(record.iterations[half[0]]), last=int(record.iterations[half[-1]])),
    )


def overfitting(record: TrainingRecord) -> Iterator[Finding]:
    """Rule 2."""
    known, train, validation = _errors(record, record.usual_error)
    if not len(known):
        return
    late, middle = (
        _late(len(known)),
        slice(int(0.4 * len(known)), max(int(0.4 * len(known)) + 1, int(0.6 * len(known)))),
    )
    trained, validated = float(np.median(train[late])), float(np.median(validation[late]))
    then = float(np.median(validation[middle]))
    if validated - trained < GAP or validated < GAP_TIMES * trained:
        return
    level = _smoothed(record.usual_error[known], max(1, len(known) // 20))
    lowest = int(level.argmin())
    best, noise = float(level[lowest]), float(np.sqrt(then * (1 - then) / max(1, record.samples)))
    mostly = float(np.quantile(validation[late], 0.25))
    has_risen = mostly >= max(best + RISEN, RISEN_TIMES * best) and trained < train[lowest]
    gained = validated < min(NO_BETTER * then, then - GAIN_ERRORS * noise)
    if gained and not has_risen:
        return
    risen = f" Its best was {best:.2f}, at iteration {_at(record, known, lowest):,}." if has_risen else ""
    yield Finding(
        "overfitting",
        "high" if has_risen else "medium",
        "The network learns its training images by heart, and gains nothing on others.",
        f"Training error {trained:.2f}, validation error {validated:.2f} in the last quarter of the dumps, {then:.2f} "
        f"in the middle of the training; the worst fifth of the classes is left out.{risen}",
        Place(first=_at(record, known, late.start), last=_at(record, known, -1)),
    )


def underfitting(record: TrainingRecord) -> Iterator[Finding]:
    """Rule 3."""
    known, train, validation = _errors(record, record.validation_error)
    if not len(known):
        return
    late = _late(len(known))
    trained, validated = float(np.median(train[late])), float(np.median(validation[late]))
    if min(trained, validated) < STUCK or abs(validated - trained) > STUCK_APART or 1 - validated <= record.guessing:
        return
    falls = float(np.median(validation[: late.start])) - validated
    yield Finding(
        "underfitting",
        "medium" if min(trained, validated) >= 0.5 else "low",
        "The network has not learned its training images, nor others any less.",
        f"Training error {trained:.2f}, validation error {validated:.2f} in the last quarter of the dumps; before, the "
        f"validation error was {validated + falls:.2f} in the median.",
        Place(first=_at(record, known, late.start), last=_at(record, known, -1)),
    )


def loss_spikes(record: TrainingRecord) -> Iterator[Finding]:
    """Rule 4."""
    bad = np.flatnonzero(np.isinf(record.loss))
    if len(bad):
        at = int(record.loss_iterations[bad[0]])
        yield Finding(
            "not-finite",
            "high",
            f"The loss is infinite from iteration {at:,} on.",
            f"{len(bad)} of {len(record.loss)} values that were logged are infinite.",
            Place(first=at, last=int(record.loss_iterations[bad[-1]])),
        )
    spikes = spikes_of(record)
    if not spikes:
        return
    worst = max(spikes, key=lambda spike: spike.loss / spike.before)
    named = ", ".join(f"{spike.iteration:,}" for spike in spikes[:6]) + (", ..." if len(spikes) > 6 else "")
    yield Finding(
        "loss-spike",
        "medium",
        f"The loss shoots up at iteration{'s' if len(spikes) > 1 else ''} {named}.",
        f"{len(spikes)} spike{'s' if len(spikes) > 1 else ''}. The largest, at iteration {worst.iteration:,}: "
        f"{worst.loss:.3g}, {worst.loss / worst.before:.0f} times the {worst.before:.3g} before (median).",
        Place(first=spikes[0].iteration, last=spikes[-1].iteration),
    )


@dataclass(frozen=True, slots=True)
class Spike:
    """The iteration at which the loss shot up, to what, and its median before."""

    iteration: int
    loss: float
    before: float


def spikes_of(record: TrainingRecord) -> list[Spike]:
    """All spikes of the loss, in order; of neighbouring ones the first, with the largest loss."""
    finite = np.isfinite(record.loss)
    loss, iterations = record.loss[finite], record.loss_iterations[finite]
    if len(loss) <= LEAST_LOSSES:
        return []
    at_first = abs(float(np.median(loss[:FIRST_LOSSES])))
    spikes: list[Spike] = []
    # Only what is far above the smallest loss can be a spike: medians are made for those alone.
    candidates = np.flatnonzero(loss > loss.min() + SPIKE_OF_FIRST * at_first)
    last = -LOSSES_BEFORE
    for row in candidates[candidates >= LEAST_LOSSES]:
        before = float(np.median(loss[max(0, row - LOSSES_BEFORE) : row]))
        if loss[row] < SPIKE * before or loss[row] < before + SPIKE_OF_FIRST * at_first or before <= 0:
            continue
        if row - last <= LEAST_LOSSES and spikes:
            known = spikes[-1]
            spikes[-1] = Spike(known.iteration, max(known.loss, float(loss[row])), known.before)
        else:
            spikes.append(Spike(int(iterations[row]), float(loss[row]), before))
        last = int(row)
    return spikes


def error_steps(record: TrainingRecord) -> Iterator[Finding]:
    """Rule 5."""
    found = []
    for before, after in zip(record.stages[:-1], record.stages[1:], strict=True):
        if abs(after.lr) < abs(before.lr_end):
            step = _step_between(record, before, after)
            if step is not None:
                found.append((after.first, before, after, *step))
    if not found:
        return
    at, before, after, error, then = max(found, key=lambda one: one[3] - one[4])
    span = before.last - before.first
    is_late = span >= 0.5 * (int(record.iterations[-1]) - int(record.iterations[0]))
    late = " That stage took more than half of the training." if is_late else ""
    others = [f"{one[0]:,}" for one in found if one[0] != at]
    beside = f" So it does at {', '.join(others)}." if others else ""
    yield Finding(
        "error-step",
        "low",
        f"The error falls at once when the learning rate drops at iteration {at:,}.{beside}",
        f"Error {error:.3f} before and {then:.3f} after (medians of {STEP_DUMPS} dumps), learning rate "
        f"{before.lr_end:.2g} to {after.lr:.2g}.{late}",
        Place(first=at, last=min(after.last, int(record.iterations[-1]))),
    )


def _step_between(record: TrainingRecord, before: Stage, after: Stage) -> tuple[float, float] | None:
    """The error before and after a drop of the rate, if that has made it fall."""
    error = record.validation_error if np.isfinite(record.validation_error).any() else record.train_error
    known = np.isfinite(error)
    dumps = np.flatnonzero(known & (record.iterations >= before.first) & (record.iterations <= before.last))
    later = np.flatnonzero(known & (record.iterations >= after.first) & (record.iterations <= after.last))[1:]
    if len(dumps) < STEP_DUMPS or len(later) < 2:
        return None
    at_end, then = float(np.median(error[dumps[-STEP_DUMPS:]])), float(np.median(error[later[:STEP_DUMPS]]))
    half = dumps[-max(STEP_DUMPS, len(dumps) // 2) :]
    slope, start = np.polyfit(record.iterations[half] - record.iterations[half[0]], error[half], 1)
    goes_on = start + slope * (float(np.mean(record.iterations[later[:STEP_DUMPS]])) - record.iterations[half[0]])
    fall = min(at_end, float(goes_on)) - then
    return (at_end, then) if fall >= max(STEP, STEP_SHARE * at_end) else None


def usual_error(error_rates: NDArray[np.floating]) -> Doubles:
    """float64 (dumps,): the mean of (classes, dumps) without the fifth of the classes that is the worst late.

    >>> usual_error(np.array([[0.5, 0.1], [0.5, 0.1], [0.5, 0.2], [0.5, 0.2], [0.5, 1.0]])).round(2).tolist()
    [0.5, 0.15]
    """
    known = np.isfinite(error_rates).any(axis=0)
    usual = np.full(error_rates.shape[1], np.nan)
    rates = np.nan_to_num(error_rates[:, known].astype(np.float64), nan=0.0)
    if rates.size:
        order = np.argsort(rates[:, _late(rates.shape[1])].mean(axis=1), kind="stable")
        usual[known] = rates[order[: len(order) - len(order) // WORST_CLASSES]].mean(axis=0)
    return usual


def _errors(record: TrainingRecord, validation: Doubles) -> tuple[NDArray[np.intp], Doubles, Doubles]:
    """Dumps at which both errors are known, and both there, smoothed; nothing where there are too few."""
    known = np.flatnonzero(np.isfinite(record.train_error) & np.isfinite(validation))
    if len(known) < ERROR_DUMPS:
        return known[:0], np.zeros(0), np.zeros(0)
    return known, _smoothed(record.train_error[known]), _smoothed(validation[known])


def _smoothed(values: Doubles, beside: int = 1) -> Doubles:
    """The median of each value and so many neighbours on each side."""
    padded = np.pad(values, beside, mode="edge")
    smoothed: Doubles = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * beside + 1), axis=1)
    return smoothed


def _late(count: int) -> slice:
    return slice(count - max(1, int(LATE * count)), count)


def _at(record: TrainingRecord, known: NDArray[np.intp], place: int) -> int:
    return int(record.iterations[known[place]])
