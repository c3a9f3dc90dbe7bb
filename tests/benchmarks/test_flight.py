"""The benchmark of flights measures what it says."""

from __future__ import annotations

import pytest
from torch import nn

from benchmarks.flight import of_a_network, resnet20
from deeptracker.record.network import weighted_layers


def test_a_step_is_timed_with_a_flight_and_without(capsys: pytest.CaptureFixture[str]) -> None:
    def small() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))

    of_a_network("small", small, 8, 2, "cpu", False, rounds=2)
    said = capsys.readouterr().out
    assert "2 layers, 14 filters" in said
    assert [said.count(what) for what in ("a step with nothing", "a step with recorder", "a step with flight")] == [
        1
    ] * 3
    assert "the flight's own work" in said


def test_the_network_is_a_resnet_of_20_layers() -> None:
    layers = weighted_layers(resnet20())
    around = [x for x in layers if "around" in x.layer.name]
    assert (len(layers), len(around)) == (20 + 2, 2)
    assert sum(x.layer.filters for x in layers) == 794
