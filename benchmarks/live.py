"""Does a server keep up with a run that is being recorded, while many people look at it and its index is built?

    python benchmarks/live.py                       # a dump a second for 10 minutes, 20 readers
    python benchmarks/live.py --minutes 1 --small   # does it work?

1. One process writes a run of ResNet-50's filters and 5,000 samples, a dump a second, each synced to the disk as a
   recorder's are. `deeptracker serve` is another one, and builds the index meanwhile (`--no-index`: does not).
2. A quarter of the readers follows the run by server-sent events; the others ask whatever can be asked
   (live_readers.py).
3. Counted are answers that fail, and answers that are wrong, beside the log (live_questions.py). Measured are the
   seconds from a dump's being on the disk until a follower hears of it, and has its numbers; the memory of the server
   and of the process that builds, each second; and the seconds of each question.

Ends with status 1 if an answer failed or was wrong.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.generate import Scale, write_dumps  # noqa: E402
from benchmarks.live_questions import Known, wrong_answers  # noqa: E402
from benchmarks.live_readers import Follower, Heard, Wanderer  # noqa: E402
from deeptracker.analysis.hierarchy import preorder  # noqa: E402
from deeptracker.store.blobs import Blobs  # noqa: E402
from deeptracker.store.index_layout import ROOT as INDEX_ROOT  # noqa: E402
from deeptracker.store.index_layout import Published  # noqa: E402

RUN = "live"
SHOWN = 5


def scale_of(dumps: int, small: bool) -> Scale:
    """How large the run is."""
    if small:
        return Scale(dumps, 10, 20, 100, resnet50=False, pictures=False)
    return Scale(dumps, 100, 50, 1600, pictures=False)


def write(place: str, dumps: int, small: bool, interval: float) -> None:
    """Write the run at its pace; print iteration and time of each dump once it is on the disk."""
    scale = scale_of(dumps, small)
    next_time = time.time()
    for dump in write_dumps(place, scale, synced=True):
        print(dump * scale.iterations_per_dump, time.time(), flush=True)
        next_time = max(next_time + interval, time.time() - interval)
        time.sleep(max(0.0, next_time - time.time()))


def own_bytes(pid: int) -> int:
    """Memory of a process without the files that it has mapped; with them where the system does not tell; 0 if gone."""
    status = Path(f"/proc/{pid}/status")
    if Path("/proc/self/status").exists():
        try:
            found = re.search(r"^RssAnon:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return int(found[1]) << 10 if found else 0
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return int(said or 0) << 10


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    said = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in said.split()]


class Memory(threading.Thread):
    """Looks each second how much memory a process takes, and those that it has started."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.server: list[int] = []
        self.builder: list[int] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until stopped."""
        while not self._stopping.wait(1):
            self.server.append(own_bytes(self._pid))
            self.builder.append(sum(map(own_bytes, children(self._pid))))

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self.join()


@contextmanager
def serving(root: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A server of its own process: it, its link, and what it goes on to say."""
    command = [sys.executable, "-m", "deeptracker", "serve", str(root), "--port", "0", "--no-open", *options]
    environment = os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "500"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            link = re.search(r"http://\S+", process.stdout.readline())
            if link is None:
                raise RuntimeError("the server must print its link. It did not.")
            said: list[str] = []
            threading.Thread(target=_keep_lines, args=(process.stdout, said), daemon=True).start()
            yield process, link[0], said
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _keep_lines(stream: IO[str], lines: list[str]) -> None:
    lines += iter(stream.readline, "")


def percentiles(seconds: list[float]) -> str:
    """p50, p95 and worst, in milliseconds."""
    if not seconds:
        return "none"
    p50, p95 = np.percentile(seconds, [50, 95])
    return f"{1e3 * p50:,.0f} / {1e3 * p95:,.0f} / {1e3 * max(seconds):,.0f} ms"


def delays(written: dict[int, float], seen: list[tuple[int, float]]) -> list[float]:
    """Seconds from each dump's being on the disk to its being seen; those that were there before are left out."""
    return [at - written[iteration] for iteration, at in seen if iteration in written and iteration > 0]


def first_seen(seen: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Each dump's first time."""
    found: dict[int, float] = {}
    for iteration, at in sorted(seen, key=lambda one: one[1]):
        found.setdefault(iteration, at)
    return list(found.items())


def measure(folder: Path, arguments: argparse.Namespace, out: Console) -> int:
    """Write, serve and read at once; prints what came of it, and gives how many answers failed or were wrong."""
    dumps = max(2, round(60 * arguments.minutes / arguments.interval))
    scale = scale_of(dumps, arguments.small)
    place = folder / "runs" / RUN
    place.mkdir(parents=True)
    network = scale.architecture.network(1000 if scale.resnet50 else scale.classes)
    known = Known(
        scale.classes,
        scale.classes * scale.samples_per_class,
        tuple(layer.filters for layer in network.layers),
        len(list(preorder(network.hierarchy))),
        iteration=0,
    )
    command = [sys.executable, __file__, "--write", str(place), "--minutes", str(arguments.minutes)]
    command += ["--interval", str(arguments.interval), *(["--small"] if arguments.small else [])]
    options = ["--no-index"] if arguments.no_index else []
    options += [] if arguments.cache_mb is None else ["--cache-mb", str(arguments.cache_mb)]
    heard, stopping, written = Heard(), threading.Event(), dict[int, float]()
    with (
        serving(place.parent, *options) as (server, link, said),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer,
    ):
        assert writer.stdout is not None
        first = writer.stdout.readline().split()
        written[int(first[0])] = float(first[1])
        memory = Memory(server.pid)
        memory.start()
        kinds = [Follower if number % 4 == 0 else Wanderer for number in range(arguments.readers)]
        readers = [kind(link, RUN, known, heard, stopping, seed) for seed, kind in enumerate(kinds)]
        for reader in readers:
            reader.start()
        for line in writer.stdout:
            iteration, at = line.split()
            written[int(iteration)] = float(at)
        time.sleep(3)
        stopping.set()
        for reader in readers:
            reader.join(40)
        memory.stop()
    data = Blobs(place).get(INDEX_ROOT) if Blobs(place).exists(INDEX_ROOT) else b""
    published = Published.from_json(data) if data else None
    out.print("checking the answers ...")
    wrong = wrong_answers(place, heard.answers, folder)
    report(out, heard, written, memory, wrong, 0 if published is None else len(published.dumps), said)
    return len(heard.failures) + len(wrong)


def report(
    out: Console,
    heard: Heard,
    written: dict[int, float],
    memory: Memory,
    wrong: list[str],
    indexed: int,
    said: list[str],
) -> None:
    """Print the tables."""
    took = max(written.values()) - min(written.values())
    table = Table(title=f"{len(written):,} dumps in {took:,.0f} s; {indexed:,} of them indexed", title_style="")
    table.add_column("what")
    table.add_column("", justify="right")
    table.add_row("answers", f"{len(heard.answers):,} ({len(heard.answers) / took:,.1f} a second)")
    table.add_row("failed", f"{len(heard.failures):,}")
    table.add_row("wrong", f"{len(wrong):,}")
    table.add_section()
    table.add_row("a dump is heard of, by all followers", percentiles(delays(written, heard.events)))
    table.add_row("  and its numbers are there, in all charts", percentiles(delays(written, heard.numbers)))
    table.add_row("  in the first chart of all", percentiles(delays(written, first_seen(heard.numbers))))
    table.add_section()
    quarter = max(1, len(memory.server) // 4)
    parts = [memory.server[place : place + quarter] for place in range(0, 4 * quarter, quarter)]
    means = " / ".join(f"{np.mean(part) / 2**20:,.0f}" for part in parts if part)
    table.add_row("memory of the server, mean of each quarter", f"{means} MiB")
    table.add_row("  at most", f"{max(memory.server, default=0) / 2**20:,.0f} MiB")
    table.add_row("memory of the process that builds, at most", f"{max(memory.builder, default=0) / 2**20:,.0f} MiB")
    table.add_section()
    for route, seconds in sorted(heard.seconds.items()):
        table.add_row(f"/api/{route}, {len(seconds):,} times", percentiles(seconds))
    out.print(table)
    out.print("(p50 / p95 / worst)")
    for text in [*said, *heard.failures[:SHOWN], *wrong[:SHOWN]]:
        out.print(text.rstrip(), markup=False)


def main() -> None:
    """Parse the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--interval", type=float, default=1, help="seconds from one dump to the next")
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--small", action="store_true", help="a small network and few samples")
    parser.add_argument("--no-index", action="store_true", help="the server builds no index")
    parser.add_argument("--cache-mb", type=int, help="what the server may keep, as for `deeptracker serve`")
    parser.add_argument("--write", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write:
        write(chosen.write, max(2, round(60 * chosen.minutes / chosen.interval)), chosen.small, chosen.interval)
        return
    out = Console(highlight=False)
    with tempfile.TemporaryDirectory(dir=os.environ.get("DEEPTRACKER_BENCH_DIR")) as folder:
        if measure(Path(folder), chosen, out):
            sys.exit(1)


if __name__ == "__main__":
    main()
