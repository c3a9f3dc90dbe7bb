"""How is a run copied with only some of its dumps?

1. `plan_thinning` lists what is copied: all files of the dumps to keep, their flights and the weights kept with these,
   scalars, samples and experiments whole, the network; of the branches only what counts. The index is not: it is
   rebuilt from the log. Nothing is written here.
2. `copy_run` copies file by file, each complete or absent, byte for byte, under the same names: checksums, branches and
   `parts` stay true.
3. `run.json` comes last, so a copy that was stopped is no run. It can be gone on with: files that are there already
   are compared with the source byte by byte, since another run's files may well have the same names and sizes.
4. The source is only read.

That a run was thinned is told by its `config`, under `thinned`: its `lost` says what could not be recorded, and nothing
was lost here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from deeptracker.errors import DeepTrackerError, LogFileError, RunExistsError
from deeptracker.schema import RunInfo
from deeptracker.store.blobs import Blob, Blobs
from deeptracker.store.listing import KINDS
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.space import files_by_kind

THINNED = "thinned"
"""The entry of a thinned run's `config`."""

_MEASURED_SINCE = "cosine, change, change_l1 and euclidean compare with the dump before in that run, kept or not."


@dataclass(frozen=True, slots=True)
class ThinningPlan:
    """What is going to be copied: `files` in order, then `run.json` as `info`. `kept` of `dumps` dumps."""

    files: tuple[Blob, ...]
    info: RunInfo
    kept: int
    dumps: int

    @property
    def bytes(self) -> int:
        """Bytes of the copy."""
        return sum(blob.size_bytes for blob in self.files) + len(self.info.to_json())


def plan_thinning(source: Blobs, iterations: Collection[int], *, rule: str) -> ThinningPlan:
    """Plan to keep the dumps at these iterations; `rule` says in words how they were chosen."""
    log = LogReader(source)
    kept = [dump for dump in log.dumps if dump.iteration in iterations]
    found = files_by_kind(source, log)
    chosen = {path for dump in kept for paths in dump.paths.values() for path in paths}
    flights = [log.flights[dump.iteration].path for dump in kept if dump.iteration in log.flights]
    chosen |= {*flights, *(f"weights/{PurePosixPath(path).stem}.safetensors" for path in flights)}
    files = [blob for blob in found["documents"] if blob.path == "network.json"]
    files += [*found["samples"], *found["scalars"], *found["experiments"]]
    files += [blob for kind in (*KINDS, "flights", "weights") for blob in found[kind] if blob.path in chosen]
    told = f"{len(kept)} of {len(log.dumps)} dumps of {source.place} were kept by {rule}. {_MEASURED_SINCE}"
    return ThinningPlan(tuple(files), _thinned_info(log.info, told), len(kept), len(log.dumps))


def check_target(source: Blobs, target: Blobs, plan: ThinningPlan, *, resume: bool) -> None:
    """Raise unless the thinned run may be written there: RunExistsError, or DeepTrackerError that says how to go on."""
    if _lies_within(target, source) or _lies_within(source, target):
        raise DeepTrackerError(
            f"{target.place} must lie apart from {source.place}. Give another place for the new run."
        )
    there = {blob.path for blob in target.list()}
    if "run.json" in there:
        raise RunExistsError(f"{target.place} must be free for a new run. It holds one already. Give another place.")
    strange = sorted(there - {blob.path for blob in plan.files})
    if strange and (resume or not _looks_like_a_copy(there)):
        whose = "an unfinished copy of this thinning" if resume else "empty, or absent"
        raise DeepTrackerError(
            f"{target.place} must be {whose}. It holds {strange[0]}"
            f"{f' and {len(strange) - 1} more' if len(strange) > 1 else ''}. Remove it, or give another place."
        )
    if there and not resume:
        raise DeepTrackerError(
            f"{target.place} must be empty, or absent. It holds {len(there)} files and no run.json: a copy that was "
            "stopped. Go on with the same command and --resume, or remove it."
        )


def copy_run(
    source: Blobs, target: Blobs, plan: ThinningPlan, *, resume: bool = False, on_bytes: Callable[[int], None]
) -> None:
    """Copy what was planned; `on_bytes` is given the size of each file that is done.

    DeepTrackerError where a file cannot be written, or differs from what an unfinished copy holds.
    """
    check_target(source, target, plan, resume=resume)
    there = {blob.path for blob in target.list()} if resume else set()
    pool = ThreadPoolExecutor(max(source.readers, target.readers))
    try:
        begun = {pool.submit(_copy, source, target, blob.path, blob.path in there): blob for blob in plan.files}
        for done in as_completed(begun):
            done.result()
            on_bytes(begun[done].size_bytes)
    finally:
        pool.shutdown(cancel_futures=True)
    with _Writing(target, "run.json"):
        LogWriter(target).write_info(plan.info)


def _copy(source: Blobs, target: Blobs, path: str, is_there: bool) -> None:
    try:
        data = source.get(path)
    except FileNotFoundError as error:
        raise LogFileError(f"{source.name(path)} must be there. It has been removed since it was listed.") from error
    if not is_there:
        with _Writing(target, path):
            target.put(path, data)
    elif target.get(path) != data:
        raise DeepTrackerError(
            f"{target.name(path)} must be a copy of {source.name(path)}. It differs: the copy was begun from another "
            f"run. Remove {target.place}, or give another place."
        )


class _Writing:
    """Turns the error of a write into one that says what is left and how to go on."""

    def __init__(self, target: Blobs, path: str) -> None:
        self.target, self.path = target, path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            why = error.strerror or str(error)
            raise DeepTrackerError(
                f"{self.target.name(self.path)} could not be written ({why}). The new run is unfinished, the old one "
                "untouched. Go on with the same command and --resume once it can be, or remove the new one."
            ) from error


def _thinned_info(info: RunInfo, told: str) -> RunInfo:
    before = info.config.get(THINNED)
    config = {**info.config, THINNED: told if before is None else f"{told} Before that: {before}"}
    info = replace(info, name=f"{info.name}, thinned", config=config, every=f"{info.every}, thinned".lstrip(", "))
    if info.state == "running":  # the copy would pass for a run that trains: its files have just been written
        return replace(info, state="failed", exception="the run was not closed when it was thinned")
    return info


def _looks_like_a_copy(there: set[str]) -> bool:
    return all(path == "network.json" or path.startswith(("log/", "samples/")) for path in there)


def _lies_within(inner: Blobs, outer: Blobs) -> bool:
    if inner.local is not None and outer.local is not None:
        return Path(inner.local).resolve().is_relative_to(Path(outer.local).resolve())
    return inner.place == outer.place or inner.place.startswith(f"{outer.place}/")
