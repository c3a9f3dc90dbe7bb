"""The suite of planted trainings records real ones, and counts what is found in them."""

from pathlib import Path

import pytest

from benchmarks.findings import Outcome, outcome, table
from benchmarks.planted import ALL, FAULTS, HEALTHY, Expected, Planting
from benchmarks.planted.training import Training
from deeptracker.analysis.findings import Finding, Place
from deeptracker.run import Run

GOLDEN = Path(__file__).parents[1] / "golden" / "format-1" / "run"


def planting(name: str) -> Planting:
    (one,) = [planting for planting in ALL if planting.name == name]
    return one


@pytest.mark.slow
def test_a_planted_fault_is_found_and_a_healthy_training_has_nothing_severe(tmp_path: Path) -> None:
    exploding = outcome(planting("exploding-steps"), tmp_path, 2)
    assert not exploding.missed
    assert not exploding.wrong
    healthy = outcome(planting("healthy-short"), tmp_path, 2)
    assert not [one for one in healthy.findings if one.severity == "high"]
    assert outcome(planting("healthy-short"), tmp_path, 2).findings == healthy.findings  # read, not recorded again


@pytest.mark.slow
def test_of_unshuffled_batches_the_rate_is_not_to_blame_nor_is_anything_learned_by_heart(tmp_path: Path) -> None:
    def six_epochs(training: Training) -> None:
        planting("unshuffled").change(training)
        training.epochs = 6

    short = outcome(Planting("short", "unshuffled, six epochs", six_epochs), tmp_path, 3)
    kinds = {one.kind for one in short.findings}
    assert "classes-take-turns" in kinds
    assert not kinds & {"learning-rate-too-high", "overfitting"}


def test_an_expectation_on_samples_wants_half_of_those_that_are_planted() -> None:
    one = Planting("x", "x", lambda training: None, expects=(Expected("samples-often-forgotten", planted=True),))
    run, truth = Run(GOLDEN), {"planted": [2, 3, 5, 8], "silent": {}}
    for samples, is_found in ((2, 8), True), ((2, 9), False):
        finding = Finding("samples-often-forgotten", "low", "x", "x", Place(samples=samples))
        assert bool(one.found([finding], run, truth)) == is_found
        assert bool(one.wrong([finding], run, truth)) != is_found


def test_names_are_unique_and_only_faults_expect_findings() -> None:
    assert len({one.name for one in ALL}) == len(ALL)
    assert all(one.expects for one in FAULTS)
    assert not any(one.expects for one in HEALTHY)
    assert len(FAULTS) >= 20
    assert len(HEALTHY) >= 6


def test_the_table_counts_what_was_expected_missed_and_wrong() -> None:
    one = Planting("x", "x", lambda training: None, expects=(Expected("dead-filters"), Expected("not-finite")))
    dead, spike = Finding("dead-filters", "low", "x", "x"), Finding("loss-spike", "low", "x", "x")
    rows = table([Outcome(one, 0, (dead, spike), (Expected("dead-filters"),), (spike,), 0.1)])
    assert "| not-finite | 1 | 0 | 0.00 | 0 | 0 |  |" in rows
    assert "| dead-filters | 1 | 1 | 1.00 | 1 | 0 | 1.00 |" in rows
    assert "| loss-spike | 0 | 0 |  | 1 | 1 | 0.00 |" in rows
    assert rows[-1] == "| all | 2 | 1 | 0.50 | 2 | 1 | 0.50 |"
