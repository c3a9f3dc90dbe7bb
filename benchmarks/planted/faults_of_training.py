"""Which faults of the training as a whole are planted?"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.planted.networks import convolutional, perceptron
from benchmarks.planted.planting import Expected, Planting
from benchmarks.planted.training import Training, constant


def rate_without_warm_up(training: Training) -> None:
    """Twenty times what this network without norms learns well with."""
    training.model = convolutional(norm=False)
    training.learning_rate = 0.2


def rate_for_norms(training: Training) -> None:
    """A rate at which a network with norms still learns, by leaps and bounds."""
    training.learning_rate, training.rate = 3.0, constant


def rate_too_low(training: Training) -> None:
    """A thousandth of the usual rate, which is a tenth of what would do with patience."""
    training.learning_rate /= 1000


def rate_a_tenth(training: Training) -> None:
    """A tenth of the usual rate of a perceptron, in a training that is just long enough for the usual one."""
    training.model = perceptron(1, 32)
    training.learning_rate, training.rate, training.epochs = 0.0005, constant, 6


def too_small(training: Training) -> None:
    training.model = convolutional(1)


def two_pixels(training: Training) -> None:
    """What comes before the network leaves two pixels of each image."""
    for name in ("x", "x_test"):
        images = getattr(training, name)
        small = nn.functional.avg_pool2d(images, (8, 4))
        setattr(training, name, nn.functional.interpolate(small, size=(8, 8)))


def few_images(training: Training) -> None:
    """Sixty images, and time to learn them by heart."""
    _keep(training, training.chosen(len(training.x), 60))
    training.model = perceptron(2, 128)
    training.learning_rate, training.rate, training.epochs = 0.05, constant, 120


def wrong_labels_by_heart(training: Training) -> None:
    """A third of the training labels are random: learned by heart, and no good for other images."""
    chosen = training.chosen(len(training.y), len(training.y) // 3)
    training.y[chosen] = torch.randint(10, (len(chosen),), generator=training.generator)
    training.model = convolutional(24)
    training.weight_decay, training.rate, training.epochs = 0.0, constant, 32


def random_labels(training: Training) -> None:
    training.y = training.y[torch.randperm(len(training.y), generator=training.generator)]


def labels_of_other_images(training: Training) -> None:
    """Images of a batch are shuffled, their labels are not."""
    training.on_batch = lambda share, x, y: (x[torch.randperm(len(x), generator=training.generator)], y)


def one_huge_step(training: Training) -> None:
    """Three batches of noise with labels of one class, and gradients 8 times too large."""
    training.rate = constant
    begins = 0.6
    length = 3 / (training.epochs * (len(training.x) // training.batch_size))

    def garbage(share: float, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if begins <= share < begins + length:
            return 3 * torch.randn(x.shape, generator=training.generator), torch.zeros_like(y)
        return x, y

    def enlarge(share: float) -> None:
        if begins <= share < begins + length:
            for parameter in training.model.parameters():
                assert parameter.grad is not None
                parameter.grad *= 8

    training.on_batch, training.before_step = garbage, enlarge


def noisy_until_late(training: Training) -> None:
    """A rate at which the network cannot settle, until it drops."""
    training.learning_rate = 0.6
    training.weight_decay = 5e-3
    training.rate = lambda share: 0.03 if share >= 0.7 else 1.0


def sorted_by_class(training: Training) -> None:
    """Batches hold one class each, class after class."""

    def one_after_the_other(t: Training, share: float) -> Iterator[Tensor]:
        yield from torch.argsort(t.y, stable=True).split(t.batch_size)

    training.model, training.learning_rate, training.rate = convolutional(norm=False), 0.003, constant
    training.batches, training.batch_size, training.epochs, training.dumps = one_after_the_other, 8, 10, 120


def diverging_leaps(training: Training) -> None:
    """A rate on the edge, without norms: it learns, leaps, and learns again."""
    training.model = convolutional(norm=False)
    training.learning_rate, training.rate = 0.12, constant


def _keep(training: Training, chosen: Tensor) -> None:
    training.x, training.y = training.x[chosen], training.y[chosen]


UNSETTLED = (
    Expected("loss-spike"),
    Expected("update-ratio-high"),
    Expected("many-classes-jump"),
    Expected("class-collapse"),
    Expected("exploding-gradients"),
    Expected("learning-rate-too-high"),
    Expected("error-step"),
    Expected("samples-often-forgotten"),
)
"""What a rate that is too high may bring."""

IGNORANT = (
    Expected("underfitting"),
    Expected("not-learning"),
    Expected("class-never-learned"),
    Expected("class-forgotten"),
    Expected("confused-classes"),
)
"""What is true of a network that has learned little, or trades one class for another."""

FAULTS = (
    Planting(
        "hot-no-warm-up",
        "ten times the rate, no norms, no warm-up",
        rate_without_warm_up,
        expects=(Expected("learning-rate-too-high"), Expected("dead-filters")),
        also=(*UNSETTLED, *IGNORANT),
    ),
    Planting(
        "hot-with-norms",
        "sixty times the rate, with norms",
        rate_for_norms,
        expects=(Expected("learning-rate-too-high"),),
        also=(*UNSETTLED, *IGNORANT),
    ),
    Planting(
        "leaps",
        "a rate on the edge: it learns, leaps and learns again",
        diverging_leaps,
        expects=(Expected("loss-spike"),),
        also=(*UNSETTLED, *IGNORANT),
    ),
    Planting(
        "rate-1000th",
        "a thousandth of the rate",
        rate_too_low,
        expects=(Expected("update-ratio-low"), Expected("not-learning")),
        also=IGNORANT,
    ),
    Planting(
        "rate-10th",
        "a tenth of the rate, and no more time",
        rate_a_tenth,
        expects=(Expected("underfitting"),),
        also=(Expected("update-ratio-low"), *IGNORANT),
    ),
    Planting("undersized", "one channel", too_small, expects=(Expected("underfitting"),), also=IGNORANT),
    Planting(
        "two-pixels", "images are reduced to two pixels", two_pixels, expects=(Expected("underfitting"),), also=IGNORANT
    ),
    Planting("few-images", "sixty images, by heart", few_images, expects=(Expected("overfitting"),)),
    Planting(
        "wrong-by-heart",
        "a third of the training labels are random, by heart",
        wrong_labels_by_heart,
        expects=(Expected("overfitting"),),
        also=(Expected("confused-classes"), Expected("samples-often-forgotten"), Expected("many-classes-jump")),
    ),
    Planting(
        "random-labels",
        "all training labels are shuffled",
        random_labels,
        expects=(Expected("not-learning"),),
        also=(Expected("overfitting"), Expected("many-classes-jump"), Expected("class-collapse"), *IGNORANT),
    ),
    Planting(
        "labels-of-others",
        "images of a batch are shuffled, labels are not",
        labels_of_other_images,
        expects=(Expected("not-learning"),),
        also=(Expected("many-classes-jump"), Expected("class-collapse"), *IGNORANT),
    ),
    Planting(
        "garbage",
        "three batches of noise, and steps 8 times too large",
        one_huge_step,
        expects=(Expected("loss-spike"), Expected("many-classes-jump")),
        # It has not recovered when the training ends.
        also=(
            Expected("class-collapse"),
            Expected("class-forgotten"),
            Expected("exploding-gradients"),
            Expected("learning-rate-too-high"),
            *IGNORANT,
        ),
    ),
    Planting(
        "late-drop",
        "a rate at which nothing settles until it drops late",
        noisy_until_late,
        expects=(Expected("error-step"),),
        # What the rate has killed is shrunk by ten times the usual weight decay.
        also=(*UNSETTLED, Expected("decaying-filters")),
    ),
    Planting(
        "unshuffled",
        "batches of one class, class after class",
        sorted_by_class,
        expects=(Expected("classes-take-turns"),),
        also=(Expected("class-forgotten"), *UNSETTLED, *IGNORANT),
    ),
)
