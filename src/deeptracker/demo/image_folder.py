"""How does a folder of pictures become a data set?

1. Layout: `train/<class>/...` with `val` (or `valid`, `validation`, `test`) beside it, or just `<class>/...`, of which
   a fifth of each class is held out, the same pictures every time. Classes are sorted by name.
2. One side for all: the median of the shorter sides, kept within 32..64 pixels. Each picture is scaled and its centre
   cut out to a square of that side, so the whole set fits into memory and a CPU can train on it.
3. Grey if every picture is grey, else colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from deeptracker.demo.image_data import ImageData, Images, Labels, stratified_split
from deeptracker.errors import DatasetError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
HELD_OUT_NAMES = ("val", "valid", "validation", "test")
HELD_OUT_SHARE = 0.2
SIDE_RANGE_PIXELS = (32, 64)

_GREY_MODES = ("1", "L", "LA", "I", "I;16", "F")
_Listed = tuple[list[Path], Labels]


def read_image_folder(root: Path) -> ImageData:
    """The data set below `root`. DatasetError where there are no pictures, or one cannot be read (it is named)."""
    train_folder = root / "train"
    held_out_folder = next((root / name for name in HELD_OUT_NAMES if (root / name).is_dir()), None)
    if train_folder.is_dir():
        names = _class_names(train_folder)
        train = _list(train_folder, names)
        held_out = _split(train) if held_out_folder is None else (train, _list(held_out_folder, names))
    else:
        names = _class_names(root)
        held_out = _split(_list(root, names))
    (train_paths, y_train), (test_paths, y_test) = held_out
    side, mode = _side_and_mode([*train_paths, *test_paths])
    return ImageData(
        root.resolve().name, _read(train_paths, side, mode), y_train, _read(test_paths, side, mode), y_test, names
    )


def _class_names(folder: Path) -> tuple[str, ...]:
    names = sorted(child.name for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    if len(names) < 2:
        raise DatasetError(
            f"{folder} must hold a folder of pictures for each class, at least 2. Got {len(names)}. "
            f"Either <class>/*.png, or train/<class>/*.png with {' or '.join(HELD_OUT_NAMES)} beside train."
        )
    return tuple(names)


def _list(folder: Path, names: Sequence[str]) -> _Listed:
    """All pictures below the class folders, sorted, and their labels int64 (pictures,)."""
    unknown = set(_class_names(folder)) - set(names)
    if unknown:
        raise DatasetError(
            f"{folder} must hold the classes of train and no others. Got {', '.join(sorted(unknown))} as well. "
            "Sort its pictures into folders of the same class names."
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        members = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file())
        members = [path for path in members if not path.name.startswith(".")]
        paths += members
        labels += [label] * len(members)
    if not paths:
        raise DatasetError(f"{folder} must hold pictures ({', '.join(EXTENSIONS)}). Its class folders have none.")
    return paths, np.array(labels, dtype=np.int64)


def _split(listed: _Listed) -> tuple[_Listed, _Listed]:
    paths, labels = listed
    train, held_out = stratified_split(labels, share=HELD_OUT_SHARE)
    return ([paths[i] for i in train], labels[train]), ([paths[i] for i in held_out], labels[held_out])


def _side_and_mode(paths: Sequence[Path]) -> tuple[int, str]:
    """The side for all pictures, in pixels, and their mode, from the heads of the files alone."""
    shorter: list[int] = []
    grey = True
    for path in paths:
        with _opened(path) as picture:
            shorter.append(min(picture.size))
            grey = grey and picture.mode in _GREY_MODES
    return int(np.clip(round(float(np.median(shorter))), *SIDE_RANGE_PIXELS)), "L" if grey else "RGB"


def _read(paths: Sequence[Path], side: int, mode: str) -> Images:
    """uint8 (pictures, side, side, 1 or 3)."""
    pixels = np.empty((len(paths), side, side, len(mode)), dtype=np.uint8)
    for row, path in zip(pixels, paths, strict=True):
        with _opened(path) as picture:
            try:
                upright = ImageOps.exif_transpose(picture)
                square = ImageOps.fit(upright.convert(mode), (side, side), Image.Resampling.BICUBIC)
            except (OSError, SyntaxError, ValueError) as error:  # Pillow's decoders raise all three
                raise DatasetError(
                    f"{path} must be a picture. It is damaged ({error}). Repair or remove it."
                ) from error
        row[:] = np.asarray(square).reshape(row.shape)
    return pixels


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except (UnidentifiedImageError, OSError) as error:
        raise DatasetError(f"{path} must be a picture. It cannot be read ({error}). Repair or remove it.") from error
