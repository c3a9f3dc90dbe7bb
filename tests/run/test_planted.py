"""What is planted in a generated run is found by the calls that a reader of the Layer view would make."""

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker.run import Run

SCALE = Scale(dumps=60, classes=10, samples_per_class=4, iterations_per_dump=10, resnet50=False, pictures=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("planted") / "run"
    write_run(place, SCALE, seed=5)
    return Run(place)


def test_filter_stats_show_the_two_filters_that_never_change(run: Run) -> None:
    planted = SCALE.planted
    change = run.filter_stats(planted.frozen_layer, "change")
    still = np.flatnonzero(np.nanmax(change, axis=1) == 0)
    assert still.tolist() == sorted(planted.frozen)
    assert run.never_changing(planted.frozen_layer).tolist() == still.tolist()
    # Normalised by filter, what never changes is 0 throughout, and every other filter reaches 1.
    largest = np.nanmax(run.filter_stats(planted.frozen_layer, "change", normalise="filter"), axis=1)
    assert np.flatnonzero(largest == 0).tolist() == still.tolist()
    assert np.delete(largest, still) == pytest.approx(1)


@pytest.mark.parametrize("measure", ["change", "change_l1", "cosine_distance"])
def test_top_filters_are_the_over_active_ones_late_in_training(run: Run, measure: str) -> None:
    planted = SCALE.planted
    layer = [known.name for known in run.network().layers].index(planted.overactive_layer)
    expected = {(layer, filter) for filter in planted.overactive}
    late = run.iterations[planted.overactive_from(SCALE.dumps) :]
    # Where a class jumps, a few filters of its own may be ahead, so ten are asked for.
    for iteration in late:
        top = run.top_filters(int(iteration), 10, measure)
        assert expected <= set(zip(top.layer.tolist(), top.filter.tolist(), strict=True))
    alone = [run.top_filters(int(iteration), 3, measure) for iteration in late]
    exact = [set(zip(top.layer.tolist(), top.filter.tolist(), strict=True)) == expected for top in alone]
    assert np.mean(exact) > 0.5
    early = run.top_filters(int(run.iterations[5]), 3, measure)
    assert set(zip(early.layer.tolist(), early.filter.tolist(), strict=True)) != expected


def test_normalised_by_iteration_the_over_active_filters_stand_out(run: Run) -> None:
    planted = SCALE.planted
    share = run.filter_stats(planted.overactive_layer, "change", normalise="iteration")
    late = share[:, planted.overactive_from(SCALE.dumps) :]
    others = np.delete(late, planted.overactive, axis=0)
    assert late[list(planted.overactive)].min() > 2 * np.median(others)


def test_the_layer_whose_gradients_vanish_is_far_below_all_others(run: Run) -> None:
    planted = SCALE.planted
    for measure in ("grad_l2", "grad_sd"):
        last = {layer.name: run.layer_stats(layer.name, measure)[-1] for layer in run.network().layers}
        vanishing = last.pop(planted.vanishing_layer)
        assert 0 < vanishing < 1e-2 * min(last.values())
    moved = run.layer_stats(planted.vanishing_layer, "update_ratio")
    assert np.nanmax(moved) < 1e-6
