"""Which runs lie below a root?

1. A run is a folder with a `run.json`; folders are searched a few levels deep, not through links. The root itself may
   be one.
2. A run's id is its path below the root. Ids are looked up among the runs found, so no id can reach outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deeptracker.store.blobs import Blobs

DEEPEST_FOLDER = 4


class Finder:
    """Finds the runs below a local folder or an object-store URL, over one connection."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._blobs: Blobs | None = None

    def ids(self) -> list[str]:
        """The ids of all runs, sorted; the root itself is ''. ObjectStoreError where the store cannot be used."""
        if "://" not in self._root:
            return sorted(_local_ids(Path(self._root)))
        self._blobs = self._blobs or Blobs(self._root)
        return sorted(_remote_ids(self._blobs))


def _local_ids(root: Path) -> Iterator[str]:
    pending = [(root, 0)]
    while pending:
        folder, depth = pending.pop()
        if (folder / "run.json").is_file():
            yield folder.relative_to(root).as_posix().removeprefix(".")
        elif depth < DEEPEST_FOLDER:
            try:
                below = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
            except OSError:
                continue  # a folder that may not be read holds no run that could be shown
            pending += [(entry, depth + 1) for entry in below if entry.is_dir() and not entry.is_symlink()]


def _remote_ids(blobs: Blobs) -> list[str]:
    """The same for an object store, one request a folder: a run's own thousands of files are never listed."""
    found: list[str] = []
    folders = [""]
    with ThreadPoolExecutor(blobs.readers) as pool:
        for depth in range(DEEPEST_FOLDER + 1):
            levels = list(zip(folders, pool.map(blobs.level, folders), strict=True))
            found += [folder for folder, level in levels if "run.json" in level.files]
            if depth < DEEPEST_FOLDER:
                open_levels = [one for one in levels if "run.json" not in one[1].files]
                folders = [f"{folder}/{name}".lstrip("/") for folder, level in open_levels for name in level.folders]
    return found
