import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.analysis.findings.gradients import exploding_gradients, vanishing_gradients
from tests.analysis.findings.records import DUMPS, healthy, network

ITERATIONS = 100 * np.arange(DUMPS)


def found(*factors: float) -> list[tuple[str, int | None]]:
    """What is found in a network whose gradients are so many times the usual ones, layer by layer."""
    layers = network(*(healthy(index, grad_l2=factor) for index, factor in enumerate(factors)))
    rules = (vanishing_gradients, exploding_gradients)
    return [(one.kind, one.place.layer) for rule in rules for one in rule(layers, ITERATIONS)]


def test_a_healthy_spread_is_neither() -> None:
    assert not found(1, 30, 0.03, 1, 0.1, 1)
    assert not found(1)
    assert not found()


def test_a_layer_with_a_ten_thousandth_of_the_gradients_has_vanishing_ones() -> None:
    assert found(1, 1e-4, 1, 1e-5, 1, 1) == [("vanishing-gradients", 1)]
    assert not found(1, 2e-3, 1, 1, 1, 1)


def test_gradients_that_grow_from_the_loss_on_explode() -> None:
    assert found(1e5, 1e4, 1e3, 100, 10, 1) == [("exploding-gradients", 0)]


def test_a_layer_without_any_gradient_has_none_that_vanish() -> None:
    assert not found(1, 0, 1, 1, 1, 1)


@given(st.floats(1e-3, 1e3))
def test_scaling_weights_up_and_gradients_down_changes_nothing(scale: float) -> None:
    layers = network(healthy(0), healthy(1, l2=scale, grad_l2=1 / scale), healthy(2), healthy(3))
    assert not list(vanishing_gradients(layers, ITERATIONS))
    assert not list(exploding_gradients(layers, ITERATIONS))


def test_gradients_that_grow_a_thousandfold_over_time_explode_where_they_do_first() -> None:
    records = [healthy(index) for index in range(4)]
    records[1].values["grad_l2"][12:] *= 1000
    records[2].values["grad_l2"][10:] *= 1000
    (one,) = exploding_gradients(network(*records), ITERATIONS)
    assert (one.severity, one.place.layer, one.place.first) == ("high", 2, 1000)
    records = [healthy(index) for index in range(4)]
    records[1].values["grad_l2"][12:] *= 50
    assert not list(exploding_gradients(network(*records), ITERATIONS))


def test_gradients_that_were_tiny_at_first_do_not_explode_when_they_become_like_others() -> None:
    records = [healthy(index) for index in range(4)]
    records[1].values["grad_l2"][:6] *= 1e-3
    assert not list(exploding_gradients(network(*records), ITERATIONS))


def test_an_infinite_gradient_has_exploded() -> None:
    records = [healthy(index) for index in range(4)]
    records[2].values["grad_l2"][10, 0] = np.inf
    (one,) = exploding_gradients(network(*records), ITERATIONS)
    assert (one.place.layer, one.place.first) == (2, 1000)
