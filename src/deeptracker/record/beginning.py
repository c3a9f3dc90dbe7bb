"""Where does a new recorder begin: a new run, or a branch of one that is there?

1. Without `resume` the place must hold no run yet.
2. With `resume=n` the run at the place gets a branch that starts at n; it must be a run of the same layers, by name.
   Its network (so their order), samples and class names are kept. The branch dumps at n only where the run shows no
   dump there.
3. `resume=n` where there is no run begins one at n, and says so.
4. Of several processes rank 0 finds out, and writes; the others are told.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deeptracker.errors import RunExistsError
from deeptracker.record.schedule import Schedule
from deeptracker.record.trouble import warn_user
from deeptracker.record.versions import copy_samples, next_version, same_layers, version_with
from deeptracker.schema import Branch, Layer, Network, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.samples import Samples, read_samples

if TYPE_CHECKING:  # it needs torch, which arrays are recorded without
    from deeptracker.record.ranks import Ranks


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a run begins or goes on. `network` and `samples` are those of the run, None where it has none yet.

    It shows so many `dumps` already, the `newest` at that iteration (-1: none).
    Nothing is written before `write`.
    """

    log: LogWriter
    info: RunInfo
    iteration: int
    dumps: int
    newest: int
    has_dump: bool
    has_scalars: bool
    network: Network | None
    samples: Samples | None

    def write(self, network: Network) -> None:
        """Begin: write `run.json` and `network.json`; OSError where that cannot be."""
        self.log.write_info(self.info)
        self.log.write_network(network)


def begin(
    blobs: Blobs,
    layers: Sequence[Layer],
    *,
    resume: Any,
    name: str | None,
    config: dict[str, Any] | None,
    class_names: Sequence[str] | None,
    schedule: Schedule,
    says: bool = True,
) -> Beginning:
    """Find out how to begin or continue a run; RunExistsError or ValueError where that cannot be.

    `says`: that there is none to resume.
    """
    start = 0 if resume is None else operator.index(resume)
    if start < 0:
        raise ValueError(f"resume must be an iteration >= 0. Got {start}.")
    branch = Branch(start, datetime.now(UTC).isoformat(timespec="milliseconds"))
    names = None if class_names is None else tuple(str(x) for x in class_names)
    if not blobs.exists("run.json"):
        if resume is not None and says:
            warn_user(f"there is no run in {blobs.place} to resume; a new one begins at iteration {start}.")
        info = RunInfo(
            name=name or blobs.place.rsplit("/", 1)[-1] or "run",
            created=branch.created,
            branches=(branch,),
            config=dict(config or {}),
            class_names=names,
            every=str(schedule),
            next_iteration=schedule.next_after(start),
        )
        return Beginning(LogWriter(blobs), info, start, 0, -1, False, False, None, None)
    if resume is None:
        raise RunExistsError(
            f"{blobs.place} must be free for a new run. It holds one already. "
            "Continue it with resume=ITERATION, the iteration of your checkpoint, or record to another folder."
        )
    return _continued(blobs, layers, branch, schedule, name, config, names)


def begin_together(
    ranks: Ranks, run: str | os.PathLike[str], layers: Sequence[Layer], *, resume: Any, **arguments: Any
) -> tuple[Blobs, Beginning]:
    """Find out as `begin` does, on rank 0 for all processes; where to, and how.

    A run of other layers that is resumed may have a version with these (`versions.py`).
    """

    def found() -> tuple[str, dict[str, Any]]:
        blobs = (None if resume is None else version_with(run, layers)) or Blobs(run)
        begun = begin(blobs, layers, resume=resume, **arguments)
        return blobs.place, {name: getattr(begun, name) for name in Beginning.__slots__ if name != "log"}

    place, known = ranks.agreed(found)
    blobs = Blobs(place)
    branch = len(known["info"].branches) - 1
    return blobs, Beginning(log=LogWriter(blobs, branch, rank=ranks.rank, ranks=ranks.count), **known)


def begin_version(
    run: Blobs, layers: Sequence[Layer], iteration: int, info: RunInfo, schedule: Schedule
) -> tuple[Blobs, Beginning]:
    """Begin a run beside this one, for the same samples, now that the model has other layers; where to, and how."""
    blobs = next_version(run.place, layers)
    begun = begin(
        blobs,
        layers,
        resume=iteration,
        name=None,
        config=info.config,
        class_names=info.class_names,
        schedule=schedule,
        says=False,
    )
    if begun.samples is None:
        copy_samples(run, blobs)
    return blobs, begun


def _continued(
    blobs: Blobs,
    layers: Sequence[Layer],
    branch: Branch,
    schedule: Schedule,
    name: str | None,
    config: dict[str, Any] | None,
    class_names: tuple[str, ...] | None,
) -> Beginning:
    reader = LogReader(blobs)
    if reader.network is not None and not same_layers(reader.network.layers, layers):
        raise ValueError(
            f"a run must be resumed with the model that it was recorded from. The layers differ from those in "
            f"{blobs.name('network.json')}. Record to another folder; with resume=ITERATION the new run begins there."
        )
    info = reader.info.with_branch(branch)
    info = replace(
        info,
        name=name or info.name,
        config={**info.config, **(config or {})},
        class_names=info.class_names or class_names,
        every=str(schedule),
        next_iteration=schedule.next_after(branch.start),
    )
    shown = [dump.iteration for dump in reader.dumps if dump.iteration <= branch.start]
    return Beginning(
        LogWriter(blobs, len(info.branches) - 1),
        info,
        branch.start,
        dumps=len(shown),
        newest=max(shown, default=-1),
        has_dump=branch.start in shown,
        has_scalars=bool((reader.scalars()["iteration"] == branch.start).any()),
        network=reader.network,
        samples=read_samples(blobs),
    )
