"""What does this process measure of a model, and is it still the model that it was?

1. On its own, or as rank 0, it measures all layers (`measures.py`) and copies the first convolution (`kernels.py`).
   Of a model whose weights are spread over processes each measures what it has (`sharded.py`). Else, nothing.
2. A parameter that another one has replaced, in a layer that is otherwise the same, is followed.
3. Layers that are others than before are noticed, and the recorder decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from deeptracker.record.beginning import Beginning
from deeptracker.record.dump import Later, Measured
from deeptracker.record.graph import network_of
from deeptracker.record.hierarchy import describe
from deeptracker.record.kernels import FirstConvolution, kernels_of
from deeptracker.record.measures import Measurer
from deeptracker.record.network import WeightedLayer, arranged, weighted_layers
from deeptracker.record.ranks import Ranks
from deeptracker.record.sharded import ShardedConvolution, ShardedMeasurer, is_sharded
from deeptracker.record.transfer import Arriving
from deeptracker.record.versions import same_layers
from deeptracker.schema import Kernels, Network


def write_network(
    begun: Beginning, model: nn.Module, layers: Sequence[WeightedLayer], example: Callable[[], tuple[Any, ...]] | None
) -> Network:
    """Write the first documents of a run; its network, if it had none before by following an example.

    No forward pass of a sharded model is followed: all processes would have to take part, and its weights are other
    tensors each time.
    """
    network = begun.network
    if network is None and is_sharded(layers):
        network = describe([layer.layer for layer in layers], source="module names; weights are spread over processes")
    elif network is None:
        network = network_of(model, layers, example)
    begun.write(network)
    return network


class Measuring:
    """The measures of one model, dump after dump: `before_step`, `gradients`, optimizer step, `after_step`."""

    def __init__(self, model: nn.Module, layers: Sequence[WeightedLayer], network: Network, ranks: Ranks) -> None:
        self._model, self._network = model, network
        self._layers = arranged(layers, network)
        self._measurer: Measurer | ShardedMeasurer | None = None
        self._convolution: FirstConvolution | ShardedConvolution | None = None
        if is_sharded(layers):
            self._measurer = ShardedMeasurer(self._layers, ranks)
            self._convolution = ShardedConvolution.of(self._layers)
        elif ranks.leads:
            self._measurer = Measurer(self._layers)
            self._convolution = FirstConvolution.of(self._layers)

    @property
    def layers(self) -> tuple[WeightedLayer, ...]:
        """Those that are measured, in the order of the network."""
        return self._layers

    def changed_layers(self) -> tuple[WeightedLayer, ...] | None:
        """The model's layers, if they are others than those that are measured. Exchanged parameters are followed."""
        found = weighted_layers(self._model)
        if not same_layers([layer.layer for layer in found], self._network.layers):
            return found
        now = arranged(found, self._network)
        if any(new.weight is not old.weight for new, old in zip(now, self._layers, strict=True)):
            self._layers = now
            if self._measurer is not None:
                self._measurer.follow(now)
            if self._convolution is not None:
                self._convolution = type(self._convolution).of(now)
        return None

    def stop(self) -> None:
        """Measure nothing any more."""
        self._measurer = self._convolution = None

    def remember(self) -> None:
        """Take the weights as those of the dump before, without measuring."""
        if self._measurer is not None:
            self._measurer.remember()

    def before_step(self) -> None:
        """Keep what the weights are before a due step."""
        if self._measurer is not None:
            self._measurer.before_step()

    def gradients(self, *, of: Callable[[torch.Tensor], bool], scale: torch.Tensor | None = None) -> None:
        """Measure the gradients of the weights that `of` names, divided by `scale` where there is one."""
        if self._measurer is not None:
            self._measurer.gradients(scale=scale, of=of)

    def after_step(self) -> Measured | Later[Measured] | None:
        """Measure the weights: the whole dump where this process writes it."""
        if isinstance(self._measurer, Measurer):
            return self._measurer.after_step_later()
        return None if self._measurer is None else self._measurer.after_step()

    def weights(self) -> Measured | None:
        """Measure the weights where no step is under way; None where several processes would have to."""
        return self._measurer.weights() if isinstance(self._measurer, Measurer) else None

    def kernels(self) -> Kernels | Later[Kernels] | None:
        """The first convolution's, if there is one, and it is recorded."""
        if isinstance(self._convolution, FirstConvolution):
            return _on_their_way(self._convolution)
        return None if self._convolution is None else self._convolution.kernels()


def _on_their_way(convolution: FirstConvolution) -> Kernels | Later[Kernels]:
    """Its kernels as they are now; of an accelerator nobody waits for them here."""
    index, layer = convolution.index, convolution.layer
    if layer.weight.device.type == "cpu":
        return convolution.kernels()
    arriving = Arriving(layer.rows(layer.weight.detach()).float())
    return Later(lambda: kernels_of(index, layer.layer, arriving.here()))
