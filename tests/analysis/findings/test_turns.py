"""Classes take turns where the loss repeats itself and classes move against each other; one of both is not enough."""

from __future__ import annotations

import numpy as np

from deeptracker.analysis.findings import Finding
from deeptracker.analysis.findings.turns import classes_take_turns, period_of
from tests.analysis.findings.predicted import DUMPS, gathered, healthy, labels_of, rows_of

LABELS = labels_of()
PERIOD, ITERATIONS = 37, 1000


def loss(repeating: float, seed: int = 0) -> np.ndarray:
    """Falls, with noise, and something that repeats itself each epoch."""
    rng = np.random.default_rng(seed)
    epoch = np.tile(rng.random(PERIOD), ITERATIONS // PERIOD + 1)[:ITERATIONS]
    return (
        np.exp(-np.arange(ITERATIONS) / 400)
        + 0.2 * rng.random(ITERATIONS)
        + repeating * np.convolve(epoch, np.ones(5) / 5, "same")
    )


def turns(predicted: np.ndarray, values: np.ndarray, step: int = 1) -> list[Finding]:
    record, _, _ = gathered(predicted)
    return list(classes_take_turns(record, step * np.arange(len(values)), values))


def in_turns() -> np.ndarray:
    """A third of the classes is lost while the others are right, others each time."""
    predicted = healthy()
    for dump in range(4, DUMPS):
        for cls in range(dump % 3, 10, 3):
            predicted[rows_of(LABELS, cls).start :, dump][:20] = (cls + 1) % 10
    return predicted


def test_a_series_that_repeats_itself_has_a_period() -> None:
    found = period_of(loss(2.0))
    assert found is not None
    assert found[0] == PERIOD


def test_noise_and_slow_changes_have_none() -> None:
    assert [period_of(loss(0.0, seed)) for seed in range(20)] == [None] * 20
    assert period_of(np.exp(-np.arange(500) / 100)) is None
    assert period_of(np.cumsum(np.random.default_rng(0).normal(size=500))) is None
    assert period_of(np.ones(500)) is None


def test_classes_take_turns_at_the_rhythm_of_the_epochs() -> None:
    (one,) = turns(in_turns(), loss(2.0))
    assert (one.severity, f"every {PERIOD} iterations" in one.text) == ("high", True)
    (one,) = turns(in_turns(), loss(2.0), step=10)
    assert f"every {10 * PERIOD} iterations" in one.text


def test_classes_that_move_without_a_rhythm_of_the_loss_do_not_take_turns() -> None:
    assert turns(in_turns(), loss(0.0)) == []
    assert turns(in_turns(), np.zeros(0)) == []
    assert turns(in_turns(), np.full(500, np.nan)) == []


def test_a_loss_that_repeats_itself_while_classes_rest_is_another_matter() -> None:
    assert turns(healthy(), loss(2.0)) == []


def test_classes_that_move_together_do_not_take_turns() -> None:
    predicted = healthy()
    predicted[:, 5::3] = 0
    assert turns(predicted, loss(2.0)) == []
