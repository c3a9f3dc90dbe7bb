"""Which classes are taken for each other, and which have each other's labels? Rules on what is predicted late.

1. Of each class the `RIVALS` other classes that its samples are taken for the most at late dumps are followed over the
   whole training.
2. Classes are swapped where the samples of each are taken for the next far more often than for their own, and so on
   round to the first: two have each other's labels, or more have moved by one.
3. Two classes are confused where a large share of one is taken for the other, and far more than of the other classes
   is: else the network only likes that answer. At most `MOST_PAIRS` are named, the clearest, and the evidence says of
   how many.
4. A class that seems forgotten may only have been taken over by one that it was always confused with: `taken_over`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.classes import LEAST_SAMPLES
from deeptracker.analysis.findings.course import Course, listed, percent
from deeptracker.analysis.findings.finding import Finding, Place

Floats = NDArray[np.float32]

RIVALS = 3
MOST_PAIRS = 5

SWAPPED, SWAPPED_TIMES = 0.4, 3.0
CONFUSED, CONFUSED_TIMES = 0.25, 3.0
"""The share of a class that is taken for another: at least so much, and so many times what is right (swapped), or what
is taken for it of all other classes (confused)."""

TAKEN_BACK = 0.15

ALIKE = 0.75
"""Two classes cannot be told apart where each is taken for the other this many times as often as for itself."""


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionRecord:
    """All classes: `names` and `sizes` int (classes,), how many samples of each a dump has; `right` float32 (classes,
    dumps), the share of each that is right; `rivals` int32 (classes, rivals), those it is taken for the most late, -1
    for none, and `shares` float32 (classes, rivals, dumps), how much of it; `taken` float32 (classes,), the share of
    all samples taken for each class late."""

    course: Course
    names: Sequence[str]
    sizes: NDArray[np.integer]
    right: Floats
    rivals: NDArray[np.int32]
    shares: Floats
    taken: Floats

    def __post_init__(self) -> None:
        classes, dumps = len(self.names), self.course.dumps
        if (
            self.right.shape != (classes, dumps)
            or self.shares.shape != (*self.rivals.shape, dumps)
            or self.rivals.shape[:1] + self.sizes.shape + self.taken.shape != (classes,) * 3
        ):
            raise ValueError(
                f"right must be (classes, dumps) {classes, dumps}, rivals (classes, n), shares (classes, n, dumps), "
                f"sizes and taken (classes,). Got {self.right.shape}, {self.rivals.shape}, {self.shares.shape}, "
                f"{self.sizes.shape} and {self.taken.shape}."
            )


def swapped(record: ConfusionRecord) -> list[tuple[int, ...]]:
    """Classes of which each is taken for the next, and the last for the first."""
    if record.course.learned is None or record.rivals.shape[1] == 0:
        return []
    late = record.course.late
    share, right = record.shares[:, 0, late].mean(axis=1), record.right[:, late].mean(axis=1)
    moved = (share >= SWAPPED) & (share >= SWAPPED_TIMES * right) & (share * record.sizes >= LEAST_SAMPLES)
    then = {int(cls): int(record.rivals[cls, 0]) for cls in np.flatnonzero(moved)}
    rings = []
    for cls in then:
        ring = [cls]
        while (following := then.get(ring[-1])) is not None and following not in ring:
            ring.append(following)
        if following == cls and cls == min(ring):
            rings.append(tuple(ring))
    return rings


def swapped_classes(record: ConfusionRecord) -> Iterator[Finding]:
    """The samples of each of some classes are taken for another one of them."""
    course = record.course
    for ring in swapped(record):
        late = course.late
        share = [float(record.shares[cls, 0, late].mean()) for cls in ring]
        right = [float(record.right[cls, late].mean()) for cls in ring]
        names = [record.names[cls] for cls in ring]
        if len(ring) == 2:
            text = f"{names[0]} and {names[1]} are swapped: nearly all samples of each are taken for the other."
        else:
            moves = [f"{a} for {b}" for a, b in zip(names, [*names[1:], names[0]], strict=True)]
            text = f"The labels of {len(ring)} classes have moved: samples of {listed(moves)} are taken."
        numbers = [
            f"of {name} {percent(s)} are taken for {other}, {percent(r)} are right"
            for name, other, s, r in zip(names, [*names[1:], names[0]], share, right, strict=True)
        ]
        yield Finding(
            "swapped-classes",
            "high",
            text,
            f"At the last {late.stop - late.start} dumps {listed(numbers)}.",
            Place(classes=ring, first=int(course.iterations[late][0]), last=int(course.iterations[-1])),
        )


def taken_over(record: ConfusionRecord, cls: int) -> bool:
    """Is a class taken for one that was itself taken for it, time and again, before?"""
    rival = int(record.rivals[cls, 0])
    if rival < 0 or cls not in record.rivals[rival]:
        return False
    back = record.shares[rival, int(np.flatnonzero(record.rivals[rival] == cls)[0])]
    return float(back[record.course.good].mean()) >= TAKEN_BACK


def confused_classes(record: ConfusionRecord, besides: Collection[int] = ()) -> Iterator[Finding]:
    """Many samples of a class are taken for one other. `besides`: classes of which something worse is said already."""
    course = record.course
    if course.learned is None or not course.is_well:
        return
    late, early = course.late, slice(course.learned, course.learned + max(3, (course.dumps - course.learned) // 4))
    directions: dict[tuple[int, int], tuple[float, float]] = {}
    mean = record.shares[:, :, late].mean(axis=2)
    right = record.right[:, late].mean(axis=1)
    for cls, rank in zip(*np.nonzero(mean >= CONFUSED), strict=True):
        rival, share = int(record.rivals[cls, rank]), float(mean[cls, rank])
        part = record.sizes[cls] / record.sizes.sum()
        elsewhere = max(0.0, float(record.taken[rival]) - share * part - right[rival] * _part(record, rival))
        usual = elsewhere / max(1e-9, 1 - part - _part(record, rival))
        if share * record.sizes[cls] < LEAST_SAMPLES or share < CONFUSED_TIMES * usual:
            continue
        if int(cls) not in besides and rival not in besides:
            directions[int(cls), rival] = share, float(record.shares[cls, rank, early].mean())
    pairs = sorted({(min(pair), max(pair)) for pair in directions}, key=lambda pair: -_both(directions, pair))
    for pair in pairs[:MOST_PAIRS]:
        there, back = directions.get(pair), directions.get((pair[1], pair[0]))
        alike = all(found and found[0] >= ALIKE * right[c] for found, c in ((there, pair[0]), (back, pair[1])))
        stronger = pair if there and (not back or there[0] >= back[0]) else pair[::-1]
        a, b = (record.names[cls] for cls in stronger)
        share, before = directions[stronger]
        others = f" One of {len(pairs)} such pairs, the {MOST_PAIRS} clearest are named."
        yield Finding(
            "confused-classes",
            "medium" if alike else "low",
            f"{a} and {b} cannot be told apart." if alike else f"{percent(share)} of {a} are taken for {b}.",
            f"{_direction(record, directions, pair)}{_direction(record, directions, pair[::-1])}In the first quarter "
            f"since the network has learned {percent(before)} of {a} were taken for {b}, at last {percent(share)}: it "
            f"{_moved(before, share)}.{others if len(pairs) > MOST_PAIRS else ''}",
            Place(classes=stronger, first=int(course.iterations[course.learned]), last=int(course.iterations[-1])),
        )


def _part(record: ConfusionRecord, cls: int) -> float:
    return float(record.sizes[cls] / record.sizes.sum())


def _both(directions: dict[tuple[int, int], tuple[float, float]], pair: tuple[int, int]) -> float:
    return sum(directions[one][0] for one in (pair, pair[::-1]) if one in directions)


def _direction(
    record: ConfusionRecord, directions: dict[tuple[int, int], tuple[float, float]], pair: tuple[int, ...]
) -> str:
    cls, rival = pair
    if (cls, rival) not in directions:
        return ""
    right = float(record.right[cls, record.course.late].mean())
    return (
        f"Of {record.sizes[cls]} samples of {record.names[cls]} {percent(directions[cls, rival][0])} are taken for "
        f"{record.names[rival]} at the last dumps, {percent(right)} are right. "
    )


def _moved(before: float, now: float) -> str:
    if now >= before + 0.1:
        return "has grown"
    return "has shrunk" if now <= before - 0.1 else "has hardly changed"
