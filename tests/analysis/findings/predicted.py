"""Predictions of planted trainings, and the records that rules take, gathered from them literally."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.findings.classes import ClassRecord
from deeptracker.analysis.findings.confusion import RIVALS, ConfusionRecord
from deeptracker.analysis.findings.course import Course
from deeptracker.analysis.findings.samples import Facts, facts_of_class, joined
from deeptracker.analysis.suspicion import true_probability

CLASSES, SAMPLES, DUMPS = 10, 30, 40
EVERY = 100
"""Iterations from dump to dump."""

Predicted = npt.NDArray[np.int16]
Labels = npt.NDArray[np.int32]


def labels_of(classes: int = CLASSES, samples: int = SAMPLES) -> Labels:
    """int32 (all samples,): so many of each class."""
    return np.repeat(np.arange(classes, dtype=np.int32), samples)


def healthy(
    classes: int = CLASSES, samples: int = SAMPLES, dumps: int = DUMPS, *, wrong: float = 0.02, seed: int = 0
) -> Predicted:
    """int16 (samples, dumps): each sample becomes right at a dump of its own, early, and is rarely wrong from there."""
    rng = np.random.default_rng(seed)
    labels = labels_of(classes, samples)[:, None]
    guess = rng.integers(0, classes, (len(labels), dumps))
    knows = np.arange(dumps) >= rng.exponential(dumps / 12, (len(labels), 1)) + 1
    return np.where(knows & (rng.random(guess.shape) >= wrong), labels, guess).astype(np.int16)


def rows_of(labels: Labels, cls: int) -> slice:
    """The samples of a class."""
    first, end = np.searchsorted(labels, [cls, cls + 1])
    return slice(int(first), int(end))


def iterations(dumps: int) -> npt.NDArray[np.int64]:
    return np.arange(dumps, dtype=np.int64) * EVERY


def course_of(predicted: Predicted, labels: Labels) -> Course:
    wrong = (predicted != labels[:, None]).mean(axis=0).astype(np.float32)
    return Course(iterations(predicted.shape[1]), wrong, int(labels[-1]) + 1)


def gathered(
    predicted: Predicted, labels: Labels | None = None, probability: npt.NDArray[np.float16] | None = None
) -> tuple[ClassRecord, ConfusionRecord, Facts]:
    """The three records; classes are called after their numbers, in words."""
    labels = labels_of(samples=len(predicted) // CLASSES) if labels is None else labels
    course = course_of(predicted, labels)
    classes, dumps = course.classes, course.dumps
    names = [f"class {cls}" for cls in range(classes)]
    sizes = np.bincount(labels, minlength=classes)
    taken = np.stack([(predicted == cls).mean(axis=0) for cls in range(classes)]).astype(np.float32)
    error = np.stack([(predicted[rows_of(labels, c)] != c).mean(axis=0) for c in range(classes)]).astype(np.float32)
    rivals = np.full((classes, RIVALS), -1, np.int32)
    shares = np.zeros((classes, RIVALS, dumps), np.float32)
    for cls in range(classes):
        own = predicted[rows_of(labels, cls)]
        counts = {other: int((own[:, course.late] == other).sum()) for other in range(classes) if other != cls}
        most = sorted((other for other in counts if counts[other]), key=lambda other: -counts[other])[:RIVALS]
        for place, other in enumerate(most):
            rivals[cls, place] = other
            shares[cls, place] = (own == other).mean(axis=0)
    given = np.full(predicted.shape, np.nan, np.float16) if probability is None else probability
    known = true_probability(predicted, labels, given)
    facts = joined(
        [
            facts_of_class(course, cls, predicted[rows], known[rows], rows.start)
            for cls in range(classes)
            for rows in [rows_of(labels, cls)]
        ]
    )
    late = taken[:, course.late].mean(axis=1)
    return (
        ClassRecord(course, names, sizes, error, taken),
        ConfusionRecord(course, names, sizes, 1 - error, rivals, shares, late),
        facts,
    )
