"""What does the index of a run hold of the dumps that its log shows?

1. `index/zarr.json` says which group is current, and which dumps are in it. The index counts as far as these are the
   first that the log shows: iteration, branch and files of each.
2. A shard's own index is read once and kept; columns of a block are then one range of bytes. Several blocks are read
   at a time: from an object store, and from a disk that has not read them lately, the time goes into waiting.
3. What is missing, cut short or fails its checksum is None, and noted among the log's problems: who asked takes these
   dumps from the log. An index of another version, network or set of samples is as good as none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError
from deeptracker.store.blobs import Blobs, read_or_none
from deeptracker.store.index_layout import (
    BLOCK,
    ROOT,
    IndexArray,
    Published,
    content_name,
    dump_identity,
    index_arrays,
)
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Samples
from deeptracker.store.shards import (
    ChunkIndex,
    DamagedShardError,
    decode_columns_of,
    decode_index,
    index_bytes,
    range_of,
    shard_bytes,
)

READERS = 8
AHEAD = 64

Wanted = tuple[str, int, slice | None]
"""An array, a block, and some of its columns (None: all)."""


class IndexReader:
    """Reads the index of a run beside its log. `samples` are to be set once they are known.

    Rows asked for are those of a block, as far as the log shows the same dumps.
    """

    def __init__(self, blobs: Blobs, log: LogReader) -> None:
        self._blobs = blobs
        self._log = log
        self.samples: Samples | None = None
        self._seen: tuple[tuple[DumpFiles, ...], Samples | None] | None = None
        self._published: Published | None = None
        self._arrays: dict[str, IndexArray] = {}
        self._head = 0
        self._indexes: dict[str, ChunkIndex] = {}
        self._damaged: set[tuple[str, int]] = set()

    @property
    def head(self) -> int:
        """So many of the first dumps are the same in log and index."""
        self._look()
        return self._head

    def covers(self, block: int) -> bool:
        """Is the block in the index, whole or as far as the run goes?"""
        published = self._current()
        return published is not None and block in published.blocks and block * BLOCK < self._head

    def stretches(self, first: int, end: int) -> list[tuple[int, int, int | None]]:
        """The dumps from `first` to before `end` in pieces: first, end, and the block where the index has it, or None.

        Dumps that the index lacks are one piece as long as they are neighbours.
        """
        self._look()
        found: list[tuple[int, int, int | None]] = []
        at = first
        while at < end:
            block = at // BLOCK
            is_there = at < self._head and self.covers(block)
            upto = min(end, (block + 1) * BLOCK, self._head if is_there else end)
            if not is_there and found and found[-1][2] is None:
                at_before, _, _ = found.pop()
                found.append((at_before, upto, None))
            else:
                found.append((at, upto, block if is_there else None))
            at = upto
        return found

    def read(self, name: str, block: int, columns: slice | None = None) -> npt.NDArray[Any] | None:
        """(rows, columns): some columns of an array at a block, all where None; None where it cannot be read.

        Rows are those of the block's dumps that the log shows, too; for `correct`, the one of all its dumps.
        """
        array = self._arrays.get(name) if self.covers(block) else None
        if array is None or (name, block) in self._damaged:
            return None
        assert self._published is not None
        start, stop = (0, array.columns) if columns is None else (columns.start, columns.stop)
        path = array.shard_path(self._published.group, block)
        try:
            found = self._read(array, path, start, stop)
        except (FileNotFoundError, LogFileError, DamagedShardError) as error:
            self._note(path, error)
            self._damaged.add((name, block))
            return None
        rows = -(-(self._head - block * BLOCK) // array.dumps_per_row)
        return found[: min(array.rows, rows)]

    def fetch(self, wanted: Sequence[Wanted]) -> Iterator[npt.NDArray[Any] | None]:
        """What `read` gives for each of these, in their order, several at a time and a little ahead of who asks."""
        if len(wanted) < 2:
            yield from (self.read(*one) for one in wanted)
            return
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(wanted), AHEAD):
                yield from pool.map(lambda one: self.read(*one), wanted[start : start + AHEAD])

    def _read(self, array: IndexArray, path: str, start: int, stop: int) -> npt.NDArray[Any]:
        if stop <= start:
            return np.zeros((array.rows, 0), array.dtype)
        if array.has_one_plain_chunk:  # its place is known: index and chunk are one request
            data = self._blobs.range(path, 0, shard_bytes(array))
            index, data = decode_index(array, data[: index_bytes(array)]), data[index_bytes(array) :]
            return decode_columns_of(array, index, data, start, stop)
        if path not in self._indexes:
            self._indexes[path] = decode_index(array, self._blobs.range(path, 0, index_bytes(array)))
        index = self._indexes[path]
        data = self._blobs.range(path, *range_of(index, start // array.width, -(-stop // array.width)))
        return decode_columns_of(array, index, data, start, stop)

    def _note(self, path: str, error: Exception) -> None:
        missing = isinstance(error, FileNotFoundError)
        what = "must be there. It is missing" if missing else f"must be whole. It is damaged ({error})"
        text = (
            f"{self._blobs.name(path)} {what}; the log is read instead. Repair: deeptracker index {self._blobs.place}"
        )
        self._log.note_problem(path, text)

    def _current(self) -> Published | None:
        self._look()
        return self._published

    def _look(self) -> None:
        """Compare with what the log shows now; look for a longer index where the log has outgrown this one."""
        shown = self._log.dumps
        if self._seen is not None and self._seen[0] is shown and self._seen[1] is self.samples:
            return
        self._seen = (shown, self.samples)
        held = self._published
        if held is None or len(shown) - len(held.dumps) >= BLOCK or self._same(held, shown) < len(held.dumps):
            self._open()
        self._head = 0 if self._published is None else self._same(self._published, shown)

    def _open(self) -> None:
        data = read_or_none(self._blobs, ROOT)
        found = None if data is None else Published.from_json(data)
        if found == self._published:
            return
        if found is not None and found.group.split("-")[0] != content_name(self._log.network_crc32, self.samples):
            found = None
        self._published = found
        self._arrays = {} if found is None else index_arrays(self._log.network, self.samples)
        self._indexes.clear()
        self._damaged.clear()

    @staticmethod
    def _same(published: Published, shown: tuple[DumpFiles, ...]) -> int:
        pairs = zip(published.dumps, shown, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == dump_identity(pair[1]), pairs))
