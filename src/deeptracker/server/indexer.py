"""How do the runs that are shown get their indexes, without anybody asking for it?

1. One process at a time builds, at the lowest priority (index_process.py): of the runs that are due the one looked at
   last, then the one begun last. After a few blocks it is asked again which that is. It is ended when nothing is due.
2. A run is due when it is first seen, and again after a while, which doubles as long as there was nothing to build and
   nobody looks. One that has ended is due again only when its `run.json` is another. A run that is being recorded waits
   a little at first: its recorder builds the index, as a rule, and that costs less.
3. Where an index has grown, whoever built it, the run is opened anew: memory of what was read from the log is freed.
4. What goes wrong is said once for each run, and tried again later; not where nothing may be written, and then, in an
   object store, for no run below the root: each try reads a block first. The log answers meanwhile.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from deeptracker.errors import DeepTrackerError, IndexNotBuiltError
from deeptracker.index_process import IndexProcess
from deeptracker.schema import RunInfo
from deeptracker.server.runs import ServedRuns
from deeptracker.store.blobs import Blobs

PAUSE_SECONDS = 2.0
FIND_SECONDS = 30.0
FIRST_WAIT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 600.0
LOOKED_AT_SECONDS = 60.0
BLOCKS_AT_A_TIME = 8

Say = Callable[[str], None]


@dataclass(slots=True)
class _Known:
    """What is known of a run: when it is due (monotonic seconds), how long it waits after that, and how it was left."""

    created: str
    due: float
    wait: float = FIRST_WAIT_SECONDS
    blocks: int = -1
    built_of: RunInfo | None = None
    begun_seconds: float | None = None
    said: str | None = None


class Indexer:
    """Builds indexes in the background between `start` and `stop`; tells people by `say`, one line each."""

    def __init__(self, served: ServedRuns, say: Say) -> None:
        self._served = served
        self._say = say
        self._runs: dict[str, _Known] = {}
        self._found = float("-inf")
        self._is_refused = False
        self._process = IndexProcess()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="deeptracker-indexer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End at once; blocks that are built stay."""
        self._stopping.set()
        self._process.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            identity = self._next()
            if identity is None:
                self._process.rest()
                self._stopping.wait(PAUSE_SECONDS)
            else:
                self._attend_to(identity)

    def _next(self) -> str | None:
        if self._is_refused:
            return None
        now = time.monotonic()
        if now - self._found >= FIND_SECONDS:
            self._find(now)
        due = [identity for identity, known in self._runs.items() if known.due <= now]
        looked_at = self._served.looked_at(LOOKED_AT_SECONDS)
        latest = next((identity for identity in looked_at if identity in due), None)
        return latest or max(due, key=lambda identity: self._runs[identity].created, default=None)

    def _find(self, now: float) -> None:
        self._found = now
        try:
            ids = self._served.ids()
        except (DeepTrackerError, OSError):
            return  # the list of runs says so, on the page
        for gone in set(self._runs) - set(ids):
            del self._runs[gone]
        for identity in ids:
            if identity not in self._runs:
                info = self._info(identity)
                is_recorded = info is not None and info.state == "running"
                created = "" if info is None else info.created
                self._runs[identity] = _Known(created, now + FIRST_WAIT_SECONDS * is_recorded)

    def _info(self, identity: str) -> RunInfo | None:
        place = self._served.place(identity)
        try:
            return RunInfo.from_json(Blobs(place).get("run.json"), place=place)
        except (DeepTrackerError, OSError):
            return None  # nothing can be built, and the list of runs says so

    def _attend_to(self, identity: str) -> None:
        known = self._runs[identity]
        info = self._info(identity)
        has_ended = info is not None and info.state != "running"
        has_grown = False
        if info is not None and not (has_ended and info == known.built_of):
            has_grown = self._build(identity, known, info)
        is_followed = has_grown or identity in self._served.looked_at(LOOKED_AT_SECONDS)
        known.wait = FIRST_WAIT_SECONDS if is_followed else min(2 * known.wait, LONGEST_WAIT_SECONDS)
        if known.begun_seconds is None or not has_grown:
            known.due = max(known.due, time.monotonic() + known.wait)

    def _build(self, identity: str, known: _Known, info: RunInfo) -> bool:
        """Build a few of the blocks that there are to build; has the index grown since the last time?"""
        place, name = self._served.place(identity), self._served.name(identity)
        if not _may_be_written(place):
            known.due = float("inf")
            return False

        def begin(blocks: int) -> None:
            # What a run gains block by block while it is recorded is built without a word.
            if blocks > 1 and known.begun_seconds is None:
                self._say(f"building the index of {name} ({blocks} blocks of 64 dumps)")
                known.begun_seconds = 0.0

        try:
            built = self._process.build(place, most_blocks=BLOCKS_AT_A_TIME, on_begin=begin)
        except IndexNotBuiltError as error:
            self._note(name, known, error)
            return False
        if built is None:
            return False
        blocks_before, known.blocks = known.blocks, built.blocks_kept + built.blocks_written
        if known.begun_seconds is not None:
            known.begun_seconds += built.seconds
        if not built.blocks_left:
            if known.begun_seconds is not None:
                self._say(f"index of {name} built in {known.begun_seconds:.0f} s")
            known.begun_seconds, known.built_of, known.said = None, info, None
        has_grown = built.blocks_written > 0 or known.blocks > blocks_before >= 0
        if has_grown and not built.blocks_left:
            self._served.open_anew(identity)
        return has_grown

    def _note(self, name: str, known: _Known, error: IndexNotBuiltError) -> None:
        known.begun_seconds = None
        if error.is_refused:
            known.due = float("inf")
            self._is_refused = "://" in self._served.root
        if str(error) != known.said:
            known.said = str(error)
            self._say(f"no index of {name}, its log answers: {error}")


def _may_be_written(place: str) -> bool:
    """Might it be? Of an object store that is not known before it is tried."""
    if "://" in place:
        return True
    index = os.path.join(place, "index")
    return os.access(place, os.W_OK) and (not os.path.exists(index) or os.access(index, os.W_OK))
