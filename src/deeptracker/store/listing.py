"""Which files does a log have, and which dumps do they make? Asked again and again, while the log is being written.

1. Names say what a file is: kind, iteration in 12 digits, branch and rank (docs/format.md). What has no such name is
   foreign.
2. `update` lists from the newest complete dump on, so looking at a long log that hardly grew is cheap. When training
   was resumed the listing begins anew: the new branch may write before the newest dump that was known.
3. Of every branch the dumps up to where the next one begins are shown, and of two at one iteration the later branch's.
   The newest dump is shown once it is complete. So are those before it of which each process of a training writes its
   share, as one may be behind: or once a later one is complete, or so many came that it cannot be (`MOST_BEHIND`).
4. A flight counts where its dump is shown, of two at one iteration the later branch's.
5. Sizes and times are asked for when somebody wants to know them: that takes longer than all of this.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from deeptracker.errors import UnreadableFileError
from deeptracker.schema import Branch
from deeptracker.store.blobs import BEGINNING, Blob, Blobs

KINDS = ("predictions", "layers", "kernels", "filters")
"""Kinds of files that a dump may have, in the order in which they are written."""

_DUMP = {kind: re.compile(rf"log/{kind}/(\d{{12}})(?:\.branch(\d{{3}}))?(?:\.rank\d{{3,}})?\.arrow") for kind in KINDS}
_FLIGHTS = re.compile(r"log/flights/(\d{12})(?:\.branch(\d{3}))?\.arrow")
_SCALARS = re.compile(r"log/scalars/(\d{12})-(\d{12})(?:\.branch(\d{3}))?\.arrow")

MOST_BEHIND = 32
"""No process of a distributed training writes its predictions so many dumps after the others: its queue is shorter."""

SETTLED_NS = 2_000_000_000
"""A folder that changed less than two seconds before it was listed may change again without its time telling so."""

DumpKey = tuple[int, int]
"""Iteration and branch."""


@dataclass(frozen=True, slots=True)
class DumpFiles:
    """One dump as it lies in the log: the paths of its files by kind (several where several ranks wrote)."""

    iteration: int
    branch: int
    paths: Mapping[str, tuple[str, ...]]


class Listing:
    """The files seen so far: `dumps` by key and kind, `flights` by key, `scalars` with first iteration and branch.

    `foreign` are paths that have no name of a log's, `unreadable` what is wrong with folders that cannot be listed.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._branches: tuple[Branch, ...] = ()
        self._begin()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files seen."""
        self._measure()
        return self._size_bytes

    @property
    def modified(self) -> datetime:
        """When the newest of them was written, in UTC."""
        self._measure()
        return self._modified

    @property
    def files(self) -> int:
        """How many files were seen."""
        return len(self._seen)

    def update(self, branches: tuple[Branch, ...]) -> None:
        """Look for new files of a run that has these branches.

        Folders are listed one after the other while a recorder writes. So only what is older than a dump that was known
        before is known to be whole, or cut off.
        """
        if branches != self._branches:
            self._branches = branches
            self._begin()
        self.unreadable.clear()
        self._newest_before = max((key[0] for key in self._kept()), default=0)
        for kind in KINDS:
            # From the newest dump that has this kind on: an evaluation may hand in its predictions after later dumps.
            newest = self._newest.get(kind)
            prefix = f"log/{kind}/"
            self._add_dump_files(kind, self._new(prefix, None if newest is None else f"{prefix}{newest:012d}"))
        self._add_flights(self._new("log/flights/", self._newest_flight(len(branches) - 1)))
        # Files of the branches before may have later names than those that the newest branch is going to write.
        newest_branch = len(branches) - 1
        written = (path for path, (_, branch) in self.scalars.items() if branch == newest_branch)
        self._add_scalars_files(self._new("log/scalars/", max(written, default=None)))

    def shown(self, is_complete: Callable[[DumpKey], bool]) -> tuple[DumpFiles, ...]:
        """The dumps to show, by iteration; `is_complete` is asked for those that may be the newest."""
        kept, newest = self._kept(), self._newest_before
        settled = kept[-MOST_BEHIND - 1][0] if len(kept) > MOST_BEHIND else -1
        whole: list[DumpKey] = []
        for key in reversed(kept):
            is_before = key[0] < newest and (key[0] <= settled or not self._has_shares(key))
            if is_before or key in self._complete or is_complete(key):
                whole.append(key)
                settled = settled if is_before else max(settled, key[0])
        keys = sorted(dict(reversed(whole)).items())
        for key in set(keys) - self._complete:
            for kind in self.dumps[key]:
                self._newest[kind] = max(self._newest.get(kind, 0), key[0])
        self._complete.update(keys)
        return tuple(self._files_of(key) for key in keys)

    def followed(self, branches: tuple[Branch, ...], is_complete: Callable[[DumpKey], bool]) -> tuple[DumpFiles, ...]:
        """`update`, and what is `shown` then. Once more where an older dump lacks something: is it being written?"""
        for _ in range(2):
            self.update(branches)
            shown, kept = self.shown(is_complete), self._kept()
            if all(key[0] == kept[-1][0] or key in self._complete for key in kept):
                break
        return shown

    def _kept(self) -> list[DumpKey]:
        """The dumps that count as far as branches go, by iteration."""
        ends = [self.end_of(branch) for branch in range(len(self._branches))]
        return sorted(key for key in self.dumps if key[1] < len(ends) and key[0] <= ends[key[1]])

    def flights_that_count(self) -> dict[int, Blob]:
        """By iteration of their dump, ascending: the flights of branches that go as far, of several the last one's."""
        return {key[0]: self.flights[key] for key in sorted(self.flights) if key[0] <= self.end_of(key[1])}

    def end_of(self, branch: int) -> float:
        """The last iteration that is shown of a branch; of one that run.json does not know yet, none."""
        if branch >= len(self._branches):
            return -1
        return min((later.start for later in self._branches[branch + 1 :]), default=float("inf"))

    def _has_shares(self, key: DumpKey) -> bool:
        return any(".rank" in path for path in self.dumps[key].get("predictions", ()))

    def _begin(self) -> None:
        self.dumps: dict[DumpKey, dict[str, tuple[str, ...]]] = {}
        self.flights: dict[DumpKey, Blob] = {}
        self.scalars: dict[str, DumpKey] = {}
        self.foreign: set[str] = set()
        self.unreadable: dict[str, str] = {}
        self._complete: set[DumpKey] = set()
        self._newest_before = 0
        self._newest: dict[str, int] = {}
        self._listed: dict[str, int] = {}
        self._made: dict[DumpKey, DumpFiles] = {}
        self._seen: set[str] = set()
        self._unmeasured: list[Blob] = []
        self._size_bytes = 0
        self._modified = BEGINNING

    def _new(self, prefix: str, after: str | None) -> list[Blob]:
        """The files below a folder that were not seen before. A folder that has not changed is not listed again."""
        changed = self._blobs.changed_ns(prefix)
        if changed is not None and changed == self._listed.get(prefix):
            return []
        began = time.time_ns()
        try:
            found = [blob for blob in self._blobs.list(prefix, after=after) if blob.path not in self._seen]
        except UnreadableFileError as error:
            self.unreadable[prefix] = str(error)
            return []
        if changed is not None and began - changed > SETTLED_NS:
            self._listed[prefix] = changed
        return found

    def _add_dump_files(self, kind: str, found: list[Blob]) -> None:
        pattern = _DUMP[kind]
        for blob in found:
            path = blob.path
            match = pattern.fullmatch(path)
            if match is None:
                self.foreign.add(path)
                continue
            iteration, branch = match.groups("0")
            key = int(iteration), int(branch)
            files = self.dumps.get(key)
            if files is None:
                self.dumps[key] = files = {}
            elif key in self._made:
                del self._made[key]
            if key in self._complete:
                self._newest[kind] = max(self._newest.get(kind, 0), key[0])
            files[kind] = tuple(sorted((*files[kind], path))) if kind in files else (path,)
            self._seen.add(path)
            self._unmeasured.append(blob)

    def _newest_flight(self, branch: int) -> str | None:
        """The last that was seen of the newest branch: those of branches before it may have later names."""
        return max((blob.path for key, blob in self.flights.items() if key[1] == branch), default=None)

    def _add_flights(self, found: list[Blob]) -> None:
        for blob in found:
            match = _FLIGHTS.fullmatch(blob.path)
            if match is None:
                self.foreign.add(blob.path)
                continue
            iteration, branch = match.groups("0")
            self.flights[int(iteration), int(branch)] = blob
            self._seen.add(blob.path)
            self._unmeasured.append(blob)

    def _add_scalars_files(self, found: list[Blob]) -> None:
        for blob in found:
            match = _SCALARS.fullmatch(blob.path)
            if match is None:
                self.foreign.add(blob.path)
                continue
            self.scalars[blob.path] = int(match[1]), int(match[3] or 0)
            self._seen.add(blob.path)
            self._unmeasured.append(blob)

    def _files_of(self, key: DumpKey) -> DumpFiles:
        if key not in self._made:
            self._made[key] = DumpFiles(*key, self.dumps[key].copy())
        return self._made[key]

    def _measure(self) -> None:
        for blob in self._unmeasured:
            self._size_bytes += blob.size_bytes
            self._modified = max(self._modified, blob.modified)
        self._unmeasured.clear()
