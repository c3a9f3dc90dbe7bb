"""What does a run say of filters and classes together? (paper, 7.3: which filters move when which classes jump)

1. Anomaly iterations are those of classes.py, anomaly filters those that moved the most at each of them, over all
   layers: the first `top` by a filter distance, or all that moved further than a limit.
2. Mini-sets and tests of one setting are kept, so that looking at some classes, layers or iterations costs little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.correlation import Columns, Correlation, Rule, anomaly_columns, correlate, restricted
from deeptracker.analysis.filters import normalised
from deeptracker.analysis.levels import reduced
from deeptracker.analysis.ranking import most_moved
from deeptracker.errors import DeepTrackerError
from deeptracker.run.classes import ClassAnswers
from deeptracker.run.filters import FilterAnswers
from deeptracker.run.opened import Floats
from deeptracker.schema import FILTER_DISTANCES, LEVEL_STATISTICS, check_measure

MOST_MOVES = 2_000_000
"""So many (anomaly filter, iteration) pairs are divided into mini-sets in some seconds; 100 a dump are 75,000."""

Moves = tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]
Rows = Literal["filter", "set", "layer"]


@dataclass(frozen=True, slots=True)
class Movers:
    """Which filters are anomaly filters at a dump: the `top` by `measure` (one of FILTER_DISTANCES) over all layers
    that moved at all, or, where `above` is given, all with a larger value. ValueError for top < 1."""

    top: int = 100
    measure: str = "change"
    above: float | None = None

    def __post_init__(self) -> None:
        check_measure(self.measure, FILTER_DISTANCES)
        if self.top < 1:
            raise ValueError(f"top must be >= 1. Got {self.top}.")


class CorrelationAnswers(ClassAnswers, FilterAnswers):
    """Filters and classes together; needs predictions and the network."""

    def correlation(
        self,
        window: int = 10,
        threshold: float = 0.35,
        *,
        rule: Rule = "either",
        movers: Movers = Movers(),
        min_appearances: int = 1,
        only_significant: bool = False,
        first: int | None = None,
        last: int | None = None,
        classes: Sequence[int] | None = None,
        layers: Sequence[int] | None = None,
    ) -> Correlation:
        """Anomaly filters of the anomaly iterations of every class, divided into mini-sets and tested against classes.

        `window` (dumps) and `threshold` (a share) are those of `anomalies`. What is left out of the answer leaves ids
        and significance as they are (analysis.correlation): mini-sets that appear at fewer than `min_appearances`
        iterations, pairs that chance explains (`only_significant`), what is before iteration `first` or after
        `last`, other `classes` and `layers` (indexes).
        """
        whole = self._kept(
            ("correlation", window, threshold, rule, movers), lambda: self._correlate(window, threshold, rule, movers)
        )
        start = 0 if first is None else int(np.searchsorted(self.iterations, first))
        stop = len(self.iterations) if last is None else int(np.searchsorted(self.iterations, last, side="right"))
        return restricted(
            whole,
            dumps=slice(start, stop),
            classes=classes,
            layers=layers,
            min_appearances=min_appearances,
            only_significant=only_significant,
        )

    def anomaly_rows(self, found: Correlation, measure: str = "change", by: Rows = "filter", level: int = 1) -> Floats:
        """float32 (rows, columns): how far anomaly filters moved at every dump, as shares of each one's farthest.

        A row for each filter, in the order of `found.filters`; or for each mini-set or layer, the largest of its
        filters' shares at each dump. A column stands for `level` dumps, and has the largest of theirs. NaN where
        nothing is known. ValueError for another `by`.
        """
        check_measure(measure, FILTER_DISTANCES)
        filters = found.filters
        of_network = filters.filters + np.repeat(self._offsets()[filters.layers], np.diff(filters.offsets))
        moved = np.empty((len(of_network), len(self.iterations)), np.float32)
        for start, (rows,) in self._blocks_of([measure], 0, len(self.iterations)):
            moved[:, start : start + len(rows)] = rows[:, of_network].T
        shares = normalised(moved, "filter").values
        if by not in ("filter", "set", "layer"):
            raise ValueError(f"by must be 'filter', 'set' or 'layer'. Got {by!r}.")
        if by != "filter" and len(shares):
            firsts = filters.offsets[:-1] if by == "layer" else np.flatnonzero(np.diff(filters.sets, prepend=-1))
            shares = np.fmax.reduceat(shares, firsts, axis=0)
        return shares if level == 1 else reduced(shares.T, level)[:, LEVEL_STATISTICS.index("max")].T

    def _correlate(self, window: int, threshold: float, rule: Rule, movers: Movers) -> Correlation:
        columns = anomaly_columns(self.anomalies(window, threshold), rule)
        dump, filter = self._moves(columns, movers)
        return correlate(columns, dump, filter, self._offsets())

    def _moves(self, columns: Columns, movers: Movers) -> Moves:
        """Anomaly filters at the dumps of all columns: dump and filter of the network, int (n,) each."""
        dumps = np.unique(columns.dumps)
        if movers.above is None:
            answer = self._leading_over_time("most moved", movers.measure, movers.top, most_moved)
            chosen = answer[dumps]
            place, rank = np.nonzero(chosen >= 0)
            return dumps[place], chosen[place, rank]
        is_asked = np.zeros(len(self.iterations), np.bool_)
        is_asked[dumps] = True
        found: list[Moves] = [(dumps[:0], np.zeros(0, np.intp))]
        for start, (rows,) in self._blocks_of([movers.measure], 0, len(self.iterations)):
            place, filter = np.nonzero((rows > movers.above) & is_asked[start : start + len(rows), None])
            found.append((start + place, filter))
        count = sum(len(place) for place, _ in found)
        if count > MOST_MOVES:
            raise DeepTrackerError(
                f"at most {MOST_MOVES:,} pairs of anomaly filter and iteration can be divided into mini-sets. With "
                f"{movers.measure} above {movers.above:g} there are {count:,}: raise that limit, or the threshold."
            )
        places, filters = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return places, filters
