"""How is an `.npz` file of images read?

1. Its arrays are x_train, y_train, x_test, y_test, and class_names if there are names. Arrays of Python objects are
   refused: they would be pickles, and a pickle can run anything.
2. Images may be (n, h, w), (n, h, w, channels) or (n, channels, h, w); uint8, or floats in 0..1.
3. Labels are integers from 0, (n,) or (n, 1).
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.demo.image_data import ImageData, Images, Labels
from deeptracker.errors import DatasetError

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> ImageData:
    """The data set in this file. DatasetError names the array that is missing or wrong, and what it must be."""
    arrays = _arrays(path)
    missing = [key for key in _KEYS if key not in arrays]
    if missing:
        raise DatasetError(
            f"{path} must hold {', '.join(_KEYS)}. It has no {', '.join(missing)}; "
            f"it has {', '.join(arrays) or 'nothing'}. Save it with numpy.savez(path, x_train=..., y_train=..., ...)."
        )
    x_train, x_test = (_images(arrays[key], f"{path}: {key}") for key in ("x_train", "x_test"))
    y_train, y_test = (_labels(arrays[key], f"{path}: {key}") for key in ("y_train", "y_test"))
    if "class_names" in arrays:
        names = _names(arrays["class_names"], f"{path}: class_names")
    else:
        names = tuple(str(label) for label in range(int(max(y_train.max(initial=0), y_test.max(initial=0))) + 1))
    return ImageData(path.stem, x_train, y_train, x_test, y_test, names)


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        # opened here, as numpy leaves the file open where the zip in it is damaged
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: _array(archive, key, path) for key in archive.files}
    except DatasetError:
        raise
    except (ValueError, OSError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        # a file that is a bare .npy, or a pickle, gets as far as an array or a refusal
        raise DatasetError(f"{path} must be an .npz file that numpy wrote. It cannot be read ({error}).") from error


def _array(archive: Any, key: str, path: Path) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = archive[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DatasetError(
            f"{path}: {key} must be an array of numbers or of text. It holds Python objects, which are pickles and "
            "are not opened. Save names as numpy.array(names, dtype=str) and images as one uint8 array."
        ) from error
    return array


def _images(x: npt.NDArray[Any], place: str) -> Images:
    if x.ndim == 3:
        x = x[..., np.newaxis]
    if x.ndim == 4 and x.shape[3] not in (1, 3) and x.shape[1] in (1, 3):
        x = x.transpose(0, 2, 3, 1)
    if x.ndim != 4 or x.shape[3] not in (1, 3):
        raise DatasetError(
            f"{place} must have the shape (images, height, width), with 1 or 3 channels last or second. Got {x.shape}."
        )
    if np.issubdtype(x.dtype, np.floating):
        if x.size and not (x.min() >= 0 and x.max() <= 1):  # false for NaN as well
            raise DatasetError(
                f"{place} must be within 0..1 where it holds floats. Got {x.min():g}..{x.max():g}. "
                "Undo the normalisation, or save uint8."
            )
        x = np.rint(x * np.float32(255)).astype(np.uint8)
    if x.dtype != np.uint8:
        raise DatasetError(
            f"{place} must hold uint8 (0..255) or floats (0..1). Got {x.dtype}. Convert: x.astype('uint8')."
        )
    return np.ascontiguousarray(x)


def _labels(y: npt.NDArray[Any], place: str) -> Labels:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise DatasetError(
            f"{place} must hold one whole number for each image, from 0. Got {y.dtype} {y.shape}. "
            "From one-hot rows: y.argmax(axis=1)."
        )
    return y.astype(np.int64)


def _names(names: npt.NDArray[Any], place: str) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise DatasetError(f"{place} must be a list of text, one name a class. Got {names.dtype} {names.shape}.")
    if names.dtype.kind == "S":
        return tuple(name.decode("utf-8", "replace") for name in names.tolist())
    return tuple(names.tolist())
