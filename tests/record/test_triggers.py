"""What is trouble: leaps of the loss in noise of any kind, NaN, and classes that flip together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from deeptracker.record.triggers import BEFORE, DEVIATIONS, LAST, LEAST_BEFORE, NORMAL, Anomalies, Leaps, NonFinite
from deeptracker.schema import Layer, Predictions, Reason

Floats = NDArray[np.float64]

STEPS = 50_000
HEALTHY: dict[str, Callable[[np.random.Generator], Floats]] = {
    "normal": lambda rng: rng.normal(2.0, 0.3, STEPS),
    "falling": lambda rng: 2 * np.exp(-np.arange(STEPS) / 5000) + rng.normal(0.3, 0.05, STEPS),
    "learning rate lowered in steps": lambda rng: (
        np.repeat([2.0, 0.7, 0.3, 0.2, 0.18], STEPS // 5) * rng.gamma(50, 1 / 50, STEPS)
    ),
    "lognormal": lambda rng: np.exp(rng.normal(0, 0.5, STEPS)),
    "exponential": lambda rng: rng.exponential(0.05, STEPS),
    "nearly always 0": lambda rng: np.where(rng.random(STEPS) < 0.02, rng.exponential(1.0, STEPS), 1e-7),
    "epochs, each of which begins higher": lambda rng: (
        1 + 0.2 * (1 - np.arange(STEPS) % 390 / 390) + rng.normal(0, 0.1, STEPS)
    ),
    "constant": lambda rng: np.full(STEPS, 0.7),
}


def leaps(losses: Floats, *, at_a_time: int = 1600) -> list[Reason]:
    watch, found = Leaps(), []
    for first in range(0, len(losses), at_a_time):
        part = losses[first : first + at_a_time]
        found += watch.losses(np.arange(first, first + len(part)), part)
    return found


@pytest.mark.parametrize("kind", HEALTHY)
def test_healthy_noise_of_any_kind_is_no_leap(kind: str) -> None:
    assert leaps(HEALTHY[kind](np.random.default_rng(0))) == []


def test_even_the_wildest_noise_gives_no_more_false_leaps_than_is_said() -> None:
    rng = np.random.default_rng(1)
    steps = 1_000_000
    found = len(leaps(rng.standard_cauchy(steps))) + len(leaps(np.exp(rng.normal(0, 2, steps))))
    assert found <= 2 * steps / 140_000 + 3 * np.sqrt(2 * steps / 140_000)


@pytest.mark.parametrize("at_a_time", [1, 7, 5000])
def test_a_leap_is_told_once_where_it_begins_however_losses_come(at_a_time: int) -> None:
    losses = np.random.default_rng(0).normal(1.0, 0.1, 1000)
    losses[700:] += 2
    (reason,) = leaps(losses, at_a_time=at_a_time)
    assert (reason.kind, reason.iteration) == ("loss", 700)
    assert reason.text.startswith("the loss leapt at iteration 700, to 3.")


def test_a_spike_of_some_iterations_is_a_leap_and_that_of_one_or_two_batches_is_none() -> None:
    losses = np.random.default_rng(0).normal(1.0, 0.1, 1000)
    losses[500:502] = 50
    assert leaps(losses) == []
    losses[800:810] = 60
    (reason,) = leaps(losses)
    assert reason.iteration == 800


def test_after_a_leap_the_record_begins_anew() -> None:
    losses = np.random.default_rng(0).normal(1.0, 0.1, 1000)
    losses[300:] += 2
    losses[360:] += 4  # too soon
    losses[700:] += 8
    assert [reason.iteration for reason in leaps(losses)] == [300, 700]


def test_leaps_are_those_of_the_rule_written_out() -> None:
    rng = np.random.default_rng(3)
    losses = rng.normal(0, 0.3, 20_000) + np.cumsum(2 * (rng.random(20_000) < 0.002))
    losses[rng.random(20_000) < 0.001] = np.nan
    kept, iterations = losses[np.isfinite(losses)], np.flatnonzero(np.isfinite(losses))
    expected, begun, end = [], 0, LAST
    while end <= len(kept):
        before, last = kept[max(begun, end - LAST - BEFORE) : end - LAST], kept[end - LAST : end]
        if end - LAST - begun >= LEAST_BEFORE:
            middle = np.median(before)
            limit = middle + DEVIATIONS * NORMAL * np.median(np.abs(before - middle))
            above = (last > before.max()) & (last > limit)
            if above.sum() >= 3:
                expected.append(iterations[end - LAST + np.argmax(above)])
                begun = end
                end += LAST - 1
        end += 1
    assert len(expected) > 3
    assert [reason.iteration for reason in leaps(losses)] == expected


def test_losses_that_are_not_finite_are_told_once_until_they_are_again() -> None:
    watch = NonFinite([])
    told = []
    for first in (0, 10, 20):
        losses = np.ones(10)
        losses[{0: [3, 4, 9], 10: range(10), 20: [0, 5]}[first]] = np.nan
        told.append([reason.iteration for reason in watch.losses(np.arange(first, first + 10), losses)])
    assert told == [[3], [], [25]]


def test_the_layers_where_weights_are_not_finite_are_named() -> None:
    layers = [Layer(f"conv{i}", "conv2d", (2, 1, 1, 1), 2, 1, 2 * i) for i in range(5)]
    counts = np.zeros((3, 10), np.float32)
    assert NonFinite(layers).measures(np.arange(3), counts) == []
    counts[1, 2:] = 1
    (reason,) = NonFinite(layers).measures(np.arange(7, 10), counts)
    assert reason.text == (
        "weights or gradients are NaN or infinite from iteration 8 on, in conv1, conv2, conv3 and 1 more layers"
    )
    assert reason.iteration == 8


def anomalies(
    record: NDArray[np.bool_], labels: NDArray[np.int32], samples: NDArray[np.int32] | None = None
) -> dict[int, list[Reason]]:
    """What is told at each dump; a setting is found as soon as it is due."""
    watch, found = Anomalies(labels, ("cat",)), {}
    for dump, right in enumerate(record.T):
        own = slice(None) if samples is None else samples
        predicted = np.where(right[own], labels[own], 9).astype(np.int16)
        reasons = watch.predictions(dump, Predictions(predicted, np.zeros(len(predicted), np.float16), None, samples))
        if reasons:
            found[dump] = reasons
        suggestion = watch.suggestion()
        if suggestion is not None:
            suggestion()
    return found


def collapse(seed: int) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    labels = np.repeat(np.arange(3, dtype=np.int32), 20)
    record = np.random.default_rng(seed).random((60, 60)) < 0.95
    record[:18, 30:45] = False
    return record, labels


@pytest.mark.parametrize("seed", range(5))
def test_a_class_that_comes_back_together_is_an_anomaly(seed: int) -> None:
    found = anomalies(*collapse(seed))
    assert 45 in found
    assert found[45][0].cls == 0
    assert found[45][0].text.startswith("class cat: ")
    assert "suggested threshold" in found[45][0].text


def test_of_noise_hardly_any_dump_is_an_anomaly() -> None:
    labels = np.repeat(np.arange(3, dtype=np.int32), 20)
    told = [len(anomalies(np.random.default_rng(seed).random((60, 60)) < 0.9, labels)) for seed in range(20)]
    assert np.mean(told) < 0.5


def test_anomalies_at_dumps_that_follow_each_other_are_told_once() -> None:
    record, labels = collapse(0)
    record[20:38, 46:] = False  # another class goes, a dump after the first has come back
    record[40:58, 50:55] = False
    found = anomalies(record, labels)
    assert {dump: [one.cls for one in found.get(dump, [])] for dump in (45, 46, 50)} == {45: [0], 46: [], 50: [2]}


def test_a_share_of_the_samples_is_judged_by_itself() -> None:
    record, labels = collapse(0)
    own = np.arange(0, 60, 2, dtype=np.int32)
    assert 45 in anomalies(record, labels, own)


def test_a_sample_without_a_prediction_stays_as_it_was() -> None:
    watch = Anomalies(np.zeros(2, np.int32))
    half = np.zeros(2, np.float16)
    for dump, predicted in enumerate(([0, 0], [-1, 9], [0, 0])):
        watch.predictions(dump, Predictions(np.array(predicted, np.int16), half))
    assert watch._runs.tolist() == [3, 1]
