"""What was captured at one iteration, and in which order does it go to the log?

Files of a dump each name all of its parts, so that one which a killed process left unfinished is known as such. What is
still on its way from an accelerator (`Later`) is waited for when it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from deeptracker.record.bins import filled_bins
from deeptracker.schema import MEASURES, Kernels, Predictions
from deeptracker.store.histograms import Histograms
from deeptracker.store.listing import KINDS
from deeptracker.store.log import LogWriter

OfLayer = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64] | npt.NDArray[np.uint32]]
"""Measures (measures, filters) of a layer, and how many of its weights and gradients are in each bin (2, bins)."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Later(Generic[T_co]):
    """What is still on its way from an accelerator: `here` waits for it."""

    here: Callable[[], T_co]


def here(value: T | Later[T]) -> T:
    """The value itself, once it is on the host."""
    return value.here() if isinstance(value, Later) else value


@dataclass(frozen=True, slots=True)
class Measured:
    """One dump's measures, float32 (filters,) by name, and its histograms."""

    measures: dict[str, npt.NDArray[np.float32]]
    histograms: Histograms

    @classmethod
    def of(cls, layers: Sequence[OfLayer]) -> Self:
        """What was measured of all layers, in the order of the network."""
        table = np.concatenate([table for table, _ in layers], axis=1)
        weights, gradients = ([filled_bins(counts[of]) for _, counts in layers] for of in (0, 1))
        histograms = Histograms(
            weight_bins=[bins for bins, _ in weights],
            weight_counts=[filled for _, filled in weights],
            grad_bins=[bins for bins, _ in gradients],
            grad_counts=[filled for _, filled in gradients],
        )
        return cls(dict(zip(MEASURES, table, strict=True)), histograms)


@dataclass(frozen=True, slots=True)
class Dump:
    """One iteration's measures, kernels and predictions; None for what it has not."""

    iteration: int
    measured: Measured | Later[Measured] | None = None
    kernels: Kernels | Later[Kernels] | None = None
    predictions: Predictions | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The kinds of its files, in the order in which they are written."""
        captured = {
            "predictions": self.predictions,
            "layers": self.measured,
            "kernels": self.kernels,
            "filters": self.measured,
        }
        return tuple(kind for kind in KINDS if captured[kind] is not None)

    def arrived(self) -> Self:
        """The same, once all is on the host."""
        return replace(self, measured=here(self.measured), kernels=here(self.kernels))

    def write(self, log: LogWriter) -> None:
        """Write its files, once all is on the host."""
        measured, kernels = here(self.measured), here(self.kernels)
        if self.predictions is not None:
            log.write_predictions(self.iteration, self.predictions, parts=self.parts)
        if measured is not None:
            log.write_layers(self.iteration, measured.histograms, parts=self.parts)
        if kernels is not None:
            log.write_kernels(self.iteration, kernels, parts=self.parts)
        if measured is not None:
            log.write_filters(self.iteration, measured.measures, parts=self.parts)
