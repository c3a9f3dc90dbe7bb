"""How is a model measured whose weights are spread over processes (FSDP, DTensor), without gathering it?

1. Each process takes sums over what it has of every filter: numbers of weights, sums, squared deviations from its own
   mean, norms, products with the weights at the dump before; extremes; and counts for histograms.
2. These are added up on rank 0, in three small reductions a dump: 21 numbers a filter, 3 extremes, the histograms. All
   processes step together, so all come to this point; one that has failed brings zeros and says so.
3. Squared deviations of parts with means m_i of n_i weights: Σ M_i + Σ n_i m_i² - n m². A filter that lies whole on one
   process, as with FSDP, keeps its own exactly.
4. A weight of which several processes have copies (replicated, or no DTensor at all) is measured by the first of them.

Measures equal those of `measures.py` but for the order of additions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from deeptracker.record import histograms
from deeptracker.record.dump import Later, Measured
from deeptracker.record.kernels import first_convolution, kernels_of
from deeptracker.record.measures import Measurer
from deeptracker.record.network import WeightedLayer
from deeptracker.record.ranks import Ranks
from deeptracker.record.transfer import Arriving
from deeptracker.schema import HISTOGRAM_BINS, MEASURES, Kernels
from deeptracker.store.histograms import Histograms

_SPREAD = ("n", "sum", "part", "squares", "l1", "square", "nonfinite", "nan")
_SUMS = (
    *_SPREAD,
    *(f"grad_{name}" for name in _SPREAD),
    *("product", "moved_l1", "moved", "previous_l1", "previous"),
    *("updated", "before"),
)
_EXTREMES = ("lowest", "highest", "grad_highest")
_ROW = {name: row for row, name in enumerate(_SUMS)}
_EXTREME_ROW = {name: row for row, name in enumerate(_EXTREMES)}
_PROCESSES = 1
"""One column more than there are filters: how many processes have brought their sums."""


def is_sharded(layers: Sequence[WeightedLayer]) -> bool:
    """Are any weights spread over processes?"""
    return any(_is_distributed(layer.weight) for layer in layers)


class ShardedMeasurer:
    """Measures the layers of a sharded model, as `Measurer` does; all processes call the same methods together."""

    def __init__(self, layers: Sequence[WeightedLayer], ranks: Ranks) -> None:
        self._ranks = ranks
        self._begun = False
        self._error: Exception | None = None
        self.follow(layers)
        self._filters = sum(layer.layer.filters for layer in layers)
        self._previous: list[torch.Tensor] | None = None
        self._before: list[torch.Tensor] | None = None

    def follow(self, layers: Sequence[WeightedLayer]) -> None:
        """The same layers with other parameters."""
        self._layers = layers
        self._pieces = [piece for i, layer in enumerate(layers) for piece in _pieces(i, layer, self._ranks)]

    @torch.no_grad()
    def remember(self) -> None:
        """Take the weights as those of the dump before, without measuring."""
        self._previous = self._copies()

    @torch.no_grad()
    def before_step(self) -> None:
        """Copy the weights, for `update_ratio`."""
        self._begin()
        with self._kept_going():
            self._before = self._copies()

    @torch.no_grad()
    def gradients(
        self, *, scale: torch.Tensor | None = None, of: Callable[[torch.Tensor], bool] = lambda weight: True
    ) -> None:
        """Measure the gradients that are here of the weights that `of` names."""
        with self._kept_going():
            for piece in self._pieces:
                weight = self._layers[piece.layer].weight
                if weight.grad is None or not of(weight):
                    continue
                rows = piece.rows(_local(weight.grad))
                rows = rows if scale is None else rows / scale.to(rows.device)
                for name in _SPREAD:
                    self._sums[_ROW[f"grad_{name}"], piece.filters] = 0
                self._measure("grad_", rows, piece)
                self._extremes[_EXTREME_ROW["grad_highest"], piece.filters] = rows.amax(1).double().nan_to_num(nan=0)
                self._counts[piece.layer, 1] += histograms.count(rows)

    @torch.no_grad()
    def after_step(self) -> Measured | Later[Measured] | None:
        """Measure the weights; the whole dump on rank 0, None elsewhere. RuntimeError where a process has failed."""
        if not self._begun:
            self._begin()
        previous, before, self._previous, self._before = self._previous, self._before, None, None
        with self._kept_going():
            self._measure_weights(previous, before)
            self._previous = self._copies()
        error = self._error
        if error is not None:
            self._sums.zero_()
        self._sums[:, -1] = 0 if error is not None else 1
        self._begun = False
        dist.reduce(self._sums, 0, dist.ReduceOp.SUM)
        dist.reduce(self._extremes, 0, dist.ReduceOp.MAX)
        dist.reduce(self._counts, 0, dist.ReduceOp.SUM)
        if error is not None:
            raise error
        if not self._ranks.leads:
            return None
        sums, extremes, counts = (Arriving(x) for x in (self._sums, self._extremes, self._counts))

        def collected() -> Measured:
            return self._collect(sums.here(), extremes.here(), counts.here())

        return collected() if self._sums.device.type == "cpu" else Later(collected)

    def _begin(self) -> None:
        self._begun, self._error = True, None
        device = _local(self._layers[0].weight).device
        self._sums = torch.zeros(len(_SUMS), self._filters + _PROCESSES, dtype=torch.float64, device=device)
        self._extremes = torch.full((len(_EXTREMES), self._filters), -torch.inf, dtype=torch.float64, device=device)
        self._counts = torch.zeros(len(self._layers), 2, HISTOGRAM_BINS, dtype=torch.int64, device=device)

    def _kept_going(self) -> _KeptGoing:
        return _KeptGoing(self)

    def failed(self, error: Exception) -> None:
        """Remember what has failed until all processes are together."""
        self._error = error

    def _copies(self) -> list[torch.Tensor]:
        return [piece.rows(_local(self._layers[piece.layer].weight.detach())).clone() for piece in self._pieces]

    def _measure_weights(self, previous: list[torch.Tensor] | None, before: list[torch.Tensor] | None) -> None:
        for place, piece in enumerate(self._pieces):
            stored = piece.rows(_local(self._layers[piece.layer].weight.detach()))
            self._measure("", stored, piece)
            rows = stored.double()
            lowest, highest = (-rows).amax(1), rows.amax(1)
            self._extremes[_EXTREME_ROW["lowest"], piece.filters] = lowest.nan_to_num(nan=0)
            self._extremes[_EXTREME_ROW["highest"], piece.filters] = highest.nan_to_num(nan=0)
            self._counts[piece.layer, 0] += histograms.count(stored)
            if previous is None:
                self._add(piece, product=torch.nan, moved_l1=torch.nan, moved=torch.nan)
            else:
                then = previous[place].double()
                moved = rows - then
                self._add(piece, product=(rows * then).sum(1), moved_l1=moved.abs().sum(1), moved=_square(moved))
                self._add(piece, previous_l1=then.abs().sum(1), previous=_square(then))
            if before is None:
                self._add(piece, updated=torch.nan)
            else:
                old = before[place].double()
                self._add(piece, updated=_square(rows - old), before=_square(old))

    def _measure(self, prefix: str, stored: torch.Tensor, piece: _Piece) -> None:
        rows = stored.double()
        n, total = rows.shape[1], rows.sum(1)
        found: dict[str, torch.Tensor | float] = {
            "n": float(n),
            "sum": total,
            "part": total.square() / n,
            "squares": _square(rows - (total / n)[:, None]),
            "l1": rows.abs().sum(1),
            "square": _square(rows),
            "nonfinite": (~torch.isfinite(rows)).sum(1).double(),
            "nan": rows.isnan().sum(1).double(),
        }
        self._add(piece, **{prefix + name: value for name, value in found.items()})

    def _add(self, piece: _Piece, **sums: torch.Tensor | float) -> None:
        for name, value in sums.items():
            self._sums[_ROW[name], piece.filters] += value

    def _collect(self, sums: npt.NDArray[Any], extremes: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Measured:
        came = int(sums[0, -1])
        if came != self._ranks.count:
            raise RuntimeError(f"all {self._ranks.count} processes must measure their weights. {came} did")
        table = sums[:, : self._filters]
        lowest, highest, grad_highest = extremes
        with np.errstate(all="ignore"):
            found = _measures({name: table[row] for name, row in _ROW.items()}, -lowest, highest, grad_highest)
        bins = [[histograms.filled_bins(of_layer[kind]) for of_layer in counts] for kind in (0, 1)]
        (weights, gradients) = bins
        made = Histograms(
            weight_bins=[filled for filled, _ in weights],
            weight_counts=[many for _, many in weights],
            grad_bins=[filled for filled, _ in gradients],
            grad_counts=[many for _, many in gradients],
        )
        return Measured({name: found[name].astype(np.float32) for name in MEASURES}, made)


class ShardedConvolution:
    """The first convolution of a sharded model: few weights, so they are gathered whole, by all processes together."""

    def __init__(self, index: int, layer: WeightedLayer) -> None:
        self.index, self.layer = index, layer

    def kernels(self) -> Kernels:
        """What they are now."""
        weight = self.layer.weight.detach()
        whole = weight.full_tensor() if _is_distributed(weight) else weight  # type: ignore[attr-defined]
        return kernels_of(self.index, self.layer.layer, self.layer.rows(whole).float().cpu().numpy())

    @classmethod
    def of(cls, layers: Sequence[WeightedLayer]) -> ShardedConvolution | None:
        """Of layers in the order in which data reaches them."""
        index = first_convolution([one.layer for one in layers])
        return None if index is None else cls(index, layers[index])


def measurer_of(layers: Sequence[WeightedLayer], ranks: Ranks) -> Measurer | ShardedMeasurer | None:
    """What measures these layers in this process; None where another process does."""
    if is_sharded(layers):
        return ShardedMeasurer(layers, ranks)
    return Measurer(layers) if ranks.leads else None


def _measures(
    sums: dict[str, np.ndarray[Any, Any]],
    lowest: np.ndarray[Any, Any],
    highest: np.ndarray[Any, Any],
    grad_highest: np.ndarray[Any, Any],
) -> dict[str, np.ndarray[Any, Any]]:
    """Measures of all filters from sums over them, float64 (filters,); what is undefined is NaN."""
    weights, weight_sd = _moments(sums, "")
    gradients, grad_sd = _moments(sums, "grad_")
    has_gradient = sums["grad_n"] > 0
    l2, l2_before = np.sqrt(sums["square"]), np.sqrt(sums["previous"])
    moved = np.sqrt(sums["moved"])
    cosine = _ratio(sums["product"] / np.where(l2 > 0, l2, np.nan), l2_before)
    return {
        "sum": sums["sum"],
        "mean": weights,
        "sd": weight_sd,
        "min": np.where(sums["nan"] > 0, np.nan, lowest),
        "max": np.where(sums["nan"] > 0, np.nan, highest),
        "l1": sums["l1"],
        "l2": l2,
        "grad_mean": gradients,
        "grad_sd": grad_sd,
        "grad_l2": np.where(has_gradient, np.sqrt(sums["grad_square"]), np.nan),
        "grad_max": np.where(has_gradient & (sums["grad_nan"] == 0), grad_highest, np.nan),
        "cosine": np.clip(cosine, -1, 1),
        "change": _ratio(moved, l2_before),
        "change_l1": _ratio(sums["moved_l1"], sums["previous_l1"]),
        "euclidean": moved,
        "update_ratio": _ratio(np.sqrt(sums["updated"]), np.sqrt(sums["before"])),
        "nonfinite": sums["nonfinite"] + sums["grad_nonfinite"],
    }


def _moments(sums: dict[str, np.ndarray[Any, Any]], prefix: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    n, total = sums[f"{prefix}n"], sums[f"{prefix}sum"]
    n = np.where(n > 0, n, np.nan)
    between = sums[f"{prefix}part"] - total * total / n
    variance = (sums[f"{prefix}squares"] + between) / n
    return total / n, np.sqrt(np.where(variance < 0, 0, variance))


def _ratio(numerator: np.ndarray[Any, Any], denominator: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(denominator > 0, numerator / denominator, np.nan)


def _square(rows: torch.Tensor) -> torch.Tensor:
    return rows.square().sum(1)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Filters of one layer as far as this process has weights of them; `inputs` of a transposed convolution's group."""

    layer: int
    filters: slice
    inputs: slice | None = None

    def rows(self, local: torch.Tensor) -> torch.Tensor:
        """This process' weights (or gradients) of these filters, (filters, weights of each that are here)."""
        if self.inputs is None:
            return local.reshape(len(local), -1)
        return local[self.inputs].transpose(0, 1).reshape(local.shape[1], -1)


def _pieces(index: int, layer: WeightedLayer, ranks: Ranks) -> Iterator[_Piece]:
    """What this process has to measure of a layer."""
    shape, offset = _here(layer.weight, ranks)
    if shape is None or 0 in shape:
        return
    known = layer.layer
    if not layer.groups:
        first = known.offset + offset[0]
        yield _Piece(index, slice(first, first + shape[0]))
        return
    inputs_each, outputs = known.shape[0] // layer.groups, known.shape[1]
    for group in range(offset[0] // inputs_each, (offset[0] + shape[0] - 1) // inputs_each + 1):
        inputs = slice(max(group * inputs_each - offset[0], 0), min((group + 1) * inputs_each - offset[0], shape[0]))
        first = known.offset + group * outputs + offset[1]
        yield _Piece(index, slice(first, first + shape[1]), inputs)


def _here(weight: torch.Tensor, ranks: Ranks) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """Shape and offset of what this process has to measure of a weight; None where another one does."""
    if not _is_distributed(weight):
        return (tuple(weight.shape) if ranks.leads else None), (0,) * weight.ndim
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    mesh, placements = weight.device_mesh, weight.placements  # type: ignore[attr-defined]
    kinds = {type(placement).__name__ for placement in placements}
    if not kinds <= {"Shard", "Replicate"}:
        raise ValueError(
            f"weights must be spread over processes by Shard and Replicate. Got {', '.join(sorted(kinds))}. "
            "Make a run of its checkpoints instead: deeptracker import checkpoints"
        )
    at = mesh.get_coordinate()
    copies = [place for place, placement in zip(at or (), placements, strict=False) if placement.is_replicate()]
    if at is None or any(copies):
        return None, (0,) * weight.ndim
    shape, offset = compute_local_shape_and_global_offset(weight.shape, mesh, placements)
    return tuple(shape), tuple(offset)


def _is_distributed(weight: torch.Tensor) -> bool:
    return hasattr(weight, "placements") and hasattr(weight, "to_local")


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if _is_distributed(tensor) else tensor  # type: ignore[attr-defined]


class _KeptGoing:
    """An error inside is remembered until all processes are together: who raised at once would leave them waiting."""

    def __init__(self, measurer: ShardedMeasurer) -> None:
        self._measurer = measurer

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Exception):
            self._measurer.failed(error)
            return True
        return False
