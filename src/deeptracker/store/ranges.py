"""How does Arrow read some columns of a large file in an object store, without fetching the rest?

1. Arrow asks a file for bytes from somewhere on: the end, where the schema is, then the buffers of some columns.
2. What is small is taken from blocks of BLOCK_BYTES that are fetched whole, so that a few requests answer many
   questions; what is large is one request of its own.
3. Arrow believes the offsets of a damaged file: nothing is fetched that does not lie inside it.
"""

from __future__ import annotations

import io
from collections.abc import Callable

BLOCK_BYTES = 1 << 16


class RangedFile(io.RawIOBase):
    """A file of `size` bytes for reading, of which `fetch(start, length)` gets a part."""

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self._size = size
        self._fetch = fetch
        self._place = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on reading somewhere else; ValueError outside of the file."""
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if not 0 <= place <= self._size:
            raise ValueError(f"byte {place} must lie inside the file of {self._size}. It does not.")
        self._place = place
        return place

    def read(self, size: int = -1) -> bytes:
        """So many bytes; ValueError where the file ends before."""
        end = self._size if size < 0 else self._place + size
        if end > self._size:
            raise ValueError(f"bytes {self._place} to {end} must lie inside the file of {self._size}. They do not.")
        start, self._place = self._place, end
        if end - start >= BLOCK_BYTES:
            return self._fetch(start, end - start)
        first = start // BLOCK_BYTES
        data = b"".join(self._block(block) for block in range(first, -(-end // BLOCK_BYTES)))
        return data[start - first * BLOCK_BYTES : end - first * BLOCK_BYTES]

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * BLOCK_BYTES
            self._blocks[number] = self._fetch(start, min(BLOCK_BYTES, self._size - start))
        return self._blocks[number]
