"""Have the demo's networks the shapes, the module names and the structure that the views are read by?"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deeptracker.demo.models import make_model
from deeptracker.demo.recipes import MODEL_NAMES
from deeptracker.record.graph import FOLLOWED, network_of
from deeptracker.record.network import weighted_layers
from deeptracker.schema import Network


def weighted(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))]


@pytest.mark.parametrize("name", MODEL_NAMES)
@pytest.mark.parametrize(("side", "channels", "classes"), [(4, 1, 2), (8, 1, 10), (32, 3, 100), (64, 3, 7)])
def test_every_network_takes_every_side(name: str, side: int, channels: int, classes: int) -> None:
    model = make_model(name, channels, classes, side).eval()
    assert model(torch.zeros(2, channels, side, side + 3)).shape == (2, classes)


def structure(name: str, side: int = 8) -> Network:
    model = make_model(name, 1, 10, side)
    network = network_of(model, weighted_layers(model), lambda: (torch.zeros(1, 1, side, side),))
    assert network.source == FOLLOWED
    return network


def edges_into(network: Network, label: str) -> set[str]:
    """What data comes from on its way into each layer of this name, by label."""
    nodes = network.graph.nodes
    return {nodes[start].label for start, end in network.graph.edges if nodes[end].label == label}


@pytest.mark.parametrize(("name", "depth"), [("resnet8", 8), ("resnet14", 14), ("resnet20", 20), ("convnet", 4)])
def test_the_number_in_the_name_counts_the_layers(name: str, depth: int) -> None:
    assert len([layer for layer in weighted(make_model(name, 3, 10, 32)) if "downsample" not in layer]) == depth


def test_resnet8_has_the_known_names() -> None:
    assert weighted(make_model("resnet8", 3, 10, 32)) == [
        "conv1",
        "layer1.0.conv1",
        "layer1.0.conv2",
        "layer2.0.conv1",
        "layer2.0.conv2",
        "layer2.0.downsample.0",
        "layer3.0.conv1",
        "layer3.0.conv2",
        "layer3.0.downsample.0",
        "fc",
    ]


@pytest.mark.parametrize(
    ("name", "layers", "sums", "concatenations"),
    [
        ("resnet", 20 + 3, 6, 0),  # 2 bottlenecks in each of 3 stages; each stage begins with a convolution around
        ("vgg", 7 + 2, 0, 0),
        ("inception", 1 + 4 * 6 + 1, 0, 4),
        ("densenet", 1 + (2 + 3 + 4) * 2 + 2 + 1, 0, 2 + 3 + 4),  # of what all layers before made, and once at the end
        ("mobilenet", 1 + 2 + 4 * 3 + 1 + 1, 2, 0),  # around the second block of the last two stages
    ],
)
def test_every_network_has_the_structure_of_its_paper(name: str, layers: int, sums: int, concatenations: int) -> None:
    network = structure(name)
    kinds = [node.kind for node in network.graph.nodes]
    assert len(network.layers) == layers
    assert (kinds.count("add"), kinds.count("concat")) == (sums, concatenations)
    reached = {end for _, end in network.graph.edges}
    assert reached == set(range(1, len(kinds)))  # everything but the data itself


@pytest.mark.parametrize(
    ("name", "module", "block", "layers"),
    [
        ("resnet", "layer2", "layer2.1", ["conv1", "conv2", "conv3"]),
        ("vgg", "features", "features.block3", ["conv1", "conv2", "conv3"]),
        (
            *("inception", "stage2", "stage2.inception1"),
            ["conv1x1", "reduce3x3", "conv3x3", "reduce5x5", "conv5x5", "project_pool"],
        ),
        ("densenet", "denseblock3", "denseblock3.denselayer4", ["conv1", "conv2"]),
        ("mobilenet", "stage3", "stage3.block2", ["expand", "depthwise", "project"]),
    ],
)
def test_names_read_as_network_module_block_layer(name: str, module: str, block: str, layers: list[str]) -> None:
    modules = {node.name: node for node in structure(name).hierarchy.children}
    blocks = {node.name: node for node in modules[module].children}
    assert [node.name for node in blocks[block].children] == [f"{block}.{layer}" for layer in layers]


def test_the_branches_of_an_inception_are_concatenated() -> None:
    block = make_model("inception", 1, 2, 8).eval().get_submodule("stage1.inception1")
    for name, first, last in (("1x1", 0, 8), ("3x3", 8, 16), ("5x5", 16, 24), ("_pool", 24, 32)):
        nn.init.constant_(block.get_parameter(f"norm{name}.bias"), 50.0)
        made = block(torch.rand(1, 16, 8, 8)).mean(dim=(0, 2, 3)) > 25
        assert made.nonzero().flatten().tolist() == list(range(first, last))
        nn.init.zeros_(block.get_parameter(f"norm{name}.bias"))


def test_a_dense_layer_sees_all_layers_before_it() -> None:
    network = structure("densenet")
    assert network.layer("denseblock2.denselayer1.conv1").fan_in == 16
    assert [network.layer(f"denseblock2.denselayer{i}.conv1").fan_in for i in (2, 3)] == [24, 32]
    assert network.layer("transition2.conv").shape[:2] == (20, 40)
    assert edges_into(network, "transition2.conv") == {"concatenation"}


def test_a_depthwise_convolution_looks_at_each_channel_alone_and_a_projection_is_linear() -> None:
    network = structure("mobilenet")
    depthwise = network.layer("stage3.block2.depthwise")
    assert (depthwise.filters, depthwise.fan_in) == (6 * 16, 9)
    assert edges_into(network, "stage3.block2.expand") == {"stage3.block1.project"}
    block = make_model("mobilenet", 1, 2, 8).eval().get_submodule("stage2.block1")
    assert block(torch.rand(1, 8, 8, 8)).min() < 0


def test_small_images_are_not_halved_by_the_first_convolution_and_large_ones_are() -> None:
    for name in MODEL_NAMES:
        strides = [
            next(module.stride for module in make_model(name, 3, 2, side).modules() if isinstance(module, nn.Conv2d))
            for side in (8, 47, 48)
        ]
        assert strides == [(1, 1), (1, 1), (2, 2)]


def test_a_bottleneck_adds_its_input() -> None:
    block = make_model("resnet", 1, 2, 8).eval().get_submodule("layer3.1")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 128, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_a_block_adds_its_input() -> None:
    model = make_model("resnet14", 1, 2, 8).eval()
    block = model.get_submodule("layer1.1")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 16, 8, 8)
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_seed_fixes_the_weights_and_leaves_torch_as_it_was(name: str) -> None:
    state = torch.get_rng_state()
    first, again, other = (list(make_model(name, 1, 10, 8, seed=seed).parameters()) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first[0], other[0])


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"one of resnet8, resnet14, .*mobilenet\. Got 'resnet9'"):
        make_model("resnet9", 3, 10, 32)
