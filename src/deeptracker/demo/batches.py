"""How do stored images become what the network is trained on?

1. `Normalisation` takes uint8 images to floats: into 0..1, less the mean of the training images, by their standard
   deviation, channel by channel.
2. `augment` moves each image of a batch by up to 4 pixels, zeros coming in at the edge, and mirrors every second one:
   the usual augmentation for CIFAR (He et al. 2016, 4.2). On the whole batch at once, as one gather.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from deeptracker.demo.image_data import Images

LARGEST_SHIFT_PIXELS = 4

_IMAGES_COUNTED_AT_ONCE = 4096  # bincount makes int64 of its argument: all of CIFAR at once is a gigabyte


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation of each channel, on the scale 0..1."""

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    @classmethod
    def of(cls, images: Images) -> Normalisation:
        """Those of images uint8 (n, h, w, channels); a channel that never changes is given the deviation 1."""
        values = np.arange(256) / 255
        mean: list[float] = []
        sd: list[float] = []
        for channel in range(images.shape[3]):
            counts = np.zeros(256)
            for first in range(0, len(images), _IMAGES_COUNTED_AT_ONCE):
                part = images[first : first + _IMAGES_COUNTED_AT_ONCE, :, :, channel]
                counts += np.bincount(part.ravel(), minlength=256)
            share = counts / counts.sum()
            mean.append(float(share @ values))
            sd.append(float(np.sqrt(share @ (values - mean[-1]) ** 2)) or 1.0)
        return cls(tuple(mean), tuple(sd))

    def apply(self, images: Tensor) -> Tensor:
        """uint8 (n, channels, h, w) -> float32, the same shape."""
        mean, sd = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (self.mean, self.sd))
        return (images.float() / 255 - mean) / sd


def channels_first(images: Images) -> Tensor:
    """uint8 (n, h, w, channels) -> a tensor uint8 (n, channels, h, w) of its own."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images float (n, channels, h, w), moved and mirrored at random; the same shape."""
    n, channels, height, width = images.shape
    shift = LARGEST_SHIFT_PIXELS
    padded = functional.pad(images, (shift, shift, shift, shift))
    top, left = torch.randint(0, 2 * shift + 1, (2, n, 1), generator=generator)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.arange(width).expand(n, width)
    rows = top + torch.arange(height)
    columns = left + torch.where(mirrored, columns.flip(1), columns)
    image = torch.arange(n).reshape(n, 1, 1, 1)
    channel = torch.arange(channels).reshape(1, channels, 1, 1)
    return padded[image, channel, rows.reshape(n, 1, height, 1), columns.reshape(n, 1, 1, width)]
