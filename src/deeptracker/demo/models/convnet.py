"""What does a network without shortcuts do? Three convolutions in a row, for comparison with `resnet8`."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from deeptracker.demo.models.parts import convolution, initialise, stem_stride

WIDTH = 16


class ConvNet(nn.Module):
    """float (n, channels, h, w), any h and w from 4 and `side` the shorter -> logits (n, classes)."""

    def __init__(self, channels: int, classes: int, *, side: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(channels, WIDTH, 3, stride=stem_stride(side))
        self.conv2, self.bn2 = convolution(WIDTH, 2 * WIDTH, 3, stride=2)
        self.conv3, self.bn3 = convolution(2 * WIDTH, 4 * WIDTH, 3, stride=2)
        self.fc = nn.Linear(4 * WIDTH, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        x = functional.relu(self.bn3(self.conv3(x)))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits
