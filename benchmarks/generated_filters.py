"""What is recorded of the filters of a network, dump after dump? Measures, histograms and kernels, like real ones.

1. How much a filter changes follows the learning rate, its layer and its own activity; at dumps where a class jumps, a
   few filters of that class change strongly.
2. Weights follow from it: the more a filter has changed, the further the deviation of its weights has fallen and their
   mean, except in the last layer, has sunk below zero. All other measures follow from mean, deviation, change and the
   number of weights, so that they agree with each other (`euclidean` is `change` times the norm before, and so on).
3. Gradients differ between layers, fall while the network learns, and are unknown at dump 0, which follows no step.
4. The first layer's kernels are weights and not only numbers about them; its measures are those of these weights.
5. Planted filters misbehave, as `Planted` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.generated_histograms import Doubles, Spread, counted, laplacian, normal
from benchmarks.generated_kernels import KernelWalk
from benchmarks.generated_network import Planted
from deeptracker.schema import GRADIENT_MEASURES, MEASURES, STEP_MEASURES, Kernels, Network
from deeptracker.store.histograms import Histograms

Floats = npt.NDArray[np.float32]

RATE, RATE_DROP = 0.2, 0.35
"""What a usual filter changes at a dump before the learning rate first drops, and what each drop leaves of it."""

SHRUNK, SUNK = 0.6, 0.25
"""Where weights tend to: to this share of their first deviation, and to a mean so many deviations below zero."""

PACE = 2.0
"""How much nearer to there a usual filter is in the end: e-fold so many times."""

JUMP, OVERACTIVE, VANISHING = 6.0, 10.0, 1e-5
"""Factors of the change of a class's own filters when it jumps, of filters planted as over-active, of a layer whose
gradients vanish."""

MEAN_SIZE = np.sqrt(2 / np.pi)
"""Mean of |x| for normal x, as a share of the deviation."""


@dataclass(frozen=True, slots=True)
class FilterDump:
    """One dump: float32 (filters,) for each of MEASURES, histograms of all layers, kernels of the first."""

    measures: dict[str, Floats]
    histograms: Histograms
    kernels: Kernels


class Filters:
    """Filters of a network over a run; `stages` (dumps,) says how often the learning rate has dropped before a dump."""

    def __init__(
        self,
        network: Network,
        planted: Planted,
        *,
        stages: npt.NDArray[np.int64],
        classes: int,
        rng: np.random.Generator,
    ) -> None:
        count, layers = network.filters, len(network.layers)
        self._rng, self._planted, self._stages = rng, planted, stages
        self._network = network
        self._sizes = np.array([layer.filters for layer in network.layers])
        self._offsets = np.array([layer.offset for layer in network.layers])
        self._rows = network.layers[0].rows
        self._n = np.repeat([float(layer.fan_in) for layer in network.layers], self._sizes)
        self._rate = RATE * RATE_DROP**stages
        self._travel = max(1.0, float(self._rate.sum()))
        self._layer_change, self._layer_gradient = rng.lognormal(0, [[0.25], [0.6]], (2, layers))
        self._activity = rng.lognormal(0, 0.5, count)
        self._sunk = SUNK * rng.lognormal(0, 0.4, count)
        self._sunk[network.layers[-1].rows] = 0
        self._frozen = network.layer(planted.frozen_layer).offset + np.array(planted.frozen)
        around = network.layer(planted.overactive_layer).rows
        self._overactive = around.start + np.array(planted.overactive)
        vanishing = network.layer(planted.vanishing_layer)
        self._vanishing = vanishing.rows
        place = network.indexes([vanishing])
        self._layer_change[place] = self._layer_gradient[place] = 1
        self._activity[around] **= 0.4  # neighbours alike, so that the planted ones stand out from each of them
        self._activity[self._overactive] = 1
        usual = np.setdiff1d(np.arange(count), [*self._frozen, *self._overactive])
        self._of_class = rng.choice(usual, (classes, 4))
        # Of so many normal values the largest is about this many deviations from the mean.
        self._reach = np.sqrt(2 * np.log(self._n)) * rng.lognormal(0, 0.05, (2, count))
        self._mean = rng.normal(0, 0.02, count) * np.sqrt(2 / self._n)
        self._sd = np.sqrt(2 / self._n) * rng.lognormal(0, 0.1, count)
        self._shrunk = SHRUNK * self._sd
        self._walk = KernelWalk(network.layers[0].shape, self._l2[self._rows], rng)

    def step(self, dump: int, jumped: npt.NDArray[np.int64]) -> FilterDump:
        """The next dump; `jumped` are the classes that jump at it. Dumps come in order, from 0."""
        change, l2_before = self._change(dump, jumped), self._l2
        found = self._moved(change, is_first=dump == 0) | self._gradients(dump)
        before = self._walk.values if dump > 0 else None
        if before is not None:
            self._walk.step(change[self._rows], (self._l2 / l2_before)[self._rows])
        found |= self._of_kernels(found, before)
        found["nonfinite"] = np.zeros(self._network.filters)
        measures = {name: found[name].astype(np.float32) for name in MEASURES}
        return FilterDump(measures, self._histograms(found, has_gradients=dump > 0), Kernels(0, self._walk.values))

    @property
    def _l2(self) -> Doubles:
        return np.sqrt(self._n) * np.hypot(self._sd, self._mean)

    @property
    def _l1(self) -> Doubles:
        return self._n * np.hypot(MEAN_SIZE * self._sd, self._mean)

    def _change(self, dump: int, jumped: npt.NDArray[np.int64]) -> Doubles:
        change = self._rate[dump] * np.repeat(self._layer_change, self._sizes) * self._activity
        change *= self._rng.lognormal(0, 0.25, len(change))
        change[self._of_class[jumped]] *= JUMP
        if dump >= self._planted.overactive_from(len(self._stages)):
            change[self._overactive] *= OVERACTIVE
        change[self._vanishing] *= VANISHING
        change[self._frozen] = 0
        return np.minimum(change, 1.5)

    def _moved(self, change: Doubles, *, is_first: bool) -> dict[str, Doubles]:
        """Move the weights, and measure them and the step."""
        l2_before, l1_before = self._l2, self._l1
        if not is_first:
            way = 1 - np.exp(-PACE * change / self._travel)
            aim = self._sd * (self._rng.normal(0, 0.3, len(change)) - self._sunk)
            self._mean += way * (aim - self._mean)
            self._sd += way * (self._shrunk - self._sd)
        l2, euclidean = self._l2, change * l2_before
        found = {
            "sum": self._n * self._mean,
            "mean": self._mean,
            "sd": self._sd,
            "min": self._mean - self._reach[0] * self._sd,
            "max": self._mean + self._reach[1] * self._sd,
            "l1": self._l1,
            "l2": l2,
            "cosine": (l2**2 + l2_before**2 - euclidean**2) / (2 * l2 * l2_before),
            "change": change,
            "change_l1": MEAN_SIZE * np.sqrt(self._n) * euclidean / l1_before,
            "euclidean": euclidean,
            "update_ratio": 0.01 * change,
        }
        return found | (dict.fromkeys(STEP_MEASURES, np.full(len(change), np.nan)) if is_first else {})

    def _gradients(self, dump: int) -> dict[str, Doubles]:
        if dump == 0:
            return dict.fromkeys(GRADIENT_MEASURES, np.full(len(self._n), np.nan))
        learned = 0.25 + 0.75 * np.exp(-dump / (0.2 * len(self._stages)))
        of_layer = learned * self._layer_gradient * self._rng.lognormal(0, 0.15, len(self._sizes))
        sd = 0.01 * np.repeat(of_layer, self._sizes) * self._activity / np.sqrt(self._n)
        sd *= self._rng.lognormal(0, 0.2, len(sd))
        sd[self._vanishing] *= VANISHING
        sd[self._frozen] = 0
        mean = 0.1 * sd * self._rng.normal(0, 1, len(sd)) + 0.0  # -0 where the deviation is 0 would be seen
        largest = mean + 1.5 * self._reach[1] * sd
        return {"grad_mean": mean, "grad_sd": sd, "grad_l2": np.sqrt(self._n) * np.hypot(sd, mean), "grad_max": largest}

    def _of_kernels(self, found: dict[str, Doubles], before: Floats | None) -> dict[str, Doubles]:
        """The measures of all filters, those of the first layer replaced by what its kernels are."""
        replaced = {}
        for name, values in measured(self._walk.values, before).items():
            replaced[name] = found[name].copy()
            replaced[name][self._rows] = values
        return replaced

    def _histograms(self, found: dict[str, Doubles], *, has_gradients: bool) -> Histograms:
        weights = normal(self._spread(found["mean"], found["sd"], found["min"], found["max"]))
        weights[0][0], weights[1][0] = counted(self._walk.values)
        if not has_gradients:
            nothing = [np.zeros(0, np.uint16)] * len(self._sizes), [np.zeros(0, np.uint32)] * len(self._sizes)
            return Histograms(*weights, *nothing)
        mean, largest = found["grad_mean"], found["grad_max"]
        spread = self._spread(mean, found["grad_sd"], 2 * mean - largest, largest)
        zeros = len(self._frozen) * self._network.layers[0].fan_in
        spread.count[0] -= zeros
        bins, counts = laplacian(spread)
        bins[0], counts[0] = np.insert(bins[0], 0, 0), np.insert(counts[0], 0, zeros)
        return Histograms(*weights, bins, counts)

    def _spread(self, mean: Doubles, sd: Doubles, smallest: Doubles, largest: Doubles) -> Spread:
        """That of whole layers, from their filters, which all have equally many weights."""
        of_layer = np.add.reduceat(mean, self._offsets) / self._sizes
        squares = np.add.reduceat(sd**2 + mean**2, self._offsets) / self._sizes - of_layer**2
        return Spread(
            of_layer,
            np.sqrt(squares),
            np.minimum.reduceat(smallest, self._offsets),
            np.maximum.reduceat(largest, self._offsets),
            np.array([layer.filters * layer.fan_in for layer in self._network.layers]),
        )


def measured(kernels: Floats, before: Floats | None) -> dict[str, Doubles]:
    """Measures of kernels (filters, channels, height, width) by their definitions, without those of gradients."""
    w = kernels.reshape(len(kernels), -1).astype(np.float64)
    found = {
        "sum": w.sum(axis=1),
        "mean": w.mean(axis=1),
        "sd": w.std(axis=1),
        "min": w.min(axis=1),
        "max": w.max(axis=1),
        "l1": np.abs(w).sum(axis=1),
        "l2": np.linalg.norm(w, axis=1),
    }
    if before is None:
        return found
    p = before.reshape(w.shape).astype(np.float64)
    norm = np.linalg.norm(p, axis=1)
    euclidean = np.linalg.norm(w - p, axis=1)
    change = euclidean / norm
    return found | {
        "cosine": (found["l2"] ** 2 + norm**2 - euclidean**2) / (2 * found["l2"] * norm),
        "change": change,
        "change_l1": np.abs(w - p).sum(axis=1) / np.abs(p).sum(axis=1),
        "euclidean": euclidean,
        "update_ratio": 0.01 * change,
    }
