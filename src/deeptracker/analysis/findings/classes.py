"""How is something said of classes? What rules on classes take, and one finding for each class or for many.

1. A class is judged by what the whole network does (course.py): nothing is said of the time before it has learned, nor
   where it never did.
2. A change counts where it is a large share of the class and `LEAST_SAMPLES` of its samples at least: in a class of
   four, two samples are half of it, and chance.
3. What holds for more than `MOST_NAMED` classes is one finding, of low severity: then it says something of the
   training, not of a class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.course import Course, listed
from deeptracker.analysis.findings.finding import Finding, Place, Severity

Floats = NDArray[np.float32]

LEAST_SAMPLES = 5
MOST_NAMED = 3

KNOWN, LOST = 0.4, 0.9
"""A class is known at an error of at most this, and lost at one of at least that."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassRecord:
    """All classes: `names` and `sizes` int (classes,), how many samples of each a dump has; `error` float32 (classes,
    dumps), NaN where missing; `taken` float32 (classes, dumps), the share of all samples that are taken for each class.
    Dumps are those of the course."""

    course: Course
    names: Sequence[str]
    sizes: NDArray[np.integer]
    error: Floats
    taken: Floats

    def __post_init__(self) -> None:
        shape = len(self.names), self.course.dumps
        if self.error.shape != shape or self.taken.shape != shape or self.sizes.shape != shape[:1]:
            raise ValueError(
                f"error and taken must be (classes, dumps) {shape}, sizes (classes,). "
                f"Got {self.error.shape}, {self.taken.shape} and {self.sizes.shape}."
            )

    @property
    def large(self) -> NDArray[np.intp]:
        """The classes that have enough samples to be judged."""
        return np.flatnonzero((self.sizes >= LEAST_SAMPLES) & ~np.isnan(self.error).all(axis=1))


@dataclass(frozen=True, slots=True)
class Seen:
    """One class, what is said of it alone, and from which dump to which."""

    cls: int
    severity: Severity
    text: str
    evidence: str
    first: int
    last: int


def named(record: ClassRecord, kind: str, seen: list[Seen], together: Callable[[str, int], str]) -> Iterator[Finding]:
    """A finding for each class, or one for all where they are many."""
    iterations = record.course.iterations
    if len(seen) <= MOST_NAMED:
        for one in seen:
            place = Place(classes=(one.cls,), first=int(iterations[one.first]), last=int(iterations[one.last]))
            yield Finding(kind, one.severity, one.text, one.evidence, place)
        return
    names = listed([record.names[one.cls] for one in seen])
    yield Finding(
        kind,
        "low",
        together(names, len(seen)),
        f"{len(seen)} of {len(record.large)} classes, so it is a matter of the training rather than of these. "
        f"For example: {seen[0].text} {seen[0].evidence}",
        Place(
            classes=tuple(one.cls for one in seen),
            first=int(iterations[min(one.first for one in seen)]),
            last=int(iterations[max(one.last for one in seen)]),
        ),
    )
