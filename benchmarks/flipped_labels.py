"""How is a small network trained on labels of which some are wrong, so that we know which, and recorded?

1. A share of the labels becomes another class drawn at random, in training and validation alike, as in real life.
2. The demo's recipe (demo/recipes.py), shortened: 30 epochs of digits, 9 of colour images. Digits are given to the demo's
   ResNet-8, colour images to three convolutions of stride 2: either takes less than 40 seconds of one core.
3. The recorder sees the wrong labels of the validation images. What comes back besides is which of them are wrong, and
   the last probabilities of all classes: what other tools take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

import deeptracker
from deeptracker.demo.batches import Normalisation, augment, channels_first
from deeptracker.demo.image_data import ImageData
from deeptracker.demo.models import make_model
from deeptracker.demo.recipes import recipe_for
from deeptracker.store.samples import class_order

Labels = npt.NDArray[np.int64]
WIDTHS = (3, 32, 64, 128)


LENGTHS = {1: {"epochs": 30, "dumps": 60}, 3: {"epochs": 9, "dumps": 18}}
"""By channels: grey images and colour images."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A training that was recorded in `run`; of the validation images, in class order: `labels` int64 (n,) as given,
    `is_wrong` bool (n,), and `probabilities` float64 (n, classes) after the last iteration."""

    run: Path
    labels: Labels
    is_wrong: npt.NDArray[np.bool_]
    probabilities: npt.NDArray[np.float64]


def flip(labels: Labels, classes: int, share: float, generator: np.random.Generator) -> Labels:
    """The labels, but a share of them, drawn at random, another class."""
    flipped = labels.copy()
    chosen = generator.choice(len(labels), round(share * len(labels)), replace=False)
    flipped[chosen] = (labels[chosen] + generator.integers(1, classes, len(chosen))) % classes
    return flipped


def train_on_flipped(data: ImageData, run: Path, *, share: float, seed: int) -> Trained:
    """Train and record; equal seeds train equally."""
    generator = np.random.default_rng(seed)
    y_train, y_test = (flip(y, data.classes, share, generator) for y in (data.y_train, data.y_test))
    order = class_order(y_test)
    noisy = replace(data, y_train=y_train, x_test=data.x_test[order], y_test=y_test[order])
    probabilities = _train(noisy, run, seed)
    return Trained(run, noisy.y_test, noisy.y_test != data.y_test[order], probabilities)


def _train(data: ImageData, run: Path, seed: int) -> npt.NDArray[np.float64]:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    network = make_model("resnet8", 1, data.classes, data.side, seed=seed) if data.channels == 1 else _strided(data)
    normalisation = Normalisation.of(data.x_train)
    x, y = normalisation.apply(channels_first(data.x_train)), torch.from_numpy(data.y_train)
    x_test, y_test = normalisation.apply(channels_first(data.x_test)), torch.from_numpy(data.y_test)
    recipe = recipe_for(data, **LENGTHS[data.channels])
    optimizer = torch.optim.SGD(
        network.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    batches = -(-len(x) // recipe.batch_size)
    iterations = recipe.epochs * batches
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: recipe.learning_rate_at(i, iterations) / recipe.learning_rate
    )
    every = max(1, iterations // recipe.dumps)
    with deeptracker.Recorder(run, network, optimizer, validation=(x_test, y_test), every=every) as recorder:
        for _ in range(recipe.epochs):
            for chosen in torch.randperm(len(x), generator=generator).tensor_split(batches):
                batch = augment(x[chosen], generator) if recipe.augmented else x[chosen]
                optimizer.zero_grad()
                loss = functional.cross_entropy(network(batch), y[chosen])
                loss.backward()
                optimizer.step()
                schedule.step()
                recorder.log(loss=float(loss.detach()))
    return _probabilities(network, x_test)


def _strided(data: ImageData) -> nn.Module:
    parts: list[nn.Module] = []
    for kernel, (before, after) in zip((5, 3, 3), pairwise(WIDTHS), strict=True):
        convolution = nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2, bias=False)
        parts += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
    side = -(-data.side // 8)
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(WIDTHS[-1] * side * side, data.classes))


@torch.no_grad()
def _probabilities(network: nn.Module, x: Tensor) -> npt.NDArray[np.float64]:
    network.eval()
    return torch.cat([functional.softmax(network(part).double(), dim=1) for part in x.split(500)]).numpy()
