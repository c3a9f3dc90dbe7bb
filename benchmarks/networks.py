"""What is the structure of the networks that people know? ResNet-50 and DenseNet-121, written out from their papers.

1. `ResNet50`: He et al., Deep Residual Learning for Image Recognition (2016), table 1, with a convolution on the way
   around wherever the shape changes (option B). The stride of a stage is in its first 3x3 convolution, as in Goyal et
   al., Accurate, Large Minibatch SGD (2017), section 5.1.
2. `DenseNet121`: Huang et al., Densely Connected Convolutional Networks (2017), table 1: growth 32, bottlenecks of 4
   times the growth, and transitions that leave half of the channels.
3. The names of the modules are those that people know from torchvision, so that a recorded run reads alike.
4. Run as a command, it writes the structure that the recorder finds in each of them, and in some of the demo's
   networks, as the server would answer it. The tests of the page draw these files.

    python benchmarks/networks.py web/tests/networks
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from deeptracker.analysis.hierarchy import preorder
from deeptracker.demo.models import make_model
from deeptracker.demo.models.densenet import dense_blocks
from deeptracker.demo.models.parts import initialise, named
from deeptracker.demo.models.resnet import bottleneck_stage
from deeptracker.record.graph import FOLLOWED, network_of
from deeptracker.record.kernels import FirstConvolution
from deeptracker.record.network import arranged, weighted_layers
from deeptracker.record.recorder import Recorder
from deeptracker.schema import FILTER_MEASURES, NODE_MEASURES, Network

CHANNELS, SIDE = 3, 64
"""Of the image that is followed, and that the demo's networks are made for."""


class ResNet50(nn.Module):
    """float (n, 3, h, w), 224 pixels in the paper -> logits (n, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = bottleneck_stage(64, 64, 3, stride=1)
        self.layer2 = bottleneck_stage(256, 128, 4, stride=2)
        self.layer3 = bottleneck_stage(512, 256, 6, stride=2)
        self.layer4 = bottleneck_stage(1024, 512, 3, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, 1000)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(functional.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


class DenseNet121(nn.Module):
    """float (n, 3, h, w), 224 pixels in the paper -> logits (n, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        blocks, channels = dense_blocks(64, (6, 12, 24, 16), growth=32)
        self.features = named(
            conv0=nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(64),
            relu0=nn.ReLU(),
            pool0=nn.MaxPool2d(3, stride=2, padding=1),
            **blocks,
            norm5=nn.BatchNorm2d(channels),
        )
        self.classifier = nn.Linear(channels, 1000)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.features(x))
        logits: Tensor = self.classifier(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet50": ResNet50,
    "densenet121": DenseNet121,
    "vgg": partial(make_model, "vgg", CHANNELS, 10, SIDE),
    "inception": partial(make_model, "inception", CHANNELS, 10, SIDE),
    "mobilenet": partial(make_model, "mobilenet", CHANNELS, 10, SIDE),
}
"""How each network is made."""


def structure_of(model: nn.Module) -> Network:
    """The structure that the recorder finds in a network; RuntimeError where it could not be followed."""
    network = network_of(model, weighted_layers(model), lambda: (torch.zeros(1, CHANNELS, SIDE, SIDE),))
    if network.source != FOLLOWED:
        raise RuntimeError(f"the network must be followed to find its structure. Got {network.source}.")
    return network


def answer_of(name: str) -> dict[str, Any]:
    """What the server answers to `/api/network` (docs/http-api.md) for a run of one of `NETWORKS`."""
    model = NETWORKS[name]()
    network = structure_of(model)
    kernels = FirstConvolution.of(arranged(weighted_layers(model), network))
    return {
        "layers": [asdict(layer) for layer in network.layers],
        "nodes": [{"name": x.name, "parent": x.parent, "layer": x.layer} for x in preorder(network.hierarchy)],
        "graph": asdict(network.graph),
        "source": network.source,
        "filter_measures": list(FILTER_MEASURES),
        "node_measures": list(NODE_MEASURES),
        "kernel_layer": None if kernels is None else kernels.index,
    }


def record_steps(folder: Path, model: nn.Module, *, steps: int) -> None:
    """Record so many steps of training on random images, a dump at each: a run with this network's structure."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, CHANNELS, SIDE, SIDE, generator=generator)
    y = torch.tensor([0, 1])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with Recorder(folder, model, optimizer, validation=(x, y), every=1) as recorder:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            recorder.log(loss=float(loss.detach()))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        answer = answer_of(name)
        (folder / f"{name}.json").write_text(json.dumps(answer, separators=(",", ":")) + "\n")
        print(f"{name}: {len(answer['layers'])} layers, {len(answer['graph']['edges'])} edges")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
