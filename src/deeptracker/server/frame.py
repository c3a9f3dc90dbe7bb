"""How do arrays travel to the page? (docs/http-api.md, "Arrays: the frame")

1. `DTK1`, the length of a JSON header, the header, zeros up to a multiple of 8, then the raw little-endian arrays.
2. Colours travel as one byte a cell: 0 is missing, 1..255 is linear between two stated values.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

MEDIA_TYPE = "application/x-deeptracker-frame"
_MAGIC = b"DTK1"
_DTYPES = {"uint8", "int16", "int32", "float32", "float64"}

Array = npt.NDArray[Any]


def encode_frame(
    arrays: Mapping[str, Array],
    header: Mapping[str, Any],
    scales: Mapping[str, tuple[float, float]] | None = None,
) -> bytes:
    """The bytes of a frame; `scales` gives (lo, hi) for uint8 arrays made by `to_bytes`.

    >>> frame = encode_frame({"error": np.zeros(3, np.uint8)}, {"first": 0}, {"error": (0, 1)})
    >>> frame[:4], len(frame) % 8
    (b'DTK1', 0)
    """
    entries: list[dict[str, Any]] = []
    payload = bytearray()
    for name, array in arrays.items():
        if array.dtype.name not in _DTYPES:
            raise TypeError(f"array {name!r} must be one of {sorted(_DTYPES)}. Got {array.dtype.name}.")
        entry = {"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "offset": len(payload)}
        if scales and name in scales:
            entry["scale"] = {"lo": scales[name][0], "hi": scales[name][1]}
        entries.append(entry)
        payload += np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        payload += bytes(-len(payload) % 8)
    text = json.dumps({"arrays": entries, **header}, allow_nan=False).encode()
    start = len(_MAGIC) + 4 + len(text)
    return b"".join([_MAGIC, struct.pack("<I", len(text)), text, bytes(-start % 8), payload])


@np.errstate(over="ignore")  # what lies far outside
def to_bytes(values: npt.NDArray[np.floating[Any]], lo: float, hi: float) -> npt.NDArray[np.uint8]:
    """One byte a value: 1..255 linear in [lo, hi], what lies outside is cut, 0 where NaN. All 1 where lo is hi.

    >>> to_bytes(np.array([0.0, 0.5, 1.0, 7.0, np.nan]), 0, 1).tolist()
    [1, 128, 255, 255, 0]
    """
    if hi - lo > float(np.finfo(values.dtype).max):
        values = values.astype(np.float64)  # a difference of two float32 may be too large for one
    # In place, step by step: the cells of a large layer are millions.
    byte = values - lo
    byte /= hi - lo if hi > lo else 1
    np.clip(byte, 0, 1, out=byte)
    byte *= 254
    byte += 1.5  # conversion cuts off the rest
    np.fmax(byte, 0, out=byte)  # of NaN and a number it takes the number
    return byte.astype(np.uint8)


def span_of(values: npt.NDArray[np.floating[Any]]) -> tuple[float, float]:
    """The smallest and the largest finite value; (0, 1) where there is none.

    >>> span_of(np.array([2.0, np.nan, -1.0, np.inf]))
    (-1.0, 2.0)
    """
    finite = np.isfinite(values)
    if not finite.any():
        return 0.0, 1.0
    lo, hi = (float(of(values, where=finite, initial=start)) for of, start in ((np.min, np.inf), (np.max, -np.inf)))
    return lo, hi
