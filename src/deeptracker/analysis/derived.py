"""Which measures follow from recorded ones, value by value, and how?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SOURCE = {"cosine_distance": "cosine"}


def source_of(measure: str) -> str:
    """The recorded measure that a measure is derived from; a recorded one is its own source."""
    return _SOURCE.get(measure, measure)


def derived(measure: str, source: Floats) -> Floats:
    """The values of a measure, of any shape, from those of its source.

    >>> derived("cosine_distance", np.array([1, 0.5, np.nan], np.float32)).tolist()
    [0.0, 0.5, nan]
    """
    return 1 - source if measure == "cosine_distance" else source
