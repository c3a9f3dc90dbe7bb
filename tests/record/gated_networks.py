"""Small networks with gates, groups, shuffles and attention; with chance, sharing and unusual weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from tests.record.networks import Net, classifier, conv, conv_bn

# Gates, groups and shuffles


def squeeze_and_excitation() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.conv(x)
        gate = self.fc2(functional.relu(self.fc1(y.mean((2, 3))))).sigmoid()
        return self.head(x + y * gate[:, :, None, None])

    return Net(forward, stem=conv(3, 4), conv=conv(4, 4), fc1=nn.Linear(4, 2), fc2=nn.Linear(2, 4), head=classifier(4))


def mobilenet() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        return x + self.project(self.depthwise(self.expand(x)))

    block = Net(
        forward,
        expand=conv_bn(4, 8, 1),
        depthwise=conv_bn(8, 8, groups=8),
        project=conv_bn(8, 4, 1)[:2],
    )
    return nn.Sequential(conv_bn(3, 4), block, classifier(4))


def efficientnet() -> nn.Module:
    def gate(self: Any, x: Tensor) -> Tensor:
        return x * self.expand(functional.silu(self.reduce(functional.adaptive_avg_pool2d(x, 1)))).sigmoid()

    gated = Net(gate, reduce=conv(8, 2, 1), expand=conv(2, 8, 1))
    return nn.Sequential(conv(3, 8), nn.SiLU(), conv(8, 8, groups=8), nn.SiLU(), gated, conv(8, 4, 1), classifier(4))


def shufflenet() -> nn.Module:
    def unit(self: Any, x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1)
        y = torch.cat([left, self.last(self.depthwise(self.first(right)))], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)

    def made() -> nn.Module:
        return Net(unit, first=conv(2, 2, 1), depthwise=conv(2, 2, groups=2), last=conv(2, 2, 1))

    return nn.Sequential(conv(3, 4), made(), made(), classifier(4))


def dual_path() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        summed, dense = self.stem(x).split([4, 2], 1)
        for block in self.blocks:
            y = block(torch.cat([summed, dense], 1))
            summed, dense = summed + y[:, :4], torch.cat([dense, y[:, 4:]], 1)
        return self.head(torch.cat([summed, dense], 1))

    return Net(forward, stem=conv(3, 6), blocks=nn.ModuleList([conv(6, 6), conv(8, 6)]), head=classifier(10))


def highway() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.stem(x)
        gate = self.gate(x).sigmoid()
        return self.head(gate * self.change(x) + (1 - gate) * x)

    return Net(forward, stem=conv(3, 4), gate=conv(4, 4), change=conv(4, 4), head=classifier(4))


def selective_kernel() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        a, b = self.three(x), self.five(x)
        share = self.choose((a + b).mean((2, 3))).view(-1, 2, 4).softmax(1)[..., None, None]
        return self.head(a * share[:, 0] + b * share[:, 1])

    return Net(forward, three=conv(3, 4), five=conv(3, 4, 5), choose=nn.Linear(4, 8), head=classifier(4))


def blurred() -> nn.Module:
    """Convolved with a fixed kernel before it is made smaller (Zhang 2019)."""

    class Blur(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kernel", torch.ones(4, 1, 2, 2) / 4)

        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, self.kernel, stride=2, groups=4)

    return nn.Sequential(conv(3, 4), Blur(), classifier(4))


def conditional_convolution() -> nn.Module:
    """A kernel that is mixed from experts for each image (Yang et al. 2019)."""

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.route = nn.Linear(3, 2)
            self.expert_weight = nn.Parameter(torch.randn(2, 4, 3, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            shares = self.route(x.mean((2, 3))).softmax(1)
            kernel = (shares[:, :, None] * self.expert_weight.flatten(1)).sum(1).view(-1, 3, 3, 3)
            return functional.conv2d(x.reshape(1, -1, 8, 8), kernel, groups=len(x)).view(len(x), 4, 6, 6)

    return nn.Sequential(Mixed(), classifier(4))


# Attention


class Attention(nn.Module):
    """Written out by hand; `fused` calls PyTorch's own kernel."""

    def __init__(self, width: int, *, fused: bool) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.fused = fused

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        if self.fused:
            return self.proj(functional.scaled_dot_product_attention(q, k, v))
        return self.proj((q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1) @ v)


def encoder(width: int, *, fused: bool) -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))

    return Net(
        forward,
        norm1=nn.LayerNorm(width),
        attn=Attention(width, fused=fused),
        norm2=nn.LayerNorm(width),
        fc1=nn.Linear(width, 2 * width),
        fc2=nn.Linear(2 * width, width),
    )


def vision_transformer() -> nn.Module:
    class Vit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 3)
            self.blocks = nn.ModuleList([encoder(6, fused=False), encoder(6, fused=True)])
            self.patches = nn.Conv2d(3, 6, 4, 4)
            self.token, self.places = nn.Parameter(torch.randn(1, 1, 6)), nn.Parameter(torch.randn(1, 5, 6))

        def forward(self, x: Tensor) -> Tensor:
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
            for block in self.blocks:
                x = block(x)
            return self.head(x[:, 0])

    return Vit()


def torch_encoder() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(1))

    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
    return Net(forward, patches=nn.Conv2d(3, 4, 4, 4), encoder=layer, head=nn.Linear(4, 3))


def windows() -> nn.Module:
    """Attention within shifted windows, with a table of biases for relative places (Liu et al. 2021)."""

    class Window(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(4, 12)
            self.bias_weight = nn.Parameter(torch.randn(7, 1))
            self.proj = nn.Linear(4, 4)
            self.register_buffer("index", torch.arange(4)[:, None] - torch.arange(4) + 3)

        def forward(self, x: Tensor) -> Tensor:
            rolled = torch.roll(x, 1, 1).reshape(-1, 4, 4)
            q, k, v = self.qkv(rolled).chunk(3, -1)
            weights = (q @ k.transpose(1, 2) + self.bias_weight[self.index][..., 0]).softmax(-1)
            return x + torch.roll(self.proj(weights @ v).view(x.shape), -1, 1)

    def forward(self: Any, x: Tensor) -> Tensor:
        return self.head(self.window(self.patches(x).flatten(2).transpose(1, 2)).mean(1))

    return Net(forward, patches=nn.Conv2d(3, 4, 2, 2), window=Window(), head=nn.Linear(4, 3))


def convnext() -> nn.Module:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.depthwise, self.norm = conv(4, 4, 7, groups=4), nn.LayerNorm(4)
            self.fc1, self.fc2 = nn.Linear(4, 8), nn.Linear(8, 4)
            self.scale = nn.Parameter(torch.full((4,), 1e-2))

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
            return x + (self.scale * self.fc2(functional.gelu(self.fc1(y)))).permute(0, 3, 1, 2)

    return nn.Sequential(conv(3, 4, 2, stride=2, padding=0), Block(), classifier(4))


def mixer() -> nn.Module:
    def block(self: Any, x: Tensor) -> Tensor:
        x = x + self.tokens(x.transpose(1, 2)).transpose(1, 2)
        return x + self.channels(x)

    def forward(self: Any, x: Tensor) -> Tensor:
        return self.head(self.block(self.patches(x).flatten(2).transpose(1, 2)).mean(1))

    mixed = Net(block, tokens=nn.Linear(4, 4), channels=nn.Linear(5, 5))
    return Net(forward, patches=nn.Conv2d(3, 5, 4, 4), block=mixed, head=nn.Linear(5, 3))


def spatial_attention() -> nn.Module:
    """Channel gates from two kinds of pooling through shared layers, then a gate for each pixel (Woo et al. 2018)."""

    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x * (self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))).sigmoid()[:, :, None, None]
        pixels = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return self.head(x * self.gate(pixels).sigmoid())

    mlp = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 4))
    return Net(forward, stem=conv(3, 4), mlp=mlp, gate=conv(2, 1), head=classifier(4))


# Chance, sharing, wrappers


def stochastic_depth() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            if not self.training:
                x = x + 0.5 * block(x)
            elif float(torch.rand(())) < 0.5:
                x = x + block(x)
        return self.head(functional.dropout(x, 0.5, self.training))

    return Net(forward, stem=conv(3, 4), blocks=nn.ModuleList([conv(4, 4), conv(4, 4)]), head=classifier(4))


def checkpointed() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.head(checkpoint(self.body, self.stem(x), use_reentrant=False))

    return Net(forward, stem=conv(3, 4), body=conv_bn(4, 4), head=classifier(4))


def shared_block() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(3):
            x = functional.relu(x + self.block(x))
        return self.head(x)

    return Net(forward, stem=conv(3, 4), block=conv(4, 4), head=classifier(4))


def siamese() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        left, right = (self.body(part) for part in (x, x.flip(3)))
        return self.head((left - right).abs())

    body = nn.Sequential(conv(3, 4), nn.ReLU(), classifier(4, 5))
    return Net(forward, body=body, head=nn.Linear(5, 2))


def weight_normed() -> nn.Module:
    model = nn.Sequential(conv(3, 4), nn.ReLU(), conv(4, 4), nn.Flatten(), nn.Linear(256, 3))
    nn.utils.parametrizations.weight_norm(model[0])
    nn.utils.parametrizations.spectral_norm(model[4])
    return model


def standardised() -> nn.Module:
    class Standardised(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            return functional.conv2d(x, weight / weight.std((1, 2, 3), keepdim=True), self.bias)

    return nn.Sequential(Standardised(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), Standardised(4, 4, 3), classifier(4))


def written_in_parts() -> nn.Module:
    """Halves computed apart and written into one tensor."""

    def forward(self: Any, x: Tensor) -> Tensor:
        out = x.new_zeros(len(x), 4, 8, 8)
        out[:, ::2] = self.even(x)
        out[:, 1::2] = self.odd(x)
        return self.head(out)

    return Net(forward, even=conv(3, 2), odd=conv(3, 2), head=classifier(4))


def recurrent() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.head(self.memory(self.rows(x).mean(3).transpose(1, 2))[0][:, -1])

    return Net(forward, rows=conv(3, 4), memory=nn.GRU(4, 5, batch_first=True), head=nn.Linear(5, 3))


def text() -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.head(self.conv(self.words(x).transpose(1, 2)).amax(2))

    return Net(forward, head=nn.Linear(5, 3), words=nn.Embedding(9, 4), conv=nn.Conv1d(4, 5, 3))


def scripted() -> nn.Module:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 3)
            self.stem = nn.Conv2d(3, 4, 3, padding=1)
            self.conv = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            if x.shape[1] > 2:
                x = x + torch.relu(self.conv(x))
            return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))

    return torch.jit.script(Residual())
