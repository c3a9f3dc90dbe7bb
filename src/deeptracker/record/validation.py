"""What may be validated on, and how do its batches reach the model?

1. A loader of `(image, label)` batches that can be gone through again and again in the same order; a pair of arrays or
   tensors `(x, y)`; or a data set with a length, which gets a loader.
2. What can be seen at once to have no fixed order is refused: a shuffling sampler, an iterator that ends once.
3. Images become tensors on the model's device: bytes are divided by 255, numpy pictures with channels last are turned
   round, and floating numbers get the model's dtype; with `preprocess` only the last of these is done, after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from deeptracker.record.pictures import has_channels_last

_SHUFFLING = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


class Arrays:
    """`(x, y)` arrays or tensors, in batches."""

    def __init__(self, images: Any, labels: Any, batch_size: int) -> None:
        if len(images) != len(labels):
            raise ValueError(
                f"validation=(x, y) must have a label for each image. Got {len(images)} images, {len(labels)} labels."
            )
        self._images, self._labels, self._batch_size = images, labels, batch_size

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for first in range(0, len(self._images), self._batch_size):
            part = slice(first, first + self._batch_size)
            yield self._images[part], self._labels[part]


def as_batches(validation: Any, *, batch_size: int) -> Iterable[Any]:
    """Something to go through repeatedly for `(images, labels, ...)` batches; ValueError or TypeError if it cannot."""
    if isinstance(validation, (tuple, list)) and len(validation) == 2 and all(hasattr(x, "shape") for x in validation):
        return Arrays(validation[0], validation[1], batch_size)
    if isinstance(validation, Dataset) and not isinstance(validation, IterableDataset):
        return DataLoader(validation, batch_size=batch_size, shuffle=False)
    if not isinstance(validation, Iterable):
        raise TypeError(
            f"validation must be a loader of (image, label) batches, arrays (x, y) or a data set. "
            f"Got a {type(validation).__name__}."
        )
    if isinstance(validation, Iterator):
        raise ValueError(
            f"validation must give its batches again and again. Got a {type(validation).__name__}, which ends after "
            "one pass. Give the loader itself, or a list of batches."
        )
    sampler = _sampler(validation)
    if isinstance(sampler, _SHUFFLING) or getattr(sampler, "shuffle", False) is True:
        raise ValueError(
            f"validation must come in the same order each time, so that every image can be followed. Got a loader "
            f"with a {type(sampler).__name__}. Give a DataLoader with shuffle=False."
        )
    return validation


def split_batch(batch: Any) -> tuple[Any, Any]:
    """Images and labels of a batch; what else it has is ignored."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise TypeError(
            f"a validation batch must be (images, labels). Got a {type(batch).__name__}. "
            "Wrap the loader, or hand in your own evaluation: recorder.predictions(ids, labels, probabilities)"
        )
    return batch[0], batch[1]


def as_labels(labels: Any) -> torch.Tensor:
    """int64 (n,) from class numbers or one-hot rows."""
    values = torch.as_tensor(np.asarray(labels) if isinstance(labels, (list, tuple)) else labels)
    if values.ndim == 2:
        values = values[:, 0] if values.shape[1] == 1 else values.argmax(1)
    if values.ndim != 1:
        raise ValueError(f"labels must be class numbers (n,) or one-hot (n, classes). Got shape {tuple(values.shape)}.")
    return values.to(torch.int64)


class Inputs:
    """Turns images as the loader gives them into what the model takes."""

    def __init__(self, model: nn.Module, preprocess: Callable[[Any], Any] | None) -> None:
        self._model, self._preprocess = model, preprocess

    def __call__(self, images: Any) -> Any:
        device, dtype = _device_and_dtype(self._model)
        tensor = self._tensor(images)
        if isinstance(tensor, torch.Tensor):
            tensor = tensor.to(device, non_blocking=True)
        if self._preprocess is not None:
            tensor = self._preprocess(tensor)
        elif isinstance(tensor, torch.Tensor) and tensor.dtype == torch.uint8:
            tensor = tensor.to(dtype) / 255
        if isinstance(tensor, torch.Tensor):
            return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
        return tensor

    def _tensor(self, images: Any) -> Any:
        if not isinstance(images, np.ndarray):
            return images
        if self._preprocess is None and images.dtype == np.uint8 and has_channels_last(images.shape):
            images = np.moveaxis(images, -1, 1)
        return torch.from_numpy(np.require(images, requirements=["C", "W"]))


def _sampler(loader: Any) -> Any:
    """What decides the order of a loader: that of its batch sampler where it has one."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    return getattr(batch_sampler, "sampler", None) or getattr(loader, "sampler", None)


def _device_and_dtype(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    floating = [parameter for parameter in model.parameters() if parameter.is_floating_point()]
    return floating[0].device, floating[0].dtype
