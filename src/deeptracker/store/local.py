"""How are the files below a local folder read, written and listed?

1. Large files are mapped into memory, which saves copying them. `view` has all of it read ahead (Arrow sees to that),
   `sparse_view` nothing, so that of many columns only the pages of the one wanted are read. `expect` has the system
   fetch bytes from the disk while others are worked on.
2. Writing is: temporary name, flush, fsync, rename, fsync of the folder. (obstore's own local `put` renames too, but
   never fsyncs: after a power loss the file could be empty.)
3. Listing tells names only: to ask for sizes and times as well would take six times as long. Links to folders are
   followed, except one that leads back to a folder it lies in.
4. What the system refuses to read is an UnreadableFileError, in words; what is not there is FileNotFoundError.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pyarrow as pa

from deeptracker.errors import UnreadableFileError
from deeptracker.store.remote import whole_range

MAPPED_BYTES = 1 << 16
"""Files of fewer bytes are read whole: a process may have some 65,000 mappings, and a run has more small files."""

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")
"""What `put_file` calls a file until it is complete."""

_Identity = tuple[int, int]


class LocalFiles:
    """The files below a folder, which need not be there yet."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, path: str) -> bytes:
        """All bytes of a file."""
        with self._told(path):
            return (self._root / path).read_bytes()

    def range(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on; LogFileError where the file has fewer."""
        with self._told(path), open(f"{self._root}/{path}", "rb", buffering=0) as file:
            file.seek(start)
            data = file.read(length)
            if len(data) == length:
                return data
            return whole_range(data, self._name(path), start, length, os.fstat(file.fileno()).st_size)

    def expect(self, path: str, start: int, length: int) -> None:
        """Let the system fetch these bytes, without waiting for them; only a hint, which nobody need take."""
        if not hasattr(os, "posix_fadvise"):
            return
        with suppress(OSError):
            file = os.open(f"{self._root}/{path}", os.O_RDONLY)
            try:
                os.posix_fadvise(file, start, length, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(file)

    def view(self, path: str) -> pa.Buffer:
        """All bytes of a file, mapped into memory where it is large and read ahead; see `Blobs.view`."""
        with self._told(path):
            place = f"{self._root}/{path}"
            if os.stat(place).st_size >= MAPPED_BYTES:
                with suppress(OSError):  # there are network folders whose files cannot be mapped
                    return pa.memory_map(place).read_buffer()
            return pa.py_buffer(Path(place).read_bytes())

    def sparse_view(self, path: str) -> pa.Buffer:
        """The same, but nothing is read ahead; see `Blobs.sparse_view`."""
        with self._told(path), open(f"{self._root}/{path}", "rb", buffering=0) as file:
            with suppress(OSError):
                if os.fstat(file.fileno()).st_size >= MAPPED_BYTES:
                    return pa.py_buffer(mmap(file.fileno(), 0, access=ACCESS_READ))
            return pa.py_buffer(file.read())

    def part_view(self, path: str) -> pa.Buffer:
        """The same; see `Blobs.part_view`."""
        return self.sparse_view(path)

    def size(self, path: str) -> int:
        """How many bytes a file has."""
        with self._told(path):
            return (self._root / path).stat().st_size

    def exists(self, path: str) -> bool:
        """Is there such a file?"""
        return os.path.isfile(self._root / path)

    def changed_ns(self, folder: str) -> int | None:
        """When the folder itself last changed; 0 where there is none, None where that cannot be told."""
        try:
            return (self._root / folder).stat().st_mtime_ns
        except FileNotFoundError:
            return 0
        except OSError:
            return None

    def put(self, path: str, data: bytes) -> None:
        """Write a file, completely or not at all; OSError where it cannot be."""
        put_file(self._root / path, data)

    def remove_temporary(self, prefix: str, older_than_seconds: float) -> None:
        """Remove what killed writers left below a folder; see `Blobs.remove_temporary`."""
        newest = time.time() - older_than_seconds
        for _, files in self.walk(prefix):
            for entry in files:
                with suppress(OSError):  # it is gone already, or not ours to remove: it does no harm
                    if _TEMPORARY.fullmatch(entry.name) and entry.stat().st_mtime < newest:
                        os.unlink(entry.path)

    def walk(self, prefix: str) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
        """Every folder from this one down that has files, with a slash behind it unless it is the root; its files."""
        waiting: list[tuple[str, tuple[_Identity | None, ...]]] = [(prefix.strip("/"), ())]
        while waiting:
            folder, above = waiting.pop()
            before = f"{folder}/" if folder else ""
            files, folders = self._entries(folder)
            if files:
                yield before, files
            above = above or ((_identity(self._root / folder),) if folders else ())
            for entry in folders:
                own = _identity(entry.path)
                if own is not None and own not in above:
                    waiting.append((before + entry.name, (*above, own)))

    def level(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of the files and of the folders right below a folder; both empty if there is none."""
        files, folders = self._entries(folder.strip("/"))
        return [entry.name for entry in files], [entry.name for entry in folders]

    def _entries(self, folder: str) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
        """Files and folders right below a folder. What is neither is left out: a link to nowhere, or to itself."""
        files, folders = [], []
        try:
            with self._told(folder), os.scandir(self._root / folder) as entries:
                for entry in entries:
                    try:
                        if entry.is_file():
                            files.append(entry)
                        elif entry.is_dir():
                            folders.append(entry)
                    except OSError:
                        continue  # a link into a circle of links, or to where we may not look
        except FileNotFoundError:
            pass
        return files, folders

    def _name(self, path: str) -> str:
        return f"{self._root}/{path}" if path else str(self._root)

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(f"no file {self._name(path)}.") from error
        except OSError as error:
            raise UnreadableFileError(
                f"{self._name(path)} must be readable. The system says: {error.strerror or error}. "
                "Check who may read it, and the disk."
            ) from error


def _identity(folder: str | Path) -> _Identity | None:
    """What tells a folder from all others, whatever it is called; None where it has been removed meanwhile."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def put_file(path: Path, data: bytes) -> None:
    """Write a file, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"  # as _TEMPORARY
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
