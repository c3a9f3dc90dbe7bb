"""What does a measure of filters say of a whole layer, block, module or network? (paper, 6: Layer-Stat index)

1. sum, l1, nonfinite add up; min, max, grad_max are extremes; l2 and grad_l2 are root sums of squares.
2. mean and grad_mean are weighted by the number of weights, never a mean of means; sd and grad_sd follow from the
   filters' second moments, so pooling filters equals computing from all weights at once.
3. Distances, cosine and update_ratio have no pooled form in their own terms: the mean over filters where they are
   defined.
4. Many dumps are pooled at once: the filters of each layer first, then the layers of each group. Deviations are taken
   from the layer's own mean, and the layers' means from the group's, so that no large numbers cancel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptracker.schema import Layer

Measures = Mapping[str, NDArray[np.float32]]
Floats = NDArray[np.float64]

_ADDED = ("sum", "l1", "nonfinite")
_NORMS = ("l2", "grad_l2")
_MEANS = ("mean", "grad_mean")
_EXTREMES = {"min": np.minimum, "max": np.maximum, "grad_max": np.maximum}
_MEAN_OF = {"sd": "mean", "grad_sd": "grad_mean"}


def needed_measures(measure: str) -> tuple[str, ...]:
    """Which measures of the filters `pool` needs for one pooled measure."""
    return (measure, _MEAN_OF[measure]) if measure in _MEAN_OF else (measure,)


@np.errstate(invalid="ignore", over="ignore")  # training that diverges: infinities of both signs give NaN
def pool(
    measure: str, filters: Measures, layers: Sequence[Layer], groups: Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    """One measure of all filters of some layers together: float32 (dumps, groups), each group some indexes of layers.

    `filters` has float32 (dumps, filters) for each of `needed_measures`, all filters of all layers. NaN where a filter
    that counts has NaN (the means of rule 3 pass it over, NaN if all are), and for a group without layers.

    >>> layers = [Layer("a", "linear", (1, 3), 1, 3, 0), Layer("b", "linear", (1, 1), 1, 1, 1)]
    >>> pool("mean", {"mean": np.array([[1, 4]], np.float32)}, layers, [[0], [1], [0, 1]]).tolist()
    [[1.0, 4.0, 1.75]]
    """
    values = [filters[name] for name in needed_measures(measure)]
    dumps, count = values[0].shape
    pooled = np.full((dumps, len(groups)), np.nan, np.float32)
    if not count:
        return pooled
    of_layers = _pool_layers(measure, values, layers)
    weights = np.array([layer.filters * layer.fan_in for layer in layers], np.float64)
    for place, group in enumerate(groups):
        if len(group):
            index = list(group)
            pooled[:, place] = _pool_group(measure, [part[:, index] for part in of_layers], weights[index])
    return pooled


def _pool_layers(measure: str, values: Sequence[NDArray[np.float32]], layers: Sequence[Layer]) -> list[Floats]:
    """What `_pool_group` needs of each layer: float64 (dumps, layers) each."""
    starts = np.array([layer.offset for layer in layers])
    sizes = np.array([layer.filters for layer in layers])
    first = values[0]

    def total(of: NDArray[Any]) -> Floats:
        added: Floats = np.add.reduceat(of, starts, axis=1, dtype=np.float64)
        return added

    if measure in _ADDED:
        return [total(first)]
    if measure in _NORMS:
        return [total(np.square(first, dtype=np.float64))]
    if measure in _EXTREMES:
        return [_EXTREMES[measure].reduceat(first, starts, axis=1).astype(np.float64)]
    if measure in _MEANS:
        return [total(first) / sizes]
    if measure in _MEAN_OF:
        means = total(values[1]) / sizes
        from_mean = values[1] - np.repeat(means, sizes, axis=1)
        return [means, total(np.square(first, dtype=np.float64) + np.square(from_mean)) / sizes]
    defined = ~np.isnan(first)
    return [total(np.where(defined, first, 0)), total(defined)]


def _pool_group(measure: str, of_layers: list[Floats], weights: Floats) -> Floats:
    """float64 (dumps,) from what `_pool_layers` says of the layers of one group."""
    first = of_layers[0]
    share = weights / weights.sum()
    pooled: Floats
    if measure in _ADDED:
        pooled = first.sum(axis=1)
    elif measure in _NORMS:
        pooled = np.sqrt(first.sum(axis=1))
    elif measure in _EXTREMES:
        pooled = _EXTREMES[measure].reduce(first, axis=1)
    elif measure in _MEANS:
        pooled = (share * first).sum(axis=1)
    elif measure in _MEAN_OF:
        means, variances = of_layers
        mean = (share * means).sum(axis=1, keepdims=True)
        pooled = np.sqrt((share * (variances + np.square(means - mean))).sum(axis=1))
    else:
        known = of_layers[1].sum(axis=1)
        pooled = np.divide(first.sum(axis=1), known, out=np.full(len(first), np.nan), where=known > 0)
    return pooled
