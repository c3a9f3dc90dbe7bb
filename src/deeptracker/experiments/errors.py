"""What can go wrong with an experiment, and is neither the run's nor the snapshot's fault?"""

from __future__ import annotations

from deeptracker.errors import DeepTrackerError


class ExperimentError(DeepTrackerError, ValueError):
    """An experiment that cannot be made with this model, these weights or these filters."""
