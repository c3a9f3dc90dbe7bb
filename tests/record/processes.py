"""Trainings of several processes, forked from one that has imported torch: the workers of test_distributed.py.

    python tests/record/processes.py        # reads jobs from stdin, a line of JSON each

For each job its processes are forked; their ids are printed, and how they ended. When one has failed, the others get
some seconds to notice.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:0] = [os.fspath(ROOT)]

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.distributed.device_mesh import init_device_mesh  # noqa: E402
from torch.distributed.fsdp import fully_shard  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import DataLoader, Dataset, DistributedSampler  # noqa: E402

from deeptracker.record.recorder import Recorder  # noqa: E402
from tests.record.trainings import CLASSES, batch  # noqa: E402

RANKS = 4
SAMPLES = 23
EVERY = 2
PATIENCE_SECONDS = 20.0


class Held(Dataset[Any]):
    """Validation images: 23, so that four processes get six each and one sample comes twice."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(99)
        self.labels = torch.randint(0, CLASSES, (SAMPLES,), generator=generator)
        self.images = torch.randn(SAMPLES, 1, 8, 8, generator=generator) + self.labels[:, None, None, None]

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.images[i], int(self.labels[i])


class Net(nn.Module):
    """A body of convolutions, one of them transposed and grouped, and a head that the root holds itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.GroupNorm(2, 6), nn.ReLU(), nn.ConvTranspose2d(6, 4, 2, groups=2), nn.ReLU()
        )
        self.head = nn.Linear(196, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).flatten(1))


def work(rank: int, job: dict[str, Any]) -> None:
    """One process of a training."""
    store = Path(job["out"]) / "store"
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=RANKS, timeout=timedelta(seconds=30)
    )
    torch.manual_seed(3)
    net = Net()
    begun, momentum = 0, 0.0 if job["kind"] == "fsdp" else 0.9
    model: nn.Module = net
    if job["kind"] == "fsdp":
        mesh = init_device_mesh("cpu", (RANKS,))
        for part in (net.body[0], net.body[3]):
            fully_shard(part, mesh=mesh)
        fully_shard(net, mesh=mesh)
    else:
        model = nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=momentum)
    if job.get("checkpoint"):
        state = torch.load(f"{job['checkpoint']}.{rank}", weights_only=True)
        begun = state["iteration"]
        _restore(net, state["model"])
        optimizer.load_state_dict(state["optimizer"])
    recorder = None
    if job.get("run"):
        held = Held()
        sampler: Any = DistributedSampler(held, RANKS, rank, shuffle=False)
        validation = DataLoader(held, batch_size=4, sampler=sampler)
        resume = begun if job.get("checkpoint") else None
        recorder = Recorder(
            job["run"], model, optimizer, validation=validation, every=job.get("every", EVERY), resume=resume,
            strict=True, flight=job.get("flight", 0),
        )  # fmt: skip
    traced, losses = [], []
    for i in range(begun, job["until"]):
        images, labels = (part[rank::RANKS] for part in batch(i))
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        before = _whole(net) if job.get("trace") else {}
        gradients = _whole(net, gradients=True) if job.get("trace") else {}
        optimizer.step()
        if job.get("trace"):
            traced.append({"before": before, "gradients": gradients, "after": _whole(net)})
        if recorder is not None:
            recorder.batch(range(rank, 12, RANKS))
            recorder.log(loss=torch.nan if job.get("flight") == i + 1 else loss)
        losses.append(loss.detach())
        if job.get("save_at") == i + 1:
            own = optimizer.state_dict() if momentum else {**optimizer.state_dict(), "state": {}}
            torch.save({"model": _local(net), "optimizer": own, "iteration": i + 1}, f"{job['out']}/checkpoint.{rank}")
    if recorder is not None:
        recorder.close()
    left = {"model": _local(net), "losses": losses, "random": torch.get_rng_state()}
    torch.save(left, f"{job['out']}/left.{rank}")
    if rank == 0 and traced:
        torch.save(traced, f"{job['out']}/trace")
    dist.barrier()
    dist.destroy_process_group()


class Replayed(torch.optim.Optimizer):
    """Steps to the weights that a training had after each of its steps."""

    def __init__(self, net: nn.Module, traced: list[dict[str, dict[str, torch.Tensor]]]) -> None:
        super().__init__(net.parameters(), {"lr": 0.2})
        self._net, self._traced = net, traced

    def begin(self) -> None:
        """Take the weights and gradients before the next step."""
        for name, parameter in self._net.named_parameters():
            parameter.data.copy_(self._traced[0]["before"][name])
            parameter.grad = self._traced[0]["gradients"][name]

    def step(self, closure: Any = None) -> None:
        after = self._traced.pop(0)["after"]
        with torch.no_grad():
            for name, parameter in self._net.named_parameters():
                parameter.copy_(after[name])


def replay(trace: Path, run: Path) -> None:
    """What one process alone records of a training whose weights are known."""
    traced = torch.load(trace, weights_only=True)
    net = Net()
    optimizer = Replayed(net, list(traced))
    optimizer.begin()
    with Recorder(run, net, optimizer, validation=Held(), every=EVERY, strict=True):
        for _ in traced:
            optimizer.begin()
            optimizer.step()


def _local(net: nn.Module) -> dict[str, torch.Tensor]:
    """This process' part of every parameter."""
    found = {name: getattr(p, "to_local", p.detach)() for name, p in net.named_parameters()}
    return {name: part.detach().clone() for name, part in found.items()}


def _restore(net: nn.Module, state: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, p in net.named_parameters():
            (p.to_local() if hasattr(p, "to_local") else p).copy_(state[name])


def _whole(net: nn.Module, *, gradients: bool = False) -> dict[str, torch.Tensor]:
    """Every parameter, or its gradient, whole; all processes take part."""
    found = {name: p.grad if gradients else p.detach() for name, p in net.named_parameters()}
    return {name: (t.full_tensor() if hasattr(t, "full_tensor") else t).clone() for name, t in found.items()}  # type: ignore[union-attr]


class Processes:
    """The process that forks trainings, as a test sees it."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        self._parent = subprocess.Popen(
            [sys.executable, os.fspath(Path(__file__))],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, out: Path, **job: Any) -> list[int]:
        """Begin a job that leaves its files in a new folder; the ids of its processes by rank."""
        out.mkdir()
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps({"out": os.fspath(out), **job}, default=os.fspath) + "\n")
        self._parent.stdin.flush()
        found: list[int] = self._line()
        return found

    def ended(self) -> list[int]:
        """Wait for the end of its processes: their exit codes by rank."""
        found: list[int] = self._line()
        return found

    def done(self, out: Path, **job: Any) -> Path:
        """Run a job that ends well; the folder with what it has left."""
        self.start(out, **job)
        codes = self.ended()
        assert codes == [0] * RANKS, codes
        return out

    def close(self) -> None:
        """End it."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()

    def _line(self) -> Any:
        assert self._parent.stdout is not None
        return json.loads(self._parent.stdout.readline())


def _fork(rank: int, job: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work(rank, job)
        os._exit(0)
    except BaseException as error:
        if not job.get("is_killed"):
            print(f"rank {rank}: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def _wait(children: list[int]) -> list[int]:
    codes: dict[int, int] = {}
    deadline = None
    while len(codes) < len(children):
        for child in children:
            if child not in codes:
                found, status = os.waitpid(child, os.WNOHANG)
                if found:
                    codes[child] = os.waitstatus_to_exitcode(status)
        if deadline is None and any(codes.values()):
            deadline = time.monotonic() + PATIENCE_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            for child in set(children) - set(codes):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
            deadline = None
        time.sleep(0.005)
    return [codes[child] for child in children]


def main() -> None:
    """Do the jobs that come."""
    torch.set_num_threads(1)
    warm = nn.Linear(2, 2)
    torch.optim.SGD(warm.parameters(), lr=0.01).step()  # imports half of torch: here once, and not in every child
    for line in sys.stdin:
        job = json.loads(line)
        children = [_fork(rank, job) for rank in range(RANKS)]
        print(json.dumps(children), flush=True)
        print(json.dumps(_wait(children)), flush=True)


if __name__ == "__main__":
    main()
