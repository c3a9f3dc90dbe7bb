"""Are classes learned and forgotten in turns, because the training data are not shuffled?

1. Where each epoch deals out the classes in the same order, the loss of a batch repeats itself epoch by epoch: logged
   for every iteration it goes with itself an epoch later and two, and much less with what is half an epoch away.
   Shuffled batches know nothing of where in the epoch they are.
2. The same happens where only the rate goes up and down. So classes must take turns as well: at the dumps of the first
   half some become better while others become worse, and what they move adds up to less than if each moved on its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.classes import ClassRecord
from deeptracker.analysis.findings.course import percent
from deeptracker.analysis.findings.finding import Finding, Place

LEAST_PERIOD, LEAST_PERIODS = 4, 6
REPEATS, APART = 0.5, 0.3
"""The correlation with an epoch later is at least so high, and that with half an epoch later lower by so much."""

MOVES = 0.06
"""At a dump where classes take turns their errors move by so much in the mean."""


def classes_take_turns(
    record: ClassRecord, iterations: NDArray[np.int64], loss: NDArray[np.float64]
) -> Iterator[Finding]:
    """Batches hold few classes at a time. `loss` float64 (n,) at `iterations` int64 (n,), NaN where it was not logged;
    nothing is said unless it was logged at nearly every iteration or at equal steps."""
    logged = np.isfinite(loss)
    found = period_of(loss[logged])
    if found is None or len(record.large) < 2 or record.course.dumps < 2 * LEAST_PERIOD:
        return
    rows, repeats = found
    period = round(rows * float(np.median(np.diff(iterations[logged]))))
    error, sizes = record.error[record.large], record.sizes[record.large]
    weights = (sizes / sizes.sum())[:, None]
    change = np.diff(error[:, : max(LEAST_PERIOD + 2, record.course.dumps // 2)], axis=1)[:, 2:]
    change = change[:, ~np.isnan(change).any(axis=0)]
    moving = change[:, np.abs(change).mean(axis=0) >= MOVES]
    if moving.shape[1] < LEAST_PERIOD:
        return
    alone = float(((weights * moving) ** 2).sum())
    together = float(((weights * moving).sum(axis=0) ** 2).sum())
    if together >= alone:
        return
    swing = np.abs(moving).mean()
    yield Finding(
        "classes-take-turns",
        "high",
        f"Classes take turns: the loss repeats itself every {period} iterations, and while some classes become better "
        "others become worse. The training data seem not to be shuffled.",
        f"The loss goes with itself {period} iterations later (correlation {repeats:.2f}). At {moving.shape[1]} dumps "
        f"the error of a class moves by {percent(float(swing))} in the mean, that of all by "
        f"{percent(float(np.abs((weights * moving).sum(axis=0)).mean()))}.",
        Place(first=int(record.course.iterations[0]), last=int(record.course.iterations[-1])),
    )


def period_of(loss: NDArray[np.float64]) -> tuple[int, float] | None:
    """After how many of its values a finite series repeats itself, and its correlation with that; None where not.

    >>> period_of(np.sin(np.arange(400) * 2 * np.pi / 20))[0]
    20
    >>> period_of(np.random.default_rng(0).random(200)) is None
    True
    """
    if len(loss) < LEAST_PERIOD * LEAST_PERIODS:
        return None
    later = loss[len(loss) // 5 :]
    time = np.linspace(-1, 1, len(later))
    rest = later - np.polynomial.Polynomial.fit(time, later, 3)(time)
    if not rest.std() > 1e-9 * max(1.0, float(np.abs(later).max())):
        return None
    correlation = _autocorrelation(rest)[: len(rest) // 2]
    lowest = np.minimum.accumulate(correlation)
    fits = (correlation >= REPEATS) & (correlation - lowest >= APART)
    fits[:LEAST_PERIOD] = False
    fits[len(rest) // LEAST_PERIODS :] = False
    if not fits.any():
        return None
    high = np.flatnonzero(fits & (correlation >= 0.95 * correlation[fits].max()))
    hill = high[: int(np.argmax(np.diff(high, append=len(rest) + high[-1]) > 1)) + 1]
    period = int(hill[np.argmax(correlation[hill])])
    if _around(correlation, 2 * period) < REPEATS:
        return None
    return period, round(float(correlation[period]), 2)


def _around(correlation: NDArray[np.float64], lag: int) -> float:
    """The highest at a lag or beside it."""
    return float(correlation[lag - 1 : lag + 2].max(initial=-1.0))


def _autocorrelation(rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """The correlation of a series with itself so many steps later, each over the steps that there are."""
    size = len(rest)
    spectrum = np.fft.rfft(rest, 2 * size)
    products = np.fft.irfft(np.abs(spectrum) ** 2, 2 * size)[:size]
    squares = np.concatenate([[0.0], np.cumsum(rest**2)])
    lags = np.arange(size)
    norms = np.sqrt(squares[size - lags] * (squares[size] - squares[lags]))
    return np.asarray(products / np.maximum(norms, 1e-12))
