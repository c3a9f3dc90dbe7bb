"""Which files does a log have, and which dumps do they make? Asked again and again, while the log is being written.

1. Names say what a file is: kind, iteration in 12 digits, branch and rank (docs/format.md). What has no such name is
   foreign.
2. `update` lists from the newest complete dump on, so looking at a long log that hardly grew is cheap. When training
   was resumed the listing begins anew: the new branch may write before the newest dump that was known.
3. Of every branch the dumps up to where the next one begins are shown, and of two at one iteration the later branch's.
   The newest dump is shown once it is complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from deeptracker.schema import Branch
from deeptracker.store.blobs import Blob, Blobs

KINDS = ("predictions", "layers", "kernels", "filters")
"""Kinds of files that a dump may have, in the order in which they are written."""

_DUMP = re.compile("log/(" + "|".join(KINDS) + r")/(\d{12})(?:\.branch(\d{3}))?(?:\.rank(\d{3}))?\.arrow")
_SCALARS = re.compile(r"log/scalars/(\d{12})-(\d{12})(?:\.branch(\d{3}))?\.arrow")

DumpKey = tuple[int, int]
"""Iteration and branch."""


@dataclass(frozen=True, slots=True)
class DumpFiles:
    """One dump as it lies in the log: the paths of its files by kind (several where several ranks wrote)."""

    iteration: int
    branch: int
    paths: Mapping[str, tuple[str, ...]]


class Listing:
    """The files seen so far: `dumps` by key and kind, `scalars` with first iteration and branch, `foreign` ones."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._branches: tuple[Branch, ...] = ()
        self._begin()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files seen."""
        return sum(self._sizes.values())

    @property
    def files(self) -> int:
        """How many files were seen."""
        return len(self._sizes)

    def update(self, branches: tuple[Branch, ...]) -> None:
        """Look for new files of a run that has these branches."""
        if branches != self._branches:
            self._branches = branches
            self._begin()
        for kind in KINDS:
            # From the newest dump that has this kind on: an evaluation may hand in its predictions after later dumps.
            newest = max((key[0] for key in self._complete if kind in self.dumps[key]), default=None)
            prefix = f"log/{kind}/"
            for blob in self._blobs.list(prefix, after=None if newest is None else f"{prefix}{newest:012d}"):
                self._add_dump_file(blob)
        # Files of the branches before may have later names than those that the newest branch is going to write.
        newest_branch = len(branches) - 1
        written = (path for path, (_, branch) in self.scalars.items() if branch == newest_branch)
        for blob in self._blobs.list("log/scalars/", after=max(written, default=None)):
            self._add_scalars_file(blob)

    def shown(self, is_complete: Callable[[DumpKey], bool]) -> tuple[DumpFiles, ...]:
        """The dumps to show, by iteration; `is_complete` is asked for those that may be the newest."""
        kept = sorted(key for key in self.dumps if key[0] <= self.end_of(key[1]))
        newest = kept[-1][0] if kept else 0
        whole = (key for key in kept if key[0] < newest or key in self._complete or is_complete(key))
        keys = sorted(dict(whole).items())
        self._complete.update(keys)
        return tuple(
            DumpFiles(*key, {kind: tuple(sorted(paths)) for kind, paths in self.dumps[key].items()}) for key in keys
        )

    def end_of(self, branch: int) -> float:
        """The last iteration that is shown of a branch; of one that run.json does not know yet, none."""
        if branch >= len(self._branches):
            return -1
        return min((later.start for later in self._branches[branch + 1 :]), default=float("inf"))

    def _begin(self) -> None:
        self.dumps: dict[DumpKey, dict[str, list[str]]] = {}
        self.scalars: dict[str, DumpKey] = {}
        self.foreign: set[str] = set()
        self.modified = datetime.min.replace(tzinfo=UTC)
        self._sizes: dict[str, int] = {}
        self._complete: set[DumpKey] = set()

    def _add_dump_file(self, blob: Blob) -> None:
        match = _DUMP.fullmatch(blob.path)
        if match is None:
            self.foreign.add(blob.path)
            return
        paths = self.dumps.setdefault((int(match[2]), int(match[3] or 0)), {}).setdefault(match[1], [])
        if blob.path not in paths:
            paths.append(blob.path)
        self._seen(blob)

    def _add_scalars_file(self, blob: Blob) -> None:
        match = _SCALARS.fullmatch(blob.path)
        if match is None:
            self.foreign.add(blob.path)
            return
        self.scalars[blob.path] = int(match[1]), int(match[3] or 0)
        self._seen(blob)

    def _seen(self, blob: Blob) -> None:
        self._sizes[blob.path] = blob.size_bytes
        self.modified = max(self.modified, blob.modified)
