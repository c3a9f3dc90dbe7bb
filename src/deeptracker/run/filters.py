"""What does a run say of its filters and layers? (paper, 6: Layer-Stat, Layer-Filter and Iter-Filter index)

Measures are read and kept by store/filter_history.py; what is pooled or counted from them is kept dump by dump as well,
so that a run that grows costs its new dumps only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.clusters import Ordering
from deeptracker.analysis.derived import derived, source_of
from deeptracker.analysis.filters import (
    Box,
    FilterOrder,
    Normalisation,
    Normalised,
    filter_order,
    five_numbers,
    normalised,
)
from deeptracker.analysis.hierarchy import HierarchyNode, preorder
from deeptracker.analysis.pooling import needed_measures, pool
from deeptracker.analysis.quantiles import (
    FIVE_OF_GRADIENTS,
    FIVE_OF_WEIGHTS,
    quantiles,
    same_histogram,
    within_extremes,
)
from deeptracker.analysis.ranking import Leading, TopFilters, leading, ranks, top_counts, top_filters
from deeptracker.errors import LogFileError, UnknownNameError
from deeptracker.run.opened import Floats, OpenedRun
from deeptracker.schema import (
    FILTER_DISTANCES,
    FILTER_MEASURES,
    MEASURES,
    NODE_MEASURES,
    QUANTILES,
    Kernels,
    Layer,
    check_measure,
)
from deeptracker.store.filter_history import FilterHistory
from deeptracker.store.index_layout import BLOCK, LEADING
from deeptracker.store.index_reader import Wanted
from deeptracker.store.rows import DumpRows

BLOCK_VALUES = 1 << 20
"""Values of filters that are worked on at a time: 38 dumps of ResNet-50."""

ANSWER_BYTES = 1 << 27
"""128 MiB of answers over time are kept; a measure of all 75 nodes of ResNet-50 takes 0.2 for 750 dumps."""

Answer = Callable[..., npt.NDArray[Any]]
Groups = tuple[tuple[int, ...], ...]
Family = tuple[str, ...]
"""Node measures that are made together."""


class FilterAnswers(OpenedRun):
    """The measures of filters, and what follows from them. All of it needs the network: `UnknownNameError` without."""

    def __init__(self, place: str | os.PathLike[str]) -> None:
        super().__init__(place)
        self._filters = FilterHistory(self._log, self._index, readers=self._blobs.readers)
        self._answers = DumpRows(self._log, ANSWER_BYTES)

    @property
    def held_bytes(self) -> int:
        """Bytes of what is kept so that it need not be read or found again."""
        return super().held_bytes + self._filters.size_bytes + self._answers.size_bytes

    def hold_at_most(self, size_bytes: int) -> None:
        """Keep at most so many `held_bytes`: what is read again the fastest goes first."""
        for rows in (self._filters, self._answers):
            rows.shrink(max(0, size_bytes - (self.held_bytes - rows.size_bytes)))
        super().hold_at_most(size_bytes)

    def nodes(self) -> tuple[HierarchyNode, ...]:
        """The hierarchy in one list: the whole network first, every module before what is in it."""
        return self._kept(("nodes",), lambda: preorder(self.network().hierarchy))

    def node_stats(self, measure: str) -> Floats:
        """float32 (nodes, dumps): any of NODE_MEASURES at every one of `nodes`.

        Sums, norms, means and deviations are pooled exactly, QUANTILES within 1/64 (see analysis.pooling, .quantiles).
        """
        return self._pooled(measure, tuple(node.layers for node in self.nodes())).T.copy()

    def layer_stats(self, node: str, measure: str) -> Floats:
        """The Layer-Stat index: float32 (dumps,), `node_stats` at any layer or module, '' being the whole network."""
        place = next((place for place, known in enumerate(self.nodes()) if known.name == node), None)
        if place is None:  # a part of the names of layers that is no module of the hierarchy
            layers = self.network().indexes(self.network().layers_below(node))
            return self._pooled(measure, (tuple(layers),))[:, 0].copy()
        row: Floats = self.node_stats(measure)[place]
        return row

    def box(self, node: int | str, measure: str) -> Box:
        """The distribution of one of NODE_MEASURES at one of `nodes`, at every dump.

        Of the values that its filters have of a measure, NaN passed over; for any of QUANTILES, of its weights
        (or gradients) themselves, where quartiles and median are within 1/64.
        """
        check_measure(measure, NODE_MEASURES)
        place = self.node_index(node)
        if measure in QUANTILES:
            of_gradients = measure.startswith("grad_")
            five = FIVE_OF_GRADIENTS if of_gradients else FIVE_OF_WEIGHTS
            values = within_extremes(np.stack([self.node_stats(name)[place] for name in five]))
            return Box("gradients" if of_gradients else "weights", values)
        layers = [self.network().layers[index] for index in self.nodes()[place].layers]
        if len(layers) == 1:  # not all others have to be read
            found = self._answers.get(
                ("box", place, measure), lambda first: self._box_of_layer(layers[0], measure, first)
            )
        else:
            filters = [layer.rows for layer in layers]
            found = self._over_time(("box", place), [measure], lambda values: five_numbers(values, filters))
        return Box("filters", found.T.copy())

    def _box_of_layer(self, layer: Layer, measure: str, first: int) -> Floats:
        """float32 (dumps from `first` on, 5)"""
        rows = self._filters.rows_of(layer, source_of(measure), first, len(self._log.dumps))
        return five_numbers(derived(measure, rows), [slice(None)])

    def filter_stats(self, layer: int | str, measure: str, normalise: Normalisation | None = None) -> Floats:
        """The Layer-Filter index: float32 (filters, dumps), any of FILTER_MEASURES.

        `normalise` divides by the largest magnitude of each filter, of each iteration, or of the whole layer.
        """
        return self.normalised_filters(layer, measure, normalise).values

    def normalised_filters(self, layer: int | str, measure: str, normalise: Normalisation | None) -> Normalised:
        """`filter_stats`, and what it was divided by."""
        return normalised(np.array(self._layer_rows(layer, measure)), normalise)

    def filter_order(self, layer: int | str, measure: str, by: FilterOrder = "similarity") -> Ordering:
        """The filters of a layer in similarity order of their rows, or by activity (mean magnitude), largest first."""
        key = ("filter order", self.layer(layer).offset, measure, by)
        return self._kept(key, lambda: filter_order(self._layer_rows(layer, measure), by))

    def filter_history(self, layer: int | str, filter: int) -> Floats:
        """float32 (measures, dumps): all FILTER_MEASURES of one filter, in their order."""
        known = self._layer_of(layer, filter)
        rows = dict(zip(MEASURES, self._filters.layer(known)[:, :, filter].T, strict=True))
        return np.stack([derived(name, rows[source_of(name)]) for name in FILTER_MEASURES])

    def filter_rank(self, layer: int | str, filter: int, measure: str) -> npt.NDArray[np.int32]:
        """int32 (dumps,): 1 + how many filters of the whole network have a larger value; 0 where this one has none."""
        place = self._layer_of(layer, filter).offset + filter
        return self._over_time(("rank", place), [measure], lambda values: ranks(values, place)).copy()

    def top_filters(self, iteration: int, k: int, measure: str = "change") -> TopFilters:
        """The Iter-Filter index: the k filters with the largest value at a dump, over all layers; NaN never counts."""
        check_measure(measure, FILTER_MEASURES)
        offsets, k = self._offsets(), min(k, max(1, self.network().filters))
        dump = self._log.dump_at(iteration)
        place = int(np.searchsorted(self.iterations, iteration))
        found = self._leading_in_index(measure, k, place, place + 1)
        if found is None:
            found = leading(derived(measure, self._filters.at(dump, source_of(measure)))[None], k)
        return top_filters(found, offsets)

    def top_counts(self, k: int, measure: str = "change") -> npt.NDArray[np.int32]:
        """int32 (layers, dumps): how many of the k filters that `top_filters` gives at each dump are in each layer."""
        offsets = self._offsets()
        return self._leading_over_time("top counts", measure, k, lambda found: top_counts(found, offsets)).T.copy()

    def kernels(self, iteration: int) -> Kernels | None:
        """The weights of the first convolution at a dump; None where they were not recorded."""
        found = self._log.kernels(self._log.dump_at(iteration))
        return None if found is None else replace(found, values=found.values.copy())

    def kernel_layer(self) -> int | None:
        """Index of the layer whose weights `kernels` gives; None where no dump has any."""
        return self._kept(("kernel layer",), self._find_kernel_layer)

    def node_index(self, node: int | str) -> int:
        """The place in `nodes` of one given by place or name; `UnknownNameError`."""
        names = [known.name for known in self.nodes()]
        if isinstance(node, str) and node in names:
            return names.index(node)
        if not isinstance(node, str) and 0 <= node < len(names):
            return int(node)
        raise UnknownNameError(f"no node {node!r} in this network. Run.nodes() lists the {len(names)} there are.")

    def layer(self, layer: int | str) -> Layer:
        """A layer given by index or name; `UnknownNameError`."""
        network = self.network()
        if isinstance(layer, str):
            return network.layer(layer)
        if not 0 <= layer < len(network.layers):
            raise UnknownNameError(
                f"no layer {layer} in this network. Run.network() lists the {len(network.layers)} there are."
            )
        return network.layers[layer]

    def _over_time(self, key: tuple[Any, ...], measures: Sequence[str], answer: Answer) -> npt.NDArray[Any]:
        """(dumps, ...), not to be written to: the answer to float32 (dumps, filters) of each measure.

        It is asked for a block of dumps at a time, and once for each dump.
        """
        self.network()
        for measure in measures:
            check_measure(measure, FILTER_MEASURES)

        def make(first: int) -> npt.NDArray[Any]:
            parts = [answer(*part) for _, part in self._blocks_of(measures, first, len(self._log.dumps))]
            return np.concatenate(parts) if parts else answer(*self._no_dumps(measures))

        return self._answers.get((*key, *measures), make)

    def _leading_over_time(
        self, key: str, measure: str, k: int, answer: Callable[[Leading], npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """(dumps, ...), not to be written to: the answer to the k largest values of each dump."""
        filters = self.network().filters
        check_measure(measure, FILTER_MEASURES)
        k = min(k, max(1, filters))

        def make(first: int) -> npt.NDArray[Any]:
            parts = [answer(found) for found in self._leading(measure, k, first, len(self._log.dumps))]
            return np.concatenate(parts) if parts else answer(leading(np.zeros((0, filters), np.float32), k))

        return self._answers.get((key, k, measure), make)

    def _leading(self, measure: str, k: int, first: int, end: int) -> Iterator[Leading]:
        """The k largest at dumps, in pieces: as the index has them, or of all filters of a block."""
        for start, stop, block in self._index.stretches(first, end):
            found = None if block is None else self._leading_in_index(measure, k, start, stop)
            if found is not None:
                yield found
                continue
            for _, (rows,) in self._blocks_of([measure], start, stop):
                yield leading(rows, k)

    def _leading_in_index(self, measure: str, k: int, first: int, end: int) -> Leading | None:
        """The k largest at dumps of one block; None where the index does not have them."""
        if measure not in FILTER_DISTANCES or not 1 <= k <= LEADING:
            return None
        ((_, _, block),) = self._index.stretches(first, end)
        if block is None:
            return None
        columns = slice(LEADING * FILTER_DISTANCES.index(measure), LEADING * (FILTER_DISTANCES.index(measure) + 1))
        filters, values = (self._index.read(name, block, columns) for name in ("leading_filter", "leading_value"))
        if filters is None or values is None:
            return None
        own = slice(first - block * BLOCK, end - block * BLOCK)
        return Leading(filters[own], values[own]).first(k)

    def _blocks_of(self, measures: Sequence[str], first: int, end: int) -> Iterator[tuple[int, list[Floats]]]:
        """Measures of all filters, a block of dumps at a time: the first dump, and float32 (dumps, filters) of each."""
        for start, read in self._filters.blocks([source_of(measure) for measure in measures], first, end):
            yield start, [derived(name, rows) for name, rows in zip(measures, read, strict=True)]

    def _no_dumps(self, measures: Sequence[str]) -> list[Floats]:
        return [np.zeros((0, self.network().filters), np.float32) for _ in measures]

    def _layer_rows(self, layer: int | str, measure: str) -> Floats:
        """float32 (filters, dumps), not to be written to."""
        check_measure(measure, FILTER_MEASURES)
        return derived(measure, self._filters.measure_of(self.layer(layer), source_of(measure))).T

    def _layer_of(self, layer: int | str, filter: int) -> Layer:
        known = self.layer(layer)
        if not 0 <= filter < known.filters:
            raise UnknownNameError(
                f"no filter {filter} in layer {known.name!r}. It has {known.filters}, numbered from 0."
            )
        return known

    def _offsets(self) -> npt.NDArray[np.int64]:
        return np.array([layer.offset for layer in self.network().layers], np.int64)

    def _pooled(self, measure: str, groups: Groups) -> Floats:
        """float32 (dumps, groups), not to be written to: a measure of some groups of layers."""
        check_measure(measure, NODE_MEASURES)
        family = same_family(measure)
        return self._pooled_rows(family, groups, 0, len(self._log.dumps))[:, family.index(measure)]

    def _pooled_rows(self, family: Family, groups: Groups, first: int, end: int) -> Floats:
        """float32 (end - first, family, groups), not to be written to; kept where they are of all dumps."""
        key, dumps = ("pooled", family, groups), len(self._log.dumps)
        if (first, end) != (0, dumps) and not self._answers.holds(key):
            return self._pool_rows(family, groups, first, end)
        rows: Floats = self._answers.get(key, lambda first: self._pool_rows(family, groups, first, dumps))
        return rows[first:end]

    def _pool_rows(self, family: Family, groups: Groups, first: int, end: int) -> Floats:
        """Of all nodes the index is asked first, which has what these same functions gave when it was built."""
        pool_them = self._quantiles if family[0] in QUANTILES else self._pooled_filters
        rows = np.full((end - first, len(family), len(groups)), np.nan, np.float32)
        stretches = self._index.stretches(first, end)
        if groups != tuple(node.layers for node in self.nodes()):
            stretches = [(first, end, None)]
        read = self._index.fetch(self._wanted_of_nodes(family, [block for _, _, block in stretches]))
        for start, stop, block in stretches:
            into = rows[start - first : stop - first]
            found = None if block is None else next(read)
            if found is None or block is None:
                into[:] = pool_them(start, stop, family, groups)
            else:
                into[:] = found[start - block * BLOCK :][: len(into)].reshape(into.shape)
        return rows

    def _wanted_of_nodes(self, family: Family, blocks: list[int | None]) -> list[Wanted]:
        """What the index is to be asked for: neighbouring measures of all nodes, at those of the blocks it has."""
        first, nodes = NODE_MEASURES.index(family[0]), len(self.nodes())
        columns = slice(first * nodes, (first + len(family)) * nodes)
        return [("node_stats", block, columns) for block in blocks if block is not None]

    def _pooled_filters(self, first: int, end: int, family: Family, groups: Groups) -> Floats:
        """float32 (end - first, 1, groups)"""
        (measure,) = family
        names = needed_measures(measure)
        if not self._index.head:
            for name in names:  # all of it is read: let it be kept
                self._filters.measure(source_of(name))
        block = max(1, BLOCK_VALUES // max(1, self.network().filters))
        parts = []
        for start in range(first, end, block):
            read = self._filters.piece([source_of(name) for name in names], start, min(end, start + block))
            values = {name: derived(name, rows) for name, rows in zip(names, read, strict=True)}
            parts.append(pool(measure, values, self.network().layers, groups))
        return np.concatenate(parts)[:, None]

    def _quantiles(self, first: int, end: int, family: Family, groups: Groups) -> Floats:
        """float32 (end - first, family, groups)"""
        every = range(len(self.network().layers))
        read = (None if one is None else one.of(family[0], every) for one in self._filters.histograms(first, end))
        return quantiles(read, groups, [QUANTILES[name] for name in family]).transpose(0, 2, 1)

    def _find_kernel_layer(self) -> int | None:
        for dump in reversed(self._log.dumps):
            try:
                found = self._log.kernels(dump)
            except LogFileError:
                continue  # the log has noted it
            if found is not None:
                return found.layer
        return None


def same_family(measure: str) -> Family:
    """The node measures that are made together with this one: those from the same histograms, or it alone."""
    return same_histogram(measure) if measure in QUANTILES else (measure,)
