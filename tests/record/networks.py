"""Small networks: plain chains, sums and concatenations, and what others are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Net(nn.Module):
    """Modules by name, and a forward pass written as a function of the module and its input."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], **modules: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def conv(inputs: int, outputs: int, size: int = 3, **more: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=more.pop("padding", size // 2), **more)


def conv_bn(inputs: int, outputs: int, size: int = 3, **more: Any) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs, size, bias=False, **more), nn.BatchNorm2d(outputs), nn.ReLU())


def classifier(channels: int, classes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


# Plain chains


def lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 2), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(20, 6), nn.Tanh(), nn.Linear(6, 3)),
    )


def vgg() -> nn.Module:
    features = nn.Sequential(
        *(conv(3, 4), nn.ReLU(inplace=True), conv(4, 4), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(conv(4, 8), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
    )
    return nn.Sequential(features, nn.Flatten(), nn.Linear(32, 9), nn.ReLU(), nn.Dropout(), nn.Linear(9, 3))


def functional_weights() -> nn.Module:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last_weight = nn.Parameter(torch.randn(3, 4))
            self.first_weight = nn.Parameter(torch.randn(4, 3, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, self.first_weight).relu().mean((2, 3)) @ self.last_weight.t()

    return Functional()


def all_convolutional() -> nn.Module:
    return nn.Sequential(conv(3, 4), nn.ReLU(), conv(4, 4, stride=2), nn.ReLU(), conv(4, 3, 1), nn.AdaptiveAvgPool2d(1))


def perceptron() -> nn.Module:
    layers = [nn.Sequential(nn.Linear(192 if i == 0 else 5, 5), nn.LayerNorm(5), nn.GELU()) for i in range(6)]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(5, 3))


def one_dimensional() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.MaxPool1d(2), nn.Conv1d(4, 4, 3), *classifier_1d())


def classifier_1d() -> Sequence[nn.Module]:
    return nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3)


def video() -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, 3, 3), nn.AvgPool3d(2), nn.Flatten(), nn.Linear(24, 2))


# Sums and concatenations


def basic_block(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        around = x if self.shortcut is None else self.shortcut(x)
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        y += around
        return functional.relu(y)

    block = Net(
        forward,
        conv1=conv(inputs, outputs, bias=False, stride=stride),
        bn1=nn.BatchNorm2d(outputs),
        conv2=conv(outputs, outputs, bias=False),
        bn2=nn.BatchNorm2d(outputs),
    )
    changes = stride != 1 or inputs != outputs
    block.shortcut = conv_bn(inputs, outputs, 1, stride=stride)[:2] if changes else None
    return block


def resnet() -> nn.Module:
    return nn.Sequential(conv_bn(3, 4), basic_block(4, 4), basic_block(4, 6, 2), classifier(6))


def preactivated() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        return x + self.conv2(functional.relu(self.bn2(self.conv1(functional.relu(self.bn1(x))))))

    def block() -> nn.Module:
        return Net(forward, bn1=nn.BatchNorm2d(4), conv1=conv(4, 4), bn2=nn.BatchNorm2d(4), conv2=conv(4, 4))

    return nn.Sequential(conv(3, 4), block(), block(), nn.ReLU(), classifier(4))


def padded_shortcut() -> nn.Module:
    """A shortcut without parameters: every other pixel, channels filled up with zeros (He et al. 2016, option A)."""

    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.conv(x) + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1)))

    return Net(forward, stem=conv(3, 4), conv=conv(4, 6, stride=2), head=classifier(6))


def resnext() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(functional.relu(x + self.expand(self.grouped(self.reduce(x)))))

    return Net(
        forward,
        stem=conv_bn(3, 8),
        reduce=conv_bn(8, 4, 1),
        grouped=conv_bn(4, 4, groups=2),
        expand=conv_bn(4, 8, 1),
        head=classifier(8),
    )


def densenet() -> nn.Module:
    def block(self: Any, x: Tensor) -> Tensor:
        found = [x]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return torch.cat(found, 1)

    layers = nn.ModuleList([nn.Sequential(nn.BatchNorm2d(c), nn.ReLU(), conv(c, 2)) for c in (4, 6, 8)])
    transition = nn.Sequential(conv(10, 5, 1), nn.AvgPool2d(2))
    return nn.Sequential(conv(3, 4), Net(block, layers=layers), transition, classifier(5))


def inception() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.stem(x)
        branches = [self.one(x), self.three(self.before_three(x)), self.five(self.before_five(x))]
        return self.head(torch.cat([*branches, self.pooled(functional.max_pool2d(x, 3, 1, 1))], 1))

    return Net(
        forward,
        stem=conv_bn(3, 4),
        one=conv(4, 2, 1),
        before_three=conv(4, 2, 1),
        three=conv(2, 3),
        before_five=conv(4, 1, 1),
        five=conv(1, 2, 5),
        pooled=conv(4, 1, 1),
        head=classifier(8),
    )


def auxiliary_head() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Any:
        x = self.conv(x)
        return (self.head(x), self.aux(x)) if self.training else self.head(x)

    return Net(forward, aux=classifier(4), conv=conv(3, 4), head=classifier(4))


def squeezenet() -> nn.Module:
    def fire(self: Any, x: Tensor) -> Tensor:
        x = functional.relu(self.squeeze(x))
        return torch.cat([functional.relu(self.expand1(x)), functional.relu(self.expand3(x))], 1)

    fires = Net(fire, squeeze=conv(4, 2, 1), expand1=conv(2, 3, 1), expand3=conv(2, 3))
    return nn.Sequential(conv(3, 4), nn.MaxPool2d(2), fires, conv(6, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def unet() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        fine = functional.relu(self.down1(x))
        coarse = functional.relu(self.down2(functional.max_pool2d(fine, 2)))
        return self.out(torch.cat([fine, self.up(coarse)], 1)).flatten(1).mean(1, keepdim=True)

    up = nn.ConvTranspose2d(6, 4, 2, stride=2)
    return Net(forward, down1=conv(3, 4), down2=conv(4, 6), up=up, out=conv(8, 2, 1))


def feature_pyramid() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        low = functional.relu(self.c1(x))
        high = functional.relu(self.c2(low))
        top = self.l2(high)
        return self.head(self.l1(low) + functional.interpolate(top, scale_factor=2))

    return Net(
        forward,
        c1=conv(3, 4),
        c2=conv(4, 6, stride=2),
        l1=conv(4, 5, 1),
        l2=conv(6, 5, 1),
        head=classifier(5),
    )
