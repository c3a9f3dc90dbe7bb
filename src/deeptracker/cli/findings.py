"""`deeptracker findings`: what rules find in a run, with evidence and remedy, for people and for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.table import Table

from deeptracker.analysis.findings.finding import SEVERITIES, Severity
from deeptracker.cli.console import AsJson, RunPlace, counted, out, plain

if TYPE_CHECKING:
    from deeptracker.analysis.findings import Finding

COLOURS: dict[Severity, str] = {"high": "bold red", "medium": "yellow", "low": "cyan"}

FailOn = Annotated[
    str | None,
    typer.Option(metavar="SEVERITY", help=f"Leave with status 1 if any is as severe: {', '.join(SEVERITIES)}."),
]


def findings(run: RunPlace, fail_on: FailOn = None, as_json: AsJson = False) -> None:
    """Say what rules find in a run: what is wrong, or worth knowing, where, on which evidence, and what to try.

    `high` is for what spoils a training or its judgement now, `medium` for what costs something, `low` for what is
    worth knowing. The page shows the same, with a link to the view that shows it. For a check after each training:
    `--fail-on high` leaves with status 1 if there is anything as severe (`--fail-on low`: if there is anything at all).

    - `deeptracker findings runs/resnet50`
    - `deeptracker findings runs/resnet50 --fail-on high`
    - `deeptracker findings s3://bucket/runs/resnet50 --json`
    """
    from deeptracker.analysis.findings.as_json import as_json as told
    from deeptracker.run import open_run

    if fail_on is not None and fail_on not in get_args(Severity):
        raise ValueError(f"--fail-on must be one of {', '.join(SEVERITIES)}. Got {fail_on!r}.")
    it = open_run(run)
    found = it.findings()
    if as_json:
        print(json.dumps([told(one) for one in found], indent=1))
    else:
        for number, one in enumerate(found):
            if number:
                out.print()
            out.print(_told(one))
        dumps = counted(len(it.iterations), "dump")
        out.print(f"\n{counted(len(found), 'finding')} in {dumps}." if found else f"Nothing found in {dumps}.")
    if fail_on is not None and any(SEVERITIES.index(x.severity) <= SEVERITIES.index(fail_on) for x in found):
        raise typer.Exit(1)


def _told(finding: Finding) -> Table:
    """A finding as a block of two columns: what each line is, and the line."""
    about = finding.about
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    colour = COLOURS[finding.severity]
    table.add_row(f"[{colour}]{finding.severity}[/{colour}]", f"[bold]{plain(about.title)}[/bold]")
    for name, text in (
        ("what", finding.text),
        ("evidence", finding.evidence),
        ("meaning", about.meaning),
        ("try", about.remedy),
    ):
        table.add_row(f"[dim]{name}[/dim]", plain(text))
    return table
