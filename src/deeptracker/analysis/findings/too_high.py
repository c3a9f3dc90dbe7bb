"""Was the learning rate too high, or was there no warm-up? Where several signs come together (paper, 8.1 and 8.2).

At the full learning rate (at least half of the largest):

1. at least 2 filters, and 3 % of all, have died, or nearly a whole layer has;
2. the loss has shot up (training.py) at least twice, or was half above what it began with for a tenth of the training;
3. the validation error rose from one dump to the next by 0.1 or more at least 3 times, the first tenth of the record
   left out; or it came back to guessing after it had been twice as often right;
4. steps changed the median layer by more than a hundredth (steps.py).

Two of the first three, or one of them together with the fourth, are enough; large steps alone are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.analysis.findings.steps import full_rate, usual_updates
from deeptracker.analysis.findings.summary import LayerSummary
from deeptracker.analysis.findings.training import TrainingRecord, spikes_of

DEAD_FILTERS, DEAD_SHARE = 2, 0.03
SPIKES, ABOVE_SHARE = 2, 0.1
RISE, RISES = 0.1, 3
FAR_BETTER = 2.0
LARGE_STEPS = 0.01


def learning_rate_too_high(record: TrainingRecord, layers: Sequence[LayerSummary]) -> Iterator[Finding]:
    """The rule above."""
    full = np.flatnonzero(full_rate(record.learning_rate))
    if len(full) < 3:
        return
    last = int(record.iterations[full[-1]])
    signs = [sign for sign in (_died(layers, int(full[-1])), _shot_up(record, last), _fell_back(record, full)) if sign]
    updates, _ = usual_updates(layers, record.learning_rate)
    moving = updates[np.isfinite(updates) & (updates > 0)]
    steps = float(np.median(moving)) if len(moving) else 0.0
    if not signs or (len(signs) < 2 and steps <= LARGE_STEPS):
        return
    if steps > LARGE_STEPS:
        signs.append(f"a step changes a layer by {steps:.1e} of its weights")
    rate = record.learning_rate[full]
    named = f" ({np.nanmax(rate):.2g})" if np.isfinite(rate).any() else ""
    yield Finding(
        "learning-rate-too-high",
        "high",
        f"The learning rate is too high{named}, or was not warmed up.",
        f"At the full rate {'; '.join(signs)}.",
        Place(first=int(record.iterations[full[0]]), last=last),
    )


def _died(layers: Sequence[LayerSummary], last: int) -> str:
    """Sign 1, of filters that died until this dump."""
    dead = [one for one in layers if one.dead_since is not None and one.dead_since <= last]
    count, filters = sum(len(one.dead) for one in dead), sum(one.layer.filters for one in layers)
    if any(one.is_dead for one in dead) or (count >= DEAD_FILTERS and count >= DEAD_SHARE * filters):
        return f"{count} of {filters} filters have died"
    return ""


def _shot_up(record: TrainingRecord, last: int) -> str:
    """Sign 2, up to this iteration."""
    spikes = [spike for spike in spikes_of(record) if spike.iteration <= last]
    if len(spikes) >= SPIKES:
        return f"the loss shot up {len(spikes)} times"
    loss = record.loss[np.isfinite(record.loss) & (record.loss_iterations <= last)]
    if len(loss) >= 20:
        above = float((loss[10:] > 1.5 * abs(np.median(loss[:3]))).mean())
        if above >= ABOVE_SHARE:
            return f"the loss was half above what it began with for {100 * above:.0f} % of the time"
    return ""


def _fell_back(record: TrainingRecord, full: np.ndarray[tuple[int], np.dtype[np.intp]]) -> str:
    """Sign 3."""
    dumps = full[full >= np.ceil(0.1 * len(record.iterations))]
    error = record.validation_error[dumps]
    error = error[np.isfinite(error)]
    if len(error) < RISES:
        return ""
    rises = int((np.diff(error) >= RISE).sum())
    best, end = float(error.min()), float(np.median(error[-RISES:]))
    if 1 - end <= record.guessing and 1 - best >= FAR_BETTER * record.guessing:
        return f"the validation error came back from {best:.2f} to {end:.2f}"
    return f"the validation error rose by {RISE:g} or more at {rises} dumps" if rises >= RISES else ""
