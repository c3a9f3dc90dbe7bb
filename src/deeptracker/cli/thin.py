"""`deeptracker thin`: what is kept and what goes is said first, and confirmed, then a new run is written."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deeptracker.cli.console import RunPlace, counted, in_bytes, out, plain
from deeptracker.errors import DeepTrackerError

if TYPE_CHECKING:
    from deeptracker.store.blobs import Blobs
    from deeptracker.store.space import Space
    from deeptracker.store.thin import ThinningPlan

LEFT_BEHIND = ("index", "abandoned", "temporary", "foreign")

KeepOption = Annotated[str, typer.Option(help="`every=N` (each N-th dump), `anomalies`, or `every=N,anomalies`.")]
To = Annotated[str, typer.Option(metavar="NEWRUN", help="Folder or URL of the new run; empty, or not there yet.")]
Window = Annotated[int, typer.Option(min=1, help="Window of the anomaly rules, in dumps.")]
Threshold = Annotated[float, typer.Option(min=0, max=1, help="Share of a class that must flip at an anomaly.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be kept, and write nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a NEWRUN whose writing was stopped.")]


def thin(
    run: RunPlace,
    keep: KeepOption,
    to: To,
    window: Window = 10,
    threshold: Threshold = 0.35,
    dry_run: DryRun = False,
    yes: Yes = False,
    resume: Resume = False,
) -> None:
    """Write a smaller copy of a run, with some of its dumps.

    Dumps are kept by number, or because many samples of a class flip there: then with the dump before and the dump
    after. The first and the last are always kept; scalars and samples are kept whole. The run itself is never changed.

    `cosine`, `change`, `change_l1` and `euclidean` were measured against the dump before in the whole run. At anomaly
    iterations that dump is kept too; elsewhere it may be missing. The new run.json tells the rule, under `config`.

    - `deeptracker thin runs/resnet50 --keep every=10,anomalies --to runs/resnet50-thin --dry-run`
    - `deeptracker thin runs/resnet50 --keep every=10 --to s3://bucket/runs/resnet50 --yes`
    - `deeptracker thin runs/resnet50 --keep anomalies --window 20 --threshold 0.5 --to runs/anomalies`
    """
    from deeptracker.run import open_run
    from deeptracker.run.keep import Keep, kept_dumps
    from deeptracker.store.blobs import Blobs
    from deeptracker.store.space import space_of
    from deeptracker.store.thin import check_target, plan_thinning

    rule = Keep.parse(keep, window=window, threshold=threshold)
    it = open_run(run)
    chosen = kept_dumps(it, rule)
    source, target = Blobs(run), Blobs(to)
    plan = plan_thinning(source, set(chosen.iterations.tolist()), rule=f"--keep {rule}")
    check_target(source, target, plan, resume=resume)
    _say(plan, space_of(source), source.place, target.place)
    if rule.anomalies:
        found = counted(chosen.anomaly_iterations, "anomaly iteration")
        out.print(f"{found} of any class; the dumps beside are kept too.")
    if it.state == "live":
        out.print("[yellow]The run is being recorded still: what comes from now on is not copied.[/yellow]")
    if dry_run:
        out.print("Nothing was written (--dry-run).")
        return
    if not yes:
        _ask(target.place)
    _write(source, target, plan, resume=resume)
    out.print(f"Written. Before you remove the old run: deeptracker check {plain(target.place)}")


def _say(plan: ThinningPlan, space: Space, source: str, target: str) -> None:
    """What is kept and what goes."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "dumps", "bytes", "share"):
        table.add_column(heading, justify="right" if heading else "left")
    gone = max(0, space.bytes - plan.bytes)
    table.add_row("kept", f"{plan.kept:,}", in_bytes(plan.bytes), f"{1 - gone / space.bytes:.1%}")
    table.add_row("goes", f"{plan.dumps - plan.kept:,}", in_bytes(gone), f"{gone / space.bytes:.1%}")
    out.print(f"{plain(source)} to {plain(target)}")
    out.print(table)
    for kind in (space.of(kind) for kind in LEFT_BEHIND):
        if kind.files:
            again = "; it can be built again" if kind.kind == "index" else ""
            out.print(f"Of that: {kind.kind}, {counted(kind.files, 'file')} of {in_bytes(kind.bytes)}{again}.")


def _ask(target: str) -> None:
    if not sys.stdin.isatty():
        raise DeepTrackerError(
            "thinning must be confirmed. There is no terminal to ask at. Give --yes, or look first with --dry-run."
        )
    if not typer.confirm(f"Write {target}?"):
        out.print("Nothing was written.")
        raise typer.Exit(1)


def _write(source: Blobs, target: Blobs, plan: ThinningPlan, *, resume: bool) -> None:
    from deeptracker.store.thin import copy_run

    columns = (TextColumn("copying"), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    with Progress(*columns, console=out) as bar:
        task = bar.add_task("", total=sum(blob.size_bytes for blob in plan.files))
        try:
            copy_run(source, target, plan, resume=resume, on_bytes=lambda size: bar.advance(task, size))
        except KeyboardInterrupt:
            out.print(
                f"Stopped. {plain(target.place)} is unfinished and has no run.json; the old run is as it was. "
                "Go on with the same command and --resume, or remove what was written."
            )
            raise
