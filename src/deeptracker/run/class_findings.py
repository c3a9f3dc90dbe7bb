"""What do the rules on classes and samples find in a run? What they need is gathered class by class, in one go."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from deeptracker.analysis.findings import Finding
from deeptracker.analysis.findings.classes import ClassRecord
from deeptracker.analysis.findings.confusion import (
    RIVALS,
    ConfusionRecord,
    confused_classes,
    swapped,
    swapped_classes,
    taken_over,
)
from deeptracker.analysis.findings.course import Course
from deeptracker.analysis.findings.jumps import class_collapse, many_classes_jump
from deeptracker.analysis.findings.learned_classes import (
    class_forgotten,
    class_never_learned,
    classes_easy_early,
    forgotten,
    never_learned,
)
from deeptracker.analysis.findings.samples import Facts, facts_of_class, findings_on_samples, joined
from deeptracker.analysis.findings.turns import classes_take_turns
from deeptracker.run.suspects import SuspectAnswers
from deeptracker.schema import MISSING


class ClassFindingAnswers(SuspectAnswers):
    """Findings on classes and samples."""

    def _class_findings(self) -> Iterator[Finding]:
        """None where nothing was predicted, or next to nothing was learned."""
        if self.samples is None or not len(self._predictions().recorded):
            return
        history = self._predictions()
        course = Course(
            self.iterations[history.recorded], history.overall_error[history.recorded], self._known_samples().classes
        )
        classes, confusion, facts = self._gathered(course)
        scalars = self.scalars()
        if "loss" in scalars:
            yield from classes_take_turns(classes, scalars["iteration"], scalars["loss"])
        if course.learned is None:
            return
        moved = {cls for ring in swapped(confusion) for cls in ring}
        overtaken = {cls for cls in forgotten(classes) if taken_over(confusion, cls)}
        lost = set(forgotten(classes)) - overtaken
        yield from many_classes_jump(classes)
        yield from class_collapse(classes, lost)
        yield from class_forgotten(classes, overtaken)
        yield from class_never_learned(classes, moved | lost)
        yield from classes_easy_early(classes)
        yield from swapped_classes(confusion)
        yield from confused_classes(confusion, moved | lost | set(never_learned(classes)))
        score = np.empty(len(facts.cls), np.float32)
        ranking = self.suspects()
        score[ranking.samples] = ranking.score
        yield from findings_on_samples(course, facts, score, classes.names)

    def _gathered(self, course: Course) -> tuple[ClassRecord, ConfusionRecord, Facts]:
        count = course.classes
        taken = np.zeros((count, course.dumps), np.int64)
        sizes = np.zeros(count, np.int64)
        rivals = np.full((count, RIVALS), -1, np.int32)
        shares = np.zeros((count, RIVALS, course.dumps), np.float32)
        error = self._predictions().recorded_error_rates
        facts = []
        for rows in self._class_rows():
            known = (rows.predicted != MISSING).sum(axis=0)
            sizes[rows.cls] = np.median(known)
            _count(taken, rows.predicted)
            rivals[rows.cls] = _rivals(rows.predicted[:, course.late], rows.cls)
            for place, rival in enumerate(rivals[rows.cls]):
                if rival >= 0:
                    shares[rows.cls, place] = (rows.predicted == rival).sum(axis=0) / np.maximum(known, 1)
            facts.append(facts_of_class(course, rows.cls, rows.predicted, rows.probability, rows.first))
        names = [f"class {name}" if name.isdigit() else name for name in self.class_names]
        of_all = (taken / np.maximum(taken.sum(axis=0), 1)).astype(np.float32)
        right = 1 - np.nan_to_num(error, nan=1.0)
        return (
            ClassRecord(course, names, sizes, error, of_all),
            ConfusionRecord(course, names, sizes, right, rivals, shares, of_all[:, course.late].mean(axis=1)),
            joined(facts),
        )


def _count(taken: npt.NDArray[np.int64], predicted: npt.NDArray[np.integer]) -> None:
    """Add to int64 (classes, dumps) how many of (samples, dumps) are taken for each class."""
    sample, dump = np.nonzero((predicted >= 0) & (predicted < len(taken)))
    np.add.at(taken, (predicted[sample, dump], dump), 1)


def _rivals(late: npt.NDArray[np.integer], truth: int) -> npt.NDArray[np.int32]:
    """int32 (RIVALS,): the other classes predicted most often, -1 where there are no more."""
    counts = np.bincount(late[late >= 0].astype(np.intp), minlength=truth + 1)
    counts[truth] = 0
    first = np.argsort(-counts, kind="stable")[:RIVALS]
    found = np.full(RIVALS, -1, np.int32)
    found[: len(first)] = np.where(counts[first] > 0, first, -1)
    return found
