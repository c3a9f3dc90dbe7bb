"""What does a flight recorder cost each step of a training, which it measures all of?

    python benchmarks/flight.py                  # ResNet-20 and ResNet-50 on the processor; on a GPU where there is one
    python benchmarks/flight.py --networks resnet20 --rounds 30

1. The same training, with the recorder and a flight of 200 iterations, with the recorder alone, and with neither. No
   dump is made meanwhile, so what is left is what every iteration costs.
2. Steps of the three are taken in turns, in an order that changes, in one process: so whatever else the machine does
   meets all of them. The ratio is that of the medians; the spread of steps that do nothing more is given beside it.
3. On the processor: ResNet-20 (He et al. 2016, section 4.2), 32 x 32 pixels, batch 128; ResNet-50 at 224 x 224 in
   batches of 8: the flight costs the same whatever the batch is, so of a larger one it is a smaller share.
4. On a GPU: ResNet-50 at batch 128, in float32 as torch has it and in bfloat16 with channels last. Many steps in a row
   are timed together, and the device is waited for at their end only.
5. The limit is to read weights, gradients and the weights before once, and to copy the weights.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import ResNet50  # noqa: E402
from deeptracker.record.flight_ring import Ring, ring_bytes  # noqa: E402
from deeptracker.record.network import weighted_layers  # noqa: E402
from deeptracker.record.recorder import Recorder  # noqa: E402

FLIGHT = 200
BATCH = 128
CHUNK = 20
"""Steps on a GPU that are timed together."""

Step = Callable[[], None]


class BasicBlock(nn.Module):
    """Two convolutions and the way around, which is a convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.around = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.around.extend([nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.around(x)).relu()


def resnet20() -> nn.Module:
    """float (n, 3, 32, 32) -> logits (n, 10)."""
    blocks = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(BasicBlock(*block) for block in blocks),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )


def training(
    make: Callable[[], nn.Module], side: int, batch: int, device: str, half: bool
) -> tuple[nn.Module, Any, Step]:
    """A model, its optimizer, and a step of its training on random images."""
    torch.manual_seed(0)
    model = make().to(device)
    images = torch.randn(batch, 3, side, side, device=device)
    if half:
        model, images = (x.to(memory_format=torch.channels_last) for x in (model, images))
    labels = torch.randint(0, 10, (batch,), device=device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=half):
            loss = nn.functional.cross_entropy(model(images).float(), labels)
        loss.backward()
        optimizer.step()

    return model, optimizer, step


def of_a_network(
    name: str, make: Callable[[], nn.Module], side: int, batch: int, device: str, half: bool, rounds: int
) -> None:
    """Print what a step costs without, with the recorder, and with a flight."""
    steps: dict[str, Step] = {}
    with tempfile.TemporaryDirectory() as folder:
        recorders = []
        for what in ("nothing", "recorder", "flight"):
            model, optimizer, steps[what] = training(make, side, batch, device, half)
            if what != "nothing":
                options = {"flight": FLIGHT} if what == "flight" else {}
                recorders.append(Recorder(f"{folder}/{what}", model, optimizer, every=10**9, index=False, **options))
        seconds = timed_in_turns(steps, device, rounds)
        for recorder in recorders:
            recorder.close()
    layers = weighted_layers(model)
    weights = sum(layer.weight.numel() for layer in layers)
    filters = sum(layer.layer.filters for layer in layers)
    kind = "bfloat16, channels last" if half else "float32"
    where = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"\n{name}, batch {batch}, {side} x {side}, {kind}, {where}")
    print(f"  {len(layers)} layers, {filters:,} filters, {weights / 1e6:.1f} M weights")
    print(f"  a flight of {FLIGHT} iterations takes {ring_bytes(layers, FLIGHT) / 1e6:.1f} MB")
    base = statistics.median(seconds["nothing"])
    for what, taken in seconds.items():
        middle, quarters = statistics.median(taken), statistics.quantiles(taken, n=4)
        more = "" if what == "nothing" else f"{100 * (middle / base - 1):+8.2f} %"
        spread = 100 * (quarters[2] - quarters[0]) / 2 / middle
        print(f"  a step with {what:<10} {1e3 * middle:10.2f} ms {more:>12}   (half of all within {spread:.1f} %)")
    alone, limit = flight_alone(layers, device, rounds)
    print(f"  the flight's own work {1e3 * alone:10.2f} ms {100 * alone / base:+10.2f} %   of a step")
    print(f"    {alone / limit:.1f} x of reading weights, gradients, weights before, and copying weights once")


def timed_in_turns(steps: dict[str, Step], device: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of a step of each, taken in turns."""
    repeats = CHUNK if device == "cuda" else 1
    seconds: dict[str, list[float]] = {what: [] for what in steps}
    for step in steps.values():
        timed(step, device, 2)
    order = list(steps)
    for _ in range(rounds):
        order = order[1:] + order[:1]
        for what in order:
            seconds[what].append(timed(steps[what], device, repeats))
    return seconds


def timed(step: Step, device: str, repeats: int) -> float:
    """Seconds of one of so many steps in a row."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def flight_alone(layers: Any, device: str, rounds: int) -> tuple[float, float]:
    """Median seconds of what a flight does in a step, and of touching the same memory once."""
    ring = Ring(layers, FLIGHT)
    copies = [layer.weight.detach().clone() for layer in layers]
    iteration = iter(range(10**9))

    def work() -> None:
        ring.begin()
        ring.gradients(None, lambda weight: True)
        ring.complete(next(iteration), [])

    def touch() -> None:
        for layer, before in zip(layers, copies, strict=True):
            before.copy_(layer.weight.detach())
            for tensor in (layer.weight.detach(), layer.weight.grad, before):
                assert tensor is not None
                tensor.sum()

    seconds = timed_in_turns({"work": work, "touch": touch}, device, max(rounds, 10))
    return statistics.median(seconds["work"]), statistics.median(seconds["touch"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", default=["resnet20", "resnet50"])
    parser.add_argument("--rounds", type=int, default=15, help="steps of each that are timed (of ResNet-50 a fifth)")
    asked = parser.parse_args()
    torch.set_num_threads(min(2, torch.get_num_threads()))
    if "resnet20" in asked.networks:
        of_a_network("ResNet-20", resnet20, 32, BATCH, "cpu", False, asked.rounds)
    if "resnet50" in asked.networks:
        of_a_network("ResNet-50", ResNet50, 224, 8, "cpu", False, max(4, asked.rounds // 5))
        if torch.cuda.is_available():
            for half in (False, True):
                of_a_network("ResNet-50", ResNet50, 224, BATCH, "cuda", half, asked.rounds)
        else:
            print("\nno GPU here: ResNet-50 at batch 128 was not measured")


if __name__ == "__main__":
    main()
