"""How do the sparse histograms of a dump become the columns of a file, and how are they found fit again?

1. One row a layer: the numbers of its filled bins and their counts, of weights and of gradients, as lists.
2. Read back, every bin must have a count, every layer its row, and no bin a number that no value falls into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deeptracker.schema import HISTOGRAM_BINS
from deeptracker.store.columns import Columns, list_column, numbers


@dataclass(frozen=True, slots=True)
class Histograms:
    """Sparse histograms of one dump, one entry a layer: numbers of the filled bins (uint16) and their counts (uint32).

    How a value finds its bin is told in docs/format.md; bins are the same for all layers and runs, so counts add up.
    """

    weight_bins: list[npt.NDArray[np.uint16]]
    weight_counts: list[npt.NDArray[np.uint32]]
    grad_bins: list[npt.NDArray[np.uint16]]
    grad_counts: list[npt.NDArray[np.uint32]]

    def of(
        self, measure: str, layers: Sequence[int]
    ) -> tuple[list[npt.NDArray[np.uint16]], list[npt.NDArray[np.uint32]]]:
        """Bins and counts of some layers: of gradients for a measure that begins with "grad_", else of weights."""
        of_gradients = measure.startswith("grad_")
        bins = self.grad_bins if of_gradients else self.weight_bins
        counts = self.grad_counts if of_gradients else self.weight_counts
        return [bins[index] for index in layers], [counts[index] for index in layers]


def written_histograms(histograms: Histograms) -> dict[str, pa.ListArray]:
    """The columns of a file of histograms."""
    return {
        "weight_bins": list_column(histograms.weight_bins, pa.uint16()),
        "weight_counts": list_column(histograms.weight_counts, pa.uint32()),
        "grad_bins": list_column(histograms.grad_bins, pa.uint16()),
        "grad_counts": list_column(histograms.grad_counts, pa.uint32()),
    }


def histograms_in(columns: Columns, layers: int | None) -> Histograms:
    """The histograms of a file that was read, of so many layers; ValueError that says what must hold and does not."""
    found = Histograms(**{name: [numbers(row.values) for row in column] for name, column in columns.arrays.items()})
    expected = len(found.weight_bins) if layers is None else layers
    for bins, counts in ((found.weight_bins, found.weight_counts), (found.grad_bins, found.grad_counts)):
        if len(bins) != expected or [len(row) for row in bins] != [len(row) for row in counts]:
            raise ValueError(f"must have {expected} layers, and a count for each bin. It has not.")
        largest = max((int(row.max()) for row in bins if len(row)), default=0)
        if largest >= HISTOGRAM_BINS:
            raise ValueError(f"must name bins below {HISTOGRAM_BINS}. It names {largest}.")
    return found
