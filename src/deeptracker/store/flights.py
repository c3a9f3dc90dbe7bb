"""How does a flight become the columns of a file, and how is it found fit again?

1. One row an iteration: each of FLIGHT_MEASURES is a list of as many numbers as the network has filters, `batch` a list
   of the ids of training samples. The metadata tell the dump and the reasons.
2. A column holds one measure, so of a large file a fourth is read for any question.
3. Read back, every row must have a number for each filter of the network, and the iterations be those of a flight.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deeptracker.schema import FLIGHT_MEASURES, Flight, Reason, check_flight_iterations
from deeptracker.store.columns import Columns, list_column, numbers

MOST_ITEMS = (1 << 31) - 1
"""Offsets of a list are int32."""


@dataclass(frozen=True, slots=True, eq=False)
class FlightHead:
    """What a flight has without its values: the `dump` that it was kept for, `iterations` int64 (n,), and why.

    `has_batches` says whether ids of training samples were handed in.
    """

    dump: int
    iterations: npt.NDArray[np.int64]
    reasons: tuple[Reason, ...]
    has_batches: bool


def written_flight(flight: Flight) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of a file of a flight, and what goes into its metadata; ValueError where it is too large for one."""
    _, rows, filters = flight.values.shape
    if rows * filters > MOST_ITEMS:
        raise ValueError(
            f"iterations x filters of a flight must be below 2^31. Got {rows:,} x {filters:,}. Keep fewer iterations."
        )
    offsets = pa.array(np.arange(rows + 1, dtype=np.int64) * filters, pa.int32())
    columns: dict[str, Any] = {"iteration": np.ascontiguousarray(flight.iterations, np.int64)}
    for name, values in zip(FLIGHT_MEASURES, flight.values, strict=True):
        columns[name] = pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(values).ravel()))
    if flight.batches:
        columns["batch"] = list_column([np.asarray(ids, np.int64) for ids in flight.batches], pa.int64())
    reasons = [{("class" if name == "cls" else name): value for name, value in asdict(reason).items()}
               for reason in flight.reasons]  # fmt: skip
    return columns, {"reasons": reasons}


def head_in(columns: Columns) -> FlightHead:
    """What a file tells of its flight; ValueError, to follow its name, that says what must hold and does not."""
    dump, reasons = columns.metadata.get("iteration"), columns.metadata.get("reasons")
    if not isinstance(dump, int) or not isinstance(reasons, list):
        raise ValueError(f"must name its dump and the reasons. It names {dump} and {reasons}.")
    column = columns.arrays.get("iteration")
    if column is None or column.type != pa.int64():
        raise ValueError("must have a column 'iteration' of int64. It has not.")
    iterations = numbers(column).copy()
    check_flight_iterations(dump, iterations)
    has_batches = "batch" in columns.metadata["crc32"]
    return FlightHead(dump, iterations, tuple(_reason(one) for one in reasons), has_batches)


def values_in(columns: Columns, measure: str, filters: int | None) -> npt.NDArray[np.float32]:
    """float32 (iterations, filters), not a copy: a measure of so many filters; ValueError as above."""
    column = columns.arrays.get(measure)
    if column is None or column.type != pa.list_(pa.float32()):
        raise ValueError(f"must have a column {measure!r} of lists of float32. It is {column and column.type}.")
    lengths = numbers(column.value_lengths())
    expected = int(lengths[0]) if filters is None and len(lengths) else filters or 0
    if not len(lengths) or (lengths != expected).any():
        raise ValueError(f"must have {expected} filters in every row of {measure!r}. It has not.")
    return numbers(column.flatten()).reshape(len(lengths), expected)


def batch_in(columns: Columns, row: int) -> npt.NDArray[np.int64]:
    """int64 (samples,): the batch of one row, empty where none is known; ValueError as above."""
    column = columns.arrays.get("batch")
    if column is None:
        return np.zeros(0, np.int64)
    if column.type != pa.list_(pa.int64()) or row >= len(column):
        raise ValueError(f"must have a batch in every row. Its column 'batch' is {column.type}, {len(column)} rows.")
    return numbers(column[row].values).copy()


def _reason(document: object) -> Reason:
    if not isinstance(document, dict) or not isinstance(document.get("iteration"), int):
        raise ValueError(f"must give reasons with kind, text and iteration. It gives {document}.")
    cls = document.get("class")
    if not (cls is None or isinstance(cls, int)) or not isinstance(document.get("text"), str):
        raise ValueError(f"must give a reason its text, and a class by number. It gives {document}.")
    return Reason(str(document.get("kind")), document["text"], document["iteration"], cls)
