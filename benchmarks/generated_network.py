"""What networks do generated runs have, as the recorder would describe them, and what is planted in them?

1. Residual networks (He et al., Deep Residual Learning for Image Recognition, 2016): ResNet-50, and a small one of
   basic blocks for tests. Names and the order of the convolutions in a block are torchvision's.
2. Layers, hierarchy and graph are those that the recorder finds by following a forward pass
   (tests/benchmarks/test_generated_network.py holds that); torch is not needed here.
3. A few filters misbehave in ways that are known by name, so that tests can ask whether they are found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from deeptracker.schema import Graph, GraphNode, Layer, Network, Node

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Planted:
    """Filters that misbehave, in every run of a network.

    `frozen` filters of the first layer never change: change exactly 0, cosine 1, gradients 0. `overactive` filters of
    one layer change ten times as much as their neighbours from `overactive_from` on, when the learning rate is low. The
    gradients of a whole layer vanish: they are a 100,000th of those of other layers, and it hardly changes.
    """

    overactive_layer: str
    overactive: tuple[int, ...]
    vanishing_layer: str
    frozen: tuple[int, ...]
    frozen_layer: str = "conv1"

    @staticmethod
    def overactive_from(dumps: int) -> int:
        """The first dump of the last third of a run."""
        return dumps - dumps // 3


@dataclass(frozen=True, slots=True)
class Architecture:
    """A residual network: shape of the first convolution, (width, blocks) of each stage, and which kind of block."""

    first: Shape
    stages: tuple[tuple[int, int], ...]
    has_bottlenecks: bool
    planted: Planted

    def widened(self, times: int) -> Architecture:
        """The same layers with so many times the filters in each but the last; what is planted stays where it is."""
        stages = tuple((times * width, blocks) for width, blocks in self.stages)
        return replace(self, first=(times * self.first[0], *self.first[1:]), stages=stages)

    def network(self, classes: int) -> Network:
        """Layers, hierarchy and graph, with a last layer of so many classes."""
        making = _Making()
        data = making.add("data", "data", [])
        node, leaf = making.layer("conv1", self.first, data)
        node = making.add("pool", "maximum pooling", [node])
        children, channels = [leaf], self.first[0]
        for stage, (width, blocks) in enumerate(self.stages, start=1):
            made = []
            for block in range(blocks):
                shapes = self._block(channels, width)
                channels = shapes[-1][0]
                node, tree = making.block(f"layer{stage}.{block}", shapes, node)
                made.append(tree)
            # A level with a single child is folded into it.
            children.append(made[0] if len(made) == 1 else Node(f"layer{stage}", tuple(made)))
        node = making.add("pool", "average pooling", [node])
        _, leaf = making.layer("fc", (classes, channels), node)
        return making.network(Node("", (*children, leaf)))

    def _block(self, channels: int, width: int) -> list[Shape]:
        if self.has_bottlenecks:
            return [(width, channels, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
        return [(width, channels, 3, 3), (width, width, 3, 3)]


RESNET50 = Architecture(
    (64, 3, 7, 7),
    ((64, 3), (128, 4), (256, 6), (512, 3)),
    True,
    Planted("layer3.2.conv2", (11, 100, 203), "layer2.3.conv1", (17, 42)),
)
"""54 layers and, with 1,000 classes, 27,560 filters."""

SMALL = Architecture(
    (8, 3, 3, 3), ((8, 2), (16, 1)), False, Planted("layer1.1.conv1", (1, 4, 6), "layer1.0.conv2", (2, 5))
)
"""9 layers in three levels (layer1 > layer1.0 > layer1.0.conv1); a convolution leads around the block layer2.0."""


class _Making:
    """Layers, nodes and edges in the order in which data reaches them."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []
        self._nodes: list[GraphNode] = []
        self._edges: list[tuple[int, int]] = []

    def add(self, kind: str, label: str, sources: list[int], layer: int | None = None) -> int:
        node = len(self._nodes)
        self._nodes.append(GraphNode(node, kind, label, layer))
        self._edges += [(source, node) for source in sources]
        return node

    def layer(self, name: str, shape: Shape, source: int) -> tuple[int, Node]:
        """A layer behind `source`: its node in the graph, and its leaf in the hierarchy."""
        index = len(self._layers)
        offset = self._layers[-1].rows.stop if self._layers else 0
        is_convolution = len(shape) == 4
        kind = "conv2d" if is_convolution else "linear"
        self._layers.append(Layer(name, kind, shape, shape[0], math.prod(shape[1:]), offset))
        return self.add("conv" if is_convolution else "linear", name, [source], index), Node(name, layer=index)

    def block(self, name: str, shapes: list[Shape], source: int) -> tuple[int, Node]:
        """A residual block behind `source`: the node of its sum, and its place in the hierarchy."""
        node, leaves = source, []
        for number, shape in enumerate(shapes, start=1):
            node, leaf = self.layer(f"{name}.conv{number}", shape, node)
            leaves.append(leaf)
        around, channels, filters = source, shapes[0][1], shapes[-1][0]
        if channels != filters:
            around, leaf = self.layer(f"{name}.downsample.0", (filters, channels, 1, 1), source)
            leaves.append(leaf)
        return self.add("add", "sum", [around, node]), Node(name, tuple(leaves))

    def network(self, hierarchy: Node) -> Network:
        graph = Graph(tuple(self._nodes), tuple(sorted(self._edges)))
        return Network(tuple(self._layers), hierarchy, "generated", graph)
