"""How is the index of a run built, by one process or many?

1. Blocks of 64 dumps are independent of each other: each is read from the log, pooled, and written by whoever is free.
   The process that was asked hands them out and publishes those that are done; it alone touches `index/zarr.json`.
2. Blocks that are published and whole are kept, so building again after being stopped goes on where it was.
3. Dumps that may still receive predictions are left to the log: of a run that is recorded, all after the last complete
   block; of a finished one none.
4. A block with a dump that cannot be read is not written. The log goes on to answer for it, and says what is wrong.
5. What is pooled and counted is what `Run` itself computes from the log, by the same functions.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.filters import derived, source_of
from deeptracker.analysis.hierarchy import preorder
from deeptracker.analysis.pooling import needed_measures, pool
from deeptracker.analysis.quantiles import quantiles, same_histogram
from deeptracker.errors import DeepTrackerError, LogFileError
from deeptracker.schema import FILTER_MEASURES, MEASURES, QUANTILES, Network
from deeptracker.store.blobs import Blobs
from deeptracker.store.history import class_errors, settled_dumps
from deeptracker.store.index_layout import BLOCK, DETAILS
from deeptracker.store.index_writer import IndexWriter, packed
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Samples, read_samples

Rows = dict[str, npt.NDArray[Any]]
Place = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What building did: blocks and bytes written, blocks that were there and whole, seconds it took.

    `blocks_left_out` have a dump that cannot be read.
    """

    blocks_written: int
    blocks_kept: int
    seconds: float
    bytes: int
    blocks_left_out: int = 0


def build_index(
    place: Place,
    *,
    processes: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> IndexReport:
    """Build, extend or repair the index of a run; `on_progress` is told blocks done and blocks in all.

    Blocks are written by this process, by so many of them, or by the workers of a Dask cluster that see the same place
    (`scheduler`, the address of its `dask.distributed` scheduler): the bytes are the same. RunNotFoundError if there is
    no run, ValueError unless processes >= 1.
    """
    if processes < 1:
        raise ValueError(f"processes must be >= 1. Got {processes}.")
    began = time.perf_counter()
    run = _Opened(place)
    todo = run.writer.missing()
    kept = len(run.writer.blocks) - len(todo)
    done: set[int] = set()
    left_out = size_bytes = 0
    labels = run.labels()
    with _workers(run, os.fspath(place), min(processes, len(todo)), scheduler) as write_all:
        for count, (block, written) in enumerate(write_all(todo), 1):
            if written is None:
                left_out += 1
            else:
                done.add(block)
                size_bytes += written
                run.writer.publish(done, labels=labels, in_full=len(done) == 1)
            if on_progress is not None:
                on_progress(kept + count, len(run.writer.blocks))
    if done:
        run.writer.publish(done, labels=labels, in_full=True)
    return IndexReport(len(done), kept, time.perf_counter() - began, size_bytes, left_out)


def write_block(place: str, dumps: int, group: str, block: int) -> int | None:
    """Write one block of the index of a run that has so many dumps to index, into this group; the bytes written.

    None where a dump cannot be read, or the run is not what it was any more (training was resumed meanwhile).
    """
    run = _Opened(place, dumps)
    return run.write(block) if run.writer.group == group else None


class _Opened:
    """A run for building its index: what is known of it, and the first `dumps` of its dumps."""

    def __init__(self, place: Place, dumps: int | None = None) -> None:
        self.blobs = Blobs(place)
        self.log = LogReader(self.blobs)
        self.samples: Samples | None = read_samples(self.blobs)
        self.dumps = self._indexed_dumps() if dumps is None else dumps
        self.writer = IndexWriter(self.blobs, self.log, self.samples, self.dumps)

    def labels(self) -> dict[str, Any]:
        """Attributes of the group: what its dimensions are called."""
        nodes = () if self.log.network is None else preorder(self.log.network.hierarchy)
        return {
            "run": self.log.info.name,
            "nodes": [node.name for node in nodes],
            "class_names": list(self.log.info.class_names or ()),
        }

    def write(self, block: int) -> int | None:
        """Write a block; the bytes written, None where a dump cannot be read."""
        copied = self.writer.copy(block)
        if copied is not None:
            return copied
        try:
            rows = self.block_rows(block)
        except LogFileError:
            return None
        return None if rows is None else self.writer.write(block, rows)

    def block_rows(self, block: int) -> Rows | None:
        """(rows, *shape) for each array of the index, at the dumps of a block; LogFileError if one cannot be read."""
        dumps = self.log.dumps[: self.dumps][block * BLOCK : (block + 1) * BLOCK]
        if len(dumps) < min(BLOCK, self.dumps - block * BLOCK):
            return None
        found: Rows = {
            "iteration": np.array([dump.iteration for dump in dumps], np.int64),
            "branch": np.array([dump.branch for dump in dumps], np.int32),
        }
        if self.log.network is not None and self.log.network.filters:
            measures = _filter_rows(self.log, dumps)
            found |= measures
            found["node_stats"] = _node_rows(self.log, self.log.network, dumps, measures)
        if self.samples is not None and len(self.samples.labels):
            found |= _sample_rows(self.log, self.samples, dumps)
        return found

    def _indexed_dumps(self) -> int:
        """How many of the first dumps are not going to change."""
        count = len(self.log.dumps)
        if self.log.info.state == "finished":
            return count
        if self.samples is not None and len(self.samples.labels):
            count = settled_dumps(self.log.dumps)
        return count - count % BLOCK


def _filter_rows(log: LogReader, dumps: Iterable[DumpFiles]) -> Rows:
    """float32 (dumps, filters) for each of MEASURES; NaN where a dump has no filters."""
    assert log.network is not None
    dumps = tuple(dumps)
    found: Rows = {name: np.full((len(dumps), log.network.filters), np.nan, np.float32) for name in MEASURES}
    for row, dump in enumerate(dumps):
        if "filters" in dump.paths:
            for name, values in log.filters(dump).items():
                found[name][row] = values
    return found


def _node_rows(log: LogReader, network: Network, dumps: Iterable[DumpFiles], filters: Rows) -> npt.NDArray[np.float32]:
    """float32 (dumps, NODE_MEASURES, nodes)"""
    groups = [node.layers for node in preorder(network.hierarchy)]
    stats = [_pooled(measure, network, groups, filters) for measure in FILTER_MEASURES]
    read = [log.histograms(dump) if "layers" in dump.paths else None for dump in dumps]
    every = range(len(network.layers))
    for family in dict.fromkeys(same_histogram(name) for name in QUANTILES):
        of_family = (None if one is None else one.of(family[0], every) for one in read)
        values = quantiles(of_family, groups, [QUANTILES[name] for name in family])
        stats += [values[:, :, place] for place in range(len(family))]
    return np.stack(stats, axis=1)


def _pooled(measure: str, network: Network, groups: list[tuple[int, ...]], filters: Rows) -> npt.NDArray[np.float32]:
    values = {name: derived(name, filters[source_of(name)]) for name in needed_measures(measure)}
    return pool(measure, values, network.layers, groups)


def _sample_rows(log: LogReader, samples: Samples, dumps: tuple[DumpFiles, ...]) -> Rows:
    """All arrays over samples and classes, (dumps, ...); -1 and NaN where a dump has no predictions."""
    count, narrow = len(samples.labels), samples.classes <= np.iinfo(np.int16).max
    predicted = np.full((len(dumps), count), -1, np.int16 if narrow else np.int32)
    details = {name: np.full((len(dumps), count), np.nan, np.float16) for name in DETAILS}
    error = np.full(len(dumps), np.nan, np.float32)
    class_error = np.full((len(dumps), samples.classes), np.nan, np.float32)
    missing = np.full(len(dumps), -1, np.int32)
    for row, dump in enumerate(dumps):
        if "predictions" not in dump.paths:
            continue
        read = log.predictions(dump, count)
        if read.predicted.dtype.itemsize > predicted.dtype.itemsize:
            raise LogFileError(f"predicted classes must fit into {predicted.dtype}. They are {read.predicted.dtype}.")
        predicted[row] = read.predicted
        for name, values in details.items():
            given = getattr(read, name)
            if given is not None:
                values[row] = given
        class_error[row], error[row] = class_errors(read.predicted, samples)
        missing[row] = (read.predicted < 0).sum()
    correct = predicted == samples.labels.astype(predicted.dtype)
    return {
        "predicted": predicted,
        **details,
        "correct": packed(correct),
        "class_error": class_error,
        "error": error,
        "missing": missing,
    }


def _distributed() -> ModuleType:
    try:
        return import_module("distributed")
    except ImportError as error:
        raise DeepTrackerError(
            "a scheduler needs dask.distributed. It is not installed: pip install 'deeptracker[distributed]'"
        ) from error


Written = Iterator[tuple[int, int | None]]


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Meanwhile Ctrl-C is nothing to this process, and to those it starts for good: who asked for them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _workers(
    run: _Opened, place: str, processes: int, scheduler: str | None
) -> Iterator[Callable[[list[int]], Written]]:
    """A function that writes blocks, and gives number and bytes of each when it is done."""
    told = (place, run.dumps, run.writer.group)
    if scheduler is not None:
        distributed = _distributed()
        with distributed.Client(scheduler) as client:

            def by_cluster(blocks: list[int]) -> Written:
                tasks = {client.submit(write_block, *told, block, pure=False): block for block in blocks}
                return ((tasks[task], task.result()) for task in distributed.as_completed(tasks))

            yield by_cluster
    elif processes > 1:
        # Spawned, not forked: a fork inherits threads of Arrow and of the object store in whatever state they are.
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:

            def by_processes(blocks: list[int]) -> Written:
                with _interrupts_ignored():  # as those do that are started here
                    tasks = {pool.submit(write_block, *told, block): block for block in blocks}
                return ((tasks[task], task.result()) for task in as_completed(tasks))

            try:
                yield by_processes
            except BaseException:
                pool.shutdown(cancel_futures=True)  # blocks that are under way are finished, no others begun
                raise
    else:
        yield lambda blocks: ((block, run.write(block)) for block in blocks)
