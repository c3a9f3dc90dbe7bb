"""What were the measures of every filter at every dump, and the histograms of every layer?

1. A measure is read for all filters at once, one column of the file of each dump, and kept; so is, for all measures at
   once, a layer. Rows are dumps and grow with the run (rows.py).
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
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import Histograms, LogReader
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

    def __init__(self, log: LogReader, *, readers: int = 1, limit_bytes: int = HELD_BYTES) -> None:
        self._log = log
        self._readers = readers
        self._rows = DumpRows(log, limit_bytes)

    @property
    def size_bytes(self) -> int:
        """Bytes that are kept."""
        return self._rows.size_bytes

    def measure(self, name: str) -> Floats:
        """float32 (dumps, filters), read-only: one of MEASURES for all filters of the network."""
        filters = self._filters
        return self._rows.get((name, filters), lambda first: self._read(first, [name], slice(0, filters))[:, 0])

    def layer(self, layer: Layer) -> Floats:
        """float32 (dumps, measures, filters of the layer), read-only: all MEASURES, in their order."""
        return self._rows.get((layer.offset, layer.filters), lambda first: self._read(first, MEASURES, layer.rows))

    def at(self, dump: DumpFiles, name: str) -> Floats:
        """float32 (filters,): one of MEASURES at one dump, read from its file alone."""
        found = next(self._each([dump], lambda dump: self._log.filters(dump, [name])))
        return np.full(self._filters, np.nan, np.float32) if found is None else found[name]

    def histograms(self, first: int = 0) -> Iterator[Histograms | None]:
        """Histograms of all layers at the dumps from `first` on; None where they cannot be read."""
        return self._each(self._log.dumps[first:], self._log.histograms)

    @property
    def _filters(self) -> int:
        assert self._log.network is not None
        return self._log.network.filters

    def _read(self, first: int, names: Sequence[str], filters: slice) -> Floats:
        dumps = self._log.dumps[first:]
        rows = np.full((len(dumps), len(names), filters.stop - filters.start), np.nan, np.float32)
        for row, found in zip(rows, self._each(dumps, lambda dump: self._log.filters(dump, names)), strict=True):
            if found is not None:
                for place, name in enumerate(names):
                    row[place] = found[name][filters]
        return rows

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
