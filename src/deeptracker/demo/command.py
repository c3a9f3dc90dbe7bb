"""What does `deeptracker demo` do between the command line and the training?

1. It reads the data set, picks a run folder, and says what is going to happen.
2. A server is started as a process of its own, as it would run beside a real training, and its link is printed at
   once: the page shows the run growing.
3. The network is trained under a progress bar. Stopped by Ctrl+C, what was recorded stays and can be shown.
4. Then the server stays until Ctrl+C.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from deeptracker.demo.recipes import MODEL_NAMES
from deeptracker.errors import DeepTrackerError, RunExistsError

DEFAULT_ROOT = Path("runs")
DEFAULT_MODEL = "resnet8"


def record_demo(
    out: Console,
    *,
    dataset: str,
    model: str | None,
    epochs: int | None,
    dumps: int | None,
    run: str | None,
    seed: int,
    port: int | None,
    open_page: Callable[[str], None],
) -> None:
    """Train, record, and show (unless `port` is None); `open_page` is given the link of the page."""
    _require_torch()
    model = model or DEFAULT_MODEL
    if model not in MODEL_NAMES:
        raise ValueError(f"model must be one of {', '.join(MODEL_NAMES)}. Got {model!r}.")
    data = _load(out, dataset)
    folder = Path(run) if run else _free_folder(DEFAULT_ROOT, f"{data.name}-{model}")
    if (folder / "run.json").exists():
        raise RunExistsError(f"{folder} has a run already. Give another folder: --run FOLDER")
    out.print(
        f"{data.name}: {len(data.x_train):,} training and {len(data.x_test):,} validation images, "
        f"{data.classes} classes. Recording {model} into {folder}"
    )
    if port is None:
        _train(out, data, folder, model=model, epochs=epochs, dumps=dumps, seed=seed)
        out.print(f"Show it: deeptracker serve {folder.parent}")
        return
    with _server(folder.parent, port) as (server, link):
        page = f"{link}?run={quote(folder.name)}"
        out.print(f"DeepTracker shows the run growing at [bold cyan]{page}[/bold cyan]")
        open_page(page)
        _train(out, data, folder, model=model, epochs=epochs, dumps=dumps, seed=seed)
        out.print(f"Recorded. The page stays at [bold cyan]{page}[/bold cyan] until Ctrl+C.")
        with suppress(KeyboardInterrupt):
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
    out: Console, data: ImageData, folder: Path, *, model: str, epochs: int | None, dumps: int | None, seed: int
) -> None:
    from deeptracker.demo.training import TrainingProgress, train

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out) as bar:
        task = bar.add_task("", total=None, epoch="1", loss=float("nan"))

        def show(at: TrainingProgress) -> None:
            epoch = f"{at.epoch}/{at.epochs}"
            bar.update(task, total=at.iterations, completed=at.iteration, epoch=epoch, loss=at.loss)

        try:
            train(data, folder, model=model, epochs=epochs, dumps=dumps, seed=seed, on_progress=show)
        except KeyboardInterrupt:
            out.print(f"Stopped. What was recorded stays: deeptracker serve {folder.parent}")
            raise


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
