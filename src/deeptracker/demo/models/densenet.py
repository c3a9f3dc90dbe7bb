"""Each layer sees all before it: Huang et al., Densely Connected Convolutional Networks (2017).

1. In a dense block every layer takes the concatenation of the block's input and all that the layers before it made,
   and adds `growth` channels of its own. Norm and ReLU come before a convolution, not after.
2. This is DenseNet-BC: a 1x1 convolution to 4 times the growth comes before each 3x3 (bottleneck), and a transition
   between two blocks leaves half of the channels (compression) and half of the side.
3. Three blocks, as in the paper for CIFAR, of two to four layers and a growth of 8. The names are those that people
   know from torchvision (`denseblock1.denselayer1.conv1`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from deeptracker.demo.models.parts import convolution, initialise, named, stem_stride

GROWTH = 8
LAYERS = (2, 3, 4)
BOTTLENECK = 4


class DenseLayer(nn.Module):
    """What all layers before made -> `growth` channels more: float (n, channels_in, h, w) -> (n, growth, h, w)."""

    def __init__(self, channels_in: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1, self.norm2 = convolution(channels_in, BOTTLENECK * growth, 1)
        self.conv2 = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(functional.relu(self.norm1(x)))
        made: Tensor = self.conv2(functional.relu(self.norm2(x)))
        return made


class DenseBlock(nn.Module):
    """float (n, channels_in, h, w) -> (n, channels_in + layers * growth, h, w)."""

    def __init__(self, channels_in: int, layers: int, growth: int) -> None:
        super().__init__()
        for index in range(layers):
            self.add_module(f"denselayer{index + 1}", DenseLayer(channels_in + index * growth, growth))

    def forward(self, x: Tensor) -> Tensor:
        made = [x]
        for layer in self.children():
            made.append(layer(torch.cat(made, dim=1)))
        return torch.cat(made, dim=1)


class DenseNet(nn.Sequential):
    """float (n, channels, h, w), any h and w from 4 and `side` the shorter -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, side: int) -> None:
        width = 2 * GROWTH
        conv0 = nn.Conv2d(channels, width, 3, stride=stem_stride(side), padding=1, bias=False)
        blocks, width = dense_blocks(width, LAYERS, GROWTH)
        last = {"norm": nn.BatchNorm2d(width), "relu": nn.ReLU(), "pool": nn.AdaptiveAvgPool2d(1)}
        classifier = {"flatten": nn.Flatten(), "fc": nn.Linear(width, classes)}
        super().__init__(OrderedDict(conv0=conv0, **blocks, **last, **classifier))
        initialise(self)


def dense_blocks(channels: int, layers: Sequence[int], growth: int) -> tuple[dict[str, nn.Module], int]:
    """denseblock1, transition1, denseblock2, ... with so many layers each, and the channels after the last."""
    made: dict[str, nn.Module] = {}
    for number, layers_of_block in enumerate(layers, start=1):
        made[f"denseblock{number}"] = DenseBlock(channels, layers_of_block, growth)
        channels += layers_of_block * growth
        if number < len(layers):
            made[f"transition{number}"] = _transition(channels)
            channels //= 2
    return made, channels


def _transition(channels: int) -> nn.Sequential:
    """Half of the channels, half of the side."""
    conv = nn.Conv2d(channels, channels // 2, 1, bias=False)
    return named(norm=nn.BatchNorm2d(channels), relu=nn.ReLU(), conv=conv, pool=nn.AvgPool2d(2))
