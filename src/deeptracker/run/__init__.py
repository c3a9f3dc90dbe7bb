"""What does a run say? The one place that reads it: numpy in the documented shapes, from log and analysis.

1. A run is opened from its folder or object-store URL; `refresh` looks for new dumps, so a run can be followed while it
   trains. Every call answers for what was seen at the last refresh.
2. Dumps are numbered in the order of their iterations (`iterations`). Arrays over time have one column a dump; a dump
   without the thing asked for has NaN (or -1, for predicted classes).
3. What costs time is kept: answers over filters grow with the run, dump by dump (store/rows.py); flip events and orders
   are kept until it has grown.

What is common to all runs is in opened.py, what concerns classes and samples in classes.py, filters and layers in
filters.py, both together in correlation.py, which class is taken for which in confusion.py, many dumps in few columns
in levels.py and class_levels.py, and what came just before a dump that showed trouble in flights.py. What rules find in
all of it is in findings.py, what was tried on filters in experiments.py.
"""

from __future__ import annotations

import os

from deeptracker.run.class_levels import ClassLevelAnswers
from deeptracker.run.classes import WINDOWS
from deeptracker.run.confusion import ConfusionAnswers
from deeptracker.run.experiments import ExperimentAnswers
from deeptracker.run.findings import FindingAnswers
from deeptracker.run.flights import FlightAnswers
from deeptracker.run.levels import LevelAnswers

__all__ = ["WINDOWS", "Run", "open_run"]


class Run(FindingAnswers, ExperimentAnswers, FlightAnswers, LevelAnswers, ClassLevelAnswers, ConfusionAnswers):
    """A run, read-only. Not safe for several threads at once: the caller holds a lock."""


def open_run(place: str | os.PathLike[str], *, branch: int | None = None) -> Run:
    """Open the run in a folder or at an object-store URL; `RunNotFoundError` if there is none.

    Training that is resumed abandons what it had done after that iteration. It stays on disk: with `branch` the run is
    as it was before (0: before it was first resumed). `UnknownNameError` for a branch that there is not.
    """
    return Run(place, branch)
