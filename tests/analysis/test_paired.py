"""Changes of the error are compared sample by sample, as the formulas say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.analysis.paired import change_of, mcnemar, mean_interval, paired_interval, rank_p


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_change_is_what_counting_one_by_one_gives_and_lies_in_its_interval(pairs: list[tuple[bool, bool]]) -> None:
    was, now = (np.array(column) for column in zip(*pairs, strict=True))
    found = change_of(was, now)
    spoiled = sum(before and not after for before, after in pairs)
    mended = sum(after and not before for before, after in pairs)
    assert (found.samples, found.spoiled, found.mended) == (len(pairs), spoiled, mended)
    assert found.change == pytest.approx((spoiled - mended) / len(pairs))
    assert found.after - found.before == pytest.approx(found.change)
    assert -1 <= found.low <= found.change <= found.high <= 1


def test_the_interval_is_that_of_bonett_and_price_written_out() -> None:
    up, down, n = 7 / 42, 3 / 42, 42
    half = 1.959963984540054 * math.sqrt((up + down - (up - down) ** 2) / n)
    assert paired_interval(6, 2, 40) == pytest.approx((up - down - half, up - down + half))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(0)
    spoil, mend, n = 0.08, 0.03, 120
    drawn = chance.multinomial(n, [spoil, mend, 1 - spoil - mend], 2000)
    covered = np.mean([low <= spoil - mend <= high for low, high in (paired_interval(b, c, n) for b, c, _ in drawn)])
    assert 0.93 < covered < 0.98


@pytest.mark.parametrize(("spoiled", "mended"), [(0, 0), (1, 0), (5, 1), (3, 3), (2, 9), (30, 12)])
def test_mcnemar_sums_the_binomial_tails(spoiled: int, mended: int) -> None:
    n, most = spoiled + mended, max(spoiled, mended)
    tail = sum(math.comb(n, k) for k in range(most, n + 1)) / 2**n
    assert mcnemar(spoiled, mended) == pytest.approx(min(1.0, 2 * tail))


def test_a_rank_counts_ones_own_and_equal_values() -> None:
    assert rank_p(0.5, [0.1] * 19, "more") == pytest.approx(1 / 20)
    assert rank_p(0.0, [0.0, 0.0, 0.1], "less") == pytest.approx(3 / 4)
    assert rank_p(0.0, [0.0, 0.0, 0.1], "more") == 1


def test_the_interval_of_a_mean_is_students() -> None:
    low, high = mean_interval([1.0, 2.0, 3.0, 4.0])
    half = 3.182446305284263 * math.sqrt(5 / 3) / 2
    assert (low, high) == pytest.approx((2.5 - half, 2.5 + half))
    assert mean_interval([0.5, 0.5]) == mean_interval([0.5]) == (0.5, 0.5)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="as many before as after"):
        change_of(np.zeros(3, bool), np.zeros(2, bool))
    with pytest.raises(ValueError, match="there must be samples"):
        change_of(np.zeros(0, bool), np.zeros(0, bool))
