"""What is wrong with layers and filters? Rules on the measures of every filter at every dump."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptracker.analysis.findings.finding import Finding, Place
from deeptracker.schema import Layer

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LayerRecord:
    """A layer, its index among all, and float32 (dumps, filters) for each measure that the rules ask for.

    `iterations` int64 (dumps,) are those of the dumps.
    """

    index: int
    layer: Layer
    iterations: NDArray[np.int64]
    values: Mapping[str, Floats]


def not_finite(record: LayerRecord) -> Iterator[Finding]:
    """Some weight or gradient is NaN or infinite."""
    counts = record.values["nonfinite"]
    hit = counts > 0
    if not hit.any():
        return
    filters, dumps = np.flatnonzero(hit.any(axis=0)), np.flatnonzero(hit.any(axis=1))
    first, last = int(record.iterations[dumps[0]]), int(record.iterations[dumps[-1]])
    yield Finding(
        "not-finite",
        "high",
        f"{len(filters)} of {counts.shape[1]} filters of {record.layer.name} have weights or gradients that are NaN or "
        f"infinite, from iteration {first:,} on.",
        f"{int(np.nansum(counts[dumps[0]])):,} such values at iteration {first:,}, {len(dumps)} dumps with any.",
        Place(layer=record.index, filters=tuple(filters.tolist()), first=first, last=last),
    )
