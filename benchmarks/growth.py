"""What becomes of the answers when a run is ten times as large: in dumps, in filters, in samples?

    python benchmarks/growth.py           # what grows is as large as the paper's and ten times that; the rest is narrow
    python benchmarks/growth.py --full    # all at the paper's scale: up to 40 GB on disk at a time

1. Three pairs of runs are generated, one after the other, in a temporary folder ($DEEPTRACKER_BENCH_DIR); those of a
   pair differ in one size only. What the pair is not about is small, so that it fits: at most 3 GB at a time.
2. One process is asked all questions of a run, once each (opening and reading), then again of other layers, classes,
   iterations and windows: the warm times, of which the median is compared. What it holds in memory at most is told by
   the system.
3. An answer over time has a column a dump: ten times the dumps are ten times the answer. `Run` cannot be asked for a
   width yet (levels of detail); that is what is to be compared once it can.
4. `--index` builds the index of each run first, and asks with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.progress import track  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.asked import QUESTIONS, Asked, arguments, ask  # noqa: E402
from benchmarks.generate import Scale, write_dumps  # noqa: E402
from deeptracker.run import open_run  # noqa: E402

REPEATS, SECONDS = 40, 10.0
PAPER = Scale(pictures=False)
SMALL = Scale(classes=200, samples_per_class=10, resnet50=False, pictures=False)
SLACK_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Growth:
    """What grows, from which run to which, and how much room the larger one needs on disk, its index included."""

    what: str
    small: Scale
    large: Scale
    room_bytes: int


NARROW = (
    Growth("750 to 7,500 dumps", SMALL, replace(SMALL, dumps=7500), 3 << 30),
    Growth(
        "27,560 to 266,600 filters",
        replace(SMALL, dumps=60, resnet50=True),
        replace(SMALL, dumps=60, resnet50=True, filters_times=10),
        3 << 30,
    ),
    Growth(
        "50,000 to 500,000 samples",
        replace(SMALL, dumps=150, classes=1000, samples_per_class=50),
        replace(SMALL, dumps=150, classes=1000, samples_per_class=500),
        2 << 30,
    ),
)
FULL = (
    Growth("750 to 7,500 dumps", PAPER, replace(PAPER, dumps=7500), 40 << 30),
    Growth("27,560 to 266,600 filters", PAPER, replace(PAPER, filters_times=10), 32 << 30),
    Growth("50,000 to 500,000 samples", PAPER, replace(PAPER, samples_per_class=500), 9 << 30),
)


def asked_of(place: Path, scale: Scale, *, with_index: bool) -> tuple[dict[str, Asked], int]:
    """Write a run, ask it everything in one process, and remove it; also the bytes of its log."""
    for _ in track(write_dumps(place, scale), total=scale.dumps, description="writing a run", transient=True):
        pass
    os.sync()
    if with_index:
        from deeptracker.indexing import build_index

        build_index(place)
    run = open_run(place)
    try:
        return ask("ours", place, list(QUESTIONS), arguments(run), repeats=REPEATS, seconds=SECONDS), run.size_bytes
    finally:
        shutil.rmtree(place)


def add_rows(table: Table, growth: Growth, folder: Path, *, with_index: bool) -> None:
    """The lines of one pair."""
    free = shutil.disk_usage(folder).free
    if free < growth.room_bytes + SLACK_BYTES:
        table.add_row(growth.what, f"needs {growth.room_bytes >> 30} GB on disk, {free >> 30} are free: left out")
        table.add_section()
        return
    small, small_bytes = asked_of(folder / "small", growth.small, with_index=with_index)
    large, large_bytes = asked_of(folder / "large", growth.large, with_index=with_index)
    for number, (name, title) in enumerate(QUESTIONS.items()):
        before, after = (1000 * float(np.median(found[name].warm)) for found in (small, large))
        repeats = f"{len(small[name].warm)} / {len(large[name].warm)}"
        row = (title, f"{before:,.3f}", f"{after:,.3f}", f"{after / before:.1f}", repeats)
        table.add_row(growth.what if number == 0 else "", *row)
    peaks = [max(asked.peak_bytes for asked in found.values()) / 2**20 for found in (small, large)]
    for what, (before, after) in {
        "memory of the process at most, MiB": peaks,
        "the log, MB": [small_bytes / 1e6, large_bytes / 1e6],
    }.items():
        table.add_row("", what, f"{before:,.0f}", f"{after:,.0f}", f"{after / before:.1f}", "")
    table.add_section()


def main() -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="everything at the paper's scale")
    parser.add_argument("--index", action="store_true", help="build an index of each run first")
    parser.add_argument("--only", choices=["dumps", "filters", "samples"], help="one of the three")
    given = parser.parse_args()
    console = Console()
    console.width = max(console.width, 110)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        for growth in FULL if given.full else NARROW:
            if given.only is None or growth.what.endswith(given.only):
                table = Table("what grows", "question", title="Warm answers, median, ms", title_style="")
                for column in ("before", "ten times", "ratio", "repeats"):
                    table.add_column(column, justify="right")
                add_rows(table, growth, Path(folder), with_index=given.index)
                console.print(table)
    console.print(
        "Answers over time have a column a dump, and are not reduced to a width: ten times as long for dumps."
    )


if __name__ == "__main__":
    main()
