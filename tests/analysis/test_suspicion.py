"""The ranking puts planted wrong labels first, and weighs dumps by what they know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deeptracker.analysis.suspicion import dump_weights, ranked, suspects_of_class, true_probability

PROBABILITIES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.integers(1, 8)),
    elements=st.floats(0, 1, width=32),
)


def log_likelihood(probability: np.ndarray, weights: np.ndarray) -> float:
    return float(np.log(np.maximum(probability, 1e-4) @ weights).mean())


@given(PROBABILITIES)
@settings(max_examples=60, deadline=None)
def test_weights_explain_the_labels_as_well_as_the_best_dump_and_as_all_alike(probability: np.ndarray) -> None:
    weights = dump_weights(probability)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    dumps = probability.shape[1]
    alike = np.full(dumps, 1 / dumps)
    least = max(log_likelihood(probability, one) for one in (*np.eye(dumps), alike))
    assert log_likelihood(probability, weights) >= least - 0.02


def test_a_dump_that_knows_nothing_weighs_nothing() -> None:
    rng = np.random.default_rng(0)
    probability = np.stack([rng.random(200), rng.beta(9, 1, 200), rng.random(200)], axis=1).astype(np.float32)
    assert dump_weights(probability).argmax() == 1
    assert dump_weights(probability)[1] > 0.8


def test_samples_that_a_dump_lacks_are_left_out_of_the_weights() -> None:
    probability = np.array([[0.5, 0.9]] * 5 + [[0.9, np.nan]] * 50, np.float32)
    assert dump_weights(probability).argmax() == 1
    assert dump_weights(probability[5:]).tolist() == [0.5, 0.5]
    assert dump_weights(np.zeros((0, 3), np.float32)).tolist() == pytest.approx([1 / 3] * 3)


def test_wrong_labels_come_first() -> None:
    rng = np.random.default_rng(1)
    classes, size, dumps = 5, 40, 20
    knows = np.linspace(0.1, 0.9, dumps)
    parts, planted = [], []
    every = []
    for cls in range(classes):
        truth = np.full(size, cls)
        truth[[3, 17]] = (cls + 2) % classes
        planted += [cls * size + 3, cls * size + 17]
        right = rng.random((size, dumps)) < knows
        predicted = np.where(right, truth[:, None], rng.integers(0, classes, (size, dumps)))
        probability = np.where(predicted == cls, 0.8, 0.05).astype(np.float32)
        every.append((predicted, cls, probability))
    weights = dump_weights(np.concatenate([probability for _, _, probability in every]))
    parts = [suspects_of_class(*one, weights, first=place * size) for place, one in enumerate(every)]
    found = ranked(parts)
    assert sorted(found.samples[: len(planted)].tolist()) == sorted(planted)
    assert (np.diff(found.score) <= 0).all()
    assert found.taken_for[0] == (found.samples[0] // size + 2) % classes


def test_of_two_equally_improbable_samples_the_one_that_is_taken_for_a_rare_rival_is_more_suspicious() -> None:
    predicted = np.zeros((10, 4), int)
    predicted[:5] = 1
    predicted[5] = 2
    probability = np.where(predicted == 0, 0.9, 0.1).astype(np.float32)
    found = suspects_of_class(predicted, 0, probability, np.full(4, 0.25, np.float32))
    assert found.score.argmax() == 5
    assert found.commonness[5] < found.commonness[0]


def test_shares_are_counted_over_the_dumps_that_have_the_sample() -> None:
    predicted = np.array([[1, 1, -1, -1], [0, 0, 0, 0], [-2, 3, 3, -2], [-1, -1, -1, -1]])
    probability = true_probability(predicted, 0, np.full(predicted.shape, np.nan, np.float16))
    found = suspects_of_class(predicted, 0, probability, np.full(4, 0.25, np.float32))
    assert found.taken_for.tolist() == [1, -1, 3, -1]
    assert found.share.tolist() == [1.0, 0.0, 0.5, 0.0]
    assert found.probability.tolist() == pytest.approx([0.05, 0.9, 0.05, 1.0])
