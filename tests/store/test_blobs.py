"""A file is complete or absent, whatever happens while it is written; a listing shows only what is complete."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from deeptracker.errors import LogFileError, UnreadableFileError
from deeptracker.store import blobs as module
from deeptracker.store import cache, local
from deeptracker.store.blobs import BEGINNING, Blobs, Level, read_or_none
from deeptracker.store.remote import RemoteFiles

View = Callable[[Blobs, str], pa.Buffer]


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


VIEWS = pytest.mark.parametrize("view", [Blobs.view, Blobs.sparse_view], ids=["view", "sparse_view"])


@VIEWS
@pytest.mark.parametrize("place", ["folder", "memory://"])
def test_a_view_shows_the_bytes_of_a_file(tmp_path: Path, place: str, view: View) -> None:
    blobs = Blobs(place if "://" in place else tmp_path / place)
    blobs.put("log/a", b"some bytes")
    blobs.put("empty", b"")
    blobs.put("large", b"some bytes" * 100_000)
    assert view(blobs, "log/a").to_pybytes() == b"some bytes"
    assert view(blobs, "empty").size == 0
    assert view(blobs, "large").to_pybytes() == b"some bytes" * 100_000
    with pytest.raises(FileNotFoundError):
        view(blobs, "log/b")


@VIEWS
@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: Blobs(path.parent).put(path.name, b"new")])
def test_a_view_stays_as_it_was_when_the_file_is_removed_or_replaced(
    tmp_path: Path, change: Callable[[Path], None], view: View
) -> None:
    blobs = Blobs(tmp_path)
    blobs.put("a", b"old" * 100_000)
    found = view(blobs, "a")
    change(tmp_path / "a")
    assert found.to_pybytes() == b"old" * 100_000


@VIEWS
def test_a_file_that_cannot_be_mapped_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: View) -> None:
    blobs = Blobs(tmp_path)
    data = b"some bytes" * 10_000
    blobs.put("a", data)

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(local, "mmap", refused)
    monkeypatch.setattr(local.pa, "memory_map", refused)
    assert view(blobs, "a").to_pybytes() == data


def test_only_where_reading_means_waiting_are_several_files_read_at_a_time(tmp_path: Path) -> None:
    assert Blobs(tmp_path).readers == 1
    assert Blobs("memory://").readers > 1


PLACES = ["folder", "memory://"]


def at(place: str, tmp_path: Path) -> Blobs:
    return Blobs(place if "://" in place else tmp_path / place)


@pytest.mark.parametrize("place", PLACES)
def test_a_range_is_those_bytes_and_size_how_many_there_are(tmp_path: Path, place: str) -> None:
    blobs = at(place, tmp_path)
    blobs.put("log/a", b"0123456789")
    blobs.put("log/empty", b"")
    for start, end in ((0, 10), (0, 1), (9, 10), (3, 7)):
        assert blobs.range("log/a", start, end - start) == b"0123456789"[start:end]
    assert blobs.size("log/a") == 10
    assert blobs.size("log/empty") == 0


@pytest.mark.parametrize("is_cached_whole", [False, True])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("start", "length"), [(8, 3), (0, 11), (10, 1), (1000, 1)])
def test_a_range_beyond_the_end_says_how_long_the_file_is(
    tmp_path: Path, place: str, start: int, length: int, is_cached_whole: bool
) -> None:
    blobs = at(place, tmp_path)
    blobs.put("log/a", b"0123456789")
    if is_cached_whole:
        blobs.get("log/a")
    with pytest.raises(LogFileError, match=rf"log/a must have {start + length} bytes or more\. It has 10: it is cut"):
        blobs.range("log/a", start, length)
    assert blobs.range("log/a", 0, 10) == b"0123456789"


@pytest.mark.parametrize("place", PLACES)
def test_a_range_of_nothing_or_of_no_file_is_an_error(tmp_path: Path, place: str) -> None:
    blobs = at(place, tmp_path)
    blobs.put("log/a", b"0123456789")
    for start, length in ((-1, 2), (0, 0), (3, -1)):
        with pytest.raises(ValueError, match=rf"start must be >= 0 and length >= 1\. Got {start} and {length}\."):
            blobs.range("log/a", start, length)
    for question in (lambda: blobs.range("log/b", 0, 1), lambda: blobs.size("log/b"), lambda: blobs.get("log/b")):
        with pytest.raises(FileNotFoundError, match="log/b"):
            question()


@pytest.mark.parametrize("place", PLACES)
def test_a_level_shows_what_lies_right_below_and_nothing_hidden(tmp_path: Path, place: str) -> None:
    blobs = at(place, tmp_path)
    for path in ("run.json", ".x", "b/c/d", "b/a", "b/.hidden/e", "a/f"):
        blobs.put(path, b"")
    assert blobs.level() == Level(("run.json",), ("a", "b"))
    assert blobs.level("b") == Level(("a",), ("c",))
    assert blobs.level("nowhere") == Level((), ())


def test_temporary_files_are_listed_apart(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    assert Blobs(tmp_path / "nowhere").list_temporary() == []
    blobs.put("log/a", b"")
    (tmp_path / "log" / ".b.0123.tmp").write_bytes(b"half")
    assert [(blob.path, blob.size_bytes) for blob in blobs.list_temporary()] == [("log/.b.0123.tmp", 4)]
    assert blobs.list_temporary("other/") == []


def test_links_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    run, elsewhere = Blobs(tmp_path / "run"), Blobs(tmp_path / "elsewhere")
    run.put("log/a", b"1")
    elsewhere.put("b", b"22")
    elsewhere.put("deeper/c", b"333")
    (tmp_path / "run/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run/again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run/log/file").symlink_to(tmp_path / "elsewhere/b")
    (tmp_path / "run/log/up").symlink_to(tmp_path / "run")
    (tmp_path / "elsewhere/deeper/back").symlink_to(tmp_path / "run")
    (tmp_path / "run/log/itself").symlink_to(tmp_path / "run/log/itself")
    (tmp_path / "run/log/nowhere").symlink_to(tmp_path / "gone")
    assert {blob.path: blob.size_bytes for blob in run.list()} == {
        "again/b": 2, "again/deeper/c": 3, "linked/b": 2, "linked/deeper/c": 3, "log/a": 1, "log/file": 2
    }  # fmt: skip
    assert run.level("log") == Level(("a", "file"), ("up",))


def test_a_file_that_is_removed_after_it_was_listed_has_no_bytes(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for name in "ab":
        blobs.put(name, b"some")
    first, second = blobs.list()
    assert first.size_bytes == 4
    for name in "ab":
        (tmp_path / name).unlink()
    assert (first.size_bytes, second.size_bytes) == (4, 0)
    assert first.modified > second.modified == BEGINNING


READS: list[Callable[[Blobs], object]] = [
    lambda blobs: blobs.get("log/a"),
    lambda blobs: blobs.range("log/a", 0, 1),
    lambda blobs: blobs.view("log/a"),
    lambda blobs: blobs.sparse_view("log/a"),
]


@pytest.mark.parametrize("read", READS)
def test_what_stands_in_the_place_of_a_file_is_told_in_words(tmp_path: Path, read: Callable[[Blobs], object]) -> None:
    (tmp_path / "log/a").mkdir(parents=True)
    with pytest.raises(UnreadableFileError, match=r"log/a must be readable\. The system says: Is a directory\. Check"):
        read(Blobs(tmp_path))


@pytest.mark.parametrize("read", [*READS, lambda blobs: blobs.list("log/"), lambda blobs: blobs.level("log")])
def test_what_may_not_be_read_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Blobs], object]
) -> None:
    blobs = Blobs(tmp_path)
    blobs.put("log/a", b"some")

    def refused(place: object, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(place))

    monkeypatch.setattr(local.os, "scandir", refused)
    monkeypatch.setattr(local, "open", refused, raising=False)
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(UnreadableFileError, match=r"log(/a)? must be readable\. The system says: Permission denied\."):
        read(blobs)


@pytest.mark.parametrize("place", PLACES)
def test_a_hint_changes_nothing_whether_or_not_there_is_such_a_file(tmp_path: Path, place: str) -> None:
    blobs = at(place, tmp_path)
    blobs.put("log/a", b"0123456789")
    for path, start, length in (("log/a", 2, 3), ("log/a", 1000, 1), ("log/b", 0, 1), ("log", 0, 1)):
        blobs.expect(path, start, length)
    assert blobs.range("log/a", 2, 3) == b"234"
    assert paths(blobs) == ["log/a"]


class Counting:
    """A store that counts what is asked of it, and can keep the answer back."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.asked: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def get(self, path: str, **options: Any) -> Any:
        self.asked.append(path)
        assert self.may_answer.wait(20)
        return self.store.get(path, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Blobs, Counting]]:
    """An object store with a cache of 100 bytes, and what is asked of it."""
    monkeypatch.setattr(cache, "FETCHED", cache.ByteCache(100))
    blobs = Blobs("memory://")
    assert isinstance(blobs._files, RemoteFiles)
    blobs._files._store = store = Counting(blobs._files._store)
    yield blobs, store
    assert cache.FETCHED.size_bytes <= 100


@pytest.mark.parametrize("path", ["log/filters/a.arrow", "samples/labels.arrow", "index/v1/change/c/0/0"])
def test_files_that_are_written_once_are_fetched_once(fetched: tuple[Blobs, Counting], path: str) -> None:
    blobs, store = fetched
    blobs.put(path, b"0123456789")
    for _ in range(2):
        assert blobs.range(path, 2, 3) == b"234"
    assert store.asked == [path]
    assert blobs.get(path) == blobs.view(path).to_pybytes() == b"0123456789"
    assert blobs.range(path, 5, 2) == b"56"  # out of the whole file
    assert store.asked == [path] * 2


@pytest.mark.parametrize("path", ["run.json", "network.json", "index/zarr.json", "index/change/zarr.json"])
def test_files_that_are_replaced_are_fetched_each_time(fetched: tuple[Blobs, Counting], path: str) -> None:
    blobs, store = fetched
    for text in (b"first", b"later"):
        store.store.put(path, text)  # another process
        assert blobs.get(path) == text
        assert blobs.range(path, 0, 2) == text[:2]
    store.store.put(path, b"longer")
    assert blobs.size(path) == 6
    assert cache.FETCHED.size_bytes == 0


def test_the_cache_is_bounded_and_its_limit_can_be_set(fetched: tuple[Blobs, Counting]) -> None:
    blobs, store = fetched
    for name in "abc":
        blobs.put(f"log/{name}", name.encode() * 40)
    for name in ("a", "b", "a", "c", "a"):  # c pushes b out, which was used before a
        blobs.get(f"log/{name}")
    assert store.asked == ["log/a", "log/b", "log/c"]
    assert cache.FETCHED.size_bytes == 80
    blobs.get("log/b")
    assert store.asked[3:] == ["log/b"]
    cache.FETCHED.limit_bytes = 0
    assert cache.FETCHED.size_bytes == 0
    for _ in range(2):
        blobs.get("log/a")
    assert store.asked[4:] == ["log/a"] * 2


def test_what_one_writes_oneself_is_not_answered_from_the_cache(fetched: tuple[Blobs, Counting]) -> None:
    blobs, _ = fetched
    for text in (b"first", b"second time"):
        blobs.put("log/a", text)
        assert blobs.get("log/a") == text
        assert blobs.range("log/a", 0, 4) == text[:4]
        assert blobs.size("log/a") == len(text)


def test_two_that_open_one_place_share_nothing(fetched: tuple[Blobs, Counting]) -> None:
    blobs, store = fetched
    blobs.put("log/a", b"first")
    assert blobs.get("log/a") == b"first"
    store.store.put("log/a", b"recorded anew")
    again = Blobs("memory://")
    assert isinstance(again._files, RemoteFiles)
    again._files._store = store
    assert again.get("log/a") == b"recorded anew"


def test_a_file_that_is_missing_or_cut_short_is_asked_for_again(fetched: tuple[Blobs, Counting]) -> None:
    blobs, store = fetched
    with pytest.raises(FileNotFoundError):
        blobs.get("log/a")
    store.store.put("log/a", b"0123")
    with pytest.raises(LogFileError):
        blobs.range("log/a", 2, 4)
    store.store.put("log/a", b"012345")
    assert blobs.range("log/a", 2, 4) == b"2345"
    store.store.delete("log/a")
    assert not blobs.exists("log/a")


def test_the_same_range_asked_for_at_the_same_time_is_fetched_once(fetched: tuple[Blobs, Counting]) -> None:
    blobs, store = fetched
    blobs.put("log/a", b"0123456789")
    store.may_answer.clear()
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(blobs.range, "log/a", start, 5) for start in (0, 5) * 8]
        while len(store.asked) < 2:
            time.sleep(0.001)
        store.may_answer.set()
        assert [answer.result() for answer in answers] == [b"01234", b"56789"] * 8
    assert len(store.asked) == 2


def test_only_what_killed_writers_left_long_ago_is_removed(tmp_path: Path) -> None:
    old, kept = (
        ".zarr.json.0123abcd.tmp",
        [".zarr.json.0123abcd.keep", ".0123abcd.tmp", "a.0123abcd.tmp", ".a.0123.tmp"],
    )
    for folder in ("index/group/change/c", "log/filters"):
        (tmp_path / folder).mkdir(parents=True)
        for name in (old, *kept):
            path = tmp_path / folder / name
            path.write_bytes(b"x")
            os.utime(path, (0, 0))
    new = tmp_path / "index" / ".0.89abcdef.tmp"
    new.write_bytes(b"x")
    Blobs(tmp_path).remove_temporary("index/", older_than_seconds=3600)
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == sorted([new.name, old, *kept, *kept])
    assert not (tmp_path / "index/group/change/c" / old).exists()
    Blobs(tmp_path / "nothing").remove_temporary("index/", older_than_seconds=0)
