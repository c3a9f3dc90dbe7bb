"""What did a validation image look like before it was normalised for the model?

Thumbnails are made from the first evaluation's images, which are often floats with mean 0. Back to bytes:

1. bytes are pictures already; else the normalisation that the user states, or that a `Normalize(mean, std)` among the
   data set's transforms states, is undone;
2. else it is found on the first batch: values in 0..1 or 0..255; or one of the normalisations in common use, the one
   that puts (nearly) all values back on whole numbers in 0..255; or else each channel is stretched to the full range.
3. Of other than 1 or 3 channels the first (of two) or the first three are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.store.samples import encode_picture

Normalisation = tuple[Any, Any]

KNOWN_NORMALISATIONS: tuple[Normalisation, ...] = (
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # ImageNet
    ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),  # CIFAR-10
    ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),  # CIFAR-10, mean of the images' deviations
    ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),  # CIFAR-100
    ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    ((0.5,), (0.5,)),
    ((0.1307,), (0.3081,)),  # MNIST
)
_TESTED_IMAGES = 64
_SMALLEST_BYTE_RANGE = 32  # below it, values such as the 0..16 of scikit-learn's digits are stretched
_WHOLE = 0.05  # mean distance to the next whole number; 0.25 where a normalisation is not the right one
_DEEPEST = 6


class PictureMaker:
    """Encodes the images of one evaluation, batch by batch. An error loses the pictures, nothing else."""

    def __init__(self, normalisation: Normalisation | None = None, data: object = None) -> None:
        self.error: Exception | None = None
        self._normalisation = normalisation or _stated_by(data)
        self.scaling: Scaling | None = None
        self._pictures: list[bytes] = []

    def look(self, images: Any) -> Scaling | None:
        """Find the scaling on these images, as on the first batch, and encode none of them."""
        try:
            self._pixels(images)
        except Exception as error:
            self.error = error
        return self.scaling

    def add(self, images: Any) -> None:
        """Encode a batch."""
        if self.error is not None:
            return
        try:
            self._pictures += [encode_picture(pixels) for pixels in self._pixels(images)]
        except Exception as error:
            self.error = error

    @property
    def pictures(self) -> list[bytes] | None:
        """One a sample, encoded; None if they could not be made."""
        return None if self.error else self._pictures

    def _pixels(self, images: Any) -> npt.NDArray[np.uint8]:
        """uint8 (n, height, width, 1 or 3)."""
        batch = _channels_last(images)
        if batch.dtype != np.uint8:
            values = np.nan_to_num(batch.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
            if self.scaling is None:
                self.scaling = Scaling.undoing(self._normalisation) if self._normalisation else _detected(values)
            batch = self.scaling.to_bytes(values)
        channels = batch.shape[3]
        return batch if channels in (1, 3) else batch[..., : 1 if channels == 2 else 3]


@dataclass(frozen=True, slots=True)
class Scaling:
    """byte = value x gain + offset, each a number or one a channel."""

    gain: npt.NDArray[np.float32]
    offset: npt.NDArray[np.float32]

    @classmethod
    def undoing(cls, normalisation: Normalisation) -> Scaling:
        mean, sd = (np.asarray(part, np.float32).reshape(-1) for part in normalisation)
        return cls(sd * 255, mean * 255)

    def apply(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return values * self.gain + self.offset

    def to_bytes(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        return np.rint(self.apply(values)).clip(0, 255).astype(np.uint8)


def _detected(values: npt.NDArray[np.float32]) -> Scaling:
    tested = values[:_TESTED_IMAGES]
    low, high = tested.min(), tested.max()
    if low >= 0 and high <= 1:
        return Scaling.undoing((0, 1))
    if low >= 0 and _SMALLEST_BYTE_RANGE < high <= 255:
        return Scaling.undoing((0, 1 / 255))
    fitting = [Scaling.undoing(known) for known in KNOWN_NORMALISATIONS if len(known[0]) in (1, tested.shape[3])]
    distances = [_distance_from_bytes(scaling.apply(tested)) for scaling in fitting]
    if min(distances) < _WHOLE:
        return fitting[int(np.argmin(distances))]
    least, most = tested.min((0, 1, 2)), tested.max((0, 1, 2))
    gain = 255 / np.maximum(most - least, 1e-12)
    return Scaling(gain, -least * gain)


def _distance_from_bytes(values: npt.NDArray[np.float32]) -> float:
    if values.min() < -0.5 or values.max() > 255.5:
        return np.inf
    return float(np.abs(values - np.rint(values)).mean())


def has_channels_last(shape: tuple[int, ...]) -> bool:
    """Is a batch of this shape one of pictures with their channels last?"""
    return len(shape) == 4 and shape[3] in (1, 3) and shape[1] not in (1, 3)


def _channels_last(images: Any) -> npt.NDArray[Any]:
    if hasattr(images, "detach"):  # a tensor of torch
        images = images.detach().cpu()
        images = (images.float() if images.is_floating_point() else images).numpy()
    batch = np.asarray(images)
    if batch.ndim != 4:
        raise ValueError(f"a batch of images must have 4 dimensions. Got shape {batch.shape}.")
    return batch if has_channels_last(batch.shape) else np.moveaxis(batch, 1, -1)


def _stated_by(data: object) -> Normalisation | None:
    """The last Normalize among the transforms of a loader's data set, by its `mean` and `std`."""
    found = list(_normalisations(data, _DEEPEST))
    return found[-1] if found else None


def _normalisations(owner: Any, depth: int) -> Iterator[Normalisation]:
    if owner is None or depth == 0:
        return
    mean, sd = getattr(owner, "mean", None), getattr(owner, "std", None)
    if mean is not None and sd is not None and not callable(mean) and not callable(sd):
        yield mean, sd
    for name in ("dataset", "transform", "transforms"):
        inner = getattr(owner, name, None)
        for item in inner if isinstance(inner, (list, tuple)) else (inner,):
            yield from _normalisations(item, depth - 1)
