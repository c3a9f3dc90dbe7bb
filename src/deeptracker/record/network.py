"""Which layers and filters does a model have?

1. A layer is a parameter of two dimensions or more whose name contains "weight"; a module with one such parameter
   gives the layer its own name, others (`attention.in_proj_weight`) are named by module and parameter. Of a
   parametrized weight (`torch.nn.utils.parametrizations`, weight or spectral norm) it is the parameter that is trained,
   under the name of the module that uses it. A parameter that several modules share is one layer, the first, and
   `places` names them all.
2. A filter is one output unit: dimension 0 of the weight; for transposed convolutions dimension 1 within each group
   (their weight is laid out input channel first).
3. What `torch.compile`, data-parallel wrappers and averaged models put into names is taken out.

The order here is that of the modules; `graph.py` finds the one in which data reaches them, `hierarchy.py` what lies
above.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from deeptracker.record.hierarchy import joined
from deeptracker.schema import Layer, Network

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
_COMPILED = "_orig_mod"
_PARAMETRIZATIONS = "parametrizations"
_KINDS = {
    "Conv1d": "conv1d",
    "Conv2d": "conv2d",
    "Conv3d": "conv3d",
    "ConvTranspose1d": "conv_transpose1d",
    "ConvTranspose2d": "conv_transpose2d",
    "ConvTranspose3d": "conv_transpose3d",
    "Linear": "linear",
    "Embedding": "embedding",
}


@dataclass(frozen=True, slots=True)
class WeightedLayer:
    """A layer with its parameter. `groups` is that of a transposed convolution, 0 for everything else."""

    layer: Layer
    weight: nn.Parameter
    groups: int = 0

    def rows(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor shaped like the weight as (filters, fan_in); a view where the layout allows it."""
        if not self.groups:
            return tensor.reshape(self.layer.filters, self.layer.fan_in)
        inputs, outputs, *kernel = tensor.shape
        grouped = tensor.reshape(self.groups, inputs // self.groups, outputs, math.prod(kernel))
        return grouped.transpose(1, 2).reshape(self.layer.filters, self.layer.fan_in)

    def rows_as_stored(self, tensor: torch.Tensor) -> torch.Tensor:
        """The same, a filter's values in the order in which they lie: `channels_last` needs no copy either."""
        if not self.groups and tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
            tensor = tensor.permute(0, 2, 3, 1)
        return self.rows(tensor)


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside data-parallel wrappers and `torch.compile`."""
    while True:
        if isinstance(model, _WRAPPERS):
            model = model.module
        elif _COMPILED in model._modules:
            model = model.get_submodule(_COMPILED)
        else:
            return model


def is_average(model: nn.Module | None) -> bool:
    """Is it a copy of a model with averages of its weights?"""
    return isinstance(model, AveragedModel)


def weighted_layers(model: nn.Module) -> tuple[WeightedLayer, ...]:
    """The layers of a model in the order of its modules; ValueError if it has none or is not initialised yet."""
    layers: list[WeightedLayer] = []
    offset = 0
    for places, owner, weight in _weights(unwrap(model)):
        groups = _transposed_groups(owner)
        filters = weight.shape[1] * groups if groups else weight.shape[0]
        shape = tuple(weight.shape)
        layer = Layer(places[0], _kind(owner), shape, filters, weight.numel() // filters, offset, tuple(places))
        layers.append(WeightedLayer(layer, weight, groups))
        offset += filters
    if not layers:
        raise ValueError(
            "the model must have a layer: a module with a weight of two dimensions or more. "
            f"Got a {type(model).__name__} without one."
        )
    return tuple(layers)


def arranged(layers: Sequence[WeightedLayer], network: Network) -> tuple[WeightedLayer, ...]:
    """The same layers as a network has them: in its order, with its numbers."""
    found = {layer.layer.name: layer for layer in layers}
    return tuple(replace(found[layer.name], layer=layer) for layer in network.layers)


def _weights(model: nn.Module) -> Iterator[tuple[list[str], nn.Module, nn.Parameter]]:
    """(names under which a weight is used, module that uses it first, weight), each parameter once."""
    modules = dict(model.named_modules(remove_duplicate=False))
    places: dict[int, list[str]] = {}
    first: list[tuple[nn.Module, nn.Parameter]] = []
    for path, module in modules.items():
        found = [(name, weight) for name, weight in module.named_parameters(recurse=False) if is_weight(name, path)]
        names = [name for name, _ in found]
        for name, weight in found:
            if isinstance(weight, nn.UninitializedParameter):
                raise ValueError(
                    f"the parameters of the model must be initialised. {path or 'the model'}.{name} is not: "
                    "run the model once on a batch before making the Recorder."
                )
            skipped = weight.ndim < 2 or weight.numel() == 0 or not weight.is_floating_point()
            if skipped or is_scale(name, names):
                continue
            if id(weight) not in places:
                first.append((modules[_user_of(path)], weight))
            here = layer_name(_unwrapped(path, modules), name)
            of_weight = places.setdefault(id(weight), [])
            if here not in of_weight:
                of_weight.append(here)
    for module, weight in first:
        yield places[id(weight)], module, weight


def is_weight(name: str, path: str) -> bool:
    """Is the parameter `name` of the module at `path` a weight, if it has two dimensions or more?"""
    parts = path.split(".")
    if len(parts) >= 2 and parts[-2] == _PARAMETRIZATIONS:
        return "weight" in parts[-1] and name in ("original", "original1")
    return "weight" in name


def is_scale(name: str, siblings: Sequence[str]) -> bool:
    """The lengths `weight_g` beside the directions `weight_v` of the older weight norm."""
    return name == "weight_g" and "weight_v" in siblings


def layer_name(path: str, name: str) -> str:
    """What the layer is called whose weight is the parameter `name` of the module at `path` (rule 1).

    >>> layer_name("conv", "weight"), layer_name("attention", "in_proj_weight")
    ('conv', 'attention.in_proj_weight')
    >>> layer_name("conv.parametrizations.weight", "original1")
    'conv'
    """
    parts = path.split(".")
    if len(parts) >= 2 and parts[-2] == _PARAMETRIZATIONS:
        path, name = ".".join(parts[:-2]), parts[-1]
    return joined(path, "" if name in ("weight", "weight_v") else name) or "weight"


def _unwrapped(path: str, modules: Mapping[str, nn.Module]) -> str:
    """The path of a module, without what wrappers put into it."""
    parts = path.split(".") if path else []
    return ".".join(part for i, part in enumerate(parts) if not _is_wrapped(part, modules[".".join(parts[:i])]))


def _is_wrapped(part: str, parent: nn.Module) -> bool:
    return part == _COMPILED or (part == "module" and isinstance(parent, _WRAPPERS))


def _user_of(path: str) -> str:
    """The path of the module that uses the weights of the one at `path`: itself, unless that parametrizes another's."""
    parts = path.split(".")
    return ".".join(parts[:-2]) if len(parts) >= 2 and parts[-2] == _PARAMETRIZATIONS else path


def _kind(module: nn.Module) -> str:
    for base in type(module).__mro__:
        if base.__module__.startswith("torch.nn.modules") and base.__name__ in _KINDS:
            return _KINDS[base.__name__]
    name = str(getattr(module, "original_name", type(module).__name__))  # a script module tells what it was made of
    return _KINDS.get(name, name.lower())


def _transposed_groups(module: nn.Module) -> int:
    return int(getattr(module, "groups", 1)) if _kind(module).startswith("conv_transpose") else 0
