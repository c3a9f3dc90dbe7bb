"""Where do the bytes of a run lie, and how is a file made complete or absent?

1. A place is a local folder or an object-store URL (`s3://`, `gs://`, `az://`); obstore reads and lists all of them.
2. `view` maps a local file into memory, so that of a file of many columns only the pages of the column wanted are read.
3. `put` on an object store is one PUT. On a local folder it is: temporary name, flush, fsync, rename, fsync of the
   folder. (obstore's own local `put` renames too, but never fsyncs: after a power loss the file could be empty.)
4. Temporary names begin with a dot and are never listed.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from obstore.store import LocalStore, from_url

READERS = 8

MAPPED_BYTES = 1 << 16
"""Files of fewer bytes are read whole: a process may have some 65,000 mappings, and a run has more small files."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file in a listing. `modified` is in UTC."""

    path: str
    size_bytes: int
    modified: datetime


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
        self._store: Any = from_url(text) if is_url else None

    @property
    def readers(self) -> int:
        """How many files to read at a time: in an object store the time goes into waiting, here into one processor."""
        return 1 if self.local is not None else READERS

    def get(self, path: str) -> bytes:
        """All bytes of a file; FileNotFoundError if there is none."""
        return cast(bytes, self._readable().get(path).bytes().to_bytes())

    def view(self, path: str) -> pa.Buffer:
        """All bytes of a file for reading some of them soon; FileNotFoundError if there is none.

        The file must not be cut short in place meanwhile: touching what is gone ends the process. The files of a run
        are replaced by renaming and removed, if at all, whole: both leave what has been mapped as it was.
        """
        if self.local is None:
            return pa.py_buffer(self.get(path))
        place = self.local / path
        if place.stat().st_size < MAPPED_BYTES:
            return pa.py_buffer(place.read_bytes())
        try:
            return pa.memory_map(str(place)).read_buffer()
        except OSError:
            return pa.py_buffer(place.read_bytes())  # there are network folders whose files cannot be mapped

    def put(self, path: str, data: bytes) -> None:
        """Write a file, completely or not at all. An existing one of this name is replaced in one step."""
        if self.local is None:
            self._store.put(path, data)
        else:
            _put_local(self.local / path, data)

    def exists(self, path: str) -> bool:
        """Is there such a file?"""
        try:
            self._readable().head(path)
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str = "", *, after: str | None = None) -> list[Blob]:
        """Files below the folder `prefix`, sorted by path, only those after the path `after` where given."""
        if self.local is not None and not self.local.is_dir():
            return []
        pages = self._readable().list(prefix or None, offset=after)
        found = [Blob(meta["path"], meta["size"], meta["last_modified"]) for page in pages for meta in page]
        return sorted((blob for blob in found if not _is_temporary(blob.path)), key=lambda blob: blob.path)

    def name(self, path: str) -> str:
        """How a file is named to people."""
        return f"{self.place}/{path}"

    def _readable(self) -> Any:
        if self._store is None:
            if self.local is None or not self.local.is_dir():
                raise FileNotFoundError(f"no folder {self.place}.")
            self._store = LocalStore(self.local)
        return self._store


def read_or_none(blobs: Blobs, path: str) -> bytes | None:
    """The bytes of a file, or None where there is none."""
    try:
        return blobs.get(path)
    except FileNotFoundError:
        return None


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
