"""A small training with filters that are dead from the beginning, and what makes its network and data again."""

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import deeptracker

DEAD = {"conv1": (1, 5), "fc1": (2,)}
ITERATIONS = 40
CLASSES = 3


def make_model() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 8, 3, padding=1), relu1=nn.ReLU(), conv2=nn.Conv2d(8, 6, 3, padding=1, bias=False),
            norm2=nn.BatchNorm2d(6), relu2=nn.ReLU(), flat=nn.Flatten(),
            fc1=nn.Linear(6 * 36, 7), relu3=nn.ReLU(), fc2=nn.Linear(7, CLASSES),
        )
    )  # fmt: skip
    for name, filters in DEAD.items():
        model.get_submodule(name).bias.data[list(filters)] = -100  # below zero for any input, behind a ReLU
    return model


def narrow_model() -> nn.Module:
    """Of other shapes than the one that was trained."""
    return nn.Sequential(OrderedDict(conv1=nn.Conv2d(1, 4, 3), flat=nn.Flatten(), fc2=nn.Linear(64, CLASSES)))


def not_a_model() -> int:
    return 7


def images(seed: int, count: int = 60) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    found = torch.randn(count, 1, 6, 6, generator=generator)
    for cls in range(CLASSES):
        found[labels == cls, 0, 2 * cls] += 1
    return found, labels


def validation() -> tuple[Tensor, Tensor]:
    return images(1)


def fewer() -> tuple[Tensor, Tensor]:
    return images(1, 30)


def train(folder: Path) -> None:
    """A run, and `last.safetensors` beside it."""
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    inputs, labels = images(0)
    with deeptracker.Recorder(str(folder / "run"), model, optimizer, validation=validation(), every=2) as recorder:
        for _ in range(ITERATIONS):
            loss = nn.functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            recorder.log(loss=loss)
    save_file(model.state_dict(), folder / "last.safetensors", {"iteration": str(ITERATIONS)})
