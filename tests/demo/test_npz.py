"""Is an .npz read in every layout we promise, and what is wrong with one said plainly?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deeptracker.demo.datasets import load_dataset
from deeptracker.errors import DatasetError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 10, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)


def save(folder: Path, **changes: Any) -> Path:
    """An .npz of six images in three classes; a change of None leaves an array out."""
    arrays = {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS[:3], "y_test": LABELS[:3], **changes}
    path = folder / "small.npz"
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path


def test_channels_last_and_names_are_read_as_they_are(tmp_path: Path) -> None:
    data = load_dataset(save(tmp_path, class_names=np.array(["ape", "bee", "cat"])))
    np.testing.assert_array_equal(data.x_train, PIXELS)
    np.testing.assert_array_equal(data.y_test, [0, 1, 2])
    assert data.y_train.dtype == np.int64
    assert (data.name, data.class_names) == ("small", ("ape", "bee", "cat"))


def test_without_names_the_classes_are_numbered(tmp_path: Path) -> None:
    assert load_dataset(save(tmp_path)).class_names == ("0", "1", "2")


def test_names_may_be_bytes(tmp_path: Path) -> None:
    assert load_dataset(save(tmp_path, class_names=np.array([b"a", b"b", b"c"]))).class_names == ("a", "b", "c")


def test_channels_first_are_moved_last(tmp_path: Path) -> None:
    first = PIXELS.transpose(0, 3, 1, 2)
    data = load_dataset(save(tmp_path, x_train=first, x_test=first[:3]))
    np.testing.assert_array_equal(data.x_train, PIXELS)


def test_images_without_channels_are_grey(tmp_path: Path) -> None:
    grey = PIXELS[..., 0]
    data = load_dataset(save(tmp_path, x_train=grey, x_test=grey[:3]))
    np.testing.assert_array_equal(data.x_train[..., 0], grey)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_come_back_as_bytes(tmp_path: Path, dtype: type) -> None:
    floats = (PIXELS / 255).astype(dtype)
    data = load_dataset(save(tmp_path, x_train=floats, x_test=floats[:3]))
    np.testing.assert_array_equal(data.x_train, PIXELS)


def test_labels_may_be_a_column(tmp_path: Path) -> None:
    data = load_dataset(save(tmp_path, y_train=LABELS[:, np.newaxis]))
    np.testing.assert_array_equal(data.y_train, LABELS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, r"has no y_test; it has x_train, y_train, x_test\. Save it with"),
        ({"x_train": PIXELS[0, 0]}, r"x_train must have the shape .*Got \(10, 3\)"),
        ({"x_train": PIXELS.repeat(2, axis=3)}, "1 or 3 channels"),
        ({"x_train": PIXELS.astype(np.float32)}, r"within 0\.\.1 .*Got 0\.\.255\. Undo the normalisation"),
        ({"x_train": np.full(PIXELS.shape, np.nan)}, r"within 0\.\.1"),
        ({"x_train": PIXELS.astype(np.int64)}, r"x_train must hold uint8 .*Got int64"),
        ({"y_train": np.eye(6)}, r"y_train must hold one whole number .*argmax"),
        ({"y_train": LABELS.astype(float)}, "y_train must hold one whole number"),
        ({"y_train": LABELS[:4]}, r"y_train must be int64 \(6,\)"),
        ({"y_train": LABELS.astype(np.int64) - 1}, r"y_train\[0\] is -1"),
        ({"class_names": np.array(["a", "b"])}, r"0\.\.1 \(2 classes\)\. y_train\[2\] is 2"),
        ({"class_names": np.arange(3)}, "class_names must be a list of text"),
        ({"class_names": np.array(["a", "b", "c"], dtype=object)}, r"class_names .*Python objects.*dtype=str"),
        ({"x_test": PIXELS[:3, :, :9]}, "one size"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_dataset(save(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_npz_is_an_error_of_ours(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"broken\.npz must be an \.npz file"):
        load_dataset(path)


def test_an_npz_cut_short_is_an_error_of_ours(tmp_path: Path) -> None:
    path = save(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match="cannot be read"):
        load_dataset(path)


def test_a_single_array_under_the_name_npz_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "single.npz"
    with path.open("wb") as file:
        np.save(file, PIXELS)
    with pytest.raises(DatasetError, match=r"must be an \.npz file"):
        load_dataset(path)
