"""What goes to disk and over the wire, and how does its JSON look?

1. `RunInfo` is `run.json`: what a run is called, how it was configured, where it was resumed, how it ended.
2. `Network` is `network.json`: the weighted layers in order, each with the place of its filters, the hierarchy of
   modules above them, and the graph of how data flows from one to the next.
3. `Predictions` is what one validation says of every sample, `Kernels` the weights of the first convolution at a dump,
   `Flight` the iterations just before a dump that showed trouble.
4. `MEASURES` names what is recorded of each filter (the definitions are in docs/format.md), `DERIVED_MEASURES` what
   follows from them when it is asked for, `QUANTILES` what the histograms tell of a layer and of what lies above it.

Every value checks itself when made, so a reader of somebody else's file meets the error here, by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from deeptracker.documents import FORMAT_VERSION, Naming, parse_document
from deeptracker.errors import UnknownNameError

WEIGHT_MEASURES = ("sum", "mean", "sd", "min", "max", "l1", "l2")
GRADIENT_MEASURES = ("grad_mean", "grad_sd", "grad_l2", "grad_max")
STEP_MEASURES = ("cosine", "change", "change_l1", "euclidean", "update_ratio")
MEASURES = (*WEIGHT_MEASURES, *GRADIENT_MEASURES, *STEP_MEASURES, "nonfinite")
"""Names of the per-filter measures that are recorded, float32 each, in the order of the columns on disk."""

DERIVED_MEASURES = ("cosine_distance",)
"""Measures of a filter that are never on disk: `cosine_distance` is 1 - `cosine`."""

FILTER_MEASURES = (*MEASURES, *DERIVED_MEASURES)
"""All that may be asked of a filter."""

FILTER_DISTANCES = ("change", "change_l1", "euclidean", "cosine_distance")
"""Those of them that say how far a filter has moved since the dump before."""

QUANTILES = {
    "weight_q1": 0.25,
    "weight_median": 0.5,
    "weight_q3": 0.75,
    "grad_min": 0.0,
    "grad_q1": 0.25,
    "grad_median": 0.5,
    "grad_q3": 0.75,
}
"""Measures that a layer has, or anything above it, but no filter: shares of its weights or gradients."""

NODE_MEASURES = (*FILTER_MEASURES, *QUANTILES)
"""All that may be asked of a layer, or of anything above it."""

LEVEL_STATISTICS = ("mean", "min", "max")
"""What is known of several dumps that make one column (levels of detail), in this order."""

FLIGHT_MEASURES = ("l2", "grad_l2", "update_ratio", "nonfinite")
"""Measures of a filter that a flight has of every single iteration, in the order of its values."""

REASON_KINDS = ("anomaly", "loss", "nan")
"""Why a flight may be kept: many samples of a class changed, the loss leapt, something is NaN or infinite."""

HISTOGRAM_BINS = 1 << 14
HISTOGRAM_DROPPED_BITS = 18
"""The bin of a float32 is its bits without the lowest ones."""

NODE_KINDS = ("data", "conv", "pool", "add", "concat", "linear")

RUN_STATES = ("running", "finished", "failed")


@dataclass(frozen=True, slots=True)
class Branch:
    """One uninterrupted piece of training: the first begins at 0, each resumption begins another.

    Dumps of earlier branches after `start` are kept on disk and not shown.
    """

    start: int
    created: str

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ValueError(f"a branch must start at an iteration >= 0. Got {self.start}.")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """`run.json`. Times are ISO 8601 in UTC; `lost` tells in words what could not be written.

    `stopped` says which finding a rule has ended training for, `told` are the keys of findings that were told.
    """

    name: str
    created: str
    branches: tuple[Branch, ...]
    state: str = "running"
    config: dict[str, Any] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    every: str = ""
    next_iteration: int | None = None
    exception: str | None = None
    lost: tuple[str, ...] = ()
    overhead: dict[str, float] = field(default_factory=dict)
    stopped: str | None = None
    told: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.state not in RUN_STATES:
            raise ValueError(f"state must be one of {', '.join(RUN_STATES)}. Got {self.state!r}.")
        if not self.branches:
            raise ValueError("a run must have at least one branch. Got none.")

    def to_json(self) -> bytes:
        """UTF-8 JSON with the format version; what JSON cannot hold in `config` is written as its text."""
        document = {"format": "deeptracker-run", "format_version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(document, indent=1, default=str).encode()

    @classmethod
    def from_json(cls, data: bytes, *, place: str) -> Self:
        """Read it back. `place` names the file in errors (`LogFileError`, `FormatVersionError`)."""
        document = parse_document(data, "deeptracker-run", place=place)
        with Naming(place):
            branches = tuple(Branch(**branch) for branch in document.pop("branches"))
            names = document.pop("class_names")
            document |= {name: tuple(document.get(name, ())) for name in ("lost", "told")}
            return cls(branches=branches, class_names=None if names is None else tuple(names), **document)

    def with_branch(self, branch: Branch) -> RunInfo:
        """The same run, resumed: running again, one branch more."""
        return replace(self, branches=(*self.branches, branch), state="running", exception=None, stopped=None)

    def at_branch(self, number: int) -> RunInfo:
        """As it was before training was resumed after this branch; `UnknownNameError` where there is no such."""
        if not 0 <= number < len(self.branches):
            raise UnknownNameError(
                f"no branch {number} in run {self.name!r}. Its branches are numbered 0 to {len(self.branches) - 1}: "
                "one more for each time that training was resumed."
            )
        return replace(self, branches=self.branches[: number + 1])


@dataclass(frozen=True, slots=True)
class Layer:
    """One weighted module. `offset` is the number of its first filter among all filters of the network.

    `places` are the names of all modules that share its weight, its own name first.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    filters: int
    fan_in: int
    offset: int
    places: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.places:
            object.__setattr__(self, "places", (self.name,))
        if self.filters < 1 or self.fan_in < 1:
            raise ValueError(
                f"layer {self.name!r} must have filters and weights. Got {self.filters} filters of {self.fan_in}."
            )

    @property
    def rows(self) -> slice:
        """Its filters among all filters of the network."""
        return slice(self.offset, self.offset + self.filters)


@dataclass(frozen=True, slots=True)
class Node:
    """A module in the hierarchy: its name, and the modules or (at the leaves) the layer below it."""

    name: str
    children: tuple[Node, ...] = ()
    layer: int | None = None


@dataclass(frozen=True, slots=True)
class GraphNode:
    """Something that data flows through. `id` is its place among the nodes, `layer` an index, None without weights."""

    id: int
    kind: str
    label: str
    layer: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in NODE_KINDS:
            raise ValueError(f"kind of a node must be one of {', '.join(NODE_KINDS)}. Got {self.kind!r}.")


@dataclass(frozen=True, slots=True)
class Graph:
    """How data flows: nodes in the order in which it reaches them, edges `(from, to)` from lower to higher ids."""

    nodes: tuple[GraphNode, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for place, node in enumerate(self.nodes):
            if node.id != place:
                raise ValueError(f"the node at place {place} must have this id. Got {node.id}.")
        for start, end in self.edges:
            if not 0 <= start < end < len(self.nodes):
                raise ValueError(f"an edge must lead from a node to a later one. Got {start} to {end}.")
        if len(set(self.edges)) != len(self.edges):
            raise ValueError("edges must differ from each other. Got one twice.")


@dataclass(frozen=True, slots=True)
class Network:
    """`network.json`. `source` says where order and graph come from; the graph is empty where it is not known."""

    layers: tuple[Layer, ...]
    hierarchy: Node
    source: str = "module names"
    graph: Graph = Graph()

    def __post_init__(self) -> None:
        for node in self.graph.nodes:
            if node.layer is not None and not 0 <= node.layer < len(self.layers):
                raise ValueError(f"node {node.id} must be one of {len(self.layers)} layers. Got {node.layer}.")
        expected = 0
        for layer in self.layers:
            if layer.offset != expected:
                raise ValueError(f"layer {layer.name!r} must begin at filter {expected}. Got {layer.offset}.")
            expected += layer.filters

    @property
    def filters(self) -> int:
        """How many filters all layers have together."""
        return self.layers[-1].offset + self.layers[-1].filters if self.layers else 0

    def layer(self, name: str) -> Layer:
        """The layer of this name; `UnknownNameError` if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise UnknownNameError(f"no layer {name!r} in this network. Layers: {_some([x.name for x in self.layers])}.")

    def layers_below(self, node: str) -> list[Layer]:
        """The layers at or below a module, '' being the whole network; `UnknownNameError` if there are none."""
        below = [x for x in self.layers if not node or x.name == node or x.name.startswith(node + ".")]
        if not below:
            raise UnknownNameError(
                f"no module or layer {node!r} in this network. Layers: {_some([x.name for x in self.layers])}."
            )
        return below

    def indexes(self, layers: Iterable[Layer]) -> list[int]:
        """Places of some of its layers among all."""
        place = {layer.name: index for index, layer in enumerate(self.layers)}
        return [place[layer.name] for layer in layers]

    def to_json(self) -> bytes:
        """UTF-8 JSON with the format version."""
        document = {"format": "deeptracker-network", "format_version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(document, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes, *, place: str) -> Self:
        """Read it back. `place` names the file in errors (`LogFileError`, `FormatVersionError`)."""
        document = parse_document(data, "deeptracker-network", place=place)
        with Naming(place):
            layers = tuple(_layer(layer) for layer in document.pop("layers"))
            graph = _graph(document.pop("graph", {"nodes": [], "edges": []}))
            return cls(layers=layers, hierarchy=_node(document.pop("hierarchy")), graph=graph, **document)


MISSING, UNDEFINED = -1, -2
"""In place of a predicted class: the sample was not evaluated; it was, and the network gave NaN or infinities."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """One validation: `predicted` integer (n,), `probability` of the true class and `loss` (or None), float16 (n,).

    `samples` int32 (n,) are the samples' indexes in class order; None means all of them, in order. MISSING in
    `predicted` and NaN elsewhere stand for what is missing; UNDEFINED is a wrong prediction of no class.
    """

    predicted: npt.NDArray[np.integer[Any]]
    probability: npt.NDArray[np.float16]
    loss: npt.NDArray[np.float16] | None = None
    samples: npt.NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        n = len(self.predicted)
        for name in ("probability", "loss", "samples"):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                raise ValueError(f"{name} must have shape ({n},), as predicted has. Got {values.shape}.")


@dataclass(frozen=True, slots=True, eq=False)
class Kernels:
    """The weights of the first convolution at one dump.

    `layer` is its index in the network; `values` float32 (filters, channels, height, width), where NaN and infinities
    are what training made of a weight. Height and width of convolutions in 1 and 3 dimensions: docs/format.md.
    """

    layer: int
    values: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.layer < 0:
            raise ValueError(f"layer must be an index >= 0. Got {self.layer}.")
        if self.values.ndim != 4 or self.values.dtype != np.float32 or not self.values.size:
            got = f"{self.values.dtype} {self.values.shape}"
            raise ValueError(f"values must be float32 (filters, channels, height, width), none of them 0. Got {got}.")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a flight was kept: `text` is a sentence for people.

    `iteration` is where it was noticed: that of a leap of the loss or of the first NaN, for an anomaly the dump's.
    `cls` is the class of an anomaly.
    """

    kind: str
    text: str
    iteration: int
    cls: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in REASON_KINDS:
            raise ValueError(f"kind of a reason must be one of {', '.join(REASON_KINDS)}. Got {self.kind!r}.")
        if not self.text:
            raise ValueError("text must be a sentence for people. Got none.")
        if self.iteration < 0 or (self.cls is not None and self.cls < 0):
            raise ValueError(f"iteration and cls must be >= 0. Got {self.iteration} and {self.cls}.")


@dataclass(frozen=True, slots=True, eq=False)
class Flight:
    """The last iterations before a dump that showed trouble, each of them (not only those with a dump).

    `dump` is the dump's iteration; `iterations` int64 (n,) ascend and end at it or before. `values` float32
    (FLIGHT_MEASURES, n, filters), NaN where undefined. `batches` are int64 (samples,) for each iteration: ids of the
    training samples of its batch, empty where none were handed in; () where none ever were.
    """

    dump: int
    iterations: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    reasons: tuple[Reason, ...]
    batches: tuple[npt.NDArray[np.int64], ...] = ()

    def __post_init__(self) -> None:
        check_flight_iterations(self.dump, self.iterations)
        expected = (len(FLIGHT_MEASURES), len(self.iterations))
        if self.values.ndim != 3 or self.values.shape[:2] != expected or self.values.dtype != np.float32:
            wanted = f"float32 ({len(FLIGHT_MEASURES)}, {len(self.iterations)}, filters)"
            raise ValueError(f"values must be {wanted}. Got {self.values.dtype} {self.values.shape}.")
        if len(self.batches) not in (0, len(self.iterations)):
            raise ValueError(f"batches must be () or {len(self.iterations)} arrays. Got {len(self.batches)}.")
        if not self.reasons:
            raise ValueError("a flight must have been kept for a reason. Got none.")


def check_flight_iterations(dump: int, iterations: npt.NDArray[np.int64]) -> None:
    """ValueError unless these can be the iterations of a flight that was kept for this dump."""
    if iterations.ndim != 1 or not len(iterations) or iterations[0] < 0 or (np.diff(iterations) <= 0).any():
        raise ValueError("iterations must be one or more, >= 0 and ascending. They are not.")
    if iterations[-1] > dump:
        raise ValueError(f"iterations must end at the dump of iteration {dump}, or before. Got {iterations[-1]}.")


def check_measure(measure: str, known: Iterable[str] = MEASURES) -> None:
    """`UnknownNameError` unless there is a measure of this name among those known."""
    if measure not in known:
        raise UnknownNameError(f"no measure {measure!r}. There are: {', '.join(known)}.")


def _layer(document: dict[str, Any]) -> Layer:
    return Layer(**{**document, "shape": tuple(document["shape"]), "places": tuple(document.get("places", ()))})


def _graph(document: dict[str, Any]) -> Graph:
    nodes = tuple(GraphNode(**node) for node in document["nodes"])
    return Graph(nodes, tuple((start, end) for start, end in document["edges"]))


def _node(document: dict[str, Any]) -> Node:
    return Node(document["name"], tuple(_node(child) for child in document["children"]), document["layer"])


def _some(names: list[str], limit: int = 12) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
