"""Which errors does DeepTracker raise, and how do they read?

Every one says what must hold, what came, and the remedy. Each subclasses a builtin as well, so that callers who know
only Python can catch it. Wrong arguments are plain `ValueError` or `TypeError`.
"""

from __future__ import annotations


class DeepTrackerError(Exception):
    """The root: anything that DeepTracker itself finds wrong."""


class RunNotFoundError(DeepTrackerError, FileNotFoundError):
    """There is no run at this place."""


class RunExistsError(DeepTrackerError, FileExistsError):
    """A new run was asked for where one is already."""


class UnknownNameError(DeepTrackerError, KeyError):
    """A layer, measure, class or sample that this run does not have."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would print the message in quotes


class LogFileError(DeepTrackerError, ValueError):
    """A file of a run that cannot be used: cut short, empty, damaged, or not ours."""


class FormatVersionError(LogFileError):
    """A file of a run that another version of DeepTracker wrote."""


class UnreadableFileError(LogFileError, OSError):
    """A file of a run that the system refuses to read: not open to this user, or on a broken disk."""


class DatasetError(DeepTrackerError, ValueError):
    """A data set that cannot be found or read."""


class ObjectStoreError(DeepTrackerError, OSError):
    """An object store that cannot be used now: not reached, no such bucket, credentials that it refuses."""


class CompanionError(DeepTrackerError, RuntimeError):
    """A process that works beside a training or a server, and does not. `is_refused`: trying again will not help."""

    def __init__(self, text: str, *, is_refused: bool = False) -> None:
        super().__init__(text)
        self.is_refused = is_refused


class IndexNotBuiltError(CompanionError):
    """The index of a run that cannot be built; the log answers for it."""


class FindingsNotMadeError(CompanionError):
    """Findings of a run that cannot be looked for beside a training or a server."""
