"""What is shown of values over many dumps where there is room for fewer columns?

1. So many neighbouring dumps make a column: 1, 4, 16 or 64, the fewest for which the columns fit into the width.
   Columns are aligned: number j stands for the dumps from j x level on, whatever part of a run is asked for. So a
   column never changes, except the last of a run that grows, which may stand for fewer dumps.
2. A column has the mean, the smallest and the largest of its values, NaN passed over: what a single dump did is
   always seen.
3. Means are added up in float64, dump after dump, by a loop: whichever columns are made together, and from whichever
   files, the bytes are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.derived import derived, source_of
from deeptracker.schema import LEVEL_STATISTICS

if TYPE_CHECKING:
    from deeptracker.analysis.filters import Normalisation  # with it comes scipy, which building an index needs not

Floats = NDArray[np.float32]

LEVELS = (1, 4, 16, 64)
"""So many dumps may make a column."""

STATISTICS = LEVEL_STATISTICS
"""What is known of a column, in this order."""


@dataclass(frozen=True, slots=True)
class LevelColumns:
    """Which columns stand for some dumps: those of `level` dumps each, from dump `first` to before dump `end`.

    `first` is a multiple of the level, and `end` one as well or the number of dumps of the run.
    """

    level: int
    first: int
    end: int

    @property
    def count(self) -> int:
        """How many columns these are."""
        return -(-(self.end - self.first) // self.level)


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """Between what values over dumps lie at a level: float32 (rows, columns).

    `low` and `high` are the smallest and the largest of each column, `furthest` the one of them that is further from 0,
    all as recorded, and all the same array at level 1. `min`, `max` and `extremes` are these divided by `sizes`:
    float32 (rows, 1), (1, columns) or (1, 1), 0 where all is 0. `first` is the first dump of the first column. None of
    them is to be written to.
    """

    level: int
    first: int
    low: Floats
    high: Floats
    furthest: Floats
    sizes: Floats

    @property
    def count(self) -> int:
        """How many columns there are."""
        return int(self.furthest.shape[1])

    @property
    def min(self) -> Floats:
        """float32 (rows, columns): the smallest value of each column, divided."""
        return self._divided(self.low)

    @property
    def max(self) -> Floats:
        """float32 (rows, columns): the largest value of each column, divided."""
        return self._divided(self.high)

    @property
    def extremes(self) -> Floats:
        """float32 (rows, columns): of both the one further from 0, divided."""
        return self._divided(self.furthest)

    def _divided(self, values: Floats) -> Floats:
        if self.sizes.size == 1 and self.sizes[0, 0] == 1:
            return values
        return np.divide(values, np.where(self.sizes > 0, self.sizes, np.float32(1)), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """Values over dumps at a level: `mean`, `min` and `max` of each column, float32 (rows, columns).

    `first` is the first dump of the first column. At level 1 the three are the values themselves. Not to be written to.
    """

    level: int
    first: int
    mean: Floats
    min: Floats
    max: Floats

    @property
    def count(self) -> int:
        """How many columns there are."""
        return int(self.mean.shape[1])


def level_for(dumps: int, width: int) -> int:
    """The first of LEVELS at which so many dumps fit into `width` columns, else the last; ValueError unless width >= 1.

    >>> [level_for(dumps, 1000) for dumps in (1000, 1001, 7500, 1_000_000)]
    [1, 4, 16, 64]
    """
    if width < 1:
        raise ValueError(f"width must be >= 1. Got {width}. It is the number of columns there is room for.")
    return next((level for level in LEVELS if -(-dumps // level) <= width), LEVELS[-1])


def columns_for(dumps: int, width: int, first: int = 0, end: int | None = None) -> LevelColumns:
    """The columns for the dumps from `first` to before `end` (None: all) of a run that has so many.

    The level follows from how many these are. Columns that hold some of them are whole, so there may be one more than
    `width`. ValueError unless width >= 1 and 0 <= first <= end; what lies beyond the run is cut off.

    >>> columns_for(7500, 1000)
    LevelColumns(level=16, first=0, end=7500)
    >>> columns_for(7500, 100, 1001, 1399)
    LevelColumns(level=4, first=1000, end=1400)
    """
    stop = dumps if end is None else end
    if first < 0 or (end is not None and end < first):
        raise ValueError(f"dumps must be from 0 on, and end not before they begin. Got {first} to {end}.")
    first, stop = min(first, dumps), min(stop, dumps)
    level = level_for(stop - first, width)
    return LevelColumns(level, first - first % level, min(dumps, -(-stop // level) * level))


def means(values: Floats, level: int) -> Floats:
    """float32 (columns, ...): the mean of each column of float32 (dumps, ...), of which the last may be short.

    NaN where all is NaN, or infinities of both signs are among them. Zeros are positive.

    >>> means(np.array([1, 5, np.nan, 3, 7], np.float32), 4).tolist()
    [3.0, 7.0]
    """
    columns, rest = -(-len(values) // level), values.shape[1:]
    total, known = np.zeros((columns, *rest)), np.zeros((columns, *rest), np.uint8)
    with np.errstate(invalid="ignore"):
        for place in range(level):
            part = values[place::level]  # the dump at this place of each column; the last column may have none
            is_known = ~np.isnan(part)
            np.add(total[: len(part)], part, out=total[: len(part)], where=is_known)
            known[: len(part)] += is_known
        return _one_nan_and_zero((total / known).astype(np.float32))


def extremes(values: Floats, level: int) -> Floats:
    """float32 (columns, 2, ...): the smallest and the largest value of each column of float32 (dumps, ...).

    NaN where all is NaN. Zeros are positive.

    >>> extremes(np.array([1, 5, np.nan, 3, 7], np.float32), 4).tolist()
    [[1.0, 5.0], [7.0, 7.0]]
    """
    columns, rest = -(-len(values) // level), values.shape[1:]
    found = np.full((columns, 2, *rest), np.nan, np.float32)
    low, high = found[:, 0], found[:, 1]
    for place in range(level):
        part = values[place::level]
        np.fmin(low[: len(part)], part, out=low[: len(part)])
        np.fmax(high[: len(part)], part, out=high[: len(part)])
    return _one_nan_and_zero(found)


def reduced(values: Floats, level: int) -> Floats:
    """float32 (columns, 3, ...): the STATISTICS of each column of float32 (dumps, ...)."""
    return np.concatenate([means(values, level)[:, None], extremes(values, level)], axis=1)


def _one_nan_and_zero(values: Floats) -> Floats:
    """In place: there are many NaN, and of -0 and 0 either may be the smaller, as the processor likes."""
    values[np.isnan(values)] = np.nan
    values += np.float32(0)
    return values


def furthest_from_0(low: Floats, high: Floats) -> Floats:
    """Of the smallest and the largest values those further from 0, the largest where both are as far."""
    return np.where(high >= -low, high, low) if (low < 0).any() else high


def derived_extremes(measure: str, of_source: Floats) -> Floats:
    """float32 (columns, 2, ...): `extremes` of a measure of filters from those of its source.

    Every derived measure falls where its source rises: it is smallest where that is largest.

    >>> derived_extremes("cosine_distance", np.array([[[0.25], [1]]], np.float32)).ravel().tolist()
    [0.0, 0.75]
    """
    found = derived(measure, of_source)
    return found if source_of(measure) == measure else found[:, ::-1]


def divided(found: Envelope, by: Normalisation, low: Floats, high: Floats) -> Envelope:
    """Divided by the largest finite magnitude of each row, of each column ("iteration"), or of all ("global").

    That of rows is over all dumps, whichever of them are there: `low` and `high`, float32 (rows,), are the smallest and
    largest finite value of each, NaN where none is known. Where all is 0 the result is 0. ValueError for another `by`.

    >>> values = np.array([[1, -2], [0, 0]], np.float32)
    >>> found = Envelope(1, 8, values, values, values, np.ones((1, 1), np.float32))
    >>> divided(found, "filter", np.float32([-4, 0]), np.float32([1, 0])).extremes.tolist()
    [[0.25, -0.5], [0.0, 0.0]]
    """
    if by == "iteration":
        sizes = np.maximum(_magnitudes(found.low), _magnitudes(found.high)).max(axis=0, keepdims=True, initial=0)
    elif by in ("filter", "global"):
        sizes = np.maximum(_magnitudes(low), _magnitudes(high))[:, None]
        sizes = sizes if by == "filter" else sizes.max(axis=0, keepdims=True, initial=0)
    else:
        raise ValueError(f"normalise must be None, 'filter', 'iteration' or 'global'. Got {by!r}.")
    return replace(found, sizes=sizes)


def extremes_over_time(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The smallest of `low` and the largest of `high`, float32 (columns, rows), over columns: float32 (rows,) each.

    NaN is passed over, and is the result where nothing is left. Infinities count.
    """
    return np.fmin.reduce(low, axis=0, initial=np.nan), np.fmax.reduce(high, axis=0, initial=np.nan)


def _magnitudes(values: Floats) -> Floats:
    """|values|, 0 where they are not finite."""
    return np.abs(np.where(np.isfinite(values), values, np.float32(0)))
