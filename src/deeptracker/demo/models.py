"""Which small networks does the demo train?

1. `resnet8`, `resnet14`, `resnet20`: the residual networks for small images of He et al., Deep Residual Learning for
   Image Recognition (2016), section 4.2: three stages of 16, 32 and 64 channels with 1, 2 or 3 blocks each, and 1x1
   convolutions where a shortcut changes its shape. The names of the modules are those that people know from
   torchvision (`layer1.0.conv1`), so network > stage > block > layer reads off them.
2. `convnet`: three convolutions in a row, for comparison.
3. Images of 48 pixels and more are halved by the first convolution, which keeps a CPU's time within bounds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from deeptracker.demo.recipes import MODEL_NAMES

WIDTH = 16
HALVED_FROM_PIXELS = 48


class Block(nn.Module):
    """Two 3x3 convolutions and a way around them: float (n, channels_in, h, w) -> (n, channels_out, h/stride, ...)."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels_in, channels_out, stride=stride)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = _conv3x3(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        around = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + around)


class ResNet(nn.Module):
    """float (n, channels, h, w), any h and w from 4 -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, blocks: int, stem_stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels, WIDTH, stride=stem_stride)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.layer1 = _stage(WIDTH, WIDTH, blocks, stride=1)
        self.layer2 = _stage(WIDTH, 2 * WIDTH, blocks, stride=2)
        self.layer3 = _stage(2 * WIDTH, 4 * WIDTH, blocks, stride=2)
        self.fc = nn.Linear(4 * WIDTH, classes)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


class ConvNet(nn.Module):
    """float (n, channels, h, w), any h and w from 4 -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, stem_stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels, WIDTH, stride=stem_stride)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.conv2 = _conv3x3(WIDTH, 2 * WIDTH, stride=2)
        self.bn2 = nn.BatchNorm2d(2 * WIDTH)
        self.conv3 = _conv3x3(2 * WIDTH, 4 * WIDTH, stride=2)
        self.bn3 = nn.BatchNorm2d(4 * WIDTH)
        self.fc = nn.Linear(4 * WIDTH, classes)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        x = functional.relu(self.bn3(self.conv3(x)))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


def make_model(name: str, channels: int, classes: int, side: int, *, seed: int = 0) -> nn.Module:
    """A new network for images of `channels` and (shorter) `side` pixels. ValueError, listing the names, if unknown.

    The same seed gives the same weights, whatever was drawn from torch's random numbers before; they are left alone.
    """
    if name not in MODEL_NAMES:
        raise ValueError(f"model must be one of {', '.join(MODEL_NAMES)}. Got {name!r}.")
    stem_stride = 2 if side >= HALVED_FROM_PIXELS else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "convnet":
            return ConvNet(channels, classes, stem_stride=stem_stride)
        depth = int(
            name.removeprefix("resnet")
        )  # 6 blocks + 2: two layers a block in three stages, the first, the last
        return ResNet(channels, classes, blocks=(depth - 2) // 6, stem_stride=stem_stride)


def _conv3x3(channels_in: int, channels_out: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)


def _stage(channels_in: int, channels_out: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = Block(channels_in, channels_out, stride=stride)
    return nn.Sequential(first, *(Block(channels_out, channels_out, stride=1) for _ in range(blocks - 1)))


def _initialise(model: nn.Module) -> None:
    """Normal weights of variance 2 / fan-out (He et al., Delving Deep into Rectifiers, 2015)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
