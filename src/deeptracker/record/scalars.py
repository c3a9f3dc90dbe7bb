"""How are the scalars of every iteration kept until they are written?

1. A row an iteration. The newest row is held back: `log()` comes after the step and adds to it.
2. Tensors are kept as detached copies and converted together when rows are taken, so that logging a loss never waits
   for the accelerator.
3. Rows are written at each dump, and otherwise at intervals that grow with the run (3 s, or 1 % of its age): live at
   the start, about a thousand files in two weeks.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from deeptracker.store.log import LogWriter

SHORTEST_INTERVAL_SECONDS = 3.0
SHARE_OF_AGE = 0.01
_RESERVED = "iteration"

Rows = dict[int, dict[str, Any]]


class Scalars:
    """Rows of scalars by iteration."""

    def __init__(self) -> None:
        self._rows: Rows = {}
        self._begun = self._flushed = time.monotonic()

    def add(self, iteration: int, values: dict[str, Any]) -> None:
        """Keep values of an iteration; TypeError or ValueError if one is not a number."""
        kept = {name: _kept(name, value) for name, value in values.items()}
        self._rows.setdefault(iteration, {}).update(kept)

    def are_due(self) -> bool:
        """Is it time to write?"""
        now = time.monotonic()
        return now - self._flushed >= max(SHORTEST_INTERVAL_SECONDS, SHARE_OF_AGE * (now - self._begun))

    def take(self, *, before: int | None = None) -> Rows:
        """Take out the rows of the iterations below `before`, or all; numbers now, tensors no more."""
        self._flushed = time.monotonic()
        taken = {i: row for i, row in self._rows.items() if before is None or i < before}
        self._rows = {i: row for i, row in self._rows.items() if i not in taken}
        _convert(taken)
        return taken


def write(log: LogWriter, rows: Rows) -> None:
    """Write rows as one file."""
    iterations = np.array(sorted(rows), np.int64)
    names = sorted({name for row in rows.values() for name in row})
    values: dict[str, npt.NDArray[np.float64]] = {
        name: np.array([rows[int(i)].get(name, np.nan) for i in iterations], np.float64) for name in names
    }
    log.write_scalars(iterations, values)


def _kept(name: str, value: Any) -> Any:
    if name == _RESERVED:
        raise ValueError(f"a scalar must have a name other than {_RESERVED!r}. Got {name}={value!r}.")
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise ValueError(f"{name} must be one number. Got a tensor of shape {tuple(value.shape)}. Log its mean.")
        return value.detach().reshape(()).clone()
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a number or a tensor of one number. Got {value!r}.") from error


def _convert(rows: Rows) -> None:
    """Replace tensors by floats, one transfer a device and dtype."""
    places: dict[tuple[torch.device, torch.dtype], list[tuple[dict[str, Any], str]]] = defaultdict(list)
    for row in rows.values():
        for name, value in row.items():
            if isinstance(value, torch.Tensor):
                places[value.device, value.dtype].append((row, name))
    for found in places.values():
        numbers = torch.stack([row[name] for row, name in found]).cpu().to(torch.float64).tolist()
        for (row, name), number in zip(found, numbers, strict=True):
            row[name] = number
