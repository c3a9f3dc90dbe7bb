"""What in a model depends on some filters alone? It is tried: names and the order of modules do not say.

1. The model is run on a few images while its layers give random numbers in place of what they compute, each layer its
   own: so nothing depends on which filters happen to be active, and what comes through another layer is that layer's.
2. Chosen filters give zeros, other random numbers, or their opposites (behind a ReLU one of both is seen). What differs
   depends on them.
3. Layers that are no modules of Python (script modules, weights in functional calls) cannot be made to do so; their
   weights get random numbers instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from deeptracker.experiments.filters_in_weights import Changed, randomise, uses_of, zero
from deeptracker.experiments.norms import Norm, owned, watched
from deeptracker.record.network import WeightedLayer
from deeptracker.record.preserve import undisturbed

Hook = Callable[[nn.Module, Any, Any], Any]
Chosen = Sequence[tuple[WeightedLayer, tuple[int, ...]]]
Channels = Mapping[tuple[int, ...], tuple[Norm, Tensor]]
"""Of normalisations: each one, and bool (channels,)."""


class Probe:
    """A model, and the arguments of one call: a few images."""

    def __init__(self, model: nn.Module, layers: Iterable[WeightedLayer], example: tuple[Any, ...]) -> None:
        self.model, self._example = model, example
        self.layers = {layer.layer.name: layer for layer in layers}

    def run(self) -> None:
        """One call in eval mode, without gradients, that leaves no trace."""
        with undisturbed(self.model):
            self.model(*self._example)

    def norm_channels(self, chosen: Chosen) -> Channels:
        """The channels of normalisations that belong to some filters alone."""
        silent = self._silent(chosen, lambda: watched(self.run))
        loud = [self._loud(chosen, sign, lambda: watched(self.run)) for sign in (1, -1)]
        return {key: (silent[key], mask) for key, mask in owned(silent, loud).items()}

    def input_channels(self, chosen: Chosen, consumers: Mapping[str, nn.Module]) -> dict[str, tuple[Tensor, Tensor]]:
        """Of the inputs of some modules, bool (channels,) each: which depend on the filters, and which of them on
        others too."""

        def seen() -> dict[str, Tensor]:
            return self._inputs(consumers)

        silent = self._silent(chosen, seen)
        loud = [self._loud(chosen, sign, seen) for sign in (1, -1)]
        other = self._loud(chosen, 1, seen, variant=1)
        found = {}
        for name in consumers:
            depends = torch.stack([_differing(one[name], silent[name]) for one in loud]).any(0)
            found[name] = depends, depends & _differing(other[name], loud[0][name])
        return found

    def _inputs(self, consumers: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """(channels, values) that each module is given."""
        found: dict[str, Tensor] = {}
        with ExitStack() as stack:
            for name, module in consumers.items():
                stack.callback(module.register_forward_pre_hook(_keeping(found, name)).remove)
            self.run()
        return found

    def _silent(self, chosen: Chosen, look: Callable[[], Any]) -> Any:
        with Changed() as changed, ExitStack() as stack:
            for layer, filters in chosen:
                zero(changed, self.model, layer, filters)
                hook(stack, self.model, layer, _numbers(layer, filters, 0))
            self._hook_others(stack, chosen)
            return look()

    def _loud(self, chosen: Chosen, sign: int, look: Callable[[], Any], variant: int = 0) -> Any:
        with Changed() as changed, ExitStack() as stack:
            for layer, filters in chosen:
                randomise(changed, self.model, layer, filters, sign)
                hook(stack, self.model, layer, _numbers(layer, filters, sign))
            self._hook_others(stack, chosen, variant)
            return look()

    def _hook_others(self, stack: ExitStack, chosen: Chosen, variant: int = 0) -> None:
        """All filters but those chosen give random numbers."""
        known = {layer.layer.name: set(filters) for layer, filters in chosen}
        for name, layer in self.layers.items():
            others = [number for number in range(layer.layer.filters) if number not in known.get(name, ())]
            if others:
                hook(stack, self.model, layer, _numbers(layer, others, 1, variant))


def hook(stack: ExitStack, model: nn.Module, layer: WeightedLayer, what: Hook) -> None:
    """Hang a hook on every module whose output are the filters: convolutions and linear layers of Python."""
    if not layer.layer.kind.startswith("conv") and layer.layer.kind != "linear":
        return
    for use in uses_of(model, layer):
        if not isinstance(use.module, torch.jit.ScriptModule):
            stack.callback(use.module.register_forward_hook(what).remove)


def output_dimension(layer: WeightedLayer) -> int:
    """Which dimension of the output of a convolution or a linear layer are the filters?"""
    return 1 if layer.layer.kind.startswith("conv") else -1


def by_channel(tensor: Tensor, kind: str) -> Tensor:
    """(channels, values) of what a layer of this kind is given or gives."""
    dimension = 1 if kind.startswith("conv") else -1
    return tensor.movedim(dimension, 0).reshape(tensor.shape[dimension], -1)


def _keeping(found: dict[str, Tensor], name: str) -> Callable[[nn.Module, Any], None]:
    def keep(module: nn.Module, inputs: Any) -> None:
        found[name] = by_channel(inputs[0].detach().clone(), "linear" if isinstance(module, nn.Linear) else "conv")

    return keep


def _differing(these: Tensor, others: Tensor) -> Tensor:
    return (these != others).any(1)


def _numbers(layer: WeightedLayer, filters: Sequence[int], sign: int, variant: int = 0) -> Hook:
    """Puts random numbers (of sign 0: zeros) in place of what the filters give."""

    def put(module: nn.Module, inputs: Any, output: Any) -> Any:
        if not isinstance(output, Tensor):
            return output
        own = torch.tensor(list(filters), device=output.device)
        generator = torch.Generator().manual_seed(2 * layer.layer.offset + variant)  # no two layers must cancel out
        noise = torch.randn(output.shape, generator=generator).to(output.device, output.dtype)
        dimension = output_dimension(layer)
        return output.index_copy(dimension, own, sign * noise.index_select(dimension, own))

    return put
