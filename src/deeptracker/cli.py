"""The command line: `deeptracker demo | serve | ls | info | check`.

Exit status 0 only where all is well; an error is one message with its remedy, never a traceback. `--json` prints
numbers as numbers, for scripts.
"""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import deeptracker
from deeptracker.demo.recipes import DEFAULT_MODEL, MODEL_NAMES
from deeptracker.errors import DeepTrackerError
from deeptracker.schema import FORMAT_VERSION

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="See what happens inside the training of a CNN: every filter, every class, every validation image, over time.",
    epilog="First steps: `deeptracker demo` records a real training and shows it. "
    "Then add a `deeptracker.Recorder` to your own script and run `deeptracker serve runs/`.",
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

RunPlace = Annotated[
    str, typer.Argument(metavar="RUN", help="Folder or object-store URL of a run (it has a run.json).")
]
Root = Annotated[str, typer.Argument(metavar="ROOT", help="Folder or object-store URL below which the runs lie.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Host = Annotated[str, typer.Option(help="Address to listen on; anything but 127.0.0.1 needs a token.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")]
Token = Annotated[str | None, typer.Option(envvar="DEEPTRACKER_TOKEN", help="Token that every request must carry.")]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")]


def main() -> None:
    """Entry point of the `deeptracker` command."""
    try:
        app()
    except (DeepTrackerError, ValueError, OSError, ImportError) as error:
        fail(error)


def fail(error: BaseException) -> None:
    """Print one error as a person reads it, and leave with status 1."""
    err.print(f"[bold red]error[/bold red] {_plain(str(error) or type(error).__name__)}")
    sys.exit(1)


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Options that belong to no command."""
    if version:
        out.print(deeptracker.__version__)
        raise typer.Exit


@app.command()
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
        open_page=(lambda link: None) if no_open else _open_page,
    )


@app.command()
def serve(
    root: Root = "runs",
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="A further name this server is reached by.")] = None,
    no_open: NoOpen = False,
) -> None:
    """Show the runs below a folder, live, in the browser.

    - `deeptracker serve runs/`
    - `deeptracker serve s3://bucket/runs`
    - `deeptracker serve runs/ --host 0.0.0.0`   (prints a link with a token)
    """
    from deeptracker.server.serving import Server

    _check_root(root)
    server = Server(root, host=host, port=port, token=token, allowed=tuple(allow_host or ()))
    out.print(f"DeepTracker shows the runs at [bold cyan]{server.link}[/bold cyan]   (Ctrl+C stops)")
    if not no_open:
        _open_page(server.link)
    server.run()


@app.command("ls")
def list_runs(root: Root = "runs", as_json: AsJson = False) -> None:
    """List the runs below a folder."""
    from deeptracker.server.runs import ServedRuns

    _check_root(root)
    found = ServedRuns(root).summaries()
    if as_json:
        print(json.dumps(found, indent=1))
    elif not found:
        out.print(f"no runs below {_plain(root)}. Record one: deeptracker demo")
    else:
        out.print(_runs_table(found))
    if any(one["state"] == "unreadable" for one in found):
        raise typer.Exit(1)


@app.command()
def info(run: RunPlace, as_json: AsJson = False) -> None:
    """Say what a run holds: its size, layers, classes, and how it ended."""
    from deeptracker.run import open_run
    from deeptracker.server.runs import summary

    it = open_run(run)
    facts: dict[str, Any] = {"name": it.info.name, **summary(it)}
    del facts["curve"], facts["problem"]
    facts |= {
        "iterations": max(0, facts.pop("iteration")),
        "bytes": it.size_bytes,
        "every": it.info.every,
        "format_version": FORMAT_VERSION,
        "resumed": it.branch,
        "scalars": sorted(set(it.scalars()) - {"iteration"}),
        "config": it.info.config,
        "overhead": it.info.overhead,
        "warnings": it.warnings,
    }
    if as_json:
        print(json.dumps(facts, indent=1, default=str))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        table.add_row(f"[bold]{name}[/bold]", _plain(_in_words(name, value)))
    out.print(table)


@app.command()
def check(run: RunPlace, as_json: AsJson = False) -> None:
    """Read every file of a run, and name what is damaged, foreign or missing. Status 0 only if nothing is."""
    from deeptracker.run import open_run

    it = open_run(run)
    problems = it.check()
    if as_json:
        print(json.dumps({"dumps": len(it.iterations), "problems": problems}, indent=1))
    else:
        for problem in problems:
            out.print(f"[yellow]•[/yellow] {_plain(problem)}")
        dumps = f"{len(it.iterations):,} dumps"
        out.print(f"{dumps} readable, {len(problems)} problems." if problems else f"{dumps}, all whole.")
    if problems:
        raise typer.Exit(1)


def _check_root(root: str) -> None:
    if "://" not in root and not Path(root).is_dir():
        raise DeepTrackerError(f"{root} must be a folder. There is none. Record a run first: deeptracker demo")


def _open_page(link: str) -> None:
    # Without a display, Python would look for a text browser and let it take over the terminal.
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(link)


def _runs_table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, side in (("run", "left"), ("state", "left"), ("dumps", "right"), ("iteration", "right"),
                          ("validation error", "right"), ("updated (UTC)", "left")):  # fmt: skip
        table.add_column(heading, justify=side)  # type: ignore[arg-type]
    for one in found:
        error = "" if one["validation_error"] is None else f"{one['validation_error']:.1%}"
        updated = (one["updated"] or "")[:19].replace("T", " ")
        name = _plain(one["id"] or one["name"])
        if one["problem"]:
            updated = _plain(one["problem"])
        table.add_row(name, one["state"], f"{one['dumps']:,}", f"{one['iteration']:,}", error, updated)
    return table


def _in_words(name: str, value: Any) -> str:
    if name == "bytes":
        return f"{value:,} ({value / 2**20:,.1f} MiB)"
    if name.endswith("_error"):
        return "" if value is None else f"{value:.2%}"
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {item:.4g}" if isinstance(item, float) else f"{key} {item}" for key, item in value.items()
        )
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
