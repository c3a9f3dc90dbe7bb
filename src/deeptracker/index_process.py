"""How is an index built beside a training that is recorded, or a server that answers?

1. By a process that gives way and is told which run to build (companion.py). Ended half-way it leaves nothing that is
   half written.
2. An index is a cache, so it never takes the room that the log needs: where less is free on a local disk than the next
   ROOM_BLOCKS blocks of the log will take, nothing is built.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from deeptracker.companion import Companion, answer_all
from deeptracker.errors import IndexNotBuiltError
from deeptracker.store.blobs import Blobs, read_or_none
from deeptracker.store.index_layout import BLOCK, ROOT, Published

ROOM_BLOCKS = 4

_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@dataclass(frozen=True, slots=True)
class Built:
    """What was done for a run: blocks written, published before, and left for another time; seconds it took."""

    blocks_written: int
    blocks_kept: int
    blocks_left: int
    seconds: float


class IndexProcess(Companion):
    """A process that builds indexes, one after the other. `with` stops it at the end."""

    def __init__(self) -> None:
        super().__init__(
            __name__,
            does="builds the index",
            otherwise="Record with index=False, and build it later: deeptracker index",
            error=IndexNotBuiltError,
        )

    def build(
        self, place: str, *, most_blocks: int | None = None, on_begin: Callable[[int], None] | None = None
    ) -> Built | None:
        """Build what is settled and not published of the index of a run; None where `stop` was called.

        `on_begin` is told how many blocks that are, unless none. A run with fewer than a block of settled dumps has
        none. After `most_blocks` the rest is left. Raises IndexNotBuiltError where it cannot be built.
        """
        built = self.ask(
            {"place": place, "most_blocks": most_blocks},
            on_told=lambda told: None if on_begin is None else on_begin(told["blocks"]),
            by_hand=f"deeptracker index {place}",
        )
        return None if built is None else Built(**built)


def main(parent: int) -> None:
    """The process: build for each run that is named, until there are no more, or the process `parent` is gone."""

    def build(question: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        return asdict(_build(**question, tell_begin=lambda blocks: tell({"blocks": blocks})))

    answer_all(parent, build, _is_refused)


def _build(place: str, most_blocks: int | None, tell_begin: Callable[[int], None]) -> Built:
    from deeptracker.indexing import build_index  # scipy, and all else that only building needs

    began = time.perf_counter()
    room = _Room(place)
    before, missing, tried = _published(place), 0, 0

    def begin(blocks: int) -> None:
        nonlocal missing
        missing = blocks
        room.check()
        tell_begin(blocks)

    def go_on(done: int, of: int) -> None:
        nonlocal tried
        tried += 1
        if tried == most_blocks and tried < missing:
            raise _Enough
        if done < of:
            room.check()

    try:
        report = build_index(place, fewest_dumps=BLOCK, check_published=False, on_begin=begin, on_progress=go_on)
    except _Enough:
        now = _published(place)
        kept = len(before.blocks) if before is not None and now is not None and before.group == now.group else 0
        written = 0 if now is None else len(now.blocks) - kept
        return Built(written, kept, missing - tried, time.perf_counter() - began)
    return Built(report.blocks_written, report.blocks_kept, 0, report.seconds)


class _Enough(Exception):  # noqa: N818  (nothing is wrong)
    """So many blocks as were asked for are built."""


def _published(place: str) -> Published | None:
    data = read_or_none(Blobs(place), ROOT)
    return None if data is None else Published.from_json(data)


class _Room:
    """How much must be free where a run lies: as much as its log grows by in ROOM_BLOCKS blocks."""

    def __init__(self, place: str) -> None:
        self._blobs = Blobs(place)
        self._needed_bytes = 0

    def check(self) -> None:
        """OSError where less is free. Object stores do not say."""
        if self._blobs.local is None:
            return
        if not self._needed_bytes:
            newest = {blob.path.split("/")[1]: blob.size_bytes for blob in self._blobs.list("log/")}  # of each kind
            self._needed_bytes = ROOM_BLOCKS * BLOCK * sum(newest.values())
        free_bytes = shutil.disk_usage(self._blobs.local).free
        if free_bytes < self._needed_bytes:
            raise OSError(
                errno.ENOSPC,
                f"the log must have room to grow before its index takes any: {self._needed_bytes / 2**20:,.0f} MiB. "
                f"{free_bytes / 2**20:,.0f} MiB are free in {self._blobs.place}",
            )


def _is_refused(error: Exception) -> bool:
    """May nothing be written there, whenever it is tried?"""
    is_refused_here = isinstance(error, OSError) and error.errno in _REFUSED
    return is_refused_here or isinstance(error.__cause__, PermissionDeniedError | UnauthenticatedError)
