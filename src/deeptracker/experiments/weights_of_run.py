"""Which file of weights is an experiment made with, and of which iteration is it?

1. A file that is named; what it says itself, or else `--at`, is its iteration.
2. Of a folder of checkpoints the one nearest to `--at`, or the last; iterations are found as an import finds them.
3. Else the run's own: what the recorder kept at trouble (`snapshots=`). Those of branches that training has left count
   up to where it left them.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deeptracker.experiments.errors import ExperimentError
from deeptracker.record.snapshots import Snapshot, find_snapshots
from deeptracker.record.weights import open_weights
from deeptracker.schema import Branch
from deeptracker.store.blobs import Blobs

_OWN = re.compile(r"weights/(\d{12})(?:\.branch(\d{3}))?\.safetensors")


@dataclass(frozen=True, slots=True)
class ChosenWeights:
    """A local file, what it is called to people, its iteration (None where nobody says), and a sentence or none."""

    path: str
    name: str
    iteration: int | None
    note: str | None = None

    @property
    def snapshot(self) -> Snapshot:
        """As a model is given it."""
        return Snapshot(self.iteration or 0, self.path)


@contextmanager
def chosen_weights(
    blobs: Blobs,
    branches: Sequence[Branch],
    *,
    weights: str | None = None,
    checkpoints: str | None = None,
    at: int | None = None,
    allow: Sequence[str] = (),
) -> Iterator[ChosenWeights]:
    """The weights of an experiment, here while it lasts; ExperimentError or SnapshotError where there are none."""
    if weights is not None and checkpoints is not None:
        raise ExperimentError("weights must come from one place. Got --weights and --checkpoints: leave one out.")
    if weights is not None:
        yield _named(weights, at, allow)
    elif checkpoints is not None:
        found = find_snapshots(checkpoints, allow=allow).snapshots
        nearest = found[_nearest([one.iteration for one in found], at)]
        yield ChosenWeights(nearest.path, nearest.path, nearest.iteration, _note(nearest.iteration, at))
    else:
        own = _own(blobs, branches)
        if not own:
            raise ExperimentError(
                f"there must be weights to experiment with. {blobs.place} has none (the recorder keeps some with "
                "flight=N, snapshots=BYTES). Give --weights FILE, or --checkpoints FOLDER."
            )
        iteration = list(own)[_nearest(list(own), at)]
        path, note = own[iteration], _note(iteration, at)
        if blobs.local is not None:
            yield ChosenWeights(str(blobs.local / path), path, iteration, note)
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.rpartition("/")[2]
            copy.write_bytes(blobs.get(path))
            yield ChosenWeights(str(copy), path, iteration, note)


def _named(path: str, at: int | None, allow: Sequence[str]) -> ChosenWeights:
    with open_weights(path, allow=allow) as file:
        said = set(file.said.values())
    iteration = said.pop() if len(said) == 1 else None
    if iteration is not None and at is not None and iteration != at:
        raise ExperimentError(
            f"--at must be the iteration of the weights. {path} says {iteration:,}, --at {at:,}. Leave out --at."
        )
    return ChosenWeights(path, path, at if iteration is None else iteration)


def _own(blobs: Blobs, branches: Sequence[Branch]) -> dict[int, str]:
    """Paths of the weights kept with a run, by iteration."""
    found: dict[int, tuple[int, str]] = {}
    for blob in blobs.list("weights/"):
        match = _OWN.fullmatch(blob.path)
        if match is None:
            continue
        iteration, branch = int(match[1]), int(match[2] or 0)
        ends = [later.start for later in branches[branch + 1 :]]
        if branch < len(branches) and iteration <= min(ends, default=iteration):
            found[iteration] = max(found.get(iteration, (-1, "")), (branch, blob.path))
    return {iteration: path for iteration, (_, path) in sorted(found.items())}


def _nearest(iterations: Sequence[int], at: int | None) -> int:
    """The place of the one that is nearest, the later one of two; of the last without `at`."""
    places = range(len(iterations))
    if at is None:
        return max(places, key=iterations.__getitem__)
    return min(places, key=lambda place: (abs(iterations[place] - at), -iterations[place]))


def _note(iteration: int, at: int | None) -> str | None:
    if at is None or at == iteration:
        return None
    return f"There are no weights of iteration {at:,}; the nearest are of iteration {iteration:,}."
