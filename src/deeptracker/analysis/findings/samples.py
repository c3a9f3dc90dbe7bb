"""Which samples are likely mislabelled, never right, or learned and lost again and again?

1. Samples are judged at good dumps (course.py), and only where their class is known: of a class that is not learned no
   sample says anything.
2. Every network is wrong somewhere. What stands out are samples that were never right, at next to no probability,
   though others of their class are hardly ever taken for the same: `Facts.defiant`. There is a finding where they are
   many, and a large part of all that is wrong at last; else they are the hard samples that every data set has.
3. Those of them that were always taken for one and the same class are likely mislabelled, where they are most of them
   and the larger part of what is wrong: a network of few images is wrong, and sure of it, in many other ways.
4. Where a third of those that were never right are of two classes that have some of each other's, these are
   mislabelled, few as they may be. If the training data have the same fault, a network that knows the odds gives the
   label the probability that such labels have there: never right says more than how improbable it is, so that bound is
   wider. Classes that are only alike have hard samples that are right now and then: of what is confused between the two
   a large part must never be right, and no smaller one than of what is confused elsewhere.
5. A sample is forgotten where it was right at a good dump and is wrong at the next (Toneva et al., 2019). Often is as
   often as heads are followed by tails, at a quarter of the dumps, while others of its class are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.course import Course, listed, percent
from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.analysis.suspicion import Suspects, suspects_of_class
from deeptracker.schema import MISSING

LEAST_GOOD_DUMPS = 5

NEVER_RIGHT, IMPROBABLE, KNOWN_CLASS, USUAL = 0.05, 0.05, 0.5, 0.15
"""A sample is defiant: right at most so often, its class so probable at most, while its class is right at least so
often, and taken at most so often for what the sample is taken for."""

ALWAYS = 0.95
"""It is always taken for one class: at this share of the good dumps."""

LEAST_DEFIANT, LEAST_PART, PART_OF_WRONG, MOSTLY = 8, 0.01, 0.3, 0.7
KNOWING = 0.85
PART_MISLABELLED = 0.4
LEAST_EXCHANGED, EXCHANGED_ALWAYS, EXCHANGED_IMPROBABLE = 4, 0.8, 0.15
EXCHANGED_PART, EXCHANGED_OF_CONFUSED = 1 / 3, 0.4

LEAST_FORGOTTEN, FORGOTTEN_TIMES, MOST_NEEDED, OFTEN = 8, 4.0, 25, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Samples and what is known of each at good dumps; arrays are (n,).

    `cls` int32 their class; `found` what they are taken for and how probable their own is, all good dumps alike, and in
    class order; `seen` int32 how many good dumps have them; `right` float32 at which share of these they are right;
    `forgotten` int32 how often they were lost; `wrong` float32 at which share of the late dumps they are wrong, and
    `late_rival` float32 taken for what they are taken for the most.
    """

    cls: NDArray[np.int32]
    found: Suspects
    seen: NDArray[np.int32]
    right: NDArray[np.float32]
    forgotten: NDArray[np.int32]
    wrong: NDArray[np.float32]
    late_rival: NDArray[np.float32]

    @property
    def defiant(self) -> NDArray[np.bool_]:
        """Never right, at next to no probability, and unlike the others of its class."""
        return self.never_right(IMPROBABLE)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Is its class?"""
        known = np.bincount(self.cls, weights=self.right) / np.maximum(np.bincount(self.cls), 1)
        return np.asarray(known[self.cls] >= KNOWN_CLASS)

    def never_right(self, most: float) -> NDArray[np.bool_]:
        """The same at a probability of at most so much."""
        return np.asarray(
            (self.seen >= LEAST_GOOD_DUMPS)
            & (self.right <= NEVER_RIGHT)
            & (self.found.probability <= most)
            & self.known
            & (self.found.commonness <= USUAL)
        )


def facts_of_class(
    course: Course, cls: int, predicted: NDArray[np.integer], probability: NDArray[np.float32], first: int
) -> Facts:
    """The samples of a class, whose indexes begin at `first`. `predicted` and `probability` are (samples, dumps)."""
    good = course.good
    weights = (good / max(int(good.sum()), 1)).astype(np.float32)
    found = suspects_of_class(predicted, cls, probability, weights, first)
    right, has = predicted == cls, predicted != MISSING
    seen = has[:, good].sum(axis=1)
    lost = right[:, :-1] & ~right[:, 1:] & (predicted[:, 1:] >= 0) & (good[:-1] & good[1:])
    late = predicted[:, course.late]
    return Facts(
        np.full(len(predicted), cls, np.int32),
        found,
        seen.astype(np.int32),
        (right[:, good].sum(axis=1) / np.maximum(seen, 1)).astype(np.float32),
        lost.sum(axis=1).astype(np.int32),
        ((late != cls) & (late >= 0)).mean(axis=1).astype(np.float32),
        (late == found.taken_for[:, None]).mean(axis=1).astype(np.float32),
    )


def joined(parts: Sequence[Facts]) -> Facts:
    """The samples of several classes, given in order."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("cls", "seen", "right", "forgotten", "wrong", "late_rival")
    }
    found = {
        name: np.concatenate([getattr(part.found, name) for part in parts]) for name in Suspects.__dataclass_fields__
    }
    return Facts(found=Suspects(**found), **columns)


def findings_on_samples(
    course: Course, facts: Facts, score: NDArray[np.floating], names: Sequence[str]
) -> Iterator[Finding]:
    """All rules; `score` (n,) ranks the samples, the most suspicious the highest (analysis/suspicion.py)."""
    if course.learned is None or course.good.sum() < LEAST_GOOD_DUMPS:
        return
    defiant = facts.defiant
    always = defiant & (facts.found.share >= ALWAYS)
    if (
        not _are_many(defiant, facts)
        or always.sum() < MOSTLY * defiant.sum()
        or always.sum() < PART_MISLABELLED * facts.wrong.sum()
    ):
        always = _exchanged(facts)
    if always.any():
        yield _mislabelled(course, facts, always, score, names)
    knows = float(facts.right.mean()) >= KNOWING  # one that knows less is wrong for its own reasons
    if knows and _are_many(defiant & ~always, facts, besides=always):
        yield _always_wrong(course, facts, defiant & ~always, score, names)
    yield from _often_forgotten(course, facts, names)


def _are_many(chosen: NDArray[np.bool_], facts: Facts, besides: NDArray[np.bool_] | None = None) -> bool:
    wrong = facts.wrong if besides is None else facts.wrong[~besides]
    return bool(chosen.sum() >= max(LEAST_DEFIANT, LEAST_PART * len(chosen), PART_OF_WRONG * wrong.sum()))


def _exchanged(facts: Facts) -> NDArray[np.bool_]:
    """Those of two classes that have some of each other's: rule 4."""
    candidates = facts.never_right(EXCHANGED_IMPROBABLE) & (facts.found.share >= EXCHANGED_ALWAYS)
    pairs = Counter(zip(facts.cls[candidates].tolist(), facts.found.taken_for[candidates].tolist(), strict=True))
    chosen = np.zeros(len(facts.cls), np.bool_)
    for (one, other), count in pairs.items():
        back = pairs.get((other, one), 0)
        if one > other or not back or count + back < max(LEAST_EXCHANGED, EXCHANGED_PART * candidates.sum()):
            continue
        between = ((facts.cls == one) & (facts.found.taken_for == other)) | (
            (facts.cls == other) & (facts.found.taken_for == one)
        )
        elsewhere = candidates[~between].sum() / max(float(facts.late_rival[~between].sum()), 1.0)
        bound = max(EXCHANGED_OF_CONFUSED, float(elsewhere))
        if (candidates & between).sum() >= bound * facts.late_rival[between].sum():
            chosen |= candidates & between
    return chosen


def _mislabelled(
    course: Course, facts: Facts, chosen: NDArray[np.bool_], score: NDArray[np.floating], names: Sequence[str]
) -> Finding:
    first = np.flatnonzero(chosen)
    first = first[np.argsort(-score[first], kind="stable")]
    moves = Counter((names[facts.cls[i]], names[facts.found.taken_for[i]]) for i in first)
    most = [f"{count} of {a} for {b}" for (a, b), count in moves.most_common(3)]
    return Finding(
        "mislabelled-samples",
        "medium",
        f"{len(first)} of {len(facts.cls):,} samples are likely mislabelled: {_of(facts, first, names)} are always "
        f"taken for one other class.",
        f"Taken for it at {percent(facts.found.share[first].min())} of {course.good.sum()} dumps at least, at a "
        f"probability of their own of {facts.found.probability[first].max():.3f} at most, while "
        f"{percent(float(facts.right.mean()))} of all samples are right there. The most: {listed(most)}. "
        f"{_part_of_wrong(facts, first)}",
        _place(course, facts, first),
    )


def _always_wrong(
    course: Course, facts: Facts, chosen: NDArray[np.bool_], score: NDArray[np.floating], names: Sequence[str]
) -> Finding:
    first = np.flatnonzero(chosen)
    first = first[np.argsort(-score[first], kind="stable")]
    return Finding(
        "samples-always-wrong",
        "low",
        f"{len(first)} of {len(facts.cls):,} samples are never right though their classes are learned: "
        f"{_of(facts, first, names)}.",
        f"Right at {percent(NEVER_RIGHT)} or less of {course.good.sum()} dumps, at a probability of at most "
        f"{facts.found.probability[first].max():.3f}. {_part_of_wrong(facts, first)}",
        _place(course, facts, first),
    )


def _often_forgotten(course: Course, facts: Facts, names: Sequence[str]) -> Iterator[Finding]:
    mean, good = float(facts.forgotten.mean()), int(course.good.sum())
    bound = max(LEAST_FORGOTTEN, FORGOTTEN_TIMES * mean, min(OFTEN * good, MOST_NEEDED))
    first = np.flatnonzero((facts.forgotten >= bound) & facts.known)
    if len(first) < max(LEAST_DEFIANT, LEAST_PART * len(facts.cls)):
        return
    first = first[np.argsort(-facts.forgotten[first], kind="stable")]
    yield Finding(
        "samples-often-forgotten",
        "low",
        f"{len(first)} of {len(facts.cls):,} samples are learned and lost again and again: {_of(facts, first, names)}.",
        f"Lost {int(np.ceil(bound))} to {facts.forgotten.max()} times at {good} dumps; a sample is lost {mean:.1f} "
        f"times in the mean.",
        _place(course, facts, first),
    )


def _part_of_wrong(facts: Facts, chosen: NDArray[np.intp]) -> str:
    part = float(facts.wrong[chosen].sum() / max(float(facts.wrong.sum()), 1e-9))
    return f"They are {percent(part)} of all that is wrong at last."


def _of(facts: Facts, chosen: NDArray[np.intp], names: Sequence[str]) -> str:
    counts = Counter(names[cls] for cls in facts.cls[chosen])
    return listed([f"{count} of {name}" for name, count in counts.most_common()], 3)


def _place(course: Course, facts: Facts, chosen: NDArray[np.intp]) -> Place:
    classes = Counter(facts.cls[chosen].tolist())
    good = np.flatnonzero(course.good)
    return Place(
        classes=tuple(cls for cls, _ in classes.most_common()),
        samples=tuple(facts.found.samples[chosen].tolist()),
        first=int(course.iterations[good[0]]),
        last=int(course.iterations[-1]),
    )
