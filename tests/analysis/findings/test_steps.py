import numpy as np
import pytest

from deeptracker.analysis.findings.steps import full_rate, update_ratios
from tests.analysis.findings.records import DUMPS, healthy, network

ITERATIONS = 100 * np.arange(DUMPS)
RATE = np.full(DUMPS, 0.1)


def found(*factors: float, rate: np.ndarray = RATE) -> list[tuple[str, int | None]]:
    """What is found where layers are changed by so many times a thousandth at each step."""
    layers = network(*(healthy(index, update_ratio=factor) for index, factor in enumerate(factors)))
    return [(one.kind, one.place.layer) for one in update_ratios(layers, ITERATIONS, rate)]


def test_around_a_thousandth_is_usual() -> None:
    assert not found(1, 0.1, 5, 20, 1)
    assert not found()


@pytest.mark.parametrize(("factor", "kind"), [(40, "update-ratio-high"), (1e-3, "update-ratio-low")])
def test_a_layer_far_from_the_others_is_told_but_not_the_last(factor: float, kind: str) -> None:
    assert found(1, factor, 1, 1) == [(kind, 1)]
    assert not found(1, 1, 1, factor)


def test_large_in_itself_or_only_beside_others_is_not_enough_for_a_layer() -> None:
    assert not found(1, 20, 1, 1)
    assert not found(15, 40, 15, 15)


def test_where_all_steps_are_off_the_network_is_told_once() -> None:
    assert found(50, 60, 50, 400) == [("update-ratio-high", None)]
    assert found(0.01, 0.01, 1e-5, 0.01) == [("update-ratio-low", None)]


def test_small_steps_late_in_an_annealed_schedule_are_none() -> None:
    record = healthy()
    record.values["update_ratio"][10:] *= 1e-4
    annealed = np.where(np.arange(DUMPS) < 10, 0.1, 1e-5)
    assert not list(update_ratios(network(record, record), ITERATIONS, annealed))
    assert list(update_ratios(network(record, record), ITERATIONS, np.full(DUMPS, np.nan)))  # nobody knows the rate
    assert full_rate(annealed).tolist() == [True] * 10 + [False] * 10


def test_a_frozen_layer_takes_no_part() -> None:
    assert not found(1, 0, 1, 1)
