"""Does a name or a path lead to the right images, and an unusable one to an error that helps?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deeptracker.demo.datasets import default_root, load_dataset
from deeptracker.errors import DatasetError


def test_digits_are_all_1797_images_in_two_disjoint_parts() -> None:
    from sklearn.datasets import load_digits

    data = load_dataset("digits")
    assert data.class_names == tuple("0123456789")
    assert data.x_train.shape[1:] == (8, 8, 1)
    assert len(data.x_train) + len(data.x_test) == 1797
    assert 590 <= len(data.x_test) <= 610
    assert data.x_train.max() == 255
    ours = np.concatenate([data.x_train, data.x_test]).reshape(1797, 64)
    theirs = np.rint(load_digits().data * 255 / 16).astype(np.uint8)
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_digits_are_divided_alike_in_every_class_and_every_time() -> None:
    first, second = load_dataset("digits"), load_dataset("digits")
    np.testing.assert_array_equal(first.x_test, second.x_test)
    held_out = np.bincount(first.y_test) / (np.bincount(first.y_test) + np.bincount(first.y_train))
    np.testing.assert_allclose(held_out, 1 / 3, atol=0.005)


def test_a_path_with_nothing_names_what_can_be_given(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no data set at .*nowhere.*digits, cifar10, cifar100.*\.npz"):
        load_dataset(tmp_path / "nowhere")


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(DatasetError, match=r"notes\.txt must be an \.npz"):
        load_dataset(path)


def test_without_download_a_missing_archive_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="turned off"):
        load_dataset("cifar10", root=tmp_path, download=False)


def test_the_cache_folder_follows_the_xdg_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "deeptracker"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == Path.home() / ".cache" / "deeptracker"


def test_naming_the_data_sets_imports_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, deeptracker.demo.datasets; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
