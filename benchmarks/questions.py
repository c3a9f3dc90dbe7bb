"""How fast is each question answered, beside what one would have without DeepTracker? Same run, same machine.

    python benchmarks/questions.py                   # a run at the paper's scale is generated and indexed first
    python benchmarks/questions.py --run runs/paper  # a run that is there already
    python benchmarks/questions.py --quick           # a small run, few repeats: does it work, and are answers equal?

1. The five indexes of the paper, error rates of all classes, and anomalies for a new k are asked of our log alone, of
   log and index where the run has one, of TensorBoard's event files, of Parquet files with DuckDB, and of .npz files.
2. The rivals' files are written from the run to a temporary folder ($DEEPTRACKER_BENCH_DIR), with only what the
   questions need: two of 17 measures, and predicted classes. What they answer must equal what we answer.
3. Cold is a fresh process that opens the run and answers once, its files dropped from the system's cache, its imports
   done; warm is the same process asked again of something else (asked.py). DuckDB and .npz read their files again each
   time, as nothing would keep them; TensorBoard and we keep what was read.
4. Each time is the median and the 95th percentile (of few repeats, the largest) of so many answers as the table says.
   TensorBoard reads everything once for all questions: that time, measured once, is part of each of its cold times.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.progress import track  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.asked import QUESTIONS, Asked, arguments, ask  # noqa: E402
from benchmarks.generate import Scale, write_dumps  # noqa: E402
from benchmarks.rival_tensorboard import TensorBoard, scalars_per_second  # noqa: E402
from benchmarks.rivals import MEASURES_ASKED, Fixed, Npz, Parquet  # noqa: E402
from deeptracker.indexing import build_index  # noqa: E402
from deeptracker.run import Run, open_run  # noqa: E402

RIVALS = {"npz": Npz, "parquet": Parquet, "tensorboard": TensorBoard}
TITLES = {
    "log": "ours, log alone",
    "index": "ours, log and index",
    "npz": ".npz a dump",
    "parquet": "Parquet, DuckDB",
    "tensorboard": "TensorBoard tensors",
}


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often is asked cold, of us and of them, each time in a new process; how often warm, and how long at most."""

    ours: int = 5
    theirs: int = 3
    warm: int = 40
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one way to answer one question."""

    cold: tuple[float, ...]
    warm: tuple[float, ...]
    peak_bytes: int


def linked_log(place: Path, folder: Path) -> Path:
    """The same run without its index: the same files by another name, or copies where that cannot be."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    shutil.copytree(place, folder, copy_function=link, ignore=shutil.ignore_patterns("index*"))
    return folder


def has_index(place: Path) -> bool:
    """Is there an index below the run?"""
    return (place / "index").is_dir()


def write_rivals(place: Path, folder: Path) -> dict[str, Path]:
    """Write a run's rivals; their folders by name."""
    folders = {}
    for name, rival in track(RIVALS.items(), description="writing rivals", transient=True):
        folders[name] = folder / name
        folders[name].mkdir()
        Fixed.write(place, folders[name])
        rival.write(place, folders[name])
    os.sync()  # what is not on disk yet cannot be dropped from the cache
    return folders


def times_of(
    question: str, ways: dict[str, Path], chosen: dict[str, list[Any]], repeats: Repeats, kept: dict[str, Asked]
) -> Iterator[tuple[str, Times]]:
    """How long each way takes; stops where an answer differs from that of our log. `kept` are TensorBoard's answers."""
    expected = None
    for way, folder in ways.items():
        if way == "tensorboard":
            first = kept[question]
            colds = [first.cold]
        else:
            count = repeats.ours if way in ("log", "index") else repeats.theirs
            kind = "ours" if way in ("log", "index") else way
            first = ask(kind, folder, [question], chosen, repeats=repeats.warm, seconds=repeats.seconds)[question]
            others = [ask(kind, folder, [question], chosen, first=number)[question] for number in range(1, count)]
            colds = [first.cold, *(other.cold for other in others)]
        if expected is None:
            expected = first.answer
        for ours, theirs in zip(expected, first.answer, strict=True):
            if question == "layer_stats":  # sums of the same numbers in another order
                np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-9, err_msg=way)
            else:
                np.testing.assert_array_equal(theirs, ours, err_msg=f"{way}, {question}")
        yield way, Times(tuple(colds), first.warm, first.peak_bytes)


def add_rows(table: Table, question: str, found: dict[str, Times]) -> None:
    """One line for each way; ours with how many times faster the median is than that of the best of the others."""
    rivals = [times for way, times in found.items() if way in RIVALS]
    best = [min((float(np.median(getattr(times, of))) for times in rivals), default=0.0) for of in ("cold", "warm")]
    for number, (way, times) in enumerate(found.items()):
        ratios = [other / np.median(own) for other, own in zip(best, (times.cold, times.warm), strict=True)]
        table.add_row(
            QUESTIONS[question] if number == 0 else "",
            TITLES[way],
            *(shown(share, times.cold) for share in (50, 95)),
            *(shown(share, times.warm) for share in (50, 95)),
            f"{len(times.cold)} / {len(times.warm)}",
            "" if way in RIVALS or not rivals else f"{ratios[0]:.1f} / {ratios[1]:,.1f}",
            f"{times.peak_bytes / 2**20:,.0f}",
        )
    table.add_section()


def shown(share: int, seconds: tuple[float, ...]) -> str:
    """A percentile, the nearest one that was measured, in milliseconds."""
    milliseconds = 1000 * float(np.percentile(seconds, share, method="higher" if share > 50 else "nearest"))
    return f"{milliseconds:,.{2 if milliseconds < 10 else 0}f}"


def empty_table(run: Run) -> Table:
    """The heads of the columns."""
    assert run.samples is not None
    sizes = f"{len(run.iterations)} dumps, {run.network().filters:,} filters, {len(run.samples.labels):,} samples"
    table = Table(title=f"{sizes}; milliseconds", title_style="")
    for column in ("question", "asked of"):
        table.add_column(column)
    for column in ("cold p50", "p95", "warm p50", "p95", "repeats", "best other / ours", "MiB"):
        table.add_column(column, justify="right")
    return table


def measure(place: Path, folder: Path, repeats: Repeats, console: Console, *, with_rivals: bool) -> None:
    """Write the rivals, ask everybody, print."""
    run = open_run(place)
    chosen = arguments(run)
    ways = {"log": linked_log(place, folder / "log")}
    if has_index(place):
        ways["index"] = place
    asked = {}
    if with_rivals:
        ways |= write_rivals(place, folder)
        name = "tensorboard"
        asked = ask(name, ways[name], list(QUESTIONS), chosen, repeats=repeats.warm, seconds=repeats.seconds)
    table = empty_table(run)
    for question in track(QUESTIONS, description="asking", transient=True):
        add_rows(table, question, dict(times_of(question, ways, chosen, repeats, asked)))
    console.print(table)
    if not has_index(place):
        console.print("This run has no index; build one: deeptracker index RUN.")
    if with_rivals:
        print_scalars(run, folder, console)


def print_scalars(run: Run, folder: Path, console: Console) -> None:
    """What TensorBoard would take with a scalar for each value, extrapolated."""
    events = run.network().filters * len(run.iterations) * len(MEASURES_ASKED)
    hours = events / scalars_per_second(folder / "scalars") / 3600
    console.print(
        "All answers equal. Not in the table: TensorBoard with a scalar a filter and measure would take "
        f"{hours:.1f} hours to read {events:,} events before its first answer (from 10,000 that were read)."
    )


def main() -> None:
    """Parse the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run that is there, instead of a generated one")
    parser.add_argument("--quick", action="store_true", help="a small run, and few repeats")
    parser.add_argument("--ours", action="store_true", help="without the rivals")
    given = parser.parse_args()
    scale = Scale(60, 20, 10, resnet50=False, pictures=False) if given.quick else Scale(pictures=False)
    repeats = Repeats(2, 1, 4, 1.0) if given.quick else Repeats()
    console = Console()
    console.width = max(console.width, 130)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        place = given.run or Path(folder) / "run"
        if given.run is None:
            for _ in track(write_dumps(place, scale), total=scale.dumps, description="writing a run", transient=True):
                pass
            build_index(place)
        measure(place, Path(folder), repeats, console, with_rivals=not given.ours)


if __name__ == "__main__":
    main()
