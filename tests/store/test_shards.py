"""Columns of a shard read back are those that were written, and a changed byte is never taken for a value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.store.index_layout import BLOCK, IndexArray
from deeptracker.store.shards import (
    DamagedShardError,
    decode_columns_of,
    decode_index,
    decode_shard,
    encode_shard,
    index_bytes,
    range_of,
)

PLAIN = IndexArray("sd", "float32", ("filter",), (10,), 4)
PACKED = IndexArray("predicted", "int16", ("sample",), (10,), 4, is_compressed=True)
STATS = IndexArray("node_stats", "float32", ("node_measure", "node"), (3, 5), 5)
ARRAYS = pytest.mark.parametrize("array", [PLAIN, PACKED, STATS], ids=lambda array: array.name)


def rows_of(array: IndexArray, count: int) -> np.ndarray:
    rng = np.random.default_rng(count)
    return rng.integers(-9, 9, (count, *array.shape)).astype(array.dtype)


def read(array: IndexArray, data: bytes, start: int, stop: int) -> np.ndarray:
    index = decode_index(array, data[: index_bytes(array)])
    first, length = range_of(index, start // array.width, -(-stop // array.width))
    return decode_columns_of(array, index, data[first : first + length], start, stop)


@ARRAYS
@given(count=st.integers(0, BLOCK), ends=st.lists(st.integers(0, 10), min_size=2, max_size=2, unique=True))
def test_columns_are_those_that_were_written(array: IndexArray, count: int, ends: list[int]) -> None:
    rows = rows_of(array, count)
    start, stop = sorted(ends)
    found = read(array, encode_shard(array, rows), start, stop)
    assert found.dtype == np.dtype(array.dtype)
    np.testing.assert_array_equal(found[:count], rows.reshape(count, array.columns)[:, start:stop])
    np.testing.assert_array_equal(found[count:], np.full((BLOCK - count, stop - start), array.fill, array.dtype))


@ARRAYS
@given(data=st.data())
def test_a_changed_byte_is_an_error_wherever_it_is(array: IndexArray, data: st.DataObject) -> None:
    whole = encode_shard(array, rows_of(array, 7))
    decode_shard(array, whole)
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedShardError):
        decode_shard(array, bytes(changed))


@ARRAYS
@given(data=st.data())
def test_a_shard_that_is_cut_short_or_too_long_is_an_error(array: IndexArray, data: st.DataObject) -> None:
    whole = encode_shard(array, rows_of(array, 7))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for wrong in (cut, whole + b"x"):
        with pytest.raises(DamagedShardError):
            decode_shard(array, wrong)


def test_an_array_says_what_its_chunks_must_be() -> None:
    with pytest.raises(ValueError, match=r"multiple of 5 wide\. Got 4"):
        IndexArray("node_stats", "float32", ("node_measure", "node"), (3, 5), 4)
