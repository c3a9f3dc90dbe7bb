"""Which runs lie below the served root, and who holds each of them open?

1. Which runs there are is looked up anew each time (finding.py).
2. A run is opened once; its lock is held while a question is answered: `Run` is for one thread at a time.
3. It is refreshed at most every REFRESH_SECONDS, whoever asks. The files of a long run are listed each time, so where
   that takes long it is done less often, yet every LONGEST_SECONDS. Of a run that has ended only `run.json` is looked
   at, as long as it stays the same; the files again every ENDED_SECONDS.
4. MOST_OPENED runs stay open. Beyond that the one is closed that was asked for longest ago, unless it is being asked.
   What the list shows of a run that is not open is kept: for SUMMARY_SECONDS, and of one that has ended until its
   `run.json` is another.
5. A run whose training was resumed can be asked for as it was before: its id, `@` and the number of a branch.
6. What runs keep so as not to read it again takes a bounded number of bytes together. It is counted whenever a question
   has been answered; what is too much is dropped, first of the run that was asked for longest ago, last of that which
   was just asked. While it is answered a question may take more.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import deeptracker
from deeptracker.errors import DeepTrackerError, ObjectStoreError, RunNotFoundError
from deeptracker.run import Run
from deeptracker.schema import RunInfo
from deeptracker.server.finding import Finder
from deeptracker.store.blobs import Blobs

REFRESH_SECONDS = 0.25
LONGEST_SECONDS = 1.0
LARGEST_SHARE = 0.2
ENDED_SECONDS = 10.0
SUMMARY_SECONDS = 20.0
MOST_OPENED = 8
CURVE_POINTS = 60

HELD_BYTES = 1 << 30
"""1 GiB: all that was looked at of a run of the paper's scale."""

Json = dict[str, Any]


class ServedRuns:
    """The runs below one root: a local folder, or an object-store URL. They keep at most `held_bytes` together."""

    def __init__(self, root: str, held_bytes: int = HELD_BYTES) -> None:
        self.root = root
        self._held_bytes = held_bytes
        self._finder = Finder(root)
        self._held: OrderedDict[str, _Held] = OrderedDict()  # those looked at last are the last
        self._summaries: dict[str, _Summary] = {}
        self._lock = threading.Lock()

    def ids(self) -> list[str]:
        """The ids of all runs, sorted; the root itself is ''."""
        return self._finder.ids()

    @contextmanager
    def open(self, identity: str, *, is_looked_at: bool = True) -> Iterator[Run]:
        """Hold a run: refreshed, and nobody else's for as long. `RunNotFoundError` for an unknown id."""
        held = self._hold(identity, is_looked_at)
        try:
            with held.lock:
                held.refresh()
                assert held.run is not None
                try:
                    yield held.run
                finally:
                    self._keep_within(held)
        finally:
            self._let_go(held)

    def looked_at(self, seconds: float) -> list[str]:
        """The ids of the runs that somebody asked about in the last seconds, the last one first."""
        since = time.monotonic() - seconds
        with self._lock:
            return [identity for identity, held in reversed(self._held.items()) if held.looked_at >= since]

    def open_anew(self, identity: str) -> None:
        """Let whoever asks next open the run again: its index has grown, and what is in there need not be in memory."""
        with self._lock:
            if identity in self._held:
                self._held[identity].is_outdated = True
                self._close(self._held[identity])

    def where(self, identity: str) -> tuple[str, int | None]:
        """Folder or URL of a run, and the branch that its id asks for. `RunNotFoundError` for an unknown id."""
        held = self._hold(identity, is_looked_at=True)
        self._let_go(held)
        return held.place, held.branch

    def place(self, identity: str) -> str:
        """Folder or URL of a run, without a branch."""
        return "/".join(part for part in (self.root, identity) if part)

    def name(self, identity: str) -> str:
        """What the folder of a run is called."""
        return identity or Path(self.root).name

    def state_of(self, identity: str) -> tuple[str, str | None]:
        """What changes with every change of a run, and its version: see `version`."""
        with self.open(identity) as run:
            return f"{run.info.created} {self._held[identity].changes}", version(run)

    def summaries(self) -> list[Json]:
        """One summary a run, the last updated first; an unreadable run says what is wrong with it."""
        ids = self.ids()
        found = [self.summary(identity) for identity in ids]
        for gone in set(self._summaries) - set(ids):
            self._summaries.pop(gone, None)
        return sorted(found, key=lambda one: str(one["updated"] or ""), reverse=True)

    def summary(self, identity: str) -> Json:
        """What the list shows of a run."""
        kept = self._summaries.get(identity)
        if kept is not None and not self._is_open(identity):
            now = time.monotonic()
            if now - kept.made < SUMMARY_SECONDS:
                return kept.summary
            if kept.info is not None and kept.info.state != "running" and kept.info == self._held[identity].info():
                kept.made = now
                return kept.summary
        info = None
        try:
            with self.open(identity, is_looked_at=False) as run:
                info, found = run.info, self.describe(identity, run)
        except DeepTrackerError as error:
            found = {**_UNREADABLE, "id": identity, "name": self.name(identity), "problem": str(error)}
        self._summaries[identity] = _Summary(found, info, time.monotonic())
        return found

    def describe(self, identity: str, run: Run) -> Json:
        """The summary of a run that is held open."""
        name = run.info.name or self.name(identity)
        return {**summary(run), "id": identity, "name": f"{name} (branch {run.branch})" if run.is_abandoned else name}

    def _is_open(self, identity: str) -> bool:
        return identity in self._held and self._held[identity].run is not None

    def _hold(self, identity: str, is_looked_at: bool) -> _Held:
        whole, branch = identity, None
        if identity not in self._held:
            ids = self.ids()
            if identity not in ids:
                whole, branch = _branch_in(identity)
            if whole not in ids:
                raise RunNotFoundError(f"no run {identity!r} below {self.root}. GET /api/runs lists the runs.")
        with self._lock:
            if identity not in self._held:
                self._held[identity] = _Held(self.place(whole), branch)
                self._held.move_to_end(identity, last=False)
            held = self._held[identity]
            if is_looked_at:
                held.looked_at = time.monotonic()
                self._held.move_to_end(identity)
            held.users += 1
            return held

    def _let_go(self, held: _Held) -> None:
        with self._lock:
            held.users -= 1
            opened = [one for one in self._held.values() if one.run is not None]
            for one in opened[: max(0, len(opened) - MOST_OPENED)]:
                self._close(one)

    def _keep_within(self, used: _Held) -> None:
        """Drop what is too much, of the run that was just asked last; whoever asks holds that run."""
        assert used.run is not None
        with self._lock:
            used.size_bytes = used.run.held_bytes
            opened = [one for one in self._held.values() if one.run is not None]
            excess = sum(one.size_bytes for one in opened) - self._held_bytes
            for one in [*(one for one in opened if not one.users), used]:
                if excess <= 0:
                    break
                assert one.run is not None
                before = one.size_bytes
                one.run.hold_at_most(max(0, before - excess))
                one.size_bytes = one.run.held_bytes
                excess -= before - one.size_bytes

    @staticmethod
    def _close(held: _Held) -> None:
        if not held.users:
            held.run = None


@dataclass(slots=True)
class _Summary:
    summary: Json
    info: RunInfo | None
    made: float


class _Held:
    """A run, open or not. `changes` counts on when it is opened again: it may not say the same any more.

    `size_bytes` is what it kept when it was last let go.
    """

    def __init__(self, place: str, branch: int | None = None) -> None:
        self.lock = threading.Lock()
        self.run: Run | None = None
        self.changes = 0
        self.users = 0
        self.size_bytes = 0
        self.looked_at = float("-inf")
        self.is_outdated = False
        self.place = place
        self.branch = branch
        self._blobs: Blobs | None = None
        self._looked = self._listed = float("-inf")
        self._pause = REFRESH_SECONDS

    def info(self) -> RunInfo | None:
        """What `run.json` says now; None where it cannot be read."""
        try:
            self._blobs = self._blobs or Blobs(self.place)
            return RunInfo.from_json(self._blobs.get("run.json"), place=self.place)
        except (DeepTrackerError, FileNotFoundError):
            return None

    def refresh(self) -> None:
        if self.is_outdated:
            self.run, self.is_outdated = None, False
        now = time.monotonic()
        if self.run is not None:
            if now - self._looked < self._pause:
                return
            known = self.run.info
            if known.state != "running" and now - self._listed < ENDED_SECONDS and self.info() == known:
                self._looked = now
                return
        self._list()
        self._looked = self._listed = time.monotonic()

    def _list(self) -> None:
        created = self.run and self.run.info.created
        begun = time.monotonic()
        try:
            if self.run is not None:
                self.changes += self.run.refresh()
                took = time.monotonic() - begun
                self._pause = min(max(REFRESH_SECONDS, took / LARGEST_SHARE), LONGEST_SECONDS)
            if self.run is None or self.run.info.created != created:
                self.run = Run(self.place, self.branch)  # first asked for, or recorded anew in the same place
                self.changes += 1
        except ObjectStoreError:
            raise  # what is held is as good as before once the store answers again
        except DeepTrackerError:
            self.run = None
            raise


def _branch_in(identity: str) -> tuple[str, int | None]:
    """The id of a run, and the number of a branch behind it, if there is one.

    >>> _branch_in("group/resnet@1"), _branch_in("resnet")
    (('group/resnet', 1), ('resnet', None))
    """
    whole, at, branch = identity.rpartition("@")
    return (whole, int(branch)) if at and branch.isdecimal() and len(branch) < 6 else (identity, None)


def version(run: Run) -> str | None:
    """A name for all that is said of a run which has ended and so says the same from now on; None while it may change.

    A file that is damaged or missing may be brought back.
    """
    if run.info.state == "running" or run.warnings:
        return None
    text = f"{deeptracker.__version__} {run.info.created} {run.branch} {len(run.iterations)} {run.size_bytes}"
    return f"{zlib.crc32(text.encode()):08x}"


def summary(run: Run) -> Json:
    """The facts of a run (docs/http-api.md, `/api/runs`).

    Predictions are read for them only where no error was logged: each process of a distributed training knows its own.
    """
    dumps, samples = run.iterations, run.samples
    network = run.network() if run.has_network else None
    rows = run.scalars()
    error = rows.get("validation_error", np.zeros(0))
    if not len(error) and samples is not None:
        error = run.validation_error()
    known = error[~np.isnan(error)]
    points = known[np.unique(np.linspace(0, len(known) - 1, CURVE_POINTS).astype(int))] if len(known) else known
    training = run.training_error()
    trained = training[~np.isnan(training)]
    return {
        "state": run.state,
        "created": run.info.created,
        "updated": run.updated.isoformat(),
        "dumps": len(dumps),
        "iteration": int(dumps[-1]) if len(dumps) else -1,
        "classes": samples.classes if samples else 0,
        "samples": len(samples.labels) if samples else 0,
        "layers": len(network.layers) if network else 0,
        "filters": network.filters if network else 0,
        "validation_error": float(known[-1]) if len(known) else None,
        "training_error": float(trained[-1]) if len(trained) else None,
        "curve": [round(float(value), 4) for value in points],
        "problem": None,
    }


_UNREADABLE: Json = {
    "state": "unreadable", "created": None, "updated": None, "dumps": 0, "iteration": -1, "classes": 0, "samples": 0,
    "layers": 0, "filters": 0, "validation_error": None, "training_error": None, "curve": [],
}  # fmt: skip
