"""How is a small network trained on labels of which some are wrong, so that we know which, and recorded?

1. A share of the labels becomes another class drawn at random, in training and validation alike, as in real life.
2. Digits: the demo's ResNet-8, 30 epochs. Colour images: three convolutions of stride 2, 9 epochs. The rate falls
   linearly to 0, and nothing is augmented, so that the wrong labels are learned by heart at last, as in long trainings.
   Either takes less than 40 seconds of one core.
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
from deeptracker.demo.batches import Normalisation, channels_first
from deeptracker.demo.image_data import ImageData
from deeptracker.demo.models import make_model
from deeptracker.store.samples import class_order

Labels = npt.NDArray[np.int64]
WIDTHS = (3, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast, at first."""

    epochs: int
    batch_size: int
    learning_rate: float
    dumps: int


PLANS = {1: Plan(30, 32, 0.2, 60), 3: Plan(9, 64, 0.05, 18)}
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
    plan = PLANS[data.channels]
    optimizer = torch.optim.SGD(network.parameters(), lr=plan.learning_rate, momentum=0.9, weight_decay=5e-4)
    batches = -(-len(x) // plan.batch_size)
    iterations = plan.epochs * batches
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda iteration: 1 - iteration / iterations)
    every = max(1, iterations // plan.dumps)
    with deeptracker.Recorder(run, network, optimizer, validation=(x_test, y_test), every=every) as recorder:
        for _ in range(plan.epochs):
            for chosen in torch.randperm(len(x), generator=generator).tensor_split(batches):
                optimizer.zero_grad()
                loss = functional.cross_entropy(network(x[chosen]), y[chosen])
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
