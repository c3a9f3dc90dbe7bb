"""Which networks do the planted trainings train? Small ones, of which every layer has a short name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

CLASSES, PIXELS = 10, 64


def convolutional(width: int = 16, *, norm: bool = True) -> nn.Sequential:
    """float (n, 1, 8, 8) -> logits (n, 10): conv1, conv2, conv3 and fc, with batch normalisation or without."""
    channels = (1, width, 2 * width, 2 * width)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in (1, 2, 3):
        conv = nn.Conv2d(channels[number - 1], channels[number], 3, stride=min(number, 2), padding=1, bias=not norm)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers[f"conv{number}"] = conv
        if norm:
            layers[f"norm{number}"] = nn.BatchNorm2d(channels[number])
        layers[f"relu{number}"] = nn.ReLU()
    layers["pool"] = nn.AdaptiveAvgPool2d(1) if norm else nn.Identity()
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(2 * width * (1 if norm else 4), CLASSES)
    return nn.Sequential(layers)


def perceptron(
    hidden: int = 2, width: int = 64, activation: Callable[[], nn.Module] = nn.ReLU, *, gain: float = 1.0
) -> nn.Sequential:
    """float (n, 1, 8, 8) -> logits (n, 10): fc1 ... of one width, and head. `gain` multiplies all first weights."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    inputs = PIXELS
    for number in range(1, hidden + 1):
        layers |= {f"fc{number}": nn.Linear(inputs, width), f"act{number}": activation()}
        inputs = width
    layers["head"] = nn.Linear(inputs, CLASSES)
    for module in layers.values():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            module.weight.data *= gain
            nn.init.zeros_(module.bias)
    return nn.Sequential(layers)


class Scaled(nn.Module):
    """Multiplies channels by fixed factors, (channels,)."""

    factors: Tensor

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", factors)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors[:, None, None]


def hardly_active(
    model: nn.Module, layer: nn.Module, x: Tensor, share: float, activation: type[nn.Module] = nn.ReLU
) -> set[int]:
    """Filters of a layer that no more than a share of the images x (n, 1, 8, 8) activates.

    For the others the first ReLU after the layer gives 0 everywhere. None of a layer with no ReLU of its own.
    """
    modules = [module for module in model.modules() if not isinstance(module, nn.Sequential)]
    following = modules[modules.index(layer) + 1 :]
    after = next((m for m in following if isinstance(m, activation | nn.Linear | nn.Conv2d)), None)
    if not isinstance(after, activation):
        return set()
    seen: list[Tensor] = []
    handle = after.register_forward_hook(lambda _module, _inputs, out: seen.append(out.detach().clone()))
    model.train()  # as the gradients saw it
    with torch.no_grad():
        model(x)
    handle.remove()
    active = (seen[0].reshape(*seen[0].shape[:2], -1) > 0).any(dim=2).float().mean(dim=0)
    return set(torch.nonzero(active <= share).flatten().tolist())
