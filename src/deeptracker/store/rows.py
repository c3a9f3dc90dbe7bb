"""How is something kept that has a row for each dump, while the run grows?

1. A row stays as long as the same dump is shown: iteration, branch, and its files. Predictions do not count among
   these: they may come later, and nothing that is kept here follows from them.
2. Only rows of other dumps are made. There is room for more behind the last row, so following a run copies little.
3. Rows that were handed out never change. Where training was resumed and dumps were replaced, the rows before them are
   copied to a new place.
4. So many bytes are kept; beyond that, what was asked for longest ago is dropped first.
5. A row may also stand for several dumps (levels of detail): it stays as long as all of these do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader

GROWTH = 1.25

DumpIdentity = tuple[int, int, tuple[tuple[str, tuple[str, ...]], ...]]
"""Iteration, branch, and the files of a dump that are read for it."""

RowIdentity = tuple[DumpIdentity, ...]


class DumpRows:
    """Arrays of any kind with a row for each dump that a log shows, by a key that says what they are."""

    def __init__(self, log: LogReader, limit_bytes: int) -> None:
        self._log = log
        self._limit_bytes = limit_bytes
        self._held: dict[Hashable, _Rows] = {}
        self._dumps: tuple[DumpFiles, ...] | None = None
        self._each: tuple[DumpIdentity, ...] = ()
        self._shown: dict[int, tuple[RowIdentity, ...]] = {}

    @property
    def size_bytes(self) -> int:
        """Bytes that are kept."""
        return sum(rows.room.nbytes for rows in self._held.values())

    def shrink(self, size_bytes: int) -> None:
        """Keep at most so many bytes: what was asked for longest ago goes first."""
        for oldest in list(self._held):
            if self.size_bytes <= size_bytes:
                break
            del self._held[oldest]

    def get(
        self, key: Hashable, make: Callable[[int], npt.NDArray[Any]], *, dumps_per_row: int = 1
    ) -> npt.NDArray[Any]:
        """The rows of this key, (rows, ...), read-only, of which there is one for so many dumps.

        `make(first)` gives those from row `first` on.
        """
        shown = self._identities(dumps_per_row)
        held = self._held.pop(key, None)
        if held is not None and held.dumps is shown:  # comparing them would take a time that grows with the run
            self._held[key] = held
            return held.rows
        if held is None:
            held = _Rows.of(make(0))
        elif held.dumps != shown:
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(held.dumps, shown, strict=False)))
            held = held.cut(same)
            if same < len(shown):
                held = held.extended(make(same))
        held.dumps = shown
        self._held[key] = held  # the last in the dictionary is what was asked for last
        for oldest in list(self._held)[:-1]:
            if self.size_bytes <= self._limit_bytes:
                break
            del self._held[oldest]
        return held.rows

    def holds(self, key: Hashable) -> bool:
        """Are there rows of this key already?"""
        return key in self._held

    def _identities(self, dumps_per_row: int) -> tuple[RowIdentity, ...]:
        """What tells the rows apart: the dumps that each stands for."""
        if self._dumps is not self._log.dumps:
            self._dumps = self._log.dumps
            self._each = tuple(_identity(dump) for dump in self._dumps)
            self._shown = {}
        if dumps_per_row not in self._shown:
            starts = range(0, len(self._each), dumps_per_row)
            self._shown[dumps_per_row] = tuple(self._each[start : start + dumps_per_row] for start in starts)
        return self._shown[dumps_per_row]


@dataclass(slots=True)
class _Rows:
    """The first `count` rows of `room` are those of `dumps`."""

    room: npt.NDArray[Any]
    count: int
    dumps: tuple[RowIdentity, ...] = ()

    @classmethod
    def of(cls, rows: npt.NDArray[Any]) -> _Rows:
        return cls(rows, len(rows))

    @property
    def rows(self) -> npt.NDArray[Any]:
        view = self.room[: self.count]
        view.flags.writeable = False
        return view

    def cut(self, count: int) -> _Rows:
        """The first rows only; somewhere else than before, as others are going to stand behind them."""
        return self if count == self.count else _Rows(self.room[:count].copy(), count)

    def extended(self, more: npt.NDArray[Any]) -> _Rows:
        count = self.count + len(more)
        if count > len(self.room):
            room = np.empty((max(count, int(GROWTH * count)), *self.room.shape[1:]), self.room.dtype)
            room[: self.count] = self.room[: self.count]
            self.room = room
        self.room[self.count : count] = more
        self.count = count
        return self


def _identity(dump: DumpFiles) -> DumpIdentity:
    files = tuple(sorted((kind, paths) for kind, paths in dump.paths.items() if kind != "predictions"))
    return dump.iteration, dump.branch, files
