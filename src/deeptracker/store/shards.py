"""How do the rows of a block become the bytes of a shard, and how are some of its columns read back?

A shard is as Zarr's sharding codec has it: first an index, the offset and length (uint64) of every inner chunk and a
CRC32C of these, then the chunks, each followed by its own CRC32C. Neighbouring chunks lie next to each other here, so
a layer or a class is one range of bytes. Zarr itself is not asked: importing it takes longer than any question.
"""

from __future__ import annotations

from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deeptracker.store.index_layout import IndexArray

CRC_BYTES = 4
_ZSTD = pa.Codec("zstd", compression_level=1)

ChunkIndex = npt.NDArray[np.uint64]
"""uint64 (chunks, 2): offset and length of every inner chunk."""


class DamagedShardError(ValueError):
    """A shard whose bytes are not what was written."""


def encode_shard(array: IndexArray, rows: npt.NDArray[Any]) -> bytes:
    """The bytes of a shard that holds these rows, (rows up to `array.rows`, *array.shape); fill values follow them."""
    whole = np.full((array.rows, array.chunks * array.width), array.fill, np.dtype(array.dtype).newbyteorder("<"))
    whole[: len(rows), : array.columns] = rows.reshape(len(rows), array.columns)
    chunks = [_encode_chunk(array, whole[:, at : at + array.width]) for at in range(0, whole.shape[1], array.width)]
    lengths = np.array([len(chunk) for chunk in chunks], np.uint64)
    first = index_bytes(array)
    offsets = np.cumsum(np.concatenate([[first], lengths[:-1]]), dtype=np.uint64)
    index = np.stack([offsets, lengths], axis=1).astype("<u8").tobytes()
    return b"".join([index, _crc32c(index), *chunks])


def index_bytes(array: IndexArray) -> int:
    """How many bytes the index at the beginning of a shard has."""
    return 16 * array.chunks + CRC_BYTES


def shard_bytes(array: IndexArray) -> int:
    """How many bytes a shard has of an array that is not compressed."""
    return sum(place_of(array, 0, array.chunks))


def place_of(array: IndexArray, first: int, end: int) -> tuple[int, int]:
    """Start and length of the bytes of the chunks from `first` to before `end` of an array that is not compressed."""
    chunk = _plain_bytes(array) + CRC_BYTES
    return index_bytes(array) + first * chunk, (end - first) * chunk


def decode_index(array: IndexArray, data: bytes) -> ChunkIndex:
    """Where the chunks lie, from the first `index_bytes` of a shard; DamagedShardError."""
    body = _checked(data)
    return np.frombuffer(body, "<u8").reshape(array.chunks, 2)


def range_of(index: ChunkIndex, first: int, end: int) -> tuple[int, int]:
    """Start and length of the bytes of the chunks from `first` to before `end`; DamagedShardError."""
    offsets, lengths = index[first:end, 0], index[first:end, 1]
    if not (offsets[1:] == (offsets + lengths)[:-1]).all() or int(offsets[0]) >= 1 << 62:
        raise DamagedShardError("neighbouring chunks must lie next to each other. They do not.")
    return int(offsets[0]), int(offsets[-1] + lengths[-1] - offsets[0])


def decode_columns_of(array: IndexArray, index: ChunkIndex, data: bytes, start: int, stop: int) -> npt.NDArray[Any]:
    """(rows, stop - start): columns of a block, from the bytes of the chunks that hold them; DamagedShardError."""
    first, end = start // array.width, -(-stop // array.width)
    if array.is_compressed:
        whole = _decompressed(array, index[first:end], data).T
    else:
        whole = _plain(array, end - first, data).reshape(array.rows, -1)
    return whole[:, start - first * array.width : stop - first * array.width]


def decode_shard(array: IndexArray, data: bytes) -> npt.NDArray[Any]:
    """(rows, columns): all of a shard; DamagedShardError unless every byte is as written, as far as checksums tell."""
    index = decode_index(array, data[: index_bytes(array)])
    start, length = range_of(index, 0, array.chunks)
    if start + length != len(data):
        raise DamagedShardError(f"a shard must have {start + length} bytes. It has {len(data)}.")
    return decode_columns_of(array, index, data[start:], 0, array.columns)


def _plain(array: IndexArray, chunks: int, data: bytes) -> npt.NDArray[Any]:
    """(rows, chunks, width)"""
    size = _plain_bytes(array)
    step = size + CRC_BYTES
    if len(data) != chunks * step:
        raise DamagedShardError(f"a chunk must have {step} bytes. It has not.")
    by_chunk = np.frombuffer(data, np.uint8).reshape(chunks, step)
    value = google_crc32c.value
    found = np.array([value(data[at : at + size]) for at in range(0, len(data), step)], np.uint32)
    if not np.array_equal(by_chunk[:, size:].copy().view("<u4")[:, 0], found):
        raise DamagedShardError("a chunk must have the CRC32C that follows it. It has not.")
    values = by_chunk[:, :size].view(_dtype(array))
    return values.reshape(chunks, array.rows, array.width).transpose(1, 0, 2)


def _decompressed(array: IndexArray, index: ChunkIndex, data: bytes) -> npt.NDArray[Any]:
    """(columns, rows)"""
    size = _plain_bytes(array)
    by_column = np.empty((len(index), size), np.uint8)
    at = 0
    for length, column in zip(index[:, 1].tolist(), by_column, strict=True):
        body = _checked(data[at : at + length])
        at += length
        try:
            column[:] = np.frombuffer(_ZSTD.decompress(body, size), np.uint8)
        except (OSError, ValueError) as error:
            raise DamagedShardError(f"a chunk must be zstd of {size} bytes. It is not ({error}).") from error
    return by_column.view(_dtype(array)).reshape(-1, array.rows)


def _plain_bytes(array: IndexArray) -> int:
    """How many bytes a chunk has before it is compressed."""
    return array.rows * array.width * _dtype(array).itemsize


def _dtype(array: IndexArray) -> np.dtype[Any]:
    return np.dtype(array.dtype).newbyteorder("<")


def _encode_chunk(array: IndexArray, values: npt.NDArray[Any]) -> bytes:
    body = bytes(_ZSTD.compress(values.T.tobytes(), asbytes=True)) if array.is_compressed else values.tobytes()
    return body + _crc32c(body)


def _checked(data: bytes) -> bytes:
    body = data[:-CRC_BYTES]
    if len(data) <= CRC_BYTES or _crc32c(body) != data[-CRC_BYTES:]:
        raise DamagedShardError("a piece of a shard must have the CRC32C that follows it. It has not.")
    return body


def _crc32c(data: bytes) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(CRC_BYTES, "little")
