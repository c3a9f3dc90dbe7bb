"""Does a data set check itself, and is a split fair and repeatable?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.demo.image_data import ImageData, stratified_split
from deeptracker.errors import DatasetError

Counts = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def make_data(**changes: object) -> ImageData:
    x = np.zeros((4, 8, 6, 3), np.uint8)
    y = np.array([0, 1, 1, 0])
    fields = {"name": "d", "x_train": x, "y_train": y, "x_test": x, "y_test": y, "class_names": ("a", "b")}
    return ImageData(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_data_set_tells_its_classes_channels_and_shorter_side() -> None:
    data = make_data()
    assert (data.classes, data.channels, data.side) == (2, 3, 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((4, 8, 6, 3))}, "x_train must be uint8"),
        ({"x_test": np.zeros((4, 8, 6, 2), np.uint8)}, "x_test must be uint8"),
        ({"y_test": np.zeros(3, np.int64)}, "a label for each image"),
        ({"x_test": np.zeros((4, 9, 6, 3), np.uint8)}, "one size"),
        ({"x_test": np.zeros((0, 8, 6, 3), np.uint8), "y_test": np.zeros(0, np.int64)}, "at least one image"),
        ({"y_train": np.array([0, 1, 2, 2])}, r"0\.\.1 .*y_train\[2\] is 2, and 1 more"),
        ({"y_train": np.array([0, -1, 1, 1])}, r"y_train\[1\] is -1"),
        ({"class_names": ("a",), "y_train": np.zeros(4, np.int64), "y_test": np.zeros(4, np.int64)}, "2 classes"),
    ],
)
def test_a_data_set_that_does_not_fit_together_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        make_data(**changes)


def test_images_of_three_pixels_are_too_small() -> None:
    x = np.zeros((4, 8, 3, 1), np.uint8)
    with pytest.raises(DatasetError, match="at least 4 pixels"):
        make_data(x_train=x, x_test=x)


@given(counts=Counts, share=st.floats(0.05, 0.95), seed=st.integers(0, 5))
def test_a_split_has_every_image_once_and_every_class_in_proportion(counts: list[int], share: float, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    train, held_out = stratified_split(labels, share=share, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(len(labels)))
    for label, count in enumerate(counts):
        held = int((labels[held_out] == label).sum())
        if count == 1:
            assert held == 0
        else:
            assert 1 <= held <= count - 1
            assert abs(held - share * count) <= 1


def test_the_same_seed_splits_alike_and_another_does_not() -> None:
    labels = np.repeat(np.arange(3), 50)
    first, again, other = (stratified_split(labels, share=0.2, seed=seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_share_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share must be between 0 and 1\. Got 1"):
        stratified_split(np.array([0, 1]), share=1)
