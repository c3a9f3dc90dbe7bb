"""What does building an index cost: seconds, bytes, files? Beside copying the log, with two processes, with Dask.

    python benchmarks/index.py                   # a run at the paper's scale is generated first
    python benchmarks/index.py --run runs/paper  # a run that is there; an index below it is neither used nor touched

1. The same log, linked into a temporary folder ($DEEPTRACKER_BENCH_DIR), is indexed anew each time: by one process, by
   two, and by a Dask cluster of two workers on this machine. Before each its files are dropped from the system's cache.
2. The limit is copying the log, `cp -r`. Times end when all is on disk (`sync`).
3. The files that two processes and Dask have written must be those that one process has, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.progress import track  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.asked import drop_from_cache  # noqa: E402
from benchmarks.generate import Scale, write_dumps  # noqa: E402
from benchmarks.questions import linked_log  # noqa: E402
from deeptracker.indexing import build_index  # noqa: E402

WORKERS = 2


def seconds(work: Callable[[], object], log: Path) -> float:
    """How long something takes that reads a log from the disk and writes to it."""
    os.sync()
    drop_from_cache(log)
    start = time.perf_counter()
    work()
    os.sync()
    return time.perf_counter() - start


def files_of(folder: Path) -> dict[str, str]:
    """What is in every file below a folder, as a hash."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def sizes_of(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files below a folder."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(sizes), len(sizes)


@contextmanager
def dask_cluster() -> Iterator[str]:
    """The address of a Dask cluster on this machine."""
    from dask.distributed import LocalCluster

    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


class Builds:
    """Copies and indexes of one run, each in a fresh folder that is removed again; those of one process are kept."""

    def __init__(self, place: Path, folder: Path, repeats: int) -> None:
        self._place, self._folder, self._repeats = place, folder, repeats
        self.index_bytes, self.index_files = 0, 0
        self._expected: dict[str, str] = {}

    def copied(self) -> float:
        """Seconds of `cp -r` of the log."""
        times = []
        for _ in range(self._repeats):
            target = self._folder / "copy"
            command = ["cp", "-r", str(self._place / "log"), str(target)]
            times.append(seconds(lambda command=command: subprocess.run(command, check=True), self._place / "log"))
            shutil.rmtree(target)
        return median(times)

    def built(self, build: Callable[[Path], object]) -> float:
        """Seconds of building the index; stops if its files are not those of the first time."""
        times = []
        for _ in range(self._repeats):
            target = linked_log(self._place, self._folder / "indexed")
            times.append(seconds(lambda target=target: build(target), self._place / "log"))
            found = files_of(target / "index")
            if not self._expected:
                self._expected = found
                self.index_bytes, self.index_files = sizes_of(target / "index")
            other = sorted(path for path in found | self._expected if found.get(path) != self._expected.get(path))
            if other:
                raise AssertionError(f"an index of other bytes: {', '.join(other[:5])}")
            shutil.rmtree(target)
        return median(times)


def measure(place: Path, folder: Path, repeats: int) -> Table:
    """Copy, build in three ways, and compare."""
    builds = Builds(place, folder, repeats)
    log_bytes, log_files = sizes_of(place / "log")
    table = Table(title=f"log of {log_bytes / 1e6:,.0f} MB in {log_files:,} files; median of {repeats}", title_style="")
    table.add_column("what")
    for column in ("seconds", "x copying", "MB", "x log", "files"):
        table.add_column(column, justify="right")
    copying = builds.copied()
    table.add_row("copying the log", f"{copying:.2f}", "1", f"{log_bytes / 1e6:,.0f}", "1", f"{log_files:,}")
    one = builds.built(lambda target: build_index(target))
    size = (f"{builds.index_bytes / 1e6:,.0f}", f"{builds.index_bytes / log_bytes:.2f}", f"{builds.index_files:,}")
    table.add_row("index, one process", f"{one:.2f}", f"{one / copying:.2f}", *size)
    two = builds.built(lambda target: build_index(target, processes=WORKERS))
    same = ("same bytes", "", f"{one / two:.2f} x faster")
    table.add_row("index, two processes", f"{two:.2f}", f"{two / copying:.2f}", *same)
    with dask_cluster() as address:
        dask = builds.built(lambda target: build_index(target, scheduler=address))
    same = ("same bytes", "", f"{one / dask:.2f} x faster")
    table.add_row("index, Dask, two workers", f"{dask:.2f}", f"{dask / copying:.2f}", *same)
    return table


def main() -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run that is there, instead of a generated one")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a small run")
    given = parser.parse_args()
    scale = Scale(140, 20, 10, resnet50=False, pictures=False) if given.quick else Scale(pictures=False)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        place = given.run or Path(folder) / "run"
        if given.run is None:
            for _ in track(write_dumps(place, scale), total=scale.dumps, description="writing a run", transient=True):
                pass
        table = measure(place, Path(folder), given.repeats)
    console = Console()
    console.width = max(console.width, 100)
    console.print(table)


if __name__ == "__main__":  # Dask starts workers by importing this file again
    main()
