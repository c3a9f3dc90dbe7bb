"""What does the recorder measure of every filter at a dump, and how cheaply?

1. Before a due optimizer step: weights are copied, gradients measured as the optimizer will see them. After it: weights
   are measured, and compared with those copied and with those of the dump before.
2. Layers in the host's memory are measured by threads, in one pass over the weights (`on_host.py`, `one_pass.py`);
   others where they are, with torch's operations (`on_device.py`). These are also for a host without numba.
3. Sums and norms are accumulated in float64 wherever there is one, whatever the model's dtype.

Definitions: docs/format.md. Undefined (no dump before, zero norm, no gradient) is NaN. A sparse gradient is measured as
the dense one that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import torch

from deeptracker.record.dump import Later, Measured, here
from deeptracker.record.network import WeightedLayer
from deeptracker.record.on_device import DeviceMeasurer

if TYPE_CHECKING:
    from deeptracker.record.on_host import HostMeasurer

HAS_COMPILER = find_spec("numba") is not None


class Measurer:
    """Measures the layers of one model, dump after dump: `before_step`, `gradients`, optimizer step, `after_step`."""

    def __init__(self, layers: Sequence[WeightedLayer]) -> None:
        self._layers = layers
        self._devices: list[torch.device] = []
        self._groups: list[list[int]] = []
        self._measurers: list[HostMeasurer | DeviceMeasurer] = []
        self._begin()

    def follow(self, layers: Sequence[WeightedLayer]) -> None:
        """The same layers with other parameters."""
        self._layers = layers
        for place, measurer in enumerate(self._measurers):
            measurer.follow([layers[index] for index in self._groups[place]])

    @torch.no_grad()
    def remember(self) -> None:
        """Take the weights as those of the dump before, without measuring."""
        for measurer in self._measurers:
            measurer.remember()

    @torch.no_grad()
    def before_step(self) -> None:
        """Copy the weights, for `update_ratio`."""
        self._begin()
        for measurer in self._measurers:
            measurer.before_step()

    @torch.no_grad()
    def gradients(
        self, *, scale: torch.Tensor | None = None, of: Callable[[torch.Tensor], bool] = lambda weight: True
    ) -> None:
        """Measure the gradients as they are now, of the weights that `of` names; those measured last count.

        They are divided by `scale` where the optimizer will do so itself.
        """
        for measurer in self._measurers:
            measurer.gradients(scale, of)

    @torch.no_grad()
    def after_step(self) -> Measured:
        """Measure the weights, and return the whole dump. If this fails the next dump has no `change`."""
        return here(self.after_step_later())

    @torch.no_grad()
    def after_step_later(self) -> Measured | Later[Measured]:
        """The same, but nothing waits for an accelerator."""
        for measurer in self._measurers:
            measurer.weights()
        return self._collect()

    def weights(self) -> Measured:
        """Measure the weights where there is no step: gradients and `update_ratio` are unknown."""
        self._begin()
        for measurer in self._measurers:
            measurer.forget_step()
        return self.after_step()

    def _begin(self) -> None:
        """Nothing is known of this dump. A model that has moved to another device is not compared with before."""
        devices = [layer.weight.device for layer in self._layers]
        if devices != self._devices:
            self._devices = devices
            self._groups = [[at for at, other in enumerate(devices) if other == one] for one in dict.fromkeys(devices)]
            self._measurers = [_measurer([self._layers[at] for at in group]) for group in self._groups]
        for measurer in self._measurers:
            measurer.clear()

    def _collect(self) -> Measured | Later[Measured]:
        parts = [measurer.results() for measurer in self._measurers]
        order = np.argsort([at for group in self._groups for at in group])

        def collected() -> Measured:
            results = [result for part in parts for result in here(part)]
            return Measured.of([results[place] for place in order])

        return Later(collected) if any(isinstance(part, Later) for part in parts) else collected()


def _measurer(layers: Sequence[WeightedLayer]) -> HostMeasurer | DeviceMeasurer:
    """For layers of one device."""
    if layers[0].weight.device.type == "cpu" and HAS_COMPILER:
        try:
            from deeptracker.record.on_host import HostMeasurer
        except ImportError:  # a numba that does not know this numpy
            return DeviceMeasurer(layers)
        return HostMeasurer(layers)
    return DeviceMeasurer(layers)
