"""Have the demo's networks the shapes and the module names that the views are read by?"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deeptracker.demo.models import make_model
from deeptracker.demo.recipes import MODEL_NAMES


def weighted(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))]


@pytest.mark.parametrize("name", MODEL_NAMES)
@pytest.mark.parametrize(("side", "channels", "classes"), [(4, 1, 2), (8, 1, 10), (32, 3, 100), (64, 3, 7)])
def test_every_network_takes_every_side(name: str, side: int, channels: int, classes: int) -> None:
    model = make_model(name, channels, classes, side).eval()
    assert model(torch.zeros(2, channels, side, side + 3)).shape == (2, classes)


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


def test_a_block_adds_its_input() -> None:
    model = make_model("resnet14", 1, 2, 8).eval()
    block = model.get_submodule("layer1.1")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 16, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_the_seed_fixes_the_weights_and_leaves_torch_as_it_was() -> None:
    state = torch.get_rng_state()
    first, again, other = (make_model("resnet8", 1, 10, 8, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.get_parameter("fc.weight"), other.get_parameter("fc.weight"))


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"one of resnet8, resnet14, resnet20, convnet\. Got 'resnet9'"):
        make_model("resnet9", 3, 10, 32)
