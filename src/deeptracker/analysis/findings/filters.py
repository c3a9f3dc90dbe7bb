"""Which filters of a layer are dead, only decay, or never settle? (paper, 8.2)

Each rule takes the record of one layer; network.py tells of all of them what is found here. A run of dumps is counted
back from the end of the record: what has passed is none.

1. *Dead*: at all of the last dumps (at least 3, and a tenth of the record) the gradient is exactly 0 and the weights
   stand still, while other filters of the layer move. Weight decay and momentum may still scale weights: what counts
   is that their direction does not change. A frozen parameter has no gradient at all (NaN), so it is not dead.
2. *Decaying*: at all of the last dumps (at least 4, and a fifth of the record) the norm shrinks, and that is all that
   happens: what it loses is the whole change, within 3 %. Together it is at least 5 %. The gradient is there, unlike
   above, but no more than a hundredth of that of the median of the others, unless nearly all of the layer decays.
3. *Over-active*: in the last third (at least 4 dumps) the layer has settled, its median change has fallen to less than
   half of what it was in the first third (but not below 1e-6, where float32 ends), and a filter still changes at least
   4 times as much as the median filter at 80 % of these dumps, 5 times in the median, and 3 times in absolute numbers
   as well: a small filter changes much in proportion; and at least twice the ratio that it had in the first third, as
   some filters are more active all the time. At most a tenth of the filters of a layer, or 3, can be so. Not for the
   last layer, whose filters are the classes, nor for one of fewer than 8 filters, or of which fewer than half learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.analysis.findings.layers import Doubles, LayerRecord, known_rows, median, named_filters, row_medians

Flags = NDArray[np.bool_]

STILL_DUMPS, STILL_SHARE = 3, 0.1
SAME_DIRECTION = 1e-6
"""1 - cosine of weights that were only scaled; float32 knows it to 1e-7."""
TURNING = 1e-5
"""1 - cosine of a usual filter of the layer must be so large that one that does not turn stands out."""
WHOLE_LAYER = 0.9
"""Of a layer of which so many filters do the same the layer is told."""

DECAY_DUMPS, DECAY_SHARE = 4, 0.2
RADIAL_ERROR = 0.03
LEAST_CHANGE = 1e-5
"""Below, the change of a norm is not known well enough in float32."""
LEAST_DECAY = 0.05
NOTHING_BESIDE = 0.01

LATE_SHARE, LATE_DUMPS = 1 / 3, 4
SETTLED, LEAST_MOVED = 0.5, 1e-6
OVER_ACTIVE, OVER_ACTIVE_MEDIAN, OVER_ACTIVE_ABSOLUTE = 4.0, 5.0, 3.0
OVER_ACTIVE_DUMPS, MORE_THAN_ALWAYS = 0.8, 2.0
MOST_OVER_ACTIVE, MOST_OVER_ACTIVE_SHARE = 3, 0.1
LEAST_FILTERS, LEARNING = 8, 0.5
"""The median of fewer, or of a smaller part of a layer, says little of what is usual."""


def dead_since(record: LayerRecord) -> tuple[Flags, NDArray[np.intp]]:
    """Which filters are dead, (filters,), and the dump since which each stands still without gradient."""
    gradient, change, cosine = (record.values[name] for name in ("grad_l2", "change", "cosine"))
    has_gradients = known_rows(gradient)
    known = known_rows(change)
    without = (gradient == 0) | ~has_gradients[:, None]
    with np.errstate(invalid="ignore"):
        turned = 1 - cosine
        is_scaled = (turned <= SAME_DIRECTION) & has_gradients[:, None]
    still = (without & ((change == 0) | is_scaled)) | ~known[:, None]
    since = _run_from_end(still)
    counted = _count_since(np.broadcast_to(known[:, None], still.shape), since)
    # That a filter stood still says something where others moved, and where that could be measured.
    others_moved = row_medians(np.where(still, np.nan, change)) > 0
    others_turned = row_medians(np.where(still, np.nan, turned)) >= TURNING
    telling = ((change == 0) & others_moved[:, None]) | (is_scaled & others_turned[:, None])
    if has_gradients.any() and still[known][-1:].all():  # the whole layer stands still: there are no others
        telling = without & ((change == 0) | is_scaled) & has_gradients[:, None]
    least = max(STILL_DUMPS, int(np.ceil(STILL_SHARE * known.sum())))
    return (counted >= least) & (_count_since(telling, since) >= STILL_DUMPS), since


@dataclass(frozen=True, slots=True, eq=False)
class Decay:
    """Filters that only decay, ascending, which share of its norm each has lost, and since which dump the first does.

    `gradient` is the median norm of theirs at the last dump, `others` that of the other filters (NaN without).
    """

    filters: tuple[int, ...]
    fallen: Doubles
    since: int
    gradient: float
    others: float


def decaying(record: LayerRecord) -> Decay | None:
    """Rule 2; None where no filter does."""
    change, norm, gradient = (record.values[name].astype(np.float64) for name in ("change", "l2", "grad_l2"))
    known = known_rows(record.values["change"])
    rows = np.flatnonzero(known)
    if len(rows) < DECAY_DUMPS:
        return None
    lost = np.full(change.shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        lost[1:] = 1 - norm[1:] / norm[:-1]
        radial = (change >= LEAST_CHANGE) & (np.abs(change - lost) <= RADIAL_ERROR * change) & (gradient != 0)
    since = _run_from_end(radial | ~known[:, None])
    least = max(DECAY_DUMPS, int(np.ceil(DECAY_SHARE * len(rows))))
    before = norm[np.maximum(since - 1, 0), np.arange(norm.shape[1])]
    with np.errstate(invalid="ignore", divide="ignore"):
        fallen = 1 - norm[rows[-1]] / before
    found = (_count_since(radial, since) >= least) & (fallen >= LEAST_DECAY)
    late = row_medians(gradient[rows[-least:]].T)
    others = median(late[~found])
    if found.mean() < WHOLE_LAYER and np.isfinite(others):
        with np.errstate(invalid="ignore"):
            found &= ~(late > NOTHING_BESIDE * others)
    filters = np.flatnonzero(found)
    if not len(filters):
        return None
    at = int(since[filters].min())
    return Decay(tuple(filters.tolist()), fallen[filters], at, median(late[filters]), others)


def over_active_filters(record: LayerRecord) -> Iterator[Finding]:
    """Rule 3."""
    change = record.values["change"].astype(np.float64)
    rows = np.flatnonzero(known_rows(record.values["change"]))
    count = int(len(rows) * LATE_SHARE)
    if count < LATE_DUMPS or change.shape[1] < LEAST_FILTERS:
        return
    learns = (change > 0) & (record.values["grad_l2"] != 0)  # a dead filter, shrunk by weight decay, is not usual
    usual = row_medians(np.where(learns, change, np.nan))
    early, late = rows[:count], rows[-count:]
    begun, settled = median(usual[early]), median(usual[late])
    if np.median(learns[late].mean(axis=1)) < LEARNING:
        return
    if not LEAST_MOVED <= settled <= SETTLED * begun:
        return
    with np.errstate(invalid="ignore", divide="ignore"):
        norm = record.values["l2"].astype(np.float64)
        moved = change[late] * norm[np.maximum(late - 1, 0)]
        ratio = np.nan_to_num(change[late] / usual[late, None])
        always = np.median(np.nan_to_num(change[early] / usual[early, None]), axis=0)
        absolute = np.nan_to_num(moved / row_medians(np.where(learns[late], moved, np.nan))[:, None])
    filters = np.flatnonzero(
        ((ratio >= OVER_ACTIVE).mean(axis=0) >= OVER_ACTIVE_DUMPS)
        & (np.median(ratio, axis=0) >= np.maximum(OVER_ACTIVE_MEDIAN, MORE_THAN_ALWAYS * always))
        & (np.median(absolute, axis=0) >= OVER_ACTIVE_ABSOLUTE)
    )
    if not 0 < len(filters) <= max(MOST_OVER_ACTIVE, MOST_OVER_ACTIVE_SHARE * change.shape[1]):
        return
    times = np.median(ratio[:, filters], axis=0)
    yield Finding(
        "over-active-filters",
        "low",
        f"{len(filters)} of {change.shape[1]} filters of {record.layer.name} do not settle: "
        f"{named_filters(filters.tolist())}.",
        f"Since iteration {int(record.iterations[late[0]]):,} they change {times.min():.0f} to {times.max():.0f} times "
        f"as much as the median filter of their layer, which fell from {begun:.1e} in the first third of the record "
        f"to {settled:.1e}.",
        Place(
            layer=record.index,
            filters=tuple(filters.tolist()),
            first=int(record.iterations[late[0]]),
            last=int(record.iterations[-1]),
        ),
    )


def _run_from_end(holds: Flags) -> NDArray[np.intp]:
    """int (filters,): the dump from which on it holds to the end, bool (dumps, filters); dumps where it does not."""
    dumps = len(holds)
    fails = ~holds[::-1]
    since: NDArray[np.intp] = np.where(fails.any(axis=0), dumps - np.argmax(fails, axis=0), 0)
    return since if dumps else np.zeros(holds.shape[1], np.intp)


def _count_since(holds: Flags, since: NDArray[np.intp]) -> NDArray[np.intp]:
    """int (filters,): at how many of the dumps from `since` on it holds."""
    counted: NDArray[np.intp] = (holds & (np.arange(len(holds))[:, None] >= since)).sum(axis=0)
    return counted
