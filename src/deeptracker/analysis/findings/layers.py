"""What does the record of a layer say, as far as rules ask? The measures of its filters at every dump.

One layer is held at a time; what stays of it is in summary.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptracker.schema import Layer

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

LAYER_MEASURES = ("mean", "sd", "l2", "grad_l2", "cosine", "change", "update_ratio", "nonfinite")
"""What rules ask of every filter at every dump."""

MEASURES_AT_BEGINNING = ("mean", "sd")
"""Those of them that are asked of the first dump only."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerRecord:
    """A layer, its index among all, and float32 (dumps, filters) for each of LAYER_MEASURES; NaN where unknown.

    MEASURES_AT_BEGINNING have one row, of the first dump. `iterations` int64 (dumps,) are those of the dumps.
    """

    index: int
    layer: Layer
    iterations: NDArray[np.int64]
    values: Mapping[str, Floats]

    def __post_init__(self) -> None:
        dumps = len(self.iterations)
        for name in LAYER_MEASURES:
            rows = min(1, dumps) if name in MEASURES_AT_BEGINNING else dumps
            if self.values[name].shape != (rows, self.layer.filters):
                shape = self.values[name].shape
                raise ValueError(f"{name} must have shape {(rows, self.layer.filters)}. Got {shape}.")


def known_rows(values: Floats) -> NDArray[np.bool_]:
    """bool (dumps,): is there any value that is not NaN?"""
    known: NDArray[np.bool_] = np.any(~np.isnan(values), axis=1)
    return known


def row_medians(values: NDArray[np.floating]) -> Doubles:
    """float64 (dumps,): the median of each row without its NaN; NaN where there is nothing else.

    >>> row_medians(np.array([[3, np.nan, 1], [np.nan] * 3])).tolist()
    [2.0, nan]
    """
    ascending = np.sort(values, axis=1)  # NaN last
    known = values.shape[1] - np.isnan(values).sum(axis=1)
    medians = np.full(len(values), np.nan)
    rows = np.flatnonzero(known)
    below, above = (ascending[rows, place].astype(np.float64) for place in ((known[rows] - 1) // 2, known[rows] // 2))
    medians[rows] = np.where(below == above, below, (below + above) / 2)  # infinities are equal, and have no mean
    return medians


def median(values: NDArray[np.floating]) -> float:
    """The median without NaN, or NaN."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def named_filters(filters: Sequence[int], most: int = 6) -> str:
    """Filters in words.

    >>> named_filters([3]), named_filters([3, 5, 8]), named_filters([1, 2, 3, 4], 2)
    ('filter 3', 'filters 3, 5, 8', 'filters 1, 2 and 2 more')
    """
    names = ", ".join(map(str, filters[:most])) + (f" and {len(filters) - most} more" if len(filters) > most else "")
    return f"filter{'s' if len(filters) != 1 else ''} {names}"


def named_layers(names: Iterable[str], most: int = 4) -> str:
    """Layers in words.

    >>> named_layers(["conv1", "conv2", "fc"], 2)
    'conv1, conv2 and 1 more'
    """
    known = list(names)
    return ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")
