"""What does it cost a training that somebody looks for findings while it runs?

    python benchmarks/alerts.py
    python benchmarks/alerts.py --rounds 60

1. ResNet-20 on random images in the shape of CIFAR, one torch thread, a dump every ten steps: with `on_finding` and
   `stop_on`, and with the recorder alone. Turns of ten steps, one dump each, are taken one after the other, in an order
   that changes. The process that looks for findings is halted while the other training has its turn, so all that it
   takes is taken from the training that asked for it.
2. Two figures of each: the clock, which whatever else the machine does makes noisy, and the seconds that the training's
   own process computed, which hardly are. The seconds that the other process computed are told beside them.
3. What the training's own thread does for it at each step is timed alone.
4. A live run with the layers of ResNet-50 (27,560 filters): the first look at its dumps, and a look after each further
   one, in seconds that the process computed.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.flight import resnet20, training  # noqa: E402
from benchmarks.generate import Scale, write_dumps  # noqa: E402
from deeptracker.analysis.findings import Finding  # noqa: E402
from deeptracker.finding_process import FindingProcess  # noqa: E402
from deeptracker.record.recorder import Recorder  # noqa: E402

BATCH = 32
STEPS = 10
CALLS = 100_000
DUMPS, FURTHER = 100, 9


class Watched:
    """A training with its recorder, and what its turns took."""

    def __init__(self, place: str, **options: Any) -> None:
        model, optimizer, self.step = training(resnet20, 32, BATCH, "cpu", False)
        held_out = torch.randn(100, 3, 32, 32), torch.arange(100) % 10
        self.recorder = Recorder(place, model, optimizer, validation=held_out, every=STEPS, index=False, **options)
        self.clock: list[float] = []
        self.computed: list[float] = []

    def turn(self) -> None:
        """Ten steps and what follows from them, timed."""
        self.signal(signal.SIGCONT)
        clock, computed = time.perf_counter(), time.process_time()
        for _ in range(STEPS):
            self.step()
            self.recorder.log(loss=1.0)
        self.recorder.flush()
        self.clock.append((time.perf_counter() - clock) / STEPS)
        self.computed.append((time.process_time() - computed) / STEPS)
        self.signal(signal.SIGSTOP)

    def signal(self, number: signal.Signals) -> None:
        """Halt the process that looks for findings, or let it go on."""
        process = self.recorder.alerts._process._process
        if process is not None:
            os.kill(process.pid, number)

    @property
    def looked_seconds(self) -> float:
        """Seconds that this process has computed."""
        return computed_by(self.recorder.alerts._process)


def computed_by(looking: FindingProcess) -> float:
    """Seconds that it has computed since it was started."""
    if looking._process is None:
        return 0.0
    fields = Path(f"/proc/{looking._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print what a step takes with and without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    told: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        alone = Watched(f"{folder}/alone")
        watched = Watched(f"{folder}/watched", on_finding=told.append, stop_on="nan")
        for number in range(rounds):
            for one in (alone, watched) if number % 2 else (watched, alone):
                one.turn()
        looked = watched.looked_seconds
        call_seconds = seconds_of_calls(watched.recorder)
        watched.signal(signal.SIGCONT)
        for one in (alone, watched):
            one.recorder.close(index_seconds=0)
    steps = rounds * STEPS
    print(f"ResNet-20, batch {BATCH}, a dump every {STEPS} steps, {steps} steps each, medians of turns")
    for what, of in (("clock", "clock"), ("computed by the training's process", "computed")):
        without, with_it = (statistics.median(getattr(one, of)[2:]) for one in (alone, watched))
        print(
            f"{what:>36}: {1000 * without:8.2f} ms a step alone, {1000 * with_it:8.2f} with, x {with_it / without:.3f}"
        )
    print(f"{'computed by the other process':>36}: {looked:8.2f} s in all, {1000 * looked / steps:.2f} ms a step")
    print(f"{'in the training thread':>36}: {1e6 * call_seconds:8.2f} us a step, log and step together")
    print(f"{'findings told':>36}: {len(told):8}")
    with tempfile.TemporaryDirectory() as folder:
        time_of_a_look(folder)


def time_of_a_look(folder: str) -> None:
    """Print what the first look at a large live run takes, and one after a new dump."""
    scale = Scale(DUMPS + FURTHER, 10, 20, 10, resnet50=True, pictures=False)
    dumps = write_dumps(Path(folder, "large"), scale, finished=False)
    for _ in range(DUMPS):
        next(dumps)
    took: list[float] = []
    with FindingProcess() as process:
        for _ in range(FURTHER):
            before = computed_by(process)
            process.findings(f"{folder}/large")
            took.append(computed_by(process) - before)
            next(dumps)
    print(f"ResNet-50, {DUMPS} dumps: first look {took[0]:.2f} s computed, start included; ", end="")
    print(f"after a new dump {statistics.median(took[1:]):.3f} s")


def seconds_of_calls(recorder: Recorder) -> float:
    """What alerts do in `log` and after a step where there is nothing new."""
    alerts, scalars = recorder.alerts, {"loss": 1.0}
    begun = time.perf_counter()
    for iteration in range(CALLS):
        alerts.logged(iteration, scalars)
        alerts.deliver(iteration)
        alerts.deliver(iteration)
    return (time.perf_counter() - begun) / CALLS


if __name__ == "__main__":
    main()
