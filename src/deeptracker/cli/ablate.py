"""`deeptracker ablate`: what do these filters do for the model? They are inactivated, and it is validated again."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deeptracker.cli.console import RunPlace, counted, out, plain
from deeptracker.cli.imports import Allow, BatchSize, ImageSize, Mean, Sd, numbers
from deeptracker.errors import DeepTrackerError

if TYPE_CHECKING:
    from deeptracker.experiments.ablate import Chosen
    from deeptracker.record.snapshot_models import LoadedModel
    from deeptracker.run import Run
    from deeptracker.store.experiments import Experiment, Setting

Model = Annotated[str, typer.Option(metavar="package.module:function", help="Makes the network.")]
Validation = Annotated[
    str,
    typer.Option(
        metavar="DATA", help="What it is validated on: an `.npz`, an image folder, or package.module:function."
    ),
]
Weights = Annotated[str | None, typer.Option(metavar="FILE", help="A snapshot of the weights.")]
Checkpoints = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Snapshots, of which the one nearest to `--at` is taken.")
]
At = Annotated[
    int | None, typer.Option(min=0, metavar="ITERATION", help="Iteration of the weights; by default the last.")
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filters", metavar="LAYER:N,N-N", help="Filters of a layer; may be given repeatedly."),
]
MiniSet = Annotated[str | None, typer.Option("--mini-set", metavar="ID", help="A mini-set of the Correlation view.")]
Dead = Annotated[bool, typer.Option("--dead", help="All dead filters of the run.")]
RandomGroups = Annotated[int, typer.Option("--groups", min=0, metavar="N", help="Random groups to compare with.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the random groups.")]
Window = Annotated[int, typer.Option(min=1, help="With `--mini-set`: window of the anomaly rules, in dumps.")]
Threshold = Annotated[float, typer.Option(min=0, max=1, help="With `--mini-set`: share that must flip at an anomaly.")]
RuleOption = Annotated[str, typer.Option("--rule", help="With `--mini-set`: `either`, `left` or `right`.")]
Top = Annotated[int, typer.Option(min=1, help="With `--mini-set`: anomaly filters at an iteration.")]
Measure = Annotated[str, typer.Option(help="With `--mini-set`: what these are told by.")]
Above = Annotated[float | None, typer.Option(help="With `--mini-set`: instead of `--top`, all with a larger value.")]
MostClasses = Annotated[int, typer.Option("--classes", min=0, metavar="N", help="Classes to print; all are stored.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Store nothing.")]


def ablate(
    run: RunPlace,
    model: Model,
    validation: Validation,
    filters: Filters = None,
    mini_set: MiniSet = None,
    dead: Dead = False,
    weights: Weights = None,
    checkpoints: Checkpoints = None,
    at: At = None,
    groups: RandomGroups = 20,
    seed: Seed = 0,
    window: Window = 10,
    threshold: Threshold = 0.35,
    rule: RuleOption = "either",
    top: Top = 100,
    measure: Measure = "change",
    above: Above = None,
    classes: MostClasses = 15,
    dry_run: DryRun = False,
    allow: Allow = None,
    batch_size: BatchSize = 256,
    image_size: ImageSize = None,
    mean: Mean = "",
    sd: Sd = "",
) -> None:
    """Inactivate filters of a model, validate it again, and compare with random filters of the same layers.

    Weights and biases of the filters become zero, and the channels of a normalisation behind them. The change of the
    error, overall and by class, has an interval of 95 %, and is set against random groups of as many other filters of
    the same layers. Nothing is written but the result, below the run (`experiments/`), where the page shows it.

    **Which filters:** `--filters` names them, `--mini-set` takes those of a mini-set of the Correlation view, found with
    the setting of the page (`--window`, `--threshold`, `--rule`, `--top`, `--measure`, `--above`), `--dead` all that the
    run's findings call dead.

    **Which weights:** a file, or the one nearest to `--at` in a folder of checkpoints, or among those that the recorder
    kept (`flight=N, snapshots=BYTES`). Without `--at` the last.

    `--model` and `--validation` are those of `deeptracker import checkpoints`. They run here, on this machine.

    - `deeptracker ablate runs/a --dead --model train:make_model --validation train:val_loader --weights last.pt`
    - `deeptracker ablate runs/a --filters conv1:3,17-20 --filters fc:0 --model train:make_model --validation digits.npz --checkpoints checkpoints/ --at 4800`
    - `deeptracker ablate runs/a --mini-set 0f3a5b6c7d8e --window 10 --threshold 0.35 --model train:make_model --validation train:val_loader --at 4800`
    """  # noqa: E501
    if (filters is not None) + (mini_set is not None) + dead != 1:
        raise ValueError("filters must be chosen in one way: --filters LAYER:NUMBERS, --mini-set ID, or --dead.")
    with_torch()
    from deeptracker.experiments.ablate import ablate as ablated
    from deeptracker.experiments.weights_of_run import chosen_weights
    from deeptracker.run import open_run
    from deeptracker.store.blobs import Blobs
    from deeptracker.store.experiments import Setting, write_experiment

    it = open_run(run)
    setting = Setting(window, threshold, rule, top, measure, above)
    loaded = load_model(model, validation, batch_size=batch_size, size=image_size, mean=mean, sd=sd)
    chosen = _chosen(it, loaded, filters, mini_set, dead, setting)
    allowed = tuple(allow or ())
    with chosen_weights(
        Blobs(run), it.branches, weights=weights, checkpoints=checkpoints, at=at, allow=allowed
    ) as found:
        loaded.load(found.snapshot, allowed)
        with progress("validating", "Stopped. Nothing was stored.") as on_evaluated:
            experiment = ablated(
                it, loaded, found, chosen, groups=groups, seed=seed, command=command_line(), on_evaluated=on_evaluated
            )
    _say(experiment, it.class_names or loaded.class_names or (), classes)
    if dry_run:
        out.print("Nothing was stored (--dry-run).")
    else:
        out.print(f"Stored: {plain(Blobs(run).name(write_experiment(Blobs(run), experiment)))}")


def with_torch() -> None:
    """DeepTrackerError, with the remedy, where there is no torch."""
    try:
        import deeptracker.record.snapshot_models  # noqa: F401
    except ModuleNotFoundError as error:
        raise DeepTrackerError(
            "models are run with PyTorch, which is missing. pip install 'deeptracker[torch]'"
        ) from error


def load_model(function: str, validation: str, *, batch_size: int, size: int | None, mean: str, sd: str) -> LoadedModel:
    """The network that a function makes, and the data to validate it on; modules may lie in this folder."""
    from deeptracker.record.snapshot_models import LoadedModel, ModelSpec
    from deeptracker.record.validation_sets import ValidationSpec

    spec = ValidationSpec(validation, batch_size, size, numbers("--mean", mean), numbers("--sd", sd))
    return LoadedModel(ModelSpec(function, spec, os.getcwd()))


@contextmanager
def progress(what: str, stopped: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that is told how much of how much is done; what to say where it is stopped."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        try:
            yield lambda done, of: bar.update(task, completed=done, total=of)
        except KeyboardInterrupt:
            out.print(stopped)
            raise


def command_line() -> str:
    """The command as it was given."""
    return shlex.join(["deeptracker", *sys.argv[1:]])


def _chosen(
    run: Run, model: LoadedModel, filters: list[str] | None, mini_set: str | None, dead: bool, setting: Setting
) -> Chosen:
    from deeptracker.experiments.ablate import Chosen, sizes_of
    from deeptracker.experiments.choice import dead_filters, mini_set_filters, named_filters

    if filters is not None:
        return Chosen(named_filters(filters, sizes_of(model)), "filters")
    if mini_set is not None:
        return Chosen(mini_set_filters(run, mini_set, setting), "mini-set", mini_set, setting)
    found = dead_filters(run)
    if not found:
        raise DeepTrackerError("there must be dead filters to inactivate. This run has none. Give --filters.")
    return Chosen(found, "dead")


def _say(found: Experiment, names: tuple[str, ...], most: int) -> None:
    from deeptracker.analysis.paired import mean_interval
    from deeptracker.store.experiments import in_words

    count = sum(len(group.filters) for group in found.filters)
    at = "" if found.iteration is None else f" of iteration {found.iteration:,}"
    out.print(f"{counted(count, 'filter')} inactivated: {plain(in_words(found.filters))}")
    out.print(f"weights{at} ({plain(found.weights)}), {counted(found.samples, 'sample')}")
    out.print(
        f"error {found.error_before:.2%} -> {found.error_after:.2%}: [bold]{found.change * 100:+.2f} points[/bold], "
        f"{found.level:.0%} interval {_points(found.low, found.high)} (Bonett and Price)"
    )
    out.print(
        f"{counted(found.spoiled, 'sample')} spoiled, {found.mended:,} mended, {found.moved:,} taken for another "
        f"class; exact McNemar p = {found.p_change:.3g}"
    )
    if found.p is not None:
        mean = sum(found.random) / len(found.random)
        how = "at least" if found.expected == "more" else "at most"
        out.print(
            f"{counted(len(found.random), 'random group')} of as many other filters of the same layers: "
            f"{mean * 100:+.2f} points on average, {found.level:.0%} interval {_points(*mean_interval(found.random))}, "
            f"from {min(found.random) * 100:+.2f} to {max(found.random) * 100:+.2f}; "
            f"share of groups that change {how} as much as the chosen one, itself among them: p = {found.p:.3g}"
        )
    if found.classes and most:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("class", "samples", "before", "after", "points", "interval"):
            table.add_column(heading, justify="left" if heading == "class" else "right")
        for one in found.classes[:most]:
            name = names[one.cls] if one.cls < len(names) else str(one.cls)
            table.add_row(
                plain(name),
                f"{one.samples:,}",
                f"{one.before:.1%}",
                f"{one.after:.1%}",
                f"{one.change * 100:+.1f}",
                _points(one.low, one.high, 1),
            )
        out.print(table)
        if len(found.classes) > most:
            out.print(f"{len(found.classes) - most:,} more that changed less.")
    for note in found.notes:
        out.print(f"[yellow]note[/yellow] {plain(note)}")


def _points(low: float, high: float, digits: int = 2) -> str:
    return plain(f"[{low * 100:+.{digits}f}, {high * 100:+.{digits}f}]")
