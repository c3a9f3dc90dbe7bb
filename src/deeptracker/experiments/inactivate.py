"""How are filters of a model inactivated, so that they are zero for any input? (paper, 8.2)

1. Their weights and biases become zero (filters_in_weights.py), and so do scale, shift and running mean of the channels
   of a normalisation that belong to them alone (norms.py): otherwise it would turn the zeros into a constant.
2. Both are checked on a few images: the outputs of the layers must be zero, and those of the normalisations. Where a
   layer's are not, as with standardised weights, which zeros make NaN, the experiment is refused. Where a normalisation
   has nothing that could be set, it is told.
3. An activation that is not zero at zero (a sigmoid, a softplus) follows as ever: the filter is a constant then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from deeptracker.experiments.errors import ExperimentError
from deeptracker.experiments.filters_in_weights import Changed, randomise, uses_of, zero
from deeptracker.experiments.norms import Norm, owned, watched
from deeptracker.record.network import WeightedLayer
from deeptracker.record.preserve import undisturbed
from deeptracker.store.experiments import FilterGroup, in_words

Hook = Callable[[nn.Module, Any, Any], Any]
Chosen = Sequence[tuple[WeightedLayer, tuple[int, ...]]]
Channels = Mapping[tuple[int, ...], tuple[Norm, Tensor]]


class Inactivator:
    """Inactivates filters of a model; `example` are the arguments of one call, a few images."""

    def __init__(self, model: nn.Module, layers: Sequence[WeightedLayer], example: tuple[Any, ...]) -> None:
        self._model, self._example = model, example
        self._layers = {layer.layer.name: layer for layer in layers}

    @contextmanager
    def inactivated(self, groups: Sequence[FilterGroup]) -> Iterator[tuple[str, ...]]:
        """Within it these filters are zero; after it all is as before. Gives sentences on what could not be done.

        ExperimentError where outputs of the layers are not zero.
        """
        chosen = [(self._layers[group.layer], group.filters) for group in groups]
        channels = self._channels(chosen)
        with Changed() as changed:
            for layer, filters in chosen:
                zero(changed, self._model, layer, filters)
            for norm, mask in channels.values():
                for tensor in norm.tensors:
                    changed.keep(tensor).reshape(-1)[mask] = 0
            yield self._checked(chosen, channels)

    def _channels(self, chosen: Chosen) -> Channels:
        """The channels of normalisations that belong to some filters alone."""
        with Changed() as changed, ExitStack() as stack:
            for layer, filters in chosen:
                zero(changed, self._model, layer, filters)
            self._hook_noise(stack, chosen)
            silent = watched(self._run)
        loud = []
        for sign in (1, -1):
            with Changed() as changed, ExitStack() as stack:
                for layer, filters in chosen:
                    randomise(changed, self._model, layer, filters, sign)
                    _hook(stack, self._model, layer, _noise(layer, filters, sign))
                self._hook_noise(stack, chosen)
                loud.append(watched(self._run))
        return {key: (silent[key], mask) for key, mask in owned(silent, loud).items()}

    def _hook_noise(self, stack: ExitStack, chosen: Chosen) -> None:
        """All filters but those chosen give random numbers."""
        kept = {layer.layer.name: set(filters) for layer, filters in chosen}
        for name, layer in self._layers.items():
            others = [number for number in range(layer.layer.filters) if number not in kept.get(name, ())]
            if others:
                _hook(stack, self._model, layer, _noise(layer, others, 1))

    def _checked(self, chosen: Chosen, channels: Channels) -> tuple[str, ...]:
        """Run once more and look: ExperimentError, or sentences."""
        notes = []
        with ExitStack() as stack:
            outputs = [_outputs(stack, self._model, layer, filters) for layer, filters in chosen]
            norms = watched(self._run)
        for (layer, filters), largest in zip(chosen, outputs, strict=True):
            name = layer.layer.name
            if any(not value == 0 for value in largest):  # NaN is not
                raise ExperimentError(
                    f"filters must give zero once their weights and biases are. Those of {name} ({_listed(filters)}) "
                    f"give {max(largest, key=abs):g}: {_why(largest)}. Choose filters of other layers."
                )
            if not largest:
                notes.append(f"{name}: weights and biases are zero; what comes of them could not be watched.")
        for key, (_, mask) in channels.items():
            left = int((mask & ~norms[key].quiet).sum()) if key in norms else 0
            if left:
                notes.append(
                    f"{left} of the {int(mask.sum())} channels are given values again by a {norms[key].kind} "
                    "normalisation without a shift, and stay a constant."
                )
        return tuple(notes)

    def _run(self) -> None:
        with undisturbed(self._model):
            self._model(*self._example)


def _outputs(stack: ExitStack, model: nn.Module, layer: WeightedLayer, filters: Sequence[int]) -> list[float]:
    """Filled, while the model runs, with the largest magnitude that the filters give in each module that uses them."""
    found: list[float] = []

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            own = torch.tensor(list(filters), device=output.device)
            found.append(float(output.index_select(_dimension(layer), own).abs().max()))

    _hook(stack, model, layer, look)
    return found


def _noise(layer: WeightedLayer, filters: Sequence[int], sign: int) -> Hook:
    """Puts random numbers in place of what the filters give: what their inputs are does not matter then."""

    def put(module: nn.Module, inputs: Any, output: Any) -> Any:
        if not isinstance(output, Tensor):
            return output
        own = torch.tensor(list(filters), device=output.device)
        noise = torch.randn(output.shape, generator=torch.Generator().manual_seed(0)).to(output.device, output.dtype)
        dimension = _dimension(layer)
        return output.index_copy(dimension, own, sign * noise.index_select(dimension, own))

    return put


def _hook(stack: ExitStack, model: nn.Module, layer: WeightedLayer, hook: Hook) -> None:
    """Hang a hook on every module whose output are the filters: convolutions and linear layers of Python."""
    if not layer.layer.kind.startswith("conv") and layer.layer.kind != "linear":
        return
    for use in uses_of(model, layer):
        if not isinstance(use.module, torch.jit.ScriptModule):
            stack.callback(use.module.register_forward_hook(hook).remove)


def _dimension(layer: WeightedLayer) -> int:
    """Which dimension of the output are the filters?"""
    return 1 if layer.layer.kind.startswith("conv") else -1


def _why(largest: Sequence[float]) -> str:
    is_nan = any(value != value for value in largest)
    return "their weights are divided by their own size" if is_nan else "something is added to them"


def _listed(filters: tuple[int, ...]) -> str:
    return in_words([FilterGroup("", filters)]).removeprefix(":")
