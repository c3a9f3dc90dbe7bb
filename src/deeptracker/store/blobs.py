"""Where do the bytes of a run lie, and how is a file made complete or absent?

1. A place is a local folder (`local.py`) or an object-store URL (`s3://`, `gs://`, `az://`; `remote.py`).
2. `view` maps a local file into memory; `sparse_view` does so where only some of its pages are going to be read.
   `range` reads some bytes and no more: in an object store it is one range request.
3. `put` makes a file complete or absent: one PUT, or a rename of what is on the disk already.
4. Temporary names begin with a dot and are never listed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

import pyarrow as pa

from deeptracker.store.local import LocalFiles
from deeptracker.store.remote import RemoteFiles

READERS = 8

BEGINNING = datetime.min.replace(tzinfo=UTC)


class Blob:
    """A file in a listing: its `path`.

    Size and time of a local file are asked of the system when first wanted, as that takes longer than to list it.
    """

    __slots__ = ("_status", "path")

    def __init__(self, path: str, status: os.DirEntry[str] | tuple[int, datetime]) -> None:
        self.path = path
        self._status = status

    @property
    def size_bytes(self) -> int:
        """How long it is; 0 where it has been removed meanwhile."""
        return self._known()[0]

    @property
    def modified(self) -> datetime:
        """When it was written, in UTC; BEGINNING where it has been removed meanwhile."""
        return self._known()[1]

    def _known(self) -> tuple[int, datetime]:
        if not isinstance(self._status, tuple):
            try:
                found = self._status.stat()
                self._status = found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)
            except OSError:
                self._status = 0, BEGINNING
        return self._status


ListOfBlobs = list[Blob]


@dataclass(frozen=True, slots=True)
class Level:
    """The names of the files and folders right below a folder, sorted."""

    files: tuple[str, ...]
    folders: tuple[str, ...]


class Blobs:
    """The files below one place.

    >>> import tempfile
    >>> blobs = Blobs(tempfile.mkdtemp())
    >>> blobs.put("log/a.txt", b"hello")
    >>> blobs.get("log/a.txt"), [blob.path for blob in blobs.list("log/")]
    (b'hello', ['log/a.txt'])
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        text = os.fspath(place)
        is_url = "://" in text and not text.startswith("file://")
        self.place = text.removeprefix("file://").rstrip("/") or "/"
        self.local = None if is_url else Path(self.place)
        self._files = RemoteFiles(self.place) if is_url else LocalFiles(Path(self.place))

    @property
    def readers(self) -> int:
        """How many files to read at a time: in an object store the time goes into waiting, here into one processor."""
        return 1 if self.local is not None else READERS

    def get(self, path: str) -> bytes:
        """All bytes of a file; FileNotFoundError if there is none.

        This and all that reads: UnreadableFileError where the system refuses, ObjectStoreError where a store does.
        """
        return self._files.get(path)

    def range(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes of a file from byte `start` on, in one request; thread-safe.

        Raises FileNotFoundError if there is no such file, LogFileError if it ends before, ValueError unless start >= 0
        and length >= 1.
        """
        if start < 0 or length < 1:
            raise ValueError(f"start must be >= 0 and length >= 1. Got {start} and {length}.")
        return self._files.range(path, start, length)

    def expect(self, path: str, start: int, length: int) -> None:
        """These bytes will be read soon: a hint to a local disk, which then reads several at a time."""
        if isinstance(self._files, LocalFiles):
            self._files.expect(path, start, length)

    def size(self, path: str) -> int:
        """How many bytes a file has; FileNotFoundError if there is none."""
        return self._files.size(path)

    def view(self, path: str) -> pa.Buffer:
        """All bytes of a file for reading them soon; FileNotFoundError if there is none.

        The file must not be cut short in place meanwhile: touching what is gone ends the process. The files of a run
        are replaced by renaming and removed, if at all, whole: both leave what has been mapped as it was.
        """
        return self._files.view(path)

    def sparse_view(self, path: str) -> pa.Buffer:
        """As `view`, for reading a small part of the bytes soon, and not to be held for long: the file stays open."""
        return self._files.sparse_view(path)

    def part_view(self, path: str) -> pa.Buffer | pa.PythonFile:
        """As `sparse_view`, for a file so large that it is not to be fetched whole from an object store either."""
        return self._files.part_view(path)

    def put(self, path: str, data: bytes) -> None:
        """Write a file, completely or not at all. An existing one of this name is replaced in one step."""
        self._files.put(path, data)

    def exists(self, path: str) -> bool:
        """Is there such a file?"""
        return self._files.exists(path)

    def changed_ns(self, folder: str) -> int | None:
        """When a file was last added to a folder, or taken from it (ns): 0 without a folder, None if unknown."""
        return self._files.changed_ns(folder)

    def list_temporary(self, prefix: str = "") -> list[Blob]:
        """What killed writers left below `prefix`, and what others write now; an object store has none of ours."""
        return self._listed(prefix, temporary=True)

    def remove_temporary(self, prefix: str, *, older_than_seconds: float) -> None:
        """Remove what killed writers left below the folder `prefix`, if it is so old that nobody can be writing it.

        Only files that `put` has named, in a local folder; one that the system refuses to remove stays.
        """
        if isinstance(self._files, LocalFiles):
            self._files.remove_temporary(prefix, older_than_seconds)

    def list(self, prefix: str = "", *, after: str | None = None) -> list[Blob]:
        """Files below the folder `prefix`, sorted by path, only those after the path `after` where given."""
        return self._listed(prefix, after)

    def level(self, folder: str = "") -> Level:
        """What lies right below a folder, nothing deeper: one request, however much there is. Empty if there is none.

        >>> import tempfile
        >>> blobs = Blobs(tempfile.mkdtemp())
        >>> blobs.put("log/filters/a.arrow", b""), blobs.put("log/b", b"")
        (None, None)
        >>> blobs.level("log")
        Level(files=('b',), folders=('filters',))
        """
        files, folders = self._files.level(folder)
        return Level(_shown(files), _shown(folders))

    def name(self, path: str) -> str:
        """How a file is named to people."""
        return f"{self.place}/{path}"

    def _listed(self, prefix: str, after: str | None = None, *, temporary: bool = False) -> ListOfBlobs:
        if isinstance(self._files, LocalFiles):
            found = [
                Blob(before + entry.name, entry)
                for before, entries in self._files.walk(prefix)
                for entry in entries
                if entry.name.startswith(".") == temporary and (after is None or before + entry.name > after)
            ]
        else:
            metas = self._files.list(prefix, after)
            found = [
                Blob(meta["path"], (meta["size"], meta["last_modified"]))
                for meta in metas
                if meta["path"].rsplit("/", 1)[-1].startswith(".") == temporary
            ]
        return sorted(found, key=attrgetter("path"))


def read_or_none(blobs: Blobs, path: str) -> bytes | None:
    """The bytes of a file, or None where there is none."""
    try:
        return blobs.get(path)
    except FileNotFoundError:
        return None


def _shown(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if not name.startswith(".")))
