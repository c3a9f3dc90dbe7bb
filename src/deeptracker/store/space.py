"""What takes the space of a run?

1. Every file below the run belongs to one kind, by its name and by what counts (docs/format.md): the four kinds of a
   dump, flights, weights kept with them, scalars, samples, the two documents, experiments, the index, abandoned
   branches, temporary files, and foreign ones.
2. Files of dumps that a later branch has replaced are `abandoned`, and so are those of scalars of which no row counts.
   A dump that is being written counts for its kinds already.
3. The sizes of all kinds add up to the size of everything there, hidden files included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deeptracker.store.blobs import Blob, Blobs
from deeptracker.store.experiments import is_experiment
from deeptracker.store.listing import KINDS, Listing
from deeptracker.store.log import LogReader

OF_DUMPS = (*KINDS, "scalars", "index")
"""Kinds that grow with every dump."""

SPACE_KINDS = (
    *KINDS,
    "flights",
    "weights",
    "scalars",
    "samples",
    "documents",
    "experiments",
    "index",
    "abandoned",
    "temporary",
    "foreign",
)
"""`documents` are run.json and network.json, `temporary` the files whose names begin with a dot."""

_SAMPLES = re.compile(r"samples/(labels|pictures-\d{3,})\.arrow")
_WEIGHTS = re.compile(r"weights/\d{12}(\.branch\d{3})?\.safetensors")
_INDEX = re.compile(r"index[^/]*/")


@dataclass(frozen=True, slots=True)
class KindOfFile:
    """The files of one kind; `bytes_a_dump` is None for a kind that does not grow with the dumps."""

    kind: str
    files: int
    bytes: int
    bytes_a_dump: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Space:
    """What a run takes, one entry for each of SPACE_KINDS that has files; `dumps` are those that count."""

    kinds: tuple[KindOfFile, ...]
    dumps: int
    files: int
    bytes: int

    def of(self, kind: str) -> KindOfFile:
        """The files of a kind; ValueError unless it is one of SPACE_KINDS."""
        if kind not in SPACE_KINDS:
            raise ValueError(f"kind must be one of {', '.join(SPACE_KINDS)}. Got {kind!r}.")
        return next((one for one in self.kinds if one.kind == kind), KindOfFile(kind, 0, 0, None, 0.0))


def space_of(blobs: Blobs) -> Space:
    """List everything below a run; RunNotFoundError where there is none."""
    log = LogReader(blobs)
    found = files_by_kind(blobs, log)
    total = sum(blob.size_bytes for files in found.values() for blob in files)
    kinds = tuple(_sized(kind, files, len(log.dumps), total) for kind, files in found.items() if files)
    return Space(kinds, len(log.dumps), sum(kind.files for kind in kinds), total)


def files_by_kind(blobs: Blobs, log: LogReader) -> dict[str, list[Blob]]:
    """All files below a run whose log was read, by path, for each of SPACE_KINDS."""
    listing = Listing(blobs)
    listing.update(log.info.branches)
    known = _kinds_of_the_log(listing, {dump.iteration: dump.branch for dump in log.dumps})
    found: dict[str, list[Blob]] = {kind: [] for kind in SPACE_KINDS}
    for blob in blobs.list():
        found[known.get(blob.path) or _other_kind(blob.path)].append(blob)
    found["temporary"] = blobs.list_temporary()
    return found


def _kinds_of_the_log(listing: Listing, shown: dict[int, int]) -> dict[str, str]:
    """The kind of each file that has a name of the log; `shown` is the branch that counts at each iteration."""
    kinds = {}
    for (iteration, branch), files in listing.dumps.items():
        abandoned = iteration > listing.end_of(branch) or shown.get(iteration, branch) > branch
        for kind, paths in files.items():
            kinds.update(dict.fromkeys(paths, "abandoned" if abandoned else kind))
    flights = {blob.path for blob in listing.flights_that_count().values()}
    for blob in listing.flights.values():
        kinds[blob.path] = "flights" if blob.path in flights else "abandoned"
    for path, (first, branch) in listing.scalars.items():
        kinds[path] = "abandoned" if first > listing.end_of(branch) else "scalars"
    return kinds


def _other_kind(path: str) -> str:
    if path in ("run.json", "network.json"):
        return "documents"
    if _SAMPLES.fullmatch(path):
        return "samples"
    if _WEIGHTS.fullmatch(path):
        return "weights"
    if is_experiment(path):
        return "experiments"
    return "index" if _INDEX.match(path) else "foreign"


def _sized(kind: str, files: list[Blob], dumps: int, total: int) -> KindOfFile:
    size = sum(blob.size_bytes for blob in files)
    a_dump = size / dumps if kind in OF_DUMPS and dumps else None
    return KindOfFile(kind, len(files), size, a_dump, size / total if total else 0.0)
