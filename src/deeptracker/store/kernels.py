"""How do the kernels of the first convolution become the columns of a file, and how are they found fit again?

1. One row a filter: its kernel as a list, row-major. The metadata tell the layer and the shape that all kernels have.
2. Read back, rows and lengths must be those of that shape, and of that layer where the network is known.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from deeptracker.schema import Kernels, Network
from deeptracker.store.columns import Columns, numbers


def written_kernels(kernels: Kernels) -> tuple[dict[str, pa.Array], dict[str, Any]]:
    """The columns of a file of kernels, and what goes into its metadata."""
    filters, *shape = kernels.values.shape
    offsets = np.arange(filters + 1, dtype=np.int32) * math.prod(shape)
    column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(kernels.values).ravel()))
    return {"kernel": column}, {"layer": kernels.layer, "shape": shape}


def kernels_in(columns: Columns, network: Network | None) -> Kernels:
    """The kernels of a file that was read; ValueError that says what must hold of it and does not."""
    layer, shape = _told(columns.metadata)
    column = columns.arrays.get("kernel")
    if column is None or column.type != pa.list_(pa.float32()):
        raise ValueError(f"must have a column 'kernel' of lists of float32. It is {column and column.type}.")
    lengths = numbers(column.value_lengths())
    if not len(lengths) or (lengths != math.prod(shape)).any():
        raise ValueError(f"must have kernels of {math.prod(shape)} weights each, as its shape says. It has not.")
    if network is not None:
        _check_layer(layer, len(lengths), math.prod(shape), network)
    return Kernels(layer, numbers(column.flatten()).reshape(len(lengths), *shape))


def _told(metadata: dict[str, Any]) -> tuple[int, list[int]]:
    layer, shape = metadata.get("layer"), metadata.get("shape")
    sizes = shape if isinstance(shape, list) and len(shape) == 3 else [0]
    if not isinstance(layer, int) or layer < 0 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(
            f"must name a layer and a shape of channels, height and width. It names layer {layer} and shape {shape}."
        )
    return layer, sizes


def _check_layer(layer: int, filters: int, weights: int, network: Network) -> None:
    if layer >= len(network.layers):
        raise ValueError(f"must name one of {len(network.layers)} layers. It names layer {layer}.")
    known = network.layers[layer]
    if (filters, weights) != (known.filters, known.fan_in):
        raise ValueError(
            f"must have {known.filters} kernels of {known.fan_in} weights, as layer {known.name!r} has. "
            f"It has {filters} of {weights}."
        )
