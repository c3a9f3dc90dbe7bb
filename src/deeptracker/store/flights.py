"""How does a flight become the columns of a file, and how is it found fit again?

1. One row an iteration: each of FLIGHT_MEASURES is a list of as many numbers as the network has filters, `batch` a list
   of the ids of training samples. The metadata tell the dump and the reasons.
2. A column holds one measure, so of a large file a fourth is read for any question.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from deeptracker.schema import FLIGHT_MEASURES, Flight
from deeptracker.store.columns import list_column

MOST_ITEMS = (1 << 31) - 1
"""Offsets of a list are int32."""


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
