"""Where do the bytes of a run lie, and how is a file made complete or absent?

1. A place is a local folder or an object-store URL (`s3://`, `gs://`, `az://`), which obstore reads and writes.
   What object stores need besides (a cache, errors in words) is in `remote.py`.
2. `view` maps a local file into memory, so that of a file of many columns only the pages of the column wanted are read.
   `range` reads some bytes and no more: in an object store it is one range request.
3. `put` on an object store is one PUT. On a local folder it is: temporary name, flush, fsync, rename, fsync of the
   folder. (obstore's own local `put` renames too, but never fsyncs: after a power loss the file could be empty.)
4. Temporary names begin with a dot and are never listed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from obstore.store import LocalStore

from deeptracker.store.remote import RemoteFiles, whole_range

READERS = 8

MAPPED_BYTES = 1 << 16
"""Files of fewer bytes are read whole: a process may have some 65,000 mappings, and a run has more small files."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file in a listing. `modified` is in UTC."""

    path: str
    size_bytes: int
    modified: datetime


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
        self._remote = RemoteFiles(self.place) if is_url else None
        self._opened: Any = None

    @property
    def readers(self) -> int:
        """How many files to read at a time: in an object store the time goes into waiting, here into one processor."""
        return 1 if self.local is not None else READERS

    def get(self, path: str) -> bytes:
        """All bytes of a file; FileNotFoundError if there is none."""
        if self._remote is not None:
            return self._remote.get(path)
        return cast(bytes, self._folder().get(path).bytes().to_bytes())

    def range(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes of a file from byte `start` on, in one request; thread-safe.

        Raises FileNotFoundError if there is no such file, LogFileError if it ends before, ValueError unless start >= 0
        and length >= 1.
        """
        if start < 0 or length < 1:
            raise ValueError(f"start must be >= 0 and length >= 1. Got {start} and {length}.")
        if self._remote is not None:
            return self._remote.range(path, start, length)
        with open(self._local_path(path), "rb") as file:
            file.seek(start)
            return whole_range(file.read(length), self.name(path), start, length, os.fstat(file.fileno()).st_size)

    def size(self, path: str) -> int:
        """How many bytes a file has; FileNotFoundError if there is none."""
        return self._local_path(path).stat().st_size if self._remote is None else self._remote.size(path)

    def view(self, path: str) -> pa.Buffer:
        """All bytes of a file for reading some of them soon; FileNotFoundError if there is none.

        The file must not be cut short in place meanwhile: touching what is gone ends the process. The files of a run
        are replaced by renaming and removed, if at all, whole: both leave what has been mapped as it was.
        """
        if self._remote is not None:
            return pa.py_buffer(self._remote.get(path))
        place = self._local_path(path)
        if place.stat().st_size < MAPPED_BYTES:
            return pa.py_buffer(place.read_bytes())
        try:
            return pa.memory_map(str(place)).read_buffer()
        except OSError:
            return pa.py_buffer(place.read_bytes())  # there are network folders whose files cannot be mapped

    def put(self, path: str, data: bytes) -> None:
        """Write a file, completely or not at all. An existing one of this name is replaced in one step."""
        if self._remote is not None:
            self._remote.put(path, data)
        else:
            _put_local(self._local_path(path), data)

    def exists(self, path: str) -> bool:
        """Is there such a file?"""
        return self._local_path(path).is_file() if self._remote is None else self._remote.exists(path)

    def list_temporary(self, prefix: str = "") -> list[Blob]:
        """What killed writers left below `prefix`, and what others write now; an object store has none of ours."""
        return [blob for blob in self._listed(prefix) if _is_temporary(blob.path)]

    def list(self, prefix: str = "", *, after: str | None = None) -> list[Blob]:
        """Files below the folder `prefix`, sorted by path, only those after the path `after` where given."""
        return [blob for blob in self._listed(prefix, after) if not _is_temporary(blob.path)]

    def level(self, folder: str = "") -> Level:
        """What lies right below a folder, nothing deeper: one request, however much there is. Empty if there is none.

        >>> import tempfile
        >>> blobs = Blobs(tempfile.mkdtemp())
        >>> blobs.put("log/filters/a.arrow", b""), blobs.put("log/b", b"")
        (None, None)
        >>> blobs.level("log")
        Level(files=('b',), folders=('filters',))
        """
        if self._remote is not None:
            found = self._remote.level(folder)
        elif self._local_path(folder).is_dir():
            found = self._folder().list_with_delimiter(folder or None)
        else:
            return Level((), ())
        paths = [meta["path"] for meta in found["objects"]]
        return Level(_names(paths), _names(found["common_prefixes"]))

    def name(self, path: str) -> str:
        """How a file is named to people."""
        return f"{self.place}/{path}"

    def _listed(self, prefix: str, after: str | None = None) -> Sequence[Blob]:
        if self._remote is None:
            found = _walked(self._local_path(""), prefix, after)
        else:
            metas = self._remote.list(prefix, after)
            found = (Blob(meta["path"], meta["size"], meta["last_modified"]) for meta in metas)
        return sorted(found, key=lambda blob: blob.path)

    def _local_path(self, path: str) -> Path:
        assert self.local is not None
        return self.local / path

    def _folder(self) -> Any:
        if self._opened is None:
            if not self._local_path("").is_dir():
                raise FileNotFoundError(f"no folder {self.place}.")
            self._opened = LocalStore(self.local)
        return self._opened


def read_or_none(blobs: Blobs, path: str) -> bytes | None:
    """The bytes of a file, or None where there is none."""
    try:
        return blobs.get(path)
    except FileNotFoundError:
        return None


def _walked(root: Path, prefix: str, after: str | None) -> Iterator[Blob]:
    """The files below a folder. (obstore's own walk hands every file from thread to thread: ten times as slow.)"""
    waiting = [prefix.strip("/")]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(root / folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                waiting.append(path)
            elif after is None or path > after:
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue  # removed meanwhile
                yield Blob(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _put_local(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name != "posix":
        return  # folders cannot be opened, so not fsynced, elsewhere
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _is_temporary(path: str) -> bool:
    return path.rsplit("/", 1)[-1].startswith(".")


def _names(paths: list[str]) -> tuple[str, ...]:
    names = (path.rsplit("/", 1)[-1] for path in paths)
    return tuple(sorted(name for name in names if not name.startswith(".")))
