"""Where do the filters of a layer go, and can one be taken away without anything else noticing?

1. The graph of the network (record/graph.py) tells which layers take a layer's data. A filter may go if all of them are
   ungrouped convolutions or linear layers, reached without a sum, and so may what normalises it batch-wise.
2. Which of their input channels a filter is, by itself, is tried (probing.py): behind a flattening it is many, behind a
   concatenation it stands somewhere else.
3. What these channels hold must be one constant each for all data. Of zeros nothing is missed; another constant is
   added to the bias of the layer that took it, unless zeros of its padding lie beside.
4. `Way` has what is to be cut, or says why the filter stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from deeptracker.experiments.errors import ExperimentError
from deeptracker.experiments.filters_in_weights import Use, uses_of
from deeptracker.experiments.norms import Norm
from deeptracker.experiments.probing import Probe, by_channel
from deeptracker.record.graph import Followed, follow
from deeptracker.record.network import WeightedLayer
from deeptracker.record.preserve import undisturbed

CONSTANT = 1e-6
"""So much may values differ, as a share of the largest magnitude or 1, that are called one constant."""

PASSED = ("pool", "concat")
"""Nodes of the graph that leave channels what they are."""


@dataclass(frozen=True, slots=True)
class Way:
    """One filter of a layer: what goes with it, or `why` it stays.

    `inputs` are the input channels of other layers, by name, `norms` the channels of normalisations; `shifts` are to be
    added to the biases of other layers, (filters,) each.
    """

    why: str = ""
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    norms: tuple[tuple[Norm, Tensor], ...] = ()
    shifts: Mapping[str, Tensor] = field(default_factory=dict)


class Ways:
    """The ways of filters through a model, which is not changed; `batches` gives all data, each time that it is asked:
    what is constant must be so for all of them."""

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[WeightedLayer],
        example: tuple[Any, ...],
        batches: Callable[[], Iterable[Any]],
    ) -> None:
        self._model, self._layers, self._batches = model, list(layers), batches
        self._probe = Probe(model, layers, example)
        try:
            self._graph = follow(model, layers, example)
        except Exception as error:  # whatever the user's code raises
            raise ExperimentError(
                f"the way of data through the model must be known. It could not be followed: {error}"
            ) from error
        self._ranges: dict[str, tuple[Tensor, Tensor]] = {}

    def of(self, layer: WeightedLayer, filters: Sequence[int]) -> dict[int, Way]:
        """The way of each of these filters."""
        consumers, why = self._consumers(layer)
        why = why or _cannot_lose_filters(self._model, layer)
        for consumer in consumers:
            why = why or _cannot_lose_inputs(self._model, consumer)
        if why:
            return {number: Way(why) for number in filters}
        modules = {one.layer.name: uses_of(self._model, one)[0].module for one in consumers}
        self._look(modules)
        return {number: self._way(layer, number, consumers, modules) for number in filters}

    def _way(
        self, layer: WeightedLayer, number: int, consumers: Sequence[WeightedLayer], modules: Mapping[str, nn.Module]
    ) -> Way:
        chosen = [(layer, (number,))]
        norms = tuple(self._probe.norm_channels(chosen).values())
        for norm, _ in norms:
            if norm.kind != "batch":
                return Way(f"a {norm.kind} normalisation takes its values together with those of other channels")
        inputs: dict[str, Tensor] = {}
        shifts: dict[str, Tensor] = {}
        uncalled = [name for name in modules if name not in self._ranges]
        if uncalled:
            return Way(f"{uncalled[0]}, which takes its output, is not called as a module")
        taken = self._probe.input_channels(chosen, modules)
        for consumer in consumers:
            name = consumer.layer.name
            channels, shared = taken[name]
            if shared.any():
                return Way(f"{name} takes it mixed with other filters")
            low, high = (one[channels] for one in self._ranges[name])
            size = max(1.0, float(high.abs().max())) if len(high) else 1.0
            if len(high) and not float((high - low).max()) <= CONSTANT * size:
                return Way(f"it is no constant: {name} is given {float(low.min()):.4g} to {float(high.max()):.4g}")
            inputs[name] = channels
            if len(high) and float(high.abs().max()) > 0:
                why = _cannot_take(consumer, uses_of(self._model, consumer)[0])
                if why:
                    return Way(why)
                shifts[name] = _shift(consumer, channels, (low + high) / 2)
        return Way("", inputs, norms, shifts)

    def _consumers(self, layer: WeightedLayer) -> tuple[list[WeightedLayer], str]:
        """The layers that take its data, or why that is not known."""
        graph = self._graph
        index = next(place for place, one in enumerate(self._layers) if one is layer)
        start = next(place for place, node in enumerate(graph.nodes) if node.layer == index)
        found: list[WeightedLayer] = []
        ahead, seen = [start], {start}
        while ahead:
            for node in _after(graph, ahead.pop()):
                step = graph.nodes[node]
                if step.layer is not None:
                    found += [self._layers[step.layer]] if self._layers[step.layer] not in found else []
                elif step.kind not in PASSED:
                    return [], "its output goes into a sum" if step.kind == "add" else f"it goes through a {step.label}"
                elif node not in seen:
                    seen.add(node)
                    ahead.append(node)
        return found, "" if found else "no layer takes its output: it is the model's own"

    def _look(self, modules: Mapping[str, nn.Module]) -> None:
        """The least and the largest value of each input channel of some modules, over all data."""
        new = {name: module for name, module in modules.items() if name not in self._ranges}
        if not new:
            return
        with ExitStack() as stack, undisturbed(self._model):
            for name, module in new.items():
                stack.callback(module.register_forward_pre_hook(self._ranging(name)).remove)
            for batch in self._batches():
                self._model(batch)

    def _ranging(self, name: str) -> Any:
        def look(module: nn.Module, inputs: Any) -> None:
            values = by_channel(inputs[0].detach(), "linear" if isinstance(module, nn.Linear) else "conv")
            low, high = values.amin(1), values.amax(1)
            known = self._ranges.get(name, (low, high))
            self._ranges[name] = torch.minimum(low, known[0]), torch.maximum(high, known[1])

        return look


def input_dimension(layer: WeightedLayer) -> int:
    """Which dimension of the weight are the input channels?"""
    return 0 if layer.groups else 1


def _after(graph: Followed, node: int) -> list[int]:
    return [end for start, end in graph.edges if start == node]


def _cannot_lose_filters(model: nn.Module, layer: WeightedLayer) -> str:
    """Why no filter of a layer can go, whatever comes behind; empty if some can."""
    what = _is_plain(model, layer)
    return f"the layer {what}" if what else ""


def _cannot_lose_inputs(model: nn.Module, layer: WeightedLayer) -> str:
    what = _is_plain(model, layer)
    return f"{layer.layer.name}, which takes its output, {what}" if what else ""


def _is_plain(model: nn.Module, layer: WeightedLayer) -> str:
    """What is special about a layer; empty if nothing is."""
    uses = uses_of(model, layer)
    if not isinstance(uses[0].module, nn.Linear | nn.modules.conv._ConvNd):
        return "is neither a convolution nor a linear layer of PyTorch"
    if len(uses) > 1 or len(layer.layer.places) > 1:
        return "shares its weights with another"
    if getattr(uses[0].module, "groups", 1) != 1:
        return "is grouped"
    if dict(uses[0].module.named_parameters(recurse=False)).get("weight") is not layer.weight:
        return "makes its weights from others"
    return ""


def _cannot_take(layer: WeightedLayer, use: Use) -> str:
    """Why a layer cannot take a constant into its bias; empty if it can."""
    name = layer.layer.name
    if use.bias is None:
        return f"it is a constant that is not zero, and {name} has no bias to take it"
    padding = getattr(use.module, "padding", 0)
    is_padded = layer.groups or padding == "same" or (padding != "valid" and any(_tuple(padding)))
    if is_padded and getattr(use.module, "padding_mode", "zeros") == "zeros":
        return f"it is a constant that is not zero, and {name} sees zeros beside it at the borders"
    return ""


def _tuple(padding: Any) -> tuple[int, ...]:
    return padding if isinstance(padding, tuple) else (int(padding),)


def _shift(layer: WeightedLayer, channels: Tensor, values: Tensor) -> Tensor:
    """(filters,): what constants at some input channels add to a layer's outputs."""
    weight = layer.weight.detach()
    summed = weight.reshape(*weight.shape[:2], -1).sum(2)[:, channels]
    return (summed.cpu().double() @ values.cpu().double()).to(weight.device, weight.dtype)
