"""Which small networks does the demo train?

One family a file, each after the paper that it is known by:

1. `resnet8`, `resnet14`, `resnet20`: residual blocks of two 3x3 convolutions; `resnet`: bottlenecks (resnet.py).
2. `convnet`: three convolutions in a row, for comparison (convnet.py).
3. `vgg`: blocks of 3x3 convolutions with poolings between them (vgg.py).
4. `inception`: parallel branches of different sizes, concatenated (inception.py).
5. `densenet`: each layer sees all layers before it (densenet.py).
6. `mobilenet`: inverted residuals with depthwise convolutions (mobilenet.py).

The names of the modules read as network > module > block > layer (`layer1.0.conv1`, `stage2.inception1.conv3x3`), so
that the hierarchy of a recorded run says what stands for what. Images of 48 pixels and more are halved by the first
convolution, which keeps a CPU's time within bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from deeptracker.demo.models.convnet import ConvNet
from deeptracker.demo.models.densenet import DenseNet
from deeptracker.demo.models.inception import Inception
from deeptracker.demo.models.mobilenet import MobileNet
from deeptracker.demo.models.resnet import BottleneckResNet, ResNet
from deeptracker.demo.models.vgg import VGG
from deeptracker.demo.recipes import MODEL_NAMES

_MAKERS: dict[str, Callable[..., nn.Module]] = {
    "resnet8": partial(ResNet, blocks=1),
    "resnet14": partial(ResNet, blocks=2),
    "resnet20": partial(ResNet, blocks=3),
    "resnet": BottleneckResNet,
    "convnet": ConvNet,
    "vgg": VGG,
    "inception": Inception,
    "densenet": DenseNet,
    "mobilenet": MobileNet,
}


def make_model(name: str, channels: int, classes: int, side: int, *, seed: int = 0) -> nn.Module:
    """A new network for images of `channels` and (shorter) `side` pixels. ValueError, listing the names, if unknown.

    It takes float (n, channels, h, w), any h and w from 4, and gives logits (n, classes). The same seed gives the same
    weights, whatever was drawn from torch's random numbers before; they are left alone.
    """
    if name not in _MAKERS:
        raise ValueError(f"model must be one of {', '.join(MODEL_NAMES)}. Got {name!r}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _MAKERS[name](channels, classes, side=side)
