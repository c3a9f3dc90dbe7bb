"""How much memory does a server take while somebody looks at a run, and how long do answers take over HTTP?

1. `deeptracker serve` is started as a process of its own. A page's first questions are put to it: the list of runs,
   both views, at a width of 1,000 columns. What the process has in memory then is its memory cold.
2. So many further questions follow, as somebody clicks: classes and their images, windows, layers, measures,
   normalisations, orders, filters, iterations; seeded, few of them twice. Memory is read after each.
3. Resident memory is what the system tells (`ps`): parts of files that are mapped are in it, which the system takes
   back when it needs them. Where it tells what is the process's own, that is given as well.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlencode, urlsplit

import numpy as np

from benchmarks.asked import WIDTH
from deeptracker.run import Run

QUESTIONS = 200
MEASURES = ("change", "sd", "mean", "l2", "grad_l2", "update_ratio", "cosine_distance", "min", "max", "grad_sd")
NODE_MEASURES = (*MEASURES, "weight_median", "weight_q1", "grad_median", "grad_q3")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process: resident, and its own without mapped files (0 where the system does not tell)."""

    resident: int
    own: int


@dataclass(frozen=True, slots=True)
class Put:
    """A question that was put: its route, the seconds until it was answered, and the bytes that were sent."""

    route: str
    seconds: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Session:
    """What a session showed: memory after the first picture and at most; the first questions, and the further ones."""

    cold: Memory
    most: Memory
    first: tuple[Put, ...]
    further: tuple[Put, ...]

    def by_route(self) -> dict[str, tuple[float, float]]:
        """The median of the seconds and of the bytes of the further questions of each kind."""
        routes = dict.fromkeys(put.route for put in self.further)
        of = {route: [put for put in self.further if put.route == route] for route in routes}
        return {
            route: (median(put.seconds for put in puts), median(put.size_bytes for put in puts))
            for route, puts in of.items()
        }


def first_questions(identity: str) -> list[str]:
    """What a page asks before it has drawn both views."""
    run, wide = {"run": identity}, {"run": identity, "width": WIDTH}
    return [
        "/api/runs",
        asked("run", run),
        asked("overall", run),
        asked("classes", wide),
        asked("clusters", run | {"k": 4}),
        asked("anomalies", run | {"window": 10, "threshold": 0.35}),
        asked("anomaly-counts", run),
        asked("network", run),
        *(asked("node-stats", wide | {"measure": name}) for name in ("change", "sd")),
    ]


def further_questions(identity: str, run: Run, count: int) -> list[str]:
    """What is asked as somebody looks around: each kind in turn, of something else each time."""
    rng = np.random.default_rng(0)
    layers, nodes, dumps = run.network().layers, len(run.nodes()), run.iterations
    found = []
    for number in range(count):
        turn, kind = divmod(number, 10)
        cls, layer = int(rng.integers(len(run.class_names))), int(rng.integers(len(layers)))
        measure = MEASURES[turn % len(MEASURES)]
        of_layer = {"run": identity, "layer": layer, "measure": measure}
        way = ("filter", "iteration", "global")[turn % 3]
        node_measure = NODE_MEASURES[turn % len(NODE_MEASURES)]
        kinds = [
            asked("class", {"run": identity, "cls": cls}),
            asked("anomalies", {"run": identity, "window": 2 + turn, "threshold": 0.3}),
            asked("filters", of_layer | {"normalise": way, "width": WIDTH}),
            asked("filter-order", of_layer | {"by": "activity"}),
            asked("filter", {"run": identity, "layer": layer, "filter": int(rng.integers(layers[layer].filters))}),
            asked("node-stats", {"run": identity, "measure": node_measure, "width": WIDTH}),
            asked("sample", {"run": identity, "sample": cls}),
            asked("top-filters", {"run": identity, "iteration": int(rng.choice(dumps)), "k": 100}),
            asked("box", {"run": identity, "node": int(rng.integers(nodes)), "measure": measure}),
            asked("classes", {"run": identity, "width": WIDTH, "from": int(rng.integers(len(dumps)))}),
        ]
        found.append(kinds[kind])
    return found


def asked(route: str, of: dict[str, str | int | float]) -> str:
    """The path of a question."""
    return f"/api/{route}?{urlencode(of)}"


@contextmanager
def served(root: Path) -> Iterator[tuple[int, http.client.HTTPConnection]]:
    """A server over a folder: its process, and a connection to it."""
    command = [sys.executable, "-m", "deeptracker", "serve", str(root), "--no-open", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        link = next((word for line in process.stdout for word in line.split() if word.startswith("http")), "")
        connection = http.client.HTTPConnection(urlsplit(link).netloc, timeout=300)
        try:
            yield process.pid, connection
        finally:
            connection.close()
            process.terminate()


def session(place: Path, run: Run, questions: int = QUESTIONS) -> Session:
    """Put a page's questions to a server over the folder of a run."""
    with served(place.parent) as (process, connection):
        put(connection, "/api/runs")  # it takes connections before it answers
        first = [put(connection, path) for path in first_questions(place.name)]
        cold = most = memory_of(process)
        further = []
        for path in further_questions(place.name, run, questions):
            further.append(put(connection, path))
            most = max(most, memory_of(process), key=lambda memory: memory.resident)
    return Session(cold, most, tuple(first), tuple(further))


def put(connection: http.client.HTTPConnection, path: str) -> Put:
    """Put a question; stops where it is not answered."""
    start = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "zstd"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"GET {path} must be answered. Got {answer.status}: {said[:300]!r}")
    return Put(path.partition("?")[0], time.perf_counter() - start, len(said))


def memory_of(process: int) -> Memory:
    """What a process has in memory now."""
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True)
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)
    return Memory(1024 * int(told.stdout), own)
