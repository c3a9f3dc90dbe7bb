"""What lies above the layers of a network: which modules, in which order?

The hierarchy is that of the dotted names of layers; a level with a single child is folded into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from deeptracker.schema import Graph, Layer, Network, Node


def describe(layers: Sequence[Layer], *, graph: Graph | None = None, source: str = "module names") -> Network:
    """Layers in the given order, and their hierarchy, as they go to `network.json`; filters are numbered anew."""
    offsets = [0, *accumulate(layer.filters for layer in layers)]
    numbered = tuple(replace(layer, offset=offset) for layer, offset in zip(layers, offsets, strict=False))
    return Network(numbered, _hierarchy([layer.name for layer in numbered]), source, graph or Graph())


def joined(path: str, name: str) -> str:
    """The name of a module below another; either may be empty."""
    return f"{path}.{name}" if path and name else path or name


@dataclass(slots=True)
class _Level:
    children: dict[str, _Level] = field(default_factory=dict)
    layer: int | None = None


def _hierarchy(names: Sequence[str]) -> Node:
    root = _Level()
    for index, name in enumerate(names):
        level = root
        for part in name.split("."):
            level = level.children.setdefault(part, _Level())
        level.layer = index
    return _node("", root)


def _node(name: str, level: _Level) -> Node:
    if not level.children:
        return Node(name, (), level.layer)
    children = [_node(joined(name, part), child) for part, child in level.children.items()]
    if level.layer is not None:
        children.insert(0, Node(name, (), level.layer))  # a module with a weight of its own and layers below it
    if len(children) == 1:
        only = children[0]
        if name:
            return only
        return Node("", only.children or (only,))
    return Node(name, tuple(children))
