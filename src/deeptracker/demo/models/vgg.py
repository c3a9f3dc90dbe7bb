"""A deep chain: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition (2015).

1. Blocks of 3x3 convolutions only, the channels doubled from block to block, maximum pooling after each.
2. Batch normalisation after each layer but the last (Ioffe and Szegedy 2015), without which it does not train at the
   demo's learning rates.
3. Three blocks instead of five, of 16 to 64 channels instead of 64 to 512, as images are small. The last pooling leaves
   2x2 pixels whatever the side, so two linear layers stand for the paper's three. No dropout: it draws from torch's
   global random numbers, and a seed would not give the same run twice.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from deeptracker.demo.models.parts import convolution, initialise, named, stem_stride

WIDTH = 16
LAST_SIDE = 2


class VGG(nn.Module):
    """float (n, channels, h, w), any h and w from 4 and `side` the shorter -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, side: int) -> None:
        super().__init__()
        self.features = named(
            block1=_block(channels, WIDTH, 2, stride=stem_stride(side)),
            pool1=nn.MaxPool2d(2),
            block2=_block(WIDTH, 2 * WIDTH, 2),
            pool2=nn.MaxPool2d(2),
            block3=_block(2 * WIDTH, 4 * WIDTH, 3),
            pool3=nn.AdaptiveMaxPool2d(LAST_SIDE),
        )
        self.classifier = named(
            flatten=nn.Flatten(),
            fc1=nn.Linear(4 * WIDTH * LAST_SIDE**2, 4 * WIDTH),
            norm=nn.BatchNorm1d(4 * WIDTH),
            relu=nn.ReLU(),
            fc2=nn.Linear(4 * WIDTH, classes),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x))
        return logits


def _block(channels_in: int, channels_out: int, convolutions: int, *, stride: int = 1) -> nn.Sequential:
    """conv1, conv2 ...; the first takes `channels_in` and has the stride."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in range(1, convolutions + 1):
        conv, norm = convolution(channels_in, channels_out, 3, stride=stride)
        layers |= {f"conv{number}": conv, f"norm{number}": norm, f"relu{number}": nn.ReLU()}
        channels_in, stride = channels_out, 1
    return nn.Sequential(layers)
