"""How is a small network trained while a recorder watches?

1. The recipe of the data set (recipes.py) says for how long and how fast; the seed fixes weights, order and
   augmentation, so that the same seed records the same run.
2. Each iteration: a batch, a step of SGD with momentum, and the loss and error of that batch to the recorder, which
   validates and dumps at evenly spread iterations.
3. The caller hears of each iteration. What it raises (KeyboardInterrupt, when a person stops the demo) passes
   through, after the recorder was closed: what was recorded stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from deeptracker.demo.batches import Normalisation, augment, channels_first
from deeptracker.demo.image_data import ImageData
from deeptracker.demo.models import make_model
from deeptracker.demo.recipes import DEFAULT_MODEL, Recipe, recipe_for
from deeptracker.record.recorder import Recorder

MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """After an iteration (counted from 1): loss and error, 0..1, of its batch; epochs are counted from 1."""

    iteration: int
    iterations: int
    epoch: int
    epochs: int
    loss: float
    train_error: float
    learning_rate: float


FLIGHT = 40
"""Iterations that are kept of those before trouble."""

OnProgress = Callable[[TrainingProgress], None]


def train(
    data: ImageData,
    run: str | os.PathLike[str],
    *,
    model: str = DEFAULT_MODEL,
    epochs: int | None = None,
    dumps: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    name: str | None = None,
    on_progress: OnProgress | None = None,
) -> TrainingProgress:
    """Train a network of this name on `data`, record it to `run`, and return how it stood after the last iteration.

    `dumps` or more are made, evenly spread, as far as there are so many iterations, and one of the initial weights.
    Without `epochs`, `dumps` or `learning_rate` (the first one, before its drops) the data set's recipe decides. Where
    the loss is no number any more, training and recording go on to the end. ValueError for an unknown model, a number
    below 1 or a learning rate that is not above 0 and finite, RunExistsError where a run is already.
    """
    recipe = recipe_for(data, epochs=epochs, dumps=dumps, learning_rate=learning_rate)
    network = make_model(model, data.channels, data.classes, data.side, seed=seed)
    torch.set_num_threads(min(torch.get_num_threads(), MOST_THREADS))  # layers this small slow down on more
    normalisation = Normalisation.of(data.x_train)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    iterations = recipe.epochs * _iterations_per_epoch(len(data.x_train), recipe.batch_size)
    validation = (normalisation.apply(channels_first(data.x_test)), torch.from_numpy(data.y_test))
    with Recorder(
        run,
        network,
        optimizer,
        validation=validation,
        every=max(1, iterations // recipe.dumps),
        name=name or f"{model} on {data.name}",
        config={"dataset": data.name, "model": model, "seed": seed, **asdict(recipe)},
        class_names=list(data.class_names),
        normalisation=(normalisation.mean, normalisation.sd),
        flight=FLIGHT,
    ) as recorder:
        for progress in _steps(data, network, optimizer, recipe, normalisation, seed, recorder.batch):
            recorder.log(loss=progress.loss, train_error=progress.train_error)
            if on_progress is not None:
                on_progress(progress)
        recorder.close(index_seconds=0)  # whoever shows the run builds the last block of its index
    return progress


def _steps(
    data: ImageData,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    normalisation: Normalisation,
    seed: int,
    say_batch: Callable[[Tensor], None],
) -> Iterator[TrainingProgress]:
    """One optimizer step at a time; before each it says which of the training images are in its batch."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = channels_first(data.x_train), torch.from_numpy(data.y_train)
    iterations = recipe.epochs * _iterations_per_epoch(len(images), recipe.batch_size)
    iteration = 0
    network.train()
    for epoch in range(1, recipe.epochs + 1):
        for chosen in _batches(len(images), recipe.batch_size, generator):
            rate = recipe.learning_rate_at(iteration, iterations)
            for group in optimizer.param_groups:
                group["lr"] = rate
            x = normalisation.apply(images[chosen])
            if recipe.augmented:
                x = augment(x, generator)
            say_batch(chosen)
            loss, error = _step(network, optimizer, x, labels[chosen])
            iteration += 1
            yield TrainingProgress(iteration, iterations, epoch, recipe.epochs, loss, error, rate)


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Loss and error of the batch, before its step."""
    optimizer.zero_grad()
    logits = network(x)
    loss = functional.cross_entropy(logits, y)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    error = (logits.detach().argmax(dim=1) != y).float().mean()
    return float(loss.detach()), float(error)


def _iterations_per_epoch(images: int, batch_size: int) -> int:
    """Batches are as even as can be, so that none is a single image, of which batch normalisation makes nothing.

    >>> _iterations_per_epoch(1197, 32)
    38
    """
    return max(1, -(-images // batch_size))


def _batches(images: int, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """All positions in a random order, int64, in batches of nearly one size."""
    return torch.randperm(images, generator=generator).tensor_split(_iterations_per_epoch(images, batch_size))
