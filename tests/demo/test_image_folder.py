"""Does a folder of pictures become the images and labels that are in it?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeptracker.demo.datasets import load_dataset
from deeptracker.errors import DatasetError


def put(path: Path, *, value: int = 100, size: tuple[int, int] = (32, 32), mode: str = "RGB") -> None:
    """A picture of one colour; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 0, 255 - value)).save(path)


def fill(folder: Path, counts: dict[str, int], **picture: object) -> None:
    for number, (name, count) in enumerate(counts.items()):
        for i in range(count):
            put(folder / name / f"{i:03d}.png", value=10 * number + i, **picture)  # type: ignore[arg-type]


@pytest.mark.parametrize("held_out", ["val", "valid", "test"])
def test_train_and_validation_folders_are_kept_apart(tmp_path: Path, held_out: str) -> None:
    fill(tmp_path / "train", {"cat": 3, "dog": 2})
    fill(tmp_path / held_out, {"cat": 1, "dog": 2})
    data = load_dataset(tmp_path)
    assert data.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.y_train, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(data.y_test, [0, 1, 1])
    np.testing.assert_array_equal(data.x_train[:, 16, 16, 0], [0, 1, 2, 10, 11])
    np.testing.assert_array_equal(data.x_train[:, 16, 16, 2], [255, 254, 253, 245, 244])


def test_bare_class_folders_are_divided_alike_every_time(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 10, "dog": 20})
    first, again = load_dataset(tmp_path), load_dataset(tmp_path)
    np.testing.assert_array_equal(np.bincount(first.y_test), [2, 4])
    np.testing.assert_array_equal(np.bincount(first.y_train), [8, 16])
    np.testing.assert_array_equal(first.x_test, again.x_test)


def test_a_train_folder_alone_is_divided(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"cat": 5, "dog": 5})
    np.testing.assert_array_equal(load_dataset(tmp_path).y_test, [0, 1])


def test_pictures_are_found_in_any_case_and_depth_and_other_files_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 2, "dog": 2})
    put(tmp_path / "cat" / "deep" / "photo.JPG")
    put(tmp_path / "cat" / ".hidden.png")
    (tmp_path / "cat" / "notes.txt").write_text("nothing to see")
    (tmp_path / ".cache").mkdir()
    data = load_dataset(tmp_path)
    assert len(data.x_train) + len(data.x_test) == 5


@pytest.mark.parametrize(("median", "side"), [(10, 32), (40, 40), (50, 50), (300, 64)])
def test_the_side_is_the_median_within_bounds(tmp_path: Path, median: int, side: int) -> None:
    fill(tmp_path, {"cat": 3, "dog": 3}, size=(median + 7, median))
    put(tmp_path / "cat" / "huge.png", size=(500, 400))
    assert load_dataset(tmp_path).x_train.shape[1:] == (side, side, 3)


def test_the_centre_is_kept_and_the_edges_cut(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 2, "dog": 2}, mode="L")
    wide = np.zeros((32, 96), np.uint8)
    wide[:, 32:64] = 200
    for name in ("cat", "dog"):
        for i in range(2):
            Image.fromarray(wide).save(tmp_path / name / f"{i:03d}.png")
    assert (load_dataset(tmp_path).x_train == 200).all()


def test_grey_pictures_stay_grey_until_one_has_colour(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 2, "dog": 2}, mode="L")
    assert load_dataset(tmp_path).channels == 1
    put(tmp_path / "cat" / "colour.png")
    assert load_dataset(tmp_path).channels == 3


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 3, "dog": 3})
    (tmp_path / "dog" / "000.png").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"dog.000\.png must be a picture.*Repair or remove"):
        load_dataset(tmp_path)


def test_a_picture_cut_short_is_named(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 3, "dog": 3})
    path = tmp_path / "dog" / "000.png"
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DatasetError, match=r"dog.000\.png must be a picture.*damaged"):
        load_dataset(tmp_path)


def test_a_folder_without_classes_says_what_it_should_look_like(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "0.png")
    with pytest.raises(DatasetError, match=r"at least 2\. Got 1\..*<class>"):
        load_dataset(tmp_path)


def test_class_folders_without_pictures_are_an_error(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match="must hold pictures"):
        load_dataset(tmp_path)


def test_a_validation_class_that_train_lacks_is_named(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"cat": 2, "dog": 2})
    fill(tmp_path / "val", {"cat": 2, "eel": 2})
    with pytest.raises(DatasetError, match="Got eel as well"):
        load_dataset(tmp_path)
