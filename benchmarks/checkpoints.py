"""What does importing snapshots of weights cost, beside reading their files once, and in how much memory?

    python benchmarks/checkpoints.py               # 48 snapshots in the shapes of ResNet-50, 4.9 GB at a time
    python benchmarks/checkpoints.py --snapshots 8

1. Weights are random and walk a little from one snapshot to the next (seeded); $DEEPTRACKER_BENCH_DIR says where.
2. The limit is to read the files once. Before each reading and each import they are dropped from the system's cache; an
   import ends when all is on disk (`sync`). Processes of its own are started within it.
3. Two processes and Dask must write the files that one process writes, byte for byte.
4. Memory is what the process holds at most beyond what it held with torch loaded; files that are mapped count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from benchmarks.asked import drop_from_cache  # noqa: E402
from benchmarks.index import WORKERS, dask_cluster, files_of  # noqa: E402
from benchmarks.recorder import resnet50_shapes  # noqa: E402

READ_BYTES = 16 << 20
SAVE: dict[str, Callable[[Any, Path], None]] = {"safetensors": save_file, "pt": torch.save}

IMPORT = """
import json, os, sys, time
from benchmarks.memory import peak_bytes
from deeptracker.record.checkpoints import import_checkpoints
folder, run, more = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
held, start = peak_bytes(), time.perf_counter()
import_checkpoints(folder, run, **more)
os.sync()
print(json.dumps([time.perf_counter() - start, peak_bytes() - held]))
"""


def write_snapshots(folder: Path, kind: str, count: int) -> None:
    """A folder of snapshots of this kind of file."""
    torch.manual_seed(0)
    folder.mkdir()
    state = {f"layer{i:02d}.weight": 0.02 * torch.randn(shape) for i, shape in enumerate(resnet50_shapes())}
    for iteration in range(count):
        SAVE[kind](state, folder / f"{iteration}.{kind}")
        for weight in state.values():
            weight += 1e-4 * torch.randn_like(weight)


def read_once(folder: Path) -> float:
    """Seconds of reading all files, keeping nothing."""
    buffer = bytearray(READ_BYTES)
    start = time.perf_counter()
    for path in sorted(folder.iterdir()):
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    return time.perf_counter() - start


class Imports:
    """Readings and imports of one folder; every import is into a new run, whose files must be those of the first."""

    def __init__(self, folder: Path, run: Path, repeats: int) -> None:
        self._folder, self._run, self._repeats = folder, run, repeats
        self._expected: dict[str, str] = {}

    def read(self) -> float:
        """Median seconds of reading the files once."""
        return median(self._from_disk(lambda: read_once(self._folder)) for _ in range(self._repeats))

    def imported(self, **more: Any) -> tuple[float, int]:
        """Median seconds of an import, and bytes of memory at most."""
        command = [sys.executable, "-c", IMPORT, str(self._folder), str(self._run), json.dumps(more)]
        taken = []
        for _ in range(self._repeats):
            shutil.rmtree(self._run, ignore_errors=True)
            done = self._from_disk(lambda: subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE))
            taken.append(json.loads(done.stdout))
        found = files_of(self._run / "log")
        self._expected = self._expected or found
        if found != self._expected:
            raise AssertionError("an import of other bytes")
        return median(seconds for seconds, _ in taken), max(memory for _, memory in taken)

    def _from_disk(self, work: Callable[[], Any]) -> Any:
        os.sync()
        drop_from_cache(self._folder)
        return work()


def measure(folder: Path, kind: str, count: int, repeats: int) -> Table:
    """Read, import in three ways, and compare."""
    snapshots = folder / kind
    write_snapshots(snapshots, kind, count)
    size_bytes = sum(path.stat().st_size for path in snapshots.iterdir())
    imports = Imports(snapshots, folder / "run", repeats)
    table = Table(title=f"{count} snapshots, .{kind}, {size_bytes / 1e6:,.0f} MB; median of {repeats}", title_style="")
    for heading in ("what", "seconds", "x reading", ""):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    limit = imports.read()
    table.add_row("reading the files once", f"{limit:.2f}", "1", f"{size_bytes / limit / 1e6:,.0f} MB a second")
    one, memory = imports.imported()
    in_memory = f"{memory / 2**20:,.0f} MiB at most, {memory / size_bytes:.1%} of the files"
    table.add_row("import, one process", f"{one:.2f}", f"{one / limit:.2f}", in_memory)
    two, _ = imports.imported(processes=WORKERS)
    table.add_row("import, two processes", f"{two:.2f}", f"{two / limit:.2f}", f"{one / two:.2f} x faster, same bytes")
    with dask_cluster() as address:
        dask, _ = imports.imported(scheduler=address)
    same = f"{one / dask:.2f} x faster, same bytes"
    table.add_row("import, Dask, two workers", f"{dask:.2f}", f"{dask / limit:.2f}", same)
    shutil.rmtree(snapshots)
    return table


def main() -> None:
    """Parse the command line, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshots", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    console = Console()
    console.width = max(console.width, 100)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        for kind in SAVE:
            console.print(measure(Path(folder), kind, given.snapshots, given.repeats))


if __name__ == "__main__":  # Dask starts workers by importing this file again
    main()
