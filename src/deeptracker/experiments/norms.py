"""Which channels of which normalisation do some filters own, wherever it stands?

A batch normalisation after a convolution turns a channel of zeros into a constant: its shift, less its mean. To find
it by names or by the order of modules fails with functional calls, permuted axes and concatenations, so it is tried:

1. The model is run on a few images and every operator of a normalisation is watched (`TorchDispatchMode`, below modules
   and Python, as in record/graph.py): which of its channels are zero all over, and which tensors are its scale, shift
   and running mean.
2. A channel belongs to the filters if it is zero when these give zeros, and is not when they give random numbers, or
   their opposites (behind a ReLU one of both is seen), while all other filters of the network give random numbers. So
   what comes through a sum with other data does not belong to them alone, and what comes through another layer is that
   layer's.
3. A normalisation over several channels (layer and group) sees one value less, so that other channels change as well.
   That is the effect of inactivating these filters, not an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

_BATCH = (
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_batch_norm_no_update",
    "_batch_norm_with_update",
    "cudnn_batch_norm",
    "miopen_batch_norm",
)
_COPIES = ("repeat", "detach", "alias", "view", "expand", "_to_copy", "clone", "contiguous")
"""Operators after which a scale is still that scale: instance normalisation repeats it for each image."""


@dataclass(slots=True, eq=False)
class Norm:
    """A normalisation: its kind (`batch`, `group`, `layer`) and tensors, each (channels,) once flattened, or None.

    `zero` bool (channels,): is the channel zero in all calls? `quiet`: is it so behind the normalisation as well?
    """

    kind: str
    scale: Tensor | None
    shift: Tensor | None
    mean: Tensor | None
    zero: Tensor
    quiet: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those that there are."""
        return tuple(one for one in (self.scale, self.shift, self.mean) if one is not None)


Norms = dict[tuple[int, ...], Norm]


def watched(run: Callable[[], Any]) -> Norms:
    """All normalisations that a call of the model goes through; those that are called repeatedly once."""
    with _Watch() as watch:
        run()
    found: Norms = watch.norms
    return found


def owned(silent: Norms, loud: list[Norms]) -> dict[tuple[int, ...], Tensor]:
    """Channels (bool) of each normalisation that are zero in one run and not in some of others, where there are any."""
    found = {}
    for key, norm in silent.items():
        mask = torch.zeros_like(norm.zero)
        for other in loud:
            if key in other and other[key].zero.shape == mask.shape:
                mask |= norm.zero & ~other[key].zero
        if mask.any():
            found[key] = mask
    return found


class _Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.norms: Norms = {}
        self._origin: Any = WeakTensorKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in _COPIES and isinstance(made, Tensor) and isinstance(args[0], Tensor) and made is not args[0]:
            self._origin[made] = self._origin.get(args[0], args[0])
        elif name in _BATCH:
            mean = args[3] if len(args) > 3 else None
            self._see("batch", args[0], made, args[1], args[2], mean if isinstance(mean, Tensor) else None)
        elif name == "native_group_norm":
            self._see("group", args[0], made, args[1], args[2], None)
        elif name == "native_layer_norm":
            width = len(args[1])
            self._see("layer", _last(args[0], width), (_last(made[0], width),), args[2], args[3], None)
        return made

    def _see(self, kind: str, given: Tensor, made: Any, scale: Any, shift: Any, mean: Any) -> None:
        scale, shift, mean = tensors = [
            None if one is None else self._origin.get(one, one) for one in (scale, shift, mean)
        ]
        count = next((one.numel() for one in tensors if one is not None), given.shape[1])
        zero, quiet = (_zero_channels(one, count) for one in (given, made[0] if isinstance(made, tuple) else made))
        key = tuple(0 if one is None else id(one) for one in tensors)
        if not any(key):
            key = (len(self.norms) + 1, 0, 0)  # it has none: told apart by when it comes
        known = self.norms.get(key)
        if known is not None and known.zero.shape == zero.shape:
            zero, quiet = zero & known.zero, quiet & known.quiet
        self.norms[key] = Norm(kind, scale, shift, mean, zero, quiet)


def _last(tensor: Tensor, width: int) -> Tensor:
    """(n, channels) of what is normalised over its last dimensions."""
    return tensor.reshape(-1, tensor.shape[-width:].numel())


def _zero_channels(tensor: Tensor, count: int) -> Tensor:
    """bool (count,): which channels, dimension 1, hold zeros only; images may have been put beside each other."""
    is_zero = (tensor == 0).transpose(0, 1).reshape(tensor.shape[1], -1).all(1)
    return is_zero.reshape(-1, count).all(0)
