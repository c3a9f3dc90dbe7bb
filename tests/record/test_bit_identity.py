"""Is training with the recorder the same, bit for bit, as training without it?"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from deeptracker.record.recorder import Recorder

CLASSES = 5


class Augmented(Dataset[Any]):
    """Images that are shifted and made noisy with every generator that people use, one of its own among them."""

    def __init__(self, n: int, seed: int, *, augment: bool) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.images = torch.randn(n, 3, 8, 8, generator=generator)
        self.labels = torch.randint(0, CLASSES, (n,), generator=generator)
        self.augment = augment
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = self.images[index]
        if self.augment:
            image = image + 0.1 * torch.rand(()) + float(np.random.rand()) * 0.1 + float(self.rng.random()) * 0.1
            if random.random() < 0.5:
                image = image.flip(2)
        return image, int(self.labels[index])


class CountsForwards(nn.Module):
    """Changes a buffer in eval mode as well, which training must not see."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * (1 + 1e-3 * self.calls)


def make_model(*, dropout: bool) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Dropout(0.3 if dropout else 0.0),
        nn.Conv2d(6, 8, 3, padding=1, groups=2),
        nn.BatchNorm2d(8),
        CountsForwards(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, CLASSES),
    )


def make_optimizer(kind: str, model: nn.Module, *, groups: bool) -> torch.optim.Optimizer:
    parameters: Any = model.parameters()
    if groups:
        decayed = [p for p in model.parameters() if p.ndim > 1]
        parameters = [{"params": decayed}, {"params": [p for p in model.parameters() if p.ndim == 1], "lr": 0.02}]
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=1e-3)
    return torch.optim.Adam(parameters, lr=0.003)


def train(run: Path | None, kind: str, case: str, every: int) -> dict[str, Any]:
    """Everything that training could leave behind, after two epochs."""
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    model = make_model(dropout=case != "plain")
    optimizer = make_optimizer(kind, model, groups=case == "groups")
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5) if case == "groups" else None
    model[5].eval()  # a frozen batch norm: flags are put back one by one
    shared = torch.Generator().manual_seed(4)
    data = Augmented(40, 5, augment=case == "augmented")
    loader = DataLoader(data, batch_size=8, shuffle=True, generator=shared)
    held_out = Augmented(23, 6, augment=case == "augmented")
    validation = DataLoader(held_out, batch_size=8, generator=shared)
    recorder = Recorder(run, model, optimizer, validation=validation, every=every, strict=True) if run else None
    losses, flags = [], []
    for _ in range(2):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if scheduler:
                scheduler.step()
            if recorder:
                recorder.log(loss=loss)
            losses.append(loss.detach().clone())
            flags.append([module.training for module in model.modules()])
        if recorder:
            recorder.validate()
    if recorder:
        recorder.close()
    return {
        "losses": torch.stack(losses),
        "flags": flags,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "torch": torch.get_rng_state(),
        "shared": shared.get_state(),
        "numpy": repr(np.random.get_state()),
        "python": random.getstate(),
        "own": [held_out.rng.bit_generator.state, data.rng.bit_generator.state],
        "gradients": [p.grad for p in model.parameters()],
    }


def assert_same(a: Any, b: Any, where: str = "") -> None:
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype, where
        assert a.numpy().tobytes() == b.numpy().tobytes(), where
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    else:
        assert a == b, where


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("case", ["plain", "augmented", "groups"])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_training_is_bit_identical_with_and_without_the_recorder(
    tmp_path: Path, kind: str, case: str, every: int
) -> None:
    assert_same(train(None, kind, case, every), train(tmp_path / "run", kind, case, every))


def test_the_comparison_sees_a_single_random_number_drawn() -> None:
    before = {"torch": torch.get_rng_state()}
    torch.rand(())
    with pytest.raises(AssertionError, match="torch"):
        assert_same(before, {"torch": torch.get_rng_state()})


def test_state_dict_of_the_optimizer_has_nothing_of_the_recorder(tmp_path: Path) -> None:
    import copy
    import pickle

    model = make_model(dropout=False)
    optimizer = make_optimizer("sgd", model, groups=False)
    before = optimizer.state_dict()
    with Recorder(tmp_path / "run", model, optimizer, strict=True):
        assert_same(before, optimizer.state_dict())
        assert_same(before, pickle.loads(pickle.dumps(optimizer)).state_dict())
        assert_same(before, copy.deepcopy(optimizer).state_dict())
