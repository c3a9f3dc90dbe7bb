"""What is planted in a generated run is among its findings, with its place, however the run is read."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker.analysis.findings import Finding
from deeptracker.run import Run, findings
from deeptracker.schema import Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogWriter

SCALE = Scale(dumps=60, classes=10, samples_per_class=4, iterations_per_dump=10, resnet50=False, pictures=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("planted") / "runs" / "resnet50"
    write_run(place, SCALE, seed=5)
    return place


def found(run: Run, kind: str) -> dict[str, Finding]:
    """Findings of a kind, by the layer they are of."""
    layers = run.network().layers
    return {
        "" if one.place.layer is None else layers[one.place.layer].name: one
        for one in run.findings()
        if one.kind == kind
    }


def test_the_filters_that_never_change_are_dead(place: Path) -> None:
    dead = found(Run(place), "dead-filters")
    assert list(dead) == [SCALE.planted.frozen_layer]
    assert dead[SCALE.planted.frozen_layer].place.filters == tuple(sorted(SCALE.planted.frozen))


def test_the_filters_that_change_late_are_over_active(place: Path) -> None:
    over_active = found(Run(place), "over-active-filters")
    assert list(over_active) == [SCALE.planted.overactive_layer]
    assert over_active[SCALE.planted.overactive_layer].place.filters == SCALE.planted.overactive


def test_the_layer_whose_gradients_vanish_is_told_of(place: Path) -> None:
    run = Run(place)
    assert list(found(run, "vanishing-gradients")) == [SCALE.planted.vanishing_layer]
    assert list(found(run, "update-ratio-low")) == [SCALE.planted.vanishing_layer]


def test_nothing_else_is_wrong_with_its_layers(place: Path) -> None:
    run = Run(place)
    wrong = {one.kind for one in run.findings() if one.about.view == "layers"}
    assert wrong == {"dead-filters", "over-active-filters", "vanishing-gradients", "update-ratio-low"}


def test_layers_read_one_by_one_give_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = Run(place).findings()
    monkeypatch.setattr(findings, "GROUP_BYTES", 1)
    assert Run(place).findings() == together


def test_dumps_of_predictions_alone_in_between_change_nothing_of_that(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "run")
    log = LogWriter(Blobs(tmp_path / "run"))
    for iteration in range(5, 10 * SCALE.dumps, 30):
        log.write_predictions(iteration, Predictions(np.zeros(40, np.int16), np.zeros(40, np.float16)))
    run = Run(tmp_path / "run")
    assert len(run.iterations) == 80
    told = [one for one in run.findings() if one.about.view == "layers"]
    assert told == [one for one in Run(place).findings() if one.about.view == "layers"]


@pytest.mark.parametrize("dumps", [1, 2, 4, 8])
def test_of_the_first_dumps_of_a_run_nothing_severe_is_told(tmp_path: Path, dumps: int) -> None:
    scale = Scale(dumps, 10, 4, 10, resnet50=False, pictures=False)
    write_run(tmp_path / "run", scale, seed=5, finished=False)
    assert not [one for one in Run(tmp_path / "run").findings() if one.severity == "high"]
