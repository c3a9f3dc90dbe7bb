"""Which scalars do TensorBoard's event files hold, resumed and overlapping files merged?

1. Files are read by TensorBoard's own loader, event after event, so memory holds the scalars and nothing else. One that
   is cut short is read as far as it goes, as TensorBoard does.
2. A folder's files are one training, in the order in which they were begun. From the first step of a file on, what
   files before it say is dropped, if they have any tag in common: training was resumed there. So does TensorBoard where
   a writer told that it was restarted; `purge_step` of torch's writer counts as the first step.
3. Files without a common tag are of different writers beside each other, and both are kept.
4. Tags of a folder below carry its name: `validation/loss`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from deeptracker.errors import DeepTrackerError

Scalars = dict[str, dict[int, float]]
"""Values by tag and step."""

_IN_NAMES = "tfevents"
_START = 1  # SessionLog.START


class EventFileError(DeepTrackerError, ValueError):
    """Event files that are not there, or hold nothing that can be used."""


@dataclass(slots=True)
class _File:
    """The scalars of one file; `first` is the first step, or the one from which a writer purged."""

    began: float
    path: str
    scalars: Scalars = field(default_factory=dict)
    first: int | None = None


def read_scalars(logdir: str | os.PathLike[str], *, on_file: Callable[[int, int], None] | None = None) -> Scalars:
    """All scalars of a folder and those below it; `on_file` is told files done and in all.

    EventFileError where there are no event files or no scalars, DeepTrackerError where TensorBoard is not installed.
    """
    root = Path(logdir)
    paths = sorted(path for path in root.rglob("*") if _IN_NAMES in path.name and path.is_file())
    if not paths:
        raise EventFileError(f"{logdir} must hold event files (*{_IN_NAMES}*), or folders that do. There is none.")
    loader, make_array = _tensorboard()
    folders: dict[Path, list[_File]] = {}
    for done, path in enumerate(paths, 1):
        folders.setdefault(path.parent, []).append(_read(path, loader, make_array))
        if on_file is not None:
            on_file(done, len(paths))
    found: Scalars = {}
    for folder, files in folders.items():
        prefix = "" if folder == root else f"{folder.relative_to(root).as_posix()}/"
        found |= {f"{prefix}{tag}": values for tag, values in _merged(files).items() if values}
    if not found:
        raise EventFileError(f"{logdir} must hold scalars. Its {len(paths)} event files have none.")
    return found


def _merged(files: list[_File]) -> Scalars:
    """The scalars of one folder, later files first where both have something."""
    merged: Scalars = {}
    for file in sorted(files, key=lambda file: (file.began, file.path)):
        if file.first is not None and merged.keys() & file.scalars.keys():
            merged = {tag: _before(values, file.first) for tag, values in merged.items()}
        for tag, values in file.scalars.items():
            merged.setdefault(tag, {}).update(values)
    return merged


def _read(path: Path, loader: Any, make_array: Any) -> _File:
    file = _File(float("inf"), str(path))
    kinds: dict[str, str] = {}
    for event in loader(str(path)).Load():
        file.began = min(file.began, event.wall_time)
        if event.HasField("session_log") and event.session_log.status == _START:
            file.scalars = {tag: _before(values, event.step) for tag, values in file.scalars.items()}
            file.first = event.step if file.first is None else min(file.first, event.step)
        for tag, value in _scalars_of(event, kinds, make_array):
            file.scalars.setdefault(tag, {})[event.step] = value
            file.first = event.step if file.first is None else min(file.first, event.step)
    return file


def _scalars_of(event: Any, kinds: dict[str, str], make_array: Any) -> Iterator[tuple[str, float]]:
    """Tag and number of each scalar of an event; what kind a tag is of is said the first time only."""
    if not event.HasField("summary"):
        return
    for value in event.summary.value:
        kind = kinds.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
        if value.HasField("simple_value"):
            yield value.tag, float(value.simple_value)
        elif kind == "scalars" and value.HasField("tensor"):
            array = make_array(value.tensor)
            if array.size == 1:
                yield value.tag, float(array.reshape(-1)[0])


def _before(values: dict[int, float], step: int) -> dict[int, float]:
    return {at: value for at, value in values.items() if at < step}


def _tensorboard() -> tuple[Any, Any]:
    try:
        loader = import_module("tensorboard.backend.event_processing.event_file_loader")
        tensors = import_module("tensorboard.util.tensor_util")
    except ImportError as error:
        raise DeepTrackerError(
            "event files are read by TensorBoard, which is missing. pip install 'deeptracker[tensorboard]'"
        ) from error
    return loader.EventFileLoader, tensors.make_ndarray
