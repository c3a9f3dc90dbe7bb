"""How are the numbers and names of a pickle read without running what it says?

The python version of CIFAR is pickles, and a pickle is a program: `find_class` may fetch any function and the next
opcode calls it. So:

1. `find_class` is replaced (https://docs.python.org/3/library/pickle.html#restricting-globals). It knows the names
   with which numpy rebuilds an array, and refuses every other before it is imported.
2. What those names give cannot be turned into something else: the functions are C functions or objects without
   attributes, so that a BUILD opcode has nothing to set.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from deeptracker.errors import DatasetError


class _Latin1Encode:
    """`_codecs.encode(text, 'latin1')`: how Python 3 spells bytes in an old pickle. No attributes, no other codec."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"bytes must be spelled in latin1. Got {encoding!r}.")
        return text.encode("latin1")


_REBUILD_ARRAY = np.empty(0).__reduce__()[0]  # numpy's own function, wherever this version of numpy keeps it
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _REBUILD_ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _REBUILD_ARRAY,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _Latin1Encode(),
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which data never needs") from None


def load_arrays(data: bytes, *, place: str) -> Any:
    """What a pickle of numpy arrays, numbers, text, lists and dictionaries holds; text of Python 2 becomes str.

    DatasetError, naming `place`, if it asks for anything else or is damaged. Nothing that it asks for is run.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a damaged pickle raises nearly anything, from IndexError to MemoryError
        raise DatasetError(
            f"{place} must be a pickle of arrays alone. It is not, and was not run: {error}. "
            "Use the binary version of the archive."
        ) from error
