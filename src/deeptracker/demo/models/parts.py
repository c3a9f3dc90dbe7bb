"""What are the demo's networks made of? Convolutions without bias, the norms after them, and their first weights."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import nn

HALVED_FROM_PIXELS = 48


def stem_stride(side: int) -> int:
    """Stride of a network's first convolution: it halves images of 48 pixels and more, for a CPU's sake."""
    return 2 if side >= HALVED_FROM_PIXELS else 1


def convolution(
    channels_in: int, channels_out: int, size: int, *, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution that keeps the side but for its stride, and the norm that comes after it."""
    padding = size // 2
    conv = nn.Conv2d(channels_in, channels_out, size, stride=stride, padding=padding, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(channels_out)


def named(**modules: nn.Module) -> nn.Sequential:
    """Modules one after the other, by these names."""
    return nn.Sequential(OrderedDict(modules))


def initialise(model: nn.Module) -> None:
    """Convolutions get normal weights of variance 2 / fan-out (He et al., Delving Deep into Rectifiers, 2015)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels // module.groups * math.prod(module.kernel_size)
            nn.init.normal_(module.weight, std=math.sqrt(2) / math.sqrt(fan_out))
