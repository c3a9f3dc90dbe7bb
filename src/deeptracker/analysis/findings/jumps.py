"""Where does the whole network jump, and where does a class collapse alone?

1. The network jumps where its error rises by `JUMP` above the dumps before, by `JUMP_TIMES` what it moves at the most
   restless fifth of them, and the errors of half of its classes by `JUMP_OF_A_CLASS`.
2. A class collapses where its error goes from `KNOWN` or less to `LOST` or more within two dumps, stays there for
   `LASTS` dumps, and the others do not do the same: where the network jumps no class collapses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from deeptracker.analysis.findings.classes import KNOWN, LEAST_SAMPLES, LOST, ClassRecord, Floats, Seen, named
from deeptracker.analysis.findings.course import percent
from deeptracker.analysis.findings.finding import Finding, Place

BEFORE = 5
"""A dump is compared with the median of so many before it."""

JUMP, JUMP_OF_A_CLASS, JUMP_TIMES = 0.15, 0.25, 3.0
LASTS = 3


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
                Seen(
                    cls,
                    "low" if len(back) and back[0] <= BEFORE else "medium",
                    f"{record.names[cls]} collapses at iteration {course.iterations[t]:,}.",
                    f"Its error is {percent(error[t])} there, {percent(base)} in the {BEFORE} dumps before. {lasts}",
                    int(t),
                    int(t + back[0]) if len(back) else course.dumps - 1,
                )
            )
            break
    yield from named(record, "class-collapse", seen, lambda names, n: f"{n} classes collapse at some time: {names}.")


def _dumps(count: int) -> str:
    return f"{count} dump{'' if count == 1 else 's'}"


def _medians_before(error: Floats, skipped: int) -> Floats:
    """float32 (classes, dumps): the median of `BEFORE` dumps, the last of them `skipped` before; NaN without them."""
    found = np.full(error.shape, np.nan, np.float32)
    if error.shape[1] >= BEFORE + skipped:
        stretches = np.lib.stride_tricks.sliding_window_view(error[:, : error.shape[1] - skipped], BEFORE, axis=1)
        found[:, BEFORE + skipped - 1 :] = np.median(stretches, axis=2)
    return found
