"""A file is complete or absent, whatever happens while it is written; a listing shows only what is complete."""

import errno
import os
from pathlib import Path

import pytest

from deeptracker.store import blobs as module
from deeptracker.store.blobs import Blobs, read_or_none


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def paths(blobs: Blobs, prefix: str = "", after: str | None = None) -> list[str]:
    return [blob.path for blob in blobs.list(prefix, after=after)]


def test_what_is_put_comes_back_and_folders_are_made(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "not" / "there" / "yet")
    assert paths(blobs) == []
    blobs.put("log/a.arrow", b"\x00\xff")
    assert blobs.get("log/a.arrow") == b"\x00\xff"
    assert blobs.exists("log/a.arrow")
    assert not blobs.exists("log/b.arrow")


@pytest.mark.parametrize("text", ["file://{}", "{}/", "{}"])
def test_a_folder_may_be_named_in_several_ways(tmp_path: Path, text: str) -> None:
    Blobs(tmp_path).put("a", b"x")
    blobs = Blobs(text.format(tmp_path))
    assert blobs.get("a") == b"x"
    assert blobs.name("a") == f"{tmp_path}/a"


@pytest.mark.parametrize("place", ["here", "nowhere"])
def test_a_file_that_is_not_there_is_file_not_found(tmp_path: Path, place: str) -> None:
    (tmp_path / "here").mkdir()
    blobs = Blobs(tmp_path / place)
    with pytest.raises(FileNotFoundError):
        blobs.get("a")
    assert read_or_none(blobs, "a") is None
    assert not blobs.exists("a")


def test_a_listing_is_sorted_and_tells_size_and_time(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for name in ("log/b", "log/a", "other/c"):
        blobs.put(name, name.encode() * 3)
    assert paths(blobs, "log/") == ["log/a", "log/b"]
    assert paths(blobs) == ["log/a", "log/b", "other/c"]
    first = blobs.list("log/")[0]
    assert first.size_bytes == 15
    assert first.modified.timestamp() == pytest.approx(os.stat(tmp_path / "log/a").st_mtime, abs=0.01)


def test_a_listing_may_begin_after_a_path_that_need_not_exist(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for i in range(5):
        blobs.put(f"log/{i:03d}.arrow", b"")
    assert paths(blobs, "log/", after="log/003.arrow") == ["log/004.arrow"]
    assert paths(blobs, "log/", after="log/003") == ["log/003.arrow", "log/004.arrow"]
    assert paths(blobs, "log/", after="log/9") == []


def test_temporary_names_are_not_listed_at_any_depth(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    blobs.put("log/a", b"")
    (tmp_path / "log" / ".b.0123.tmp").write_bytes(b"half")
    (tmp_path / ".c.0123.tmp").write_bytes(b"half")
    assert paths(blobs) == ["log/a"]


def test_a_file_appears_in_one_step_and_only_after_its_bytes_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(tmp_path)
    blobs.put("a", b"old")
    steps: list[tuple[str, list[str], bytes]] = []
    fsync, replace = os.fsync, os.replace

    def seen(step: str) -> None:
        steps.append((step, paths(blobs), (tmp_path / "a").read_bytes()))

    monkeypatch.setattr(module.os, "fsync", lambda file: (seen("fsync"), fsync(file))[1])
    monkeypatch.setattr(module.os, "replace", lambda a, b: (seen("replace"), replace(a, b))[1])
    blobs.put("a", b"new")
    assert steps == [("fsync", ["a"], b"old"), ("replace", ["a"], b"old"), ("fsync", ["a"], b"new")]
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("existing", [None, b"old"])
def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, existing: bytes | None
) -> None:
    blobs = Blobs(tmp_path)
    if existing is not None:
        blobs.put("a", existing)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, step, full)
    with pytest.raises(OSError, match="No space left"):
        blobs.put("a", b"new")
    assert read_or_none(blobs, "a") == existing
    assert names(tmp_path) == ([] if existing is None else ["a"])


def test_an_object_store_is_used_through_its_url() -> None:
    blobs = Blobs("memory://")
    assert blobs.local is None
    for path in ("log/b", "log/a", "log/.c.tmp", "d"):
        blobs.put(path, path.encode())
    blobs.put("d", b"replaced")
    assert blobs.get("d") == b"replaced"
    assert paths(blobs, "log/") == ["log/a", "log/b"]
    assert paths(blobs, "log/", after="log/a") == ["log/b"]
    assert read_or_none(blobs, "absent") is None
    assert not blobs.exists("absent")


@pytest.mark.parametrize("place", ["folder", "memory://"])
def test_a_view_shows_the_bytes_of_a_file(tmp_path: Path, place: str) -> None:
    blobs = Blobs(place if "://" in place else tmp_path / place)
    blobs.put("log/a", b"some bytes")
    blobs.put("empty", b"")
    blobs.put("large", b"some bytes" * 100_000)
    assert blobs.view("log/a").to_pybytes() == b"some bytes"
    assert blobs.view("empty").size == 0
    assert blobs.view("large").to_pybytes() == b"some bytes" * 100_000
    with pytest.raises(FileNotFoundError):
        blobs.view("log/b")


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: Blobs(path.parent).put(path.name, b"new")])
def test_a_view_stays_as_it_was_when_the_file_is_removed_or_replaced(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    blobs = Blobs(tmp_path)
    blobs.put("a", b"old" * 100_000)
    view = blobs.view("a")
    change(tmp_path / "a")
    assert view.to_pybytes() == b"old" * 100_000


def test_a_file_that_cannot_be_mapped_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs(tmp_path)
    data = b"some bytes" * 10_000
    blobs.put("a", data)

    def refused(_: str) -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(module.pa, "memory_map", refused)
    assert blobs.view("a").to_pybytes() == data


def test_only_where_reading_means_waiting_are_several_files_read_at_a_time(tmp_path: Path) -> None:
    assert Blobs(tmp_path).readers == 1
    assert Blobs("memory://").readers > 1
