"""Are the steps of the optimizer of a fitting size, in a layer and in all of them?

The update ratio of a layer is the median of its filters that moved, at dumps of the full learning rate: where it is at
least a half of the largest, so neither in a warm-up nor late in an annealed schedule. The first tenth of these dumps is
left out, where steps are large everywhere. Of what is left (at least 6 dumps) the median counts.

1. *Too large*: more than 0.03, and 5 times the median of the other layers; or more than 0.03 in the median of all
   layers, where a thousandth is usual: then it is told of the network, and of no layer alone.
2. *Too small*: less than 1e-4, and a hundredth of the median of the other layers; or less than 3e-5 in the median of
   all.
3. The last layer is not told of alone: what it does follows the loss, and differs from the others in healthy networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.analysis.findings.layers import median
from deeptracker.analysis.findings.summary import LayerSummary

LARGE, LARGE_BESIDE = 0.03, 5.0
SMALL, SMALL_BESIDE, SMALL_OF_ALL = 1e-4, 0.01, 3e-5
FULL_RATE = 0.5
FIRST_SHARE, LEAST_DUMPS = 0.1, 6


def full_rate(learning_rate: NDArray[np.floating]) -> NDArray[np.bool_]:
    """bool (dumps,): where the rate is at least half of the largest; everywhere if it is not known."""
    known = np.isfinite(learning_rate)
    if not known.any():
        return np.ones(len(learning_rate), np.bool_)
    full: NDArray[np.bool_] = known & (learning_rate >= FULL_RATE * learning_rate[known].max())
    return full


def usual_updates(
    layers: Sequence[LayerSummary], learning_rate: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """float64 (layers,): the update ratio of each layer, NaN where it is not known; and the dumps that it is of."""
    full = np.flatnonzero(full_rate(learning_rate))
    full = full[full > 0]
    dumps = full[int(np.ceil(FIRST_SHARE * len(full))) :]
    if len(dumps) < LEAST_DUMPS:
        return np.full(len(layers), np.nan), dumps
    return np.array([median(one.update[dumps]) for one in layers]), dumps


def update_ratios(
    layers: Sequence[LayerSummary], iterations: NDArray[np.int64], learning_rate: NDArray[np.floating]
) -> Iterator[Finding]:
    """Rules 1 to 3. `learning_rate` (dumps,), NaN where it is not known."""
    updates, dumps = usual_updates(layers, learning_rate)
    moving = np.isfinite(updates) & (updates > 0)
    if not moving.any():
        return
    first, last = int(iterations[dumps[0]]), int(iterations[dumps[-1]])
    of_all = float(np.median(updates[moving]))
    if of_all > LARGE or of_all < SMALL_OF_ALL:
        is_large = of_all > LARGE
        yield Finding(
            "update-ratio-high" if is_large else "update-ratio-low",
            "medium",
            f"Steps are too {'large' if is_large else 'small'} in the whole network.",
            f"A step changes a layer by {of_all:.1e} of its weights, in the median of {int(moving.sum())} layers and "
            f"of the {len(dumps)} dumps at the full learning rate; 1e-3 is usual.",
            Place(first=first, last=last),
        )
    told = None if SMALL_OF_ALL <= of_all <= LARGE else of_all > LARGE
    for place in np.flatnonzero(moving[:-1]).tolist():
        others = np.delete(updates, place)
        others = others[np.isfinite(others) & (others > 0)]
        if not len(others):
            continue
        one, ratio, usual = layers[place], float(updates[place]), float(np.median(others))
        is_large = ratio > LARGE and ratio > LARGE_BESIDE * usual
        if told is not is_large and (is_large or (ratio < SMALL and ratio < SMALL_BESIDE * usual)):
            yield Finding(
                "update-ratio-high" if is_large else "update-ratio-low",
                "medium",
                f"Steps are too {'large' if is_large else 'small'} for {one.layer.name}.",
                f"A step changes it by {ratio:.1e} of its weights, and the other layers by {usual:.1e}, in the median "
                f"of the {len(dumps)} dumps at the full learning rate; 1e-3 is usual.",
                Place(layer=one.index, first=first, last=last),
            )
