"""What is a data set to the demo, and which of its images are held out?

1. `ImageData` is two stacks of images of one size, for training and for validation, with labels and class names.
   It checks itself when made, so whatever reads a file need not.
2. A source without a validation set of its own is divided class by class (`stratified_split`): the same images
   every time, and both parts have every class in the same proportion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deeptracker.errors import DatasetError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

SMALLEST_SIDE = 4


@dataclass(frozen=True, slots=True, eq=False)
class ImageData:
    """Images uint8 (n, height, width, 1 or 3), labels int64 (n,) in 0..classes-1; `test` is the validation set.

    Raises DatasetError where that does not hold.
    """

    name: str
    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for part, x, y in (("train", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            self._check_part(part, x, y)
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DatasetError(
                f"{self.name}: x_train and x_test must hold images of one size. "
                f"Got {_size(self.x_train)} and {_size(self.x_test)}."
            )
        if self.classes < 2:
            raise DatasetError(f"{self.name} must have at least 2 classes. Got {self.classes}.")

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return int(self.x_train.shape[3])

    @property
    def side(self) -> int:
        """The shorter side of an image, in pixels."""
        return int(min(self.x_train.shape[1:3]))

    def _check_part(self, part: str, x: Images, y: Labels) -> None:
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[3] not in (1, 3):
            raise DatasetError(
                f"{self.name}: x_{part} must be uint8 (images, height, width, 1 or 3). Got {x.dtype} {x.shape}."
            )
        if y.dtype != np.int64 or y.shape != x.shape[:1]:
            raise DatasetError(
                f"{self.name}: y_{part} must be int64 ({len(x)},), a label for each image. Got {y.dtype} {y.shape}."
            )
        if not len(x):
            raise DatasetError(f"{self.name}: x_{part} must hold at least one image. It is empty.")
        if min(x.shape[1:3]) < SMALLEST_SIDE:
            raise DatasetError(f"{self.name}: images must be at least {SMALLEST_SIDE} pixels a side. Got {_size(x)}.")
        outside = np.flatnonzero((y < 0) | (y >= self.classes))
        if len(outside):
            raise DatasetError(
                f"{self.name}: labels in y_{part} must be in 0..{self.classes - 1} ({self.classes} classes). "
                f"y_{part}[{outside[0]}] is {y[outside[0]]}, and {len(outside) - 1} more are outside. "
                "Number the classes from 0, or name the missing ones in class_names."
            )


def stratified_split(labels: Labels, *, share: float, seed: int = 0) -> tuple[Labels, Labels]:
    """Positions int64 of the images to train on and of those held out: `share` of every class, at least one.

    A class of a single image is trained on only. The same labels and seed give the same split.

    >>> train, held_out = stratified_split(np.array([0, 0, 0, 0, 1, 1, 1, 1]), share=0.25)
    >>> len(train), len(held_out)
    (6, 2)
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1. Got {share}.")
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held_out[members[:count]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _size(x: Images) -> str:
    return "x".join(str(length) for length in x.shape[1:])
