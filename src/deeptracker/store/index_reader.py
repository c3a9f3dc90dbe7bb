"""What does the index of a run hold of the dumps that its log shows?

1. `index/zarr.json` says which group is current, and which dumps are in it. The index counts as far as these are the
   first that the log shows: iteration, branch and files of each.
2. A shard's own index is read once and kept (16 bytes a chunk, 1.6 MB for all of the paper's run); columns of a block
   are then one range of bytes. From an object store several are read at a time. A local disk is told of all of them
   first and then asked for one after the other: threads would take longer, and more memory.
3. What is missing, cut short or fails its checksum is None, and noted among the log's problems: who asked takes these
   dumps from the log. It is tried again once in RETRY_SECONDS, as it may have been repaired.
4. An index of another version, network or set of samples is as good as none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError, UnreadableFileError
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
    place_of,
    range_of,
    shard_bytes,
)

AHEAD = 64
"""So much that was asked for is read, or told to the disk, ahead of who takes it."""

RETRY_SECONDS = 60.0

Wanted = tuple[str, int, slice | None]
"""An array, a block, and some of its columns (None: all)."""


@dataclass(frozen=True, slots=True)
class _Damaged:
    """A shard of which these columns could not be read."""

    path: str
    chosen: slice


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
        self._damaged: dict[tuple[str, int], _Damaged] = {}
        self._tried_again = 0.0

    @property
    def head(self) -> int:
        """So many of the first dumps are the same in log and index."""
        self._look()
        return self._head

    def covers(self, block: int, dumps: int = BLOCK) -> bool:
        """Is the block in the index, whole or as far as the run goes? A wide one, of WIDE dumps, is there whole."""
        published = self._current()
        if published is None:
            return False
        if dumps == BLOCK:
            return block in published.blocks and block * BLOCK < self._head
        return block in published.wide and (block + 1) * dumps <= self._head

    def stretches(self, first: int, end: int, dumps: int = BLOCK) -> list[tuple[int, int, int | None]]:
        """The dumps from `first` to before `end` in pieces: first, end, and the block where the index has it, or None.

        Dumps that the index lacks are one piece as long as they are neighbours.
        """
        self._look()
        if self._damaged and time.monotonic() - self._tried_again >= RETRY_SECONDS:
            self._tried_again = time.monotonic()
            self._try_again()
        found: list[tuple[int, int, int | None]] = []
        at = first
        while at < end:
            block = at // dumps
            is_there = at < self._head and self.covers(block, dumps)
            upto = min(end, (block + 1) * dumps, self._head if is_there else end)
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
        asked = self._asked(name, block, columns)
        if asked is None:
            return None
        array, path, chosen = asked
        try:
            found = self._read(array, path, chosen)
        except (FileNotFoundError, LogFileError, DamagedShardError) as error:
            self._note(path, error)
            if not self._damaged:
                self._tried_again = time.monotonic()
            self._damaged[name, block] = _Damaged(path, chosen)
            self._indexes.pop(path, None)
            return None
        return found[: min(array.rows, array.rows_of(self._head - block * array.dumps_per_shard))]

    def fetch(self, wanted: Sequence[Wanted]) -> Iterator[npt.NDArray[Any] | None]:
        """What `read` gives for each of these, in their order, several at a time and a little ahead of who asks."""
        if len(wanted) < 2:
            yield from (self.read(*one) for one in wanted)
        elif self._blobs.readers > 1:
            with ThreadPoolExecutor(self._blobs.readers) as pool:
                for start in range(0, len(wanted), AHEAD):
                    yield from pool.map(lambda one: self.read(*one), wanted[start : start + AHEAD])
        else:
            for start in range(0, len(wanted), AHEAD):
                self._expect(wanted[start : start + AHEAD])
                yield from (self.read(*one) for one in wanted[start : start + AHEAD])

    def _asked(self, name: str, block: int, columns: slice | None) -> tuple[IndexArray, str, slice] | None:
        """The array, the path of the block's shard, and the columns asked for; None where the index lacks them."""
        self._look()
        array = self._arrays.get(name)
        if array is None or not self.covers(block, array.dumps_per_shard) or (name, block) in self._damaged:
            return None
        assert self._published is not None
        chosen = slice(0, array.columns) if columns is None else slice(columns.start, columns.stop)
        return array, array.shard_path(self._published.group, block), chosen

    def _expect(self, wanted: Sequence[Wanted]) -> None:
        """Tell the disk what is going to be read; what lies where is known of compressed chunks only afterwards."""
        asked = [one for one in (self._asked(*one) for one in wanted) if one is not None and one[2].stop > one[2].start]
        for array, path, chosen in asked:
            if path not in self._indexes and not array.has_one_plain_chunk:
                self._blobs.expect(path, 0, index_bytes(array))
            if not array.is_compressed:
                self._blobs.expect(path, *place_of(array, *_chunks(array, chosen)))
        for array, path, chosen in asked:
            if array.is_compressed:
                with suppress(FileNotFoundError, LogFileError, DamagedShardError):
                    self._blobs.expect(path, *range_of(self._index_of(array, path), *_chunks(array, chosen)))

    def _read(self, array: IndexArray, path: str, chosen: slice) -> npt.NDArray[Any]:
        if chosen.stop <= chosen.start:
            return np.zeros((array.rows, 0), array.dtype)
        if array.has_one_plain_chunk:  # its place is known: index and chunk are one request
            data = self._blobs.range(path, 0, shard_bytes(array))
            index, data = decode_index(array, data[: index_bytes(array)]), data[index_bytes(array) :]
        else:
            index = self._index_of(array, path)
            data = self._blobs.range(path, *range_of(index, *_chunks(array, chosen)))
        return decode_columns_of(array, index, data, chosen.start, chosen.stop)

    def _index_of(self, array: IndexArray, path: str) -> ChunkIndex:
        if path not in self._indexes:
            self._indexes[path] = decode_index(array, self._blobs.range(path, 0, index_bytes(array)))
        return self._indexes[path]

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

    def _try_again(self) -> None:
        """Read what could not be read; the first that still cannot be ends this, and is the last next time."""
        for (name, block), damaged in list(self._damaged.items()):
            del self._damaged[name, block]
            if self.read(name, block, damaged.chosen) is None:
                return
            self._log.forget_problem(damaged.path)

    def _open(self) -> None:
        try:
            data = read_or_none(self._blobs, ROOT)
            self._log.forget_problem(ROOT)
        except UnreadableFileError as error:
            self._log.note_problem(ROOT, str(error))
            data = None
        found = None if data is None else Published.from_json(data)
        if found == self._published:
            return
        if found is not None and found.group.split("-")[0] != self._content_name():
            found = None
        self._published = found
        self._arrays = {} if found is None else index_arrays(self._log.network, self.samples)
        self._indexes.clear()
        for damaged in self._damaged.values():
            self._log.forget_problem(damaged.path)
        self._damaged.clear()

    def _content_name(self) -> str:
        return content_name(self._log.info.created, self._log.network_crc32, self.samples)

    @staticmethod
    def _same(published: Published, shown: tuple[DumpFiles, ...]) -> int:
        pairs = zip(published.dumps, shown, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == dump_identity(pair[1]), pairs))


def _chunks(array: IndexArray, chosen: slice) -> tuple[int, int]:
    """The first of the inner chunks that hold some columns, and the one behind the last."""
    return chosen.start // array.width, -(-chosen.stop // array.width)
