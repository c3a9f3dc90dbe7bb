"""Who looks for findings while a server answers, and in which order?

1. A process that gives way (finding_process.py), started by the first question and ended with the server. The run's
   lock is not held for it: other answers do not wait.
2. Questions are answered in turn, and wait outside of the threads that all other answers are made in.
3. Who asks what others wait for already gets their answer, unless it is being made: by then the run may have grown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deeptracker.analysis.findings import Finding
from deeptracker.analysis.suggestions import Setting
from deeptracker.errors import FindingsNotMadeError
from deeptracker.finding_process import FindingProcess, Seen

Place = tuple[str, int | None]
Question = tuple[Callable[..., Any], Place]


class FindingsAsked:
    """Asks for findings and suggestions of runs, from any number of requests."""

    def __init__(self) -> None:
        self._process = FindingProcess()
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "deeptracker-findings")
        self._waiting: dict[Question, asyncio.Task[Any]] = {}

    async def findings(self, place: Place) -> tuple[list[Finding], Seen]:
        """Of a folder or URL, and a branch or None."""
        found: tuple[list[Finding], Seen] = await self._asked((self._process.findings, place))
        return found

    async def suggestions(self, place: Place) -> tuple[list[Setting], Seen]:
        """Of a folder or URL, and a branch or None."""
        found: tuple[list[Setting], Seen] = await self._asked((self._process.suggestions, place))
        return found

    def stop(self) -> None:
        """End the process; who waits gets an error."""
        self._process.stop()

    async def _asked(self, question: Question) -> Any:
        if question not in self._waiting:
            self._waiting[question] = asyncio.create_task(self._answered(question))
        return await asyncio.shield(self._waiting[question])

    async def _answered(self, question: Question) -> Any:
        async with self._turn:
            del self._waiting[question]  # who comes from here on may know of newer dumps
            ask, place = question
            found = await asyncio.get_running_loop().run_in_executor(self._thread, ask, *place)
        if found is None:
            raise FindingsNotMadeError("findings must be asked of a server that runs. This one is being stopped.")
        return found
