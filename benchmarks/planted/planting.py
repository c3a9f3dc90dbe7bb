"""What is planted in a training, what is to be found there, and what else may be?

1. An expectation names a kind of finding, and its layer or classes where only those are right.
2. What is true of a training besides (a far too high rate makes the loss leap as well) counts neither for nor against:
   it is right if it is found. Everything else that is found is wrong.
3. Dead filters are right where no more than 1 in 100 training images activate them, in whichever training (truth.json,
   see training.py).
4. Trainings are recorded once, into a folder that is kept: rules may then be tried as often as one likes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.planted.training import TRUTH, Training, record
from deeptracker.analysis.findings import KINDS, Finding
from deeptracker.run import Run


@dataclass(frozen=True, slots=True)
class Expected:
    """A kind of finding, of a layer (by name; None: any) and of exactly these classes (None: any)."""

    kind: str
    layer: str | None = None
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}. Got {self.kind!r}.")

    def fits(self, finding: Finding, run: Run) -> bool:
        """Is it this that was found?"""
        place = finding.place
        layer = None if place.layer is None else run.network().layers[place.layer].name
        return (
            finding.kind == self.kind
            and self.layer in (None, layer)
            and (self.classes is None or sorted(place.classes) == sorted(self.classes))
        )


ANYWHERE: tuple[Expected, ...] = (
    Expected("class-easy-early"),  # some digits are right after the first epoch, and worth knowing in any training
)


@dataclass(frozen=True, slots=True)
class Planting:
    """A training with one thing changed; `expects` is to be found, `also` is true of it as well."""

    name: str
    about: str
    change: Callable[[Training], None]
    expects: tuple[Expected, ...] = ()
    also: tuple[Expected, ...] = ()

    def train(self, place: Path, seed: int) -> None:
        """Train and record it, the same for the same seed."""
        training = Training.usual(seed)
        self.change(training)
        record(training, place, f"{self.name}, seed {seed}")

    def found(self, findings: Iterable[Finding], run: Run) -> tuple[Expected, ...]:
        """Those that were expected and are among the findings."""
        known = list(findings)
        return tuple(one for one in self.expects if any(one.fits(finding, run) for finding in known))

    def wrong(self, findings: Iterable[Finding], run: Run, truth: dict[str, Any]) -> tuple[Finding, ...]:
        """Findings that are neither expected nor otherwise true."""
        right = (*self.expects, *self.also, *ANYWHERE)
        return tuple(
            one for one in findings if not (_is_silent(one, run, truth) or any(x.fits(one, run) for x in right))
        )


def recorded(planting: Planting, runs: Path, seed: int) -> tuple[Run, dict[str, Any]]:
    """The run of a planted training, recorded now if it is not there yet, and the truth of it."""
    place = runs / f"{planting.name}-{seed}"
    if not (place / TRUTH).exists():
        planting.train(place, seed)
    return Run(place), json.loads((place / TRUTH).read_text())


def _is_silent(finding: Finding, run: Run, truth: dict[str, Any]) -> bool:
    """Dead filters that hardly any training image activates."""
    place = finding.place
    if finding.kind != "dead-filters" or place.layer is None:
        return False
    return set(place.filters) <= set(truth["silent"].get(run.network().layers[place.layer].name, ()))
