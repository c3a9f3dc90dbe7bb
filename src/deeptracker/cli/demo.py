"""`deeptracker demo`"""

from __future__ import annotations

from typing import Annotated

import typer

from deeptracker.cli.console import NoOpen, Port, open_page, out
from deeptracker.demo.recipes import DEFAULT_MODEL, MODEL_NAMES


def demo(
    dataset: Annotated[
        str, typer.Option(help="`digits`, `cifar10`, `cifar100`, an image folder, an `.npz`, or a CIFAR archive.")
    ] = "digits",
    model: Annotated[str, typer.Option(help=f"Network to train: one of {', '.join(MODEL_NAMES)}.")] = DEFAULT_MODEL,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs to train; by default what suits the data.")] = None,
    dumps: Annotated[int | None, typer.Option(min=1, help="How many dumps to record; by default what suits.")] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="First learning rate, which drops twice; by default what suits the data."),
    ] = None,
    run: Annotated[str | None, typer.Option(help="Folder to record into; by default a new one below `runs/`.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")] = 0,
    port: Port = 8000,
    no_open: NoOpen = False,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Record only, without the page.")] = False,
) -> None:
    """Train a small network, record it, and show the run growing.

    The default takes about a minute on two cores and needs no download: scikit-learn's handwritten digits.

    - `deeptracker demo`
    - `deeptracker demo --dataset cifar100 --epochs 30`
    - `deeptracker demo --model vgg --learning-rate 3`   (far too high, without a warm-up: it never learns)
    - `deeptracker demo --dataset my.npz --run runs/mine --no-serve`
    """
    from deeptracker.demo.command import record_demo

    record_demo(
        out,
        dataset=dataset,
        model=model,
        epochs=epochs,
        dumps=dumps,
        learning_rate=learning_rate,
        run=run,
        seed=seed,
        port=None if no_serve else port,
        open_page=(lambda link: None) if no_open else open_page,
    )
