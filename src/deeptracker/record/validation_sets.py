"""On what are the snapshots of a training validated, given as text on a command line?

1. An `.npz` holds images `x_test` and labels `y_test`, or `x` and `y`, and `class_names` if it likes: images (n, h, w),
   with channels last or second, bytes or floats. Pickles in it are not opened.
2. A folder of images holds a folder for each class, or `val` (`valid`, `validation`, `test`) does that is in it. Images
   are opened as they are wanted, in the order of their names; `size` scales them and cuts out their centre.
3. `package.module:function` gives whatever the recorder takes: a loader, arrays, a data set.
4. Bytes become 0..1, as in the recorder; `mean` and `sd` are then applied, channel by channel.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from deeptracker.errors import DatasetError
from deeptracker.record.named import named_function
from deeptracker.record.validation import as_batches

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
HELD_OUT_NAMES = ("val", "valid", "validation", "test")
_ARRAYS = (("x_test", "y_test"), ("x", "y"))
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "F")


@dataclass(frozen=True, slots=True)
class ValidationSpec:
    """What was asked for: `source` is a path or package.module:function; `size` in pixels, for folders of images.

    `mean` and `sd`, one number or one a channel, on the scale 0..1; both or none.
    """

    source: str
    batch_size: int = 256
    size: int | None = None
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.batch_size < 1 or (self.size is not None and self.size < 1):
            raise ValueError(f"batch size and image size must be >= 1. Got {self.batch_size} and {self.size}.")
        if len(self.mean) != len(self.sd) or not all(sd > 0 for sd in self.sd):
            raise ValueError(
                "mean and sd must have as many numbers, every sd above 0. "
                f"Got {len(self.mean)} and {len(self.sd)}: {self.mean}, {self.sd}."
            )

    @property
    def normalisation(self) -> tuple[Any, Any] | None:
        """What is to be undone for pictures."""
        return (self.mean, self.sd) if self.mean else None

    @property
    def preprocess(self) -> Callable[[Any], Any] | None:
        """Images as they come, to what the model takes; None where the recorder's own rules do."""
        if not self.mean:
            return None
        mean, sd = (torch.tensor(part).reshape(1, -1, 1, 1) for part in (self.mean, self.sd))

        def normalised(images: torch.Tensor) -> torch.Tensor:
            scaled = images.float() / 255 if images.dtype == torch.uint8 else images.float()
            return (scaled - mean.to(images.device)) / sd.to(images.device)

        return normalised


def open_validation(spec: ValidationSpec, *, folder: str | None = None) -> tuple[Iterable[Any], tuple[str, ...] | None]:
    """Batches to go through repeatedly, and class names if any are known; DatasetError, or what the function raises."""
    data, names = _opened(spec, folder)
    batches = as_batches(data, batch_size=spec.batch_size)
    found = names or getattr(getattr(batches, "dataset", None), "classes", None)
    return batches, tuple(str(name) for name in found) if isinstance(found, (list, tuple)) else None


def _opened(spec: ValidationSpec, folder: str | None) -> tuple[Any, tuple[str, ...] | None]:
    path = Path(spec.source).expanduser()
    if path.suffix == ".npz" and path.exists():
        return _of_npz(path)
    if path.is_dir():
        images = ImageFolder(path, spec.size)
        return images, images.classes
    if ":" in spec.source and not path.exists():
        return named_function(spec.source, folder=folder)(), None
    raise DatasetError(
        "validation must be an .npz file, a folder of images, or package.module:function. "
        f"{spec.source} is none of these{'' if path.exists() else ', and is not there'}."
    )


def _of_npz(path: Path) -> tuple[Any, tuple[str, ...] | None]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path} must be an .npz of numbers that numpy wrote. It cannot be read ({error})."
        ) from error
    for images, labels in _ARRAYS:
        if images in arrays and labels in arrays:
            names = arrays.get("class_names")
            found = None if names is None else tuple(str(name) for name in names.tolist())
            return (_channels_second(arrays[images], f"{path}: {images}"), torch.from_numpy(arrays[labels])), found
    raise DatasetError(f"{path} must hold x_test and y_test, or x and y. It has {', '.join(arrays) or 'nothing'}.")


def _channels_second(images: npt.NDArray[Any], place: str) -> torch.Tensor:
    if images.ndim == 3:
        images = images[:, np.newaxis]
    elif images.ndim == 4 and images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        images = np.moveaxis(images, -1, 1)
    if images.ndim != 4 or not len(images):
        raise DatasetError(f"{place} must be images (n, height, width), channels last or second. Got {images.shape}.")
    if images.dtype != np.uint8:
        images = images.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(images))


class ImageFolder(Dataset[tuple[torch.Tensor, int]]):
    """The images of a folder of classes: uint8 (channels, height, width) and the class; `classes` are their names."""

    def __init__(self, root: Path, size: int | None) -> None:
        held_out = next((root / name for name in HELD_OUT_NAMES if (root / name).is_dir()), root)
        folders = sorted(path for path in held_out.iterdir() if path.is_dir() and not path.name.startswith("."))
        self.classes = tuple(path.name for path in folders)
        self._size = size
        self._images = [(path, label) for label, one in enumerate(folders) for path in _images_below(one)]
        if not self._images:
            raise DatasetError(f"{held_out} must hold a folder of images for each class. It has no images in folders.")
        self._mode = "L" if all(_is_grey(path) for path, _ in self._images) else "RGB"
        self._shape: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self._images[index]
        try:
            with Image.open(path) as picture:
                upright = ImageOps.exif_transpose(picture).convert(self._mode)
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's decoders raise all three
            raise DatasetError(f"{path} must be an image. It is damaged ({error}). Repair or remove it.") from error
        if self._size is not None:
            upright = ImageOps.fit(upright, (self._size, self._size), Image.Resampling.BICUBIC)
        pixels = np.array(upright)
        pixels = pixels[np.newaxis] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        self._shape = self._shape or pixels.shape
        if pixels.shape != self._shape:
            height, width = pixels.shape[1:]
            raise DatasetError(
                f"images must be of one size. {path} is {width} x {height}, "
                f"others {self._shape[2]} x {self._shape[1]}. Scale them: --image-size 224"
            )
        return torch.from_numpy(np.ascontiguousarray(pixels)), label


def _images_below(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def _is_grey(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            return picture.mode in _GREY_MODES
    except (UnidentifiedImageError, OSError) as error:
        raise DatasetError(f"{path} must be an image. It cannot be read ({error}). Repair or remove it.") from error
