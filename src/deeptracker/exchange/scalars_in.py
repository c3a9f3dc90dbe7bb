"""How do scalars that another tool logged get into a run: one that is there, or a new one of scalars alone?

1. A step is an iteration. A tag is a name, as it is or renamed; `lr` is what the learning rate must be called to be
   seen as stages.
2. What a run has stays: it was recorded, or imported before. Values that it lacks are written, so importing again takes
   up what has come since; how many values differ is told.
3. Files of scalars have their first and last iteration as a name, and none is overwritten: where the name is taken, the
   file gets one more row, of an iteration that the run has, without values.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deeptracker.errors import DeepTrackerError
from deeptracker.exchange.event_files import Scalars
from deeptracker.schema import Branch, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader, LogWriter

SCALARS_FROM = "scalars_from"
"""The entry of `config` that tells where scalars were imported from."""

LAST_ITERATION = 10**12 - 1
_RESERVED = "iteration"

Rows = dict[int, dict[str, float]]


@dataclass(frozen=True, slots=True)
class ScalarsReport:
    """What was done: values `written`, `kept` (the run had them), and those of them that `differ`; names written."""

    written: int
    kept: int
    differ: int
    names: tuple[str, ...]
    is_new: bool


def import_scalars(
    scalars: Scalars, run: str | os.PathLike[str], *, source: str, rename: Mapping[str, str] | None = None
) -> ScalarsReport:
    """Write scalars into a run, or a new one; ValueError for a name or step that cannot be one."""
    blobs = Blobs(run)
    named = _named(scalars, rename or {})
    log = LogReader(blobs) if blobs.exists("run.json") else None
    known = {"iteration": np.zeros(0, np.int64)} if log is None else log.scalars()
    rows, kept, differ = _missing(named, known)
    info = _new_info(blobs, source) if log is None else log.info
    place = str(Path(source).absolute())
    if log is None:
        LogWriter(blobs).write_info(info)
    elif rows and place not in info.config.get(SCALARS_FROM, []):
        told = [*info.config.get(SCALARS_FROM, []), place]
        LogWriter(blobs).write_info(replace(info, config={**info.config, SCALARS_FROM: told}))
    if rows:
        _write(blobs, LogWriter(blobs, len(info.branches) - 1), rows, known["iteration"], len(info.branches) - 1)
    names = sorted({name for row in rows.values() for name in row})
    return ScalarsReport(sum(map(len, rows.values())), kept, differ, tuple(names), log is None)


def _named(scalars: Scalars, rename: Mapping[str, str]) -> Scalars:
    unknown = sorted(set(rename) - set(scalars))
    if unknown:
        raise ValueError(f"a tag to be renamed must be there. {unknown[0]} is not. There are: {', '.join(scalars)}.")
    found: Scalars = {}
    for tag, values in scalars.items():
        name = rename.get(tag, tag)
        if name == _RESERVED or not name or name in found:
            raise ValueError(
                f"each scalar must have a name of its own, other than {_RESERVED!r}. Two are, or one is, called "
                f"{name!r}. Rename: --rename {tag}=ANOTHER"
            )
        outside = next((step for step in values if not 0 <= step <= LAST_ITERATION), None)
        if outside is not None:
            raise ValueError(f"a step must be in 0..{LAST_ITERATION}. {tag} has {outside}.")
        found[name] = values
    return found


def _missing(named: Scalars, known: Mapping[str, npt.NDArray[np.generic]]) -> tuple[Rows, int, int]:
    """What the run lacks, and of what it has: how many values, and how many that differ."""
    rows: Rows = {}
    kept = differ = 0
    iterations = known["iteration"].tolist()
    for name, values in named.items():
        there = dict(zip(iterations, known[name].tolist(), strict=True)) if name in known else {}
        for step, value in values.items():
            before = there.get(step, math.nan)
            if math.isnan(before):
                if not math.isnan(value):
                    rows.setdefault(step, {})[name] = value
            else:
                kept += 1
                differ += not math.isclose(before, value, rel_tol=1e-6)  # event files have float32
    return rows, kept, differ


def _write(blobs: Blobs, log: LogWriter, rows: Rows, known: npt.NDArray[np.int64], branch: int) -> None:
    suffix = f".branch{branch:03d}" if branch else ""
    taken = {blob.path for blob in blobs.list("log/scalars/")}
    for more in (None, *known.tolist()):
        iterations = np.array(sorted({*rows} if more is None else {*rows, more}), np.int64)
        if f"log/scalars/{iterations[0]:012d}-{iterations[-1]:012d}{suffix}.arrow" in taken:
            continue
        names = sorted({name for row in rows.values() for name in row})
        log.write_scalars(
            iterations,
            {name: np.array([rows.get(int(i), {}).get(name, math.nan) for i in iterations]) for name in names},
        )
        return
    raise DeepTrackerError(
        f"a file of scalars must have a name that is free in {blobs.name('log/scalars/')}. All that fit are taken. "
        "Import into a new run."
    )


def _new_info(blobs: Blobs, source: str) -> RunInfo:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    name = Path(source).absolute().name
    return RunInfo(
        name, now, (Branch(0, now),), state="finished", config={SCALARS_FROM: [str(Path(source).absolute())]}
    )
