"""Which filters are taken: those named, a mini-set's, the dead ones; and which others they are compared with."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.errors import UnknownNameError
from deeptracker.experiments.choice import dead_filters, mini_set_filters, named_filters, random_groups
from deeptracker.experiments.errors import ExperimentError
from deeptracker.run.correlation import Movers
from deeptracker.store.experiments import FilterGroup, Setting
from tests.experiments.killed import DEAD

SIZES = {"conv1": 20, "features.conv2": 4}


def test_filters_are_named_by_layer_with_ranges_and_repeatedly() -> None:
    found = named_filters(["conv1:3,17-19,3", "features.conv2:0", "conv1:4"], SIZES)
    assert found == (FilterGroup("conv1", (3, 4, 17, 18, 19)), FilterGroup("features.conv2", (0,)))


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("conv1", ExperimentError, "LAYER:NUMBERS"),
        ("conv1:", ExperimentError, "LAYER:NUMBERS"),
        ("conv1:a", ExperimentError, "LAYER:NUMBERS"),
        ("conv1:5-3", ExperimentError, "lower number of a range first"),
        ("conv9:1", UnknownNameError, "no layer 'conv9'"),
        ("conv1:20", UnknownNameError, "numbered from 0"),
    ],
)
def test_what_names_no_filters_is_refused(text: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        named_filters([text], SIZES)


def test_a_mini_set_is_found_again_with_the_setting_of_the_page(tmp_path: Path) -> None:
    write_run(tmp_path / "run", Scale(40, 6, 20, 100, resnet50=False, pictures=False))
    run = open_run(tmp_path / "run")
    setting = Setting(3, 0.2, "either", 20, "change", None)
    found = run.correlation(3, 0.2, movers=Movers(20))
    place = int(np.argmax(found.sets.size))
    (group,) = mini_set_filters(run, f"{int(found.sets.id[place]):012x}", setting)
    assert group.layer == run.network().layers[found.filters.layers[found.sets.layer[place]]].name
    assert group.filters == tuple(found.filters.filters[found.filters.sets == place].tolist())
    with pytest.raises(
        UnknownNameError, match=r"no mini-set 000000000001 in this run with --window 3 --threshold 0\.2 "
    ):
        mini_set_filters(run, "000000000001", setting)
    with pytest.raises(ExperimentError, match="12 digits"):
        mini_set_filters(run, "7", setting)


def test_dead_filters_are_those_that_the_run_finds(killed: Path) -> None:
    assert {group.layer: group.filters for group in dead_filters(open_run(killed / "run"))} == DEAD


def test_random_groups_are_of_the_same_sizes_in_the_same_layers_apart_from_the_chosen_and_all_different() -> None:
    chosen = (FilterGroup("conv1", (3, 4, 17)), FilterGroup("features.conv2", (0,)))
    groups = random_groups(chosen, SIZES, 30, seed=1)
    assert len(set(groups)) == 30
    for group in groups:
        assert [(one.layer, len(one.filters)) for one in group] == [("conv1", 3), ("features.conv2", 1)]
        assert not set(group[0].filters) & {3, 4, 17}
        assert not set(group[1].filters) & {0}
    assert groups == random_groups(chosen, SIZES, 30, seed=1) != random_groups(chosen, SIZES, 30, seed=2)
    assert {number for group in groups for number in group[0].filters} == set(range(20)) - {3, 4, 17}


def test_where_few_groups_are_possible_all_are_taken_and_where_none_is_there_are_none() -> None:
    few = random_groups((FilterGroup("features.conv2", (0,)),), SIZES, 20, seed=0)
    assert [group[0].filters for group in few] == [(1,), (2,), (3,)]
    assert random_groups((FilterGroup("features.conv2", (0, 1, 2)),), SIZES, 20, seed=0) == ()
    assert random_groups((FilterGroup("conv1", (0,)),), SIZES, 0, seed=0) == ()
