"""Are the published CIFAR archives read, every version, packed and unpacked, and damaged ones refused?

The archives here have the published layout with two images a file.
"""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from deeptracker.demo.datasets import load_dataset
from deeptracker.demo.image_data import ImageData
from deeptracker.errors import DatasetError

COARSE = ["fish", "fruit"]
NAMES = {"cifar10": ["airplane", "automobile", "bird"], "cifar100": ["apple", "aquarium_fish", "baby"]}
BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
FOLDERS = {
    ("cifar10", "binary"): "cifar-10-batches-bin",
    ("cifar10", "python"): "cifar-10-batches-py",
    ("cifar100", "binary"): "cifar-100-binary",
    ("cifar100", "python"): "cifar-100-python",
}
ARCHIVES = {
    ("cifar10", "binary"): "cifar-10-binary.tar.gz",
    ("cifar10", "python"): "cifar-10-python.tar.gz",
    ("cifar100", "binary"): "cifar-100-binary.tar.gz",
    ("cifar100", "python"): "cifar-100-python.tar.gz",
}


def images(part: int) -> np.ndarray[Any, Any]:
    """uint8 (2, 32, 32, 3), another for each part."""
    return np.random.default_rng(part).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


def labels(part: int) -> list[int]:
    return [part % 3, (part + 1) % 3]


def rows(part: int) -> np.ndarray[Any, Any]:
    """uint8 (2, 3072), channel by channel, as CIFAR keeps them."""
    return np.ascontiguousarray(images(part).transpose(0, 3, 1, 2)).reshape(2, -1)


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Writes what Python 2 wrote: text and bytes alike as byte strings, numpy under its old name."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_text(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + len(data).to_bytes(4, "little") + data)

    dispatch[str] = save_text
    dispatch[bytes] = save_text


def python2(value: object) -> bytes:
    sink = io.BytesIO()
    Python2Pickler(sink, 2).dump(value)
    return sink.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def members(dataset: str, version: str, dump: Callable[[object], bytes] = python2) -> dict[str, bytes]:
    """The files of an archive: name -> bytes."""
    parts = [*BATCHES, "test_batch"] if dataset == "cifar10" else ["train", "test"]
    files: dict[str, bytes] = {}
    for part, name in enumerate(parts):
        if version == "binary":
            coarse = [b"\x07"] if dataset == "cifar100" else []
            records = [
                b"".join([*coarse, bytes([y]), x.tobytes()]) for x, y in zip(rows(part), labels(part), strict=True)
            ]
            files[f"{name}.bin"] = b"".join(records)
        else:
            keys = (
                {"labels": labels(part)}
                if dataset == "cifar10"
                else {"fine_labels": labels(part), "coarse_labels": [7, 7]}
            )
            files[name] = dump({"data": rows(part), "batch_label": name, "filenames": ["a.png", "b.png"], **keys})
    if version == "binary":
        listed = "\n".join(NAMES[dataset]) + "\n\n"
        files["batches.meta.txt" if dataset == "cifar10" else "fine_label_names.txt"] = listed.encode()
    else:
        key = "label_names" if dataset == "cifar10" else "fine_label_names"
        files["batches.meta" if dataset == "cifar10" else "meta"] = dump({key: NAMES[dataset], "num_vis": 3072})
    return files


def unpacked(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def packed(path: Path, folder: str, files: dict[str, bytes], *, compression: Literal["", "gz"] = "gz") -> Path:
    with tarfile.open(path, f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def check(data: ImageData, dataset: str) -> None:
    trained = 5 if dataset == "cifar10" else 1
    assert (data.name, list(data.class_names)) == (dataset, NAMES[dataset])
    np.testing.assert_array_equal(data.x_train, np.concatenate([images(part) for part in range(trained)]))
    np.testing.assert_array_equal(data.y_train, np.concatenate([labels(part) for part in range(trained)]))
    np.testing.assert_array_equal(data.x_test, images(trained))
    np.testing.assert_array_equal(data.y_test, labels(trained))


every_form = pytest.mark.parametrize(("dataset", "version"), list(FOLDERS))


@every_form
def test_an_archive_is_read_by_its_path_whatever_it_is_called(tmp_path: Path, dataset: str, version: str) -> None:
    path = packed(tmp_path / "renamed.tgz", FOLDERS[dataset, version], members(dataset, version))
    check(load_dataset(path), dataset)
    assert [child.name for child in tmp_path.iterdir()] == ["renamed.tgz"]  # nothing was extracted


@every_form
def test_an_unpacked_folder_is_read_by_its_path(tmp_path: Path, dataset: str, version: str) -> None:
    check(load_dataset(unpacked(tmp_path / "any", members(dataset, version))), dataset)


@every_form
def test_by_name_the_archive_below_root_is_found(tmp_path: Path, dataset: str, version: str) -> None:
    packed(tmp_path / ARCHIVES[dataset, version], FOLDERS[dataset, version], members(dataset, version))
    check(load_dataset(dataset, root=tmp_path, download=False), dataset)


@every_form
def test_by_name_the_folder_below_root_is_found(tmp_path: Path, dataset: str, version: str) -> None:
    unpacked(tmp_path / FOLDERS[dataset, version], members(dataset, version))
    check(load_dataset(dataset, root=tmp_path, download=False), dataset)
    check(load_dataset(tmp_path), dataset)  # and by the path of the folder around it


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_where_both_versions_lie_the_pickles_are_not_opened(tmp_path: Path, dataset: str) -> None:
    unpacked(tmp_path / FOLDERS[dataset, "python"], dict.fromkeys(members(dataset, "python"), b"broken"))
    unpacked(tmp_path / FOLDERS[dataset, "binary"], members(dataset, "binary"))
    check(load_dataset(dataset, root=tmp_path, download=False), dataset)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_pickles_that_python_3_saved_anew_are_read_too(tmp_path: Path, dataset: str) -> None:
    check(load_dataset(unpacked(tmp_path / "any", members(dataset, "python", pickle.dumps))), dataset)


def test_a_pickle_that_runs_something_is_refused_and_does_not_run(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "harm"),)

    files = members("cifar10", "python") | {"data_batch_3": pickle.dumps({"data": Runs(), "labels": [0]}, 2)}
    with pytest.raises(DatasetError, match=r"data_batch_3 must be a pickle of arrays alone.*mkdir"):
        load_dataset(packed(tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py", files))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": python2([1, 2])}, "train must be a dictionary with 'data'"),
        ({"train": python2({"data": rows(0)})}, "train must be a dictionary with 'fine_labels'"),
        ({"train": python2({"data": [1], "fine_labels": [0]})}, r"data must be uint8 \(images, 3072\)"),
        ({"train": python2({"data": rows(0), "fine_labels": "ab"})}, "fine_labels must be a list of whole numbers"),
        ({"train": python2({"data": rows(0), "fine_labels": [0, 9]})}, r"y_train\[1\] is 9"),
        ({"meta": python2({"fine_label_names": 3})}, "fine_label_names must be a list of text"),
    ],
)
def test_a_python_version_with_other_contents_is_named(tmp_path: Path, change: dict[str, bytes], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_dataset(unpacked(tmp_path / "any", members("cifar100", "python") | change))


def test_a_binary_file_cut_short_is_named(tmp_path: Path) -> None:
    files = members("cifar100", "binary")
    files["test.bin"] = files["test.bin"][:-1]
    with pytest.raises(DatasetError, match=r"test\.bin must be records of 3074 bytes\. Got 6147 bytes"):
        load_dataset(unpacked(tmp_path / "any", files))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = members("cifar10", "binary")
    del files["data_batch_4.bin"]
    unpacked(tmp_path / "cifar-10-batches-bin", files)
    with pytest.raises(DatasetError, match=r"must hold data_batch_4\.bin"):
        load_dataset("cifar10", root=tmp_path)


def test_an_archive_cut_short_is_an_error_of_ours(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar.gz", "cifar-10-batches-bin", members("cifar10", "binary"))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DatasetError, match=r"must be a whole tar archive"):
        load_dataset(path)


def test_a_tar_of_something_else_says_which_archives_are_meant(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar.gz", "x", {"hello.txt": b"hello"})
    with pytest.raises(DatasetError, match=r"must be one of cifar-10-binary\.tar\.gz.*lacks their files"):
        load_dataset(path)


def test_a_link_in_a_tar_is_not_followed(tmp_path: Path) -> None:
    files = members("cifar100", "binary")
    secret = tmp_path / "secret"
    secret.write_bytes(files.pop("train.bin"))
    path = packed(tmp_path / "a.tar", "cifar-100-binary", files, compression="")
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("cifar-100-binary/train.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    with pytest.raises(DatasetError, match="lacks their files"):
        load_dataset(path)


def test_a_folder_with_both_data_sets_asks_which(tmp_path: Path) -> None:
    for dataset in NAMES:
        unpacked(tmp_path / FOLDERS[dataset, "binary"], members(dataset, "binary"))
    with pytest.raises(DatasetError, match=r"two data sets\. Name one: .*cifar-10.* or .*cifar-100"):
        load_dataset(tmp_path)
