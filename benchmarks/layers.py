"""The lines of analysis.py on layers and filters: all nodes, a layer unfolded, the most changed filters.

Measures are read beside pyarrow told to read that one column, which checks no checksum; files are in the system's
memory for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from timing import OUR_REPEATS, THEIR_REPEATS, Row, close, same, timed

from deeptracker.run import Run, open_run
from deeptracker.schema import QUANTILES, Layer
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

TOP = 100

Shares = npt.NDArray[np.float32]


def read_column(place: Path, measure: str) -> Shares:
    """(dumps, filters), as anybody would read it: pyarrow, one column of each file."""
    rows: list[Shares] = []
    for path in sorted((place / "log" / "filters").glob("*.arrow")):
        column = pa.ipc.open_file(str(path)).schema.get_field_index(measure)
        only = pa.ipc.IpcReadOptions(included_fields=[column])
        rows.append(pa.ipc.open_file(str(path), options=only).get_batch(0).column(0).to_numpy())
    return np.stack(rows)


def literal_deviations(place: Path, groups: Sequence[Sequence[Layer]]) -> Shares:
    """(groups, dumps): deviation of all weights of some layers, from the second moments of their filters."""
    deviations, means = read_column(place, "sd"), read_column(place, "mean")
    found = np.zeros((len(groups), len(means)), np.float32)
    for row, layers in zip(found, groups, strict=True):
        filters = np.concatenate([np.arange(layer.rows.start, layer.rows.stop) for layer in layers])
        share = np.repeat([layer.fan_in for layer in layers], [layer.filters for layer in layers]).astype(np.float64)
        share /= share.sum()
        for dump in range(len(means)):
            sd, mean = (of[dump, filters].astype(np.float64) for of in (deviations, means))
            row[dump] = np.sqrt((share * (sd**2 + (mean - (share * mean).sum()) ** 2)).sum())
    return found


def literal_medians(log: LogReader, groups: Sequence[Sequence[int]]) -> Shares:
    """(groups, dumps): medians of the weights of some layers, bins counted together and sorted by value for each."""
    found = np.full((len(groups), len(log.dumps)), np.nan, np.float32)
    for dump, files in enumerate(log.dumps):
        read = log.histograms(files)
        for place, group in enumerate(groups):
            bins = np.concatenate([read.weight_bins[index] for index in group]).astype(np.uint32)
            values = ((bins << 18) | (1 << 17)).view(np.float32)
            values[bins % 8192 == 0] = 0
            order = np.argsort(values)
            upto = np.cumsum(np.concatenate([read.weight_counts[index] for index in group])[order], dtype=np.int64)
            found[place, dump] = values[order[np.searchsorted(upto, np.ceil(QUANTILES["weight_median"] * upto[-1]))]]
    return found


def layer_rows(place: Path) -> Iterator[Row]:
    """Measures at all nodes, a layer unfolded, the most changed filters of every dump."""
    run = open_run(place)
    groups = [[run.network().layers[index] for index in node.layers] for node in run.nodes()]
    nodes = f"{len(groups)} nodes"
    ours, found = timed(lambda: open_run(place).node_stats("sd"), THEIR_REPEATS)
    other, literal = timed(lambda: literal_deviations(place, groups), 1)
    yield Row(f"open the run, deviation at all {nodes}", ours, other, close(found, literal))
    ours, found = timed(lambda: open_run(place).node_stats("weight_median"), THEIR_REPEATS)
    log = LogReader(Blobs(place))
    other, literal = timed(lambda: literal_medians(log, [node.layers for node in run.nodes()]), 1)
    yield Row(f"open the run, median of weights at all {nodes}", ours, other, same((found, literal)))
    widest = max(run.network().layers, key=lambda layer: layer.filters)
    ours, found = timed(lambda: open_run(place).filter_stats(widest.name, "change", "filter"), THEIR_REPEATS)

    def literal_chart() -> Shares:
        rows = read_column(place, "change")[:, widest.rows].T
        largest = np.nanmax(np.abs(rows), axis=1, keepdims=True)
        return np.divide(rows, largest, out=np.where(np.isnan(rows), rows, 0), where=largest > 0)

    other, literal = timed(literal_chart, THEIR_REPEATS)
    yield Row(f"open the run, chart of {widest.filters:,} filters", ours, other, same((found, literal)))
    run.filter_stats(widest.name, "change")
    ours, _ = timed(lambda: run.filter_stats(widest.name, "change", "filter"), OUR_REPEATS)
    yield Row("the chart again, or of another layer", ours, other, "")
    ours, _ = timed(lambda: open_run(place).filter_order(widest.name, "change"), THEIR_REPEATS)
    yield Row("open the run, similarity order of the same filters", ours, None, "")
    yield _top_counts(place, run)


def _top_counts(place: Path, run: Run) -> Row:
    every = iter(range(TOP, TOP + OUR_REPEATS))  # another number each time, as a run keeps the counts that it has made
    ours, (k, found) = timed(lambda: (k := next(every), run.top_counts(k)), OUR_REPEATS)
    changes = read_column(place, "change")
    layer_of = np.repeat(np.arange(len(run.network().layers)), [layer.filters for layer in run.network().layers])

    def literal() -> npt.NDArray[np.int64]:
        counts = np.zeros((found.shape[0], len(changes)), np.int64)
        for dump, row in enumerate(changes):
            top = np.argsort(-row, kind="stable")[:k]  # NaN last
            counts[:, dump] = np.bincount(layer_of[top[~np.isnan(row[top])]], minlength=len(counts))
        return counts

    other, expected = timed(literal, THEIR_REPEATS)
    return Row(f"{TOP} most changed filters of every dump, by layer", ours, other, same((found, expected)))
