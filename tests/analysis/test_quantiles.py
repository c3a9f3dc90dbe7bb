"""Quantiles from histograms are those of all values together, as closely as bins allow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis.quantiles import quantiles, same_histogram, within_extremes
from deeptracker.schema import QUANTILES

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
layers_of_numbers = st.lists(st.lists(finite, max_size=20), min_size=1, max_size=6)
some_shares = st.lists(st.sampled_from([0, 0.25, 0.5, 0.75, 1]) | st.floats(0, 1), min_size=1, max_size=5)


def histogram(numbers: NDArray[np.float32]) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """As docs/format.md defines it."""
    bins = (numbers.view(np.uint32) >> 18) & 0x3FFF
    filled, counts = np.unique(np.where(bins == 8192, 0, bins), return_counts=True)
    return filled.astype(np.uint16), counts.astype(np.uint32)


def of_layers(layers: list[list[float]], groups: list[list[int]], shares: list[float]) -> NDArray[np.float32]:
    parts = [histogram(np.array(layer, np.float32)) for layer in layers]
    (found,) = quantiles([([bins for bins, _ in parts], [counts for _, counts in parts])], groups, shares)
    return found


def of_numbers(numbers: list[float], shares: list[float]) -> list[float]:
    return of_layers([numbers], [[0]], shares)[0].tolist()


@given(layers_of_numbers, some_shares, st.data())
def test_each_quantile_of_each_group_is_within_a_64th_of_the_true_one(
    layers: list[list[float]], shares: list[float], data: st.DataObject
) -> None:
    groups = data.draw(st.lists(st.sets(st.sampled_from(range(len(layers)))).map(sorted), max_size=4))
    found = of_layers(layers, groups, shares)
    assert found.shape == (len(groups), len(shares))
    assert found.dtype == np.float32
    for row, group in zip(found, groups, strict=True):
        numbers = np.array([x for index in group for x in layers[index]], np.float64)
        if not len(numbers):
            assert np.isnan(row).all()
            continue
        expected = np.quantile(numbers, shares, method="inverted_cdf")
        bound = np.maximum(np.abs(expected) / 64, 2.0**-131) * (1 + 1e-6)
        assert (np.abs(row - expected) <= bound).all()


def test_quantiles_go_from_the_most_negative_to_the_largest() -> None:
    found = of_numbers([-4, -2, -1, 0, 1, 2, 4], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found, [-4, -2, 0, 2, 4], rtol=1 / 64)


def test_without_values_there_are_no_quantiles() -> None:
    assert np.isnan(of_layers([], [[]], [0.5])).all()
    assert np.isnan(of_layers([[], []], [[0], [0, 1], []], [0, 1])).all()
    assert of_layers([[1]], [], [0.5]).shape == (0, 1)


def test_each_dump_is_by_itself_and_one_that_cannot_be_read_is_missing() -> None:
    one, other = ([histogram(np.float32([value]))[part] for part in (0, 1)] for value in (1, -2))
    found = quantiles([([one[0]], [one[1]]), None, ([other[0]], [other[1]])], [[0]], [0.5])
    np.testing.assert_allclose(found[:, 0, 0], [1, np.nan, -2], rtol=1 / 64)
    assert quantiles([], [[0], []], [0, 0.5, 1]).shape == (0, 2, 3)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_beyond_all_values_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"share must be in 0\.\.1"):
        of_numbers([1], [share])


def test_counts_beyond_32_bits_add_up_exactly() -> None:
    many = np.array([2**32 - 1], np.uint32)
    low, high = np.array([4064], np.uint16), np.array([4096], np.uint16)
    counts = [many, many, many, many, np.array([1], np.uint32)]
    # Of 2 (2^32 - 1) low values and one more high one the median is high, and a half less than that is low.
    found = quantiles([([low, low, high, high, high], counts)], [[0, 1, 2, 3, 4], [0, 1, 2, 3]], [0.5])
    assert found.ravel().tolist() == [2.03125, 1.015625]


def test_weights_and_gradients_have_a_histogram_each() -> None:
    assert same_histogram("weight_median") == ("weight_q1", "weight_median", "weight_q3")
    assert set(same_histogram("weight_q1")) | set(same_histogram("grad_q1")) == set(QUANTILES)


def test_what_comes_to_lie_beyond_an_extreme_is_put_on_it_and_the_unknown_stays_so() -> None:
    nan = np.nan
    five = np.array([[1, nan, -3], [0.99, 1, nan], [1.01, 1, -2], [1.02, 1, -1], [1.01, nan, nan]], np.float32)
    expected = np.array([[1, nan, -3], [1, 1, nan], [1.01, 1, -2], [1.01, 1, -1], [1.01, nan, nan]], np.float32)
    np.testing.assert_array_equal(within_extremes(five), expected)
