"""Trainings that fly, and what their flights hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deeptracker.record.recorder import Recorder
from deeptracker.schema import FLIGHT_MEASURES
from deeptracker.store.columns import decode_columns
from tests.record.trainings import Training

NAN = float("nan")


def flights(run: Path) -> dict[int, dict[str, Any]]:
    """The flights of a run by dump: `iterations`, each measure (iterations, filters), `batches` or None, `reasons`."""
    found = {}
    for path in sorted((run / "log" / "flights").glob("*.arrow")):
        columns = decode_columns(path.read_bytes(), "flights", place=str(path))
        arrays = {name: column.to_pylist() for name, column in columns.arrays.items()}
        found[columns.metadata["iteration"]] = {
            "iterations": arrays["iteration"],
            **{name: np.array(arrays[name], np.float32) for name in FLIGHT_MEASURES},
            "batches": arrays.get("batch"),
            "reasons": columns.metadata["reasons"],
        }
    return found


def train(recorder: Recorder, training: Training, steps: int, *, losses: dict[int, float] | None = None) -> None:
    for _ in range(steps):
        training.step(recorder.iteration)
        recorder.log(loss=(losses or {}).get(recorder.iteration, 1.0))
