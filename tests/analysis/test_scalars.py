"""Stages of the learning rate, and the training error at each dump, against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis.scalars import (
    ACCURACY_NAMES,
    ERROR_NAMES,
    learning_rate_stages,
    means_since_last,
    training_error,
    values_at,
)

Floats = NDArray[np.float64]


def stages(lr: list[float] | Floats, first: int = 1) -> list[tuple[int, int]]:
    found = learning_rate_stages(np.arange(first, first + len(lr)), np.asarray(lr, float))
    return [(stage.first, stage.last) for stage in found]


def literal_stages(lr: list[float]) -> list[tuple[int, int]]:
    """Row by row: a new stage wherever the rate is not about what it was."""
    found, first = [], 0
    for i in range(1, len(lr)):
        if max(lr[i] / lr[i - 1], lr[i - 1] / lr[i]) > 1.5:
            found.append((first, i - 1))
            first = i
    return [*found, (first, len(lr) - 1)]


steps = st.lists(st.tuples(st.sampled_from([0.1, 0.01, 0.2, 0.5, 3.0]), st.integers(1, 5)), min_size=1, max_size=8)


@given(steps)
def test_constant_pieces_are_stages_wherever_the_rate_jumps(pieces: list[tuple[float, int]]) -> None:
    lr = [rate for rate, length in pieces for _ in range(length)]
    assert stages(lr, first=0) == literal_stages(lr)


def test_both_ends_of_a_stage_are_told() -> None:
    found = learning_rate_stages(np.array([10, 20, 30, 40]), np.array([0.1, 0.09, 0.01, 0.009]))
    assert [(s.first, s.last, s.lr, s.lr_end) for s in found] == [(10, 20, 0.1, 0.09), (30, 40, 0.01, 0.009)]


@pytest.mark.parametrize("length", [5, 20, 90, 1000, 5000])
@pytest.mark.parametrize("repeat", [1, 7])
def test_a_cosine_is_one_stage_to_its_end_per_iteration_or_per_epoch(length: int, repeat: int) -> None:
    t = np.arange(length) / length
    lr = np.repeat(0.05 * (1 + np.cos(np.pi * t)), repeat)
    assert stages(lr) == [(1, len(lr))]


@pytest.mark.parametrize("length", [5, 20, 90, 1000])
def test_a_cosine_that_ends_at_zero_is_one_stage(length: int) -> None:
    lr = 0.05 * (1 + np.cos(np.pi * np.arange(length + 1) / length))
    assert lr[-1] == 0
    assert stages(lr) == [(1, length + 1)]


@pytest.mark.parametrize("length", [1, 3, 5, 100, 5000])
@pytest.mark.parametrize("start", [0, 1])
def test_a_linear_warm_up_belongs_to_the_stage_that_it_leads_to(length: int, start: int) -> None:
    lr = np.concatenate([0.1 * np.arange(start, length + 1) / length, np.full(20, 0.1)])
    assert stages(lr) == [(1, len(lr))]


def test_a_single_doubling_is_a_step_as_nothing_leads_up_to_it() -> None:
    assert stages([0.05, 0.1, 0.1, 0.1]) == [(1, 1), (2, 4)]


def test_steps_after_a_warm_up_are_stages() -> None:
    lr = np.concatenate([0.1 * np.arange(1, 101) / 100, np.full(50, 0.1), np.full(50, 0.01), np.full(50, 0.001)])
    assert stages(lr) == [(1, 150), (151, 200), (201, 250)]


@pytest.mark.parametrize("length", [10, 50, 1000])
def test_a_restart_of_a_cosine_begins_a_stage(length: int) -> None:
    for ends_at_zero in (False, True):
        lr = 0.05 * (1 + np.cos(np.pi * np.arange(length) / (length - ends_at_zero)))
        expected = [(1, length), (length + 1, 2 * length), (2 * length + 1, 3 * length)]
        assert stages(np.concatenate([lr, lr, lr])) == expected


@pytest.mark.parametrize("factor", [0.99, 0.95, 0.7])
def test_an_exponential_decay_is_one_stage_and_steps_in_it_are_seen(factor: float) -> None:
    lr = 0.1 * factor ** np.arange(30)
    assert stages(lr) == [(1, 30)]
    lr[20:] /= 10
    assert stages(lr) == [(1, 20), (21, 30)]


def test_halving_again_and_again_is_a_stage_each_time() -> None:
    assert stages([0.8, 0.8, 0.4, 0.4, 0.2, 0.2]) == [(1, 2), (3, 4), (5, 6)]


def test_leaving_zero_begins_a_stage_except_at_the_start() -> None:
    assert stages([0.1, 0.1, 0, 0, 0.1]) == [(1, 2), (3, 4), (5, 5)]
    assert stages([0, 0, 0.1, 0.1]) == [(1, 4)]
    assert stages([0, 0, 0]) == [(1, 3)]
    assert stages([0, 12.0]) == [(1, 2)]  # a ratio that no float holds


def test_rows_without_a_rate_are_passed_over() -> None:
    nan = math.nan
    found = learning_rate_stages(np.arange(1, 8), np.array([nan, 0.1, nan, 0.1, nan, 0.01, nan]))
    assert [(s.first, s.last) for s in found] == [(2, 4), (6, 6)]
    assert learning_rate_stages(np.arange(2), np.array([nan, nan])) == []
    assert learning_rate_stages(np.zeros(0, np.int64), np.zeros(0)) == []


def test_iterations_and_rates_must_go_together() -> None:
    with pytest.raises(ValueError, match="iterations and lr must have the same length"):
        learning_rate_stages(np.arange(3), np.zeros(2))


def literal_means(dumps: list[int], iterations: list[int], values: list[float]) -> list[float]:
    found, before = [], -math.inf
    for dump in dumps:
        own = [v for i, v in zip(iterations, values, strict=True) if before < i <= dump and not math.isnan(v)]
        found.append(sum(own) / len(own) if own else math.nan)
        before = dump
    return found


@given(
    st.lists(st.integers(0, 60), unique=True, max_size=12),
    st.lists(st.tuples(st.integers(0, 70), st.floats(-5, 5) | st.just(math.nan)), max_size=40),
)
def test_means_are_over_what_was_logged_since_the_dump_before(dumps: list[int], rows: list[tuple[int, float]]) -> None:
    dumps, rows = sorted(dumps), sorted(rows, key=lambda row: row[0])
    iterations, values = [row[0] for row in rows], [row[1] for row in rows]
    found = means_since_last(np.array(dumps, np.int64), np.array(iterations, np.int64), np.array(values, float))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, literal_means(dumps, iterations, values), rtol=1e-5, atol=1e-6)


def test_an_infinite_value_spoils_its_own_dump_only() -> None:
    found = means_since_last(np.array([1, 2, 3]), np.array([1, 2, 3]), np.array([0.5, math.inf, 0.25]))
    assert found.tolist() == [0.5, math.inf, 0.25]


def rows_of(**columns: list[float]) -> dict[str, Floats]:
    return {"iteration": np.arange(2), **{name: np.array(values) for name, values in columns.items()}}


@pytest.mark.parametrize("name", ERROR_NAMES)
def test_an_error_is_taken_as_it_is_or_in_percent(name: str) -> None:
    assert training_error(rows_of(**{name: [0.9, 0.25]})).tolist() == [0.9, 0.25]
    assert training_error(rows_of(**{name: [90, 0.5]})).tolist() == [0.9, 0.005]


@pytest.mark.parametrize("name", ACCURACY_NAMES)
def test_an_accuracy_is_turned_into_an_error(name: str) -> None:
    assert training_error(rows_of(**{name: [0.25, 1.0]})).tolist() == [0.75, 0.0]
    assert training_error(rows_of(**{name: [25.0, 75.0]})).tolist() == [0.75, 0.25]


def test_an_error_goes_before_an_accuracy_and_the_clearer_name_before_the_shorter() -> None:
    assert training_error(rows_of(acc=[0.1, 0.1], error=[0.5, 0.5])).tolist() == [0.5, 0.5]
    assert training_error(rows_of(error=[0.5, 0.5], train_error=[0.4, 0.4])).tolist() == [0.4, 0.4]


def test_what_was_not_logged_is_nan() -> None:
    assert np.isnan(training_error(rows_of(loss=[1, 2]))).tolist() == [True, True]
    np.testing.assert_array_equal(training_error(rows_of(error=[math.nan, 40])), [math.nan, 0.4])
    np.testing.assert_array_equal(training_error(rows_of(error=[math.nan, math.nan])), [math.nan, math.nan])


def test_an_infinite_error_is_no_percentage() -> None:
    assert training_error(rows_of(error=[math.inf, 0.5])).tolist() == [math.inf, 0.5]


def test_a_dump_has_the_value_of_its_iteration_or_of_the_next_that_was_logged() -> None:
    found = values_at(np.array([0, 10, 11, 30]), np.array([1, 10, 20]), np.array([0.5, 0.25, 0.125]))
    assert found.dtype == np.float32
    assert found.tolist() == [0.5, 0.25, 0.125, 0.125]
    assert np.isnan(values_at(np.array([0, 10]), np.zeros(0, np.int64), np.zeros(0))).tolist() == [True, True]


def test_rows_where_only_other_scalars_were_logged_tell_nothing_of_this_one() -> None:
    logged, values = np.array([1, 10, 20, 30]), np.array([0.5, np.nan, 0.25, np.nan])
    assert values_at(np.array([0, 10, 20, 30]), logged, values).tolist() == [0.5, 0.25, 0.25, 0.25]
    assert np.isnan(values_at(np.array([0]), logged[:1], np.array([np.nan]))).all()
