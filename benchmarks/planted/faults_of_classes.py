"""Which faults of classes and samples are planted?"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.planted.planting import Expected, Planting
from benchmarks.planted.training import Training, constant, shuffled

FIRST, SECOND = 3, 8
"""Two classes that are not alike in the digits, and one that is missing or dropped (FIRST)."""


def flipped_labels(training: Training) -> None:
    """Of two classes 5 % of the labels are exchanged, among training and validation images alike."""
    for labels in (training.y, training.y_test):
        before = labels.clone()
        for one, other in ((FIRST, SECOND), (SECOND, FIRST)):
            of_class = torch.nonzero(before == one).flatten()
            labels[of_class[training.chosen(len(of_class), max(2, round(0.05 * len(of_class))))]] = other


def flipped_anywhere(training: Training) -> None:
    """5 % of all labels are random others, among training and validation images alike."""
    for labels in (training.y, training.y_test):
        chosen = training.chosen(len(labels), round(0.05 * len(labels)))
        labels[chosen] = (labels[chosen] + torch.randint(1, 10, (len(chosen),), generator=training.generator)) % 10


def swapped_names(training: Training) -> None:
    """Training data call two classes by each other's names."""
    was_first, was_second = training.y == FIRST, training.y == SECOND
    training.y[was_first], training.y[was_second] = SECOND, FIRST


def missing_class(training: Training) -> None:
    kept = training.y != FIRST
    training.x, training.y = training.x[kept], training.y[kept]


def dropped_class(training: Training) -> None:
    """From a third on the images of one class are not trained on any more; weight decay takes what held it."""
    training.rate, training.learning_rate, training.weight_decay = constant, 0.1, 5e-3

    def without(t: Training, share: float) -> Iterator[Tensor]:
        for chosen in shuffled(t, share):
            yield chosen[t.y[chosen] != FIRST] if share >= 0.33 else chosen

    training.batches = without


def collapsing_class(training: Training) -> None:
    """For an epoch and a half the labels of one class are those of another."""
    training.rate, training.dumps = constant, 60

    def mistaken(share: float, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x, torch.where(y == FIRST, SECOND, y) if 0.6 <= share < 0.7 else y

    training.on_batch = mistaken


def identical_classes(training: Training) -> None:
    """The images of one class are taken from another: nobody can tell them apart."""
    for x, y in ((training.x, training.y), (training.x_test, training.y_test)):
        first, second = torch.nonzero(y == FIRST).flatten(), torch.nonzero(y == SECOND).flatten()
        x[first] = x[second[torch.arange(len(first)) % len(second)]]


def damaged_samples(training: Training) -> None:
    """A few validation images are noise."""
    chosen = training.chosen(len(training.x_test), 12)
    noise = torch.rand(training.x_test[chosen].shape, generator=training.generator)
    training.x_test[chosen] = 2 * noise - 1


def obvious_class(training: Training) -> None:
    """All images of one class carry a frame that no other has."""
    for x, y in ((training.x, training.y), (training.x_test, training.y_test)):
        framed = torch.nonzero(y == FIRST).flatten()
        x[framed, :, 0], x[framed, :, -1] = 3.0, 3.0


FAULTS = (
    Planting(
        "flipped-two",
        "5 % of the labels of two classes are exchanged",
        flipped_labels,
        expects=(Expected("mislabelled-samples"),),
        also=(Expected("samples-often-forgotten"),),
    ),
    Planting(
        "flipped-any",
        "5 % of all labels are random others",
        flipped_anywhere,
        expects=(Expected("mislabelled-samples"),),
        also=(Expected("samples-always-wrong"), Expected("samples-often-forgotten"), Expected("overfitting")),
    ),
    Planting(
        "swapped",
        "training data call two classes by each other's names",
        swapped_names,
        expects=(Expected("swapped-classes", classes=(FIRST, SECOND)),),
        also=(
            Expected("class-never-learned", classes=(FIRST,)),
            Expected("class-never-learned", classes=(SECOND,)),
            Expected("confused-classes", classes=(FIRST, SECOND)),
            Expected("overfitting"),  # a fifth of the validation images is wrong and the training images are not
        ),
    ),
    Planting(
        "missing",
        "a class has no training images",
        missing_class,
        expects=(Expected("class-never-learned", classes=(FIRST,)),),
        # Nothing is learned by the output of that class: weight decay is all that moves it.
        also=(Expected("confused-classes"), Expected("decaying-filters", "fc")),
    ),
    Planting(
        "dropped",
        "a class is left out of training from a third on",
        dropped_class,
        expects=(Expected("class-forgotten", classes=(FIRST,)),),
        also=(Expected("class-collapse", classes=(FIRST,)), Expected("confused-classes")),
    ),
    Planting(
        "collapsing",
        "for an epoch and a half the labels of one class are another's",
        collapsing_class,
        expects=(Expected("class-collapse", classes=(FIRST,)),),
        also=(Expected("loss-spike"), Expected("samples-often-forgotten")),
    ),
    Planting(
        "identical",
        "two classes have the same images",
        identical_classes,
        expects=(Expected("confused-classes", classes=(FIRST, SECOND)),),
        also=(
            # Each image is taken for now the one, now the other, and half of a fifth of all images stays wrong.
            Expected("samples-often-forgotten"),
            Expected("class-never-learned", classes=(FIRST,)),
            Expected("class-never-learned", classes=(SECOND,)),
            Expected("class-collapse", classes=(FIRST,)),
            Expected("class-collapse", classes=(SECOND,)),
            Expected("underfitting"),
            Expected("error-step"),
        ),
    ),
    Planting(
        "damaged",
        "twelve validation images are noise",
        damaged_samples,
        expects=(Expected("samples-always-wrong"),),
        also=(Expected("mislabelled-samples"),),
    ),
    Planting(
        "obvious",
        "one class carries a frame that no other has",
        obvious_class,
        expects=(Expected("class-easy-early"),),
    ),
)
