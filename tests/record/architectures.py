"""Small networks of every kind that people train, each with what its structure must be.

`ARCHITECTURES` maps a name to an `Architecture`: how to make the model and its input, and the edges, written by hand as
`from>to` between the names of layers. What has no name is told by its kind (`data`, `pool`, `add`, `concat`), numbered
from the second on in the order in which data reaches it (`add2`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tests.record.gated_networks import (
    blurred,
    checkpointed,
    conditional_convolution,
    convnext,
    dual_path,
    efficientnet,
    highway,
    mixer,
    mobilenet,
    recurrent,
    scripted,
    selective_kernel,
    shared_block,
    shufflenet,
    siamese,
    spatial_attention,
    squeeze_and_excitation,
    standardised,
    stochastic_depth,
    text,
    torch_encoder,
    vision_transformer,
    weight_normed,
    windows,
    written_in_parts,
)
from tests.record.networks import (
    all_convolutional,
    auxiliary_head,
    densenet,
    feature_pyramid,
    functional_weights,
    inception,
    lenet,
    one_dimensional,
    padded_shortcut,
    perceptron,
    preactivated,
    resnet,
    resnext,
    squeezenet,
    unet,
    vgg,
    video,
)


@dataclass(frozen=True)
class Architecture:
    """A model, its input, and the expected edges; `unused` layers follow after those in the edges."""

    make: Callable[[], nn.Module]
    edges: str
    shape: tuple[int, ...] = (2, 3, 8, 8)
    unused: tuple[str, ...] = ()
    tokens: int = 0

    def input(self) -> Tensor:
        if self.tokens:
            return torch.randint(0, self.tokens, self.shape, generator=torch.Generator().manual_seed(0))
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(0))


CHAIN = "data>0 0>pool pool>3 3>6 6>8"

ARCHITECTURES = {
    "lenet": Architecture(lenet, CHAIN),
    "vgg": Architecture(vgg, "data>0.0 0.0>0.2 0.2>pool pool>0.5 0.5>pool2 pool2>2 2>5"),
    "functional": Architecture(functional_weights, "data>first_weight first_weight>pool pool>last_weight"),
    "all convolutional, no linear layer": Architecture(all_convolutional, "data>0 0>2 2>4 4>pool"),
    "perceptron, many linear layers": Architecture(
        perceptron,
        "data>1.0 1.0>2.0 2.0>3.0 3.0>4.0 4.0>5.0 5.0>6.0 6.0>7",
    ),
    "one dimension": Architecture(one_dimensional, "data>0 0>pool pool>2 2>pool2 pool2>5", (2, 2, 12)),
    "video": Architecture(video, "data>0 0>pool pool>3", (2, 1, 6, 6, 6)),
    "resnet": Architecture(
        resnet,
        "data>0.0 0.0>1.conv1 1.conv1>1.conv2 1.conv2>add 0.0>add add>2.shortcut.0 add>2.conv1 2.conv1>2.conv2 "
        "2.conv2>add2 2.shortcut.0>add2 add2>pool pool>3.2",
    ),
    "preactivated resnet": Architecture(
        preactivated,
        "data>0 0>1.conv1 1.conv1>1.conv2 1.conv2>add 0>add add>2.conv1 2.conv1>2.conv2 2.conv2>add2 add>add2 "
        "add2>pool pool>4.2",
    ),
    "padded shortcut": Architecture(padded_shortcut, "data>stem stem>conv stem>add conv>add add>pool pool>head.2"),
    "resnext, grouped": Architecture(
        resnext,
        "data>stem.0 stem.0>reduce.0 reduce.0>grouped.0 grouped.0>expand.0 expand.0>add stem.0>add add>pool "
        "pool>head.2",
    ),
    "densenet": Architecture(
        densenet,
        "data>0 0>1.layers.0.2 0>concat 1.layers.0.2>concat concat>1.layers.1.2 0>concat2 1.layers.0.2>concat2 "
        "1.layers.1.2>concat2 concat2>1.layers.2.2 0>concat3 1.layers.0.2>concat3 1.layers.1.2>concat3 "
        "1.layers.2.2>concat3 concat3>2.0 2.0>pool pool>pool2 pool2>3.2",
    ),
    "inception": Architecture(
        inception,
        "data>stem.0 stem.0>one stem.0>before_three before_three>three stem.0>before_five before_five>five stem.0>pool "
        "pool>pooled one>concat three>concat five>concat pooled>concat concat>pool2 pool2>head.2",
    ),
    "auxiliary head": Architecture(auxiliary_head, "data>conv conv>pool pool>head.2", unused=("aux.2",)),
    "squeezenet": Architecture(
        squeezenet,
        "data>0 0>pool pool>2.squeeze 2.squeeze>2.expand1 2.squeeze>2.expand3 2.expand1>concat 2.expand3>concat "
        "concat>3 3>pool2",
    ),
    "u-net": Architecture(
        unet, "data>down1 down1>pool pool>down2 down2>up down1>concat up>concat concat>out"
    ),
    "feature pyramid": Architecture(
        feature_pyramid, "data>c1 c1>c2 c2>l2 c1>l1 l1>add l2>add add>pool pool>head.2"
    ),
    "squeeze and excitation": Architecture(
        squeeze_and_excitation,
        "data>stem stem>conv conv>pool pool>fc1 fc1>fc2 stem>add conv>add fc2>add add>pool2 pool2>head.2",
    ),
    "mobilenet, depthwise": Architecture(
        mobilenet,
        "data>0.0 0.0>1.expand.0 1.expand.0>1.depthwise.0 1.depthwise.0>1.project.0 1.project.0>add 0.0>add add>pool "
        "pool>2.2",
    ),
    "efficientnet": Architecture(
        efficientnet, "data>0 0>2 2>pool pool>4.reduce 4.reduce>4.expand 2>5 4.expand>5 5>pool2 pool2>6.2"
    ),
    "shufflenet": Architecture(
        shufflenet,
        "data>0 0>1.first 1.first>1.depthwise 1.depthwise>1.last 0>concat 1.last>concat concat>2.first "
        "2.first>2.depthwise 2.depthwise>2.last concat>concat2 2.last>concat2 concat2>pool pool>3.2",
    ),
    "dual path": Architecture(
        dual_path,
        "data>stem stem>blocks.0 stem>add blocks.0>add stem>concat blocks.0>concat add>concat2 concat>concat2 "
        "concat2>blocks.1 add>add2 blocks.1>add2 concat>concat3 blocks.1>concat3 add2>concat4 concat3>concat4 "
        "concat4>pool pool>head.2",
    ),
    "highway": Architecture(
        highway, "data>stem stem>gate stem>change gate>add change>add stem>add add>pool pool>head.2"
    ),
    "selective kernel": Architecture(
        selective_kernel,
        "data>three data>five three>add five>add add>pool pool>choose three>add2 five>add2 choose>add2 add2>pool2 "
        "pool2>head.2",
    ),
    "blurred": Architecture(blurred, "data>0 0>conv conv>pool pool>2.2"),
    "conditional convolution": Architecture(
        conditional_convolution,
        "data>pool pool>0.route 0.route>0.expert_weight data>conv 0.expert_weight>conv conv>pool2 pool2>1.2",
    ),
    "vision transformer": Architecture(
        vision_transformer,
        "data>patches patches>blocks.0.attn.qkv blocks.0.attn.qkv>blocks.0.attn.proj patches>add "
        "blocks.0.attn.proj>add "
        "add>blocks.0.fc1 blocks.0.fc1>blocks.0.fc2 add>add2 blocks.0.fc2>add2 add2>blocks.1.attn.qkv "
        "blocks.1.attn.qkv>blocks.1.attn.proj add2>add3 blocks.1.attn.proj>add3 add3>blocks.1.fc1 "
        "blocks.1.fc1>blocks.1.fc2 add3>add4 blocks.1.fc2>add4 add4>head",
    ),
    "torch's encoder": Architecture(
        torch_encoder,
        "data>patches patches>encoder.self_attn.in_proj_weight encoder.self_attn.in_proj_weight>"
        "encoder.self_attn.out_proj patches>add encoder.self_attn.out_proj>add add>encoder.linear1 "
        "encoder.linear1>encoder.linear2 add>add2 encoder.linear2>add2 add2>head",
    ),
    "shifted windows": Architecture(
        windows,
        "data>patches patches>window.qkv window.qkv>window.bias_weight window.qkv>window.proj "
        "window.bias_weight>window.proj patches>add window.proj>add add>head",
    ),
    "convnext": Architecture(
        convnext, "data>0 0>1.depthwise 1.depthwise>1.fc1 1.fc1>1.fc2 0>add 1.fc2>add add>pool pool>2.2"
    ),
    "mixer": Architecture(
        mixer,
        "data>patches patches>block.tokens patches>add block.tokens>add add>block.channels add>add2 "
        "block.channels>add2 add2>head",
    ),
    "spatial attention": Architecture(
        spatial_attention,
        "data>stem stem>pool stem>pool2 pool>mlp.0 pool2>mlp.0 mlp.0>mlp.2 stem>gate mlp.2>gate stem>pool3 "
        "mlp.2>pool3 gate>pool3 "
        "pool3>head.2",
    ),
    "stochastic depth": Architecture(
        stochastic_depth,
        "data>stem stem>blocks.0 stem>add blocks.0>add add>blocks.1 add>add2 blocks.1>add2 add2>pool pool>head.2",
    ),
    "checkpointed": Architecture(checkpointed, "data>stem stem>body.0 body.0>pool pool>head.2"),
    "shared block": Architecture(
        shared_block,
        "data>stem stem>block stem>add block>add add>add2 block>add2 add2>add3 block>add3 add3>pool pool>head.2",
    ),
    "siamese": Architecture(siamese, "data>body.0 body.0>pool body.0>pool2 pool>body.2.2 pool2>body.2.2 body.2.2>head"),
    "normed weights": Architecture(weight_normed, "data>0 0>2 2>4"),
    "standardised weights": Architecture(standardised, "data>0 0>3 3>pool pool>4.2"),
    "written in parts": Architecture(written_in_parts, "data>even data>odd even>pool odd>pool pool>head.2"),
    "recurrent": Architecture(
        recurrent, "data>rows rows>memory.weight_ih_l0 rows>memory.weight_hh_l0 memory.weight_ih_l0>head "
        "memory.weight_hh_l0>head",
    ),
    "text": Architecture(text, "data>words words>conv conv>head", (2, 7), tokens=9),
    "script module": Architecture(scripted, "data>stem stem>conv stem>add conv>add add>pool pool>head"),
}  # fmt: skip
