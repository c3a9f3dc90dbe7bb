"""Do gradients vanish or explode, from layer to layer or over time?

Each rule takes the summaries of all layers, in the order of the network, which is taken for that of the data.

1. *Vanishing*: the pull (summary.py) of a layer is less than a thousandth of what the layers near the loss have (the
   median of the last sixth of those with gradients, at least 2), in the median of all dumps at which there are any, at
   least 3. It is told of the first such layer.
2. *Exploding*: it is more than a thousand times that.
3. Or the pull of a layer grows to more than 100 times the largest that any layer has at the first 5 dumps, or to
   infinity: it is told of the layer where that happens first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.analysis.findings.layers import median, named_layers
from deeptracker.analysis.findings.summary import LayerSummary

Iterations = NDArray[np.int64]

NEAR_THE_LOSS, LEAST_NEAR = 1 / 6, 2
VANISHED, EXPLODED, GROWN = 1e-3, 1e3, 100.0
GRADIENT_DUMPS, FIRST_DUMPS = 3, 5


def vanishing_gradients(layers: Sequence[LayerSummary], iterations: Iterations) -> Iterator[Finding]:
    """Rule 1."""
    compared = _against_the_last(layers)
    hit = [(one, ratio) for one, ratio in compared if 0 < ratio < VANISHED]
    if not hit:
        return
    one, ratio = hit[0]
    others = [other.layer.name for other, _ in hit[1:]]
    beside = f" So do those of {named_layers(others)}." if others else ""
    yield Finding(
        "vanishing-gradients",
        "medium",
        f"The gradients of {one.layer.name} vanish.{beside}",
        f"‖gradient‖ x ‖weights‖ is {median(one.pull):.1e} in the median of the dumps, {ratio:.0e} of what the layers "
        "near the loss have.",
        Place(layer=one.index, first=int(iterations[0]), last=int(iterations[-1])),
    )


def exploding_gradients(layers: Sequence[LayerSummary], iterations: Iterations) -> Iterator[Finding]:
    """Rules 2 and 3."""
    hit = [(one, ratio) for one, ratio in _against_the_last(layers) if ratio > EXPLODED]
    if hit:
        one, ratio = hit[0]
        others = [other.layer.name for other, _ in hit[1:]]
        beside = f" So do those of {named_layers(others)}." if others else ""
        yield Finding(
            "exploding-gradients",
            "high",
            f"The gradients of {one.layer.name} explode on their way from the loss.{beside}",
            f"‖gradient‖ x ‖weights‖ is {median(one.pull):.1e} in the median of the dumps, {ratio:.0e} times what the "
            "layers near the loss have.",
            Place(layer=one.index, first=int(iterations[0]), last=int(iterations[-1])),
        )
    if not hit:
        yield from _grown(layers, iterations)


def _grown(layers: Sequence[LayerSummary], iterations: Iterations) -> Iterator[Finding]:
    """Rule 3."""
    pull = np.array([one.pull for one in layers]) if layers else np.zeros((0, 0))
    known = np.flatnonzero((~np.isnan(pull)).any(axis=0))
    if len(known) <= GRADIENT_DUMPS:
        return
    first, later = known[:FIRST_DUMPS], known[FIRST_DUMPS:]
    before = float(np.nanmax(pull[:, first]))
    grown = np.nan_to_num(pull[:, later], nan=0.0, posinf=np.inf) > GROWN * before
    if not grown.any():
        return
    place, dump = min((int(later[np.argmax(row)]), number) for number, row in enumerate(grown) if row.any())[::-1]
    one, at = layers[place], int(iterations[dump])
    others = [other.layer.name for other, row in zip(layers, grown, strict=True) if row.any() and other is not one]
    beside = f" So do those of {named_layers(others)}." if others else ""
    yield Finding(
        "exploding-gradients",
        "high",
        f"The gradients of {one.layer.name} explode at iteration {at:,}.{beside}",
        f"‖gradient‖ x ‖weights‖ is {one.pull[dump]:.1e} there; at the first {len(first)} dumps it was {before:.1e} at "
        "most, in any layer.",
        Place(layer=one.index, first=at, last=int(iterations[-1])),
    )


def _against_the_last(layers: Sequence[LayerSummary]) -> list[tuple[LayerSummary, float]]:
    """Layers that have gradients, and how large their pull is beside that of the last, in the median."""
    known = [one for one in layers if (np.nan_to_num(one.pull) > 0).sum() >= GRADIENT_DUMPS]
    if len(known) <= LEAST_NEAR:
        return []
    near = known[-max(LEAST_NEAR, round(NEAR_THE_LOSS * len(known))) :]
    of_near = np.array([one.pull for one in near])
    with np.errstate(invalid="ignore", divide="ignore"):
        usual = np.array([median(column[column > 0]) for column in of_near.T])
        ratios = [(one, median((one.pull / usual)[np.isfinite(usual)])) for one in known]
    return [(one, ratio) for one, ratio in ratios if not math.isnan(ratio)]
