"""What may be asked of a recorder that a trainer's callback makes?

A callback takes the options of its recorder and hands them on when training begins. That is late to find out that one
is wrong, so names and schedule are checked when the callback is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict, TypeVar

from deeptracker.record.alerts import AlertOptions, OnFinding
from deeptracker.record.schedule import as_schedule

PER_EPOCH = "7/epoch"
"""When a callback records unless it is told: a trainer knows how long an epoch is."""


class ArrayOptions(TypedDict, total=False):
    """Those of `ArrayRecorder` that callbacks hand on as they are."""

    steps_per_epoch: int
    name: str
    config: dict[str, Any]
    class_names: Sequence[str]
    normalisation: tuple[Any, Any]
    index: bool
    on_finding: OnFinding
    stop_on: Any
    webhook: str
    strict: bool


class RecorderOptions(ArrayOptions, total=False):
    """Those of `Recorder`."""

    example_input: Any
    preprocess: Callable[[Any], Any]
    batch_size: int
    flight: int
    snapshots: int


Options = TypeVar("Options", ArrayOptions, RecorderOptions)


def check_options(every: Any, options: ArrayOptions | RecorderOptions, known: type = RecorderOptions) -> None:
    """TypeError for an option that is none of those known, ValueError or TypeError for no schedule."""
    as_schedule(every, steps_per_epoch=options.get("steps_per_epoch", 1))
    unknown = sorted(options.keys() - known.__annotations__.keys())
    if unknown:
        names = ", ".join(sorted(known.__annotations__))
        raise TypeError(f"options must be those of the recorder: {names}. Got {', '.join(unknown)}.")
    AlertOptions.checked(options.get("on_finding"), options.get("stop_on"), options.get("webhook"))


def completed(options: Options, steps: int | None, class_names: Sequence[str] | None = None) -> Options:
    """The options with what the trainer knows of the length of an epoch and of names, where they do not say it."""
    found = options.copy()
    if steps is not None:
        found.setdefault("steps_per_epoch", steps)
    if class_names is not None:
        found.setdefault("class_names", class_names)
    return found


def steps_in(batches: float | None, accumulated: int) -> int | None:
    """Optimizer steps in an epoch of so many batches; None where these are not known."""
    return -(-int(batches) // accumulated) if batches is not None and 0 < batches < float("inf") else None
