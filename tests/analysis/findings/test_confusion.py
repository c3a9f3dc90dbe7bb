"""Rules on confusion find classes that are swapped or taken for each other, and only those."""

from __future__ import annotations

import numpy as np
import pytest

from deeptracker.analysis.findings.confusion import (
    MOST_PAIRS,
    ConfusionRecord,
    confused_classes,
    swapped,
    swapped_classes,
    taken_over,
)
from tests.analysis.findings.predicted import gathered, healthy, labels_of, rows_of

LABELS = labels_of()


def record_of(predicted: np.ndarray) -> ConfusionRecord:
    return gathered(predicted)[1]


def moved(predicted: np.ndarray, cls: int, other: int, share: float, first: int = 0) -> None:
    """A share of the samples of a class is taken for another from a dump on."""
    own = rows_of(LABELS, cls)
    predicted[own.start : own.start + round(share * (own.stop - own.start)), first:] = other


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("wrong", [0.02, 0.4])
def test_a_healthy_training_has_none(seed: int, wrong: float) -> None:
    record = record_of(healthy(wrong=wrong, seed=seed))
    assert [*swapped_classes(record), *confused_classes(record)] == []


def test_two_classes_that_are_taken_for_each_other_are_swapped() -> None:
    predicted = healthy()
    moved(predicted, 3, 8, 1)
    moved(predicted, 8, 3, 0.9)
    (one,) = swapped_classes(record_of(predicted))
    assert (one.severity, one.place.classes) == ("high", (3, 8))
    assert "class 3 and class 8" in one.text


def test_labels_that_moved_by_one_are_a_ring() -> None:
    predicted = healthy()
    for cls, other in ((1, 4), (4, 6), (6, 1)):
        moved(predicted, cls, other, 1)
    assert swapped(record_of(predicted)) == [(1, 4, 6)]
    (one,) = swapped_classes(record_of(predicted))
    assert "3 classes have moved" in one.text


def test_a_class_that_is_taken_for_another_but_not_the_other_way_is_confused_not_swapped() -> None:
    predicted = healthy()
    moved(predicted, 3, 8, 0.5, first=10)
    record = record_of(predicted)
    assert swapped(record) == []
    (one,) = confused_classes(record)
    assert (one.severity, one.place.classes) == ("low", (3, 8))
    assert one.text.startswith("50 % of class 3 are taken for class 8")


def test_the_stronger_direction_is_the_sentence() -> None:
    predicted = healthy()
    moved(predicted, 8, 3, 0.4)
    (one,) = confused_classes(record_of(predicted))
    assert one.text.startswith("40 % of class 8 are taken for class 3")
    assert one.place.classes == (8, 3)
    assert one.key == "confused-classes.c3.c8"  # whichever is stronger later


def test_it_says_how_confusion_moves() -> None:
    predicted = healthy()
    moved(predicted, 3, 8, 0.5, first=25)
    (one,) = confused_classes(record_of(predicted))
    assert "has grown" in one.evidence


def test_classes_that_are_taken_for_each_other_as_often_as_for_themselves_cannot_be_told_apart() -> None:
    predicted = healthy(wrong=0)
    for cls, other in ((3, 8), (8, 3)):
        moved(predicted, cls, other, 0.5)
    (one,) = confused_classes(record_of(predicted))
    assert (one.severity, "cannot be told apart" in one.text) == ("medium", True)


def test_an_answer_that_the_network_gives_for_all_classes_is_no_confusion_of_two() -> None:
    predicted = healthy()
    for cls in range(9):
        moved(predicted, cls, 9, 0.3)
    assert list(confused_classes(record_of(predicted))) == []


def test_of_many_pairs_the_clearest_are_named_and_the_number_is_said() -> None:
    predicted = healthy(classes=20)
    labels = labels_of(20)
    for cls in range(7):
        own = rows_of(labels, cls)
        predicted[own.start : own.start + 10 + cls] = cls + 10
    found = list(confused_classes(gathered(predicted, labels)[1]))
    assert [one.place.classes[0] for one in found] == [6, 5, 4, 3, 2]
    assert len(found) == MOST_PAIRS
    assert all("One of 7 such pairs" in one.evidence for one in found)


def test_classes_of_which_something_worse_is_said_are_left_out() -> None:
    predicted = healthy()
    moved(predicted, 3, 8, 0.5)
    assert list(confused_classes(record_of(predicted), besides={8})) == []


def test_a_class_is_taken_over_by_one_that_was_always_confused_with_it() -> None:
    predicted = healthy()
    moved(predicted, 3, 8, 0.9, first=30)
    assert not taken_over(record_of(predicted), 3)
    moved(predicted, 8, 3, 0.3)
    assert taken_over(record_of(predicted), 3)


def test_a_record_fits_together() -> None:
    record = record_of(healthy())
    with pytest.raises(ValueError, match="must be"):
        ConfusionRecord(
            record.course, record.names, record.sizes, record.right, record.rivals[:3], record.shares, record.taken
        )
