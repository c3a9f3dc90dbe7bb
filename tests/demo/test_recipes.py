"""Does each data set get a recipe of three stages that fits its size?"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from deeptracker.demo.datasets import load_dataset
from deeptracker.demo.image_data import ImageData
from deeptracker.demo.recipes import FEWEST_EPOCHS, Recipe, recipe_for


def data_of(images: int, *, side: int = 32, channels: int = 3) -> ImageData:
    x = np.broadcast_to(np.uint8(0), (images, side, side, channels))
    y = np.arange(images, dtype=np.int64) % 2
    return ImageData("d", x, y, x, y, ("a", "b"))


@pytest.mark.parametrize("images", [1_000, 20_000])
def test_the_learning_rate_drops_twice_at_a_half_and_three_quarters(images: int) -> None:
    recipe = recipe_for(data_of(images))
    rates = np.array([recipe.learning_rate_at(iteration, 1000) for iteration in range(1000)])
    np.testing.assert_array_equal(np.flatnonzero(np.diff(rates)) + 1, [500, 750])
    assert (np.diff(rates) <= 0).all()


def test_digits_have_enough_iterations_for_their_dumps() -> None:
    data = load_dataset("digits")
    recipe = recipe_for(data)
    assert recipe.epochs * len(data.x_train) // recipe.batch_size >= recipe.dumps >= 150
    assert not recipe.augmented


def test_only_colour_images_of_some_size_are_augmented() -> None:
    assert recipe_for(data_of(100)).augmented
    assert not recipe_for(data_of(100, channels=1)).augmented
    assert not recipe_for(data_of(100, side=16)).augmented


def test_more_images_are_seen_less_often_and_all_at_least_three_times() -> None:
    assert recipe_for(data_of(10_000)).epochs > recipe_for(data_of(50_000)).epochs
    assert recipe_for(data_of(2_000_000)).epochs == FEWEST_EPOCHS


def test_what_the_caller_says_wins() -> None:
    for images in (100, 20_000):
        recipe = recipe_for(data_of(images), epochs=2, dumps=7)
        assert (recipe.epochs, recipe.dumps) == (2, 7)


def test_numbers_below_1_are_refused() -> None:
    with pytest.raises(ValueError, match=r"epochs must be >= 1\. Got 0"):
        recipe_for(data_of(100), epochs=0)
    with pytest.raises(ValueError, match=r"dumps must be >= 1\. Got 0"):
        recipe_for(data_of(100), dumps=0)
    with pytest.raises(ValueError, match="batch_size must be"):
        Recipe(epochs=1, batch_size=0, learning_rate=1.0, weight_decay=0.0, drop_factor=0.1)


@pytest.mark.parametrize("rate", [0.02, 8.0, 1e-13])
def test_a_given_learning_rate_is_the_first_and_drops_as_the_recipes_own(rate: float) -> None:
    own, given = recipe_for(data_of(100)), recipe_for(data_of(100), learning_rate=rate)
    assert given == replace(own, learning_rate=rate)
    assert given.learning_rate_at(0, 100) == rate
    for iteration in (50, 75, 99):
        relative = given.learning_rate_at(iteration, 100) / rate
        assert relative == pytest.approx(own.learning_rate_at(iteration, 100) / own.learning_rate)


@pytest.mark.parametrize("rate", [0.0, -0.1, math.nan, math.inf, 1e39])
def test_a_learning_rate_that_cannot_be_one_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"learning rate must be > 0 and finite.* Got {re.escape(str(rate))}\."):
        recipe_for(data_of(100), learning_rate=rate)
