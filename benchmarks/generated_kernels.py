"""How do the kernels of a first convolution move while a network learns, as far as a picture of them shows?

1. A kernel begins as half noise, half smooth, and turns towards a smooth one of its own: a few waves over its width and
   height, alike in all channels up to a tint.
2. Each step is exactly as long as asked for: it turns the kernel, as a vector, by the angle that the lengths of old,
   new and step leave; where to is the way to the smooth kernel with some noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

WAVES = 4
"""How many waves there are in each direction, the constant one counted."""

TINT = 0.35
NOISE = 0.6
BELOW_ZERO = 0.2
"""How far below zero the smooth kernels lie, as a share of their deviation."""


class KernelWalk:
    """Kernels of one layer: `values` float32 (filters, channels, height, width)."""

    def __init__(self, shape: tuple[int, ...], norms: Doubles, rng: np.random.Generator) -> None:
        self._rng = rng
        self._shape = shape
        self._basis = _waves(shape[2], shape[3])
        self._target = _unit(_unit(self._smooth()) - BELOW_ZERO / np.sqrt(np.prod(shape[1:])))
        start = _unit(_unit(self._smooth()) + _unit(rng.normal(size=self._target.shape)))
        self.values: Floats = (norms[:, None] * start).reshape(shape).astype(np.float32)

    def step(self, change: Doubles, growth: Doubles) -> None:
        """Move each filter by `change`, (filters,), as a share of its norm, which grows by `growth`; 0 keeps it."""
        before = self.values.reshape(self._target.shape).astype(np.float64)
        norms = np.linalg.norm(before, axis=1, keepdims=True)
        here = before / norms
        ahead = self._target - here + NOISE * _unit(self._smooth())
        sideways = _unit(ahead - (ahead * here).sum(axis=1, keepdims=True) * here)
        cosine = np.clip((1 + growth**2 - change**2) / (2 * growth), -1, 1)[:, None]
        after = norms * growth[:, None] * (cosine * here + np.sqrt(1 - cosine**2) * sideways)
        moves = change > 0
        self.values = self.values.copy()
        self.values[moves] = after[moves].reshape(-1, *self._shape[1:])

    def _smooth(self) -> Doubles:
        """(filters, weights of a filter): waves of random size, in all channels and, less, in each."""
        filters, channels = self._shape[:2]
        sizes = self._rng.normal(size=(filters, 1, len(self._basis)))
        sizes = sizes + TINT * self._rng.normal(size=(filters, channels, len(self._basis)))
        return (sizes @ self._basis).reshape(filters, -1)


def _waves(height: int, width: int) -> Doubles:
    """(waves, height x width): products of cosines, slower ones larger, without that which is constant in both."""
    made = []
    for i in range(min(WAVES, height)):
        for j in range(min(WAVES, width)):
            rows = np.cos(np.pi * i * (np.arange(height) + 0.5) / height)
            columns = np.cos(np.pi * j * (np.arange(width) + 0.5) / width)
            if i or j:
                made.append(np.outer(rows, columns).ravel() / (1 + 0.5 * (i + j)))
    return np.array(made)


def _unit(rows: Doubles) -> Doubles:
    unit: Doubles = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
