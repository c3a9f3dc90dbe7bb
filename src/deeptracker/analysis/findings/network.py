"""What is wrong with layers, compared with the others of their network?

Each rule takes the summaries of all layers, in the order of the network, which is taken for that of the data.

1. *NaN or infinite*: any weight or gradient is. Of more than 3 layers it is told of the one where it came first.
2. *Frozen*: no filter of a layer ever changes (at least 3 dumps) while other layers do. Without a gradient it does not
   require one; with one it is not in the optimizer, or its learning rate is 0.
3. *Dead filters* (filters.py), not of the last layer, whose filters are the classes. Layers before one of which 90 %
   are dead get hardly anything through it: of them it is not told.
4. *Filters that only decay* (filters.py). Layers of which 90 % do are told in one.
5. *Initialisation*: at iteration 0 the deviation of a layer's weights is more than 4 times sqrt(2 / n), or less than
   a fourth of sqrt(1 / 3m), where n is the smaller and m the larger of fan-in and fan-out: what lies between covers
   the initialisations that are in use, by either (Glorot and Bengio 2010; He et al. 2015; torch's own for linear
   layers has variance 1 / 3 fan-in). Layers that begin with nothing but 0, as the last one of a residual block may, are
   not counted, and no embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.filters import WHOLE_LAYER, Decay
from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.analysis.findings.layers import median, named_filters, named_layers
from deeptracker.analysis.findings.summary import LayerSummary

Iterations = NDArray[np.int64]

FROZEN_DUMPS, NAMED_ALONE = 3, 3
"""At least so many dumps without change; of more layers than so many all are told in one."""

DEAD_SEVERE, DEAD_MEDIUM = 0.5, 0.1
DECAY_MEDIUM = 0.1
"""From these shares of a layer on a finding is of such severity; below it is low."""

INITIALISED_OFF = 4.0
INITIALISED_KINDS = ("conv", "linear")


def not_finite(layers: Sequence[LayerSummary], iterations: Iterations) -> Iterator[Finding]:
    """Rule 1."""
    hit = [one for one in layers if one.nonfinite_filters]
    many = len(hit) > NAMED_ALONE
    for one in [min(hit, key=lambda one: int(np.argmax(one.nonfinite > 0)))] if many else hit:
        dumps = np.flatnonzero(one.nonfinite > 0)
        at, last = int(iterations[dumps[0]]), int(iterations[dumps[-1]])
        others = [other.layer.name for other in hit if other is not one]
        beside = f" It was the first; so have {named_layers(others)}." if many else ""
        yield Finding(
            "not-finite",
            "high",
            f"{len(one.nonfinite_filters)} of {one.layer.filters} filters of {one.layer.name} have weights or "
            f"gradients that are NaN or infinite, from iteration {at:,} on.{beside}",
            f"{int(one.nonfinite[dumps[0]]):,} such values at iteration {at:,}, and some at {len(dumps)} of "
            f"{len(iterations)} dumps.",
            Place(layer=one.index, filters=one.nonfinite_filters, first=at, last=last),
        )


def frozen_layers(layers: Sequence[LayerSummary], iterations: Iterations) -> Iterator[Finding]:
    """Rule 2."""
    known = [one for one in layers if (~np.isnan(one.change)).sum() >= FROZEN_DUMPS]
    frozen = [one for one in known if not (np.nan_to_num(one.change) > 0).any() and not one.is_dead]
    moving = len(known) - len(frozen)
    if not frozen or not moving:
        return
    first, last = int(iterations[0]), int(iterations[-1])
    if len(frozen) > NAMED_ALONE:
        yield Finding(
            "frozen-layer",
            "low",
            f"{len(frozen)} of {len(layers)} layers never change: {named_layers(one.layer.name for one in frozen)}.",
            f"Their change is 0 at all {len(iterations)} dumps; {moving} layers do change. So it is where a network "
            "is fine-tuned on purpose.",
            Place(first=first, last=last),
        )
        return
    for one in frozen:
        has_gradient = (np.nan_to_num(one.gradient) > 0).any()
        why = (
            f"It has gradients (norm {median(one.gradient):.1e}): it is not in the optimizer, or its rate is 0."
            if has_gradient
            else "It has no gradients: it does not require them."
        )
        yield Finding(
            "frozen-layer",
            "medium",
            f"{one.layer.name} never changes.",
            f"Its change is 0 at all {int((~np.isnan(one.change)).sum())} dumps that have one, while {moving} other "
            f"layers change. {why}",
            Place(layer=one.index, first=first, last=last),
        )


def dead_filters(layers: Sequence[LayerSummary], iterations: Iterations) -> Iterator[Finding]:
    """Rule 3."""
    for place in range(len(layers) - 2, -1, -1):
        one = layers[place]
        if one.dead_since is None or one.dead_dumps is None:
            continue
        share, first = len(one.dead) / one.layer.filters, int(iterations[one.dead_since])
        before = [other.layer.name for other in layers[:place] if other.dead] if one.is_dead else []
        through = f" Where {named_layers(before)} lack gradients it may be for that." if before else ""
        begun = "from the beginning" if one.dead_since <= 1 else f"since iteration {first:,}"
        moved = median(one.update[one.update > 0])
        others = f" A step changed those that moved by {moved:.1e} of their weights (median)." if moved > 0 else ""
        yield Finding(
            "dead-filters",
            "high" if share >= DEAD_SEVERE else "medium" if share >= DEAD_MEDIUM else "low",
            f"{len(one.dead)} of {one.layer.filters} filters of {one.layer.name} are dead: "
            f"{named_filters(one.dead)}.{through}",
            f"Gradient 0 and no change of direction, {begun}, at each of the last {one.dead_dumps} dumps or more."
            f"{others}",
            Place(layer=one.index, filters=one.dead, first=first, last=int(iterations[-1])),
        )
        if one.is_dead:
            return


def decaying_filters(layers: Sequence[LayerSummary], iterations: Iterations) -> Iterator[Finding]:
    """Rule 4."""
    whole = [one for one in layers if one.decay is not None and _is_whole(one, one.decay)]
    for one in layers:
        decay = one.decay
        if decay is None or one in whole[1:]:
            continue
        first, share = int(iterations[decay.since]), len(decay.filters) / one.layer.filters
        others = [other.layer.name for other in whole if other is not one] if one in whole else []
        beside = f" So do those of {named_layers(others)}." if others else ""
        compared = f", {decay.others:.1e} in the median of the others" if np.isfinite(decay.others) else ""
        yield Finding(
            "decaying-filters",
            "medium" if share >= DECAY_MEDIUM else "low",
            f"{len(decay.filters)} of {one.layer.filters} filters of {one.layer.name} only shrink: "
            f"{named_filters(decay.filters)}.{beside}",
            f"Their norm fell by {100 * decay.fallen.min():.0f} to {100 * decay.fallen.max():.0f} % since iteration "
            f"{first:,}, and that was all of their change; gradient {decay.gradient:.1e}{compared}.",
            Place(layer=one.index, filters=decay.filters, first=first, last=int(iterations[-1])),
        )


def initialisation(layers: Sequence[LayerSummary], iterations: Iterations) -> Iterator[Finding]:
    """Rule 5."""
    if not len(iterations) or iterations[0] != 0:
        return
    off: list[tuple[LayerSummary, float, float]] = []
    for one in layers:
        if not one.layer.kind.startswith(INITIALISED_KINDS) or not one.sd > 0:
            continue
        fans = one.layer.fan_in, one.layer.filters * math.prod(one.layer.shape[2:])
        least, most = math.sqrt(1 / (3 * max(fans))), math.sqrt(2 / min(fans))
        if one.sd > INITIALISED_OFF * most or one.sd < least / INITIALISED_OFF:
            off.append((one, least, most))
    if len(off) > NAMED_ALONE:
        one, least, most = off[0]
        yield Finding(
            "initialisation",
            "medium",
            f"{len(off)} of {len(layers)} layers begin out of scale: {named_layers(x.layer.name for x, _, _ in off)}.",
            f"Their weights at iteration 0 deviate more than {INITIALISED_OFF:g} times too much or too little, those "
            f"of {one.layer.name} by {one.sd:.1e}, where {least:.1e} to {most:.1e} is usual for its size.",
            Place(first=0, last=0),
        )
        return
    for one, least, most in off:
        is_large = one.sd > most
        times = one.sd / most if is_large else least / one.sd
        yield Finding(
            "initialisation",
            "medium",
            f"The weights of {one.layer.name} begin {times:.0f} times too {'large' if is_large else 'small'}.",
            f"Their deviation at iteration 0 is {one.sd:.1e}; for {one.layer.fan_in} inputs a filter {least:.1e} to "
            f"{most:.1e} is usual.",
            Place(layer=one.index, first=0, last=0),
        )


def _is_whole(one: LayerSummary, decay: Decay) -> bool:
    return len(decay.filters) >= WHOLE_LAYER * one.layer.filters
