"""How does something work beside what matters more: a training that is recorded, or a server that answers?

1. In a process of its own. A thread would take turns with the training at Python's lock: measured in decision 0013.
2. It gives way: lowest priority of the processor, one thread, the first to go where memory is short.
3. It is asked on its standard input, one line of JSON a question, and answers on its standard output: any number of
   lines that tell how far it is, then one that is the answer, or says what is wrong. Who asks while it answers another
   waits. The first question starts it.
4. `stop` ends it, or that who asked for it is gone: within about a second.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from deeptracker.errors import CompanionError, DeepTrackerError

STOP_SECONDS = 5.0
LOOK_AT_PARENT_SECONDS = 1.0

Json = dict[str, Any]
Answer = Callable[[Json, Callable[[Json], None]], Json]
"""What such a process does with a question; it may tell how far it is."""

# The search path is handed over, as multiprocessing does: a script may have added to its own.
_START = "import sys; sys.path[:] = {path!r}; from {module} import main; main({parent})"


class Companion:
    """A process that runs `main(parent)` of a module, and `does` something: "builds the index".

    `otherwise` says what to do where there can be none, and `error` is what is raised then. Any thread may call what is
    here. `with` stops it at the end.
    """

    def __init__(self, module: str, *, does: str, otherwise: str, error: type[CompanionError]) -> None:
        self._module, self._does, self._otherwise, self._error = module, does, otherwise, error
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._is_stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask(self, question: Json, *, on_told: Callable[[Json], None] | None = None, by_hand: str) -> Json | None:
        """The answer; None where `stop` was called. `on_told` hears how far it is.

        Raises what the process found wrong, as it would be raised here, or `error`. `by_hand` is a command that does
        the same.
        """
        with self._turn:
            process = self._started()
            if process is None:
                return None
            try:
                answer = _asked(process, question, on_told)
            except BaseException as error:
                self._end(at_once=True)  # what it still says is no answer to the next question
                if not (self._is_stopped and isinstance(error, ValueError)):
                    raise
                answer = None  # `stop` has closed what was read here
            if answer is None:
                status = self.rest()
        if answer is None:
            if self._is_stopped:
                return None
            raise self._error(
                f"the process that {self._does} must answer. It ended with status {status}. Try it by hand: {by_hand}"
            )
        if "error" in answer:
            raise self._as_raised(answer["error"], answer["kind"], answer["is_refused"])
        return answer

    def rest(self) -> int | None:
        """End the process until the next question; its exit status, None where there is none."""
        return self._end(at_once=False)

    def stop(self) -> None:
        """End the process for good; who is waiting for an answer gets None."""
        self._is_stopped = True
        self._end(at_once=True)

    def _started(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._is_stopped:
                return None
            if self._process is not None and self._process.poll() is not None:
                _ended(self._process)  # nobody asked it anything when it was ended: where memory ran out, say
                self._process = None
            self._process = self._process or self._start()
            return self._process

    def _start(self) -> subprocess.Popen[str]:
        if not sys.executable or getattr(sys, "frozen", False):
            raise self._error(
                f"the process that {self._does} needs a Python that can be started a second time. This program is "
                f"none. {self._otherwise}",
                is_refused=True,
            )
        code = _START.format(path=sys.path, module=self._module, parent=os.getpid())
        try:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
                # Ctrl+C in the terminal is for who asked. No session of its own: a desktop's scheduler compares
                # priorities within a session only, and would give it as much as all of the training.
                process_group=0,
                creationflags=getattr(subprocess, "IDLE_PRIORITY_CLASS", 0),
            )
        except OSError as error:
            raise self._error(f"the process that {self._does} cannot be started: {error}. {self._otherwise}") from error

    def _end(self, *, at_once: bool) -> int | None:
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return None
            if at_once:
                process.terminate()
            return _ended(process)

    def _as_raised(self, text: str, kind: str, is_refused: bool) -> DeepTrackerError:
        """What is raised here for an error of this class in the process."""
        return self._error(text, is_refused=is_refused)


def _asked(process: subprocess.Popen[str], question: Json, on_told: Callable[[Json], None] | None) -> Json | None:
    """What the process answers; None where it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
    for line in process.stdout:
        if not line.endswith("\n"):
            break  # it was ended while it spoke
        said: Json = json.loads(line)
        if "told" not in said:
            return said
        if on_told is not None:
            on_told(said["told"])
    return None


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


def answer_all(parent: int, answer: Answer, is_refused: Callable[[Exception], bool] = lambda error: False) -> None:
    """The process: answer each question, until there are no more, or the process `parent` is gone."""
    _give_way()
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    answers, sys.stdout = sys.stdout, sys.stderr

    def say(said: Json) -> None:
        print(json.dumps(said), file=answers, flush=True)

    for line in sys.stdin:
        try:
            found = answer(json.loads(line), lambda told: say({"told": told}))
        except Exception as error:
            text = str(error) if isinstance(error, DeepTrackerError) else f"{type(error).__name__}: {error}"
            say({"error": text, "kind": type(error).__name__, "is_refused": is_refused(error)})
        else:
            say(found)


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
