"""What does the index of a run have of a block, and of a wide block?

1. Of a block every file of its dumps is read once. What is pooled and counted is what `Run` itself makes of the log, by
   the same functions.
2. Of a wide block the measures and node statistics of its blocks are reduced to levels, an array at a time: columns of
   16 and of 64 dumps never reach over the end of a block, so a block is all that is held of one. Predicted classes are
   those of its blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.derived import derived, source_of
from deeptracker.analysis.hierarchy import preorder
from deeptracker.analysis.levels import extremes, means
from deeptracker.analysis.pooling import needed_measures, pool
from deeptracker.analysis.quantiles import quantiles, same_histogram
from deeptracker.analysis.ranking import leading
from deeptracker.errors import LogFileError
from deeptracker.schema import FILTER_DISTANCES, FILTER_MEASURES, MEASURES, MISSING, QUANTILES, Network
from deeptracker.store.history import class_errors
from deeptracker.store.index_layout import DETAILS, LEADING, STORED_LEVELS, extremes_name, mean_name, wide_name
from deeptracker.store.index_writer import IndexWriter, blocks_of, packed
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Samples

Rows = dict[str, npt.NDArray[Any]]


def block_rows(log: LogReader, samples: Samples | None, dumps: Sequence[DumpFiles]) -> Rows:
    """(rows, *shape) for each array that has a shard a block; LogFileError if a dump cannot be read."""
    found: Rows = {
        "iteration": np.array([dump.iteration for dump in dumps], np.int64),
        "branch": np.array([dump.branch for dump in dumps], np.int32),
    }
    if log.network is not None and log.network.filters:
        measures = _filter_rows(log, log.network, dumps)
        found |= measures
        found["node_stats"] = _node_rows(log, log.network, dumps, measures)
        found |= _leading_rows(measures)
    if samples is not None and len(samples.labels):
        found |= _sample_rows(log, samples, dumps)
    return found


def wide_rows(writer: IndexWriter, number: int) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Name and rows of each array that has a shard a wide block, from the blocks as they are written.

    Means float32 (rows, *shape), extremes float32 (rows, 2, *shape), predicted classes int (dumps, samples).
    FileNotFoundError, LogFileError or DamagedShardError where a block cannot be read.
    """
    for name in writer.arrays:
        if wide_name(name) in writer.wide_arrays:
            yield wide_name(name), np.concatenate([writer.read(name, block) for block in blocks_of(number)])
        if mean_name(name, STORED_LEVELS[0]) not in writer.wide_arrays:
            continue
        parts: dict[str, list[npt.NDArray[np.float32]]] = {}
        for block in blocks_of(number):
            rows = writer.read(name, block)
            for level in STORED_LEVELS:
                parts.setdefault(mean_name(name, level), []).append(means(rows, level))
                parts.setdefault(extremes_name(name, level), []).append(extremes(rows, level))
        for array, of_blocks in parts.items():
            yield array, np.concatenate(of_blocks)


def _filter_rows(log: LogReader, network: Network, dumps: Sequence[DumpFiles]) -> Rows:
    """float32 (dumps, filters) for each of MEASURES; NaN where a dump has no filters."""
    found: Rows = {name: np.full((len(dumps), network.filters), np.nan, np.float32) for name in MEASURES}
    for row, dump in enumerate(dumps):
        if "filters" in dump.paths:
            for name, values in log.filters(dump).items():
                found[name][row] = values
    return found


def _node_rows(log: LogReader, network: Network, dumps: Sequence[DumpFiles], filters: Rows) -> npt.NDArray[np.float32]:
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


def _leading_rows(filters: Rows) -> Rows:
    """int32 and float32 (dumps, FILTER_DISTANCES, LEADING)"""
    each = [leading(derived(name, filters[source_of(name)]), LEADING) for name in FILTER_DISTANCES]
    return {
        "leading_filter": np.stack([found.filter for found in each], axis=1),
        "leading_value": np.stack([found.value for found in each], axis=1),
    }


def _pooled(measure: str, network: Network, groups: list[tuple[int, ...]], filters: Rows) -> npt.NDArray[np.float32]:
    values = {name: derived(name, filters[source_of(name)]) for name in needed_measures(measure)}
    return pool(measure, values, network.layers, groups)


def _sample_rows(log: LogReader, samples: Samples, dumps: Sequence[DumpFiles]) -> Rows:
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
        missing[row] = (read.predicted == MISSING).sum()
    correct = predicted == samples.labels.astype(predicted.dtype)
    return {
        "predicted": predicted,
        **details,
        "correct": packed(correct),
        "class_error": class_error,
        "error": error,
        "missing": missing,
    }
