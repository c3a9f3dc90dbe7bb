"""Does a run survive that its training is killed at any moment?

A warmed-up parent forks each training, so that a kill costs a fraction of a second and not an import of torch.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deeptracker.schema import Predictions
from deeptracker.server.runs import ServedRuns
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

KILLS = 30
MOST_DUMPS = 8
LONGEST_SECONDS = 0.02
PATIENCE_SECONDS = 20.0

TRAINING = """
import os, sys
import torch
from torch import nn
from deeptracker.record.recorder import Recorder

torch.set_num_threads(1)

def train(run, resume, *, to_be_killed):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(12, 1, 8, 8), torch.arange(12) % 3
    options = {"validation": (x, y), "every": 1, "flight": 3, "snapshots": 1 << 20}
    with Recorder(run, model, optimizer, resume=resume, **options) as recorder:
        while to_be_killed or recorder.iteration < (resume or 0) + 3:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            recorder.log(loss=float("nan") if recorder.iteration % 2 else loss)  # so there are flights

# What is imported and compiled when it is first used is so here once, and not in every child.
train(sys.argv[1], None, to_be_killed=False)

for line in sys.stdin:
    run, resume = line.split()
    child = os.fork()
    if child == 0:
        try:
            train(run, None if resume == "-" else int(resume), to_be_killed=resume == "-")
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Trainings:
    """Starts trainings in the forking parent."""

    def __init__(self, warm: Path) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-c", TRAINING, str(warm)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, run: Path, resume: int | None = None) -> int:
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{run} {'-' if resume is None else resume}\n")
        self._parent.stdin.flush()
        return self._line()

    def ended(self) -> int:
        return self._line()

    def close(self) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()

    def _line(self) -> int:
        assert self._parent.stdout is not None
        return int(self._parent.stdout.readline())


def wait_for_dumps(run: Path, dumps: int) -> None:
    """Wait until so many files of filters are there (by progress, not by the clock: machines differ)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(list(run.glob("log/filters/*.arrow"))) < dumps and time.monotonic() < deadline:
        time.sleep(0.001)


def read_everything(reader: LogReader) -> int:
    """Read each dump that is shown in full; how many there are."""
    for dump in reader.dumps:
        assert len(reader.filters(dump)["l2"]) == 7
        assert len(reader.histograms(dump).weight_bins) == 2
        found = reader.predictions(dump, 12)
        assert isinstance(found, Predictions)
        assert (found.predicted >= 0).all()
    return len(reader.dumps)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_at_any_moment_is_readable_and_can_be_continued(tmp_path: Path) -> None:
    moments = random.Random(7)
    trainings = Trainings(tmp_path / "warm")
    shown, flights = [], 0
    try:
        for kill in range(KILLS):
            run = tmp_path / f"run{kill}"
            child = trainings.start(run)
            wait_for_dumps(run, moments.randrange(MOST_DUMPS))
            time.sleep(LONGEST_SECONDS * moments.random())
            os.kill(child, signal.SIGKILL)
            assert trainings.ended() == -signal.SIGKILL
            if not (run / "run.json").exists():
                assert not list(run.glob("log/*/*"))
                shown.append(0)
                continue
            reader = LogReader(Blobs(run))
            assert reader.info.state == "running"
            shown.append(read_everything(reader))
            assert all("the recorder was stopped while writing it" in problem for problem in reader.check())
            resume = reader.dumps[-1].iteration if reader.dumps else 0
            trainings.start(run, resume)
            assert trainings.ended() == 0
            continued = LogReader(Blobs(run))
            assert read_everything(continued) == len(reader.dumps) + (3 if reader.dumps else 4)
            with ServedRuns(str(run)).open("") as served:
                assert served.error_rates().shape == (3, len(continued.dumps))
            assert continued.info.state == "finished"
            flights += len(continued.flights)
            assert [dump.iteration for dump in continued.dumps] == list(range(resume + 4))
            assert set(continued.problems) <= set(reader.problems)
    finally:
        trainings.close()
    assert sum(count > 3 for count in shown) > KILLS / 4
    assert flights > KILLS
