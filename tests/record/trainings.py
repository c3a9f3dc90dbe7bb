"""Trainings as people really run them, small: what docs/trainings.md has a row for.

A recipe makes a `Training`, whose `step(i)` does what a user's loop does for batch i; `recorded.py` runs them.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

CLASSES = 3
BATCH = 12
CHANGED_AT = 3
"""The batch at which something happens: an overflow, a thaw, a layer more."""


@dataclass
class Training:
    """`kept` has further state than model and optimizers; `after` tells iterations from batches done."""

    model: nn.Module
    optimizers: list[torch.optim.Optimizer]
    step: Callable[[int], Tensor]
    kept: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    after: Callable[[int], int] = lambda batches: batches
    rebuild: Callable[[int], None] = lambda batches: None

    @property
    def stateful(self) -> dict[str, Any]:
        return {"model": self.model, **{f"optimizer{i}": o for i, o in enumerate(self.optimizers)}, **self.kept}


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(144, CLASSES)
    )


def batch(i: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1000 + i)
    labels = torch.randint(0, CLASSES, (BATCH,), generator=generator)
    return torch.randn(BATCH, 1, 8, 8, generator=generator) + labels[:, None, None, None], labels


def sgd(model: nn.Module, **arguments: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, **arguments)


def loss_of(model: nn.Module, i: int) -> Tensor:
    images, labels = batch(i)
    first = next(parameter for parameter in model.parameters() if parameter.is_floating_point())
    return cross_entropy(model(images.to(first.dtype)), labels)


def simple(model: nn.Module, optimizer: torch.optim.Optimizer, **more: Any) -> Training:
    def step(i: int) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, i)
        loss.backward()
        optimizer.step()
        return loss

    return Training(model, [optimizer], step, **more)


def plain() -> Training:
    """Plain"""
    model = network()
    return simple(model, sgd(model))


def _scaled(*, fused: bool) -> Training:
    model = network()
    optimizer = sgd(model, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def step(i: int) -> Tensor:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model, i)
        scaler.scale(loss * (torch.inf if i == CHANGED_AT else 1)).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    return Training(
        model, [optimizer], step, {"scaler": scaler}, after=lambda batches: batches - (batches > CHANGED_AT)
    )


def mixed_precision() -> Training:
    """Mixed precision, `GradScaler`; one step skipped"""
    return _scaled(fused=False)


def mixed_precision_fused() -> Training:
    """The same, with a fused optimizer that unscales and skips by itself"""
    return _scaled(fused=True)


def accumulation() -> Training:
    """Gradients of two batches accumulated"""
    model = network()
    optimizer = sgd(model)

    def step(i: int) -> Tensor:
        if i % 2 == 0:
            optimizer.zero_grad()
        loss = loss_of(model, i) / 2
        loss.backward()
        if i % 2:
            optimizer.step()
        return loss

    return Training(model, [optimizer], step, after=lambda batches: batches // 2)


def clipping() -> Training:
    """Gradients clipped by norm, learning rate warmed up"""
    model = network()
    optimizer = sgd(model)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=4)

    def step(i: int) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, i)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        optimizer.step()
        scheduler.step()
        return loss

    return Training(model, [optimizer], step, {"scheduler": scheduler})


def several_optimizers() -> Training:
    """Two optimizers, one of which steps twice an iteration"""
    model = network()
    body = torch.optim.Adam(model[0].parameters(), lr=0.01)
    head = torch.optim.SGD([*model[1].parameters(), *model[5].parameters()], lr=0.05)

    def step(i: int) -> Tensor:
        for optimizer in (body, body, head):
            optimizer.zero_grad()
            loss = loss_of(model, i)
            loss.backward()
            optimizer.step()
        return loss

    return Training(model, [body, head], step)


def _averaged(*, measured: bool) -> Training:
    model = network()
    optimizer = sgd(model)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True)

    def step(i: int) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, i)
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        return loss

    if measured:
        return Training(average, [optimizer], step, {"trained": model})
    return Training(model, [optimizer], step, {"average": average}, {"validation_model": average})


def ema_validated() -> Training:
    """Moving average of the weights, validated"""
    return _averaged(measured=False)


def ema_measured() -> Training:
    """Moving average of the weights, measured and validated"""
    return _averaged(measured=True)


def compiled() -> Training:
    """`torch.compile`"""
    model = network()
    optimizer = sgd(model)
    training = simple(torch.compile(model, backend="aot_eager"), optimizer)
    return Training(model, [optimizer], training.step)


def channels_last() -> Training:
    """Weights in `channels_last`"""
    model = network().to(memory_format=torch.channels_last)
    return simple(model, sgd(model))


def bfloat16() -> Training:
    """Weights in bfloat16"""
    model = network().to(torch.bfloat16)
    return simple(model, sgd(model))


def float16() -> Training:
    """Weights in float16"""
    model = network().to(torch.float16)
    return simple(model, sgd(model))


def thawed() -> Training:
    """A frozen layer, thawed later"""
    model = network()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05, momentum=0.9)

    def thaw() -> None:
        model[0].requires_grad_(True)
        optimizer.add_param_group({"params": list(model[0].parameters())})

    def step(i: int) -> Tensor:
        if i == CHANGED_AT:
            thaw()
        optimizer.zero_grad()
        loss = loss_of(model, i)
        loss.backward()
        optimizer.step()
        return loss

    return Training(model, [optimizer], step, rebuild=lambda batches: thaw() if batches > CHANGED_AT else None)


def _restructured(change: Callable[[nn.Sequential], None], *, narrow: bool = False) -> Training:
    model = network()
    if narrow:
        model[5] = nn.Sequential(nn.Linear(144, 8), nn.Linear(8, CLASSES))
    optimizer = sgd(model)

    def restructure() -> None:
        before = {id(parameter) for parameter in model.parameters()}
        change(model)
        new = [parameter for parameter in model.parameters() if id(parameter) not in before]
        optimizer.add_param_group({"params": new})

    def step(i: int) -> Tensor:
        if i == CHANGED_AT:
            restructure()
        optimizer.zero_grad()
        loss = loss_of(model, i)
        loss.backward()
        optimizer.step()
        return loss

    return Training(model, [optimizer], step, rebuild=lambda n: restructure() if n > CHANGED_AT else None)


def layer_added() -> Training:
    """A layer added in mid-training"""

    def change(model: nn.Sequential) -> None:
        model[2] = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())

    return _restructured(change)


def layer_removed() -> Training:
    """Two layers replaced by one in mid-training"""

    def change(model: nn.Sequential) -> None:
        model[5] = nn.Linear(144, CLASSES)

    return _restructured(change, narrow=True)


def parameters_exchanged() -> Training:
    """A layer's parameters replaced by others of the same shape"""

    def change(model: nn.Sequential) -> None:
        model[5] = nn.Linear(144, CLASSES)

    return _restructured(change)


def not_a_number() -> Training:
    """Weights become NaN"""
    model = network()
    optimizer = sgd(model)

    def step(i: int) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, i) * (torch.nan if i == CHANGED_AT else 1)
        loss.backward()
        optimizer.step()
        return loss

    return Training(model, [optimizer], step)


def copied_optimizer() -> Training:
    """Optimizer pickled and deep-copied, copies stepped"""
    model = network()
    optimizer = sgd(model)

    def step(i: int) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, i)
        loss.backward()
        if i == CHANGED_AT:
            others = copy.deepcopy((model, optimizer)), pickle.loads(pickle.dumps((model, optimizer)))
            for other_model, other_optimizer in others:
                loss_of(other_model, i).backward()
                other_optimizer.step()
        optimizer.step()
        return loss

    return Training(model, [optimizer], step)


RECIPES: tuple[Callable[[], Training], ...] = (
    plain, mixed_precision, mixed_precision_fused, accumulation, clipping, several_optimizers, ema_validated,
    ema_measured, compiled, channels_last, bfloat16, float16, thawed, layer_added, layer_removed, parameters_exchanged,
    not_a_number, copied_optimizer,
)  # fmt: skip
TWO_RUNS = (layer_added, layer_removed)
"""They go on in a run beside the first."""
