"""What does a run say of the iterations just before a dump that showed trouble?

1. A flight is named by the iteration of its dump. It has FLIGHT_MEASURES of every filter at each of its iterations, and
   the ids of the training samples of each batch where the training handed them in.
2. For any question one measure of all filters is read, a fourth of the file. Nodes are pooled as at dumps, some
   iterations at a time; what is pooled is kept, what belongs to filters is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.filters import Normalisation, Normalised, normalised
from deeptracker.analysis.pooling import pool
from deeptracker.errors import LogFileError, UnknownNameError
from deeptracker.run.filters import BLOCK_VALUES, FilterAnswers
from deeptracker.run.opened import Floats
from deeptracker.schema import FLIGHT_MEASURES, Reason, check_measure
from deeptracker.store.flights import FlightHead


@dataclass(frozen=True, slots=True)
class FlightSummary:
    """The `dump` (iteration) that a flight was kept for, its `first` and `last` of `count` iterations, and why."""

    dump: int
    first: int
    last: int
    count: int
    reasons: tuple[Reason, ...]
    has_batches: bool
    bytes: int


class FlightAnswers(FilterAnswers):
    """Flights. `UnknownNameError` for one that there is not, `LogFileError` where its file cannot be read."""

    def flights(self) -> tuple[FlightSummary, ...]:
        """All that there are, by dump; no values are read. One that cannot be read is left out, and in `warnings`."""
        return self._kept(("flights",), lambda: tuple(filter(None, map(self._summary, self._log.flights))))

    def flight_iterations(self, dump: int) -> npt.NDArray[np.int64]:
        """int64 (n,), ascending; the last is `dump` or before it."""
        return self._flight(dump)[1].iterations.copy()

    def flight_node_stats(self, dump: int, measure: str) -> Floats:
        """float32 (nodes, n): one of FLIGHT_MEASURES at every one of `nodes`, pooled as `node_stats` are."""
        path, _ = self._flight(dump)
        check_measure(measure, FLIGHT_MEASURES)
        return self._kept(("flight", path, measure), lambda: self._pooled_flight(path, measure).T).copy()

    def flight_stats(self, dump: int, node: int | str, measure: str) -> Floats:
        """float32 (n,): `flight_node_stats` of one of `nodes`, by place or name, '' being the whole network."""
        row: Floats = self.flight_node_stats(dump, measure)[self.node_index(node)]
        return row

    def flight_filters(
        self, dump: int, layer: int | str, measure: str, normalise: Normalisation | None = None
    ) -> Floats:
        """float32 (filters, n): one of FLIGHT_MEASURES of every filter of a layer; `normalise` as in `filter_stats`."""
        return self.normalised_flight(dump, layer, measure, normalise).values

    def normalised_flight(
        self, dump: int, layer: int | str, measure: str, normalise: Normalisation | None
    ) -> Normalised:
        """`flight_filters`, and what it was divided by."""
        path, _ = self._flight(dump)
        check_measure(measure, FLIGHT_MEASURES)
        rows = self.layer(layer).rows
        return normalised(self._log.flight_values(path, measure)[:, rows].T.copy(), normalise)

    def flight_filter(self, dump: int, layer: int | str, filter: int) -> Floats:
        """float32 (measures, n): all FLIGHT_MEASURES of one filter, in their order."""
        path, _ = self._flight(dump)
        place = self._layer_of(layer, filter).offset + filter
        return np.stack([self._log.flight_values(path, measure)[:, place] for measure in FLIGHT_MEASURES])

    def flight_batch(self, dump: int, iteration: int) -> npt.NDArray[np.int64]:
        """int64 (samples,): ids of the training samples in the batch of an iteration; empty where none are known."""
        path, head = self._flight(dump)
        row = int(np.searchsorted(head.iterations, iteration))
        if row == len(head.iterations) or head.iterations[row] != iteration:
            first, last = head.iterations[[0, -1]]
            raise UnknownNameError(
                f"no iteration {iteration} in the flight before the dump at {dump}. It has {first} to {last}."
            )
        return self._log.flight_batch(path, row)

    def _flight(self, dump: int) -> tuple[str, FlightHead]:
        known = self._log.flights.get(dump)
        if known is None:
            raise UnknownNameError(
                f"no flight was kept before a dump at iteration {dump} of this run. Run.flights() lists all."
            )
        return known.path, self._kept(("flight head", known.path), lambda: self._log.flight_head(known.path))

    def _summary(self, dump: int) -> FlightSummary | None:
        try:
            _, head = self._flight(dump)
        except LogFileError:
            return None  # the log has noted it among its problems
        first, last = (int(one) for one in head.iterations[[0, -1]])
        size = self._log.flights[dump].size_bytes
        return FlightSummary(dump, first, last, len(head.iterations), head.reasons, head.has_batches, size)

    def _pooled_flight(self, path: str, measure: str) -> Floats:
        """float32 (n, nodes)"""
        layers, groups = self.network().layers, [node.layers for node in self.nodes()]
        values = self._log.flight_values(path, measure)
        block = max(1, BLOCK_VALUES // max(1, values.shape[1]))
        starts = range(0, len(values), block)
        return np.concatenate([pool(measure, {measure: values[at : at + block]}, layers, groups) for at in starts])
