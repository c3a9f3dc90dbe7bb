"""Rules on samples find planted wrong labels, damaged and restless samples; hard samples are not called mislabelled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from deeptracker.analysis.findings import Finding
from deeptracker.analysis.findings.samples import findings_on_samples
from tests.analysis.findings.predicted import DUMPS, gathered, healthy, labels_of

LABELS = labels_of()
N = len(LABELS)
RNG = np.random.default_rng(7)


def probable(predicted: npt.NDArray[np.int16], defiant: float = 0.001) -> npt.NDArray[np.float16]:
    """High where right, low where wrong."""
    return np.where(predicted == LABELS[:, None], 0.95, defiant).astype(np.float16)


def found(predicted: npt.NDArray[np.int16], probability: npt.NDArray[np.float16] | None = None) -> list[Finding]:
    record, _, facts = gathered(predicted, LABELS, probable(predicted) if probability is None else probability)
    return list(findings_on_samples(record.course, facts, facts.found.score, record.names))


def with_labels_of_others(count: int, seed: int = 1) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.intp]]:
    """Some samples are taken for a class that is not theirs from the first dump on, as if it were theirs."""
    predicted = healthy(wrong=0.01)
    chosen = np.sort(np.random.default_rng(seed).choice(N, count, replace=False))
    predicted[chosen] = ((LABELS[chosen] + 1 + chosen % 8) % 10)[:, None]
    return predicted, chosen


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_training_has_none(seed: int) -> None:
    assert found(healthy(seed=seed)) == []


@pytest.mark.parametrize("dumps", [1, 5, 8])
def test_short_records_have_none(dumps: int) -> None:
    assert found(healthy(dumps=dumps)) == []


def test_wrong_labels_are_found_and_nothing_else() -> None:
    predicted, chosen = with_labels_of_others(15)
    (one,) = found(predicted)
    assert (one.kind, one.severity, one.key) == ("mislabelled-samples", "medium", "mislabelled-samples")
    assert sorted(one.place.samples) == chosen.tolist()


def test_the_most_suspicious_come_first() -> None:
    predicted, chosen = with_labels_of_others(15)
    record, _, facts = gathered(predicted, LABELS, probable(predicted))
    (one,) = findings_on_samples(record.course, facts, np.arange(N), record.names)
    assert one.place.samples == tuple(chosen[::-1].tolist())


def test_a_few_hard_samples_are_not_called_mislabelled() -> None:
    predicted, _ = with_labels_of_others(4)
    assert found(predicted) == []


def test_samples_of_two_classes_that_have_each_others_labels_are_found_however_few() -> None:
    predicted = healthy(wrong=0.01)
    exchanged = {LABELS.searchsorted(3) + 4: 8, LABELS.searchsorted(3) + 11: 8, LABELS.searchsorted(8) + 2: 3}
    for sample, other in exchanged.items():
        predicted[sample] = other
    (one,) = found(predicted)
    assert one.kind == "mislabelled-samples"
    assert sorted(one.place.samples) == sorted(exchanged)
    assert sorted(one.place.classes) == [3, 8]


def test_where_all_is_confused_wrong_samples_say_nothing() -> None:
    predicted, _ = with_labels_of_others(15)
    wrong = np.random.default_rng(3).choice(N, 120, replace=False)
    predicted[wrong, 20:] = ((LABELS[wrong] + 3) % 10)[:, None]
    assert found(predicted) == []


def test_samples_that_are_never_right_and_taken_for_this_and_that_are_always_wrong() -> None:
    predicted, chosen = with_labels_of_others(15)
    predicted[chosen] = (LABELS[chosen][:, None] + 1 + np.random.default_rng(0).integers(0, 9, (15, DUMPS))) % 10
    (one,) = found(predicted)
    assert (one.kind, one.severity) == ("samples-always-wrong", "low")
    assert sorted(one.place.samples) == chosen.tolist()


def test_samples_that_come_and_go_are_often_forgotten() -> None:
    predicted = healthy(wrong=0)
    chosen = np.arange(5, N, 30)
    predicted[chosen, 1::2] = ((LABELS[chosen] + 1) % 10)[:, None]
    (one,) = found(predicted)
    assert (one.kind, one.severity) == ("samples-often-forgotten", "low")
    assert sorted(one.place.samples) == chosen.tolist()


def test_where_all_samples_come_and_go_none_stands_out() -> None:
    predicted = healthy(wrong=0)
    half = np.random.default_rng(0).random(predicted.shape) < 0.12
    predicted[half] = 0
    assert found(predicted) == []


def test_without_probabilities_right_and_wrong_stand_for_them() -> None:
    predicted, chosen = with_labels_of_others(15)
    (one,) = found(predicted, np.full(predicted.shape, np.nan, np.float16))
    assert sorted(one.place.samples) == chosen.tolist()


def test_missing_predictions_are_nobodys_fault() -> None:
    predicted = healthy()
    predicted[::7, 10:30] = -1
    probability = probable(predicted)
    probability[predicted == -1] = np.nan
    assert found(predicted, probability) == []


def test_a_sample_that_was_seen_once_and_wrong_says_nothing() -> None:
    predicted, chosen = with_labels_of_others(15)
    predicted[chosen, :-1] = -1
    assert found(predicted) == []
