"""Are predictions from arrays those that the recorder makes of a model's outputs?"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeptracker.record.array_evaluations import ArrayEvaluations
from deeptracker.record.evaluation import Judge

LABELS = np.arange(40) % 4


def scores(kind: str) -> np.ndarray:
    found = np.random.default_rng(0).normal(0, 3, (40, 4)).astype(np.float32)
    if kind == "probabilities":
        return torch.from_numpy(found).softmax(1).numpy()
    if kind == "not finite":
        found[0, 1], found[1, 0], found[2, 3], found[3] = np.nan, np.inf, -np.inf, -np.inf
    return found * (300 if kind == "large" else 1)


@pytest.mark.parametrize("kind", ["logits", "probabilities", "not finite", "large"])
def test_predictions_of_arrays_are_those_of_tensors(kind: str) -> None:
    judge = Judge()
    judge.add(torch.from_numpy(scores(kind)), torch.from_numpy(LABELS))
    expected = judge.outcome()
    found, error_rate = ArrayEvaluations(None, LABELS, None, None).evaluate(scores(kind))
    order = np.argsort(LABELS, kind="stable")
    np.testing.assert_array_equal(found.predicted, expected.predicted[order])
    np.testing.assert_allclose(found.probability, expected.probability[order], rtol=2e-3, atol=1e-7)
    assert found.loss is not None
    np.testing.assert_allclose(found.loss, expected.loss[order], rtol=2e-3, atol=1e-6)
    assert error_rate == expected.error_rate


@pytest.mark.parametrize("shape", [(40,), (40, 1)])
def test_one_logit_a_sample_means_two_classes(shape: tuple[int, ...]) -> None:
    logits = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    found, _ = ArrayEvaluations(None, LABELS % 2, None, None).evaluate(logits)
    order = np.argsort(LABELS % 2, kind="stable")
    np.testing.assert_array_equal(found.predicted, (logits.reshape(-1) > 0)[order])


def test_labels_may_be_one_hot() -> None:
    one_hot = np.eye(4)[LABELS]
    assert ArrayEvaluations(None, one_hot, None, None).evaluate(one_hot)[1] == 0


def test_outputs_and_labels_must_fit() -> None:
    with pytest.raises(ValueError, match="Got 39 for 40 labels"):
        ArrayEvaluations(None, LABELS, None, None).evaluate(scores("logits")[:39])
    with pytest.raises(ValueError, match=r"labels must be in 0..2"):
        ArrayEvaluations(None, LABELS, None, None).evaluate(scores("logits")[:, :3])
    with pytest.raises(ValueError, match="must be \\(samples, classes\\)"):
        ArrayEvaluations(None, LABELS, None, None).evaluate(np.zeros((40, 2, 2)))
    with pytest.raises(ValueError, match="must have labels"):
        ArrayEvaluations(None, None, None, None).evaluate(scores("logits"))
    with pytest.raises(ValueError, match="a label for each of its images"):
        ArrayEvaluations(np.zeros((3, 8, 8)), LABELS, None, None)
    with pytest.raises(ValueError, match="a label for each of its ids"):
        ArrayEvaluations(None, LABELS, ["a"], None)
