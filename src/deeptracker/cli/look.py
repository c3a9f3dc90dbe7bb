"""`deeptracker ls`, `info` and `check`: what is there, what it takes, and whether it is whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from deeptracker.cli.console import AsJson, Root, RunPlace, check_root, in_bytes, in_words, out, plain
from deeptracker.documents import FORMAT_VERSION

if TYPE_CHECKING:
    from deeptracker.store.space import Space


def list_runs(root: Root = "runs", as_json: AsJson = False) -> None:
    """List the runs below a folder."""
    from deeptracker.server.runs import ServedRuns

    check_root(root)
    found = ServedRuns(root).summaries()
    if as_json:
        print(json.dumps(found, indent=1))
    elif not found:
        out.print(f"no runs below {plain(root)}. Record one: deeptracker demo")
    else:
        out.print(_runs_table(found))
    if any(one["state"] == "unreadable" for one in found):
        raise typer.Exit(1)


def info(run: RunPlace, as_json: AsJson = False) -> None:
    """Say what a run holds, how it ended, and what takes its space.

    Space is told by kind: the four files of every dump, `flights` (the iterations before dumps that showed trouble),
    `weights` kept with them, `scalars`, `samples` (pictures and labels), `documents` (run.json and network.json), the
    `index` (it may be deleted), files of `abandoned` branches, `temporary` files of a recorder that writes now or was
    killed, and `foreign` files. `deeptracker thin` makes a run smaller.

    - `deeptracker info runs/resnet50`
    - `deeptracker info s3://bucket/runs/resnet50 --json`
    """
    from deeptracker.run import open_run
    from deeptracker.server.runs import summary
    from deeptracker.store.blobs import Blobs
    from deeptracker.store.space import space_of

    it = open_run(run)
    space = space_of(Blobs(run))
    facts: dict[str, Any] = {"name": it.info.name, **summary(it)}
    del facts["curve"], facts["problem"]
    facts |= {
        "iterations": max(0, facts.pop("iteration")),
        "bytes": space.bytes,
        "every": it.info.every,
        "format_version": FORMAT_VERSION,
        "resumed": it.branch,
        "scalars": sorted(set(it.scalars()) - {"iteration"}),
        "config": it.info.config,
        "overhead": it.info.overhead,
        "stopped": it.info.stopped,
        "warnings": it.warnings,
    }
    if as_json:
        facts["space"] = [asdict(kind) for kind in space.kinds]
        print(json.dumps(facts, indent=1, default=str))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        table.add_row(f"[bold]{name}[/bold]", plain(in_words(name, value)))
    out.print(table)
    out.print()
    out.print(_space_table(space))


def check(run: RunPlace, as_json: AsJson = False) -> None:
    """Read every file of a run, and name what is damaged, foreign or missing. Status 0 only if nothing is."""
    from deeptracker.run import open_run

    it = open_run(run)
    problems = it.check()
    if as_json:
        print(json.dumps({"dumps": len(it.iterations), "problems": problems}, indent=1))
    else:
        for problem in problems:
            out.print(f"[yellow]•[/yellow] {plain(problem)}")
        dumps = f"{len(it.iterations):,} dumps"
        out.print(f"{dumps} readable, {len(problems)} problems." if problems else f"{dumps}, all whole.")
    if problems:
        raise typer.Exit(1)


def _runs_table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, side in (("run", "left"), ("state", "left"), ("dumps", "right"), ("iteration", "right"),
                          ("validation error", "right"), ("updated (UTC)", "left")):  # fmt: skip
        table.add_column(heading, justify=side)  # type: ignore[arg-type]
    for one in found:
        error = "" if one["validation_error"] is None else f"{one['validation_error']:.1%}"
        updated = (one["updated"] or "")[:19].replace("T", " ")
        name = plain(one["id"] or one["name"])
        if one["problem"]:
            updated = plain(one["problem"])
        table.add_row(name, one["state"], f"{one['dumps']:,}", f"{one['iteration']:,}", error, updated)
    return table


def _space_table(space: Space) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True, footer_style="bold")
    for heading, total in (("space", "all"), ("files", f"{space.files:,}"), ("bytes", in_bytes(space.bytes)),
                           ("bytes a dump", ""), ("share", "100.0%")):  # fmt: skip
        table.add_column(heading, total, justify="left" if heading == "space" else "right")
    for kind in space.kinds:
        a_dump = "" if kind.bytes_a_dump is None else f"{kind.bytes_a_dump:,.0f}"
        table.add_row(kind.kind, f"{kind.files:,}", in_bytes(kind.bytes), a_dump, f"{kind.share:.1%}")
    return table
