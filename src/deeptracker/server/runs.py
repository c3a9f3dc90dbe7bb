"""Which runs lie below the served root, and who holds each of them open?

1. A run is a folder with a `run.json`; folders are searched a few levels deep, not through links. The root itself may
   be one.
2. A run's id is its path below the root. Ids are looked up among the runs found, so no id can reach outside.
3. A run is opened once and kept; its lock is held while a question is answered: `Run` is for one thread at a time.
4. It is refreshed at most every REFRESH_SECONDS, whoever asks.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import deeptracker
from deeptracker.errors import DeepTrackerError, ObjectStoreError, RunNotFoundError
from deeptracker.run import Run
from deeptracker.store.blobs import Blobs

REFRESH_SECONDS = 0.25
DEEPEST_FOLDER = 4
CURVE_POINTS = 60

Json = dict[str, Any]


class ServedRuns:
    """The runs below one root: a local folder, or an object-store URL."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def ids(self) -> list[str]:
        """The ids of all runs, sorted; the root itself is ''."""
        return sorted(_local_ids(Path(self.root)) if "://" not in self.root else _remote_ids(self.root))

    @contextmanager
    def open(self, identity: str) -> Iterator[Run]:
        """Hold a run: refreshed, and nobody else's for as long. `RunNotFoundError` for an unknown id."""
        held = self._hold(identity)
        with held.lock:
            held.refresh()
            assert held.run is not None
            yield held.run

    def state_of(self, identity: str) -> tuple[str, str | None]:
        """What changes with every change of a run, and its version: see `version`."""
        with self.open(identity) as run:
            return f"{run.info.created} {self._held[identity].changes}", version(run)

    def summaries(self) -> list[Json]:
        """One summary a run, the last updated first; an unreadable run says what is wrong with it."""
        found = [self.summary(identity) for identity in self.ids()]
        return sorted(found, key=lambda one: str(one["updated"] or ""), reverse=True)

    def summary(self, identity: str) -> Json:
        """What the list shows of a run."""
        try:
            with self.open(identity) as run:
                return self.describe(identity, run)
        except DeepTrackerError as error:
            return {**_UNREADABLE, "id": identity, "name": self._folder(identity), "problem": str(error)}

    def describe(self, identity: str, run: Run) -> Json:
        """The summary of a run that is held open."""
        return {**summary(run), "id": identity, "name": run.info.name or self._folder(identity)}

    def _folder(self, identity: str) -> str:
        return identity or Path(self.root).name

    def _hold(self, identity: str) -> _Held:
        with self._lock:
            if identity not in self._held:
                if identity not in self.ids():
                    raise RunNotFoundError(f"no run {identity!r} below {self.root}. GET /api/runs lists the runs.")
                self._held[identity] = _Held("/".join(part for part in (self.root, identity) if part))
            return self._held[identity]


class _Held:
    def __init__(self, place: str) -> None:
        self.lock = threading.Lock()
        self.run: Run | None = None
        self.changes = 0
        self._place = place
        self._refreshed = -1.0

    def refresh(self) -> None:
        now = time.monotonic()
        if self.run is not None and now - self._refreshed < REFRESH_SECONDS:
            return
        created = self.run and self.run.info.created
        try:
            if self.run is not None:
                self.changes += self.run.refresh()
            if self.run is None or self.run.info.created != created:
                self.run = Run(self._place)  # first asked for, or recorded anew in the same place
                self.changes += 1
        except ObjectStoreError:
            raise  # what is held is as good as before once the store answers again
        except DeepTrackerError:
            self.run = None
            raise
        self._refreshed = now


def version(run: Run) -> str | None:
    """A name for all that is said of a run which has ended and so says the same from now on; None while it may change.

    A file that is damaged or missing may be brought back.
    """
    if run.info.state == "running" or run.warnings:
        return None
    text = f"{deeptracker.__version__} {run.info.created} {run.branch} {len(run.iterations)} {run.size_bytes}"
    return f"{zlib.crc32(text.encode()):08x}"


def summary(run: Run) -> Json:
    """The facts of a run that need no predictions to be read (docs/http-api.md, `/api/runs`)."""
    dumps, samples = run.iterations, run.samples
    network = run.network() if run.has_network else None
    rows = run.scalars()
    error = rows.get("validation_error", np.zeros(0))
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


def _local_ids(root: Path) -> Iterator[str]:
    pending = [(root, 0)]
    while pending:
        folder, depth = pending.pop()
        if (folder / "run.json").is_file():
            yield folder.relative_to(root).as_posix().removeprefix(".")
        elif depth < DEEPEST_FOLDER:
            try:
                below = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
            except OSError:
                continue  # a folder that may not be read holds no run that could be shown
            pending += [(entry, depth + 1) for entry in below if entry.is_dir() and not entry.is_symlink()]


def _remote_ids(root: str) -> list[str]:
    """The same for an object store, one request a folder: a run's own thousands of files are never listed."""
    blobs = Blobs(root)
    found: list[str] = []
    folders = [""]
    with ThreadPoolExecutor(blobs.readers) as pool:
        for depth in range(DEEPEST_FOLDER + 1):
            levels = list(zip(folders, pool.map(blobs.level, folders), strict=True))
            found += [folder for folder, level in levels if "run.json" in level.files]
            if depth < DEEPEST_FOLDER:
                open_levels = [one for one in levels if "run.json" not in one[1].files]
                folders = [f"{folder}/{name}".lstrip("/") for folder, level in open_levels for name in level.folders]
    return found
