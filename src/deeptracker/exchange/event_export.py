"""How does a run become event files that TensorBoard shows?

1. Scalars under their own names, at their iterations. Of every layer and of the whole network some statistics, as
   `change/layer1.0.conv1`: measures of thousands of filters are no scalars, and TensorBoard would show none of them.
2. The log is read dump by dump. All is in one file, written under a hidden name in the folder and renamed at the end.
3. TensorBoard wants a time for each event; it is that of the run's beginning, which the log knows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from deeptracker.analysis.hierarchy import preorder
from deeptracker.errors import DeepTrackerError, LogFileError
from deeptracker.exchange.tables import ExportChoice, ExportExistsError, ExportReport
from deeptracker.indexing.contents import block_rows
from deeptracker.schema import NODE_MEASURES
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

STATISTICS = ("mean", "sd", "l2", "grad_l2", "change", "update_ratio")
"""What is written of a layer unless measures are chosen."""

WHOLE_NETWORK = "network"
SUFFIX = ".deeptracker"
"""How our event files end, so that an export may replace them and no others."""


def export_tensorboard(
    run: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    choice: ExportChoice | None = None,
    force: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Write scalars, and statistics of layers, as an event file; `on_progress` is told dumps done and in all.

    ExportExistsError where there are event files, unless `force`, which replaces those of an earlier export;
    DeepTrackerError where TensorBoard is not installed.
    """
    choice = choice or ExportChoice()
    log, target = LogReader(Blobs(run)), Path(folder)
    there = sorted(target.glob("*tfevents*"))
    if there and not force:
        raise ExportExistsError(
            f"{target} must have no event files: TensorBoard would mix them. It has {there[0].name}. "
            "Export to another folder, or --force"
        )
    measures = [name for name in NODE_MEASURES if name in (choice.measures or STATISTICS)]
    wanted = set() if log.network is None else {layer.name for layer in choice.layers_of(log.network)}
    target.mkdir(parents=True, exist_ok=True)
    left_out: list[str] = []
    with TemporaryDirectory(dir=target, prefix=".") as hidden:
        events = _Events(hidden, datetime.fromisoformat(log.info.created).timestamp())
        try:
            if "scalars" in choice.tables:
                _write_scalars(events, log)
            with_layers = bool("layers" in choice.tables and log.network and measures)
            for done, dump in enumerate(log.dumps if with_layers else (), 1):
                try:
                    stats = block_rows(log, None, [dump])["node_stats"][0]
                    _write_layers(events, log, dump.iteration, stats, measures, wanted)
                except LogFileError as error:
                    left_out.append(str(error))
                if on_progress is not None:
                    on_progress(done, len(log.dumps))
        finally:
            events.close()
        (written,) = Path(hidden).iterdir()
        for old in there:
            if old.name.endswith(SUFFIX):
                old.unlink()
        written.replace(target / written.name)
    return ExportReport(events.counts, tuple(left_out))


def _write_scalars(events: _Events, log: LogReader) -> None:
    rows = log.scalars()
    iterations = rows.pop("iteration").tolist()
    columns = {name: values.tolist() for name, values in rows.items()}
    for row, iteration in enumerate(iterations):
        logged = {name: values[row] for name, values in columns.items() if not np.isnan(values[row])}
        if logged:
            events.add("scalars", iteration, logged)


def _write_layers(
    events: _Events, log: LogReader, iteration: int, stats: Any, measures: list[str], wanted: set[str]
) -> None:
    """`stats` float32 (NODE_MEASURES, nodes)"""
    assert log.network is not None
    found = {}
    for place, node in enumerate(preorder(log.network.hierarchy)):
        if node.layer is not None and log.network.layers[node.layer].name not in wanted:
            continue
        if node.layer is not None or not node.name:
            name = log.network.layers[node.layer].name if node.layer is not None else WHOLE_NETWORK
            for measure in measures:
                value = float(stats[NODE_MEASURES.index(measure), place])
                if not np.isnan(value):
                    found[f"{measure}/{name}"] = value
    if found:
        events.add("layers", iteration, found)


class _Events:
    """An event file of scalars."""

    def __init__(self, folder: str, wall_time: float) -> None:
        try:
            writer = import_module("tensorboard.summary.writer.event_file_writer")
            self._event = import_module("tensorboard.compat.proto.event_pb2").Event
            self._summary = import_module("tensorboard.compat.proto.summary_pb2").Summary
        except ImportError as error:
            raise DeepTrackerError(
                "event files are written by TensorBoard, which is missing. pip install 'deeptracker[tensorboard]'"
            ) from error
        self._writer = writer.EventFileWriter(folder, filename_suffix=SUFFIX)
        self._wall_time = wall_time
        self.counts: dict[str, int] = {}

    def add(self, what: str, iteration: int, values: dict[str, float]) -> None:
        """Scalars of one iteration, counted under `what`."""
        numbers = [self._summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._writer.add_event(
            self._event(wall_time=self._wall_time, step=iteration, summary=self._summary(value=numbers))
        )
        self.counts[what] = self.counts.get(what, 0) + len(values)

    def close(self) -> None:
        self._writer.close()
