"""Which layers does a model of Keras have, and how are their weights laid out?

1. A layer is a kernel or a matrix of embeddings, in the order of the model's weights. Its name is the path that Keras
   gives the weight below the model, with dots, without the last part where that is only "kernel" or "embeddings".
2. Kernels have their output units last; but a depthwise one has one for each input and multiplier, a transposed one has
   inputs last, and in an `EinsumDense`, as attention is made of, its equation tells. Embeddings have a row each.

Nothing here imports Keras: what it needs of a model are attributes.
"""

from __future__ import annotations

from typing import Any

from deeptracker.record.array_layers import FILTERS_LAST

_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel", "embeddings")
_ALONE = ("kernel", "embeddings")
"""Names of weights after which their layer is called by its own name alone."""


def layers_of(model: Any) -> dict[str, tuple[Any, str, str | None]]:
    """Weight, layout and kind (None: as its dimensions say) of each layer of a model, by name."""
    owners = {id(weight): layer for layer in model._flatten_layers() for weight in layer._trainable_variables}
    owners |= {id(weight): layer for layer in model._flatten_layers() for weight in layer._non_trainable_variables}
    found: dict[str, tuple[Any, str, str | None]] = {}
    for weight in model.weights:
        if len(weight.shape) >= 2 and weight.name in _KERNELS:
            layout, kind = _layout(weight, owners.get(id(weight)))
            path = weight.path.removeprefix(f"{model.name}/").split("/")
            found[".".join(path[:-1] if path[-1] in _ALONE and len(path) > 1 else path)] = (weight, layout, kind)
    return found


def _layout(weight: Any, owner: Any) -> tuple[str, str | None]:
    kind = type(owner).__name__
    if weight.name == "embeddings":
        return "oi", "embedding"
    if kind.startswith("Depthwise") or weight.name == "depthwise_kernel":
        return "...oo", None
    if kind.startswith("Conv") and kind.endswith("Transpose"):
        return "...oi", f"conv_transpose{len(weight.shape) - 2}d"
    if hasattr(owner, "equation"):  # of an EinsumDense: what the result has of the kernel's dimensions are its units
        arguments, result = owner.equation.split("->")
        return "".join("o" if letter in result else "i" for letter in arguments.split(",")[1]), "linear"
    return FILTERS_LAST, None
