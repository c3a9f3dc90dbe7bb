"""What is known of every sample at every dump, held in memory or read from the index when asked for?

1. There is room for a row a dump. Memory that was never written to is not taken by the system, so rows that lie in the
   index cost nothing until all samples are asked for.
2. Some samples (a class) are read from the index block by block, and not kept; of a long record in wide blocks, where
   there are such.
3. A block that cannot be read is asked of the log, and held from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.store.index_layout import BLOCK, WIDE, wide_name
from deeptracker.store.index_reader import IndexReader

LEAST_WIDE = WIDE // 4
"""Of fewer dumps the blocks are read: a chunk of a wide block is as long as 16 of theirs, and a quarter as wide."""

Array = npt.NDArray[Any]


class SampleRows:
    """One array of the index, (dumps, samples), and what follows it in the log.

    `from_log(first, end)` gives the row of each of these dumps, (samples,), or the one value that all samples have.
    Where it `has_wide` the index has it in wide blocks as well.
    """

    def __init__(
        self,
        name: str,
        samples: int,
        dtype: npt.DTypeLike,
        index: IndexReader,
        from_log: Callable[[int, int], Iterator[Array | float]],
        *,
        has_wide: bool = False,
    ) -> None:
        self._name = name
        self._index = index
        self._from_log = from_log
        self._has_wide = has_wide
        self._room: Array = np.zeros((0, samples), dtype)
        self._is_held = np.zeros(0, bool)
        self.dumps = 0

    @property
    def size_bytes(self) -> int:
        """Bytes that are held."""
        return int(self._is_held.sum()) * self._room[:1].nbytes

    def forget(self) -> None:
        """Hold nothing; what is asked for is read again, from index or log."""
        self._room = np.zeros(self._room.shape, self._room.dtype)  # zeros_like would take the memory at once
        self._is_held[:] = False

    def cut(self, dumps: int) -> None:
        """Forget all rows from this one on."""
        self.dumps = min(self.dumps, dumps)
        self._is_held[self.dumps :] = False

    def grow(self, dumps: int) -> None:
        """Make room for so many dumps; nothing is known yet of those that are new."""
        if dumps > len(self._room):
            room = np.zeros((max(dumps, 2 * len(self._room), 16), self._room.shape[1]), self._room.dtype)
            held = np.flatnonzero(self._is_held[: self.dumps])
            room[held] = self._room[held]
            self._room = room
            self._is_held = np.concatenate([self._is_held, np.zeros(len(room) - len(self._is_held), bool)])
        self.dumps = max(self.dumps, dumps)

    def set(self, dump: int, values: Array | float) -> None:
        """The row of a dump; a wider type than before makes all rows as wide."""
        if isinstance(values, np.ndarray) and values.dtype.itemsize > self._room.dtype.itemsize:
            self._room = self._room.astype(values.dtype)
        self._room[dump] = values
        self._is_held[dump] = True

    def get(self, rows: slice | int, first: int = 0, end: int | None = None) -> Array:
        """(samples chosen, dumps from `first` to before `end`); a single sample gives (dumps,).

        Not to be written to where all samples are chosen.
        """
        end = self.dumps if end is None else end
        samples = self._room.shape[1]
        chosen = rows if isinstance(rows, slice) else slice(rows, rows + 1)
        start, stop, _ = chosen.indices(samples)
        if (start, stop) == (0, samples):
            self._hold_all(first, end)
        if self._is_held[first:end].all():
            return self._room[first:end, rows].T
        pieces = list(self._pieces(slice(start, stop), first, end))
        found = np.concatenate([piece.astype(self._room.dtype, copy=False).T for piece in pieces], axis=1)
        return found if isinstance(rows, slice) else found[0]

    def dumps_of(self, first: int, end: int) -> Array:
        """(end - first, samples): all samples at some dumps, not to be written to."""
        self._hold_all(first, end)
        return self._room[first:end]

    def _pieces(self, samples: slice, start: int, stop: int) -> Iterator[Array]:
        """Some samples at some dumps, (dumps, samples), in pieces."""
        for first, end, read in self._from_wide_or_index(start, stop, samples):
            if read is None:
                self._hold(first, end)
            yield self._room[first:end, samples] if read is None else read

    def _hold_all(self, start: int, stop: int) -> None:
        for first, end, read in self._from_index(start, stop, None):
            if read is None:
                self._hold(first, end)
            else:
                self._room[first:end] = read
                self._is_held[first:end] = True

    def _from_wide_or_index(self, start: int, stop: int, samples: slice) -> Iterator[tuple[int, int, Array | None]]:
        """As `_from_index`, wide blocks first."""
        if not self._has_wide or stop - start < LEAST_WIDE:
            yield from self._from_index(start, stop, samples)
            return
        pieces = self._index.stretches(start, stop, WIDE)
        read = self._index.fetch(
            [(wide_name(self._name), number, samples) for _, _, number in pieces if number is not None]
        )
        for first, end, number in pieces:
            rows = None if number is None else next(read)
            if rows is None or number is None:
                yield from self._from_index(first, end, samples)
            else:
                yield first, end, rows[first - number * WIDE :][: end - first]

    def _from_index(self, start: int, stop: int, samples: slice | None) -> Iterator[tuple[int, int, Array | None]]:
        """The dumps in pieces: first, end, and what the index has of them, (end - first, samples).

        None where it lacks them, cannot be read, or need not be asked as they are held.
        """
        pieces = self._index.stretches(start, stop)
        asked = [None if self._is_held[first:end].all() else block for first, end, block in pieces]
        read = self._index.fetch([(self._name, block, samples) for block in asked if block is not None])
        for (first, end, _), block in zip(pieces, asked, strict=True):
            rows = None if block is None else next(read)
            yield first, end, None if rows is None or block is None else rows[first - block * BLOCK :][: end - first]

    def _hold(self, first: int, end: int) -> None:
        """Take from the log what is not held of these dumps."""
        lacking = np.flatnonzero(~self._is_held[first:end])
        if len(lacking):
            begin = first + int(lacking[0])
            for dump, values in enumerate(self._from_log(begin, end), begin):
                self.set(dump, values)
