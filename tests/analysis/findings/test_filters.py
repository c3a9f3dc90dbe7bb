import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.analysis.findings.filters import dead_since, decaying, over_active_filters
from deeptracker.analysis.findings.layers import LayerRecord
from tests.analysis.findings.records import DUMPS, FILTERS, healthy


def silence(record: LayerRecord, filter: int, *, first: int = 1, last: int = DUMPS) -> None:
    """No gradient and no change at these dumps."""
    record.values["grad_l2"][first:last, filter] = 0
    record.values["change"][first:last, filter] = 0
    record.values["cosine"][first:last, filter] = 1


def shrink(record: LayerRecord, filter: int, *, first: int = 1, by: float = 0.01, gradient: float = 1e-6) -> None:
    """From this dump on the filter only loses a share of its norm."""
    steps = np.arange(DUMPS - first)
    record.values["l2"][first:, filter] = record.values["l2"][first - 1, filter] * (1 - by) ** (steps + 1)
    record.values["change"][first:, filter] = by
    record.values["cosine"][first:, filter] = 1
    record.values["grad_l2"][first:, filter] = gradient


def dead(record: LayerRecord) -> list[int]:
    return np.flatnonzero(dead_since(record)[0]).tolist()


def test_in_a_healthy_layer_nothing_is_found() -> None:
    record = healthy()
    assert not dead(record)
    assert decaying(record) is None
    assert not list(over_active_filters(record))


@pytest.mark.parametrize("dumps", [8, 20])
def test_a_filter_without_gradient_that_stands_still_is_dead(dumps: int) -> None:
    record = healthy(dumps=dumps)
    silence(record, 3, first=1)
    silence(record, 5, first=dumps - 3)
    assert dead(record) == [3, 5]
    assert dead_since(record)[1][[3, 5]].tolist() == [0, dumps - 3]


def test_two_dumps_are_too_few_to_be_dead_and_so_is_what_has_passed() -> None:
    record = healthy()
    silence(record, 3, first=DUMPS - 2)
    silence(record, 5, first=2, last=DUMPS - 1)
    assert not dead(record)


def test_a_dead_filter_that_weight_decay_shrinks_is_still_dead() -> None:
    record = healthy()
    shrink(record, 3, gradient=0.0)
    assert dead(record) == [3]
    assert decaying(record) is None


def test_where_nobody_turns_measurably_a_filter_that_does_not_says_nothing() -> None:
    record = healthy()
    shrink(record, 3, gradient=0.0)
    record.values["cosine"][1:] = 1 - 1e-7
    assert not dead(record)


def test_a_frozen_layer_has_no_gradients_and_is_not_dead() -> None:
    record = healthy()
    for filter in range(FILTERS):
        silence(record, filter)
    record.values["grad_l2"][:] = np.nan
    assert not dead(record)


def test_a_layer_that_lost_all_gradients_is_dead_as_a_whole() -> None:
    record = healthy()
    for filter in range(FILTERS):
        shrink(record, filter, first=10, gradient=0.0)
    assert dead(record) == list(range(FILTERS))
    assert set(dead_since(record)[1].tolist()) == {10}


def test_where_gradients_are_not_recorded_what_never_changes_beside_others_is_dead() -> None:
    record = healthy()
    silence(record, 3)
    record.values["grad_l2"][:] = np.nan
    assert dead(record) == [3]


@given(st.lists(st.integers(0, FILTERS - 1), max_size=4, unique=True), st.integers(1, DUMPS - 1), st.integers(0, 3))
def test_no_filter_with_a_gradient_at_the_last_dump_is_dead(filters: list[int], first: int, last: int) -> None:
    record = healthy()
    for filter in filters:
        silence(record, filter, first=first, last=DUMPS - last)
    is_dead = last == 0 and first <= DUMPS - 3
    assert dead(record) == (sorted(filters) if is_dead else [])


def test_filters_that_only_shrink_decay() -> None:
    record = healthy()
    shrink(record, 3)
    shrink(record, 8, first=10)
    found = decaying(record)
    assert found is not None
    assert found.filters == (3, 8)
    assert found.since == 0
    assert found.fallen == pytest.approx([1 - 0.99**19, 1 - 0.99**10], abs=1e-6)


@pytest.mark.parametrize(
    ("first", "by", "gradient"),
    [(18, 0.05, 1e-6), (10, 0.004, 1e-6), (10, 0.01, 0.01)],
    ids=["for two dumps only", "by less than 5 %", "with a tenth of the gradient of the others"],
)
def test_a_little_shrinking_is_no_decay(first: int, by: float, gradient: float) -> None:
    record = healthy()
    shrink(record, 3, first=first, by=by, gradient=gradient)
    assert decaying(record) is None


def test_what_shrinks_and_turns_does_not_only_decay() -> None:
    record = healthy()
    shrink(record, 3)
    record.values["change"][:, 3] *= 1.1
    assert decaying(record) is None


def settled(*, late: float) -> LayerRecord:
    """In the last third all filters change a tenth as much, and filter 3 `late` times as much as the others."""
    record = healthy()
    record.values["change"][-6:] *= 0.1
    record.values["change"][-6:, 3] *= late
    return record


def test_a_filter_that_goes_on_when_its_layer_has_settled_is_over_active() -> None:
    (found,) = over_active_filters(settled(late=10))
    assert (found.severity, found.place.filters, found.place.first) == ("low", (3,), 1400)


def test_three_times_as_much_is_not_over_active() -> None:
    assert not list(over_active_filters(settled(late=3)))


def test_while_its_layer_has_not_settled_no_filter_is_over_active() -> None:
    record = healthy()
    record.values["change"][-6:, 3] *= 10
    assert not list(over_active_filters(record))


def test_a_filter_that_was_more_active_all_the_time_is_not_over_active_late() -> None:
    record = settled(late=10)
    record.values["change"][:-6, 3] *= 10
    assert not list(over_active_filters(record))


def test_a_small_filter_changes_much_in_proportion_only() -> None:
    record = settled(late=10)
    record.values["l2"][:, 3] *= 0.1
    assert not list(over_active_filters(record))
