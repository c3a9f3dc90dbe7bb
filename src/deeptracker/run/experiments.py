"""What was tried on a run's filters? (paper, 8.2: inactivated, and validated again)

Experiments are made and stored by `deeptracker ablate`; nothing here runs a model. They may come after the run has
ended, so which there are is looked up at every question; a file never changes, so it is read once.
"""

from __future__ import annotations

import os

from deeptracker.errors import LogFileError
from deeptracker.run.opened import OpenedRun
from deeptracker.store.experiments import Experiment, experiment_paths


class ExperimentAnswers(OpenedRun):
    """Experiments on filters."""

    def __init__(self, place: str | os.PathLike[str], branch: int | None = None) -> None:
        super().__init__(place, branch)
        self._experiments: dict[str, Experiment] = {}

    def experiments(self) -> tuple[Experiment, ...]:
        """All that were stored with the run, the newest first; one that cannot be read is left out, and in
        `warnings`."""
        found = {}
        for path in reversed(experiment_paths(self._blobs)):
            known = self._experiments.get(path) or self._read_experiment(path)
            if known is not None:
                found[path] = known
        self._experiments = found
        return tuple(found.values())

    def _read_experiment(self, path: str) -> Experiment | None:
        try:
            found = Experiment.from_json(self._blobs.get(path), place=self._blobs.name(path))
        except FileNotFoundError:
            return None  # removed since it was listed
        except LogFileError as error:
            self._log.note_problem(path, str(error))
            return None
        self._log.forget_problem(path)
        return found
