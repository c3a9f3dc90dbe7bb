"""Which healthy trainings are to show few findings, and none of high severity?"""

from __future__ import annotations

import torch

from benchmarks.planted.networks import convolutional, perceptron
from benchmarks.planted.planting import Expected, Planting
from benchmarks.planted.training import Training, constant, cosine_after_warm_up
from deeptracker.demo.models import make_model


def usual(training: Training) -> None:
    """SGD with momentum, two drops of the rate, batch normalisation, weight decay."""


def adam(training: Training) -> None:
    training.optimizer = lambda t: torch.optim.Adam(t.model.parameters(), 2e-3)
    training.rate = constant


def decoupled_decay(training: Training) -> None:
    training.optimizer = lambda t: torch.optim.AdamW(t.model.parameters(), 3e-3, weight_decay=0.01)
    training.rate = cosine_after_warm_up


def without_norm(training: Training) -> None:
    training.model = convolutional(norm=False)
    training.learning_rate = 0.02


def without_decay(training: Training) -> None:
    training.weight_decay = 0.0


def perceptron_with_adam(training: Training) -> None:
    training.model = perceptron(2)
    training.optimizer = lambda t: torch.optim.Adam(t.model.parameters(), 1e-3)
    training.rate = constant


def warm_up_and_cosine(training: Training) -> None:
    training.learning_rate, training.rate = 0.1, cosine_after_warm_up


def residual(training: Training) -> None:
    training.model = make_model("resnet8", 1, 10, 8, seed=training.seed)
    training.rate, training.epochs, training.learning_rate = cosine_after_warm_up, 10, 0.1


def short(training: Training) -> None:
    """Twelve dumps of a training of six epochs."""
    training.epochs, training.dumps = 6, 12


STAGED = (Expected("error-step"),)
"""What training by stages is made for."""

HEALTHY = (
    Planting("healthy-usual", "SGD with momentum in stages, norms", usual, also=STAGED),
    Planting("healthy-adam", "Adam, norms", adam),
    Planting("healthy-adamw", "AdamW, warm-up and cosine, norms", decoupled_decay),
    Planting("healthy-plain", "SGD in stages, no norms", without_norm, also=STAGED),
    Planting("healthy-no-decay", "SGD in stages, no weight decay", without_decay, also=STAGED),
    Planting("healthy-perceptron", "a perceptron with Adam", perceptron_with_adam),
    Planting("healthy-cosine", "SGD, warm-up and cosine", warm_up_and_cosine),
    Planting("healthy-resnet", "ResNet-8, warm-up and cosine", residual),
    Planting("healthy-short", "twelve dumps of six epochs", short, also=STAGED),
)
