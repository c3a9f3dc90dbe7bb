"""Which faults of layers and filters are planted?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.planted.networks import Scaled, convolutional, perceptron
from benchmarks.planted.planting import Expected, Planting
from benchmarks.planted.training import Training, constant

WITHOUT_NORM_RATE = 0.02


def dead_by_a_bias(training: Training) -> None:
    training.model = convolutional(norm=False)
    training.learning_rate = WITHOUT_NORM_RATE
    training.weight_decay = 0.0
    bias = training.layer("conv2").bias
    assert isinstance(bias, Tensor)
    bias.data[training.chosen(32, 3)] = -100.0


def dead_and_decaying(training: Training) -> None:
    """Three filters lead nowhere: no gradient, but weight decay shrinks them."""
    _scale_filters(training, 0.0)


def hardly_used(training: Training) -> None:
    """Three filters count for next to nothing, so that weight decay is all that moves them."""
    _scale_filters(training, 1e-5)


def _scale_filters(training: Training, factor: float) -> None:
    training.weight_decay = 2e-3
    factors = torch.ones(32)
    factors[training.chosen(32, 3)] = factor
    training.model.relu2 = nn.Sequential(nn.ReLU(), Scaled(factors))


def not_to_be_learned(training: Training) -> None:
    for parameter in training.layer("conv2").parameters():
        parameter.requires_grad_(False)


def left_out_of_the_optimizer(training: Training) -> None:
    left_out = {id(parameter) for parameter in training.layer("conv1").parameters()}
    training.optimizer = lambda t: torch.optim.SGD(
        [p for p in t.model.parameters() if id(p) not in left_out], t.learning_rate, 0.9, weight_decay=t.weight_decay
    )


def began_too_large(training: Training) -> None:
    weight = training.layer("conv2").weight
    assert isinstance(weight, Tensor)
    weight.data *= 30


def began_too_small(training: Training) -> None:
    training.model = perceptron(2)
    training.learning_rate = WITHOUT_NORM_RATE
    weight = training.layer("fc2").weight
    assert isinstance(weight, Tensor)
    weight.data /= 50


def exploding_from_layer_to_layer(training: Training) -> None:
    """Twenty layers with hyperbolic tangents and weights five times too large (chaotic, as Poole et al. 2016 say)."""
    training.model = perceptron(20, activation=nn.Tanh, gain=5.0)
    training.learning_rate, training.epochs = 1e-8, 6


def exploding_over_time(training: Training) -> None:
    """Squared error, and steps that overshoot by more each time."""
    training.model = perceptron(0)
    training.learning_rate, training.rate, training.epochs, training.dumps = 0.08, constant, 1, 36
    training.loss = lambda logits, y: (logits - nn.functional.one_hot(y, 10)).square().sum(dim=1).mean()


def vanishing_behind_sigmoids(training: Training) -> None:
    training.model = perceptron(10, activation=nn.Sigmoid)


def nan_by_a_logarithm(training: Training) -> None:
    """The loss takes the logarithm of probabilities, which a sharper softmax makes 0 from the middle on."""
    training.model = convolutional(norm=False)
    training.learning_rate = WITHOUT_NORM_RATE

    def sharper(share: float, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        sharpness = 100.0 if share >= 0.5 else 1.0
        training.loss = lambda logits, y: nn.functional.nll_loss((sharpness * logits).softmax(dim=1).log(), y)
        return x, y

    training.on_batch = sharper


def restless_filters(training: Training) -> None:
    """Three filters keep the first rate while all others settle at a tenth and a hundredth of it."""
    weight = training.layer("conv3").weight
    assert isinstance(weight, Tensor)
    chosen = training.chosen(32, 3)

    def keep_the_first_rate(share: float) -> None:
        assert weight.grad is not None
        weight.grad[chosen] /= training.rate(share)

    training.before_step = keep_the_first_rate


def one_layer_too_fast(training: Training) -> None:
    _own_rate(training, "conv2", 100)


def one_layer_too_slow(training: Training) -> None:
    _own_rate(training, "conv2", 1e-4)


def _own_rate(training: Training, layer: str, factor: float) -> None:
    own = {id(parameter) for parameter in training.layer(layer).parameters()}

    def two_groups(t: Training) -> torch.optim.Optimizer:
        others = [p for p in t.model.parameters() if id(p) not in own]
        groups = [{"params": others}, {"params": list(t.layer(layer).parameters()), "lr": t.learning_rate * factor}]
        return torch.optim.SGD(groups, t.learning_rate, momentum=0.9, weight_decay=t.weight_decay)

    training.optimizer = two_groups


FAULTS = (
    Planting(
        "dead-bias",
        "three filters are shut by their bias",
        dead_by_a_bias,
        expects=(Expected("dead-filters", "conv2"),),
    ),
    Planting(
        "dead-decaying",
        "three filters lead nowhere and shrink by weight decay",
        dead_and_decaying,
        expects=(Expected("dead-filters", "conv2"),),
    ),
    Planting(
        "hardly-used",
        "three filters count for a 100,000th, weight decay shrinks them",
        hardly_used,
        expects=(Expected("decaying-filters", "conv2"),),
    ),
    Planting(
        "not-required",
        "a layer does not require gradients",
        not_to_be_learned,
        expects=(Expected("frozen-layer", "conv2"),),
    ),
    Planting(
        "not-optimized",
        "a layer was not handed to the optimizer",
        left_out_of_the_optimizer,
        expects=(Expected("frozen-layer", "conv1"),),
    ),
    Planting(
        "begun-large",
        "a layer begins with 30 times the weights",
        began_too_large,
        expects=(Expected("initialisation", "conv2"),),
        # Behind a norm weights that are 30 times larger get gradients of a 30th, and change by a 900th of themselves.
        also=(Expected("update-ratio-low", "conv2"), Expected("decaying-filters", "conv2")),
    ),
    Planting(
        "begun-small",
        "a layer begins with a 50th of the weights",
        began_too_small,
        expects=(Expected("initialisation", "fc2"),),
        # Until its weights have grown each step changes them by much, and little comes through to the layer before.
        also=(Expected("update-ratio-high", "fc2"), Expected("vanishing-gradients", "fc1"), Expected("loss-spike")),
    ),
    Planting(
        "exploding-layers",
        "twenty layers of hyperbolic tangents, weights five times too large",
        exploding_from_layer_to_layer,
        expects=(Expected("exploding-gradients", "fc1"), Expected("initialisation")),
        # The rate that lets it live is too low for it to learn in 6 epochs.
        also=(
            Expected("update-ratio-low"),
            Expected("underfitting"),
            Expected("not-learning"),
            Expected("class-never-learned"),
            Expected("confused-classes"),
        ),
    ),
    Planting(
        "exploding-steps",
        "squared error, and steps that overshoot by more each time",
        exploding_over_time,
        expects=(Expected("exploding-gradients"),),
        also=(
            Expected("not-finite"),
            Expected("loss-spike"),
            Expected("not-learning"),
            Expected("learning-rate-too-high"),
            Expected("update-ratio-high"),
            Expected("underfitting"),
            Expected("class-never-learned"),
            Expected("many-classes-jump"),
            Expected("class-collapse"),
            Expected("class-forgotten"),
            Expected("confused-classes"),
        ),
    ),
    Planting(
        "vanishing",
        "ten layers of sigmoids",
        vanishing_behind_sigmoids,
        expects=(Expected("vanishing-gradients", "fc1"),),
        also=(
            *(Expected("vanishing-gradients", layer) for layer in ("fc2", "fc3", "fc4", "fc5", "fc6")),
            Expected("not-learning"),
            Expected("underfitting"),
            *(Expected("update-ratio-low", f"fc{number}") for number in range(1, 11)),
            *(Expected("decaying-filters", f"fc{number}") for number in range(1, 11)),
            Expected("class-never-learned"),
            Expected("confused-classes"),
            Expected("many-classes-jump"),
        ),
    ),
    Planting(
        "nan",
        "the logarithm of probabilities that are 0",
        nan_by_a_logarithm,
        expects=(Expected("not-finite"),),
        also=(
            Expected("not-learning"),
            Expected("loss-spike"),
            Expected("many-classes-jump"),
            Expected("class-collapse"),
            Expected("class-forgotten"),
        ),
    ),
    Planting(
        "restless",
        "three filters keep the first rate when it drops",
        restless_filters,
        expects=(Expected("over-active-filters", "conv3"),),
    ),
    Planting(
        "layer-fast",
        "one layer has 100 times the rate of the others",
        one_layer_too_fast,
        expects=(Expected("update-ratio-high", "conv2"),),
        also=(
            Expected("learning-rate-too-high"),
            Expected("loss-spike"),
            Expected("many-classes-jump"),
            Expected("class-collapse"),
            Expected("not-learning"),
            Expected("underfitting"),
            Expected("exploding-gradients"),
            Expected("not-finite"),
            Expected("error-step"),
        ),
    ),
    Planting(
        "layer-slow",
        "one layer has a 10,000th of the rate of the others",
        one_layer_too_slow,
        expects=(Expected("update-ratio-low", "conv2"),),
    ),
)
