"""Branches side by side: Szegedy et al., Going Deeper with Convolutions (2015).

1. An inception block looks at its input in four ways at once: a 1x1 convolution, a 3x3 and a 5x5 each after a 1x1
   that reduces the channels, and maximum pooling with a 1x1 after it. What they find is concatenated.
2. The layers are named as the columns of the paper's table 1 (reduce3x3, conv3x3, ..., project_pool).
3. Two stages of two blocks, maximum pooling between them, and before them too where images are large enough. Norms as
   in Ioffe and Szegedy, Batch Normalization (2015). No auxiliary classifiers: those are for a network twice as deep.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from deeptracker.demo.models.parts import convolution, initialise, named, stem_stride

STEM_CHANNELS = 16
POOLED_FROM_PIXELS = 24


class Widths(NamedTuple):
    """Channels of the layers of a block, a row of the paper's table 1."""

    conv1x1: int
    reduce3x3: int
    conv3x3: int
    reduce5x5: int
    conv5x5: int
    project_pool: int

    @property
    def out(self) -> int:
        """Channels of what the block makes."""
        return self.conv1x1 + self.conv3x3 + self.conv5x5 + self.project_pool


STAGE1 = (Widths(8, 8, 8, 8, 8, 8), Widths(8, 8, 16, 8, 8, 8))
STAGE2 = (Widths(24, 16, 32, 8, 16, 8), Widths(24, 24, 40, 8, 16, 16))


class Block(nn.Module):
    """float (n, channels_in, h, w) -> (n, widths.out, h, w)."""

    def __init__(self, channels_in: int, widths: Widths) -> None:
        super().__init__()
        self.conv1x1, self.norm1x1 = convolution(channels_in, widths.conv1x1, 1)
        self.reduce3x3, self.norm_reduce3x3 = convolution(channels_in, widths.reduce3x3, 1)
        self.conv3x3, self.norm3x3 = convolution(widths.reduce3x3, widths.conv3x3, 3)
        self.reduce5x5, self.norm_reduce5x5 = convolution(channels_in, widths.reduce5x5, 1)
        self.conv5x5, self.norm5x5 = convolution(widths.reduce5x5, widths.conv5x5, 5)
        self.project_pool, self.norm_pool = convolution(channels_in, widths.project_pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        ones = self.norm1x1(self.conv1x1(x))
        reduced = functional.relu(self.norm_reduce3x3(self.reduce3x3(x)))
        threes = self.norm3x3(self.conv3x3(reduced))
        reduced = functional.relu(self.norm_reduce5x5(self.reduce5x5(x)))
        fives = self.norm5x5(self.conv5x5(reduced))
        pooled = functional.max_pool2d(x, 3, stride=1, padding=1)
        projected = self.norm_pool(self.project_pool(pooled))
        return functional.relu(torch.cat([ones, threes, fives, projected], dim=1))


class Inception(nn.Module):
    """float (n, channels, h, w), any h and w from 4 and `side` the shorter -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, side: int) -> None:
        super().__init__()
        conv, norm = convolution(channels, STEM_CHANNELS, 3, stride=stem_stride(side))
        self.stem = named(conv=conv, norm=norm, relu=nn.ReLU())
        if side >= POOLED_FROM_PIXELS:
            self.stem.add_module("pool", _halving())
        self.stage1 = _stage(STEM_CHANNELS, STAGE1)
        self.pool1 = _halving()
        self.stage2 = _stage(STAGE1[-1].out, STAGE2)
        self.fc = nn.Linear(STAGE2[-1].out, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage2(self.pool1(self.stage1(self.stem(x))))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


def _halving() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, padding=1)


def _stage(channels_in: int, rows: tuple[Widths, ...]) -> nn.Sequential:
    stage = nn.Sequential()
    for number, widths in enumerate(rows, start=1):
        stage.add_module(f"inception{number}", Block(channels_in, widths))
        channels_in = widths.out
    return stage
