"""What does a run say of many dumps where there is room for fewer columns? (levels of detail)

1. How many dumps make a column follows from the dumps asked for and the width (analysis/levels.py).
2. Of a long run the index has the columns of levels 16 and 64, in wide blocks of 1,024 dumps (store/index_layout.py).
   Other columns are made from rows, of the index or the log, by the function that made those.
3. Columns of all dumps are kept, and only those of new dumps are made when the run grows. Of a part of the run they are
   taken from what is kept, or made from the rows of these dumps alone.
4. What filters are divided by is found over all dumps, from whichever level is at hand: it is the same for every part
   and level.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.derived import derived, source_of
from deeptracker.analysis.filters import Normalisation, never_changing
from deeptracker.analysis.levels import (
    LEVELS,
    Detail,
    Envelope,
    LevelColumns,
    columns_for,
    derived_extremes,
    divided,
    extremes,
    extremes_over_time,
    furthest_from_0,
    means,
    reduced,
)
from deeptracker.run.classes import ClassAnswers
from deeptracker.run.filters import FilterAnswers, same_family
from deeptracker.run.opened import Floats
from deeptracker.schema import FILTER_MEASURES, NODE_MEASURES, Layer, check_measure
from deeptracker.store.index_layout import EXTREMES, STORED_LEVELS, WIDE, extremes_name, mean_name
from deeptracker.store.rows import DumpRows

COLUMN_BYTES = 1 << 28
"""256 MiB of columns are kept: 22 layers of 2,048 filters at 7,500 dumps and level 16."""

Rows = Callable[[int, int], Floats]
"""float32 (end - first, ...): something at the dumps from `first` to before `end`."""


class LevelAnswers(ClassAnswers, FilterAnswers):
    """Answers over time in as many columns as there is room for.

    A `width` is a number of columns, `first` and `end` are dumps (None: to the last); analysis.levels.columns_for says
    which columns that gives. ValueError unless width >= 1 and 0 <= first <= end.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        super().__init__(place)
        self._columns = DumpRows(self._log, COLUMN_BYTES)

    @property
    def held_bytes(self) -> int:
        """Bytes of what is kept so that it need not be read or found again."""
        return super().held_bytes + self._columns.size_bytes

    def hold_at_most(self, size_bytes: int) -> None:
        """Keep at most so many `held_bytes`: what is read again the fastest goes first."""
        self._columns.shrink(max(0, size_bytes - (self.held_bytes - self._columns.size_bytes)))
        super().hold_at_most(size_bytes)

    def filter_levels(
        self,
        layer: int | str,
        measure: str,
        width: int,
        normalise: Normalisation | None = None,
        first: int = 0,
        end: int | None = None,
    ) -> Envelope:
        """Between what `filter_stats` lie in columns: a row a filter.

        `normalise` divides by the largest finite magnitude of each filter, or of the whole layer, at any dump of the
        run; or of each column ("iteration").
        """
        check_measure(measure, FILTER_MEASURES)
        known, asked = self.layer(layer), self._asked(width, first, end)
        found = self._envelope(known, measure, asked)
        return found if normalise is None else divided(found, normalise, *self._finite_extremes(known, measure))

    def filter_means(
        self, layer: int | str, measure: str, width: int, first: int = 0, end: int | None = None
    ) -> Floats:
        """float32 (filters, columns): the means of `filter_stats` in the columns of `filter_levels`."""
        check_measure(measure, FILTER_MEASURES)
        known, asked = self.layer(layer), self._asked(width, first, end)
        rows = self._filter_rows(known, measure)
        if asked.level == 1:
            return derived(measure, rows(asked.first, asked.end)).T
        return derived(measure, self._made_or_kept(_of_layer(known, measure), MEAN, asked, rows)).T

    def filter_span(self, layer: int | str, measure: str) -> tuple[float, float]:
        """The smallest and the largest finite value of a layer's filters at any dump; (0, 1) where none is known."""
        check_measure(measure, FILTER_MEASURES)
        low, high = self._finite_extremes(self.layer(layer), measure)
        known = ~np.isnan(low)
        return (float(low[known].min()), float(high[known].max())) if known.any() else (0.0, 1.0)

    def node_levels(self, measure: str, width: int, first: int = 0, end: int | None = None) -> Detail:
        """`node_stats` in columns: a row a node."""
        check_measure(measure, NODE_MEASURES)
        asked = self._asked(width, first, end)
        family, groups = same_family(measure), tuple(node.layers for node in self.nodes())
        place = family.index(measure)

        def rows(first: int, end: int) -> Floats:
            return self._pooled_rows(family, groups, first, end)

        if asked.level == 1:
            mean = low = high = rows(asked.first, asked.end)[:, place]
        else:
            stored = _Indexed("node_stats", NODE_MEASURES.index(family[0]) * len(groups), (len(family), len(groups)))
            mean = self._made_or_kept(stored, MEAN, asked, rows)[:, place]
            low, high = self._made_or_kept(stored, BOTH, asked, rows)[:, :, place].swapaxes(0, 1)
        return Detail(asked.level, asked.first, mean.T, low.T, high.T)

    def error_levels(self, width: int, first: int = 0, end: int | None = None) -> Detail:
        """`error_rates` in columns: a row a class."""
        asked = self._asked(width, first, end)
        if asked.level == 1:
            mean = low = high = self.error_rates()[:, asked.first : asked.end].T
        else:
            mean, low, high = self._error_columns(asked).swapaxes(0, 1)
        return Detail(asked.level, asked.first, mean.T, low.T, high.T)

    def never_changing(self, layer: int | str) -> npt.NDArray[np.int32]:
        """int32 (n,): filters whose `change` is 0 at every dump where it is known, and known at one at least."""
        low, high = self._over_all_dumps(self.layer(layer), "change")
        return never_changing(furthest_from_0(low, high).T)

    def _asked(self, width: int, first: int, end: int | None) -> LevelColumns:
        return columns_for(len(self._log.dumps), width, first, end)

    def _filter_rows(self, layer: Layer, measure: str) -> Rows:
        source = source_of(measure)
        return lambda first, end: self._filters.rows_of(layer, source, first, end)

    def _part(self, layer: Layer, measure: str, first: int, end: int) -> Floats:
        """float32 (end - first, filters), kept until the run grows: who looks at a part comes back to it."""
        rows = self._filter_rows(layer, measure)
        if (first, end) == (0, len(self._log.dumps)) or self._filters.holds(layer, source_of(measure)):
            return rows(first, end)
        return self._kept(("part", _of_layer(layer, measure), first, end), lambda: rows(first, end))

    def _envelope(self, layer: Layer, measure: str, asked: LevelColumns) -> Envelope:
        sizes = np.ones((1, 1), np.float32)
        if asked.level == 1:
            values = derived(measure, self._part(layer, measure, asked.first, asked.end)).T
            return Envelope(asked.level, asked.first, values, values, values, sizes)
        low, high = self._extremes_of(layer, measure, asked)
        if self._is_all(asked):
            of = ("furthest", measure, layer.offset, layer.filters)
            furthest = self._kept_if_all(
                of, asked, lambda part: furthest_from_0(*self._extremes_of(layer, measure, part))
            )
        else:
            furthest = furthest_from_0(low, high)
        return Envelope(asked.level, asked.first, low.T, high.T, furthest.T, sizes)

    def _extremes_of(self, layer: Layer, measure: str, asked: LevelColumns) -> tuple[Floats, Floats]:
        """Smallest and largest values of filters, float32 (columns, filters) each."""
        of_source = self._made_or_kept(_of_layer(layer, measure), BOTH, asked, self._filter_rows(layer, measure))
        low, high = derived_extremes(measure, of_source).swapaxes(0, 1)
        return low, high

    def _error_columns(self, asked: LevelColumns) -> Floats:
        """float32 (columns, 3, classes): kept, until the run has grown, where they are of all dumps."""

        def make() -> Floats:
            return reduced(self.error_rates()[:, asked.first : asked.end].T, asked.level)

        return self._kept(("error levels", asked.level), make) if self._is_all(asked) else make()

    def _is_all(self, asked: LevelColumns) -> bool:
        return (asked.first, asked.end) == (0, len(self._log.dumps))

    def _finite_extremes(self, layer: Layer, measure: str) -> tuple[Floats, Floats]:
        """The smallest and the largest finite value of each filter, float32 (filters,), NaN where there is none."""

        def find() -> tuple[Floats, Floats]:
            low, high = extremes_over_time(*self._over_all_dumps(layer, measure))
            if not (np.isinf(low).any() or np.isinf(high).any()):
                return low, high
            # Behind an infinity there may be finite values in a column.
            rows = derived(measure, self._filters.measure_of(layer, source_of(measure)))
            finite = np.where(np.isfinite(rows), rows, np.float32(np.nan))
            return extremes_over_time(finite, finite)

        return self._kept(("finite extremes", layer.offset, layer.filters, measure), find)

    def _over_all_dumps(self, layer: Layer, measure: str) -> tuple[Floats, Floats]:
        """The smallest and the largest values of filters at all dumps in turn, float32 (columns, filters) each.

        Columns are those of any level: what is read already, else those of which the fewest bytes are to be read.
        """
        source, dumps = source_of(measure), len(self._log.dumps)
        held = [level for level in LEVELS[1:] if self._columns.holds((_of_layer(layer, measure), BOTH, level))]
        if not held and (self._filters.holds(layer, source) or dumps <= WIDE):
            rows = derived(measure, self._filters.measure_of(layer, source))
            return rows, rows
        return self._extremes_of(layer, measure, LevelColumns(max(held, default=LEVELS[-1]), 0, dumps))

    def _made_or_kept(self, of: _Indexed, what: _Reduction, asked: LevelColumns, rows: Rows) -> Floats:
        """What `what.make` gives of rows, float32 (columns, ...), not to be written to."""
        return self._kept_if_all((of, what), asked, lambda part: self._made(of, what, part, rows))

    def _kept_if_all(
        self, key: tuple[Hashable, ...], asked: LevelColumns, make: Callable[[LevelColumns], Floats]
    ) -> Floats:
        """Columns, not to be written to; where they are of all dumps they are kept, and only new ones made later."""
        level, dumps = asked.level, len(self._log.dumps)
        if not self._is_all(asked) and not self._columns.holds((*key, level)):
            return make(asked)
        kept = self._columns.get(
            (*key, level), lambda column: make(LevelColumns(level, column * level, dumps)), dumps_per_row=level
        )
        return kept[asked.first // level :][: asked.count]

    def _made(self, of: _Indexed, what: _Reduction, asked: LevelColumns, rows: Rows) -> Floats:
        """From the index, where it has wide blocks, and from rows."""
        if asked.level not in STORED_LEVELS:
            return what.make(rows(asked.first, asked.end), asked.level)
        found = np.empty((asked.count, *what.before, *of.shape), np.float32)
        stretches = self._index.stretches(asked.first, asked.end, WIDE)
        name = what.array(of.name, asked.level)
        read = self._index.fetch([(name, number, of.columns) for _, _, number in stretches if number is not None])
        for start, stop, number in stretches:
            part = LevelColumns(asked.level, start, stop)
            into = found[(start - asked.first) // asked.level :][: part.count]
            wide = None if number is None else next(read)
            if wide is None or number is None:
                into[:] = what.make(rows(start, stop), asked.level)
            else:
                by_column = wide.reshape(-1, *into.shape[1:])
                into[:] = by_column[(start - number * WIDE) // asked.level :][: part.count]
        return found


@dataclass(frozen=True, slots=True)
class _Reduction:
    """What is made of the rows of a column: the function, its array in the index, and the dimensions it puts first."""

    make: Callable[[Floats, int], Floats]
    array: Callable[[str, int], str]
    before: tuple[int, ...]


MEAN = _Reduction(means, mean_name, ())
BOTH = _Reduction(extremes, extremes_name, (len(EXTREMES),))


@dataclass(frozen=True, slots=True)
class _Indexed:
    """Something of which the index has levels: some columns of an array, and the shape that they have."""

    name: str
    first: int
    shape: tuple[int, ...]

    @property
    def columns(self) -> slice:
        return slice(self.first, self.first + math.prod(self.shape))


def _of_layer(layer: Layer, measure: str) -> _Indexed:
    return _Indexed(source_of(measure), layer.offset, (layer.filters,))
