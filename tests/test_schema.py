"""Documents come back as they were, check themselves, and a wrong one is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deeptracker.errors import FormatVersionError, LogFileError, UnknownNameError
from deeptracker.schema import (
    FILTER_DISTANCES,
    FILTER_MEASURES,
    MEASURES,
    NODE_MEASURES,
    Branch,
    Graph,
    GraphNode,
    Kernels,
    Layer,
    Network,
    Node,
    Predictions,
    RunInfo,
)

INFO = RunInfo(
    name="a run",
    created="2026-01-02T03:04:05+00:00",
    branches=(Branch(0, "2026-01-02T03:04:05+00:00"), Branch(40, "2026-01-03T00:00:00+00:00")),
    state="failed",
    config={"lr": 0.1, "nested": {"a": [1, None]}},
    class_names=("Käfer", "b"),
    every="every 4 iterations",
    next_iteration=44,
    exception="KeyboardInterrupt",
    lost=("predictions at iteration 8: No space left on device",),
    overhead={"measure_seconds": 1.5},
)
LAYERS = (
    Layer("conv1", "conv2d", (4, 3, 3, 3), 4, 27, 0),
    Layer("layer1.0.conv1", "conv2d", (2, 4, 1, 1), 2, 4, 4),
    Layer("layer10.conv", "conv2d", (1, 2, 1, 1), 1, 2, 6),
    Layer("fc", "linear", (5, 2), 5, 2, 7),
)
GRAPH = Graph(
    (
        GraphNode(0, "data", "data"),
        GraphNode(1, "conv", "conv1", 0),
        GraphNode(2, "pool", "pooling"),
        GraphNode(3, "linear", "fc", 3),
    ),
    ((0, 1), (1, 2), (1, 3), (2, 3)),
)
NETWORK = Network(
    LAYERS,
    Node(
        "",
        (Node("conv1", layer=0), Node("layer1.0.conv1", layer=1), Node("layer10.conv", layer=2), Node("fc", layer=3)),
    ),
)


def changed(data: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(data), **fields}).encode()


def without(data: bytes, field: str) -> bytes:
    return json.dumps({name: value for name, value in json.loads(data).items() if name != field}).encode()


def test_a_run_info_comes_back_as_it_was() -> None:
    assert RunInfo.from_json(INFO.to_json(), place="run.json") == INFO
    plain = RunInfo("x", INFO.created, (Branch(0, INFO.created),))
    assert RunInfo.from_json(plain.to_json(), place="run.json") == plain


def test_what_json_cannot_hold_in_a_config_is_written_as_its_text() -> None:
    info = replace(INFO, config={"path": Path("a/b"), "device": object})
    assert RunInfo.from_json(info.to_json(), place="x").config == {"path": "a/b", "device": "<class 'object'>"}


def test_a_network_comes_back_as_it_was() -> None:
    assert Network.from_json(NETWORK.to_json(), place="network.json") == NETWORK
    followed = replace(NETWORK, source="a forward pass that was followed", graph=GRAPH)
    assert Network.from_json(followed.to_json(), place="network.json") == followed


def test_a_network_without_graph_and_places_is_read_as_one_that_has_none() -> None:
    document = json.loads(NETWORK.to_json())
    del document["graph"]
    for layer in document["layers"]:
        del layer["places"]
    assert Network.from_json(json.dumps(document).encode(), place="network.json") == NETWORK
    assert [layer.places for layer in NETWORK.layers] == [(layer.name,) for layer in LAYERS]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: GraphNode(0, "norm", "x"), "kind of a node must be one of data, conv"),
        (lambda: Graph(GRAPH.nodes[1:]), "must have this id. Got 1"),
        (lambda: replace(GRAPH, edges=((1, 1),)), "to a later one. Got 1 to 1"),
        (lambda: replace(GRAPH, edges=((2, 1),)), "to a later one. Got 2 to 1"),
        (lambda: replace(GRAPH, edges=((1, 4),)), "to a later one. Got 1 to 4"),
        (lambda: replace(GRAPH, edges=((0, 1), (0, 1))), "Got one twice"),
        (lambda: Network(LAYERS[:2], Node(""), graph=GRAPH), "node 3 must be one of 2 layers. Got 3"),
    ],
)
def test_a_graph_checks_itself(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("edges", [[[0]], [["a", "b"]], [[0, 9]], 3])
def test_a_malformed_graph_is_named(edges: object) -> None:
    document = json.loads(replace(NETWORK, graph=GRAPH).to_json())
    document["graph"]["edges"] = edges
    with pytest.raises(LogFileError, match="here has fields"):
        Network.from_json(json.dumps(document).encode(), place="here")


@pytest.mark.parametrize("read", [RunInfo.from_json, Network.from_json])
@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\x00", b"[]", b"3", b'{"format": "somebody-elses"}', b"{}"])
def test_what_is_not_ours_or_not_whole_is_named(read: object, data: bytes) -> None:
    with pytest.raises(LogFileError, match=r"runs/a/f\.json"):
        read(data, place="runs/a/f.json")  # type: ignore[operator]


def test_every_cut_of_a_document_is_named() -> None:
    for document, read in ((INFO.to_json(), RunInfo.from_json), (NETWORK.to_json(), Network.from_json)):
        for length in range(len(document)):
            with pytest.raises(LogFileError, match=r"runs/a/f\.json"):
                read(document[:length], place="runs/a/f.json")


def test_another_format_version_is_refused_by_name() -> None:
    for document, read in ((INFO.to_json(), RunInfo.from_json), (NETWORK.to_json(), Network.from_json)):
        with pytest.raises(FormatVersionError, match=r"runs/a/f\.json has format version 2, .* reads version 1"):
            read(changed(document, format_version=2), place="runs/a/f.json")
        with pytest.raises(FormatVersionError, match="format version None"):
            read(without(document, "format_version"), place="x")


@pytest.mark.parametrize("data", [changed(INFO.to_json(), colour="red"), without(INFO.to_json(), "name"),
                                  changed(INFO.to_json(), state="asleep"), changed(INFO.to_json(), branches=[]),
                                  changed(INFO.to_json(), branches=[{"start": -1, "created": ""}])])  # fmt: skip
def test_a_run_info_with_missing_unknown_or_impossible_fields_is_named(data: bytes) -> None:
    with pytest.raises(LogFileError, match=r"runs/a/run\.json has fields missing or of the wrong kind"):
        RunInfo.from_json(data, place="runs/a/run.json")


@pytest.mark.parametrize("data", [without(NETWORK.to_json(), "hierarchy"), changed(NETWORK.to_json(), layers=[{}]),
                                  changed(NETWORK.to_json(), hierarchy=None)])  # fmt: skip
def test_a_network_with_missing_or_impossible_fields_is_named(data: bytes) -> None:
    with pytest.raises(LogFileError, match=r"runs/a/network\.json has fields missing or of the wrong kind"):
        Network.from_json(data, place="runs/a/network.json")


def test_a_resumed_run_is_running_again_with_one_branch_more() -> None:
    resumed = INFO.with_branch(Branch(30, "now"))
    assert resumed.state == "running"
    assert resumed.exception is None
    assert [branch.start for branch in resumed.branches] == [0, 40, 30]


def test_layers_must_follow_each_other_without_gaps() -> None:
    with pytest.raises(ValueError, match=r"layer 'fc' must begin at filter 4\. Got 5"):
        Network((LAYERS[0], replace(LAYERS[3], offset=5)), Node(""))


def test_a_layer_must_have_filters_and_weights() -> None:
    for field in ("filters", "fan_in"):
        with pytest.raises(ValueError, match="layer 'fc' must have filters and weights"):
            replace(LAYERS[3], **{field: 0})


def test_layers_are_found_by_name_and_by_what_they_lie_below() -> None:
    assert NETWORK.filters == 12
    assert NETWORK.layer("fc").rows == slice(7, 12)
    assert [x.name for x in NETWORK.layers_below("layer1")] == ["layer1.0.conv1"]  # and not layer10
    assert [x.name for x in NETWORK.layers_below("conv1")] == ["conv1"]
    assert NETWORK.layers_below("") == list(LAYERS)
    with pytest.raises(UnknownNameError, match="no layer 'fd' in this network"):
        NETWORK.layer("fd")
    with pytest.raises(UnknownNameError, match="no module or layer 'layer'"):
        NETWORK.layers_below("layer")


@pytest.mark.parametrize("field", ["probability", "loss", "samples"])
def test_the_arrays_of_predictions_must_be_of_one_length(field: str) -> None:
    arrays = {"predicted": np.zeros(3, np.int16), "probability": np.zeros(3, np.float16)}
    with pytest.raises(ValueError, match=rf"{field} must have shape \(3,\)"):
        Predictions(**{**arrays, field: np.zeros(4, np.float16)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layer", "values", "text"),
    [
        (-1, np.zeros((4, 3, 5, 5), np.float32), r"an index >= 0\. Got -1"),
        (0, np.zeros((4, 3, 25), np.float32), r"Got float32 \(4, 3, 25\)"),
        (0, np.zeros((4, 3, 5, 5)), "Got float64"),
        (0, np.zeros((4, 3, 0, 5), np.float32), r"none of them 0\. Got float32 \(4, 3, 0, 5\)"),
    ],
)
def test_kernels_check_themselves(layer: int, values: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Kernels(layer, values)


def test_measures_have_names_of_their_own() -> None:
    assert len(set(MEASURES)) == len(MEASURES) == 17
    assert len(set(NODE_MEASURES)) == len(NODE_MEASURES)
    assert set(MEASURES) < set(FILTER_MEASURES) < set(NODE_MEASURES)
    assert set(FILTER_DISTANCES) < set(FILTER_MEASURES)
