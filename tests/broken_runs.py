"""Small runs in which rules find something: weights of one filter of one layer that become NaN."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from deeptracker.analysis.findings import Finding
from deeptracker.record.array_recorder import ArrayRecorder

LAYERS = ("conv1", "conv2", "fc")


def weights(dump: int, bad_from: dict[str, int]) -> dict[str, np.ndarray]:
    found = {}
    for number, name in enumerate(LAYERS):
        start, step = (
            np.random.default_rng([number, which]).normal(size=(4, 3)) / np.sqrt(2) for which in (0, dump + 1)
        )
        found[name] = start + 0.01 * dump * step
    for name, first in bad_from.items():
        if dump >= first:
            found[name][1, 2] = np.nan
    return found


def not_finite(findings: Iterable[Finding]) -> list[Finding]:
    """What the planted fault gives; other rules may have found more."""
    return [one for one in findings if one.kind == "not-finite"]


class BrokenRun:
    """Recorded as far as it is told, a dump every ten iterations; `bad_from` names layers, and the first dump with a
    filter of them that is NaN."""

    def __init__(self, place: Path, bad_from: dict[str, int], **options: Any) -> None:
        self.place = str(place)
        self.bad_from = bad_from
        self.recorder = ArrayRecorder(place, weights(0, {}), index=False, strict=True, **options)
        self.dumps = 0

    def record(self, dumps: int) -> None:
        """Until so many dumps are on disk."""
        while self.dumps < dumps:
            self.recorder.log_dump(10 * self.dumps, weights(self.dumps, self.bad_from))
            self.dumps += 1
        self.recorder.flush()


def broken(place: Path, dumps: int = 6, **bad_from: int) -> str:
    """A finished run."""
    run = BrokenRun(place, bad_from)
    run.record(dumps)
    run.recorder.close(index_seconds=0)
    return run.place
