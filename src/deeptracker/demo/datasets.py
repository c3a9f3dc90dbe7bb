"""Which images does the demo train on, given a name or a path?

1. `digits` comes with scikit-learn; `cifar10` and `cifar100` are looked for below a cache folder, and downloaded into
   it if they are not there.
2. Anything else is a path: an `.npz` file, a CIFAR archive or its unpacked folder, or a folder of images.
3. Whatever it was, the answer is one `ImageData`. No torch here, so the command line can name the data sets quickly.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from deeptracker.demo.cifar import CIFAR_NAMES, cifar_at, download_cifar, find_cifar, read_cifar
from deeptracker.demo.download import OnDownload
from deeptracker.demo.image_data import ImageData, stratified_split
from deeptracker.demo.image_folder import read_image_folder
from deeptracker.demo.npz import read_npz
from deeptracker.errors import DatasetError

DATASET_NAMES = ("digits", *CIFAR_NAMES)
DIGITS_HELD_OUT = 1 / 3


def load_dataset(
    name_or_path: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = True,
    on_download: OnDownload | None = None,
) -> ImageData:
    """The data set of this name, or at this path. A name wins over a folder called so; `./digits` is the folder.

    `root` is where archives are looked for and downloaded to, by default `default_root()`. `on_download(bytes done,
    bytes in all or None)` is called during a download. Raises DatasetError where there is nothing, it cannot be
    read, or the network does not answer; the message says what to do.
    """
    name = os.fspath(name_or_path)
    if name == "digits":
        return _digits()
    if name in CIFAR_NAMES:
        folder = default_root() if root is None else Path(root)
        found = find_cifar(name, folder)
        if found is None and not download:
            raise DatasetError(f"{name} must be below {folder}, as downloading is turned off. It is not there.")
        return read_cifar(found or download_cifar(name, folder, on_download))
    return _at(Path(name).expanduser())


def default_root() -> Path:
    """The cache folder for archives: `deeptracker` below `$XDG_CACHE_HOME`, or below `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "deeptracker"


def _at(path: Path) -> ImageData:
    if not path.exists():
        raise DatasetError(
            f"no data set at {path}. Give one of {', '.join(DATASET_NAMES)}, or the path of an .npz file, "
            "a CIFAR archive, or a folder of images."
        )
    if path.suffix == ".npz":
        return read_npz(path)
    cifar = cifar_at(path)
    if cifar is not None:
        return read_cifar(cifar)
    if path.is_dir():
        return read_image_folder(path)
    raise DatasetError(
        f"{path} must be an .npz file, a CIFAR archive (.tar.gz) or a folder. It is none of these. "
        "An .npz holds x_train, y_train, x_test, y_test and, if you like, class_names."
    )


def _digits() -> ImageData:
    from sklearn.datasets import load_digits  # a second to import, so only where it is wanted

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    labels = digits.target.astype(np.int64)
    train, held_out = stratified_split(labels, share=DIGITS_HELD_OUT)
    names = tuple(str(digit) for digit in range(10))
    return ImageData("digits", images[train], labels[train], images[held_out], labels[held_out], names)
