"""What does a measure of filters say of a whole layer, block, module or network? (paper, 6: Layer-Stat index)

1. sum, l1, nonfinite add up; min, max, grad_max are extremes; l2 and grad_l2 are root sums of squares.
2. mean and grad_mean are weighted by the number of weights, never a mean of means; sd and grad_sd follow from the
   filters' second moments, so pooling filters equals computing from all weights at once.
3. cosine, change and update_ratio have no pooled form in their own terms: the mean over filters where they are defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Normalisation = Literal["filter", "iteration", "global"]
Measures = Mapping[str, NDArray[np.float32]]

_MEAN_OF = {"sd": "mean", "grad_sd": "grad_mean"}


def needed_measures(measure: str) -> tuple[str, ...]:
    """Which measures of the filters `pool` needs for one pooled measure."""
    return (measure, _MEAN_OF[measure]) if measure in _MEAN_OF else (measure,)


@np.errstate(invalid="ignore")  # infinities of both signs, in training that diverges, give NaN
def pool(measure: str, filters: Measures, weights: NDArray[np.int64]) -> float:
    """One measure of all filters together: float32 (filters,) each, `weights` (filters,) the weights of each filter.

    NaN where a filter that counts has NaN (the ratios of rule 3 pass it over, NaN if all are).

    >>> pool("mean", {"mean": np.array([1, 4], np.float32)}, np.array([3, 1]))
    1.75
    """
    values = filters[measure].astype(np.float64)
    share = weights / weights.sum()
    if measure in ("sum", "l1", "nonfinite"):
        return float(values.sum())
    if measure in ("l2", "grad_l2"):
        return float(np.sqrt(np.square(values).sum()))
    if measure == "min":
        return float(values.min())
    if measure in ("max", "grad_max"):
        return float(values.max())
    if measure in ("mean", "grad_mean"):
        return float((share * values).sum())
    if measure in _MEAN_OF:
        means = filters[_MEAN_OF[measure]].astype(np.float64)
        mean = (share * means).sum()
        return float(np.sqrt((share * (np.square(values) + np.square(means - mean))).sum()))
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def normalised(values: NDArray[np.float32], by: Normalisation | None) -> NDArray[np.float32]:
    """Divide float32 (filters, dumps) by the largest finite magnitude of each filter, of each iteration, or of all.

    None changes nothing; where all is 0 the result is 0; NaN and infinities stay. Raises ValueError for another `by`.

    >>> normalised(np.array([[1, -2], [0, 0]], np.float32), "filter").tolist()
    [[0.5, -1.0], [0.0, 0.0]]
    """
    if by is None:
        return values
    axes: dict[str, int | None] = {"filter": 1, "iteration": 0, "global": None}
    if by not in axes:
        raise ValueError(f"normalise must be None, 'filter', 'iteration' or 'global'. Got {by!r}.")
    finite = np.isfinite(values)
    size = np.max(np.abs(values), axis=axes[by], keepdims=True, initial=0, where=finite)
    scaled = np.divide(values, size, out=np.zeros_like(values), where=size > 0)
    return np.where(finite, scaled, values)
