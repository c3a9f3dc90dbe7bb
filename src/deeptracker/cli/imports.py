"""`deeptracker import`: runs of what was saved by others than the recorder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deeptracker.cli.console import check_root, counted, in_bytes, out, plain
from deeptracker.errors import DeepTrackerError

if TYPE_CHECKING:
    from deeptracker.record.checkpoints import ImportReport

imports = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Make a run of what was saved without the recorder: `checkpoints` takes snapshots of weights, `tensorboard` "
    "the scalars of event files.",
    epilog="`deeptracker import checkpoints --help` says what it reads, and how.",
)


class Iterations(StrEnum):
    """Where iterations come from."""

    contents = "contents"
    names = "names"


Places = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES-OR-FOLDER", help="Folder of snapshots (`.safetensors`, `.pt`, `.pth`, `.ckpt`), or the files."
    ),
]
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


Logdir = Annotated[str, typer.Argument(metavar="LOGDIR", help="Folder of event files, or of folders that have some.")]
RunOfScalars = Annotated[
    str, typer.Option("--run", metavar="RUN", help="Folder or URL of a run, recorded or imported, or of a new one.")
]
Rename = Annotated[
    list[str] | None,
    typer.Option(metavar="TAG=NAME", help="What a tag is called in the run; may be given repeatedly."),
]
Model = Annotated[
    str | None,
    typer.Option(metavar="package.module:function", help="Makes the network; without it only weights are measured."),
]
Validation = Annotated[
    str | None,
    typer.Option(
        metavar="DATA", help="What the network is validated on: an `.npz`, an image folder, or package.module:function."
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(metavar="package.Class", help="A class that files may hold besides weights; may be given repeatedly."),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Images that the network is given at a time.")]
ImageSize = Annotated[int | None, typer.Option(min=1, metavar="PIXELS", help="Scale an image folder's to this square.")]
Mean = Annotated[
    str, typer.Option(metavar="M,M,M", help="Subtracted from images in 0..1, one number or one a channel.")
]
Sd = Annotated[str, typer.Option(metavar="S,S,S", help="Then images are divided by it.")]


@imports.command()
def checkpoints(
    places: Places,
    run: To,
    model: Model = None,
    validation: Validation = None,
    allow: Allow = None,
    processes: Processes = 1,
    scheduler: Scheduler = None,
    iterations: From = None,
    batch_size: BatchSize = 256,
    image_size: ImageSize = None,
    mean: Mean = "",
    sd: Sd = "",
) -> None:
    """Make a run of snapshots of a training's weights. With the network and validation data it is as if recorded.

    Snapshots are `.safetensors` files, or what `torch.save` wrote of a state dict; one that lies under `state_dict`
    (Lightning), `model_state_dict` or `model` is found too; and folders of Hugging Face's Trainer, `checkpoint-500/`.
    An entry `iteration`, `global_step` or `step` says when it was saved, else `epoch`; else the number in its name does:
    `step=1600.pt`. Files are mapped into memory, and never run as code; a class that one holds besides weights must be
    allowed by name, if you trust it: `--allow argparse.Namespace`.

    **With** `--model` the function makes the network, and every snapshot is loaded into it; layers have their true kinds.
    With `--validation` there are graph, samples and their pictures, and predictions. Modules may lie here. An `.npz`
    holds `x_test` and `y_test`, or `x` and `y`; an image folder a folder for each class, or `val/` that does. Images in
    bytes become 0..1; `--mean` and `--sd` follow. For anything else write a function that returns a loader, a data set
    or arrays (x, y), in the same order each time. Gradients, and `update_ratio`, are unknown.

    **Without**, names tell the network: every measure that follows from weights alone, layers in the order of the first
    file, weights of 2 dimensions as linear (embeddings too), of 3 to 5 as convolutions, and no graph. Files may be far
    larger than memory.

    What is imported is kept, so the same command goes on where it was stopped, and takes up snapshots that have come
    since. Files that cannot be read are named and left out, and the status is 1.

    - `deeptracker import checkpoints checkpoints/ --run runs/resnet50`
    - `deeptracker import checkpoints checkpoints/ --model nets:resnet50 --validation imagenet/val --image-size 224 --mean 0.485,0.456,0.406 --sd 0.229,0.224,0.225 --run runs/resnet50 --processes 4`
    - `deeptracker import checkpoints epoch-*.ckpt --model train:make_model --validation train:val_loader --run runs/a`
    - `deeptracker import checkpoints /shared/checkpoints --run s3://bucket/runs/resnet50 --scheduler tcp://10.0.0.5:8786`
    """  # noqa: E501
    import_snapshots = _import_checkpoints()
    from deeptracker.record.validation_sets import ValidationSpec

    given = {"size": image_size, "mean": numbers("--mean", mean), "sd": numbers("--sd", sd)}
    if validation is None and any(given.values()):
        raise ValueError("--image-size, --mean and --sd are of images to validate on. Give them: --validation DATA")
    spec = None if validation is None else ValidationSpec(validation, batch_size, **given)  # type: ignore[arg-type]
    with _progress(places[0]) as on_progress:
        report = import_snapshots(
            places,
            run,
            model=model,
            validation=spec,
            allow=tuple(allow or ()),
            processes=processes,
            scheduler=scheduler,
            rule=iterations and iterations.value,
            on_progress=on_progress,
        )
    for text in report.left_out:
        out.print(f"[yellow]left out[/yellow] {plain(text)}")
    out.print(f"{plain(run)}: {_in_words(report)}")
    if report.left_out:
        raise typer.Exit(1)


@imports.command()
def tensorboard(logdir: Logdir, run: RunOfScalars, rename: Rename = None) -> None:
    """Take the scalars of TensorBoard's event files (loss, learning rate, ...) into a run, or a new one of them alone.

    A step is an iteration, a tag a name; tags of folders below carry the folder's name. Where training was resumed,
    what later files say counts from their first step on, as in TensorBoard. `lr` is what the learning rate must be
    called to be seen as stages, `loss` and `train_error` what the page looks for.

    What the run has stays: values that it lacks are added, so the same command takes up what has come since. A server
    that shows the run already must be started again. Needs TensorBoard: `pip install 'deeptracker[tensorboard]'`.

    - `deeptracker import tensorboard logs/ --run runs/resnet50`
    - `deeptracker import tensorboard logs/ --run runs/resnet50 --rename train/lr=lr --rename train/loss=loss`
    """
    from deeptracker.exchange.event_files import read_scalars
    from deeptracker.exchange.scalars_in import import_scalars

    check_root(logdir)
    renamed = dict(_renaming(text) for text in rename or ())
    with _progress(logdir) as on_progress:
        scalars = read_scalars(logdir, on_file=on_progress)
        report = import_scalars(scalars, run, source=logdir, rename=renamed)
    new = " (new, without a network)" if report.is_new else ""
    names = f": {', '.join(report.names)}" if report.names else ""
    out.print(f"{plain(run)}{new}: {counted(report.written, 'value')} written{plain(names)}; {report.kept:,} kept.")
    if report.differ:
        out.print(
            f"[yellow]{counted(report.differ, 'value')} of the run {'is' if report.differ == 1 else 'are'} another in "
            "the event files, and stayed.[/yellow] To have those, import into a new run."
        )


def _renaming(text: str) -> tuple[str, str]:
    tag, equals, name = text.partition("=")
    if not equals or not tag or not name:
        raise ValueError(f"--rename must be TAG=NAME. Got {text!r}.")
    return tag, name


def _import_checkpoints() -> Callable[..., ImportReport]:
    try:
        from deeptracker.record.checkpoints import import_checkpoints
    except ModuleNotFoundError as error:
        raise DeepTrackerError(
            "snapshots are read with PyTorch, which is missing. pip install 'deeptracker[torch]'"
        ) from error
    return import_checkpoints


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(f"importing {plain(what)}", total=None)
        try:
            yield lambda done, dumps: bar.update(task, completed=done, total=dumps)
        except KeyboardInterrupt:
            out.print("Stopped. Dumps that are written stay; the same command goes on from there.")
            raise


def numbers(name: str, text: str) -> tuple[float, ...]:
    """Numbers with commas between; ValueError, which names the option, for anything else."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise ValueError(f"{name} must be numbers with commas between. Got {text!r}.") from error


def _in_words(report: ImportReport) -> str:
    kept = f"{counted(report.dumps_kept, 'dump')} kept"
    source = f"Iterations are {plain(report.source)}."
    if not report.dumps_written:
        return f"nothing to import; {kept}. {source}"
    written = f"{counted(report.dumps_written, 'dump')} written, {kept}, in {report.seconds:,.1f} s"
    return f"{written}; {in_bytes(report.bytes)} of snapshots. {source}"
