"""How are CIFAR-10 and CIFAR-100 read from their published archives?

1. Each comes as a python version (pickles) and a binary version (raw bytes), as `.tar.gz` or as the folder unpacked
   from it. Which one a place holds is told by the names of the files in it.
2. A tar is read in memory, only the files that are wanted: nothing is ever written where a tar says.
3. Binary: one record an image, its labels (CIFAR-100: coarse, then fine) and 3,072 bytes in the order channel, row,
   column. Python: a dictionary with `data` uint8 (n, 3072) in the same order, read by `safe_pickle`.
4. What is not there is downloaded in the binary version, so that no pickle is opened.

Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeptracker.demo.download import OnDownload, download
from deeptracker.demo.image_data import ImageData, Images, Labels
from deeptracker.demo.safe_pickle import load_arrays
from deeptracker.errors import DatasetError

CIFAR_NAMES = ("cifar10", "cifar100")

_ADDRESS = "https://www.cs.toronto.edu/~kriz/"
_PIXELS = 3 * 32 * 32
_LARGEST_MEMBER_BYTES = 1 << 29


@dataclass(frozen=True, slots=True)
class _Version:
    """One published form. `labels` is bytes of labels a record (binary) or the key of the labels (python)."""

    dataset: str
    folder: str
    archive: str
    train: tuple[str, ...]
    test: str
    names: str
    labels: int | str
    names_key: str = ""
    md5: str = ""

    @property
    def files(self) -> frozenset[str]:
        return frozenset((*self.train, self.test, self.names))


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_VERSIONS = (
    _Version(
        dataset="cifar10",
        folder="cifar-10-batches-bin",
        archive="cifar-10-binary.tar.gz",
        train=tuple(f"{batch}.bin" for batch in _BATCHES),
        test="test_batch.bin",
        names="batches.meta.txt",
        labels=1,
        md5="c32a1d4ab5d03f1284b67883e8d87530",
    ),
    _Version(
        dataset="cifar100",
        folder="cifar-100-binary",
        archive="cifar-100-binary.tar.gz",
        train=("train.bin",),
        test="test.bin",
        names="fine_label_names.txt",
        labels=2,
        md5="03b5dce01913d631647c71ecec9e9cb8",
    ),
    _Version(
        dataset="cifar10",
        folder="cifar-10-batches-py",
        archive="cifar-10-python.tar.gz",
        train=_BATCHES,
        test="test_batch",
        names="batches.meta",
        labels="labels",
        names_key="label_names",
    ),
    _Version(
        dataset="cifar100",
        folder="cifar-100-python",
        archive="cifar-100-python.tar.gz",
        train=("train",),
        test="test",
        names="meta",
        labels="fine_labels",
        names_key="fine_label_names",
    ),
)


@dataclass(frozen=True, slots=True)
class CifarPlace:
    """An archive or folder, and which of the published forms lies there."""

    path: Path
    version: _Version


def find_cifar(dataset: str, root: Path) -> CifarPlace | None:
    """Where below `root` this data set lies, binary before python and unpacked before packed; None if nowhere."""
    for version in _VERSIONS:
        if version.dataset == dataset:
            for path in (root / version.folder, root / version.archive):
                if path.exists():
                    return CifarPlace(path, version)
    return None


def cifar_at(path: Path) -> CifarPlace | None:
    """What CIFAR `path` is: a tar, a folder with its files, or a folder with such a folder or tar in it. Else None.

    DatasetError if it is a tar of something else, or a folder with both CIFAR-10 and CIFAR-100.
    """
    if path.is_dir():
        return _cifar_in_folder(path)
    if not tarfile.is_tarfile(path):
        return None
    present = frozenset(_tar_members(path, wanted=None))
    for version in _VERSIONS:
        if version.files <= present:
            return CifarPlace(path, version)
    raise DatasetError(
        f"{path} must be one of {', '.join(version.archive for version in _VERSIONS)}. It lacks their files; "
        "download it again, or unpack it if it holds a folder of images."
    )


def download_cifar(dataset: str, root: Path, on_download: OnDownload | None = None) -> CifarPlace:
    """Fetch the binary version (about 165 MB) into `root`. DatasetError where that fails."""
    version = next(version for version in _VERSIONS if version.dataset == dataset)
    target = root / version.archive
    return CifarPlace(download(_ADDRESS + version.archive, target, md5=version.md5, on_download=on_download), version)


def read_cifar(place: CifarPlace) -> ImageData:
    """All images and labels. DatasetError, naming the file, where one is missing, damaged or not what it should be."""
    version = place.version
    if place.path.is_dir():
        members = {name: (place.path / name).read_bytes() for name in version.files if (place.path / name).is_file()}
    else:
        members = _tar_members(place.path, wanted=version.files)
    missing = version.files - members.keys()
    if missing:
        raise DatasetError(f"{place.path} must hold {', '.join(sorted(missing))}. Unpack or download it again.")
    parts = [_part(members[name], version, f"{place.path}: {name}") for name in (*version.train, version.test)]
    return ImageData(
        version.dataset,
        np.concatenate([x for x, _ in parts[:-1]]),
        np.concatenate([y for _, y in parts[:-1]]),
        *parts[-1],
        _class_names(members[version.names], version, f"{place.path}: {version.names}"),
    )


def _cifar_in_folder(folder: Path) -> CifarPlace | None:
    for version in _VERSIONS:
        if all((folder / name).is_file() for name in version.files):
            return CifarPlace(folder, version)
    found = [place for name in CIFAR_NAMES if (place := find_cifar(name, folder)) is not None]
    if len(found) > 1:
        raise DatasetError(f"{folder} holds two data sets. Name one: {found[0].path} or {found[1].path}.")
    return found[0] if found else None


def _tar_members(path: Path, *, wanted: frozenset[str] | None) -> dict[str, bytes]:
    """Base name -> bytes of the wanted files of a tar; with None, the names of all files and no bytes."""
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if not member.isfile() or member.size > _LARGEST_MEMBER_BYTES:
                    continue
                if wanted is None:
                    members[name] = b""
                elif name in wanted and (file := archive.extractfile(member)) is not None:
                    members[name] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DatasetError(
            f"{path} must be a whole tar archive. It is damaged ({error}). Download it again."
        ) from error
    return members


def _part(data: bytes, version: _Version, place: str) -> tuple[Images, Labels]:
    if isinstance(version.labels, int):
        return _binary_part(data, version.labels, place)
    return _python_part(load_arrays(data, place=place), version.labels, place)


def _binary_part(data: bytes, label_bytes: int, place: str) -> tuple[Images, Labels]:
    record_bytes = label_bytes + _PIXELS
    if len(data) % record_bytes:
        raise DatasetError(
            f"{place} must be records of {record_bytes} bytes. Got {len(data)} bytes. Download it again."
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, record_bytes)
    return _channels_last(records[:, label_bytes:]), records[:, label_bytes - 1].astype(np.int64)


def _python_part(batch: Any, labels_key: str, place: str) -> tuple[Images, Labels]:
    data, labels = _entry(batch, "data", place), _entry(batch, labels_key, place)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != _PIXELS:
        raise DatasetError(f"{place}: data must be uint8 (images, {_PIXELS}). Download the archive again.")
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
        raise DatasetError(f"{place}: {labels_key} must be a list of whole numbers. Download the archive again.")
    return _channels_last(data), np.array(labels, dtype=np.int64)


def _class_names(data: bytes, version: _Version, place: str) -> tuple[str, ...]:
    if isinstance(version.labels, int):
        return tuple(line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip())
    names = _entry(load_arrays(data, place=place), version.names_key, place)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DatasetError(f"{place}: {version.names_key} must be a list of text. Download the archive again.")
    return tuple(names)


def _entry(document: Any, key: str, place: str) -> Any:
    """`document[key]`; the keys are bytes where Python 3 saved an archive anew."""
    if isinstance(document, dict):
        for name in (key, key.encode()):
            if name in document:
                return document[name]
    raise DatasetError(f"{place} must be a dictionary with {key!r}. It is not; download the archive again.")


def _channels_last(pixels: Images) -> Images:
    return np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
