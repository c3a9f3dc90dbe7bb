"""Which dumps of a run are worth keeping when it is thinned?

1. `every=N` keeps the dumps 0, N, 2 N ... by their numbers.
2. `anomalies` keeps the anomaly iterations of all classes (paper, 7.1.2) at a window and a threshold. With each come
   the dump before, because `change` and its like compare a dump with the one recorded before it, and the dump after,
   so that what followed can be seen.
3. The first and the last dump are always kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from deeptracker.errors import DeepTrackerError
from deeptracker.run import Run


@dataclass(frozen=True, slots=True)
class Keep:
    """A rule: every so many dumps, or None; anomaly iterations or not, at a window (dumps) and a threshold (share)."""

    every: int | None = None
    anomalies: bool = False
    window: int = 10
    threshold: float = 0.35

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise ValueError(f"every must be >= 1. Got {self.every}. every=10 keeps each tenth dump.")
        if self.every is None and not self.anomalies:
            raise ValueError("at least one rule must be given. Got none. Keep by every=N, anomalies, or both.")
        if self.window < 1:
            raise ValueError(f"window must be >= 1. Got {self.window}. It is a number of dumps.")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be a share in 0..1. Got {self.threshold}. 0.35 means 35 % of a class.")

    @classmethod
    def parse(cls, text: str, *, window: int = 10, threshold: float = 0.35) -> Self:
        """Read `every=N`, `anomalies`, or both with a comma between; ValueError for anything else.

        >>> str(Keep.parse("every=10,anomalies"))
        'every=10,anomalies at window 10 and threshold 0.35'
        """
        every: int | None = None
        anomalies = False
        for part in (part.strip() for part in text.split(",")):
            number = re.fullmatch(r"every=(\d+)", part)
            if number and every is None:
                every = int(number[1])
            elif part == "anomalies":
                anomalies = True
            else:
                raise ValueError(
                    f"keep must be every=N, anomalies, or both with a comma between. Got {text!r}. "
                    "For example every=10,anomalies."
                )
        return cls(every, anomalies, window, threshold)

    def __str__(self) -> str:
        rules = ([f"every={self.every}"] if self.every is not None else []) + ["anomalies"] * self.anomalies
        settings = f" at window {self.window} and threshold {self.threshold:g}" if self.anomalies else ""
        return ",".join(rules) + settings


@dataclass(frozen=True, slots=True, eq=False)
class KeptDumps:
    """What a rule keeps of a run: int64 (kept,) `iterations`, of so many `dumps`; how many anomaly iterations."""

    iterations: npt.NDArray[np.int64]
    dumps: int
    anomaly_iterations: int


def kept_dumps(run: Run, keep: Keep) -> KeptDumps:
    """Choose the dumps; DeepTrackerError for a run without dumps, or without predictions where anomalies are asked."""
    dumps = len(run.iterations)
    if not dumps:
        raise DeepTrackerError(f"{run.info.name} must have dumps to keep. It has none yet.")
    chosen = np.zeros(dumps, np.bool_)
    chosen[[0, -1]] = True
    if keep.every is not None:
        chosen[:: keep.every] = True
    anomalous = _anomaly_dumps(run, keep) if keep.anomalies else np.zeros(0, np.int64)
    for beside in (-1, 0, 1):
        chosen[np.clip(anomalous + beside, 0, dumps - 1)] = True
    return KeptDumps(run.iterations[chosen], dumps, len(anomalous))


def _anomaly_dumps(run: Run, keep: Keep) -> npt.NDArray[np.int64]:
    if run.samples is None:
        raise DeepTrackerError(
            f"keeping anomalies needs predictions. {run.info.name} has none. Keep by number only: every=10."
        )
    return np.unique(run.anomalies(keep.window, keep.threshold).dump).astype(np.int64)
