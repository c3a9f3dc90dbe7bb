"""What is wrong with classes, and which are easy? Rules on the error of every class at every dump.

1. A class is judged by what the whole network does (course.py): nothing is said of the time before it has learned, nor
   where it never did. Where it jumps as a whole no class collapses.
2. A change counts where it is a large share of the class and `LEAST_SAMPLES` of its samples at least: in a class of
   four, two samples are half of it, and chance.
3. What holds for more than `MOST_NAMED` classes is one finding, of low severity: then it says something of the
   training, not of a class.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.course import Course, listed, percent
from deeptracker.analysis.findings.finding import Finding, Place, Severity

Floats = NDArray[np.float32]

ABSENT = ": hardly any sample is taken for it, as if it were missing from the training data."

LEAST_SAMPLES = 5
MOST_NAMED = 3
BEFORE = 5
"""A dump is compared with the median of so many before it."""

JUMP, JUMP_OF_A_CLASS, JUMP_TIMES = 0.15, 0.25, 3.0
"""The network jumps where its error rises by so much, by so many times what it moves at the most restless fifth of the
dumps before, and that of half of the classes by so much."""

KNOWN, LOST, LASTS = 0.4, 0.9, 3
"""A class is known at an error of at most this, and has collapsed at one of at least that, for so many dumps."""

NEVER, OTHERS_KNOW = 0.02, 0.3
"""A class was never learned if it was right less often than this, while half of the others are right more than that."""

EASY, ALONE, EASIER = 0.05, 2.5, 0.25
"""A class is right at an error of at most this, while not more than so many times its samples are taken for it: an
untrained network takes all for one class, which is no knowledge. It is easy if its errors up to the half of the
training, added up, are at most this part of what half of the classes have."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassRecord:
    """All classes: `names` and `sizes` int (classes,); `error` float32 (classes, dumps), NaN where missing; `taken`
    float32 (classes, dumps), the share of all samples that are taken for each class. Dumps are those of the course."""

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
class _Seen:
    """One class, what is said of it alone, and from which dump to which."""

    cls: int
    severity: Severity
    text: str
    evidence: str
    first: int
    last: int


def jumps(record: ClassRecord) -> list[int]:
    """The dumps at which the error of the network, and of half of its classes, leaps up out of a steady course."""
    course, found = record.course, []
    begin = course.learned
    large = record.large
    if begin is None or not len(large):
        return []
    error = course.error.astype(float)
    before = np.array([np.median(error[max(0, t - BEFORE) : t] if t else error[:1]) for t in range(course.dumps)])
    moved = np.abs(error - before)
    for t in range(begin + 3, course.dumps):
        usual = float(np.quantile(moved[max(begin + 1, t - 4 * BEFORE) : t], 0.8))
        if error[t] - before[t] >= max(JUMP, JUMP_TIMES * usual):
            rise = record.error[large, t] - np.median(record.error[large, max(0, t - BEFORE) : t], axis=1)
            worse = (rise >= JUMP_OF_A_CLASS) & (rise * record.sizes[large] >= 3)
            if worse.sum() >= max(3, len(large) / 2):
                found.append(t)
    return found


def many_classes_jump(record: ClassRecord) -> Iterator[Finding]:
    """Many classes become worse at one dump."""
    found = jumps(record)
    if not found:
        return
    course = record.course
    rise = {t: float(course.error[t] - np.median(course.error[max(0, t - BEFORE) : t])) for t in found}
    worst = max(found, key=lambda t: rise[t])
    large = record.large
    change = record.error[large, worst] - np.median(record.error[large, max(0, worst - BEFORE) : worst], axis=1)
    worse = large[change >= JUMP_OF_A_CLASS]
    more = f", and at {len(found) - 1} other dump{'s' if len(found) > 2 else ''}" if len(found) > 1 else ""
    back = np.flatnonzero(course.error[worst:] <= course.error[worst] - 0.8 * rise[worst])
    lasted = f"{_dumps(back[0])} later most of it is made up for" if len(back) else "it has not come back since"
    yield Finding(
        "many-classes-jump",
        "medium" if not len(back) or back[0] > BEFORE else "low",
        f"{len(worse)} of {len(large)} classes become much worse at once, at iteration "
        f"{course.iterations[worst]:,}{more}.",
        f"The error of all samples rises to {percent(course.error[worst])}, {percent(rise[worst])} above the {BEFORE} "
        f"dumps before; {lasted}.",
        Place(
            classes=tuple(worse[np.argsort(-change[change >= JUMP_OF_A_CLASS], kind="stable")].tolist()),
            first=int(course.iterations[found[0]]),
            last=int(course.iterations[found[-1]]),
        ),
    )


def class_collapse(record: ClassRecord, besides: Collection[int] = ()) -> Iterator[Finding]:
    """Nearly all samples of a class become wrong at one dump, while others stay. `besides`: classes not to be named."""
    course, begin = record.course, record.course.learned
    if begin is None:
        return
    large = record.large
    usual = _medians_before(record.error[large], 2)  # it may take two dumps to fall
    leaps = np.concatenate([np.arange(leap - 2, leap + 3) for leap in jumps(record)] or [np.zeros(0, int)])
    calm = np.zeros(course.dumps, np.bool_)
    first = max(begin, BEFORE) + 1
    rise = np.nan_to_num(record.error[large] - usual)[:, first:]
    calm[first:] = np.median(rise, axis=0) <= JUMP if len(large) else False
    calm[leaps[leaps < course.dumps]] = False
    falls = (record.error[large] >= LOST) & (usual <= KNOWN) & calm
    seen = []
    for place in np.flatnonzero(falls.any(axis=1)):
        cls, error, size = int(large[place]), record.error[large[place]], int(record.sizes[large[place]])
        for t in np.flatnonzero(falls[place]):
            base = float(usual[place, t])
            stays = t + LASTS <= course.dumps and (error[t : t + LASTS] >= LOST - 0.1).all()
            if cls in besides or not stays or error[t - 2] > KNOWN or (error[t] - base) * size < LEAST_SAMPLES:
                continue
            back = np.flatnonzero(error[t:] <= base + 0.25)
            lasts = f"It is back after {_dumps(back[0])}." if len(back) else "It has not come back."
            seen.append(
                _Seen(
                    cls,
                    "low" if len(back) and back[0] <= BEFORE else "medium",
                    f"{record.names[cls]} collapses at iteration {course.iterations[t]:,}.",
                    f"Its error is {percent(error[t])} there, {percent(base)} in the {BEFORE} dumps before. {lasts}",
                    int(t),
                    int(t + back[0]) if len(back) else course.dumps - 1,
                )
            )
            break
    yield from _named(record, "class-collapse", seen, lambda names, n: f"{n} classes collapse at some time: {names}.")


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
            _Seen(
                cls,
                "high" if now >= LOST else "medium",
                f"{record.names[cls]} was learned and is lost since iteration {course.iterations[first]:,}.",
                f"Its error was at most {percent(low)} for a while and is {percent(now)} in the last "
                f"{course.dumps - first} dumps; that of all samples is {percent(course.error[-1])}.",
                first,
                course.dumps - 1,
            )
        )
    yield from _named(
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
            _Seen(
                cls,
                "high" if absent and course.best >= 0.5 else "medium",
                f"{record.names[cls]} was never learned{ABSENT if absent else '.'}",
                f"{known} are right since the network has learned, of all samples {percent(course.best)}. "
                f"{taken:.2%} of all samples are taken for it at last, and {share:.2%} belong to it.",
                0,
                course.dumps - 1,
            )
        )
    yield from _named(record, "class-never-learned", seen, lambda names, n: f"{n} classes were never learned: {names}.")


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
    easy = [c for c, t in settled.items() if t <= early and t < usual and effort[c] <= min(bound, 1.0)]
    if not easy:
        return
    easy.sort(key=lambda c: settled[c])
    until = max(settled[c] for c in easy)
    half = "never" if usual >= course.dumps else f"from iteration {course.iterations[int(usual)]:,} on"
    yield Finding(
        "class-easy-early",
        "low",
        f"{listed([record.names[c] for c in easy])} {'is' if len(easy) == 1 else 'are'} easy: right from iteration "
        f"{course.iterations[until]:,} on.",
        f"From there the error is {percent(EASY)} or less at nine of ten dumps. Half of the classes come to that "
        f"{half}.",
        Place(classes=tuple(easy), first=int(course.iterations[until]), last=int(course.iterations[-1])),
    )


def _dumps(count: int) -> str:
    return f"{count} dump{'' if count == 1 else 's'}"


def _medians_before(error: Floats, skipped: int) -> Floats:
    """float32 (classes, dumps): the median of `BEFORE` dumps, the last of them `skipped` before; NaN without them."""
    found = np.full(error.shape, np.nan, np.float32)
    if error.shape[1] >= BEFORE + skipped:
        stretches = np.lib.stride_tricks.sliding_window_view(error[:, : error.shape[1] - skipped], BEFORE, axis=1)
        found[:, BEFORE + skipped - 1 :] = np.median(stretches, axis=2)
    return found


def _settled(error: Floats, alone: NDArray[np.bool_]) -> int:
    """The first dump from which on the error is low, but for one dump in ten; as many as there are dumps for none."""
    low = (error <= EASY) & alone
    share = np.cumsum(low[::-1])[::-1] / np.arange(len(low), 0, -1)
    holds = low & (share >= 0.9) & (len(low) - np.arange(len(low)) >= 3)
    return int(np.argmax(holds)) if holds.any() else len(low)


def _named(record: ClassRecord, kind: str, seen: list[_Seen], together: Callable[[str, int], str]) -> Iterator[Finding]:
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
