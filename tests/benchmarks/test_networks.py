"""Are the networks written out from their papers those that people know, and does the recorder find their structure?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from torch import nn

from benchmarks.networks import NETWORKS, DenseNet121, ResNet50, answer_of, main, structure_of
from deeptracker.demo.models.resnet import Bottleneck
from deeptracker.record.graph import FOLLOWED
from deeptracker.record.recorder import Recorder
from deeptracker.schema import Network
from deeptracker.server.app import create_app

COMMITTED = Path(__file__).parents[2] / "web" / "tests" / "networks"


@pytest.fixture(scope="module")
def resnet50() -> Network:
    return structure_of(ResNet50())


@pytest.fixture(scope="module")
def densenet121() -> Network:
    return structure_of(DenseNet121())


def kinds(network: Network) -> dict[str, int]:
    found = [node.kind for node in network.graph.nodes]
    return {kind: found.count(kind) for kind in sorted(set(found))}


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def edges_into(network: Network, name: str) -> list[str]:
    """Labels of what data comes from on its way into a layer."""
    nodes = network.graph.nodes
    return [nodes[start].label for start, end in network.graph.edges if nodes[end].label == name]


def test_the_networks_have_as_many_parameters_as_everybody_counts() -> None:
    assert parameters(ResNet50()) == 25_557_032
    assert parameters(DenseNet121()) == 7_978_856


def test_resnet50_halves_its_side_as_the_paper_has_it() -> None:
    """Table 1: 112, 56, 56, 28, 14 and 7 pixels, of 224."""
    model = ResNet50().eval()
    sides: list[int] = []
    for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        model.get_submodule(name).register_forward_hook(lambda module, x, made: sides.append(made.shape[-1]))
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
    assert sides == [112, 56, 56, 28, 14, 7]
    stages = (model.layer1, model.layer2, model.layer3, model.layer4)
    assert [sum(isinstance(block, Bottleneck) for block in stage) for stage in stages] == [3, 4, 6, 3]


def test_densenet121_halves_its_side_as_the_paper_has_it() -> None:
    """Table 1: 112, 56, 28, 14 and 7 pixels, of 224; the channels are half of 256, 512 and 1024."""
    model = DenseNet121().eval()
    shapes: list[tuple[int, ...]] = []
    for name in ("conv0", "pool0", "transition1", "transition2", "transition3", "norm5"):
        model.features.get_submodule(name).register_forward_hook(
            lambda module, x, made: shapes.append(tuple(made.shape[1:3]))
        )
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
    assert shapes == [(64, 112), (64, 56), (128, 28), (256, 14), (512, 7), (1024, 7)]


def test_the_structure_of_resnet50_is_found(resnet50: Network) -> None:
    assert resnet50.source == FOLLOWED
    assert (len(resnet50.layers), resnet50.filters) == (54, 27_560)
    assert kinds(resnet50) == {"add": 16, "conv": 53, "data": 1, "linear": 1, "pool": 2}
    assert len(resnet50.graph.edges) == 54 + 2 + 2 * 16  # one into each layer and pooling, two into each sum
    assert [layer.name for layer in resnet50.layers][:6] == [
        *("conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.0.conv3", "layer1.0.downsample.0", "layer1.1.conv1"),
    ]
    assert resnet50.layers[-1].name == "fc"
    assert edges_into(resnet50, "layer4.0.downsample.0") == ["sum"]
    assert edges_into(resnet50, "layer4.0.conv3") == ["layer4.0.conv2"]
    assert [node.name for node in resnet50.hierarchy.children] == [
        *("conv1", "layer1", "layer2", "layer3", "layer4", "fc"),
    ]


def test_the_structure_of_densenet121_is_found(densenet121: Network) -> None:
    assert densenet121.source == FOLLOWED
    layers = (6, 12, 24, 16)
    assert len(densenet121.layers) == 121 == 1 + 2 * sum(layers) + 3 + 1
    assert densenet121.filters == 64 + sum(layers) * (128 + 32) + (128 + 256 + 512) + 1000
    # Every dense layer but the first of a block takes a concatenation, and so does what comes after the block.
    assert kinds(densenet121) == {"concat": sum(layers), "conv": 120, "data": 1, "linear": 1, "pool": 5}
    into_concatenations = sum(sum(range(2, of_block + 2)) for of_block in layers)
    assert len(densenet121.graph.edges) == 121 + 5 + into_concatenations
    assert edges_into(densenet121, "features.denseblock1.denselayer1.conv1") == ["maximum pooling"]
    assert edges_into(densenet121, "features.denseblock4.denselayer16.conv1") == ["concatenation"]
    assert edges_into(densenet121, "classifier") == ["average pooling"]
    assert densenet121.layer("features.denseblock4.denselayer16.conv1").shape == (128, 992, 1, 1)
    assert densenet121.layer("features.transition3.conv").shape == (512, 1024, 1, 1)


def test_what_the_tests_of_the_page_draw_is_what_the_command_writes(tmp_path: Path) -> None:
    main(tmp_path)
    assert {path.name for path in COMMITTED.glob("*.json")} == {f"{name}.json" for name in NETWORKS}
    for name in NETWORKS:
        written, committed = (folder / f"{name}.json" for folder in (tmp_path, COMMITTED))
        assert written.read_text() == committed.read_text(), "python benchmarks/networks.py web/tests/networks"


def test_what_the_command_writes_is_what_the_server_answers(tmp_path: Path) -> None:
    model = NETWORKS["inception"]()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    Recorder(tmp_path / "run", model, optimizer, example_input=torch.zeros(1, 3, 64, 64), strict=True).close()
    with TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1") as client:
        assert client.get("/api/network", params={"run": "run"}).json() == json.loads(
            json.dumps(answer_of("inception"))
        )
