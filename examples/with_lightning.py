"""A training of Lightning, recorded by one callback, that goes on where it was stopped.

    python examples/with_lightning.py    # stop it, run it again
    deeptracker serve runs/

Checkpoints know the iteration: the training that goes on from one goes on in the same run.
"""

from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import deeptracker

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)


class Digits(lightning.LightningModule):
    """A small network and how it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()
        )
        self.head = nn.Linear(16 * 64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).flatten(1))

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


lightning.seed_everything(0, verbose=False)
last = Path("runs/lightning-checkpoints/last.ckpt")
trainer = lightning.Trainer(
    max_epochs=4,
    accelerator="cpu",
    logger=False,
    enable_progress_bar=False,
    callbacks=[
        deeptracker.LightningCallback("runs/lightning", every=5),
        ModelCheckpoint(last.parent, save_last=True),
    ],
)
trainer.fit(
    Digits(),
    DataLoader(TensorDataset(images[:1200], labels[:1200]), batch_size=64, shuffle=True),
    DataLoader(TensorDataset(images[1200:], labels[1200:]), batch_size=256),
    ckpt_path=last if last.exists() else None,
)
