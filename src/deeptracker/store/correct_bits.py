"""Which samples were predicted correctly at which dumps, a bit each?

1. Of 64 dumps there are 8 bytes a sample (as in the index): bit i of [b, s] is sample s at dump 64 b + i. A sample that
   is missing was not correct. All of the paper's run is 4.8 MB.
2. Blocks that the index has are read from there. Of all other dumps the predictions are held already, and compared.
3. They are read when somebody asks about all samples, and held from then on, so that questions about some samples need
   nothing else. Beyond `limit_bytes` they are made each time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.store.index_layout import BLOCK
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.sample_rows import SampleRows

HELD_BYTES = 1 << 27
"""128 MiB: 50,000 samples at 21,000 dumps."""

Words = npt.NDArray[np.uint64]


class CorrectBits:
    """Bits of all samples at the first dumps of a run, as `predicted` and the index have them."""

    def __init__(
        self,
        labels: npt.NDArray[np.int32],
        predicted: SampleRows,
        index: IndexReader,
        *,
        limit_bytes: int = HELD_BYTES,
    ) -> None:
        self._labels = labels
        self._predicted = predicted
        self._index = index
        self._limit_bytes = limit_bytes
        self._words: Words = np.zeros((0, len(labels)), np.uint64)
        self._dumps = 0

    @property
    def size_bytes(self) -> int:
        """Bytes that are held."""
        return self._words.nbytes

    def cut(self, dumps: int) -> None:
        """Forget all dumps from this one on."""
        self._dumps = min(self._dumps, dumps)

    def forget(self) -> None:
        """Hold nothing."""
        self._words, self._dumps = self._words[:0], 0

    def words(self, dumps: int) -> Words:
        """uint64 (blocks, samples) of so many dumps; bits of later ones mean nothing. Not to be written to."""
        if self._dumps >= dumps:
            return self._words[: _blocks(dumps)]
        words = np.zeros((_blocks(dumps), len(self._labels)), np.uint64)
        known = self._dumps // BLOCK
        words[:known] = self._words[:known]
        self._fill(words, known * BLOCK, dumps)
        if words.nbytes <= self._limit_bytes:
            self._words, self._dumps = words, dumps
        return words

    def words_of(self, samples: slice, dumps: int) -> Words:
        """uint64 (blocks, samples chosen): `words` of some samples. Where all of them can be held, all are read."""
        if self._dumps >= dumps or 8 * _blocks(dumps) * len(self._labels) <= self._limit_bytes:
            return self.words(dumps)[:, samples]
        words = np.zeros((_blocks(dumps), len(self._labels[samples])), np.uint64)
        self._fill(words, 0, dumps, samples)
        return words

    def held(self, samples: slice, dumps: int) -> npt.NDArray[np.bool_] | None:
        """bool (samples chosen, dumps), if so many dumps are held; nothing is read."""
        if self._dumps < dumps:
            return None
        by_sample = np.ascontiguousarray(self._words[: _blocks(dumps), samples].T, "<u8")
        as_bytes = by_sample.view(np.uint8).reshape(len(by_sample), 8 * _blocks(dumps))
        return np.unpackbits(as_bytes, axis=1, count=dumps, bitorder="little").view(np.bool_)

    def _fill(self, words: Words, first: int, end: int, samples: slice = slice(None)) -> None:
        start, stop, _ = samples.indices(len(self._labels))
        columns = None if len(self._labels) == stop - start else slice(start, stop)
        stretches = self._index.stretches(first, end)
        read = self._index.fetch([("correct", block, columns) for _, _, block in stretches if block is not None])
        for start, stop, block in stretches:
            found = None if block is None else next(read)
            if found is None:
                self._compare(words, start, stop, samples)
            else:  # of a block that the index has, only the end may lie behind what the log shows
                words[start // BLOCK] = found[0] & _ones(stop - start)

    def _compare(self, words: Words, first: int, end: int, samples: slice) -> None:
        for start in range(first - first % BLOCK, end, BLOCK):
            rows = self._predicted.dumps_of(max(first, start), min(end, start + BLOCK))[:, samples]
            labels = self._labels[samples].astype(rows.dtype)
            words[start // BLOCK] |= _packed(rows == labels, max(first, start) - start)


def _packed(correct: npt.NDArray[Any], first: int) -> Words:
    """uint64 (samples,) of bool (dumps, samples), the first of which is bit `first`."""
    planes = np.zeros((8, correct.shape[1]), np.uint8)
    for bit, row in enumerate(correct.view(np.uint8), first):
        planes[bit // 8] |= row << np.uint8(bit % 8)
    return np.ascontiguousarray(planes.T).view("<u8")[:, 0]


def _ones(count: int) -> np.uint64:
    return np.uint64((1 << count) - 1)


def _blocks(dumps: int) -> int:
    return -(-dumps // BLOCK)
