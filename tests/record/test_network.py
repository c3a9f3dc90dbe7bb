"""Are layers, their names, filters and hierarchy found in any model?"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deeptracker.record.hierarchy import describe
from deeptracker.record.network import arranged, unwrap, weighted_layers
from deeptracker.schema import Layer, Network, Node


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, bias=False)
        self.conv2 = nn.Conv2d(4, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.conv1(x))


def layers_of(model: nn.Module) -> list[Layer]:
    return [found.layer for found in weighted_layers(model)]


def names_of(model: nn.Module) -> list[str]:
    return [layer.name for layer in layers_of(model)]


def test_layers_are_named_by_their_modules_and_numbered_by_filter() -> None:
    model = nn.Sequential(Block(), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(8, 2))
    assert layers_of(model) == [
        Layer("0.conv1", "conv2d", (4, 3, 3, 3), 4, 27, 0),
        Layer("0.conv2", "conv2d", (4, 4, 3, 3), 4, 36, 4),
        Layer("3", "linear", (2, 8), 2, 8, 8),
    ]


@pytest.mark.parametrize(
    ("module", "kind", "filters", "fan_in"),
    [
        (nn.Conv1d(4, 6, 5), "conv1d", 6, 20),
        (nn.Conv3d(2, 4, 3), "conv3d", 4, 54),
        (nn.Conv2d(4, 6, 3, groups=2), "conv2d", 6, 18),
        (nn.ConvTranspose1d(4, 6, 3), "conv_transpose1d", 6, 12),
        (nn.ConvTranspose2d(4, 6, 3, groups=2), "conv_transpose2d", 6, 18),
        (nn.ConvTranspose3d(2, 3, 2), "conv_transpose3d", 3, 16),
        (nn.Embedding(7, 4), "embedding", 7, 4),
        (nn.Bilinear(2, 3, 4), "bilinear", 4, 6),
    ],
)
def test_a_filter_is_an_output_unit_whatever_the_layout(
    module: nn.Module, kind: str, filters: int, fan_in: int
) -> None:
    (layer,) = layers_of(module)
    assert (layer.name, layer.kind, layer.filters, layer.fan_in) == ("weight", kind, filters, fan_in)


def test_several_weights_of_a_module_are_named_by_module_and_parameter() -> None:
    model = nn.ModuleDict({"attention": nn.MultiheadAttention(8, 2), "memory": nn.LSTM(4, 3)})
    assert names_of(model) == [
        "attention.in_proj_weight",
        "attention.out_proj",
        "memory.weight_ih_l0",
        "memory.weight_hh_l0",
    ]


def test_a_shared_weight_is_one_layer() -> None:
    model = nn.ModuleDict({"embedding": nn.Embedding(9, 4), "head": nn.Linear(4, 9, bias=False)})
    model["head"].weight = model["embedding"].weight
    assert names_of(model) == ["embedding"]
    assert layers_of(model)[0].places == ("embedding", "head")


def test_a_module_that_is_in_two_places_is_one_layer() -> None:
    block = Block()
    model = nn.ModuleDict({"a": block, "b": nn.Linear(2, 2), "c": block})
    assert [layer.places for layer in layers_of(model)] == [("a.conv1", "c.conv1"), ("a.conv2", "c.conv2"), ("b",)]


def test_parametrized_weights_are_named_by_the_module_that_uses_them() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2), nn.Linear(4, 2))
    nn.utils.parametrizations.weight_norm(model[0])
    nn.utils.parametrizations.spectral_norm(model[1])
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(model[2])
    assert [(x.name, x.kind, x.filters) for x in layers_of(model)] == [
        ("0", "conv2d", 4),
        ("1", "linear", 2),
        ("2", "linear", 2),
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_script_modules_are_read_by_their_parameters() -> None:
    scripted = torch.jit.script(nn.Sequential(Block(), nn.ConvTranspose2d(4, 6, 3, groups=2)))
    assert [(x.name, x.kind, x.filters) for x in layers_of(scripted)] == [
        ("0.conv1", "conv2d", 4),
        ("0.conv2", "conv2d", 4),
        ("1", "conv_transpose2d", 6),
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrappers_are_seen_through() -> None:
    block = Block()
    assert names_of(nn.DataParallel(block)) == ["conv1", "conv2"]
    assert unwrap(nn.DataParallel(torch.compile(block))) is block
    assert names_of(torch.compile(block)) == ["conv1", "conv2"]
    assert names_of(nn.Sequential(torch.compile(Block()))) == ["0.conv1", "0.conv2"]
    assert names_of(nn.Sequential(nn.DataParallel(torch.compile(Block())))) == ["0.conv1", "0.conv2"]


def test_a_module_that_the_user_calls_module_keeps_its_name() -> None:
    assert names_of(nn.ModuleDict({"module": Block()})) == ["module.conv1", "module.conv2"]


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a layer"):
        weighted_layers(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))


def test_uninitialised_parameters_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"0\.weight is not: run the model once"):
        weighted_layers(nn.Sequential(nn.LazyLinear(4)))


def test_the_hierarchy_folds_levels_with_a_single_child() -> None:
    model = nn.ModuleDict(
        {"backbone": nn.ModuleDict({"stage": nn.Sequential(Block(), nn.Sequential(nn.Linear(2, 2)))})}
    )
    network = describe(layers_of(model))
    block = Node("backbone.stage.0", (Node("backbone.stage.0.conv1", (), 0), Node("backbone.stage.0.conv2", (), 1)))
    assert network.hierarchy == Node("", (block, Node("backbone.stage.1.0", (), 2)))
    assert Network.from_json(network.to_json(), place="network.json") == network


def test_a_module_with_a_weight_and_layers_below_it_keeps_both() -> None:
    class Both(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2)
            self.inner = nn.Linear(2, 2)

    hierarchy = describe(layers_of(nn.ModuleDict({"a": Both(), "b": nn.Linear(2, 2)}))).hierarchy
    assert hierarchy.children[0] == Node("a", (Node("a", (), 0), Node("a.inner", (), 1)))


def test_layers_in_another_order_are_numbered_anew_and_their_weights_follow() -> None:
    layers = weighted_layers(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 5)))
    network = describe([layer.layer for layer in reversed(layers)])
    assert [(layer.name, layer.offset) for layer in network.layers] == [("1", 0), ("0", 5)]
    found = arranged(layers, network)
    assert [x.layer for x in found] == list(network.layers)
    assert [x.weight.shape for x in found] == [(5, 3), (3, 2)]
