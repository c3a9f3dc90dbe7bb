"""Is the way of data through any model found, and the model left as it was?"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from deeptracker.record.graph import FOLLOWED, network_of
from deeptracker.record.network import weighted_layers
from deeptracker.record.recorder import Recorder
from deeptracker.schema import Network, Node
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from tests.record.architectures import ARCHITECTURES, Architecture
from tests.record.networks import conv, lenet, resnet

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def names_of(network: Network) -> list[str]:
    """Names of all nodes, as in `architectures.py`."""
    seen: dict[str, int] = {}
    names = []
    for node in network.graph.nodes:
        if node.layer is not None:
            assert node.label == network.layers[node.layer].name
            names.append(node.label)
        else:
            seen[node.kind] = seen.get(node.kind, 0) + 1
            names.append(node.kind + (str(seen[node.kind]) if seen[node.kind] > 1 else ""))
    return names


def edges_of(network: Network) -> set[str]:
    names = names_of(network)
    return {f"{names[start]}>{names[end]}" for start, end in network.graph.edges}


def followed(model: nn.Module, x: Any) -> Network:
    network = network_of(model, weighted_layers(model), lambda: x if isinstance(x, tuple) else (x,))
    assert network.source == FOLLOWED
    return network


def bits_of(model: nn.Module) -> dict[str, bytes]:
    return {name: value.detach().numpy().tobytes() for name, value in model.state_dict().items()}


def leaves(node: Node) -> Iterator[Node]:
    if not node.children:
        yield node
    for child in node.children:
        yield from leaves(child)


def record_one_dump(place: Path, model: nn.Module, **arguments: Any) -> LogReader:
    Recorder(place, model, torch.optim.SGD(model.parameters(), 0.1), strict=True, **arguments).close()
    return LogReader(Blobs(place))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_structure_of_every_kind_of_network_is_found_and_the_network_left_as_it_was(
    name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    architecture: Architecture = ARCHITECTURES[name]
    model, x = architecture.make(), architecture.input()
    model.train()
    next(model.children(), model).eval()  # flags differ, and are put back one by one
    flags = [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    before, random_state = bits_of(model), torch.get_rng_state()
    model.eval()
    with torch.no_grad():
        output = model(x)
    for module, training in zip(model.modules(), flags, strict=True):
        module.training = training

    reader = record_one_dump(tmp_path / "run", model, example_input=x)

    assert [module.training for module in model.modules()] == flags
    assert [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()] == hooks
    assert bits_of(model) == before
    assert torch.equal(torch.get_rng_state(), random_state)
    model.eval()
    with torch.no_grad():
        assert model(x).numpy().tobytes() == output.numpy().tobytes()

    network = reader.network
    assert network is not None
    assert network.source == FOLLOWED
    assert edges_of(network) == set(architecture.edges.split())
    reached = [part for edge in architecture.edges.split() for part in edge.split(">")]
    layers = [layer.name for layer in network.layers]
    used = layers[: len(layers) - len(architecture.unused)]
    assert set(used) == {part for part in reached if part in layers}
    assert layers[len(used) :] == list(architecture.unused)
    assert [node.label for node in network.graph.nodes if node.layer is not None] == layers
    assert [leaf.layer for leaf in leaves(network.hierarchy)] == sorted(
        range(len(layers)), key=first_of_its_module(layers)
    )

    parameters = {key.removesuffix(".weight"): value for key, value in model.named_parameters()}
    for layer in network.layers:
        weight = parameters.get(layer.name)
        if weight is None:  # parametrized
            weight = parameters[f"{layer.name}.parametrizations.weight.original" + ("1" if layer.name == "0" else "")]
        assert layer.shape == weight.shape
        assert layer.filters * layer.fan_in == weight.numel()
        assert layer.filters == weight.shape[1 if layer.kind.startswith("conv_transpose") else 0]
    (dump,) = reader.dumps
    measures = reader.filters(dump)
    assert {len(values) for values in measures.values()} == {sum(layer.filters for layer in network.layers)}
    for layer in network.layers:
        weight = parameters.get(layer.name)
        if weight is not None:
            total = float(measures["sum"][layer.rows].sum())
            assert total == pytest.approx(float(weight.detach().double().sum()), abs=1e-4)


def first_of_its_module(names: list[str]) -> Any:
    """Depth first through the hierarchy, modules in the order of the first of their layers."""

    def key(index: int) -> list[int]:
        parts = names[index].split(".")
        prefixes = [".".join(parts[: i + 1]) for i in range(len(parts))]
        return [next(i for i, n in enumerate(names) if f"{n}.".startswith(f"{prefix}.")) for prefix in prefixes]

    return key


def test_at_least_thirty_kinds_of_networks_are_tried() -> None:
    assert len(ARCHITECTURES) >= 30


def test_layers_come_in_the_order_of_data_and_not_of_registration() -> None:
    model = ARCHITECTURES["vision transformer"].make()
    assert weighted_layers(model)[0].layer.name == "head"
    network = followed(model, torch.rand(2, 3, 8, 8))
    assert [layer.name for layer in network.layers][0::9] == ["patches", "head"]
    assert [layer.offset for layer in network.layers][:3] == [0, 6, 24]


def test_without_an_example_the_order_is_that_of_the_modules(tmp_path: Path) -> None:
    network = record_one_dump(tmp_path / "run", ARCHITECTURES["vision transformer"].make()).network
    assert network is not None
    assert network.source == "module names"
    assert network.layers[0].name == "head"
    assert network.graph.nodes == ()


def test_the_first_validation_images_are_an_example_in_the_form_the_model_takes(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (5, 8, 8, 3), dtype=torch.uint8).numpy()
    network = record_one_dump(tmp_path / "run", resnet(), validation=(images, torch.arange(5) % 3)).network
    assert network is not None
    assert network.source == FOLLOWED
    assert edges_of(network) == set(ARCHITECTURES["resnet"].edges.split())


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (torch.rand(2, 7, 8, 8), "RuntimeError: Given groups=1"),
        ((torch.rand(2, 3, 8, 8), 5), "TypeError: "),
        ("no input at all", "TypeError: conv2d"),
    ],
)
def test_an_input_that_the_model_cannot_take_leaves_the_order_to_the_modules(
    tmp_path: Path, example: Any, reason: str
) -> None:
    model = lenet()
    before = bits_of(model)
    network = record_one_dump(tmp_path / "run", model, example_input=example).network
    assert network is not None
    assert network.source.startswith(f"module names; no forward pass could be followed ({reason}")
    assert [layer.name for layer in network.layers] == ["0", "3", "6", "8"]
    assert bits_of(model) == before
    assert model.training


def test_data_that_leaves_pytorch_on_its_way_is_told() -> None:
    class Away(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(x.numpy().copy())

    model = nn.Sequential(conv(3, 4), Away(), conv(4, 4))
    network = network_of(model, weighted_layers(model), lambda: (torch.rand(1, 3, 8, 8),))
    assert "lost from sight" in network.source


def test_several_inputs_meet_in_the_graph() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image, self.table = conv(3, 4), nn.Linear(5, 4)

        def forward(self, x: torch.Tensor, y: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"out": self.image(x).mean((2, 3)) + self.table(y["table"])}

    network = followed(Two(), (torch.rand(2, 3, 8, 8), {"table": torch.rand(2, 5)}))
    assert edges_of(network) == {"data>image", "data>table", "image>pool", "pool>add", "table>add"}


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile, lambda m: nn.DataParallel(torch.compile(m))])
def test_wrappers_are_seen_through(wrap: Any) -> None:
    wrapped = wrap(resnet())
    assert followed(wrapped, torch.rand(2, 3, 8, 8)) == followed(resnet(), torch.rand(2, 3, 8, 8))


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile])
def test_wrapped_parts_are_seen_through(wrap: Any) -> None:
    model = lenet()
    parts = nn.ModuleDict({"features": wrap(model[:6]), "classifier": wrap(model[6:])})

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features, self.classifier = parts["features"], parts["classifier"]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.features(x))

    network = followed(Whole(), torch.rand(2, 3, 8, 8))
    assert [layer.name for layer in network.layers] == ["features.0", "features.3", "classifier.6", "classifier.8"]
    assert len(network.graph.edges) == 5


def test_shared_weights_are_one_layer_with_all_their_places() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.body, self.head = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 9, bias=False)
            self.again = self.body
            self.head.weight = self.words.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.again(self.body(self.words(x))))

    network = followed(Tied(), torch.tensor([[1, 2]]))
    assert {layer.name: layer.places for layer in network.layers} == {
        "words": ("words", "head"),
        "body": ("body", "again"),
    }
    assert edges_of(network) == {"data>words", "words>body"}, "edges that would close a cycle are left out"


def test_buffers_that_a_forward_pass_changes_are_put_back() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x + torch.rand(())

    model = nn.Sequential(conv(3, 4), Counts(), nn.Flatten())
    state = torch.get_rng_state()
    followed(model, torch.rand(2, 3, 8, 8, generator=torch.Generator()))
    assert model[1].calls == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_compiled_for_it() -> None:
    def refuse(graph: Any, inputs: Any) -> Any:
        raise AssertionError("compiled")

    model = nn.Sequential(torch.compile(conv(3, 4), backend=refuse), nn.ReLU(), conv(4, 4))
    assert edges_of(followed(model, torch.rand(2, 3, 8, 8))) == {"data>0", "0>2"}


def test_what_is_overwritten_is_forgotten() -> None:
    class Overwrites(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c, self.d = conv(3, 4), conv(4, 4), conv(4, 4), conv(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a(x)
            y[:, :1] = self.d(x)
            y.view(-1).copy_(self.b(y).view(-1))
            return self.c(y)

    network = followed(Overwrites(), torch.rand(2, 3, 8, 8))
    assert edges_of(network) == {"data>a", "data>d", "a>b", "d>b", "b>c"}


def test_an_input_that_the_model_changes_in_place_stays_as_it_was() -> None:
    class Changes(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sub_(0.5)

    x = torch.ones(2, 3, 8, 8)
    assert edges_of(followed(nn.Sequential(Changes(), conv(3, 4)), x)) == {"data>1"}
    assert bool((x == 1).all())


def test_a_layer_that_is_never_used_has_a_node_of_its_kind_without_edges() -> None:
    model = lenet()
    model[0].spare = nn.ModuleList([nn.Linear(2, 2), conv(2, 2)])
    network = followed(model, torch.rand(2, 3, 8, 8))
    assert [(node.label, node.kind) for node in network.graph.nodes[-2:]] == [
        ("0.spare.0", "linear"),
        ("0.spare.1", "conv"),
    ]
    assert max(end for _, end in network.graph.edges) == len(network.graph.nodes) - 3


def test_a_continued_run_keeps_the_order_that_it_has(tmp_path: Path) -> None:
    """Also one that was recorded by module names: its dumps have that order."""
    run, model = tmp_path / "run", ARCHITECTURES["vision transformer"].make()
    by_names = record_one_dump(run, model).network
    x = torch.rand(2, 3, 8, 8)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with Recorder(run, copy.deepcopy(model), optimizer, example_input=x, resume=0, strict=True) as recorder:
        model(x).sum().backward()
        optimizer.step()
        assert recorder.iteration == 1
    reader = LogReader(Blobs(run))
    assert reader.network == by_names
    before, after = (reader.filters(dump)["sum"] for dump in reader.dumps)
    assert by_names is not None
    head = by_names.layer("head")
    assert head.rows.start == 0
    assert after[head.rows] == pytest.approx(before[head.rows], abs=1e-6)


def test_a_run_in_the_order_of_data_is_continued_without_an_example(tmp_path: Path) -> None:
    run, model = tmp_path / "run", ARCHITECTURES["vision transformer"].make()
    recorded = record_one_dump(run, model, example_input=torch.rand(2, 3, 8, 8)).network
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with Recorder(run, model, optimizer, resume=0, strict=True):
        model(torch.rand(2, 3, 8, 8)).sum().backward()
        optimizer.step()
    reader = LogReader(Blobs(run))
    assert reader.network == recorded
    head = recorded.layer("head") if recorded else None
    assert head is not None
    assert head.rows.start > 0
    sums = reader.filters(reader.dumps[1])["sum"][head.rows]
    assert sums == pytest.approx(model.head.weight.detach().sum(1).numpy(), abs=1e-5)


def test_following_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        followed(resnet(), torch.rand(2, 3, 8, 8))
