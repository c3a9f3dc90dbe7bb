"""How are the findings of a run looked for beside a training that is recorded, or a server that answers?

1. By a process that gives way (companion.py). It is asked for the findings, or the suggested settings, of a run, again
   and again while the run grows.
2. It keeps the MOST_OPENED runs open that it was asked of last, so a run that has grown costs what is new in it. What
   it keeps is bounded by HELD_BYTES between questions; an answer may take more while it is made.
3. What nobody has asked for within IDLE_SECONDS is closed.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from deeptracker import errors
from deeptracker.analysis.findings import Finding
from deeptracker.analysis.findings.as_json import finding_of, whole
from deeptracker.analysis.suggestions import Setting
from deeptracker.companion import Companion, answer_all
from deeptracker.errors import DeepTrackerError, FindingsNotMadeError

if TYPE_CHECKING:
    from deeptracker.run import Run

MOST_OPENED = 3
IDLE_SECONDS = 300.0
HELD_BYTES = 1 << 29
"""512 MiB for all of them together."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """Up to where a run was looked at: so many dumps, the iteration of the newest (-1: none), and the branch."""

    dumps: int
    iteration: int
    branch: int


class FindingProcess(Companion):
    """A process that looks for findings in runs, one after the other. `with` stops it at the end.

    `branch` asks for the run as it was before it was resumed (`open_run`). Errors are those of `open_run` and `Run`,
    and FindingsNotMadeError where there is no such process. Both answers are None where `stop` was called.
    """

    def __init__(self) -> None:
        super().__init__(
            __name__,
            does="looks for findings",
            otherwise="Look for them by hand: deeptracker findings RUN",
            error=FindingsNotMadeError,
        )

    def findings(self, place: str, branch: int | None = None) -> tuple[list[Finding], Seen] | None:
        """Everything that the rules find in a run up to now, the severest first."""
        answer = self._asked_of("findings", place, branch)
        if answer is None:
            return None
        return [finding_of(one) for one in answer["found"]], Seen(**answer["seen"])

    def suggestions(self, place: str, branch: int | None = None) -> tuple[list[Setting], Seen] | None:
        """Windows and thresholds worth looking at."""
        answer = self._asked_of("suggestions", place, branch)
        if answer is None:
            return None
        return [Setting(**one) for one in answer["found"]], Seen(**answer["seen"])

    def _asked_of(self, what: str, place: str, branch: int | None) -> Json | None:
        question = {"what": what, "place": place, "branch": branch}
        return self.ask(question, by_hand=f"deeptracker findings {place}")

    def _as_raised(self, text: str, kind: str, is_refused: bool) -> DeepTrackerError:
        found = getattr(errors, kind, None)
        if isinstance(found, type) and issubclass(found, DeepTrackerError):
            error: DeepTrackerError = found(text)
            return error
        return super()._as_raised(f"looking for findings failed: {text}", kind, is_refused)


def main(parent: int) -> None:
    """The process: answer for each run that is named, until there are no more, or the process `parent` is gone."""
    opened = _Opened()
    threading.Thread(target=opened.close_idle, daemon=True).start()

    def answer(question: Json, tell: Callable[[Json], None]) -> Json:
        return opened.answer(**question)

    answer_all(parent, answer)


class _Opened:
    """The runs that were asked for last."""

    def __init__(self) -> None:
        self._runs: OrderedDict[tuple[str, int | None], Run] = OrderedDict()
        self._lock = threading.Lock()
        self._asked = time.monotonic()

    def answer(self, what: str, place: str, branch: int | None) -> Json:
        with self._lock:
            run = self._refreshed(place, branch)
            found = (
                [whole(one) for one in run.findings()] if what == "findings" else list(map(asdict, run.suggestions()))
            )
            iterations = run.iterations
            seen = Seen(len(iterations), int(iterations[-1]) if len(iterations) else -1, run.branch)
            self._hold_at_most(HELD_BYTES)
            self._asked = time.monotonic()
            return {"found": found, "seen": asdict(seen)}

    def close_idle(self) -> None:
        """In a thread of its own: what is kept, nobody may need again."""
        while True:
            time.sleep(IDLE_SECONDS / 10)
            with self._lock:
                if time.monotonic() - self._asked > IDLE_SECONDS:
                    self._runs.clear()

    def _refreshed(self, place: str, branch: int | None) -> Run:
        from deeptracker.run import Run  # numpy, and all else that only looking needs

        run = self._runs.pop((place, branch), None)  # where it fails below, it is opened anew the next time
        if run is not None:
            created = run.info.created
            run.refresh()
            if run.info.created != created:
                run = None  # recorded anew in the same place
        run = self._runs[place, branch] = run or Run(place, branch)
        while len(self._runs) > MOST_OPENED:
            self._runs.popitem(last=False)
        return run

    def _hold_at_most(self, size_bytes: int) -> None:
        """Drop what is too much, of the run that was asked for longest ago first."""
        excess = sum(run.held_bytes for run in self._runs.values()) - size_bytes
        for run in self._runs.values():
            if excess <= 0:
                break
            before = run.held_bytes
            run.hold_at_most(max(0, before - excess))
            excess -= before - run.held_bytes
