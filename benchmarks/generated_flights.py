"""What happened just before the dumps at which all classes suffer? Single iterations that agree with the dumps.

1. The last iteration is the dump's own: it has the dump's measures. Norms come from where they were, going faster once
   the trouble has begun; gradients and steps vary from batch to batch around the dump's.
2. Trouble begins at TROUBLE of the way: a batch whose gradients are SPIKE times as large in the deeper half of the
   network, and that decay. The loss leaps there. Of every third flight the gradients of one layer are NaN for two
   iterations.
3. A batch has samples of the training drawn at random; the batch of the spike has many ids next to each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deeptracker.schema import FLIGHT_MEASURES, Flight, Network, Reason

Floats = npt.NDArray[np.float32]

TROUBLE, SPIKE, DECAY = 0.7, 30.0, 0.9
BATCH, TRAINING_SAMPLES = 128, 1_281_167


class Flights:
    """Makes flights of at most `length` iterations of a network, one after the other."""

    def __init__(self, network: Network, length: int, *, rng: np.random.Generator) -> None:
        self._network, self._length, self._rng = network, length, rng
        self._made = 0

    def before(
        self, iteration: int, measures: dict[str, Floats], l2_before: Floats, jumped: list[tuple[int, str]]
    ) -> Flight:
        """The iterations before a dump with these measures; of the dump before `l2`; classes that jump, and names."""
        rng, layers = self._rng, self._network.layers
        rows = min(self._length, iteration)
        iterations = np.arange(iteration - rows + 1, iteration + 1)
        at = int(TROUBLE * rows)
        since = np.maximum(0, np.arange(rows) - at)
        spike = np.where(np.arange(rows) < at, 0, SPIKE * DECAY**since)
        depth = np.repeat(np.linspace(0, 1, len(layers)), [layer.filters for layer in layers])
        values = np.empty((len(FLIGHT_MEASURES), rows, self._network.filters), np.float32)
        way = np.cumsum(1 + 0.1 * spike) / np.sum(1 + 0.1 * spike)
        values[0] = l2_before + way[:, None] * (measures["l2"] - l2_before)
        batch = rng.lognormal(0, 0.12, (rows, 1)) * (1 + spike[:, None] * np.clip(2 * depth - 0.6, 0, 1))
        for place, name in ((1, "grad_l2"), (2, "update_ratio")):
            values[place] = measures[name] * batch * rng.lognormal(0, 0.3, values.shape[1:])
        values[3] = 0
        for place, name in enumerate(FLIGHT_MEASURES):
            values[place, -1] = measures[name]
        reasons = [
            Reason("anomaly", f"{name}: {share} % of its samples changed (suggested threshold 35 %)", iteration, cls)
            for share, (cls, name) in zip(rng.integers(40, 90, len(jumped)).tolist(), jumped, strict=True)
        ]
        text = f"the loss leapt to {2 + 3 * rng.random():.2f}, from 1.04 on average before"
        reasons.append(Reason("loss", text, int(iterations[at])))
        if self._made % 3 == 2:
            layer = layers[len(layers) * 2 // 3]
            values[1, at + 1 : at + 3, layer.rows] = np.nan
            values[3, at + 1 : at + 3, layer.rows] = layer.fan_in
            reasons.append(Reason("nan", f"{layer.name} has gradients that are NaN", int(iterations[at + 1])))
        batches = [np.sort(rng.choice(TRAINING_SAMPLES, BATCH, replace=False)) for _ in range(rows)]
        batches[at] = np.arange(BATCH, dtype=np.int64) + 48_000
        self._made += 1
        return Flight(iteration, iterations, values, tuple(reasons), tuple(batches))
