"""What do some filters do for a model? They are inactivated, and it is validated again (paper, 8.2).

1. The model is validated as it is, then with the chosen filters inactivated (inactivate.py), then with each of some
   random groups of as many other filters of the same layers, and put back each time.
2. What changed is compared sample by sample (analysis/paired.py): overall, and in every class where it did.
3. What is not as expected is said in the experiment's notes: weights whose error is not the one that the run recorded,
   other samples than the run's, random groups that cannot be drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.paired import LEVEL, Change, change_of, mcnemar, rank_p
from deeptracker.errors import UnknownNameError
from deeptracker.experiments.choice import Groups, random_groups
from deeptracker.experiments.errors import ExperimentError
from deeptracker.experiments.inactivate import Inactivator
from deeptracker.experiments.weights_of_run import ChosenWeights
from deeptracker.record.sample_set import Outcome
from deeptracker.record.snapshot_models import LoadedModel
from deeptracker.run import Run
from deeptracker.store.experiments import (
    ClassChange,
    Expected,
    Experiment,
    FilterGroup,
    Origin,
    Setting,
    in_words,
    new_id,
)

_DIFFERS = 1e-3
"""Two evaluations of the same weights may differ in a sample or two, from one machine to the next."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The filters of an experiment and how they were chosen."""

    filters: Groups
    origin: Origin
    mini_set: str | None = None
    setting: Setting | None = None

    @property
    def expected(self) -> Expected:
        """Dead filters should do less than others, those that somebody wonders about more."""
        return "less" if self.origin == "dead" else "more"


def sizes_of(model: LoadedModel) -> dict[str, int]:
    """How many filters each layer of a model has."""
    return {layer.layer.name: layer.layer.filters for layer in model.layers}


def ablate(
    run: Run,
    model: LoadedModel,
    weights: ChosenWeights,
    chosen: Chosen,
    *,
    groups: int = 20,
    seed: int = 0,
    command: str = "",
    on_evaluated: Callable[[int, int], None] = lambda done, of: None,
) -> Experiment:
    """Make an experiment with a model that has its weights; nothing is stored.

    `on_evaluated` is told how many of all evaluations are done. UnknownNameError where the model has not these filters,
    ExperimentError where they cannot be inactivated.
    """
    sizes = sizes_of(model)
    check_filters(chosen.filters, sizes)
    if groups < 0:
        raise ValueError(f"groups must be >= 0. Got {groups}.")
    others = random_groups(chosen.filters, sizes, groups, seed)
    evaluations = 2 + len(others)
    before = model.evaluated()
    on_evaluated(1, evaluations)
    inactivator = Inactivator(model.model, model.layers, model.example())
    with inactivator.inactivated(chosen.filters) as notes:
        after = model.evaluated()
    on_evaluated(2, evaluations)
    was_right = _right(before)
    random = []
    for number, group in enumerate(others):
        with inactivator.inactivated(group):
            random.append(change_of(was_right, _right(model.evaluated())).change)
        on_evaluated(3 + number, evaluations)
    whole = change_of(was_right, _right(after))
    now = datetime.now(UTC)
    return Experiment(
        id=new_id(now),
        created=now.isoformat(timespec="seconds"),
        command=command,
        origin=chosen.origin,
        mini_set=chosen.mini_set,
        setting=chosen.setting,
        iteration=weights.iteration,
        weights=weights.name,
        filters=chosen.filters,
        samples=whole.samples,
        error_before=whole.before,
        error_after=whole.after,
        change=whole.change,
        low=whole.low,
        high=whole.high,
        level=LEVEL,
        spoiled=whole.spoiled,
        mended=whole.mended,
        moved=int(np.count_nonzero(before.predicted != after.predicted)),
        p_change=mcnemar(whole.spoiled, whole.mended),
        expected=chosen.expected,
        random=tuple(random),
        p=rank_p(whole.change, random, chosen.expected) if random else None,
        seed=seed,
        classes=_changes_by_class(before.labels, was_right, _right(after)),
        notes=(
            *([weights.note] if weights.note else []),
            *notes,
            *_unlike_the_run(run, weights.iteration, before),
            *_too_few(chosen.filters, sizes, groups, len(others)),
        ),
    )


def check_filters(filters: Sequence[FilterGroup], sizes: dict[str, int]) -> None:
    """ExperimentError where there are none, UnknownNameError where the model has not these."""
    if not filters:
        raise ExperimentError("there must be filters to inactivate. There are none.")
    for group in filters:
        if group.layer not in sizes:
            raise UnknownNameError(
                f"no layer {group.layer!r} in the model that was made. It has {', '.join(list(sizes)[:12])}. "
                "Give the function that made the network of this run."
            )
        if group.filters[-1] >= sizes[group.layer]:
            raise UnknownNameError(
                f"no filter {group.filters[-1]} in layer {group.layer!r} of the model that was made. It has "
                f"{sizes[group.layer]}. Give the function that made the network of this run, with the same arguments."
            )


def _right(outcome: Outcome) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = outcome.predicted == outcome.labels
    return right


def _changes_by_class(
    labels: NDArray[np.int64], was_right: NDArray[np.bool_], is_right: NDArray[np.bool_]
) -> tuple[ClassChange, ...]:
    """Those in which any sample differs, the largest change first."""
    found: list[tuple[int, Change]] = []
    for cls in np.unique(labels[was_right != is_right]).tolist():
        own = labels == cls
        found.append((cls, change_of(was_right[own], is_right[own])))
    found.sort(key=lambda pair: (-abs(pair[1].change), -pair[1].change, pair[0]))
    return tuple(
        ClassChange(cls, one.samples, one.before, one.after, one.change, one.low, one.high) for cls, one in found
    )


def _unlike_the_run(run: Run, iteration: int | None, before: Outcome) -> list[str]:
    """Sentences where samples or error are not those that the run recorded."""
    if run.samples is None:
        return []
    notes = []
    theirs = np.bincount(run.samples.labels, minlength=run.samples.classes)
    ours = np.bincount(before.labels, minlength=run.samples.classes)
    if theirs.shape != ours.shape or (theirs != ours).any():
        notes.append(
            f"The samples are not those of the run: {len(before.labels):,} here, {len(run.samples.labels):,} there, or "
            "other numbers of them in a class."
        )
    place = np.flatnonzero(run.iterations == iteration)
    if len(place) and not notes:
        recorded, here = float(run.validation_error()[place[0]]), before.error_rate
        if abs(recorded - here) > max(_DIFFERS, 2 / len(before.labels)):
            notes.append(
                f"At iteration {iteration:,} the run recorded an error of {recorded:.2%}; with these weights and data "
                f"it is {here:.2%}. Are weights, data and their preparation those of the training?"
            )
    return notes


def _too_few(chosen: Groups, sizes: dict[str, int], wanted: int, drawn: int) -> list[str]:
    """A sentence where there are fewer random groups than were asked for."""
    if drawn == wanted:
        return []
    if drawn:
        return [f"There are only {drawn} groups of as many other filters of the same layers; all were taken."]
    full = next(group for group in chosen if 2 * len(group.filters) > sizes[group.layer])
    return [
        f"There are no random groups: {full.layer} has {sizes[full.layer]} filters, {len(full.filters)} of them chosen "
        f"({in_words([full])}), so that there are not as many others."
    ]
