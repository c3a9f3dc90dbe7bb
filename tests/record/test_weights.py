"""A file of weights tells its layers and its iteration, whoever has saved it."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from deeptracker.record.network import unwrap, weighted_layers
from deeptracker.record.weights import SnapshotError, WeightsFile, open_weights
from tests.record import networks


def saved(place: Path, content: Any, name: str = "a.pt", **metadata: str) -> str:
    path = place / name
    if path.suffix == ".safetensors":
        save_file(content, path, metadata or None)
    else:
        torch.save(content, path)
    return str(path)


def read(path: str) -> WeightsFile:
    with open_weights(path) as file:
        return file


def names(path: str) -> list[str]:
    return list(read(path).layers)


class Attention(nn.Module):
    """Weights that are not called `weight`, a buffer of two dimensions, and one without any module above."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2)
        self.register_buffer("mask", torch.ones(3, 3))
        self.last_weight = nn.Parameter(torch.randn(3, 4))


def normalised() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 3)), parametrizations.spectral_norm(nn.Linear(3, 3)))


def tied() -> nn.Module:
    first, last = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    last.weight = first.weight
    return nn.Sequential(first, nn.Linear(4, 4), last)


MODELS = {
    "lenet": networks.lenet,
    "resnet": networks.resnet,
    "one_dimensional": networks.one_dimensional,
    "video": networks.video,
    "attention": Attention,
    "normalised": normalised,
    "tied": tied,
    "one layer": lambda: nn.Linear(3, 2),
    "data parallel": lambda: nn.DataParallel(networks.lenet()),
    "compiled": lambda: torch.compile(networks.lenet(), backend="eager"),
    "a part compiled": lambda: nn.Sequential(torch.compile(nn.Linear(3, 3), backend="eager"), nn.Linear(3, 3)),
    "compiled and parallel": lambda: nn.DataParallel(torch.compile(networks.lenet(), backend="eager")),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", MODELS)
def test_layers_are_those_that_the_recorder_finds_in_the_model(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    model: nn.Module = MODELS[name]()  # type: ignore[no-untyped-call]
    expected = weighted_layers(model)
    with open_weights(saved(tmp_path, model.state_dict())) as file:
        assert list(file.layers) == [layer.layer.name for layer in expected]
        for layer in expected:
            found = file.layers[layer.layer.name]
            assert (found.shape, found.filters, found.fan_in) == (
                layer.layer.shape,
                layer.layer.filters,
                layer.layer.fan_in,
            )
            assert found.places == layer.layer.places
            assert torch.equal(file.tensor(found.name), layer.weight)
    if name in ("lenet", "resnet", "one_dimensional", "video"):
        assert [one.kind for one in file.layers.values()] == [one.layer.kind for one in expected]
    if name not in ("tied", "data parallel", "compiled and parallel"):
        safe = saved(tmp_path, unwrap(model).state_dict(), "a.safetensors")
        assert set(names(safe)) == set(file.layers)


def test_an_embedding_counts_as_linear_and_a_transposed_convolution_by_its_dimension_0(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Embedding(7, 3), nn.ConvTranspose2d(3, 5, 2))
    embedding, transposed = read(saved(tmp_path, model.state_dict())).layers.values()
    assert (embedding.kind, embedding.filters, embedding.fan_in) == ("linear", 7, 3)
    assert (transposed.kind, transposed.filters, transposed.fan_in) == ("conv2d", 3, 20)


@pytest.mark.parametrize("place", ["state_dict", "model_state_dict", "model"])
def test_a_state_dict_may_lie_in_a_checkpoint(tmp_path: Path, place: str) -> None:
    model = networks.lenet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    content = {"epoch": 3, "optimizer": optimizer.state_dict(), place: model.state_dict(), "iteration": 60}
    found = read(saved(tmp_path, content))
    assert len(found.layers) == 4
    assert found.said == {"iteration": 60}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"iteration": 4}, {"iteration": 4}),
        ({"global_step": torch.tensor(5)}, {"global_step": 5}),
        ({"step": torch.tensor([6.0])}, {"step": 6}),
        ({"step": 7, "iteration": 8.0}, {"iteration": 8, "step": 7}),
        ({"step": True}, {}),
        ({"step": 1.5, "iteration": float("inf"), "global_step": "last"}, {}),
        ({"epoch": 3}, {}),
    ],
)
def test_a_file_of_torch_says_its_iteration(tmp_path: Path, entries: dict[str, Any], said: dict[str, int]) -> None:
    assert read(saved(tmp_path, nn.Linear(2, 2).state_dict() | entries)).said == said
    assert read(saved(tmp_path, {"model": nn.Linear(2, 2).state_dict(), **entries})).said == said


def test_a_safetensors_file_says_its_iteration_in_its_metadata_or_by_an_entry(tmp_path: Path) -> None:
    weights = nn.Linear(2, 2).state_dict()
    assert read(saved(tmp_path, weights, "a.safetensors")).said == {}
    assert read(saved(tmp_path, weights, "b.safetensors", format="pt", step="1600")).said == {"step": 1600}
    assert read(saved(tmp_path, weights, "c.safetensors", iteration="latest")).said == {}
    assert read(saved(tmp_path, weights | {"step": torch.tensor(9)}, "d.safetensors")).said == {"step": 9}


def test_layers_are_in_the_order_of_the_file_with_numbers_as_numbers_where_that_is_the_alphabets(
    tmp_path: Path,
) -> None:
    def weights(*names: str) -> dict[str, Tensor]:
        return {f"{name}.weight": torch.ones(2, 2) for name in names}

    assert names(saved(tmp_path, weights("stem", "b.10", "b.2", "head"))) == ["stem", "b.10", "b.2", "head"]
    sorted_by_the_library = saved(tmp_path, weights("b.10", "stem", "b.2", "b.x"), "a.safetensors")
    assert names(sorted_by_the_library) == ["b.2", "b.10", "b.x", "stem"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_weights_of_every_precision_keep_their_values(tmp_path: Path, dtype: torch.dtype, suffix: str) -> None:
    weight = torch.randn(6, 5).to(dtype)
    content = {"fc.weight": weight, "ids.weight": torch.arange(6).reshape(2, 3)}
    with open_weights(saved(tmp_path, content, f"a{suffix}")) as file:
        assert list(file.layers) == ["fc"]
        assert file.tensor("fc").dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert torch.equal(file.tensor("fc").to(dtype), weight)
        assert file.doubles == ({"fc"} if dtype == torch.float64 else set())


def test_a_view_of_channels_last_is_read_as_it_was_meant(tmp_path: Path) -> None:
    weight = torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    with open_weights(saved(tmp_path, {"conv.weight": weight})) as file:
        assert torch.equal(file.tensor("conv"), weight)


def cut(path: str) -> None:
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: 2 * len(data) // 3])


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_file_that_is_cut_short_or_empty_is_named(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path, {"fc.weight": torch.randn(60, 50)}, f"a{suffix}")
    cut(path)
    with pytest.raises(SnapshotError, match=f"a{suffix} cannot be read: it is empty, cut short or damaged"):
        read(path)
    Path(path).write_bytes(b"")
    with pytest.raises(SnapshotError, match=f"a{suffix} cannot be read: it is empty, cut short or damaged"):
        read(path)


def test_what_cannot_be_read_says_why_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="it is not there any more"):
        read(str(tmp_path / "gone.pt"))
    with pytest.raises(SnapshotError, match=r"Python objects .* Save model\.state_dict\(\)"):
        read(saved(tmp_path, {"model": nn.Linear(2, 2).state_dict(), "args": argparse.Namespace(lr=1)}))
    with pytest.raises(SnapshotError, match=r"Python objects .* Save model\.state_dict\(\)"):
        read(saved(tmp_path, nn.Linear(2, 2)))
    old = tmp_path / "old.pt"
    torch.save(nn.Linear(2, 2).state_dict(), old, _use_new_zipfile_serialization=False)
    with pytest.raises(SnapshotError, match="had before"):
        read(str(old))
    for content in ({"bias": torch.ones(3)}, [torch.ones(2, 2)], {"step": 3}, {"weight": torch.ones(0, 4)}):
        with pytest.raises(SnapshotError, match="must hold weights of two dimensions or more"):
            read(saved(tmp_path, content))
    twice = {"a._orig_mod.weight": torch.ones(2, 2), "a.weight": torch.ones(2, 2)}
    with pytest.raises(SnapshotError, match="Two of them stand for 'a'"):
        read(saved(tmp_path, twice))
