"""How are flips found in a record that has one bit for each sample and dump?

A record of bits is uint64 (blocks, samples): bit i of [b, s] says whether sample s was right at dump 64 b + i. It has a
64th of the bytes that two values of bool and their comparison take, and that is what finding flips costs.

1. A flip is where a bit differs from the one before it: an exclusive or of the record with itself, moved by one bit.
2. Of what that gives only the bytes that have any flip are taken apart.
3. So many samples are worked on at a time that all of it stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Int32s = NDArray[np.int32]

WORD = 64
"""Dumps in a word."""

PIECE_BYTES = 1 << 17
"""Words of about this size are searched for flips at a time."""


def packed(record: NDArray[np.bool_]) -> Words:
    """uint64 (blocks, samples) of bool (samples, dumps).

    >>> packed(np.array([[True, False, True], [False, False, False]])).tolist()
    [[5, 0]]
    """
    samples, dumps = record.shape
    blocks = -(-dumps // WORD)
    bits = np.zeros((samples, 8 * blocks), np.uint8)
    bits[:, : -(-dumps // 8)] = np.packbits(record, axis=1, bitorder="little")
    return bits.view("<u8").T


def count_flips(words: Words, dumps: int) -> int:
    """How many flips there are in the first dumps of a record (blocks, samples)."""
    return sum(int(np.bitwise_count(changed).sum()) for _, changed in _pieces(words, dumps))


def flips(words: Words, dumps: int) -> Iterator[tuple[Int32s, Int32s]]:
    """Sample and dump (the first with the new value) of every flip in the first dumps of a record (blocks, samples).

    They come in pieces, by sample, then dump; all flips of a sample are in one piece.
    """
    bits_a_sample = np.int32(WORD * len(words))
    for first, changed in _pieces(words, dumps):
        found = _by_sample(changed).ravel()
        filled = np.flatnonzero(found != 0)  # of a comparison, which numpy searches five times as fast as numbers
        bits = np.flatnonzero(np.unpackbits(found[filled], bitorder="little").view(np.bool_)).astype(np.int32)
        # Bit n is in byte n // 8 of those that are filled: how far on is it, with all that are not between?
        gaps = (filled.astype(np.int32) - np.arange(len(filled), dtype=np.int32)) * np.int32(8)
        place = gaps[bits >> 3] + bits
        sample = place // bits_a_sample
        yield sample + np.int32(first), place - sample * bits_a_sample


def count_by_column(words: Words, dumps: int, level: int) -> NDArray[np.uint8]:
    """uint8 (samples, columns): how many bits are set in each column of `level` dumps; the last one may have fewer.

    Of the first dumps of a record (blocks, samples), of which a column begins at a multiple of `level`, a divisor of
    WORD that is a power of two >= 4. ValueError for another level.

    >>> count_by_column(packed(np.array([[True, False, True, True, False, True]])), 6, 4).tolist()
    [[3, 1]]
    """
    if level not in (4, 8, 16, 32, 64):
        raise ValueError(f"level must be 4, 8, 16, 32 or 64. Got {level}.")
    known = words.copy()
    if len(known):
        known[-1] &= ~np.uint64(0) >> np.uint64(-dumps % WORD)
    by_byte = _by_sample(known)
    if level == 4:
        halves = np.stack([by_byte & np.uint8(15), by_byte >> np.uint8(4)], axis=-1)
        counted = np.bitwise_count(halves.reshape(len(by_byte), 2 * by_byte.shape[1]))
    else:
        counted = np.bitwise_count(by_byte.view(f"<u{level // 8}"))
    return counted[:, : -(-dumps // level)]


def _pieces(words: Words, dumps: int) -> Iterator[tuple[int, Words]]:
    """For some samples at a time: the first, and which of their bits (blocks, samples) differ from the dump before."""
    blocks, samples = words.shape
    step = max(1, PIECE_BYTES // max(1, 8 * blocks))
    for first in range(0, samples if blocks else 0, step):
        piece = words[:, first : first + step]
        changed = piece << np.uint64(1)
        changed[1:] |= piece[:-1] >> np.uint64(WORD - 1)
        changed ^= piece
        changed[0] &= ~np.uint64(1)  # nothing comes before the first dump
        changed[-1] &= ~np.uint64(0) >> np.uint64(-dumps % WORD)
        yield first, changed


def _by_sample(words: Words) -> NDArray[np.uint8]:
    """uint8 (samples, 8 blocks): the same bits, byte by byte."""
    return np.ascontiguousarray(words.T, "<u8").view(np.uint8).reshape(words.shape[1], 8 * len(words))
