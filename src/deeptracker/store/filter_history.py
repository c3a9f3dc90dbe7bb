"""What were the measures of every filter at every dump, and the histograms of every layer?

1. A measure is read for all filters, or for those of a layer, and kept; so is, for all measures at once, a layer. Rows
   are dumps and grow with the run (rows.py). Blocks of dumps that the index has are read from there, a layer as one
   range of bytes; of the others one column of the file of each dump.
2. A dump that cannot be read, or has no filters, is a row of NaN; the log notes what is wrong with its file.
3. Local files are read one after the other, which is fastest where they are mapped into memory; from an object store
   several are, as the time goes into waiting.
4. Histograms are given one after the other and not kept: what follows from them is a thousandth of their size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError
from deeptracker.schema import MEASURES, Layer
from deeptracker.store.histograms import Histograms
from deeptracker.store.index_layout import BLOCK
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader
from deeptracker.store.rows import DumpRows

HELD_BYTES = 1 << 29
"""512 MiB: six measures of the 27,560 filters of ResNet-50 at 750 dumps, or all of a run a third as large."""

AHEAD = 4
"""Dumps that each reader may be ahead of who asks for them."""

Read = TypeVar("Read")
Floats = npt.NDArray[np.float32]


class FilterHistory:
    """What a log says of filters and layers over all dumps; the log must know its network.

    `readers` files are read at a time. At most `limit_bytes` are kept, but always what was asked for last.
    """

    def __init__(self, log: LogReader, index: IndexReader, *, readers: int = 1, limit_bytes: int = HELD_BYTES) -> None:
        self._log = log
        self._index = index
        self._readers = readers
        self._limit_bytes = limit_bytes
        self._rows = DumpRows(log, limit_bytes)

    @property
    def size_bytes(self) -> int:
        """Bytes that are kept."""
        return self._rows.size_bytes

    def shrink(self, size_bytes: int) -> None:
        """Keep at most so many bytes: what was asked for longest ago goes first."""
        self._rows.shrink(size_bytes)

    def blocks(self, names: Sequence[str], first: int, end: int) -> Iterator[tuple[int, list[Floats]]]:
        """Some MEASURES of all filters at some dumps, block after block: the first dump, and what `piece` gives.

        Measures of which all dumps fit into what may be kept are kept, others never are.
        """
        if 4 * self._filters * len(self._log.dumps) * len(names) <= self._limit_bytes:
            for name in names:
                self.measure(name)
        start = first
        while start < end:
            stop = min(end, (start // BLOCK + 1) * BLOCK)
            yield start, self.piece(names, start, stop)
            start = stop

    def measure(self, name: str) -> Floats:
        """float32 (dumps, filters), read-only: one of MEASURES for all filters of the network."""
        filters = slice(0, self._filters)
        return self._rows.get((name,), lambda first: self._read(first, None, [name], filters)[:, 0])

    def measure_of(self, layer: Layer, name: str) -> Floats:
        """float32 (dumps, filters of the layer), read-only: one of MEASURES."""
        if self._rows.holds((name,)) or not self._index.head:
            return self.measure(name)[:, layer.rows]
        return self._rows.get(_of(layer, name), lambda first: self._read(first, None, [name], layer.rows)[:, 0])

    def rows_of(self, layer: Layer, name: str, first: int, end: int) -> Floats:
        """float32 (end - first, filters of the layer), not to be written to: one of MEASURES at some dumps.

        They are kept where they are all there are, or have to be read for all layers.
        """
        is_all = (first, end) == (0, len(self._log.dumps))
        if is_all or self.holds(layer, name) or not self._index.head:
            return self.measure_of(layer, name)[first:end]
        return self._read(first, end, [name], layer.rows)[:, 0]

    def holds(self, layer: Layer, name: str) -> bool:
        """Is one of MEASURES kept of all filters of a layer?"""
        return self._rows.holds((name,)) or self._rows.holds(_of(layer, name))

    def layer(self, layer: Layer) -> Floats:
        """float32 (dumps, measures, filters of the layer), read-only: all MEASURES, in their order."""
        key = (layer.offset, layer.filters)
        return self._rows.get(key, lambda first: self._read(first, None, MEASURES, layer.rows))

    def piece(self, names: Sequence[str], first: int, end: int) -> list[Floats]:
        """float32 (end - first, filters) for each of some MEASURES at some dumps; not kept unless it is already."""
        lacking = [name for name in names if not self._rows.holds((name,))]
        read = self._read(first, end, lacking, slice(0, self._filters)) if lacking else np.zeros((0, 0, 0), np.float32)
        places = {name: place for place, name in enumerate(lacking)}
        return [read[:, places[name]] if name in places else self.measure(name)[first:end] for name in names]

    def stretch(self, names: Sequence[str], filters: slice) -> Floats:
        """float32 (dumps, names, filters): some MEASURES of neighbouring filters at all dumps; not kept."""
        return self._read(0, None, names, filters)

    def at(self, dump: DumpFiles, name: str) -> Floats:
        """float32 (filters,): one of MEASURES at one dump, read from its file alone."""
        found = next(self._each([dump], lambda dump: self._log.filters(dump, [name])))
        return np.full(self._filters, np.nan, np.float32) if found is None else found[name]

    def histograms(self, first: int = 0, end: int | None = None) -> Iterator[Histograms | None]:
        """Histograms of all layers at the dumps from `first` to before `end`; None where they cannot be read."""
        return self._each(self._log.dumps[first:end], self._log.histograms)

    @property
    def _filters(self) -> int:
        assert self._log.network is not None
        return self._log.network.filters

    def _read(self, first: int, end: int | None, names: Sequence[str], filters: slice) -> Floats:
        """float32 (dumps, names, filters)"""
        end = len(self._log.dumps) if end is None else end
        rows = np.full((end - first, len(names), filters.stop - filters.start), np.nan, np.float32)
        stretches = self._index.stretches(first, end)
        read = self._index.fetch(
            [(name, block, filters) for _, _, block in stretches if block is not None for name in names]
        )
        for start, stop, block in stretches:
            into = rows[start - first : stop - first]
            found = [None if block is None else next(read) for _ in names]
            for place, values in enumerate(found):
                if values is not None and block is not None:
                    into[:, place] = values[start - block * BLOCK :][: len(into)]
            if any(values is None for values in found):
                self._from_log(start, stop, names, filters, into)
        return rows

    def _from_log(self, start: int, stop: int, names: Sequence[str], filters: slice, into: Floats) -> None:
        dumps = self._log.dumps[start:stop]
        into[:] = np.nan
        for row, found in zip(into, self._each(dumps, lambda dump: self._log.filters(dump, names)), strict=True):
            if found is not None:
                for place, name in enumerate(names):
                    row[place] = found[name][filters]

    def _each(self, dumps: Sequence[DumpFiles], read: Callable[[DumpFiles], Read]) -> Iterator[Read | None]:
        def read_one(dump: DumpFiles) -> Read | None:
            try:
                return read(dump)
            except LogFileError:
                return None  # the log has noted it among its problems

        if self._readers == 1:
            yield from map(read_one, dumps)
            return
        with ThreadPoolExecutor(self._readers) as pool:
            for start in range(0, len(dumps), AHEAD * self._readers):
                yield from pool.map(read_one, dumps[start : start + AHEAD * self._readers])


def _of(layer: Layer, name: str) -> tuple[str, int, int]:
    return name, layer.offset, layer.filters
