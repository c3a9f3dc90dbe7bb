"""What does `deeptracker demo` do between the command line and the training?

1. It reads the data set, picks a run folder, and says what is going to happen.
2. A server is started as a process of its own, as it would run beside a real training, and its link is printed at
   once: the page shows the run growing.
3. The network is trained under a progress bar. Stopped by Ctrl+C, what was recorded stays and can be shown. A training
   that diverges is recorded to its end all the same: that is worth a look; the command says where it did.
4. Then the server stays until Ctrl+C.
"""

from __future__ import annotations

import math
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from deeptracker.demo.datasets import load_dataset
from deeptracker.demo.image_data import ImageData
from deeptracker.demo.recipes import MODEL_NAMES, check_learning_rate
from deeptracker.errors import DeepTrackerError, RunExistsError

DEFAULT_ROOT = Path("runs")


def record_demo(
    out: Console,
    *,
    dataset: str,
    model: str,
    epochs: int | None,
    dumps: int | None,
    learning_rate: float | None,
    run: str | None,
    seed: int,
    port: int | None,
    open_page: Callable[[str], None],
) -> None:
    """Train, record, and show (unless `port` is None); `open_page` is given the link of the page.

    ValueError, before anything is downloaded or written, for an unknown model or a learning rate that cannot be one.
    """
    _require_torch()
    if model not in MODEL_NAMES:
        raise ValueError(f"model must be one of {', '.join(MODEL_NAMES)}. Got {model!r}.")
    if learning_rate is not None:
        check_learning_rate(learning_rate)
    if run is not None and "://" in run:
        raise ValueError(
            f"run must be a local folder. Got {run}. A training of yours records there: Recorder({run!r}, ...)"
        )
    data = _load(out, dataset)
    folder = Path(run) if run else _free_folder(DEFAULT_ROOT, f"{data.name}-{model}")
    if (folder / "run.json").exists():
        raise RunExistsError(f"{folder} has a run already. Give another folder: --run FOLDER")
    out.print(
        f"{data.name}: {len(data.x_train):,} training and {len(data.x_test):,} validation images, "
        f"{data.classes} classes. Recording {model} into {folder}"
    )
    train = partial(
        _train, out, data, folder, model=model, epochs=epochs, dumps=dumps, learning_rate=learning_rate, seed=seed
    )
    if port is None:
        train()
        out.print(f"Show it: deeptracker serve {folder.parent}")
        return
    with _server(folder.parent, port) as (server, link):
        page = f"{link}?run={quote(folder.name)}"
        out.print(f"DeepTracker shows the run growing at [bold cyan]{page}[/bold cyan]")
        open_page(page)
        train()
        with suppress(KeyboardInterrupt):
            out.print(f"Recorded. The page stays at [bold cyan]{page}[/bold cyan] until Ctrl+C.")
            server.wait()


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise DeepTrackerError(
            "the demo trains with PyTorch, which is missing. pip install 'deeptracker[demo]'"
        ) from error


def _load(out: Console, dataset: str) -> ImageData:
    bar = Progress(TextColumn("downloading"), BarColumn(), DownloadColumn(), console=out, transient=True)
    task: TaskID | None = None

    def show(done: int, total: int | None) -> None:
        nonlocal task
        if task is None:
            bar.start()  # only now: a bar without a task would leave an empty line
            task = bar.add_task("", total=total)
        bar.update(task, completed=done)

    try:
        return load_dataset(dataset, on_download=show)
    finally:
        if task is not None:
            bar.stop()


def _train(
    out: Console,
    data: ImageData,
    folder: Path,
    *,
    model: str,
    epochs: int | None,
    dumps: int | None,
    learning_rate: float | None,
    seed: int,
) -> None:
    from deeptracker.demo.training import TrainingProgress, train

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )
    diverged: TrainingProgress | None = None
    with Progress(*columns, console=out) as bar:
        task = bar.add_task("", total=None, epoch="1", loss=float("nan"))

        def show(at: TrainingProgress) -> None:
            nonlocal diverged
            if diverged is None and not math.isfinite(at.loss):
                diverged = at
            epoch = f"{at.epoch}/{at.epochs}"
            bar.update(task, total=at.iterations, completed=at.iteration, epoch=epoch, loss=at.loss)

        try:
            train(
                data,
                folder,
                model=model,
                epochs=epochs,
                dumps=dumps,
                learning_rate=learning_rate,
                seed=seed,
                on_progress=show,
            )
        except KeyboardInterrupt:
            out.print(f"Stopped. What was recorded stays: deeptracker serve {folder.parent}")
            raise
    if diverged is not None:
        out.print(
            f"The training diverged: at iteration {diverged.iteration:,} of {diverged.iterations:,} the loss became "
            f"{diverged.loss}. The run is recorded to its end; one that learns needs a lower --learning-rate."
        )


@contextmanager
def _server(root: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of its own process; gives it, and its link."""
    root.mkdir(parents=True, exist_ok=True)
    port = port if _is_free(port) else 0
    command = [sys.executable, "-m", "deeptracker", "serve", str(root), "--port", str(port), "--no-open"]
    environment = os.environ | {"COLUMNS": "500", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            link = re.search(r"http://\S+", line)
            if link is None:
                raise DeepTrackerError("the server did not start. Try it alone: deeptracker serve runs")
            yield process, link[0]
        finally:
            process.terminate()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_folder(root: Path, name: str) -> Path:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")
    folder, number = root / plain, 2
    while folder.exists():
        folder, number = root / f"{plain}-{number}", number + 1
    return folder
