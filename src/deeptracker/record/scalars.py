"""How are the scalars of every iteration kept until they are written?

1. A row an iteration. The newest row is held back: `log()` comes after the step and adds to it.
2. Numbers are kept as they are; `tensor_scalars.py` keeps tensors as well.
3. Rows are written at each dump, and otherwise at intervals that grow with the run (3 s, or 1 % of its age): live at
   the start, about a thousand files in two weeks.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

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
        if _RESERVED in values:
            raise ValueError(f"a scalar must have a name other than {_RESERVED!r}. Got it for {values[_RESERVED]!r}.")
        kept = {name: self._kept(name, value) for name, value in values.items()}
        self._rows.setdefault(iteration, {}).update(kept)

    def are_due(self) -> bool:
        """Is it time to write?"""
        now = time.monotonic()
        return now - self._flushed >= max(SHORTEST_INTERVAL_SECONDS, SHARE_OF_AGE * (now - self._begun))

    def take(self, *, before: int | None = None) -> Rows:
        """Take out the rows of the iterations below `before`, or all, as numbers."""
        self._flushed = time.monotonic()
        taken = {i: row for i, row in self._rows.items() if before is None or i < before}
        self._rows = {i: row for i, row in self._rows.items() if i not in taken}
        self._convert(taken)
        return taken

    def _kept(self, name: str, value: Any) -> Any:
        """A value as it is kept until rows are taken."""
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} must be a number or an array of one number. Got {value!r}.") from error

    def _convert(self, rows: Rows) -> None:
        """Make numbers of what is kept in rows that are taken."""


def write(log: LogWriter, rows: Rows) -> None:
    """Write rows as one file."""
    iterations = np.array(sorted(rows), np.int64)
    names = sorted({name for row in rows.values() for name in row})
    values: dict[str, npt.NDArray[np.float64]] = {
        name: np.array([rows[int(i)].get(name, np.nan) for i in iterations], np.float64) for name in names
    }
    log.write_scalars(iterations, values)
