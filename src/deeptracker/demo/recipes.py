"""Which network is a data set trained on, how long, how fast and in which stages?

1. Two drops of the learning rate, at a half and at three quarters of the training, make the three stages that the
   paper reads its examples by.
2. A few thousand small images (the digits) get a high learning rate with strong weight decay. They would be learned
   in two seconds and nothing would be seen; so the first stage stays restless, with classes lost and won again, and
   the drops settle it.
3. More than that gets the usual recipe for CIFAR (He et al. 2016, 4.2), with as many epochs as take about ten
   minutes on two cores.

No torch here, so that the command line can name the networks quickly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deeptracker.demo.image_data import ImageData

MODEL_NAMES = ("resnet8", "resnet14", "resnet20", "resnet", "convnet", "vgg", "inception", "densenet", "mobilenet")
"""What demo/models knows how to make."""
DEFAULT_MODEL = "resnet8"

DUMPS = 150
DUMPS_OF_A_SMALL_SET = 228
SMALL_SET_IMAGES = 5_000
AUGMENTED_FROM_PIXELS = 24
IMAGES_IN_TEN_MINUTES = 450_000  # resnet8, 32x32 colour, with 150 validations of a third as many images
FEWEST_EPOCHS, MOST_EPOCHS = 3, 60
LARGEST_LEARNING_RATE = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What training does; `drops` are shares of the training, `drop_factor` what each leaves of the learning rate."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    drop_factor: float
    dumps: int = DUMPS
    drops: tuple[float, float] = (0.5, 0.75)
    momentum: float = 0.9
    augmented: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "dumps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1. Got {getattr(self, name)}.")
        check_learning_rate(self.learning_rate)

    def learning_rate_at(self, iteration: int, iterations: int) -> float:
        """The learning rate of one of `iterations`, counted from 0.

        >>> recipe = Recipe(epochs=1, batch_size=1, learning_rate=1.0, weight_decay=0.0, drop_factor=0.1)
        >>> [recipe.learning_rate_at(i, 4) for i in range(4)]
        [1.0, 1.0, 0.1, 0.01]
        """
        drops_before = sum(iteration >= share * iterations for share in self.drops)
        return float(f"{self.learning_rate * self.drop_factor**drops_before:.12g}")


def recipe_for(
    data: ImageData, *, epochs: int | None = None, dumps: int | None = None, learning_rate: float | None = None
) -> Recipe:
    """The recipe for a data set; what is given overrides its own, `learning_rate` the first one, before the drops.

    ValueError if `epochs` or `dumps` is below 1, or the learning rate is not a finite number above 0.
    """
    given: dict[str, Any] = {"epochs": epochs, "dumps": dumps, "learning_rate": learning_rate}
    return replace(_recipe_by_size(data), **{name: value for name, value in given.items() if value is not None})


def check_learning_rate(rate: float) -> None:
    """ValueError unless it is above 0 and finite in float32 as well: torch multiplies in that."""
    if not 0 < rate <= LARGEST_LEARNING_RATE:
        raise ValueError(f"learning rate must be > 0 and finite, at most {LARGEST_LEARNING_RATE:.2g}. Got {rate}.")


def _recipe_by_size(data: ImageData) -> Recipe:
    images = len(data.x_train)
    augmented = data.channels == 3 and data.side >= AUGMENTED_FROM_PIXELS
    if images <= SMALL_SET_IMAGES:
        return Recipe(
            epochs=60,
            batch_size=32,
            learning_rate=0.5,
            weight_decay=2e-3,
            drop_factor=0.3,
            dumps=DUMPS_OF_A_SMALL_SET,
            augmented=augmented,
        )
    epochs = min(max(IMAGES_IN_TEN_MINUTES // images, FEWEST_EPOCHS), MOST_EPOCHS)
    return Recipe(
        epochs=epochs, batch_size=128, learning_rate=0.1, weight_decay=5e-4, drop_factor=0.1, augmented=augmented
    )
