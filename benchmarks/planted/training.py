"""What is a training made of, so that a fault can change one part of it? And how is it recorded?

1. `Training` holds all parts: images and labels, the network, its optimizer, the rate over time, how an epoch is dealt
   out in batches, the loss, and what happens between the gradients and the step.
2. The usual training learns the digits in a few seconds: SGD with momentum, two drops of the rate, weight decay.
3. The seed fixes weights, order and every choice of a fault.
4. When it is done, the network itself is asked which filters no more than 1 in 100 training images activate, and that
   is kept beside the run as truth.json: what rules on gradients say of dead filters is held against it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.planted.networks import convolutional, hardly_active
from deeptracker import Recorder
from deeptracker.demo.datasets import load_dataset

TRUTH = "truth.json"
HARDLY = 0.01
"""A filter that so few of the training images activate counts as dead."""

Rate = Callable[[float], float]
Batches = Callable[["Training", float], Iterator[Tensor]]


def stages(share: float) -> float:
    """A tenth of the rate after a half of the training, a hundredth after three quarters."""
    return 0.1 ** ((share >= 0.5) + (share >= 0.75))


def constant(share: float) -> float:
    """The same rate throughout."""
    return 1.0


def cosine_after_warm_up(share: float) -> float:
    """A tenth of the training up to the full rate, then half a cosine down to 0 (Loshchilov and Hutter, 2017)."""
    return share / 0.1 if share < 0.1 else 0.5 + 0.5 * float(np.cos(np.pi * (share - 0.1) / 0.9))


def shuffled(training: Training, share: float) -> Iterator[Tensor]:
    """All images in a random order, in batches of nearly one size; int64 positions."""
    images = len(training.x)
    yield from torch.randperm(images, generator=training.generator).tensor_split(max(1, images // training.batch_size))


def sgd(training: Training) -> torch.optim.Optimizer:
    """SGD with momentum on all parameters that are to be learned."""
    known = [p for p in training.model.parameters() if p.requires_grad]
    return torch.optim.SGD(known, training.learning_rate, momentum=0.9, weight_decay=training.weight_decay)


@dataclass(slots=True)
class Training:
    """Images float32 (n, 1, 8, 8) and labels int64 (n,), to train on and to validate on, and how that is done.

    `rate` is a factor of the learning rate, given which share of the training is done. `on_batch` may change images and
    labels of a batch, `before_step` what the optimizer will see.
    """

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    seed: int
    generator: torch.Generator
    model: nn.Module = field(default_factory=convolutional)
    learning_rate: float = 0.05
    weight_decay: float = 5e-4
    rate: Rate = stages
    epochs: int = 16
    batch_size: int = 32
    dumps: int = 40
    optimizer: Callable[[Training], torch.optim.Optimizer] = sgd
    batches: Batches = shuffled
    loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy
    on_batch: Callable[[float, Tensor, Tensor], tuple[Tensor, Tensor]] = lambda share, x, y: (x, y)
    before_step: Callable[[float], None] = lambda share: None

    @classmethod
    def usual(cls, seed: int) -> Training:
        """The usual one; sets torch's seed, so that whatever a fault makes of it follows from that as well."""
        torch.manual_seed(seed)
        data = load_dataset("digits")
        x, x_test = (
            torch.from_numpy(part[..., 0]).float()[:, None] / 127.5 - 1 for part in (data.x_train, data.x_test)
        )
        y, y_test = torch.from_numpy(data.y_train), torch.from_numpy(data.y_test)
        return cls(x, y, x_test, y_test, seed, torch.Generator().manual_seed(seed))

    def layer(self, name: str) -> nn.Module:
        """The module of this name."""
        return self.model.get_submodule(name)

    def chosen(self, of: int, count: int) -> Tensor:
        """int64 (count,), ascending: so many of `of`, by the seed."""
        return torch.randperm(of, generator=torch.Generator().manual_seed(1000 + self.seed))[:count].sort().values


def record(training: Training, place: Path, name: str) -> None:
    """Train and record it to `place`, a few seconds."""
    optimizer = training.optimizer(training)
    base = [group["lr"] for group in optimizer.param_groups]
    per_epoch = sum(1 for _ in training.batches(training, 0.0))
    training.generator.manual_seed(training.seed)
    iterations, iteration = per_epoch * training.epochs, 0
    training.model.train()
    with Recorder(
        place,
        training.model,
        optimizer,
        validation=(training.x_test, training.y_test),
        every=max(1, iterations // training.dumps),
        name=name,
        class_names=[str(digit) for digit in range(10)],
        index=False,
        strict=True,
    ) as recorder:
        for epoch in range(training.epochs):
            for chosen in training.batches(training, epoch / training.epochs):
                share = iteration / iterations
                for group, rate in zip(optimizer.param_groups, base, strict=True):
                    group["lr"] = rate * training.rate(share)
                x, y = training.on_batch(share, training.x[chosen], training.y[chosen])
                optimizer.zero_grad()
                logits = training.model(x)
                loss = training.loss(logits, y)
                loss.backward()
                training.before_step(share)
                optimizer.step()
                iteration += 1
                recorder.log(loss=float(loss.detach()), train_error=float((logits.argmax(dim=1) != y).float().mean()))
    _write_truth(training, place)


def _write_truth(training: Training, place: Path) -> None:
    layers = {name: module for name, module in training.model.named_modules() if hasattr(module, "weight")}
    weighted = {name: module for name, module in layers.items() if module.weight is not None and module.weight.ndim > 1}
    silent = {
        name: sorted(hardly_active(training.model, module, training.x, HARDLY)) for name, module in weighted.items()
    }
    (place / TRUTH).write_text(json.dumps({"silent": silent}))
