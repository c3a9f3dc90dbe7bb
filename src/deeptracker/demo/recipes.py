"""How long, how fast and in which stages is a data set trained?

1. Two drops of the learning rate, at a half and at three quarters of the training, make the three stages that the
   paper reads its examples by.
2. A few thousand small images (the digits) get a high learning rate with strong weight decay. They would be learned
   in two seconds and nothing would be seen; so the first stage stays restless, with classes lost and won again, and
   the drops settle it.
3. More than that gets the usual recipe for CIFAR (He et al. 2016, 4.2), with as many epochs as take about ten
   minutes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass

from deeptracker.demo.image_data import ImageData

DUMPS = 150
SMALL_SET_IMAGES = 5_000
AUGMENTED_FROM_PIXELS = 24
IMAGES_IN_TEN_MINUTES = 900_000
FEWEST_EPOCHS, MOST_EPOCHS = 3, 60


@dataclass(frozen=True, slots=True)
class Recipe:
    """What training does; `drops` are shares of the training, `drop_factor` what each leaves of the learning rate."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    drop_factor: float
    drops: tuple[float, float] = (0.5, 0.75)
    momentum: float = 0.9
    augmented: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be >= 1. Got {self.epochs} and {self.batch_size}.")

    def learning_rate_at(self, iteration: int, iterations: int) -> float:
        """The learning rate of one of `iterations`, counted from 0.

        >>> recipe = Recipe(epochs=1, batch_size=1, learning_rate=1.0, weight_decay=0.0, drop_factor=0.1)
        >>> [recipe.learning_rate_at(i, 4) for i in range(4)]
        [1.0, 1.0, 0.1, 0.01]
        """
        drops_before = sum(iteration >= share * iterations for share in self.drops)
        return round(self.learning_rate * self.drop_factor**drops_before, 12)


def recipe_for(data: ImageData, *, epochs: int | None = None) -> Recipe:
    """The recipe for a data set; `epochs` overrides its length."""
    images = len(data.x_train)
    augmented = data.channels == 3 and data.side >= AUGMENTED_FROM_PIXELS
    if images <= SMALL_SET_IMAGES:
        return Recipe(
            epochs=40 if epochs is None else epochs,
            batch_size=32,
            learning_rate=0.5,
            weight_decay=2e-3,
            drop_factor=0.3,
            augmented=augmented,
        )
    if epochs is None:
        epochs = min(max(IMAGES_IN_TEN_MINUTES // images, FEWEST_EPOCHS), MOST_EPOCHS)
    return Recipe(
        epochs=epochs, batch_size=128, learning_rate=0.1, weight_decay=5e-4, drop_factor=0.1, augmented=augmented
    )
