"""Residual networks for small images: He et al., Deep Residual Learning for Image Recognition (2016).

1. `ResNet` is that of section 4.2: three stages of 16, 32 and 64 channels with 1, 2 or 3 blocks of two 3x3
   convolutions each, which make 8, 14 or 20 layers.
2. `BottleneckResNet` has the deeper blocks of figure 5: a 1x1 convolution leaves a fourth of the channels, a 3x3
   works on them, a 1x1 widens them again. Three stages of two, 20 layers.
3. Where a shortcut changes its shape it is a 1x1 convolution (option B). The names of the modules are those that
   people know from torchvision (`layer1.0.conv1`).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from deeptracker.demo.models.parts import convolution, initialise, stem_stride

WIDTH = 16
BOTTLENECK_WIDTH = 8
BOTTLENECKS = 2
EXPANSION = 4


class Block(nn.Module):
    """Two 3x3 convolutions and a way around them: float (n, channels_in, h, w) -> (n, channels_out, h/stride, ...)."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(channels_in, channels_out, 3, stride=stride)
        self.conv2, self.bn2 = convolution(channels_out, channels_out, 3)
        self.downsample = _shortcut(channels_in, channels_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        around = x if self.downsample is None else self.downsample(x)
        return functional.relu(out + around)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution and a way around: float (n, channels_in, h, w) -> (n, 4 width, h/stride, ...).

    The stride is that of the 3x3 convolution, as in Goyal et al., Accurate, Large Minibatch SGD (2017), section 5.1.
    """

    def __init__(self, channels_in: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(channels_in, width, 1)
        self.conv2, self.bn2 = convolution(width, width, 3, stride=stride)
        self.conv3, self.bn3 = convolution(width, EXPANSION * width, 1)
        self.downsample = _shortcut(channels_in, EXPANSION * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = functional.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        around = x if self.downsample is None else self.downsample(x)
        return functional.relu(out + around)


class ResNet(nn.Module):
    """float (n, channels, h, w), any h and w from 4 and `side` the shorter -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, blocks: int, side: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(channels, WIDTH, 3, stride=stem_stride(side))
        self.layer1 = _stage(WIDTH, WIDTH, blocks, stride=1)
        self.layer2 = _stage(WIDTH, 2 * WIDTH, blocks, stride=2)
        self.layer3 = _stage(2 * WIDTH, 4 * WIDTH, blocks, stride=2)
        self.fc = nn.Linear(4 * WIDTH, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


class BottleneckResNet(nn.Module):
    """float (n, channels, h, w), any h and w from 4 and `side` the shorter -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, side: int) -> None:
        super().__init__()
        width = BOTTLENECK_WIDTH
        self.conv1, self.bn1 = convolution(channels, WIDTH, 3, stride=stem_stride(side))
        self.layer1 = bottleneck_stage(WIDTH, width, BOTTLENECKS, stride=1)
        self.layer2 = bottleneck_stage(EXPANSION * width, 2 * width, BOTTLENECKS, stride=2)
        self.layer3 = bottleneck_stage(2 * EXPANSION * width, 4 * width, BOTTLENECKS, stride=2)
        self.fc = nn.Linear(4 * EXPANSION * width, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


def bottleneck_stage(channels_in: int, width: int, bottlenecks: int, *, stride: int) -> nn.Sequential:
    """Bottlenecks one after the other; the first changes side and channels, to 4 times the width."""
    first = Bottleneck(channels_in, width, stride=stride)
    return nn.Sequential(first, *(Bottleneck(EXPANSION * width, width, stride=1) for _ in range(bottlenecks - 1)))


def _stage(channels_in: int, channels_out: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = Block(channels_in, channels_out, stride=stride)
    return nn.Sequential(first, *(Block(channels_out, channels_out, stride=1) for _ in range(blocks - 1)))


def _shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels_in == channels_out:
        return None
    return nn.Sequential(*convolution(channels_in, channels_out, 1, stride=stride))
