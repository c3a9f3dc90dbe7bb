"""Do pictures come back as they were before normalisation?"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deeptracker.record.pictures import KNOWN_NORMALISATIONS, PictureMaker


def originals(channels: int = 3, n: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 9, 7, channels), dtype=np.uint8)


def normalised(pixels: np.ndarray, mean: Any, sd: Any) -> torch.Tensor:
    return torch.from_numpy(((pixels / 255 - np.array(mean)) / np.array(sd)).astype(np.float32)).permute(0, 3, 1, 2)


def decoded(maker: PictureMaker) -> np.ndarray:
    assert maker.error is None
    assert maker.pictures is not None
    return np.stack([np.atleast_3d(np.asarray(Image.open(io.BytesIO(data)))) for data in maker.pictures])


def made_of(images: Any, **kwargs: Any) -> np.ndarray:
    maker = PictureMaker(**kwargs)
    maker.add(images)
    return decoded(maker)


@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_are_kept_in_either_layout(channels: int) -> None:
    pixels = originals(channels)
    assert (made_of(pixels) == pixels).all()
    assert (made_of(torch.from_numpy(pixels).permute(0, 3, 1, 2)) == pixels).all()


@pytest.mark.parametrize("known", KNOWN_NORMALISATIONS, ids=str)
def test_a_normalisation_in_common_use_is_detected(known: Any) -> None:
    pixels = originals(len(known[0]))
    found = made_of(normalised(pixels, *known)).astype(int)
    assert np.abs(found - pixels).max() <= 1  # of two CIFAR-100 variants, 2e-4 apart, either may be taken


def test_values_in_0_to_1_and_0_to_255_are_taken_as_they_are() -> None:
    pixels = originals()
    assert (made_of(normalised(pixels, 0, 1)) == pixels).all()
    assert (made_of(torch.from_numpy(pixels).permute(0, 3, 1, 2).bfloat16()) // 2 == pixels // 2).mean() > 0.9
    assert (made_of(pixels.astype(np.int64)) == pixels).all()


def test_a_stated_normalisation_is_undone() -> None:
    pixels = originals()
    stated = ((0.3, 0.4, 0.6), (0.31, 0.17, 0.23))
    assert (made_of(normalised(pixels, *stated), normalisation=stated) == pixels).all()


def test_the_normalisation_of_the_data_sets_transform_is_undone() -> None:
    class Normalize:
        mean, std = torch.tensor([0.3, 0.4, 0.6]), [0.31, 0.17, 0.23]

    class Compose:
        transforms = (object(), Normalize())

    class Data:
        transform = Compose()

    class Subset:
        dataset = Data()

    class Loader:
        dataset = Subset()

    pixels = originals()
    assert (made_of(normalised(pixels, Normalize.mean.numpy(), Normalize.std), data=Loader()) == pixels).all()


def test_other_values_are_stretched_by_channel() -> None:
    values = torch.randn(6, 3, 9, 7) * torch.tensor([1.0, 50, 1e-3])[:, None, None]
    found = made_of(values)
    assert found.min((0, 1, 2)).tolist() == [0, 0, 0]
    assert found.max((0, 1, 2)).tolist() == [255, 255, 255]
    assert made_of(torch.linspace(0, 16, 64).reshape(1, 1, 8, 8)).max() == 255


@pytest.mark.parametrize(("channels", "shown"), [(2, 1), (4, 3), (13, 3)])
def test_of_other_channels_the_first_are_shown(channels: int, shown: int) -> None:
    assert made_of(torch.rand(2, channels, 5, 5)).shape == (2, 5, 5, shown)


def test_scaling_of_the_first_batch_holds_for_all() -> None:
    maker = PictureMaker()
    maker.add(torch.tensor([0.0, 1000.0]).reshape(1, 1, 1, 2))
    maker.add(torch.tensor([0.0, 500.0]).reshape(1, 1, 1, 2))
    assert decoded(maker).ravel().tolist() == [0, 255, 0, 128]


def test_what_is_no_image_loses_the_pictures_only() -> None:
    maker = PictureMaker()
    maker.add(torch.zeros(4, 20))
    maker.add(torch.zeros(4, 3, 8, 8))
    assert isinstance(maker.error, ValueError)
    assert maker.pictures is None
