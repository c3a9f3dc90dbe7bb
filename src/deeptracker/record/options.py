"""What may be asked of a recorder that a trainer's callback makes?

A callback takes the options of `Recorder` and hands them on when training begins. That is late to find out that one is
wrong, so names and schedule are checked when the callback is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from deeptracker.record.schedule import as_schedule

PER_EPOCH = "7/epoch"
"""When a callback records unless it is told: a trainer knows how long an epoch is."""


class RecorderOptions(TypedDict, total=False):
    """Those of `Recorder` that callbacks hand on as they are."""

    example_input: Any
    steps_per_epoch: int
    name: str
    config: dict[str, Any]
    class_names: Sequence[str]
    preprocess: Callable[[Any], Any]
    normalisation: tuple[Any, Any]
    batch_size: int
    index: bool
    strict: bool


def check_options(every: Any, options: RecorderOptions) -> None:
    """TypeError for an option that `Recorder` does not have, ValueError or TypeError for no schedule."""
    as_schedule(every, steps_per_epoch=options.get("steps_per_epoch", 1))
    unknown = sorted(options.keys() - RecorderOptions.__annotations__.keys())
    if unknown:
        known = ", ".join(sorted(RecorderOptions.__annotations__))
        raise TypeError(f"options must be those of the recorder: {known}. Got {', '.join(unknown)}.")


def completed(options: RecorderOptions, steps: int | None, class_names: Sequence[str] | None = None) -> RecorderOptions:
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
