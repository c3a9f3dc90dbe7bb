"""Rules on classes find what is planted, and are silent where nothing is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from deeptracker.analysis.findings import Finding
from deeptracker.analysis.findings.classes import ClassRecord
from deeptracker.analysis.findings.jumps import class_collapse, many_classes_jump
from deeptracker.analysis.findings.learned_classes import class_forgotten, class_never_learned, classes_easy_early
from tests.analysis.findings.predicted import DUMPS, EVERY, gathered, healthy, labels_of, rows_of

LABELS = labels_of()
OTHER, CLS = 7, 3
OWN = rows_of(LABELS, CLS)

RULES: list[Callable[[ClassRecord], Iterator[Finding]]] = [
    many_classes_jump,
    class_collapse,
    class_forgotten,
    class_never_learned,
]


def found(predicted: np.ndarray) -> list[Finding]:
    record, _, _ = gathered(predicted)
    return [one for rule in RULES for one in rule(record)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("wrong", [0.02, 0.3])
def test_a_healthy_training_has_none(seed: int, wrong: float) -> None:
    assert found(healthy(wrong=wrong, seed=seed)) == []


@pytest.mark.parametrize("dumps", [1, 2, 5, 8])
@pytest.mark.parametrize("samples", [1, 2, 4, 30])
def test_short_records_and_small_classes_have_none(dumps: int, samples: int) -> None:
    assert found(healthy(samples=samples, dumps=dumps)) == []


def test_a_jump_of_all_classes_is_one_finding_and_no_collapse() -> None:
    predicted = healthy()
    predicted[:, 20] = 0
    (one,) = found(predicted)
    assert (one.kind, one.severity, one.place.first) == ("many-classes-jump", "low", 20 * EVERY)
    assert len(one.place.classes) == 9
    predicted[:, 20:32] = 0
    (one,) = found(predicted)
    assert one.severity == "medium"


def test_a_restless_training_jumps_no_more_than_it_always_does() -> None:
    predicted = healthy()
    for dump in range(3, DUMPS, 3):
        predicted[: len(predicted) // 2, dump] = 9
    assert "many-classes-jump" not in [one.kind for one in found(predicted)]


def test_a_class_that_falls_and_comes_back_has_collapsed() -> None:
    predicted = healthy()
    predicted[OWN, 20:24] = OTHER
    (one,) = found(predicted)
    assert (one.kind, one.severity, one.place.classes) == ("class-collapse", "low", (CLS,))
    assert (one.place.first, one.place.last) == (20 * EVERY, 24 * EVERY)
    predicted[OWN, 24:28] = OTHER
    assert [one.severity for one in found(predicted)] == ["medium"]


def test_a_flicker_of_one_dump_is_no_collapse() -> None:
    predicted = healthy()
    predicted[OWN, 20] = OTHER
    assert found(predicted) == []


def test_a_class_of_four_does_not_collapse() -> None:
    predicted = healthy(samples=4, wrong=0)
    predicted[rows_of(labels_of(samples=4), CLS), 20:26] = OTHER
    assert found(predicted) == []


def test_many_collapses_are_one_finding_of_low_severity() -> None:
    predicted = healthy()
    for place, cls in enumerate((1, 3, 5, 8)):
        predicted[rows_of(LABELS, cls), 12 + 6 * place : 16 + 6 * place] = OTHER
    (one,) = found(predicted)
    assert (one.severity, one.place.classes, one.key) == ("low", (1, 3, 5, 8), "class-collapse.many")


def test_a_class_that_is_lost_for_good_is_forgotten() -> None:
    predicted = healthy()
    predicted[OWN, 25:] = OTHER
    record, _, _ = gathered(predicted)
    (one,) = class_forgotten(record)
    assert (one.severity, one.place.classes, one.place.first) == ("high", (CLS,), 25 * EVERY)
    assert list(class_collapse(record, besides={CLS})) == []
    assert list(class_never_learned(record)) == []


def test_where_the_whole_network_is_lost_no_class_is_forgotten() -> None:
    predicted = healthy()
    predicted[:, 25:] = OTHER
    assert [one.kind for one in found(predicted)] == ["many-classes-jump"]


def test_a_class_that_nothing_is_taken_for_seems_missing_from_the_training_data() -> None:
    predicted = healthy()
    predicted[predicted == CLS] = OTHER
    (one,) = found(predicted)
    assert (one.kind, one.severity, one.place.classes) == ("class-never-learned", "high", (CLS,))
    assert "missing" in one.text


def test_a_class_that_others_are_taken_for_is_only_not_learned() -> None:
    predicted = healthy()
    predicted[OWN] = OTHER
    predicted[rows_of(LABELS, 5), ::2] = CLS
    (one,) = found(predicted)
    assert (one.kind, one.severity) == ("class-never-learned", "medium")
    assert "missing" not in one.text


def test_where_most_classes_are_not_learned_none_is_named() -> None:
    predicted = healthy()
    for cls in range(6):
        predicted[rows_of(LABELS, cls)] = 9
    assert found(predicted) == []


def test_classes_that_are_right_from_the_first_dump_are_easy() -> None:
    predicted = healthy(wrong=0)
    predicted[OWN, 1:] = CLS
    record, _, _ = gathered(predicted)
    (one,) = classes_easy_early(record)
    assert (one.severity, one.place.classes, one.place.first) == ("low", (CLS,), EVERY)
    predicted[OWN, 30:] = OTHER
    assert list(classes_easy_early(gathered(predicted)[0])) == []


def test_a_class_that_all_is_taken_for_is_not_easy() -> None:
    predicted = healthy(wrong=0)
    predicted[:, :14] = CLS
    assert list(classes_easy_early(gathered(predicted)[0])) == []


def test_missing_predictions_of_a_class_are_no_fault_of_it() -> None:
    record, _, _ = gathered(healthy())
    error = record.error.copy()
    error[CLS, 10:] = np.nan
    error[OTHER] = np.nan
    partly = ClassRecord(record.course, record.names, record.sizes, error, record.taken)
    assert [one for rule in RULES for one in rule(partly)] == []


def test_a_record_fits_together() -> None:
    record, _, _ = gathered(healthy())
    with pytest.raises(ValueError, match="must be"):
        ClassRecord(record.course, record.names[:-1], record.sizes, record.error, record.taken)
