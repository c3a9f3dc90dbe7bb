"""Are images normalised by their own statistics, and moved and mirrored as a plain loop would?"""

from __future__ import annotations

import numpy as np
import torch

from deeptracker.demo import batches
from deeptracker.demo.batches import Normalisation, augment, channels_first

IMAGES = np.random.default_rng(0).integers(0, 200, (9000, 4, 5, 3), dtype=np.uint8) + np.uint8([0, 20, 50])


def test_normalised_images_have_mean_0_and_deviation_1_in_every_channel() -> None:
    normalised = Normalisation.of(IMAGES).apply(channels_first(IMAGES))
    assert normalised.shape == (9000, 3, 4, 5)
    assert normalised.dtype == torch.float32
    torch.testing.assert_close(normalised.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalised.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)


def test_the_statistics_are_numpys() -> None:
    normalisation = Normalisation.of(IMAGES)
    np.testing.assert_allclose(normalisation.mean, IMAGES.mean(axis=(0, 1, 2)) / 255, rtol=1e-12)
    np.testing.assert_allclose(normalisation.sd, IMAGES.std(axis=(0, 1, 2)) / 255, rtol=1e-12)


def test_a_channel_that_never_changes_stays_finite() -> None:
    images = np.full((3, 4, 4, 1), 51, np.uint8)
    normalisation = Normalisation.of(images)
    assert normalisation.sd == (1.0,)
    torch.testing.assert_close(normalisation.apply(channels_first(images)), torch.zeros(3, 1, 4, 4))


def test_augmented_images_are_crops_of_the_padded_ones_or_their_mirrors() -> None:
    x = torch.rand(64, 3, 7, 9)
    moved = augment(x, torch.Generator().manual_seed(0))
    shift = batches.LARGEST_SHIFT_PIXELS
    padded = torch.zeros(64, 3, 7 + 2 * shift, 9 + 2 * shift)
    padded[:, :, shift:-shift, shift:-shift] = x
    seen = set()
    for image, got in zip(padded, moved, strict=True):
        matches = [
            (top, left, mirrored)
            for top in range(2 * shift + 1)
            for left in range(2 * shift + 1)
            for mirrored in (False, True)
            if torch.equal(got.flip(2) if mirrored else got, image[:, top : top + 7, left : left + 9])
        ]
        assert matches
        seen.update(matches)
    assert {mirrored for _, _, mirrored in seen} == {False, True}
    assert len({top for top, _, _ in seen}) == len({left for _, left, _ in seen}) == 2 * shift + 1


def test_augmentation_follows_its_generator_alone() -> None:
    x = torch.rand(8, 1, 6, 6)
    state = torch.get_rng_state()
    first, again = (augment(x, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)
