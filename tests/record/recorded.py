"""Runs a training with and without the recorder, stopped and resumed: what a row of docs/trainings.md says of it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.store.blobs import Blobs
from deeptracker.store.listing import KINDS
from deeptracker.store.log import LogReader
from tests.record.trainings import BATCH, CHANGED_AT, TWO_RUNS, Training, batch

BATCHES = 9
EVERY = 2

Recipe = Callable[[], Training]


def validation() -> tuple[torch.Tensor, torch.Tensor]:
    return batch(5000)


def stops(training: Training) -> tuple[int, int]:
    """Two numbers of batches after which it has a checkpoint and a dump, goes on a little, and is begun again."""
    after = training.after
    due = [n for n in range(CHANGED_AT + 1, BATCHES) if after(n) % EVERY == 0 and after(n) > after(n - 1)]
    return due[0], due[1]


def trained(
    recipe: Recipe, run: Path | None, *, since: dict[str, Any] | None = None, until: int = BATCHES
) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """All that a training leaves behind, and its checkpoints by batches done."""
    torch.manual_seed(7)
    training = recipe()
    begun = 0
    if since is not None:
        begun = since["batches"]
        training.rebuild(begun)
        for name, one in training.stateful.items():
            one.load_state_dict(copy.deepcopy(since[name]))
        torch.set_rng_state(since["random"])
    recorder = None
    if run is not None:
        optimizers = training.optimizers if len(training.optimizers) > 1 else training.optimizers[0]
        resume = None if since is None else training.after(begun)
        recorder = Recorder(
            run, training.model, optimizers, validation=validation(), every=EVERY, resume=resume, **training.arguments
        )
    losses, checkpoints = [], {}
    for i in range(begun, until):
        losses.append(training.step(i).detach().clone())
        if recorder is not None:
            assert recorder.iteration == training.after(i + 1)
            recorder.log(loss=losses[-1])
        if i + 1 in stops(training):
            checkpoints[i + 1] = {**_state(training), "batches": i + 1}
    if recorder is not None:
        recorder.close()
    gradients = [parameter.grad for parameter in training.model.parameters()]
    flags = [module.training for module in training.model.modules()]
    return {**_state(training), "losses": losses, "gradients": gradients, "flags": flags}, checkpoints


def is_identical(recipe: Recipe, folder: Path) -> str:
    """Is the training the same, bit for bit, with and without the recorder?"""
    without, _ = trained(recipe, None)
    with_recorder, _ = _as_told(recipe, folder / "whole")
    return _answer(differing(without, with_recorder))


def has_all_dumps(recipe: Recipe, folder: Path) -> str:
    """Has the run that `is_identical` recorded every dump, with all of its parts?"""
    last = recipe().after(BATCHES)
    wrong = []
    for place, iterations in _expected(recipe, folder / "whole", last).items():
        reader = LogReader(Blobs(place))
        found = [dump.iteration for dump in reader.dumps]
        if found != iterations:
            wrong.append(f"dumps {found} instead of {iterations}")
        wrong += [f"{d.iteration} has {sorted(d.paths)}" for d in reader.dumps if set(d.paths) != set(KINDS)]
        wrong += reader.check() if reader.info.state == "finished" else [reader.info.state]
    return _answer(wrong, "yes, in two runs" if recipe in TWO_RUNS else "yes")


def is_resumed(recipe: Recipe, folder: Path) -> str:
    """Stopped and resumed twice, does the run show what the one shows that was never stopped?"""
    first, second = stops(recipe())
    _, checkpoints = _as_told(recipe, folder / "resumed", until=first + 1)
    _, more = _as_told(recipe, folder / "resumed", since=checkpoints[first], until=second + 1)
    _as_told(recipe, folder / "resumed", since=more[second])
    wrong = []
    for place in _expected(recipe, folder / "whole", recipe().after(BATCHES)):
        wrong += other_dumps(place, folder / place.name.replace("whole", "resumed"))
    return _answer(wrong, "yes, in two runs" if recipe in TWO_RUNS else "yes")


def other_dumps(expected: Path, found: Path, *, samples: int = BATCH, tolerance: float = 1e-5) -> list[str]:
    """In what the dumps of two runs differ."""
    one, other = LogReader(Blobs(expected)), LogReader(Blobs(found))
    iterations = [[dump.iteration for dump in reader.dumps] for reader in (one, other)]
    if iterations[0] != iterations[1]:
        return [f"dumps {iterations[1]} instead of {iterations[0]}"]
    wrong = other.check()
    for a, b in zip(one.dumps, other.dumps, strict=True):
        there, here = one.predictions(a, samples), other.predictions(b, samples)
        if there.predicted.tolist() != here.predicted.tolist():
            wrong.append(f"other predictions at {a.iteration}")
        measures = other.filters(b)
        for name, values in one.filters(a).items():
            # A resumed run begins with weights alone: of its norms the last bit may be another.
            if not np.allclose(values, measures[name], rtol=tolerance, atol=1e-6, equal_nan=True):
                wrong.append(f"other {name} at {a.iteration}")
    return wrong


def differing(a: Any, b: Any, where: str = "") -> list[str]:
    """Where two nested states differ by a bit."""
    if type(a) is not type(b):
        return [f"{where} is of another type"]
    if isinstance(a, torch.Tensor):
        if a.dtype != b.dtype or a.shape != b.shape or _bytes(a) != _bytes(b):
            return [f"{where} differs"]
        return []
    if isinstance(a, dict):
        if list(a) != list(b):
            return [f"{where} has other keys"]
        return [wrong for key in a for wrong in differing(a[key], b[key], f"{where}.{key}")]
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return [f"{where} has another length"]
        return [wrong for i, (x, y) in enumerate(zip(a, b, strict=True)) for wrong in differing(x, y, f"{where}[{i}]")]
    return [] if a == b or a != a else [f"{where}: {a!r} and {b!r}"]


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _as_told(recipe: Recipe, run: Path, **arguments: Any) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """A recorded training; other layers, and nothing else, are told by a warning."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = trained(recipe, run, **arguments)
    ours = [str(one.message) for one in told if issubclass(one.category, RecorderWarning)]
    changes = [text for text in ours if "the layers changed at iteration" in text]
    assert ours == changes, ours
    assert not changes or recipe in TWO_RUNS
    return result


def _expected(recipe: Recipe, run: Path, last: int) -> dict[Path, list[int]]:
    """The places of a training's runs, and the iterations of their dumps."""
    due = list(range(0, last + 1, EVERY))
    if recipe not in TWO_RUNS:
        return {run: due}
    noticed = next(i for i in due if i > CHANGED_AT)
    later = [noticed - 1, *(i for i in due if i >= noticed)]
    return {run: [i for i in due if i < noticed], run.with_name(f"{run.name}.network2"): later}


def _state(training: Training) -> dict[str, Any]:
    states = {name: copy.deepcopy(one.state_dict()) for name, one in training.stateful.items()}
    return {**states, "random": torch.get_rng_state()}


def _answer(wrong: list[str], right: str = "yes") -> str:
    return right if not wrong else "no: " + "; ".join(wrong[:5])
