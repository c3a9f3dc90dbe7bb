"""How do the weights of any framework become layers and filters?

1. A layout says in letters what each dimension of a weight is: `o` output units, which are the filters, `i` input
   channels, anything else positions; `...` stands for as many positions as there are. PyTorch has `"oi..."`, Keras and
   JAX have `"...io"`. What has several `o` or `i`, as the kernels of attention do, has them joined.
2. Weights are turned into (filters, inputs, positions), which is how `network.json` and kernels have them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.schema import Layer

FILTERS_FIRST, FILTERS_LAST = "oi...", "...io"
_KINDS = {2: "linear", 3: "conv1d", 4: "conv2d", 5: "conv3d"}


@dataclass(frozen=True, slots=True)
class ArrayLayer:
    """A layer whose weights come as arrays of this shape. `order` are its dimensions: filters, inputs, positions."""

    layer: Layer
    shape: tuple[int, ...]
    order: tuple[int, ...]

    @classmethod
    def of(
        cls, name: str, shape: tuple[int, ...], layout: str, *, kind: str | None = None, offset: int = 0
    ) -> ArrayLayer:
        """A layer by the layout of its weights; ValueError if they are not laid out like this.

        >>> layer = ArrayLayer.of("conv", (3, 3, 16, 32), "...io").layer
        >>> layer.shape, layer.kind, layer.filters, layer.fan_in
        ((32, 16, 3, 3), 'conv2d', 32, 144)
        """
        letters = _letters(name, shape, layout)
        units, inputs, positions = ([d for d, x in enumerate(letters) if x in kinds] for kinds in ("o", "i", "."))
        filters = math.prod(shape[d] for d in units)
        turned = (filters, math.prod(shape[d] for d in inputs), *(shape[d] for d in positions))
        layer = Layer(name, kind or _KINDS.get(len(turned), "array"), turned, filters, math.prod(turned[1:]), offset)
        return cls(layer, shape, (*units, *inputs, *positions))

    def rows(self, array: Any) -> npt.NDArray[np.floating[Any]]:
        """A copy of its weights or gradients: (filters, fan_in), float64 as float64, all else as float32."""
        values = on_host(array)
        if values.shape != self.shape:
            raise ValueError(f"arrays of layer {self.layer.name!r} must have shape {self.shape}. Got {values.shape}.")
        dtype = np.float64 if values.dtype == np.float64 else np.float32
        turned = values.transpose(self.order).reshape(self.layer.filters, self.layer.fan_in)
        return np.array(turned, dtype, order="C")  # a copy: the weights will be trained in place, or given away


def array_layers(
    weights: Mapping[str, Any], layout: str | Mapping[str, str], kinds: Mapping[str, str]
) -> tuple[ArrayLayer, ...]:
    """The layers of weights, or of their shapes, by name, in this order; ValueError if there are none."""
    if not weights:
        raise ValueError("layers must have an array for each layer, by name. Got none.")
    if not isinstance(layout, str) and (missing := weights.keys() - layout.keys()):
        raise ValueError(f"layout must name every layer. Got none for {', '.join(sorted(missing))}.")
    return tuple(_layers(weights, layout, kinds))


def on_host(array: Any) -> npt.NDArray[Any]:
    """Anything that has `__array__` or speaks DLPack as an array of numpy; not a copy where none is needed."""
    if hasattr(array, "detach"):  # a tensor of torch, which may be on a GPU, want gradients, or have no dtype of numpy
        array = array.detach().cpu()
        return np.asarray(array.float() if array.dtype.itemsize < 4 and array.is_floating_point() else array)
    if hasattr(array, "__array__") or not hasattr(array, "__dlpack__"):
        return np.asarray(array)
    return np.from_dlpack(array)


def _layers(
    weights: Mapping[str, Any], layout: str | Mapping[str, str], kinds: Mapping[str, str]
) -> Iterator[ArrayLayer]:
    offset = 0
    for name, weight in weights.items():
        shape = tuple(int(n) for n in getattr(weight, "shape", weight))
        of_layer = layout if isinstance(layout, str) else layout[name]
        one = ArrayLayer.of(name, shape, of_layer, kind=kinds.get(name), offset=offset)
        offset += one.layer.filters
        yield one


def _letters(name: str, shape: tuple[int, ...], layout: str) -> str:
    """One letter a dimension: `o`, `i`, or a dot for a position."""
    named = "".join(x if x in "oi" else "." for x in layout.replace("...", "*") if x != "*")
    any_number = layout.count("...")
    places = len(shape) - len(named)
    if any_number > 1 or places < 0 or (places and not any_number) or "o" not in named or len(shape) < 2:
        raise ValueError(
            f"the layout of layer {name!r} must have a letter for each of its dimensions, two or more: o for output "
            f"units, i for inputs, others for positions. Got {layout!r} for shape {shape}. Say for instance "
            f"{FILTERS_FIRST!r} (PyTorch), {FILTERS_LAST!r} (Keras, JAX), or 'hwoi'."
        )
    before = layout.split("...")[0]
    return named[: len(before)] + "." * places + named[len(before) :]
