"""How much of the training's time has the recorder taken?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Overhead:
    """Dumps made, and seconds spent on measuring them and on validating."""

    def __init__(self) -> None:
        self.dumps = 0
        self._seconds = {"measure": 0.0, "validate": 0.0}
        self._step_ended = time.perf_counter()

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Time spent on "measure" or "validate"; it is no part of the training's iteration."""
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self._seconds[what] += seconds
            self._step_ended += seconds

    def since_step(self) -> float:
        """Seconds since the step before ended."""
        return time.perf_counter() - self._step_ended

    def step_ended(self) -> None:
        """The training's next iteration begins."""
        self._step_ended = time.perf_counter()

    def told(self, waiting_seconds: float) -> dict[str, float]:
        """As `run.json` has it."""
        return {
            "dumps": self.dumps,
            "measure_seconds": self._seconds["measure"],
            "validate_seconds": self._seconds["validate"],
            "waiting_seconds": waiting_seconds,
        }
