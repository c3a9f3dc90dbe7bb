"""What does every run have: its name and state, its dumps, its scalars?"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.scalars import Stage, learning_rate_stages, means_since_last, training_error, values_at
from deeptracker.errors import UnknownNameError
from deeptracker.schema import Branch, Network, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader

KEPT_BYTES = 1 << 28
"""256 MiB of answers are kept until the run grows: the scores of 28 windows, or some 20 correlations, at the paper's
scale. What was asked for longest ago goes first."""

State = Literal["live", "finished", "failed", "stopped"]
Floats = npt.NDArray[np.float32]
Cached = TypeVar("Cached")


class OpenedRun:
    """A run as its log tells of it, without predictions and measures; given a `branch`, as that branch had it."""

    def __init__(self, place: str | os.PathLike[str], branch: int | None = None) -> None:
        self._blobs = Blobs(place)
        self._log = LogReader(self._blobs, branch)
        self._index = IndexReader(self._blobs, self._log)
        self._cache: dict[tuple[Any, ...], tuple[Any, int]] = {}
        self._iterations: tuple[tuple[DumpFiles, ...], npt.NDArray[np.int64]] | None = None

    @property
    def info(self) -> RunInfo:
        """Name, configuration, branches, how it ended."""
        return self._log.info

    @property
    def has_network(self) -> bool:
        """False until the recorder has begun."""
        return self._log.network is not None

    def network(self) -> Network:
        """Layers (`.layers`: name, kind, shape, filters, offset) and hierarchy; `UnknownNameError` while not known."""
        if self._log.network is None:
            raise UnknownNameError(f"no network in {self._blobs.place}. The recorder writes it when it begins.")
        return self._log.network

    @property
    def iterations(self) -> npt.NDArray[np.int64]:
        """int64 (dumps,), ascending. Not to be written to."""
        dumps = self._log.dumps
        if self._iterations is None or self._iterations[0] is not dumps:
            found = np.array([dump.iteration for dump in dumps], np.int64)
            found.flags.writeable = False
            self._iterations = dumps, found
        return self._iterations[1]

    @property
    def branch(self) -> int:
        """How often training was resumed; of a run that is opened at a branch, its number."""
        return len(self.info.branches) - 1

    @property
    def branches(self) -> tuple[Branch, ...]:
        """All branches of the run, whichever it is opened at."""
        return self._log.branches

    @property
    def is_abandoned(self) -> bool:
        """Is it opened at a branch after which training was resumed?"""
        return len(self.info.branches) < len(self.branches)

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the run's files as far as noticed, and what the recorder could not write."""
        return [*self.info.lost, *self._log.problems]

    @property
    def updated(self) -> datetime:
        """When something was last written (UTC)."""
        return max(self._log.modified, datetime.fromisoformat(self.info.created))

    @property
    def size_bytes(self) -> int:
        """Bytes of the log."""
        return self._log.size_bytes

    @property
    def state(self) -> State:
        """`live` while dumps come in; `stopped` when none came for long and nobody closed the run."""
        if self.is_abandoned:
            return "stopped"
        if self.info.state != "running":
            return "finished" if self.info.state == "finished" else "failed"
        created = datetime.fromisoformat(self.info.created)
        seconds_per_dump = (self.updated - created).total_seconds() / max(1, len(self._log.dumps))
        silence = (datetime.now(UTC) - self.updated).total_seconds()
        return "live" if silence < max(120.0, 10 * seconds_per_dump) else "stopped"

    def refresh(self) -> bool:
        """Look for what is new; True if anything is."""
        changed = self._log.refresh()
        if changed:
            self._cache.clear()
        return changed

    def check(self) -> list[str]:
        """Read every file; one sentence for each that is damaged, foreign or missing, or could not be written."""
        self._log.check()
        return self.warnings

    def first_new_dump(self, since: int | None, branch: int | None) -> int:
        """The first dump that somebody lacks who has all up to iteration `since` as `branch` had them; 0 for None."""
        if since is None or branch is None or not 0 <= branch <= self.branch:
            return 0
        common = min([since, *(b.start for b in self.info.branches[branch + 1 :])])
        return int(np.searchsorted(self.iterations, common, side="right"))

    def scalars(self, names: list[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        """`iteration` int64 (n,) and float64 (n,) for each name, NaN where it was not logged; `UnknownNameError`."""
        rows = self._kept(("scalars",), self._log.scalars)
        for name in names or ():
            if name not in rows:
                raise UnknownNameError(f"no scalar {name!r} in this run. Logged: {', '.join(sorted(rows))}.")
        return rows if names is None else {"iteration": rows["iteration"]} | {name: rows[name] for name in names}

    def learning_rate_stages(self) -> list[Stage]:
        """The stages of the learning rate, from the optimizer's first group."""
        rows = self.scalars()
        return learning_rate_stages(rows["iteration"], rows["lr"]) if "lr" in rows else []

    def learning_rate(self) -> Floats:
        """float32 (dumps,): learning rate of the step that led to the dump (of the first step, at iteration 0)."""
        rows = self.scalars()
        return values_at(self.iterations, rows["iteration"], rows.get("lr", np.full(len(rows["iteration"]), np.nan)))

    def training_error(self) -> Floats:
        """float32 (dumps,): mean of the training error logged since the dump before, as a share; NaN if none was."""
        rows = self.scalars()
        return means_since_last(self.iterations, rows["iteration"], training_error(rows))

    @property
    def held_bytes(self) -> int:
        """Bytes of what is kept so that it need not be read or found again. What is known of files comes on top."""
        return self._kept_bytes

    def hold_at_most(self, size_bytes: int) -> None:
        """Keep at most so many `held_bytes`: what is read again the fastest goes first."""
        if self.held_bytes > size_bytes:
            self._drop_kept(max(0, size_bytes - (self.held_bytes - self._kept_bytes)))

    @property
    def _kept_bytes(self) -> int:
        return sum(size for _, size in self._cache.values())

    def _drop_kept(self, size_bytes: int) -> None:
        """Keep at most so many bytes of answers: what was asked for longest ago goes first."""
        held = self._kept_bytes
        for oldest, (_, size) in list(self._cache.items()):
            if held <= size_bytes:
                break
            if size:
                del self._cache[oldest]
                held -= size

    def _kept(self, key: tuple[Any, ...], make: Callable[[], Cached]) -> Cached:
        if key not in self._cache:
            value = make()
            self._cache[key] = value, bytes_of(value)
        kept: tuple[Cached, int] = self._cache.pop(key)
        self._cache[key] = kept  # the last in the dictionary is what was asked for last
        if self._kept_bytes > KEPT_BYTES:
            self._drop_kept(max(KEPT_BYTES, kept[1]))
        return kept[0]


def bytes_of(value: Any) -> int:
    """The bytes of all arrays in a value, in dataclasses, tuples and lists in it as well.

    >>> bytes_of((np.zeros(3, np.float32), [np.zeros(2, np.int64)], "text"))
    28
    """
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return sum(bytes_of(getattr(value, one.name)) for one in fields(value))
    return sum(map(bytes_of, value)) if isinstance(value, tuple | list) else 0
