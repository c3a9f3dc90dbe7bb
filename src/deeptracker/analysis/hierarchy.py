"""Which modules does a network consist of, in one list?

Preorder: the whole network first, every module before what is in it, siblings as the network has them. So the list of
anything below a module is one piece of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from deeptracker.schema import Node


@dataclass(frozen=True, slots=True)
class HierarchyNode:
    """A module or, at a leaf, a layer.

    `parent` is the place of the module around it in the list, -1 for the whole network; `layer` the index of the layer
    at a leaf, None above; `layers` the indexes of all layers at or below it.
    """

    name: str
    parent: int
    layer: int | None
    layers: tuple[int, ...]


def preorder(root: Node) -> tuple[HierarchyNode, ...]:
    """All nodes of a hierarchy, parents first.

    >>> block = Node("a", (Node("a.x", layer=0), Node("a.y", layer=2)))
    >>> [(node.name, node.parent, node.layers) for node in preorder(Node("", (block, Node("b", layer=1))))]
    [('', -1, (0, 2, 1)), ('a', 0, (0, 2)), ('a.x', 1, (0,)), ('a.y', 1, (2,)), ('b', 0, (1,))]
    """
    found: list[HierarchyNode] = []
    waiting = [(root, -1)]
    while waiting:
        node, parent = waiting.pop()
        waiting += [(child, len(found)) for child in reversed(node.children)]
        found.append(HierarchyNode(node.name, parent, node.layer, _layers_of(node)))
    return tuple(found)


def _layers_of(node: Node) -> tuple[int, ...]:
    own = () if node.layer is None else (node.layer,)
    return own + tuple(layer for child in node.children for layer in _layers_of(child))
