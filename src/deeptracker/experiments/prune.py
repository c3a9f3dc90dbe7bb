"""How is a model made smaller by filters that do nothing, so that its outputs stay the same?

1. The way of each filter says what goes with it, or why it stays (ways.py). A layer keeps one filter at least.
2. A copy of the model loses the rows of weights and biases, the channels of batch normalisations, and the input
   channels of the layers behind. Constants go into biases first.
3. The copy must run: what else in a model counts channels (a scale of its own, a fixed shape) is met here, and the
   filters of that layer stay.
4. Its outputs are compared on all data, batch by batch. They may differ by TOLERANCE of the largest, as sums over fewer
   numbers are rounded otherwise. If they differ more nothing is given.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deeptracker.experiments.choice import Groups
from deeptracker.experiments.errors import ExperimentError
from deeptracker.experiments.filters_in_weights import uses_of
from deeptracker.experiments.ways import Way, Ways, input_dimension
from deeptracker.record.network import WeightedLayer, weighted_layers
from deeptracker.record.preserve import undisturbed
from deeptracker.store.experiments import FilterGroup

TOLERANCE = 1e-5
"""Of the largest magnitude among the outputs, or of 1."""

_WIDTHS = ("out_channels", "in_channels", "out_features", "in_features", "num_features")


@dataclass(frozen=True, slots=True)
class Kept:
    """Filters that stay, and why, as the end of a sentence."""

    filters: FilterGroup
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """A smaller model's `state`; `widths` are (before, after) filters of the layers that are narrower.

    `shapes` are (before, after) of all tensors that changed; `difference` is the largest of the outputs of `samples`,
    `largest` their largest magnitude, and `parameters` (before, after) how many there are.
    """

    state: dict[str, Tensor]
    removed: Groups
    kept: tuple[Kept, ...]
    widths: dict[str, tuple[int, int]]
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    parameters: tuple[int, int]
    samples: int
    difference: float
    largest: float


def prune(
    model: nn.Module,
    filters: Groups,
    example: tuple[Any, ...],
    batches: Callable[[], Iterable[Any]],
    on_step: Callable[[int, int], None] = lambda done, of: None,
) -> Pruned:
    """Take away those of some filters that can be; the model itself stays as it is.

    `batches` gives the model's inputs, the same each time. ExperimentError where none can go, or outputs would differ.
    """
    layers = {layer.layer.name: layer for layer in weighted_layers(model)}
    ways_of = Ways(model, list(layers.values()), example, batches)
    ways: dict[str, dict[int, Way]] = {}
    for done, group in enumerate(filters):
        found = ways_of.of(layers[group.layer], group.filters)
        going = [number for number, way in found.items() if not way.why]
        if len(going) == layers[group.layer].layer.filters:
            found[going[0]] = Way("a layer must keep one filter")
        ways[group.layer] = found
        on_step(done + 1, len(filters) + 1)
    smaller = _cut_what_runs(model, ways, example)
    removed = _groups({name: [n for n, way in of.items() if not way.why] for name, of in ways.items()})
    kept = tuple(
        Kept(group, why)
        for name, of in ways.items()
        for why in dict.fromkeys(way.why for way in of.values() if way.why)
        for group in _groups({name: [n for n, way in of.items() if way.why == why]})
    )
    if not removed:
        reasons = "; ".join(f"{one.filters.layer}: {one.why}" for one in kept)
        raise ExperimentError(f"there must be filters that can go. All {len(kept)} stay. {reasons}.")
    samples, difference, largest = _compared(model, smaller, batches())
    on_step(len(filters) + 1, len(filters) + 1)
    if not _is_same(difference, largest):
        raise ExperimentError(
            f"outputs must be the same without the filters, within {TOLERANCE:g} of the largest. They differ by "
            f"{difference:.3g}, the largest being {largest:.3g}. Nothing was written: the filters are not dead with "
            "these weights. See what they do: deeptracker ablate"
        )
    before, after = model.state_dict(), smaller.state_dict()
    shapes = {
        name: (tuple(before[name].shape), tuple(value.shape))
        for name, value in after.items()
        if isinstance(value, Tensor) and value.shape != before[name].shape
    }
    widths = {
        group.layer: (width := layers[group.layer].layer.filters, width - len(group.filters)) for group in removed
    }
    counts = tuple(sum(parameter.numel() for parameter in one.parameters()) for one in (model, smaller))
    state = {
        name: value.detach().cpu().clone().contiguous() for name, value in after.items() if isinstance(value, Tensor)
    }
    return Pruned(state, removed, kept, widths, shapes, (counts[0], counts[1]), samples, difference, largest)


def _cut_what_runs(model: nn.Module, ways: dict[str, dict[int, Way]], example: tuple[Any, ...]) -> nn.Module:
    """The model without all filters that may go; filters of layers without which it does not run stay in `ways`."""
    smaller, _ = _tried(model, ways, example)
    if smaller is not None:
        return smaller
    going: dict[str, dict[int, Way]] = {}
    last = copy.deepcopy(model)
    for name, of in ways.items():
        smaller, why = _tried(model, {**going, name: of}, example)
        if smaller is not None:
            going[name], last = of, smaller
        else:
            ways[name] = {number: way if way.why else Way(why) for number, way in of.items()}
    return last


def _tried(model: nn.Module, ways: dict[str, dict[int, Way]], example: tuple[Any, ...]) -> tuple[nn.Module | None, str]:
    try:
        smaller = cut(model, ways)
        _, difference, largest = _compared(model, smaller, [example[0]])
    except Exception as error:  # whatever the user's code raises
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return None, f"the model does not run without it ({reason})"
    if not _is_same(difference, largest):
        return None, f"outputs differ without it, by {difference:.3g}"
    return smaller, ""


def cut(model: nn.Module, ways: dict[str, dict[int, Way]]) -> nn.Module:
    """A copy of the model without the filters whose ways are clear."""
    smaller = copy.deepcopy(model)
    layers = {layer.layer.name: layer for layer in weighted_layers(smaller)}
    of_copy = dict(zip(map(id, _tensors(model)), _tensors(smaller), strict=True))
    losing: dict[int, list[Tensor]] = {}  # of tensors with one number a channel: which of these go
    columns: dict[str, Tensor] = {}
    clear = {name: {number: way for number, way in of.items() if not way.why} for name, of in ways.items()}
    for of in clear.values():
        for way in of.values():
            for name, shift in way.shifts.items():
                bias = uses_of(smaller, layers[name])[0].bias
                assert bias is not None
                bias.data += shift
            for name, channels in way.inputs.items():
                columns[name] = columns.get(name, torch.zeros_like(channels)) | channels
            for norm, mask in way.norms:
                for tensor in norm.tensors:
                    losing.setdefault(id(of_copy[id(tensor)]), []).append(mask)
    for name, gone in columns.items():
        _keep(layers[name], ~gone, input_dimension(layers[name]))
    for name, going in clear.items():
        if going:
            mask = torch.ones(layers[name].layer.filters, dtype=torch.bool)
            mask[list(going)] = False
            _keep(layers[name], mask, 1 - input_dimension(layers[name]))
            bias = uses_of(smaller, layers[name])[0].bias
            if bias is not None:
                bias.data = bias.data[mask]
    _cut_norms(smaller, losing)
    _say_widths(smaller)
    return smaller


def _keep(layer: WeightedLayer, mask: Tensor, dimension: int) -> None:
    kept = torch.nonzero(mask)[:, 0].to(layer.weight.device)
    layer.weight.data = layer.weight.data.index_select(dimension, kept).contiguous()


def _cut_norms(model: nn.Module, losing: dict[int, list[Tensor]]) -> None:
    """All tensors with one number a channel of the modules that own any that loses some."""
    for module in model.modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        masks = [mask for _, tensor in own for mask in losing.get(id(tensor), ())]
        if masks:
            keep = ~torch.stack(masks).any(0)
            for _, tensor in own:
                if tensor.shape == keep.shape:
                    tensor.data = tensor.data[keep]


def _say_widths(model: nn.Module) -> None:
    """Modules say how wide they are; some look at it."""
    for module in model.modules():
        weight = dict(module.named_parameters(recurse=False)).get("weight")
        if weight is None or not any(hasattr(module, name) for name in _WIDTHS):
            continue
        swapped = isinstance(module, nn.modules.conv._ConvTransposeNd)
        for name in _WIDTHS:
            if hasattr(module, name) and getattr(module, "groups", 1) == 1:
                is_output = name.startswith(("out", "num"))
                width = weight.shape[int(is_output == swapped)] if weight.ndim > 1 else len(weight)
                if getattr(module, name) != width:
                    setattr(module, name, width)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _compared(model: nn.Module, smaller: nn.Module, batches: Iterable[Any]) -> tuple[int, float, float]:
    """How many outputs there are, by how much they differ at most, and how large they are at most."""
    samples, difference, largest = 0, 0.0, 0.0
    with undisturbed(model), undisturbed(smaller):
        for batch in batches:
            ours, theirs = list(_tensors_in(model(batch))), list(_tensors_in(smaller(batch)))
            if [one.shape for one in ours] != [one.shape for one in theirs]:
                return samples, float("inf"), largest
            samples += len(ours[0]) if ours and ours[0].ndim else 0
            for one, other in zip(ours, theirs, strict=True):
                apart = (one - other).abs()
                apart[(one == other) | (one.isnan() & other.isnan())] = 0  # infinities too
                difference = max(difference, float(apart.nan_to_num(float("inf")).max()))
                largest = max(largest, float(one.abs().nan_to_num(0, 0).max()))
    return samples, difference, largest


def _tensors_in(output: Any) -> Iterator[Tensor]:
    """All that a model returns, in double precision."""
    if isinstance(output, Tensor) and output.numel():
        yield output.detach().cpu().double()
    elif isinstance(output, Mapping):
        for one in output.values():
            yield from _tensors_in(one)
    elif isinstance(output, (list, tuple)):
        for one in output:
            yield from _tensors_in(one)


def _is_same(difference: float, largest: float) -> bool:
    return difference <= TOLERANCE * max(1.0, largest)


def _groups(found: dict[str, Sequence[int]] | dict[str, list[int]]) -> Groups:
    return tuple(FilterGroup(name, tuple(sorted(numbers))) for name, numbers in found.items() if numbers)
