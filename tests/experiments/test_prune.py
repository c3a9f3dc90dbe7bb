"""A pruned model gives the same outputs with fewer filters; what cannot go stays, and it is said why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from deeptracker.experiments.choice import Groups
from deeptracker.experiments.errors import ExperimentError
from deeptracker.experiments.prune import Pruned, prune
from deeptracker.record.network import weighted_layers
from deeptracker.store.experiments import FilterGroup
from tests.experiments.said import MODEL, Said, trained
from tests.record.architectures import ARCHITECTURES
from tests.record.networks import Net, conv


def zeroed(model: nn.Module, number: int = 0) -> Groups:
    """One filter of every layer that has two is made zero."""
    groups = []
    for layer in weighted_layers(model):
        if layer.layer.filters > 1 and not layer.groups:
            layer.weight.data[number] = 0
            bias = getattr(model.get_submodule(layer.layer.name), "bias", None)
            if bias is not None:
                bias.data[number] = 0
            groups.append(FilterGroup(layer.layer.name, (number,)))
    return tuple(groups)


def pruned(model: nn.Module, groups: Groups, *inputs: Tensor) -> Pruned:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = prune(model, groups, (inputs[0][:2],), lambda: inputs)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    return found


GOING = {
    "lenet": {"0", "3", "6"},
    "resnet": {"1.conv1", "2.conv1"},
    "densenet": {"0", "1.layers.0.2", "1.layers.1.2", "1.layers.2.2", "2.0"},
    "inception": {"stem.0", "one", "before_three", "three", "five"},
    "u-net": {"down1", "down2"},
    "vision transformer": {"blocks.0.fc1", "blocks.1.fc1"},
    "siamese": {"body.0"},
}


@pytest.mark.parametrize("name", GOING)
def test_filters_go_where_their_way_is_their_own(name: str) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES[name].make().eval()
    found = pruned(model, zeroed(model), ARCHITECTURES[name].input())
    assert {group.layer for group in found.removed} == GOING[name]
    assert found.difference <= 1e-6
    assert found.parameters[1] < found.parameters[0]


def test_attention_mixes_filters_and_keeps_them() -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES["vision transformer"].make().eval()
    kept = pruned(model, zeroed(model), ARCHITECTURES["vision transformer"].input()).kept
    assert {one.filters.layer: one.why for one in kept}["blocks.0.attn.qkv"] == (
        "blocks.0.attn.proj takes it mixed with other filters"
    )


STAYING = {
    "perceptron, many linear layers": "a layer normalisation takes its values together with those of other channels",
    "padded shortcut": "its output goes into a sum",
    "resnext, grouped": "is grouped",
    "normed weights": "makes its weights from others",
    "shufflenet": "the model does not run without it",
    "script module": "its output goes into a sum",
    "blurred": "it goes through a convolution without a layer",
}


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", STAYING)
def test_where_no_filter_can_go_it_is_said_why(name: str) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES[name].make().eval()
    groups = tuple(FilterGroup(layer.layer.name, (0,)) for layer in weighted_layers(model))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter[0] = 0
    with pytest.raises(ExperimentError, match="there must be filters that can go") as error:
        pruned(model, groups, ARCHITECTURES[name].input())
    assert STAYING[name] in str(error.value)


def chain(second: nn.Module) -> nn.Module:
    """The first filter of the first layer is a constant behind its normalisation: 0.7, as it never varies."""
    torch.manual_seed(0)
    model = nn.Sequential(conv(3, 4, bias=False), nn.BatchNorm2d(4), nn.ReLU(), second, nn.Flatten()).eval()
    model[0].weight.data[0] = 0
    model[1].bias.data[0] = 0.7
    return model


@pytest.mark.parametrize(
    "second",
    [
        lambda: conv(4, 3, padding=0),
        lambda: conv(4, 3, padding_mode="circular"),
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(256, 5)),
    ],
)
def test_a_constant_is_taken_into_the_bias_behind(second: Callable[[], nn.Module]) -> None:
    model = chain(second())
    found = pruned(model, (FilterGroup("0", (0,)),), torch.rand(4, 3, 8, 8), torch.rand(3, 3, 8, 8))
    assert found.samples == 7
    assert found.widths == {"0": (4, 3)}
    assert found.state["1.running_var"].shape == (3,)


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (lambda: conv(4, 3), "sees zeros beside it at the borders"),
        (lambda: conv(4, 3, padding=0, bias=False), "has no bias to take it"),
    ],
)
def test_a_constant_that_cannot_be_taken_stays(second: Callable[[], nn.Module], why: str) -> None:
    with pytest.raises(ExperimentError, match=why):
        pruned(chain(second()), (FilterGroup("0", (0,)),), torch.rand(4, 3, 8, 8))


def test_a_filter_that_some_image_activates_stays_while_others_go() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(conv(1, 4), nn.ReLU(), conv(4, 2), nn.ReLU(), nn.Flatten())
    model[0].bias.data[:] = torch.tensor([-50.0, 0.0, -50.0, 0.0])
    seldom = torch.rand(3, 1, 6, 6)
    model[0].weight.data[2] = 1
    seldom[1] = 20  # activates filter 2, in the last batch only
    found = pruned(model, (FilterGroup("0", (0, 2)),), torch.rand(3, 1, 6, 6), seldom)
    assert found.removed == (FilterGroup("0", (0,)),)
    ((kept),) = found.kept
    assert kept.filters == FilterGroup("0", (2,))
    assert kept.why.startswith("it is no constant: 2 is given 0 to ")


def test_a_layer_keeps_one_filter() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    model[0].bias.data[:] = -100
    found = pruned(model, (FilterGroup("0", (0, 1)),), torch.rand(5, 3))
    assert (found.removed, found.kept[0].why) == ((FilterGroup("0", (1,)),), "a layer must keep one filter")


def test_a_model_that_gives_its_features_out_as_well_keeps_them() -> None:
    def forward(self: Any, x: Tensor) -> Any:
        features = self.first(x).relu()
        return self.head(features), features

    model = Net(forward, first=nn.Linear(3, 4), head=nn.Linear(4, 2))
    model.first.bias.data[1] = -100
    with pytest.raises(ExperimentError, match="outputs differ without it"):
        pruned(model, (FilterGroup("first", (1,)),), torch.rand(5, 3))


def test_the_command_writes_what_loads_into_the_smaller_network_and_gives_the_same(
    said: Said,
    killed: Path,
    tmp_path: Path,
) -> None:
    asked = ["prune", killed / "run", "--dead", *MODEL, "--weights", killed / "last.safetensors", "--to"]
    status, text = said(*asked, tmp_path / "small.safetensors")
    assert status == 0, text
    assert "3 filters removed: conv1:1,5 fc1:2" in text
    model = trained(killed)
    images = torch.randn(9, 1, 6, 6)
    expected = model(images)
    model.conv1, model.fc1, model.fc2 = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(216, 6), nn.Linear(6, 3)
    model.conv2 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
    model.load_state_dict(load_file(tmp_path / "small.safetensors"))
    assert torch.allclose(model(images), expected, atol=1e-5)
    told = json.loads((tmp_path / "small.json").read_text())
    assert told["shapes"]["conv1.weight"] == {"before": [8, 1, 3, 3], "after": [6, 1, 3, 3]}
    assert told["layers"][1] == {"layer": "fc1", "before": 7, "after": 6, "removed": [2]}
    assert told["iteration"] == 40
    status, text = said(*asked, tmp_path / "small.safetensors")
    assert (status, "must not be there yet" in text) == (1, True)
    assert said(*asked, tmp_path / "small.safetensors", "--force")[0] == 0
    status, text = said(*asked, tmp_path / "small.pt")
    assert (status, "must be the name of a file that ends with .safetensors" in text) == (1, True)


def test_filters_that_are_alive_are_never_taken(said: Said, killed: Path, tmp_path: Path) -> None:
    asked = ["prune", killed / "run", "--filters", "conv1:0", *MODEL, "--weights", killed / "last.safetensors"]
    status, text = said(*asked, "--to", tmp_path / "small.safetensors")
    assert status == 1
    assert "there must be filters that can go" in text
    assert not list(tmp_path.iterdir())
