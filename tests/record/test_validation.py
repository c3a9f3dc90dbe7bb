"""May validation data come in any usual form, and is what has no fixed order refused?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from deeptracker.record.evaluation import Outcome, evaluate
from deeptracker.record.validation import Inputs, as_batches, as_labels
from deeptracker.schema import UNDEFINED

X = torch.rand(10, 3, 4, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(10) % 4


class Mean(nn.Module):
    """Logits that show what reached the model."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, 1))
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return x.mean((1, 2, 3))[:, None] * self.scale[:, 0]


class Returns(nn.Module):
    """Gives the input itself, wrapped in whatever a model may return."""

    def __init__(self, wrap: Any = lambda x: x) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))
        self.wrap = wrap

    def forward(self, x: torch.Tensor) -> Any:
        return self.wrap(x)


def run(model: nn.Module, validation: Any, preprocess: Any = None, batch_size: int = 4) -> Outcome:
    return evaluate(model, as_batches(validation, batch_size=batch_size), Inputs(model, preprocess))


@pytest.mark.parametrize(
    "validation",
    [
        (X, Y),
        (X.numpy(), Y.numpy()),
        (X.double().numpy(), Y.tolist() and np.eye(4)[Y.numpy()]),
        TensorDataset(X, Y),
        DataLoader(TensorDataset(X, Y), batch_size=3),
        DataLoader(TensorDataset(X, Y, torch.zeros(10)), batch_size=3),
        [(X[:6], Y[:6]), (X[6:], Y[6:].tolist())],
    ],
    ids=["tensors", "numpy", "float64 and one-hot", "data set", "loader", "extra items", "list of batches"],
)
def test_all_forms_of_validation_data_give_the_same_outcome(validation: Any) -> None:
    model = Mean()
    outcome = run(model, validation)
    expected = model(X).log_softmax(1)
    assert outcome.labels.tolist() == Y.tolist()
    assert outcome.ids == [str(i) for i in range(10)]
    np.testing.assert_allclose(outcome.loss, -expected[range(10), Y].detach(), rtol=1e-3)
    assert all(x.dtype == torch.float32 for x in model.seen)


@pytest.mark.parametrize(
    "validation",
    [
        DataLoader(TensorDataset(X, Y), shuffle=True),
        DataLoader(TensorDataset(X, Y), sampler=WeightedRandomSampler([1.0] * 10, 10)),
        DataLoader(
            TensorDataset(X, Y),
            batch_sampler=torch.utils.data.BatchSampler(torch.utils.data.RandomSampler(Y), 2, drop_last=False),
        ),
        iter([(X, Y)]),
        (X, Y[:3]),
    ],
    ids=["shuffle", "weighted", "batch sampler", "iterator", "lengths"],
)
def test_validation_data_without_a_fixed_order_is_refused(validation: Any) -> None:
    with pytest.raises(ValueError, match="validation"):
        as_batches(validation, batch_size=4)


def test_something_that_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="Got a int"):
        as_batches(3, batch_size=4)
    with pytest.raises(TypeError, match="must be"):
        run(Mean(), [X])


def test_bytes_with_channels_last_are_turned_round_and_divided() -> None:
    model = Mean()
    pictures = np.full((2, 5, 6, 3), 255, np.uint8)
    pictures.setflags(write=False)
    run(model, (pictures, np.zeros(2, int)))
    assert model.seen[0].shape == (2, 3, 5, 6)
    assert (model.seen[0] == 1).all()


def test_preprocess_gets_the_batch_as_it_is() -> None:
    seen = []

    def preprocess(images: torch.Tensor) -> torch.Tensor:
        seen.append((images.dtype, images.shape))
        return images.permute(0, 3, 1, 2).double() / 2

    model = Mean()
    run(model, (np.ones((2, 5, 6, 3), np.uint8), np.zeros(2, int)), preprocess)
    assert seen == [(torch.uint8, (2, 5, 6, 3))]
    assert model.seen[0].dtype == torch.float32


def test_inputs_get_the_dtype_of_the_model() -> None:
    model = Mean().to(torch.bfloat16)
    run(model, (X, Y))
    assert model.seen[0].dtype == torch.bfloat16


class WithLogits:
    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: x,
        lambda x: (x, None),
        lambda x: {"logits": x},
        WithLogits,
        lambda x: x.softmax(1),
        lambda x: x.log_softmax(1),
    ],
    ids=["tensor", "tuple", "dictionary", "object", "probabilities", "log-probabilities"],
)
def test_outputs_of_every_form_mean_the_same_probabilities(wrap: Any) -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    outcome = run(Returns(wrap), [(logits, labels)])
    assert outcome.predicted.tolist() == logits.argmax(1).tolist()
    np.testing.assert_allclose(outcome.probability, logits.softmax(1)[range(6), labels], rtol=1e-3)
    np.testing.assert_allclose(outcome.loss, -logits.log_softmax(1)[range(6), labels], rtol=1e-3)
    assert outcome.classes == 3


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_a_single_logit_a_sample_is_two_classes_by_the_sigmoid(shape: tuple[int, ...]) -> None:
    logits = torch.tensor([-2.0, 3.0, -0.5, 1.0])
    outcome = run(Returns(), [(logits.reshape(shape), torch.tensor([0, 1, 1, 0]))])
    assert outcome.predicted.tolist() == [0, 1, 0, 1]
    assert outcome.error_rate == 0.5
    expected = torch.where(torch.tensor([True, False, False, True]), 1 - logits.sigmoid(), logits.sigmoid())
    expected[3] = 1 - logits[3].sigmoid()
    np.testing.assert_allclose(outcome.probability, expected, rtol=1e-3)


def test_an_output_without_a_softmax_is_no_prediction_and_counts_as_wrong() -> None:
    logits = torch.tensor([[1.0, 0], [torch.nan, 0], [torch.inf, 0], [-torch.inf, 0]])
    outcome = run(Returns(), [(logits, torch.tensor([0, 0, 0, 1]))])
    assert outcome.predicted.tolist() == [0, UNDEFINED, UNDEFINED, 1]
    assert np.isnan(outcome.probability).tolist() == [False, True, True, False]
    assert outcome.error_rate == 0.5


def test_labels_that_the_model_has_no_output_for_are_refused() -> None:
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.2.*Got 3"):
        run(Returns(), [(torch.zeros(2, 3), torch.tensor([0, 3]))])


def test_labels_may_be_numbers_or_one_hot() -> None:
    expected = [2, 0, 1]
    for labels in (torch.tensor(expected), expected, np.eye(3)[expected], torch.tensor(expected)[:, None]):
        assert as_labels(labels).tolist() == expected
    with pytest.raises(ValueError, match="one-hot"):
        as_labels(torch.zeros(2, 2, 2))


def test_weights_cast_by_autocast_in_an_evaluation_do_not_reach_training() -> None:
    model = nn.Linear(4, 3)
    x = torch.randn(5, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        run(model, [(x, torch.zeros(5, dtype=torch.int64))])
        model(x).sum().backward()
    assert model.weight.grad is not None
