"""Which classes were lost, never learned, or easy?

1. A class is forgotten where it was known for a while, is lost since, and the network as a whole is well.
2. It was never learned where next to nothing of it was ever right while half of the classes are known; it seems missing
   from the training data where nothing is taken for it either.
3. It is easy where it is right from the first tenth of the training on, and its errors up to the half, added up, are at
   most `EASIER` of what half of the classes have. An untrained network takes all for one class: that is no knowledge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.classes import KNOWN, LOST, ClassRecord, Floats, Seen, named
from deeptracker.analysis.findings.course import listed, percent
from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.analysis.findings.jumps import BEFORE, jumps

ABSENT = ": hardly any sample is taken for it, as if it were missing from the training data."

NEVER, OTHERS_KNOW = 0.02, 0.3
"""A class was never learned if it was right less often than this, while half of the others are right more than that."""

EASY, ALONE, EASIER = 0.05, 2.5, 0.25
"""A class is right at an error of at most this, where at most so many times its samples are taken for it."""


def forgotten(record: ClassRecord) -> dict[int, tuple[float, int]]:
    """Classes that were learned and are lost for good: how low their error had been, and the first dump of the loss."""
    course = record.course
    if course.learned is None or not course.is_well:
        return {}
    span = max(3, course.dumps // 20)
    begin = max([0, *jumps(record)])  # after a jump of the whole network it learns anew
    found = {}
    for cls in record.large:
        error = record.error[cls, begin:]
        if len(error) < span:
            continue
        stretches = np.lib.stride_tricks.sliding_window_view(error, span)
        low = float(np.min(np.max(stretches, axis=1)))
        bound = max(0.7, low + 0.4)
        above = np.flatnonzero(~(error >= bound))  # NaN counts as not lost
        first = begin + (int(above[-1]) + 1 if len(above) else 0)
        if low <= KNOWN and course.dumps - first >= max(BEFORE, course.dumps // 10):
            found[int(cls)] = low, first
    return found if len(found) <= len(record.large) / 3 else {}  # else it is the network, not a class


def class_forgotten(record: ClassRecord, besides: Collection[int] = ()) -> Iterator[Finding]:
    """A class that was learned is lost, and has stayed so, while most others have not. `besides`: not to be named."""
    course, seen = record.course, []
    for cls, (low, first) in forgotten(record).items():
        if cls in besides:
            continue
        now = float(np.mean(record.error[cls, first:]))
        seen.append(
            Seen(
                cls,
                "high" if now >= LOST else "medium",
                f"{record.names[cls]} was learned and is lost since iteration {course.iterations[first]:,}.",
                f"Its error was at most {percent(low)} for a while and is {percent(now)} in the last "
                f"{course.dumps - first} dumps; that of all samples is {percent(course.error[-1])}.",
                first,
                course.dumps - 1,
            )
        )
    yield from named(
        record, "class-forgotten", seen, lambda names, n: f"{n} classes were learned and are lost again: {names}."
    )


def never_learned(record: ClassRecord) -> list[int]:
    """Classes of which next to nothing was ever right while most others are."""
    course, begin = record.course, record.course.learned
    if begin is None or course.dumps - begin < 3:
        return []
    error = record.error[record.large, begin:]
    judged = record.large[~np.isnan(error).all(axis=1)]
    right = 1 - np.nanmean(record.error[judged, begin:], axis=1)
    if not len(right) or np.median(right) < OTHERS_KNOW:
        return []
    ever = 1 - np.nanmin(record.error[judged, begin:], axis=1)
    found: list[int] = judged[(right <= NEVER) & (ever <= 5 * NEVER)].tolist()
    return found


def class_never_learned(record: ClassRecord, besides: Collection[int] = ()) -> Iterator[Finding]:
    """The samples of a class are wrong during the whole training. `besides`: classes not to be named."""
    course, seen = record.course, []
    for cls in never_learned(record):
        if cls in besides:
            continue
        taken = float(np.mean(record.taken[cls, course.late]))
        share = record.sizes[cls] / record.sizes.sum()
        absent = taken <= 0.1 * share
        known = f"{percent(1 - float(np.mean(record.error[cls, course.learned :])))} of its {record.sizes[cls]} samples"
        seen.append(
            Seen(
                cls,
                "high" if absent and course.best >= 0.5 else "medium",
                f"{record.names[cls]} was never learned{ABSENT if absent else '.'}",
                f"{known} are right since the network has learned, of all samples {percent(course.best)}. "
                f"{taken:.2%} of all samples are taken for it at last, and {share:.2%} belong to it.",
                0,
                course.dumps - 1,
            )
        )
    yield from named(record, "class-never-learned", seen, lambda names, n: f"{n} classes were never learned: {names}.")


def classes_easy_early(record: ClassRecord) -> Iterator[Finding]:
    """Classes that are right early and stay so, long before most others."""
    course = record.course
    if course.learned is None or not len(record.large):
        return
    parts = record.sizes / record.sizes.sum()
    alone = record.taken <= ALONE * parts[:, None]
    settled = {int(cls): _settled(record.error[cls], alone[cls]) for cls in record.large}
    usual = float(np.median(list(settled.values())))
    effort = np.nansum(record.error[:, 1 : 1 + course.dumps // 2], axis=1)
    bound = EASIER * float(np.median(effort[record.large]))
    early = max(1, course.dumps // 10)
    easy = [c for c, t in settled.items() if t <= early and t + 1 <= usual and effort[c] <= min(bound, 1.0)]
    if not easy:
        return
    easy.sort(key=lambda c: settled[c])
    until = max(settled[c] for c in easy)
    then = int(np.ceil(usual))
    others = "never come to that" if then >= course.dumps else f"come to that at iteration {course.iterations[then]:,}"
    yield Finding(
        "class-easy-early",
        "low",
        f"{listed([record.names[c] for c in easy])} {'is' if len(easy) == 1 else 'are'} easy: right from iteration "
        f"{course.iterations[until]:,} on.",
        f"From there the error is {percent(EASY)} or less at nine of ten dumps. Half of the classes {others}.",
        Place(classes=tuple(easy), first=int(course.iterations[until]), last=int(course.iterations[-1])),
    )


def _settled(error: Floats, alone: NDArray[np.bool_]) -> int:
    """The first dump from which on the error is low, but for one dump in ten; as many as there are dumps for none."""
    low = (error <= EASY) & alone
    share = np.cumsum(low[::-1])[::-1] / np.arange(len(low), 0, -1)
    holds = low & (share >= 0.9) & (len(low) - np.arange(len(low)) >= 3)
    return int(np.argmax(holds)) if holds.any() else len(low)
