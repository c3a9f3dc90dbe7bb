import numpy as np
import pytest

from deeptracker.analysis.findings.training import (
    error_steps,
    loss_spikes,
    not_learning,
    overfitting,
    spikes_of,
    underfitting,
)
from deeptracker.analysis.scalars import Stage
from tests.analysis.findings.records import training

FALLING = np.geomspace(0.9, 0.05, 20)
RULES = (not_learning, overfitting, underfitting, loss_spikes, error_steps)


@pytest.mark.parametrize("dumps", [0, 1, 8, 20])
def test_of_a_healthy_training_nothing_is_told(dumps: int) -> None:
    loss = np.geomspace(2.3, 0.02, 100) * np.random.default_rng(0).lognormal(0, 0.3, 100)
    record = training(FALLING[:dumps], 0.8 * FALLING[:dumps], loss=loss)
    assert not [one for rule in RULES for one in rule(record)]


def test_of_what_was_not_recorded_nothing_is_told() -> None:
    assert not [one for rule in RULES for one in rule(training(np.full(20, np.nan)))]


@pytest.mark.parametrize(
    ("dumps", "error", "severity"), [(20, 0.9, "high"), (12, 0.9, "medium"), (9, 0.9, None), (20, 0.75, None)]
)
def test_who_is_right_no_more_often_than_by_guessing_learns_nothing(
    dumps: int, error: float, severity: str | None
) -> None:
    found = list(not_learning(training([error] * dumps)))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_one_class_alone_cannot_be_guessed() -> None:
    assert not list(not_learning(training([0.0] * 20, largest_class=1.0)))


def test_training_and_validation_that_part_are_overfitting() -> None:
    by_heart = np.geomspace(0.9, 0.001, 20)
    (flat,) = overfitting(training(np.maximum(FALLING, 0.3), by_heart))
    assert flat.severity == "medium"
    (rising,) = overfitting(training(np.maximum(FALLING, 0.3) + np.linspace(-0.15, 0.15, 20), by_heart))
    assert rising.severity == "high"


def test_a_gap_alone_is_no_overfitting_while_validation_gains() -> None:
    assert not list(overfitting(training(np.linspace(0.9, 0.2, 20), np.geomspace(0.9, 0.001, 20))))
    assert not list(overfitting(training(np.maximum(FALLING, 0.3), np.maximum(FALLING, 0.25))))


@pytest.mark.parametrize(("train", "severity"), [(0.6, "medium"), (0.4, "low"), (0.25, None)])
def test_errors_that_stay_high_together_are_underfitting(train: float, severity: str | None) -> None:
    found = list(underfitting(training([train + 0.02] * 20, [train] * 20)))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_a_training_error_far_from_validation_is_no_underfitting() -> None:
    assert not list(underfitting(training([0.4] * 20, [0.8] * 20)))  # mixed images are hard to train on


def test_a_loss_far_above_what_it_was() -> None:
    loss = np.geomspace(2.3, 0.1, 100)
    loss[60:63] = 5, 9, 4
    loss[90] = 3
    (found,) = loss_spikes(training(FALLING, loss=loss))
    assert (found.place.first, found.place.last) == (61, 91)
    assert [(spike.iteration, spike.loss) for spike in spikes_of(training(FALLING, loss=loss))] == [(61, 9), (91, 3)]


def test_one_hard_batch_late_is_no_spike() -> None:
    loss = np.geomspace(2.3, 0.001, 100)
    loss[80] = 0.8  # 400 times as much, and a third of the beginning
    assert not list(loss_spikes(training(FALLING, loss=loss)))


def test_an_infinite_loss_is_not_finite() -> None:
    (found,) = loss_spikes(training(FALLING, loss=[*np.geomspace(2.3, 0.1, 50), np.inf, np.nan]))
    assert (found.kind, found.place.first) == ("not-finite", 51)


STAGES = (Stage(1, 1000, 0.1, 0.1), Stage(1001, 1900, 0.01, 0.01))


@pytest.mark.parametrize(("after", "found"), [(0.1, 1), (0.2, 0)], ids=["by half", "by a tenth"])
def test_an_error_that_falls_at_once_with_the_rate_is_a_step(after: float, found: int) -> None:
    steps = list(error_steps(training([0.22] * 11 + [after] * 9, stages=STAGES)))
    assert len(steps) == found
    assert all((one.severity, one.place.first) == ("low", 1001) for one in steps)


def test_an_error_that_was_falling_anyway_makes_no_step() -> None:
    assert not list(error_steps(training(np.linspace(0.6, 0.05, 20), stages=STAGES)))


def test_a_rate_that_rises_makes_no_step() -> None:
    rising = (Stage(1, 1000, 0.01, 0.01), Stage(1001, 1900, 0.1, 0.1))
    assert not list(error_steps(training([0.22] * 11 + [0.1] * 9, stages=rising)))
