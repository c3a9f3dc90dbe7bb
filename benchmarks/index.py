"""What does building an index cost: seconds, bytes, files? Beside copying the log, with two processes, with Dask.

    python benchmarks/index.py                   # a run at the paper's scale is generated first
    python benchmarks/index.py --run runs/paper  # a run that is there; an index below it is neither used nor touched

1. The same log, linked into a temporary folder ($DEEPTRACKER_BENCH_DIR), is indexed anew each time: by one process, by
   two, and by a Dask cluster of two workers on this machine. Before each its files are dropped from the system's cache.
2. The limits are copying the log, `cp -r`, and writing one file of as many bytes as the index has: no number of
   processes is faster than the disk. Times end when all is on disk (`sync`).
3. The files that two processes and Dask have written must be those that one process has, byte for byte.
4. Dask tells its workers to give memory back to the system after every array (MALLOC_TRIM_THRESHOLD_), which doubles
   what an index costs there. The cluster is started without; `--as-dask-likes` leaves it in.
5. Of one and of two processes the processor's seconds are told as well: they say how much others were in the way.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
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


def processor_seconds() -> float:
    """What this process and those that it started and waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def dask_cluster(*, keeps_memory: bool) -> Iterator[str]:
    """The address of a Dask cluster on this machine; glibc's limits up to which its workers keep memory, or Dask's."""
    import dask
    from dask.distributed import LocalCluster

    settings = {"MALLOC_TRIM_THRESHOLD_": str(1 << 28), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}
    for name, value in settings.items() if keeps_memory else ():
        dask.config.set({f"distributed.nanny.pre-spawn-environ.{name}": value})
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


class Builds:
    """Copies and indexes of one run, each in a fresh folder that is removed again; those of one process are kept."""

    def __init__(self, place: Path, folder: Path, repeats: int) -> None:
        self._place, self._folder, self._repeats = place, folder, repeats
        self.index_bytes, self.index_files = 0, 0
        self.processor_seconds = 0.0
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

    def written(self) -> float:
        """Seconds of writing one file of as many bytes as the index has."""
        target = self._folder / "written"

        def write() -> None:
            with open(target, "wb") as file:
                for _ in range(0, self.index_bytes, 1 << 20):
                    file.write(bytes(1 << 20))

        times = []
        for _ in range(self._repeats):
            times.append(seconds(write, self._place / "log"))
            target.unlink()
        return median(times)

    def built(self, build: Callable[[Path], object]) -> float:
        """Seconds of building the index; stops if its files are not those of the first time."""
        times, used = [], 0.0
        for _ in range(self._repeats):
            target = linked_log(self._place, self._folder / "indexed")
            before = processor_seconds()
            times.append(seconds(lambda target=target: build(target), self._place / "log"))
            used += processor_seconds() - before
            found = files_of(target / "index")
            if not self._expected:
                self._expected = found
                self.index_bytes, self.index_files = sizes_of(target / "index")
            other = sorted(path for path in found | self._expected if found.get(path) != self._expected.get(path))
            if other:
                raise AssertionError(f"an index of other bytes: {', '.join(other[:5])}")
            shutil.rmtree(target)
        self.processor_seconds = used / self._repeats
        return median(times)


def measure(place: Path, folder: Path, repeats: int, *, keeps_memory: bool) -> Table:
    """Copy, build in three ways, and compare."""
    builds = Builds(place, folder, repeats)
    log_bytes, log_files = sizes_of(place / "log")
    table = Table(title=f"log of {log_bytes / 1e6:,.0f} MB in {log_files:,} files; median of {repeats}", title_style="")
    table.add_column("what")
    for column in ("seconds", "x copying", "processor s", "MB", "x log", "files"):
        table.add_column(column, justify="right")
    copying = builds.copied()
    table.add_row("copying the log", f"{copying:.2f}", "1", "", f"{log_bytes / 1e6:,.0f}", "1", f"{log_files:,}")
    one = builds.built(lambda target: build_index(target))
    size = (f"{builds.index_bytes / 1e6:,.0f}", f"{builds.index_bytes / log_bytes:.2f}", f"{builds.index_files:,}")
    table.add_row("index, one process", *_times(one, copying), f"{builds.processor_seconds:.2f}", *size)
    writing = builds.written()
    table.add_row("writing as many bytes", *_times(writing, copying), "", size[0], size[1], "1")
    two = builds.built(lambda target: build_index(target, processes=WORKERS))
    used, same = f"{builds.processor_seconds:.2f}", ("same bytes", "", f"{one / two:.2f} x faster")
    table.add_row("index, two processes", *_times(two, copying), used, *same)
    with dask_cluster(keeps_memory=keeps_memory) as address:
        dask = builds.built(lambda target: build_index(target, scheduler=address))
    same = ("same bytes", "", f"{one / dask:.2f} x faster")
    table.add_row("index, Dask, two workers", *_times(dask, copying), "", *same)
    return table


def _times(taken: float, copying: float) -> tuple[str, str]:
    return f"{taken:.2f}", f"{taken / copying:.2f}"


def main() -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run that is there, instead of a generated one")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--as-dask-likes", action="store_true", help="leave Dask's settings of memory as they are")
    parser.add_argument("--quick", action="store_true", help="a small run")
    given = parser.parse_args()
    scale = Scale(140, 20, 10, resnet50=False, pictures=False) if given.quick else Scale(pictures=False)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        place = given.run or Path(folder) / "run"
        if given.run is None:
            for _ in track(write_dumps(place, scale), total=scale.dumps, description="writing a run", transient=True):
                pass
        table = measure(place, Path(folder), given.repeats, keeps_memory=not given.as_dask_likes)
    console = Console()
    console.width = max(console.width, 100)
    console.print(table)


if __name__ == "__main__":  # Dask starts workers by importing this file again
    main()
