"""`deeptracker export`: a run as tables for DuckDB, pandas and spreadsheets, or as scalars for TensorBoard."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deeptracker.cli.console import RunPlace, counted, out, plain


class Format(StrEnum):
    """What is written."""

    parquet = "parquet"
    csv = "csv"
    tensorboard = "tensorboard"


FormatOption = Annotated[Format, typer.Option("--format", help="What is written.")]
To = Annotated[str, typer.Option(metavar="DIR", help="Local folder; it is made if it is not there.")]
Tables = Annotated[
    str, typer.Option(metavar="T,T", help="Some of `filters,layers,predictions,scalars`; all if not given.")
]
Measures = Annotated[str, typer.Option(metavar="M,M", help="Some measures, as `change,sd`; all if not given.")]
Layers = Annotated[
    str, typer.Option(metavar="L,L", help="Some layers or modules, as `conv1,layer3`; all if not given.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier export.")]


def export(
    run: RunPlace,
    kind: FormatOption,
    to: To,
    tables: Tables = "",
    measures: Measures = "",
    layers: Layers = "",
    force: Force = False,
) -> None:
    """Write a run as tables, or as event files for TensorBoard.

    `parquet` and `csv` make a file a table. `filters`: one row a dump and filter, a column a measure. `layers`: one row
    a dump and node (layer, module, and the network under the empty name), measures and quartiles. `predictions`: one
    row a dump and sample; `samples` names the samples. `scalars`: one row an iteration. What is
    undefined is null.

    `tensorboard` writes scalars, and of each layer and the `network` the statistics mean, sd, l2, grad_l2, change and
    update_ratio, or those of `--measures`. Needs TensorBoard: `pip install 'deeptracker[tensorboard]'`.

    The run is read dump by dump, however long it is. A dump that cannot be read is named and left out; the status is 1.

    - `deeptracker export runs/resnet50 --format parquet --to tables/`
    - `deeptracker export runs/resnet50 --format csv --to tables/ --tables filters --measures change --layers conv1`
    - `deeptracker export runs/resnet50 --format tensorboard --to logs/resnet50`
    """
    from deeptracker.exchange.event_export import export_tensorboard
    from deeptracker.exchange.tables import TABLES, ExportChoice, export_tables

    choice = ExportChoice(_listed(tables) or TABLES, _listed(measures), _listed(layers))
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def on_progress(done: int, dumps: int) -> None:
            bar.update(task, completed=done, total=dumps)

        if kind is Format.tensorboard:
            report = export_tensorboard(run, to, choice=choice, force=force, on_progress=on_progress)
        else:
            report = export_tables(run, to, kind=kind.value, choice=choice, force=force, on_progress=on_progress)
    for text in report.left_out:
        out.print(f"[yellow]left out[/yellow] {plain(text)}")
    noun = "value" if kind is Format.tensorboard else "row"
    written = "; ".join(f"{table}: {counted(rows, noun)}" for table, rows in report.rows.items())
    out.print(f"{plain(to)}: {written or 'nothing to export'}")
    if report.left_out:
        raise typer.Exit(1)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
