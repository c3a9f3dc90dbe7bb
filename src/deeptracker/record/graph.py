"""How does data flow through a model, from one weighted layer to the next?

One forward pass is followed, in eval mode and without gradients, at the level of PyTorch's own operators
(`TorchDispatchMode`). Below modules and Python every model looks the same: script modules, functional calls, control
flow that depends on the data, parametrized and attention weights; `torch.export` and `torch.fx` each refuse some of
these. docs/decisions/0006-one-forward-pass-is-followed.md compares them.

1. Each tensor carries its origin: the nodes that its data last came through, and the layers of whose weights it was
   made. What an operator makes has the origins of all that it was given.
2. Where data meets the weights of a layer, that layer is reached: a node `conv` or `linear`. A convolution without
   such weights (a fixed blur, a kernel made of data) is a node as well.
3. Pooling is a node, the mean or maximum over all of an image too; so are the sum and the concatenation of what comes
   from different nodes. Everything else is passed through, and so collapses into edges.
4. A layer has one node, however often it is used; an edge that would close a cycle, of weights that are used again, is
   left out. Nodes are numbered as data reaches them, those that an edge leads from before those that it leads to.
5. Recurrent modules are one step, however many steps in time they make.
6. Layers that data never reaches come last and have no edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from deeptracker.record.evaluation import autocast_without_cache
from deeptracker.record.hierarchy import describe
from deeptracker.record.network import WeightedLayer, unwrap
from deeptracker.record.preserve import undisturbed
from deeptracker.schema import Graph, GraphNode, Network

FOLLOWED = "a forward pass that was followed"

_ONLY_SHAPES = ("_like", "new_empty", "new_zeros", "new_ones", "new_full")
_RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
_SPATIAL_REDUCTIONS = {"mean", "amax"}


def network_of(
    model: nn.Module, layers: Sequence[WeightedLayer], example: Callable[[], tuple[Any, ...]] | None
) -> Network:
    """Layers in the order in which data reaches them, hierarchy and graph; by module names where that fails.

    `example` gives the arguments of one call of the model. What went wrong is told in the network's `source`.
    """
    described = [layer.layer for layer in layers]
    if example is None:
        return describe(described)
    try:
        graph = follow(model, layers, example())
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return describe(described, source=f"module names; no forward pass could be followed ({reason})")
    order = [node.layer for node in graph.nodes if node.layer is not None]
    place = {layer: index for index, layer in enumerate(order)}
    nodes = [node._replace(layer=None if node.layer is None else place[node.layer]) for node in graph.nodes]
    return describe(
        [described[index] for index in order],
        graph=Graph(tuple(GraphNode(i, *node) for i, node in enumerate(nodes)), tuple(graph.edges)),
        source=FOLLOWED,
    )


class Step(NamedTuple):
    """A node as it is found; `layer` is an index into the layers that were given."""

    kind: str
    label: str
    layer: int | None = None


class Followed(NamedTuple):
    """Nodes in the order in which data reaches them, and the edges between their places."""

    nodes: list[Step]
    edges: list[tuple[int, int]]


def follow(model: nn.Module, layers: Sequence[WeightedLayer], inputs: tuple[Any, ...]) -> Followed:
    """The nodes and edges of one call; whatever the model raises, ValueError where data is lost from sight."""
    model, device = unwrap(model), layers[0].weight.device
    # Copies: some models change their input in place.
    arguments = [x.detach().clone().to(device) if isinstance(x, torch.Tensor) else x for x in inputs]
    follower = _Follower(layers)
    follower.begin(arguments)
    # Within a dispatch mode nothing is compiled, and within a function mode attention is not fused into one operator.
    with undisturbed(model), autocast_without_cache(device.type), _RecurrentAsOne(follower), follower:
        output = model(*arguments)
    return follower.end(output)


class _Origin(NamedTuple):
    nodes: frozenset[int] = frozenset()
    layers: frozenset[int] = frozenset()

    def __or__(self, other: _Origin) -> _Origin:
        return _Origin(self.nodes | other.nodes, self.layers | other.layers)


_NOWHERE = _Origin()


class _RecurrentAsOne(TorchFunctionMode):
    """Lets the follower see one operator instead of all steps in time."""

    def __init__(self, follower: _Follower) -> None:
        super().__init__()
        self._follower = follower

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(func, "__name__", "") not in _RECURRENT:
            return func(*args, **given)
        self._follower.is_paused = True
        try:
            made = func(*args, **given)
        finally:
            self._follower.is_paused = False
        self._follower.pass_through((args, given), made)
        return made


class _Follower(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator, and keeps the origin of every tensor for as long as the tensor lives."""

    def __init__(self, layers: Sequence[WeightedLayer]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.is_paused = False
        self._layers = [layer.layer for layer in layers]
        self._origins: MutableMapping[torch.Tensor, _Origin] = WeakTensorKeyDictionary()
        # What was written into parts of a tensor, through views of it.
        self._written: MutableMapping[torch.Tensor, _Origin] = WeakTensorKeyDictionary()
        self._nodes: list[Step] = []
        self._sources: list[set[int]] = []
        self._node_of_layer: dict[int, int] = {}
        for index, layer in enumerate(layers):
            self._origins[layer.weight] = _Origin(layers=frozenset([index]))

    def begin(self, inputs: Sequence[Any]) -> None:
        self._add(Step("data", "data"), frozenset())
        for tensor in _tensors(inputs):
            self._origins[tensor] = _Origin(frozenset([0]))

    def end(self, output: Any) -> Followed:
        reached = [self._origin(tensor) for tensor in _tensors(output)]
        if not self._node_of_layer or (reached and not any(origin.nodes for origin in reached)):
            raise ValueError("data must be seen on its way to the output. It was lost from sight")
        for index in range(len(self._layers)):
            self._reach(index, "", frozenset())
        return _in_order(self._nodes, self._sources)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        made = func(*args, **given)
        if not self.is_paused:
            self._pass_on(func, args, given, made)
        return made

    def pass_through(self, inputs: Any, made: Any) -> None:
        """Take what was made from these inputs, while paused, as the work of one operator."""
        origin = self._reached("", (), [self._origin(tensor) for tensor in _tensors(inputs)])
        for tensor in _tensors(made):
            self._origins[tensor] = origin

    def _pass_on(self, func: Any, args: Any, kwargs: Any, made: Any) -> None:
        name = func.overloadpacket.__name__.rstrip("_")
        if name.endswith(_ONLY_SHAPES):
            return
        sources = args[1:] if name == "copy" else args  # the first is overwritten
        origins = [self._origin(tensor) for tensor in _tensors((sources, kwargs))]
        origin = self._reached(name, args, origins)
        for tensor in _tensors(made):
            self._origins[tensor] = origin
        if func._schema.is_mutable:
            for argument, value in zip(func._schema.arguments, args, strict=False):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    for tensor in _tensors((value,)):
                        self._write(tensor, origin)

    def _reached(self, name: str, args: Any, origins: list[_Origin]) -> _Origin:
        whole = _NOWHERE
        for origin in origins:
            whole |= origin
        if not whole.nodes:
            return whole
        if whole.layers:
            return _Origin(frozenset(self._reach(index, name, whole.nodes) for index in sorted(whole.layers)))
        if name in ("add", "cat", "stack"):
            if len({origin.nodes for origin in origins if origin.nodes}) == 1:
                return whole
            kind, label = ("add", "sum") if name == "add" else ("concat", "concatenation")
            return _Origin(frozenset([self._add(Step(kind, label), whole.nodes)]))
        if "conv" in name:
            return _Origin(frozenset([self._add(Step("conv", "convolution without a layer"), whole.nodes)]))
        if _is_pooling(name, args):
            label = "maximum pooling" if "max" in name else "average pooling"
            return _Origin(frozenset([self._add(Step("pool", label), whole.nodes)]))
        return whole

    def _reach(self, layer: int, name: str, sources: frozenset[int]) -> int:
        known = self._node_of_layer.get(layer)
        if known is not None:
            self._connect(sources, known)
            return known
        described = self._layers[layer]
        kind = "conv" if "conv" in name or described.kind.startswith("conv") else "linear"
        self._node_of_layer[layer] = self._add(Step(kind, described.name, layer), sources)
        return self._node_of_layer[layer]

    def _add(self, step: Step, sources: frozenset[int]) -> int:
        self._nodes.append(step)
        self._sources.append(set(sources))
        return len(self._nodes) - 1

    def _connect(self, sources: frozenset[int], node: int) -> None:
        for source in sorted(sources - self._sources[node]):
            if not self._leads_to(node, source):
                self._sources[node].add(source)

    def _leads_to(self, start: int, end: int) -> bool:
        ahead, seen = [end], {end}
        while ahead:
            new = self._sources[ahead.pop()] - seen
            ahead += new
            seen |= new
        return start in seen

    def _origin(self, tensor: torch.Tensor) -> _Origin:
        return self._origins.get(tensor, _NOWHERE) | self._written.get(_base(tensor), _NOWHERE)

    def _write(self, tensor: torch.Tensor, origin: _Origin) -> None:
        base = _base(tensor)
        if tensor.numel() == base.numel():
            self._origins[base] = origin
            self._written.pop(base, None)
        else:
            self._written[base] = self._written.get(base, _NOWHERE) | origin


def _in_order(nodes: list[Step], sources: list[set[int]]) -> Followed:
    """Numbered anew, each node after its sources and otherwise as they are; layers without edges last."""
    waiting = [set(of_node) for of_node in sources]
    ready = [node for node, of_node in enumerate(waiting) if not of_node]
    order: list[int] = []
    while ready:
        node = heappop(ready)
        order.append(node)
        for later, of_node in enumerate(waiting):
            if node in of_node:
                of_node.remove(node)
                if not of_node:
                    heappush(ready, later)
    place = {node: index for index, node in enumerate(order)}
    edges = sorted((place[source], place[node]) for node in order for source in sources[node])
    return Followed([nodes[node] for node in order], edges)


def _is_pooling(name: str, args: Any) -> bool:
    if "pool" in name:
        return "unpool" not in name
    if name not in _SPATIAL_REDUCTIONS or len(args) < 2 or not isinstance(args[1], (list, tuple)):
        return False
    dimensions = args[0].ndim
    return dimensions >= 4 and {d % dimensions for d in args[1]} == set(range(2, dimensions))


def _base(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor._base is None else tensor._base


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """All tensors in nested lists, tuples and mappings."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
