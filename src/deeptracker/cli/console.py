"""How does the command line speak: to whom, in which words, and how are numbers written?"""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from deeptracker.errors import DeepTrackerError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

RunPlace = Annotated[
    str, typer.Argument(metavar="RUN", help="Folder or object-store URL of a run (it has a run.json).")
]
Root = Annotated[str, typer.Argument(metavar="ROOT", help="Folder or object-store URL below which the runs lie.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")]


def check_root(root: str) -> None:
    """DeepTrackerError unless there is such a folder; what an object store has is seen when it is listed."""
    if "://" not in root and not Path(root).is_dir():
        raise DeepTrackerError(f"{root} must be a folder. There is none. Record a run first: deeptracker demo")


def open_page(link: str) -> None:
    """Show a page in the browser, where there is a display."""
    # Without a display, Python would look for a text browser and let it take over the terminal.
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(link)


def plain(text: str) -> str:
    """Text that rich prints as it is."""
    return text.replace("[", r"\[")


def in_bytes(value: int) -> str:
    """A size in bytes and in MiB."""
    return f"{value:,} ({value / 2**20:,.1f} MiB)"


def counted(number: int, noun: str) -> str:
    """How many of something, in the plural unless it is one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_words(name: str, value: Any) -> str:
    """A fact of a run as text; its name tells the unit."""
    if name == "bytes":
        return in_bytes(value)
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
