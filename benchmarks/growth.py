"""What becomes of the answers when a run is ten times as large: in dumps, in filters, in samples?

    python benchmarks/growth.py           # what grows is as large as the paper's and ten times that; the rest is narrow
    python benchmarks/growth.py --quick   # tiny runs: does it work?
    python benchmarks/growth.py --full    # all at the paper's scale: up to 40 GB on disk at a time, hours

1. Three pairs of runs are generated and indexed, one after the other, in a temporary folder ($DEEPTRACKER_BENCH_DIR);
   those of a pair differ in one size only. What the pair is not about is narrow, so that it fits: 5 GB at a time.
2. A question is put to `Run` in a fresh process, once cold, then again of other layers, classes, iterations and
   windows: the warm times, of which the median is compared. First those over time at a fixed width, as a page asks them
   (levels of detail), then the others, whose answers have a column a dump.
3. Beside each ratio of times is that of the sizes of the answers: ten times the filters are ten times the rows of a
   layer, whatever the width, and nobody can make them faster than in proportion.
4. A real `deeptracker serve` is asked what a page asks (session.py), 200 further questions of each kind in turn,
   each of something else: by kind the median until all is received, compressed.
5. Memory: that of the process with `Run` after all questions, and that of the server.
6. `--log-only` asks without an index.
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

from benchmarks.asked import LEVEL_QUESTIONS, QUESTIONS, Asked, arguments, ask  # noqa: E402
from benchmarks.generate import Scale, write_dumps  # noqa: E402
from benchmarks.session import Session, session  # noqa: E402
from deeptracker.indexing import build_index  # noqa: E402
from deeptracker.run import open_run  # noqa: E402

REPEATS, SECONDS = 40, 5.0
TITLES = {**LEVEL_QUESTIONS, **QUESTIONS}
PAPER = Scale(pictures=False)
SMALL = Scale(classes=200, samples_per_class=10, resnet50=False, pictures=False)
WIDER = replace(SMALL, filters_times=16)
SLACK_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Growth:
    """What grows, from which run to which, and how much room the larger one needs on disk, its index included."""

    what: str
    small: Scale
    large: Scale
    room_bytes: int


NARROW = (
    Growth("750 to 7,500 dumps", WIDER, replace(WIDER, dumps=7500), 5 << 30),
    Growth(
        "27,560 to 266,600 filters",
        replace(SMALL, dumps=128, resnet50=True),
        replace(SMALL, dumps=128, resnet50=True, filters_times=10),
        5 << 30,
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
TINY = replace(SMALL, dumps=130, classes=8)
QUICK = (
    Growth("130 to 1,300 dumps", TINY, replace(TINY, dumps=1300), 1 << 30),
    Growth("96 to 888 filters", TINY, replace(TINY, filters_times=10), 1 << 30),
    Growth("80 to 800 samples", TINY, replace(TINY, samples_per_class=100), 1 << 30),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one run: each question, the server, and bytes on disk."""

    asked: dict[str, Asked]
    server: Session
    log_bytes: int


def measured(place: Path, scale: Scale, *, with_index: bool) -> Measured:
    """Write a run, put all questions to `Run` and to a server, and remove it."""
    try:
        for _ in track(write_dumps(place, scale), total=scale.dumps, description="writing a run", transient=True):
            pass
        if with_index:
            build_index(place)
        os.sync()
        run = open_run(place)
        found = ask("ours", place, list(TITLES), arguments(run), repeats=REPEATS, seconds=SECONDS)
        return Measured(found, session(place, run), run.size_bytes)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def add_rows(table: Table, growth: Growth, folder: Path, *, with_index: bool) -> None:
    """The lines of one pair."""
    free = shutil.disk_usage(folder).free
    if free < growth.room_bytes + SLACK_BYTES:
        table.add_row(f"needs {growth.room_bytes >> 30} GB on disk, {free >> 30} are free: left out")
        return
    small = measured(folder / "small", growth.small, with_index=with_index)
    large = measured(folder / "large", growth.large, with_index=with_index)
    for name, title in TITLES.items():
        pair = small.asked[name], large.asked[name]
        sizes = [sum(array.nbytes for array in asked.answer) for asked in pair]
        warm = [1000 * float(np.median(asked.warm)) for asked in pair]
        cold = [1000 * asked.cold for asked in pair]
        table.add_row(title, *_pair(warm, 3), f"{sizes[1] / max(1, sizes[0]):.1f}", *_pair(cold, 0))
        if name in list(LEVEL_QUESTIONS)[-1:]:
            table.add_section()
    table.add_section()
    before, after = small.server.by_route(), large.server.by_route()
    for route in before:
        both = before[route], after[route]
        growth_of_answer = both[1][1] / both[0][1]
        table.add_row(f"GET {route}", *_pair([1000 * seconds for seconds, _ in both], 1), f"{growth_of_answer:.1f}")
    table.add_section()
    for title, values in _totals(small, large).items():
        table.add_row(title, *_pair(values, 0))


def _pair(values: list[float], digits: int) -> tuple[str, str, str]:
    before, after = values
    return f"{before:,.{digits}f}", f"{after:,.{digits}f}", f"{after / before:.1f}" if before else ""


def _totals(small: Measured, large: Measured) -> dict[str, list[float]]:
    """What is said of a whole run rather than of a question."""
    both, mib = (small, large), 2**20
    servers = [one.server for one in both]
    found = {
        "a process with Run, all questions, at most, MiB": [
            max(asked.peak_bytes for asked in one.asked.values()) / mib for one in both
        ],
        "deeptracker serve, first picture, MiB": [server.cold.resident / mib for server in servers],
        f"the same, {len(servers[0].further)} questions, at most, MiB": [x.most.resident / mib for x in servers],
        "the same, without mapped files, MiB": [server.most.own / mib for server in servers],
        "first questions of a page together, ms": [1000 * sum(put.seconds for put in x.first) for x in servers],
        "the log, MB": [one.log_bytes / 1e6 for one in both],
    }
    return {title: values for title, values in found.items() if values[0]}


def empty_table(what: str) -> Table:
    """The heads of the columns."""
    table = Table(title=f"{what}; milliseconds but for memory", title_style="")
    table.add_column("question")
    for column in ("warm", "ten times", "ratio", "of answers", "cold", "ten times", "ratio"):
        table.add_column(column, justify="right")
    return table


def main() -> None:
    """Parse the command line, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--full", action="store_true", help="everything at the paper's scale")
    sizes.add_argument("--quick", action="store_true", help="tiny runs")
    parser.add_argument("--log-only", action="store_true", help="without an index")
    parser.add_argument("--only", choices=["dumps", "filters", "samples"], help="one of the three")
    given = parser.parse_args()
    console = Console()
    console.width = max(console.width, 120)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        for growth in FULL if given.full else QUICK if given.quick else NARROW:
            if given.only is None or growth.what.endswith(given.only):
                table = empty_table(growth.what)
                add_rows(table, growth, Path(folder), with_index=not given.log_only)
                console.print(table)
    console.print(
        "First part: over time at a fixed width, as a page asks; second: a column a dump; third: what a server "
        "answers. "
        "'of answers' is how many times as large the answer is."
    )


if __name__ == "__main__":
    main()
