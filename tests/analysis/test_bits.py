"""Bits say what a record of bool says, and its flips are those that plain loops find."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis import bits as module
from deeptracker.analysis.bits import count_by_column, count_flips, flips, packed

DUMPS = st.sampled_from([0, 1, 2, 63, 64, 65, 127, 128, 129, 200])


@st.composite
def records(draw: st.DrawFn) -> NDArray[np.bool_]:
    """A record (samples, dumps) that flips often, seldom or never."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    often = draw(st.sampled_from([0, 0.02, 0.5, 1]))
    shape = draw(st.integers(0, 5)), draw(DUMPS)
    changes = rng.random(shape) < often
    return np.cumsum(changes, axis=1) % 2 == 1


@given(records())
def test_each_bit_is_one_sample_at_one_dump(record: NDArray[np.bool_]) -> None:
    words = packed(record)
    assert words.shape == (-(-record.shape[1] // 64), record.shape[0])
    assert words.dtype == np.uint64
    for sample, row in enumerate(record.tolist()):
        for dump, was_right in enumerate(row):
            assert int(words[dump // 64, sample]) >> dump % 64 & 1 == was_right


@given(records(), st.integers(1, 200))
def test_flips_are_those_of_the_plain_record_however_many_samples_are_searched_at_a_time(
    record: NDArray[np.bool_], piece_bytes: int
) -> None:
    expected = [
        (sample, dump)
        for sample, row in enumerate(record.tolist())
        for dump in range(1, len(row))
        if row[dump] != row[dump - 1]
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_BYTES", piece_bytes)
        pieces = list(flips(packed(record), record.shape[1]))
        assert count_flips(packed(record), record.shape[1]) == len(expected)
    found = [pair for piece in pieces for pair in zip(*(column.tolist() for column in piece), strict=True)]
    assert found == expected
    of_piece = [set(samples.tolist()) for samples, _ in pieces]
    assert sum(map(len, of_piece)) == len(set[int]().union(*of_piece)), "a sample is in two pieces"


@given(records(), st.integers(0, 2**32 - 1))
def test_bits_of_later_dumps_mean_nothing(record: NDArray[np.bool_], seed: int) -> None:
    samples, dumps = record.shape
    rng = np.random.default_rng(seed)
    longer = np.concatenate([record, rng.random((samples, -dumps % 64)) < 0.5], axis=1)
    assert count_flips(packed(longer), dumps) == count_flips(packed(record), dumps)
    for more, fewer in zip(flips(packed(longer), dumps), flips(packed(record), dumps), strict=True):
        np.testing.assert_array_equal(more, fewer)


@pytest.mark.parametrize("level", [4, 8, 16, 32, 64])
@pytest.mark.parametrize("dumps", [0, 1, 63, 64, 65, 200])
def test_bits_are_counted_by_column(level: int, dumps: int) -> None:
    record = np.random.default_rng(dumps).random((3, dumps)) < 0.5
    words = packed(record).copy()
    if dumps % 64:
        words[-1] |= ~np.uint64(0) << np.uint64(dumps % 64)  # bits of later dumps mean nothing
    expected = [[row[start : start + level].sum() for start in range(0, dumps, level)] for row in record]
    np.testing.assert_array_equal(count_by_column(words, dumps, level), np.array(expected).reshape(3, -1))


def test_bits_are_counted_in_columns_that_fit_into_words() -> None:
    with pytest.raises(ValueError, match=r"level must be .* Got 12"):
        count_by_column(packed(np.zeros((1, 3), bool)), 3, 12)
