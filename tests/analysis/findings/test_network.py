import math
from dataclasses import replace

import numpy as np
import pytest

from deeptracker.analysis.findings import Finding
from deeptracker.analysis.findings.network import (
    dead_filters,
    decaying_filters,
    frozen_layers,
    initialisation,
    not_finite,
)
from tests.analysis.findings.records import DUMPS, FAN_IN, FILTERS, healthy, layer, network
from tests.analysis.findings.test_filters import shrink, silence

ITERATIONS = 100 * np.arange(DUMPS)


def healthy_network(layers: int = 6) -> list:  # type: ignore[type-arg]
    return [healthy(index) for index in range(layers)]


@pytest.mark.parametrize("rule", [not_finite, frozen_layers, dead_filters, decaying_filters, initialisation])
def test_in_a_healthy_network_nothing_is_found(rule) -> None:  # type: ignore[no-untyped-def]
    assert not list(rule(network(*healthy_network()), ITERATIONS))
    assert not list(rule([], ITERATIONS))


def only(found) -> Finding:  # type: ignore[no-untyped-def]
    (one,) = found
    return one


def test_nan_is_told_of_each_layer_of_many_of_the_one_where_it_came_first() -> None:
    records = healthy_network()
    records[2].values["nonfinite"][8:, :] = 3
    records[4].values["nonfinite"][7:9, 5] = 1
    assert [one.place.layer for one in not_finite(network(*records), ITERATIONS)] == [2, 4]
    for index in (1, 5):
        records[index].values["nonfinite"][12:] = 1
    found = only(not_finite(network(*records), ITERATIONS))
    assert (found.severity, found.place.layer, found.place.filters) == ("high", 4, (5,))
    assert (found.place.first, found.place.last) == (700, 800)
    assert "so have conv1, conv2, conv5" in found.text


@pytest.mark.parametrize(("gradient", "why"), [(0.1, "not in the optimizer"), (np.nan, "does not require them")])
def test_a_layer_that_never_changes_is_frozen(gradient: float, why: str) -> None:
    records = healthy_network()
    records[1].values["change"][1:] = 0
    records[1].values["grad_l2"][:] = gradient
    found = only(frozen_layers(network(*records), ITERATIONS))
    assert (found.severity, found.place.layer) == ("medium", 1)
    assert why in found.evidence


def test_many_frozen_layers_are_told_once_and_a_still_network_not() -> None:
    records = healthy_network()
    for record in records[:5]:
        record.values["change"][1:] = 0
    found = only(frozen_layers(network(*records), ITERATIONS))
    assert (found.severity, found.place.layer) == ("low", None)
    records[5].values["change"][1:] = 0
    assert not list(frozen_layers(network(*records), ITERATIONS))


def test_a_layer_that_changed_once_is_not_frozen() -> None:
    records = healthy_network()
    records[1].values["change"][1:] = 0
    records[1].values["change"][7, 2] = 1e-9
    assert not list(frozen_layers(network(*records), ITERATIONS))


@pytest.mark.parametrize(("filters", "severity"), [(1, "low"), (2, "medium"), (8, "high")])
def test_the_more_of_a_layer_is_dead_the_severer(filters: int, severity: str) -> None:
    records = healthy_network()
    for filter in range(filters):
        silence(records[2], filter, first=10)
    found = only(dead_filters(network(*records), ITERATIONS))
    assert (found.severity, found.place.layer, len(found.place.filters)) == (severity, 2, filters)
    assert (found.place.first, found.place.last) == (1000, 1900)


def test_of_the_last_layer_and_of_layers_before_a_dead_one_it_is_not_told() -> None:
    records = healthy_network()
    for record in records[1], records[3], records[5]:
        for filter in range(FILTERS):
            silence(record, filter, first=10)
    found = only(dead_filters(network(*records), ITERATIONS))
    assert found.place.layer == 3
    assert "conv1" in found.text


def test_layers_that_decay_as_a_whole_are_told_once() -> None:
    records = healthy_network()
    for record in records[:3]:
        for filter in range(FILTERS):
            shrink(record, filter)
    shrink(records[4], 7)
    found = list(decaying_filters(network(*records), ITERATIONS))
    assert [(one.severity, one.place.layer, len(one.place.filters)) for one in found] == [
        ("medium", 0, FILTERS),
        ("low", 4, 1),
    ]


@pytest.mark.parametrize("variance", [2 / FAN_IN, 1 / (3 * FAN_IN), 2 / (FILTERS * 9)])
def test_usual_initialisations_are_in_scale(variance: float) -> None:
    records = [healthy(0, sd=math.sqrt(variance * FAN_IN / 2), mean=0), healthy(1)]
    assert not list(initialisation(network(*records), ITERATIONS))


@pytest.mark.parametrize(("factor", "found"), [(30, 1), (3, 0), (1 / 3, 0), (1 / 40, 1), (0, 0)])
def test_weights_that_begin_far_from_that_are_out_of_scale(factor: float, found: int) -> None:
    records = [healthy(0), healthy(1, sd=factor, mean=0), healthy(2)]
    assert len(list(initialisation(network(*records), ITERATIONS))) == found


def test_embeddings_and_trainings_that_go_on_have_no_initialisation() -> None:
    (summary,) = network(healthy(0, sd=30))
    assert list(initialisation([summary], ITERATIONS))
    assert not list(initialisation([summary], ITERATIONS + 100))
    assert not list(initialisation([replace(summary, layer=layer(kind="embedding"))], ITERATIONS))
