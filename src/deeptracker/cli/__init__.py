"""The command line: `deeptracker demo | serve | ls | info | check | findings | index | thin | import |
export`, and on filters `ablate | prune`.

Exit status 0 only where all is well; an error is one message with its remedy, never a traceback. `--json` prints
numbers as numbers, for scripts.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import deeptracker
from deeptracker.cli.ablate import ablate
from deeptracker.cli.console import err, out, plain
from deeptracker.cli.demo import demo
from deeptracker.cli.export import export
from deeptracker.cli.findings import findings
from deeptracker.cli.imports import imports
from deeptracker.cli.index import index
from deeptracker.cli.look import check, info, list_runs
from deeptracker.cli.prune import prune
from deeptracker.cli.serve import serve
from deeptracker.cli.thin import thin
from deeptracker.errors import DeepTrackerError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="See what happens inside the training of a CNN: every filter, every class, every validation image, over time.",
    epilog="First steps: `deeptracker demo` records a real training and shows it. "
    "Then add a `deeptracker.Recorder` to your own script and run `deeptracker serve runs/`.",
)


def main() -> None:
    """Entry point of the `deeptracker` command."""
    try:
        app()
    except (DeepTrackerError, ValueError, OSError, ImportError) as error:
        fail(error)


def fail(error: BaseException) -> None:
    """Print one error as a person reads it, and leave with status 1."""
    err.print(f"[bold red]error[/bold red] {plain(str(error) or type(error).__name__)}")
    sys.exit(1)


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Options that belong to no command."""
    if version:
        out.print(deeptracker.__version__)
        raise typer.Exit


app.command()(demo)
app.command()(serve)
app.command("ls")(list_runs)
app.command()(info)
app.command()(check)
app.command()(findings)
app.command()(index)
app.command()(thin)
app.add_typer(imports, name="import")
app.command()(export)
app.command()(ablate)
app.command()(prune)
