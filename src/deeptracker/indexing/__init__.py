"""How is the index of a run built, by one process or many?

1. Blocks of 64 dumps are independent of each other: each is read from the log, pooled, and written by whoever is free
   (contents.py). The process that was asked hands them out and publishes those that are done; it alone touches
   `index/zarr.json`. Wide blocks follow, from the blocks as they were written.
2. Blocks that are published and whole are kept, so building again after being stopped goes on where it was.
3. Dumps that may still receive predictions are left to the log: of a run that is recorded, all after the last complete
   block; of a finished one none.
4. A block with a dump that cannot be read is not written. The log goes on to answer for it, and says what is wrong.
5. A process that writes several blocks opens the run once.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from deeptracker.analysis.hierarchy import preorder
from deeptracker.indexing.contents import block_rows, wide_rows
from deeptracker.parallel import handed_out
from deeptracker.store.blobs import Blobs
from deeptracker.store.history import settled_dumps
from deeptracker.store.index_layout import BLOCK
from deeptracker.store.index_writer import NOT_WHOLE, IndexWriter, blocks_of
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Samples, read_samples

Place = str | os.PathLike[str]
Written = Iterator[tuple[int, int | None]]
"""Number and bytes of each block that was done; None where it could not be written."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What building did: blocks and bytes written, blocks that were there and whole, seconds it took.

    `blocks_left_out` have a dump that cannot be read. `wide_written` are wide blocks, of levels of detail.
    """

    blocks_written: int
    blocks_kept: int
    seconds: float
    bytes: int
    blocks_left_out: int = 0
    wide_written: int = 0


def build_index(
    place: Place,
    *,
    processes: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_begin: Callable[[int], None] | None = None,
    fewest_dumps: int = 1,
    check_published: bool = True,
) -> IndexReport:
    """Build, extend or repair the index of a run; `on_progress` is told blocks done and blocks in all.

    Nothing is built of a run that has fewer settled dumps than `fewest_dumps`. Without `check_published` blocks that
    are published are taken to be whole, and not one of their bytes is read. `on_begin` is told how many blocks are to
    be built, before the first of them and not where there are none; what it raises ends the building.

    Blocks are written by this process, by so many of them, or by the workers of a Dask cluster that see the same place
    (`scheduler`, the address of its `dask.distributed` scheduler): the bytes are the same. RunNotFoundError if there is
    no run, ValueError unless processes >= 1.
    """
    if processes < 1:
        raise ValueError(f"processes must be >= 1. Got {processes}.")
    began = time.perf_counter()
    run = _Opened(place)
    if run.dumps < fewest_dumps:
        return IndexReport(0, 0, time.perf_counter() - began, 0)
    run.writer.remove_leftovers()
    build = _Build(run, check_published, on_progress)
    if build.todo and on_begin is not None:
        on_begin(len(build.todo))
    for is_wide in (False, True):
        numbers = build.wide_todo() if is_wide else build.todo
        with _written(run, numbers, is_wide, processes, scheduler) as written:
            build.take(written, build.wide if is_wide else build.blocks)
    if build.size_bytes or check_published:
        build.finish()
    kept, left_out = len(run.writer.blocks) - len(build.todo), len(build.todo) - len(build.blocks)
    seconds = time.perf_counter() - began
    return IndexReport(len(build.blocks), kept, seconds, build.size_bytes, left_out, len(build.wide))


@dataclass(frozen=True, slots=True)
class Told:
    """What another process must know to write the same bytes: the place, how many dumps, and what these are."""

    place: str
    dumps: int
    group: str
    dumps_crc32: int


def write_part(told: Told, is_wide: bool, number: int) -> int | None:
    """Write one block, or wide block, of the index of a run; the bytes written.

    None where a dump cannot be read, or the run is not what it was any more (training was resumed meanwhile).
    """
    run = _opened(told)
    return None if run is None else run.write(is_wide, number)


@lru_cache(maxsize=1)
def _opened(told: Told) -> _Opened | None:
    """The run as it was told of; None where it is another."""
    run = _Opened(told.place, told.dumps)
    return run if run.told == told else None


class _Opened:
    """A run for building its index: what is known of it, and the first `dumps` of its dumps."""

    def __init__(self, place: Place, dumps: int | None = None) -> None:
        self.blobs = Blobs(place)
        self.log = LogReader(self.blobs)
        self.samples: Samples | None = read_samples(self.blobs)
        self.dumps = self._indexed_dumps() if dumps is None else dumps
        self.writer = IndexWriter(self.blobs, self.log, self.samples, self.dumps)
        crc32 = zlib.crc32(json.dumps(self.writer.dumps).encode())
        self.told = Told(os.fspath(place), self.dumps, self.writer.group, crc32)

    def labels(self) -> dict[str, Any]:
        """Attributes of the group: what its dimensions are called."""
        nodes = () if self.log.network is None else preorder(self.log.network.hierarchy)
        return {
            "run": self.log.info.name,
            "nodes": [node.name for node in nodes],
            "class_names": list(self.log.info.class_names or ()),
        }

    def write(self, is_wide: bool, number: int) -> int | None:
        """Write a block or wide block; the bytes written, None where what it is made from cannot be read."""
        try:
            if is_wide:
                return self.writer.write_wide(number, wide_rows(self.writer, number))
            copied = self.writer.copy(number)
            return self._write_anew(number) if copied is None else copied
        except NOT_WHOLE:
            return None

    def _write_anew(self, block: int) -> int | None:
        dumps = self.log.dumps[: self.dumps][block * BLOCK : (block + 1) * BLOCK]
        if len(dumps) < min(BLOCK, self.dumps - block * BLOCK):
            return None
        return self.writer.write(block, block_rows(self.log, self.samples, dumps))

    def _indexed_dumps(self) -> int:
        """How many of the first dumps are not going to change."""
        count = len(self.log.dumps)
        if self.log.info.state == "finished":
            return count
        if self.samples is not None and len(self.samples.labels):
            count = settled_dumps(self.log.dumps)
        return count - count % BLOCK


class _Build:
    """What is to be written of an index, and what is written and published. `blocks` and `wide` are those done."""

    def __init__(self, run: _Opened, check_published: bool, on_progress: Callable[[int, int], None] | None) -> None:
        self._writer = run.writer
        self._labels = run.labels()
        self._on_progress = on_progress
        self.todo = run.writer.missing(check_published=check_published)
        self._wide_todo = run.writer.missing_wide(check_published=check_published)
        self.blocks: set[int] = set()
        self.wide: set[int] = set()
        self.size_bytes = 0
        self._left = len(self.todo) + len(self._wide_todo)

    def wide_todo(self) -> list[int]:
        """The wide blocks to be written of which all blocks are there by now."""
        lacking = set(self.todo) - self.blocks
        return [number for number in self._wide_todo if lacking.isdisjoint(blocks_of(number))]

    def take(self, written: Written, done: set[int]) -> None:
        """Publish what is written, one after the other, and count it among those done."""
        for number, size_bytes in written:
            if size_bytes is not None:
                done.add(number)
                self.size_bytes += size_bytes
                self._publish(in_full=False)
            self._left -= 1
            if self._on_progress is not None:
                of = len(self._writer.blocks) + len(self._writer.wide)
                self._on_progress(of - self._left, of)

    def finish(self) -> None:
        """Let all metadata be as they ought to be, whoever may have changed them."""
        if self.blocks or self._writer.has_begun:
            self._publish(in_full=True)

    def _publish(self, *, in_full: bool) -> None:
        self._writer.publish(self.blocks, self.wide, labels=self._labels, in_full=in_full)


@contextmanager
def _written(
    run: _Opened, numbers: list[int], is_wide: bool, processes: int, scheduler: str | None
) -> Iterator[Written]:
    """Blocks or wide blocks with these numbers, as they are written here or elsewhere."""
    processes = min(processes, len(numbers))
    if not numbers:
        yield iter(())
    elif processes == 1 and scheduler is None:
        yield ((number, run.write(is_wide, number)) for number in numbers)
    else:
        work = partial(write_part, run.told, is_wide)
        with handed_out(work, numbers, processes=processes, scheduler=scheduler) as results:
            yield zip(numbers, results, strict=True)
