"""What stays of a layer when the next one is read? A few numbers a dump, for rules that compare layers.

Gradients are compared as `pull`, ‖gradient‖ x ‖weights‖ of the whole layer: how much the loss changes with its weights
in proportion. Behind a normalisation, and between ReLUs, scaling weights up scales gradients down by as much, so layers
of one network have nearly the same pull whatever they were initialised with (docs/decisions/0022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deeptracker.analysis.findings.filters import WHOLE_LAYER, Decay, dead_since, decaying
from deeptracker.analysis.findings.layers import Doubles, Floats, LayerRecord, known_rows, row_medians
from deeptracker.schema import Layer


@dataclass(frozen=True, slots=True, eq=False)
class LayerSummary:
    """A layer as a whole, its index among all, and float64 (dumps,) of each, NaN where unknown.

    `gradient` is the norm of the layer's, `pull` that times the norm of its weights; `change` the largest of a filter,
    `update` the median update ratio of the filters that moved. `nonfinite` counts values that are NaN or infinite,
    `nonfinite_filters` are those that ever had any. `dead` are its dead filters, `dead_since` the dump since which the
    first of them is and `dead_dumps` for how many dumps the last has been (None: none is); `decay` is what only decays.
    `sd` is the deviation of all its weights at the first dump.
    """

    index: int
    layer: Layer
    gradient: Doubles
    pull: Doubles
    change: Doubles
    update: Doubles
    nonfinite: Doubles
    nonfinite_filters: tuple[int, ...]
    dead: tuple[int, ...]
    dead_since: int | None
    dead_dumps: int | None
    decay: Decay | None
    sd: float

    @property
    def is_dead(self) -> bool:
        """Are nearly all of its filters?"""
        return len(self.dead) >= WHOLE_LAYER * self.layer.filters


def summary_of(record: LayerRecord) -> LayerSummary:
    """What stays of a layer."""
    values = record.values
    gradient, weights = _norm(values["grad_l2"]), _norm(values["l2"])
    update = row_medians(np.where(values["update_ratio"] > 0, values["update_ratio"], np.nan))
    still = np.where(known_rows(values["update_ratio"]), 0.0, np.nan)
    counts = np.nan_to_num(values["nonfinite"], nan=0.0)
    dead, since = dead_since(record)
    return LayerSummary(
        index=record.index,
        layer=record.layer,
        gradient=gradient,
        pull=gradient * weights,
        change=np.where(known_rows(values["change"]), np.nan_to_num(values["change"]).max(axis=1, initial=0), np.nan),
        update=np.where(np.isnan(update), still, update),
        nonfinite=counts.sum(axis=1, dtype=np.float64),
        nonfinite_filters=tuple(np.flatnonzero((counts > 0).any(axis=0)).tolist()),
        dead=tuple(np.flatnonzero(dead).tolist()),
        dead_since=int(since[dead].min()) if dead.any() else None,
        dead_dumps=len(record.iterations) - int(since[dead].max()) if dead.any() else None,
        decay=decaying(record),
        sd=_deviation(values["mean"], values["sd"]),
    )


def _norm(values: Floats) -> Doubles:
    """float64 (dumps,): the norm of a layer from those of its filters; NaN where none is known."""
    with np.errstate(over="ignore"):
        norm: Doubles = np.sqrt(np.nansum(values.astype(np.float64) ** 2, axis=1))
    norm[~known_rows(values)] = np.nan
    return norm


def _deviation(mean: Floats, sd: Floats) -> float:
    """Of all weights of a layer at the first dump: its filters have equally many. NaN without a dump."""
    if not len(mean):
        return float("nan")
    means, deviations = mean[0].astype(np.float64), sd[0].astype(np.float64)
    return float(np.sqrt(max(0.0, np.mean(deviations**2 + means**2) - np.mean(means) ** 2)))
