"""`deeptracker import`: runs of what was saved by others than the recorder."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deeptracker.cli.console import counted, in_bytes, out, plain
from deeptracker.errors import DeepTrackerError

if TYPE_CHECKING:
    from deeptracker.record.checkpoints import ImportReport

imports = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Make a run of what was saved without the recorder: `checkpoints` takes a folder of snapshots of the weights.",
    epilog="`deeptracker import checkpoints --help` says what it reads, and how.",
)


class Iterations(StrEnum):
    """Where iterations come from."""

    contents = "contents"
    names = "names"


Folder = Annotated[str, typer.Argument(metavar="FOLDER", help="Folder of `.safetensors`, `.pt` or `.pth` files.")]
To = Annotated[
    str, typer.Option("--run", metavar="DIR", help="Folder or URL of the run: a new one, or an earlier import.")
]
Processes = Annotated[int, typer.Option(min=1, metavar="N", help="How many processes measure, here.")]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Measure on the Dask cluster of this scheduler: `tcp://host:8786`."),
]
From = Annotated[
    Iterations | None,
    typer.Option(
        help="Where iterations come from; by default the contents of the files, or their names if those are silent."
    ),
]


@imports.command()
def checkpoints(
    folder: Folder, run: To, processes: Processes = 1, scheduler: Scheduler = None, iterations: From = None
) -> None:
    """Make a run of a folder of snapshots of the weights, however large: every measure that follows from weights alone.

    Snapshots are `.safetensors` files, or what `torch.save` wrote of a state dict; one that lies under `state_dict`,
    `model_state_dict` or `model` is found too. An entry `iteration`, `global_step` or `step` says when it was saved;
    else the number in its name does: `step=1600.pt`. Files are mapped into memory, and never run as code.

    Gradients are unknown, as are images and their classes. Names tell the network: layers in the order of the first
    file, weights of 2 dimensions as linear (embeddings too), of 3 to 5 as convolutions, and no graph.

    What is imported is kept, so the same command goes on where it was stopped, and takes up snapshots that have come
    since. Files that cannot be read are named and left out, and the status is 1.

    - `deeptracker import checkpoints checkpoints/ --run runs/resnet50`
    - `deeptracker import checkpoints checkpoints/ --run runs/resnet50 --processes 8`
    - `deeptracker import checkpoints /shared/checkpoints --run s3://bucket/runs/resnet50 --scheduler tcp://10.0.0.5:8786`
    """
    report = _import(folder, run, processes, scheduler, iterations)
    for text in report.left_out:
        out.print(f"[yellow]left out[/yellow] {plain(text)}")
    out.print(f"{plain(run)}: {_in_words(report)}")
    if report.left_out:
        raise typer.Exit(1)


def _import(
    folder: str, run: str, processes: int, scheduler: str | None, iterations: Iterations | None
) -> ImportReport:
    try:
        from deeptracker.record.checkpoints import import_checkpoints
    except ModuleNotFoundError as error:
        raise DeepTrackerError(
            "snapshots are read with PyTorch, which is missing. pip install 'deeptracker[torch]'"
        ) from error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(f"importing {plain(folder)}", total=None)
        try:
            return import_checkpoints(
                folder,
                run,
                processes=processes,
                scheduler=scheduler,
                rule=iterations and iterations.value,
                on_progress=lambda done, dumps: bar.update(task, completed=done, total=dumps),
            )
        except KeyboardInterrupt:
            out.print("Stopped. Dumps that are written stay; the same command goes on from there.")
            raise


def _in_words(report: ImportReport) -> str:
    kept = f"{counted(report.dumps_kept, 'dump')} kept"
    source = f"Iterations are {plain(report.source)}."
    if not report.dumps_written:
        return f"nothing to import; {kept}. {source}"
    written = f"{counted(report.dumps_written, 'dump')} written, {kept}, in {report.seconds:,.1f} s"
    return f"{written}; {in_bytes(report.bytes)} of snapshots. {source}"
