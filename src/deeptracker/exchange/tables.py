"""How does a run become tables that DuckDB, pandas and spreadsheets read?

1. Four tables, one file each. `filters`: one row a dump and filter, a column a measure. `layers`: one row a dump and
   node of the hierarchy, its measures pooled. `predictions`: one row a dump and sample, with `samples` beside it.
   `scalars`: one row an iteration, a column a name. docs/decisions/0016 says why they are laid out so.
2. The log is read dump by dump; what is held is a dump, and rows until they are worth a group (`ROWS`).
3. A file is written under a name that begins with a dot, and renamed when all is in it.
4. What is undefined or missing is null.
5. A dump that cannot be read is told and left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from deeptracker.analysis.hierarchy import preorder
from deeptracker.errors import DeepTrackerError, LogFileError, UnknownNameError
from deeptracker.indexing.contents import Rows, block_rows
from deeptracker.schema import MEASURES, MISSING, NODE_MEASURES, Layer, Network, check_measure
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Samples, read_samples

FORMATS = ("parquet", "csv")
TABLES = ("filters", "layers", "predictions", "scalars")
ROWS = 1 << 17
"""Rows of a row group: few enough to be held, enough to be read fast."""


class ExportExistsError(DeepTrackerError, FileExistsError):
    """There is an export already at this place."""


@dataclass(frozen=True, slots=True)
class ExportChoice:
    """What is wanted: some of TABLES, of measures and of layers (and all below a module); empty means all."""

    tables: tuple[str, ...] = TABLES
    measures: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for table in self.tables:
            if table not in TABLES:
                raise ValueError(f"a table must be one of {', '.join(TABLES)}. Got {table!r}.")
        for measure in self.measures:
            check_measure(measure, NODE_MEASURES)

    def layers_of(self, network: Network) -> tuple[Layer, ...]:
        """The layers that are wanted, in the network's order; UnknownNameError for one that is not there."""
        if not self.layers:
            return network.layers
        names = {layer.name for node in self.layers for layer in network.layers_below(node)}
        return tuple(layer for layer in network.layers if layer.name in names)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Rows by table, and what was left out."""

    rows: dict[str, int]
    left_out: tuple[str, ...]


def export_tables(
    run: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    kind: str = "parquet",
    choice: ExportChoice | None = None,
    force: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Write tables of a run into a folder, as one of FORMATS; `on_progress` is told dumps done and in all.

    ExportExistsError where one of the files is there, unless `force`; UnknownNameError for an unknown layer or measure.
    """
    if kind not in FORMATS:
        raise ValueError(f"the format must be one of {', '.join(FORMATS)}. Got {kind!r}.")
    choice = choice or ExportChoice()
    blobs = Blobs(run)
    log = LogReader(blobs)
    source = _Source(log, read_samples(blobs), choice)
    target = Path(folder)
    check_free([target / f"{table}.{kind}" for table in source.tables], force=force)
    target.mkdir(parents=True, exist_ok=True)
    left_out: list[str] = []
    with ExitStack() as stack:
        files = {table: stack.enter_context(_TableFile(target / f"{table}.{kind}")) for table in source.tables}
        for table, rows in source.fixed().items():
            files[table].add(rows)
        dumps = log.dumps if source.needs_dumps else ()
        for done, dump in enumerate(dumps, 1):
            try:
                for table, rows in source.of_dump(block_rows(log, source.samples, [dump])).items():
                    files[table].add(rows)
            except LogFileError as error:
                left_out.append(str(error))
            if on_progress is not None:
                on_progress(done, len(dumps))
        for file in files.values():
            file.finish()
    return ExportReport({table: file.rows for table, file in files.items()}, tuple(left_out))


def check_free(paths: Sequence[Path], *, force: bool) -> None:
    """ExportExistsError if one of these files is there, unless `force`."""
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise ExportExistsError(
            f"{there[0]} must not be there. It is, and would be overwritten. Export to another folder, or --force"
        )


class _Source:
    """Makes the rows of all tables that are wanted and that the run has."""

    def __init__(self, log: LogReader, samples: Samples | None, choice: ExportChoice) -> None:
        self._log = log
        self.samples = samples if "predictions" in choice.tables else None
        network = log.network
        if network is None and choice.layers:
            raise UnknownNameError(f"no layer {choice.layers[0]!r} in this run. It has no network, only scalars.")
        self._layers = () if network is None else choice.layers_of(network)
        self._nodes = () if network is None else preorder(network.hierarchy)
        wanted = choice.measures or NODE_MEASURES
        self._measures = [name for name in MEASURES if name in wanted]
        self._node_measures = [name for name in NODE_MEASURES if name in wanted]
        chosen = {layer.name for layer in self._layers}
        self._places = [
            place
            for place, node in enumerate(self._nodes)
            if not choice.layers or (network and all(network.layers[i].name in chosen for i in node.layers))
        ]
        has = {
            "filters": bool(self._layers and self._measures),
            "layers": bool(self._layers),
            "predictions": self.samples is not None,
            "scalars": True,
        }
        self.tables = tuple(table for table in choice.tables if has[table])
        self.needs_dumps = bool({"filters", "layers", "predictions"} & set(self.tables))
        if self.samples is not None:
            self.tables = (*self.tables, "samples")

    def fixed(self) -> dict[str, pa.Table]:
        """The tables that have nothing to do with dumps."""
        found = {}
        if "scalars" in self.tables:
            found["scalars"] = _without_nan(self._log.scalars())
        if self.samples is not None:
            labels, names = self.samples.labels, self._log.info.class_names
            known = names is not None and len(names) == self.samples.classes
            called = [names[label] if known and names else str(label) for label in labels.tolist()]
            sample = np.arange(len(labels), dtype=np.int32)
            columns = {"sample": sample, "id": list(self.samples.ids), "label": labels, "class": called}
            found["samples"] = pa.table(columns)
        return found

    def of_dump(self, rows: Rows) -> dict[str, pa.Table]:
        """The rows of one dump."""
        iteration = int(rows["iteration"][0])
        found = {}
        if "filters" in self.tables and "mean" in rows:
            chosen = np.concatenate([np.arange(layer.rows.start, layer.rows.stop) for layer in self._layers])
            names = _repeated([layer.name for layer in self._layers], [layer.filters for layer in self._layers])
            number = np.concatenate([np.arange(layer.filters, dtype=np.int32) for layer in self._layers])
            values = {name: rows[name][0][chosen] for name in self._measures}
            found["filters"] = _table(iteration, {"layer": names, "filter": number, **values})
        if "layers" in self.tables and "node_stats" in rows:
            stats = rows["node_stats"][0]
            values = {name: stats[NODE_MEASURES.index(name)][self._places] for name in self._node_measures}
            nodes = [self._nodes[place] for place in self._places]
            about = {
                "node": pa.array([node.name for node in nodes]),
                "is_layer": pa.array([node.layer is not None for node in nodes]),
            }
            found["layers"] = _table(iteration, {**about, **values})
        if "predictions" in self.tables and (rows["missing"][0] >= 0 if "missing" in rows else False):
            sample = np.arange(rows["predicted"].shape[1], dtype=np.int32)
            values = {name: rows[name][0] for name in ("predicted", "probability", "loss")}
            values |= {name: values[name].astype(np.float32) for name in ("probability", "loss")}
            values["predicted"] = pa.array(values["predicted"], mask=values["predicted"] == MISSING)
            found["predictions"] = _table(iteration, {"sample": sample, **values})
        return found


class _TableFile:
    """One table while it is written; absent unless `finish` was reached."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._path, self._hidden = path, path.with_name(f".{path.name}.part")
        self._writer: Any = None
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        self._hidden.unlink(missing_ok=True)

    def add(self, rows: pa.Table) -> None:
        """Take rows; all have the same columns."""
        self._waiting.append(rows)
        self.rows += len(rows)
        if sum(map(len, self._waiting)) >= ROWS:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and give the file its name; of no rows at all there is none."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            with open(self._hidden, "rb") as file:
                os.fsync(file.fileno())
            self._hidden.replace(self._path)

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting.clear()
        if self._writer is None:
            self._writer = self._opened(rows.schema)
        self._writer.write_table(rows)

    def _opened(self, schema: pa.Schema) -> Any:
        if self._path.suffix == ".csv":
            return csv.CSVWriter(self._hidden, schema)
        floats = [field.name for field in schema if pa.types.is_floating(field.type)]
        others = [field.name for field in schema if field.name not in floats]
        # Floats of a training hardly repeat, but their upper bytes do: split they compress; a dictionary is in vain.
        return parquet.ParquetWriter(
            self._hidden, schema, compression="zstd", use_dictionary=others, use_byte_stream_split=floats
        )


def _table(iteration: int, columns: dict[str, Any]) -> pa.Table:
    count = len(next(iter(columns.values())))
    return _without_nan({"iteration": np.full(count, iteration, np.int64), **columns})


def _without_nan(columns: dict[str, Any]) -> pa.Table:
    """NaN as null: the mean of a column in SQL passes over nulls, and becomes NaN by one NaN."""
    return pa.table(
        {name: pa.array(values, from_pandas=True) if _is_float(values) else values for name, values in columns.items()}
    )


def _is_float(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "f"


def _repeated(names: Sequence[str], counts: Sequence[int]) -> pa.Array:
    """Each name so many times."""
    return pa.array(names).take(pa.array(np.repeat(np.arange(len(names)), counts)))
