"""analysis/significance.py against scipy's distributions and the method written out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, hypergeom

from deeptracker.analysis.significance import false_discovery_rates, hypergeometric_tail


@given(st.integers(1, 60), st.data())
def test_tails_are_those_of_scipy(population: int, data: st.DataObject) -> None:
    numbers = st.lists(st.integers(0, population), min_size=5, max_size=5)
    marked, drawn, hits = (np.array(data.draw(numbers), np.int32) for _ in range(3))
    found = hypergeometric_tail(population, marked, drawn, hits)
    expected = hypergeom.sf(hits - 1.0, population, marked, drawn)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def test_tails_far_beyond_rounding_are_still_numbers() -> None:
    found = hypergeometric_tail(10_000, np.array([40]), np.array([40]), np.array([40]))
    assert 0 < found[0] < 1e-100


@given(st.lists(st.floats(0, 1), max_size=20), st.integers(0, 30))
def test_false_discovery_rates_are_those_of_scipy(p: list[float], untested: int) -> None:
    values = np.array([*p, *np.ones(untested)])
    expected = false_discovery_control(values)[: len(p)] if len(values) else np.zeros(0)
    found = false_discovery_rates(np.array(p), len(values))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
