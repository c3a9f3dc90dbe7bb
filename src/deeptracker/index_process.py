"""How is an index built beside what matters more: a training that is recorded, or a server that answers?

1. In a process of its own. A thread would take turns with the training at Python's lock: measured in decision 0013.
2. It gives way: lowest priority of the processor, one thread, the first to go where memory is short.
3. It is told on its standard input which run to build, one line of JSON each, and answers on its standard output. It is
   started by the first of them, and ended by `stop`, or when who asked for it is gone: within about a second, and
   nothing that is half written stays.
4. An index is a cache, so it never takes the room that the log needs: where less is free on a local disk than the next
   ROOM_BLOCKS blocks of the log will take, nothing is built.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any, Self

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from deeptracker.errors import DeepTrackerError, IndexNotBuiltError
from deeptracker.store.blobs import Blobs, read_or_none
from deeptracker.store.index_layout import BLOCK, ROOT, Published

STOP_SECONDS = 5.0
LOOK_AT_PARENT_SECONDS = 1.0
ROOM_BLOCKS = 4

_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

# The search path is handed over, as multiprocessing does: a script may have added to its own.
_START = "import sys; sys.path[:] = {path!r}; from deeptracker.index_process import main; main({parent})"


@dataclass(frozen=True, slots=True)
class Built:
    """What was done for a run: blocks written, published before, and left for another time; seconds it took."""

    blocks_written: int
    blocks_kept: int
    blocks_left: int
    seconds: float


class IndexProcess:
    """A process that builds indexes, one after the other. `build` is for one thread, `stop` for any.

    `with` stops it at the end.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._is_stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def build(
        self, place: str, *, most_blocks: int | None = None, on_begin: Callable[[int], None] | None = None
    ) -> Built | None:
        """Build what is settled and not published of the index of a run; None where `stop` was called.

        `on_begin` is told how many blocks that are, unless none. A run with fewer than a block of settled dumps has
        none. After `most_blocks` the rest is left. Raises IndexNotBuiltError where it cannot be built.
        """
        with self._lock:
            if self._is_stopped:
                return None
            process = self._process = self._process or _started()
        try:
            built = _asked(process, {"place": place, "most_blocks": most_blocks}, on_begin)
        except ValueError:  # `stop` has closed what is read here
            if not self._is_stopped:
                raise
            built = None
        if built is not None:
            return built
        status = self.rest()
        if self._is_stopped:
            return None
        raise IndexNotBuiltError(
            f"the process that builds the index must answer. It ended with status {status}. "
            f"Try it by hand: deeptracker index {place}"
        )

    def rest(self) -> int | None:
        """End the process until the next `build`; its exit status, None where there is none."""
        return self._end(at_once=False)

    def stop(self) -> None:
        """End the process for good; a `build` that is under way returns None."""
        self._is_stopped = True
        self._end(at_once=True)

    def _end(self, *, at_once: bool) -> int | None:
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return None
            if at_once:
                process.terminate()
            return _ended(process)


def _asked(process: subprocess.Popen[str], job: dict[str, Any], on_begin: Callable[[int], None] | None) -> Built | None:
    """What the process answers; None where it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    for line in process.stdout:
        if not line.endswith("\n"):
            break  # it was ended while it spoke
        answer = json.loads(line)
        if "error" in answer:
            raise IndexNotBuiltError(answer["error"], is_refused=answer["is_refused"])
        if "begin" not in answer:
            return Built(**answer)
        if on_begin is not None:
            on_begin(answer["begin"])
    return None


def _started() -> subprocess.Popen[str]:
    if not sys.executable or getattr(sys, "frozen", False):
        raise IndexNotBuiltError(
            "building the index needs a Python that can be started a second time. This program is none. "
            "Record with index=False, and build it later: deeptracker index",
            is_refused=True,
        )
    command = [sys.executable, "-W", "ignore", "-c", _START.format(path=sys.path, parent=os.getpid())]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            # Ctrl+C in the terminal is for who asked. No session of its own: a desktop's scheduler compares priorities
            # within a session only, and would give it as much as all of the training.
            process_group=0,
            creationflags=getattr(subprocess, "IDLE_PRIORITY_CLASS", 0),
        )
    except OSError as error:
        raise IndexNotBuiltError(f"the process that builds the index cannot be started: {error}") from error


def _ended(process: subprocess.Popen[str]) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        process.stdout.close()


def main(parent: int) -> None:
    """The process: answer for each run that is named, until there are no more, or the process `parent` is gone."""
    _give_way()
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    answers, sys.stdout = sys.stdout, sys.stderr

    def tell(**answer: Any) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    for line in sys.stdin:
        try:
            built = _build(**json.loads(line), tell_begin=lambda blocks: tell(begin=blocks))
        except Exception as error:
            said = str(error) if isinstance(error, DeepTrackerError) else f"{type(error).__name__}: {error}"
            tell(error=said, is_refused=_is_refused(error))
        else:
            tell(**asdict(built))


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


def _give_way() -> None:
    if hasattr(os, "nice"):
        os.nice(19)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit  # what is being written is removed on the way out


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_AT_PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
