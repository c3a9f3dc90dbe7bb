"""Generated networks are those that the recorder finds in real ones."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.generated_network import RESNET50, SMALL, Architecture
from deeptracker.record.graph import FOLLOWED, network_of
from deeptracker.record.network import weighted_layers
from deeptracker.schema import Network


class Block(nn.Module):
    """Some convolutions, and a way around them, in the order of torchvision's forward pass."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], stride: int) -> None:
        super().__init__()
        self.convolutions = [name for name in shapes if name.startswith("conv")]
        strided = next(name for name in self.convolutions if shapes[name][2] == 3)
        for name in self.convolutions:
            filters, channels, side, _ = shapes[name]
            step = stride if name == strided else 1
            self.add_module(name, nn.Conv2d(channels, filters, side, step, side // 2, bias=False))
            self.add_module(name.replace("conv", "bn"), nn.BatchNorm2d(filters))
        self.downsample: nn.Module | None = None
        if "downsample.0" in shapes:
            filters, channels, _, _ = shapes["downsample.0"]
            self.downsample = nn.Sequential(nn.Conv2d(channels, filters, 1, stride), nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for name in self.convolutions:
            out = self.get_submodule(name.replace("conv", "bn"))(self.get_submodule(name)(out))
            if name != self.convolutions[-1]:
                out = out.relu()
        around = x if self.downsample is None else self.downsample(x)
        out += around
        return out.relu()


class Residual(nn.Module):
    """A network with the layers of a generated one."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        shapes = {layer.name: layer.shape for layer in network.layers}
        filters, channels, side, _ = shapes["conv1"]
        self.conv1 = nn.Conv2d(channels, filters, side, 2, side // 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages: dict[str, list[Block]] = {}
        for block in dict.fromkeys(name.split(".conv")[0] for name in shapes if ".conv" in name):
            inner = {name.removeprefix(block + "."): shape for name, shape in shapes.items() if name.startswith(block)}
            stages.setdefault(block.split(".")[0], []).append(Block(inner, 2 if "downsample.0" in inner else 1))
        for name, blocks in stages.items():
            self.add_module(name, nn.Sequential(*blocks))
        self.stages = list(stages)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(*shapes["fc"][::-1])

    def forward(self, x: Tensor) -> Any:
        x = self.pool(self.conv1(x).relu())
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return self.fc(self.mean(x).flatten(1))


@pytest.mark.parametrize(("architecture", "classes"), [(SMALL, 6), (SMALL.widened(3), 6), (RESNET50, 1000)])
def test_a_generated_network_is_what_the_recorder_finds_in_the_real_one(
    architecture: Architecture, classes: int
) -> None:
    generated = architecture.network(classes)
    model = Residual(generated)
    found = network_of(model, weighted_layers(model), lambda: (torch.zeros(1, 3, 64, 64),))
    assert found.source == FOLLOWED
    assert replace(found, source=generated.source) == generated


def test_resnet50_is_as_large_as_it_is_and_the_small_network_as_deep() -> None:
    large, small = RESNET50.network(1000), SMALL.network(6)
    assert (len(large.layers), large.filters) == (54, 27_560)
    assert sum(layer.filters * layer.fan_in for layer in large.layers) == 25_502_912
    assert [node.name for node in small.hierarchy.children] == ["conv1", "layer1", "layer2.0", "fc"]
    assert [node.name for node in small.hierarchy.children[1].children] == ["layer1.0", "layer1.1"]
    assert sum(node.kind == "add" for node in small.graph.nodes) == 3


@pytest.mark.parametrize("architecture", [SMALL, RESNET50])
def test_a_widened_network_has_the_same_structure_and_so_many_times_the_filters(architecture: Architecture) -> None:
    known, wide = architecture.network(1000), architecture.widened(10).network(1000)
    assert wide.hierarchy == known.hierarchy
    assert wide.graph == known.graph
    assert [layer.name for layer in wide.layers] == [layer.name for layer in known.layers]
    assert [layer.filters for layer in wide.layers[:-1]] == [10 * layer.filters for layer in known.layers[:-1]]
    assert wide.layers[-1].filters == 1000
    assert wide.filters - 1000 == 10 * (known.filters - 1000)


@pytest.mark.parametrize(
    ("architecture", "classes"), [(SMALL, 3), (SMALL.widened(10), 3), (RESNET50, 1000), (RESNET50.widened(10), 1000)]
)
def test_what_is_planted_is_in_the_network(architecture: Architecture, classes: int) -> None:
    network, planted = architecture.network(classes), architecture.planted
    assert network.layers[0].name == planted.frozen_layer
    assert max(planted.frozen) < network.layer(planted.frozen_layer).filters
    assert max(planted.overactive) < network.layer(planted.overactive_layer).filters
    assert network.layer(planted.vanishing_layer).name not in (planted.frozen_layer, planted.overactive_layer)
