"""Where do the filters of a layer lie in a model's tensors?

1. In the weight: dimension 0, or, of transposed convolutions, dimension 1 within each group (record/network.py). Every
   module that uses the weight may have a bias of its own, with a number for each filter.
2. Of a weight that is a direction times a length (weight norm) the lengths decide: a direction of zeros has none, and
   would make the output NaN.
3. What is changed is put back, bit for bit, when `Changed` is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor, nn

from deeptracker.record.network import WeightedLayer

_LENGTHS = {"original1": "original0", "weight_v": "weight_g"}


@dataclass(frozen=True, slots=True)
class Use:
    """A module that uses the weight of a layer, by its path, with its bias (None: it has none for each filter)."""

    path: str
    module: nn.Module
    bias: Tensor | None
    lengths: Tensor | None
    """Of weight norm: what the directions in the weight are multiplied by, one number a filter."""


def uses_of(model: nn.Module, layer: WeightedLayer) -> tuple[Use, ...]:
    """All modules that use the weight of a layer, the first being its own."""
    found: dict[str, Use] = {}
    modules = dict(model.named_modules(remove_duplicate=False))
    for path, module in modules.items():
        parameters = dict(module.named_parameters(recurse=False))
        for name, parameter in parameters.items():
            if parameter is not layer.weight:
                continue
            owner, of = path, name
            parts = path.split(".")
            if len(parts) >= 2 and parts[-2] == "parametrizations":
                owner, of = ".".join(parts[:-2]), parts[-1]
            bias = dict(modules[owner].named_parameters(recurse=False)).get(
                of.replace("weight_v", "weight").replace("weight", "bias")
            )
            lengths = parameters.get(_LENGTHS.get(name, ""))
            filters = layer.layer.filters
            found[owner] = Use(
                owner,
                modules[owner],
                bias if bias is not None and bias.shape == (filters,) else None,
                lengths if lengths is not None and lengths.numel() == filters else None,
            )
    return tuple(found.values())


def mask_of(layer: WeightedLayer, filters: Sequence[int]) -> Tensor:
    """bool, shaped like the weight: what belongs to some filters."""
    shape = layer.weight.shape
    chosen = torch.zeros(layer.layer.filters, dtype=torch.bool, device=layer.weight.device)
    chosen[list(filters)] = True
    if not layer.groups:
        return chosen.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)
    inputs, outputs, *kernel = shape
    grouped = chosen.reshape(layer.groups, 1, outputs, *[1] * len(kernel))
    return grouped.expand(layer.groups, inputs // layer.groups, outputs, *kernel).reshape(shape)


class Changed:
    """Tensors of a model that are written to for a while.

    >>> tensor = torch.ones(2)
    >>> with Changed() as changed:
    ...     changed.keep(tensor).zero_()
    tensor([0., 0.])
    >>> tensor
    tensor([1., 1.])
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def keep(self, tensor: Tensor) -> Tensor:
        """The tensor, to be written to from now on."""
        if id(tensor) not in self._kept:
            self._kept[id(tensor)] = tensor, tensor.detach().clone()
        return tensor.data

    def __enter__(self) -> Changed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tensor, before in self._kept.values():
            tensor.data.copy_(before)


def zero(changed: Changed, model: nn.Module, layer: WeightedLayer, filters: Sequence[int]) -> None:
    """Write zeros over the weights and biases of some filters."""
    for tensor, mask in _parts(model, layer, filters, prefer_lengths=True):
        changed.keep(tensor).masked_fill_(mask, 0)


def randomise(changed: Changed, model: nn.Module, layer: WeightedLayer, filters: Sequence[int], sign: int) -> None:
    """Write random numbers of the layer's own size over some filters; the opposite ones for the other sign."""
    generator = torch.Generator().manual_seed(0)
    size = float(layer.weight.detach().float().std().nan_to_num()) or 1.0
    for tensor, mask in _parts(model, layer, filters, prefer_lengths=False):
        noise = torch.randn(tensor.shape, generator=generator).to(tensor.device, tensor.dtype)
        target = changed.keep(tensor)
        target.copy_(torch.where(mask, sign * size * noise, target))
    for use in uses_of(model, layer):
        if use.lengths is not None:
            changed.keep(use.lengths).reshape(-1)[list(filters)] = 1


def _parts(
    model: nn.Module, layer: WeightedLayer, filters: Sequence[int], *, prefer_lengths: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    uses = uses_of(model, layer)
    lengths = next((use.lengths for use in uses if use.lengths is not None), None)
    if lengths is None or not prefer_lengths:
        yield layer.weight, mask_of(layer, filters)
    else:
        yield lengths, _rows(lengths, filters)
    for use in uses:
        if use.bias is not None:
            yield use.bias, _rows(use.bias, filters)


def _rows(tensor: Tensor, filters: Sequence[int]) -> Tensor:
    mask = torch.zeros(tensor.numel(), dtype=torch.bool, device=tensor.device)
    mask[list(filters)] = True
    return mask.reshape(tensor.shape)
