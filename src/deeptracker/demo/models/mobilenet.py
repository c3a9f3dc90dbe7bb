"""Few weights: Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks (2018).

1. An inverted residual widens its input with a 1x1 convolution (expand), looks at each channel alone with a 3x3
   (depthwise: a filter of 9 weights), and leaves few channels with another 1x1 (project), after which there is no ReLU.
   The way around leads from few channels to few channels, and exists where neither side nor channels change.
2. The first block does not expand; the others expand 6 times, as in the paper's table 2. Three stages instead of
   seven, and 64 channels before the classifier instead of 1280.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from deeptracker.demo.models.parts import convolution, initialise, named, stem_stride

STEM_CHANNELS = 16
LAST_CHANNELS = 64


class Stage(NamedTuple):
    """Channels that its blocks leave, how far they expand, how many there are, and the stride of the first."""

    channels: int
    expansion: int
    blocks: int
    stride: int


STAGES = (Stage(8, 1, 1, 1), Stage(12, 6, 2, 2), Stage(16, 6, 2, 2))


class InvertedResidual(nn.Module):
    """float (n, channels_in, h, w) -> (n, channels_out, h/stride, ...)."""

    def __init__(self, channels_in: int, channels_out: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        width = expansion * channels_in
        self.expand: nn.Module | None = None
        if expansion > 1:
            self.expand, self.norm_expand = convolution(channels_in, width, 1)
        self.depthwise, self.norm_depthwise = convolution(width, width, 3, stride=stride, groups=width)
        self.project, self.norm_project = convolution(width, channels_out, 1)
        self.has_way_around = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else functional.relu6(self.norm_expand(self.expand(x)))
        wide = functional.relu6(self.norm_depthwise(self.depthwise(wide)))
        narrow: Tensor = self.norm_project(self.project(wide))
        return x + narrow if self.has_way_around else narrow


class MobileNet(nn.Sequential):
    """float (n, channels, h, w), any h and w from 4 and `side` the shorter -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, side: int) -> None:
        super().__init__()
        self.add_module("stem", _convolution_and_relu(channels, STEM_CHANNELS, 3, stride=stem_stride(side)))
        width = STEM_CHANNELS
        for number, stage in enumerate(STAGES, start=1):
            self.add_module(f"stage{number}", _stage(width, stage))
            width = stage.channels
        self.add_module("head", _convolution_and_relu(width, LAST_CHANNELS, 1))
        classifier = named(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(LAST_CHANNELS, classes))
        self.add_module("classifier", classifier)
        initialise(self)


def _stage(channels_in: int, stage: Stage) -> nn.Sequential:
    blocks = nn.Sequential()
    for number in range(1, stage.blocks + 1):
        stride = stage.stride if number == 1 else 1
        block = InvertedResidual(channels_in, stage.channels, expansion=stage.expansion, stride=stride)
        blocks.add_module(f"block{number}", block)
        channels_in = stage.channels
    return blocks


def _convolution_and_relu(channels_in: int, channels_out: int, size: int, *, stride: int = 1) -> nn.Sequential:
    conv, norm = convolution(channels_in, channels_out, size, stride=stride)
    return named(conv=conv, norm=norm, relu=nn.ReLU6())
