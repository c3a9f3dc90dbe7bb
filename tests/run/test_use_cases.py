"""What the paper's experts found by looking (section 8) is found again, by the calls behind the views and by the rules.

Two generated runs have it: one of a training in stages with everything of 8.1 and 8.2 in it, and one where groups of
filters move when their classes jump, as in 8.3. That switching off dead filters changes nothing is tested on a real
training (tests/experiments/).
"""

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker.analysis.anomalies import Anomalies
from deeptracker.analysis.correlation import recurring, shared
from deeptracker.analysis.findings import Finding
from deeptracker.run import Run
from deeptracker.run.correlation import Movers
from tests.browser.planted_groups import GROUPS, NAMES, TOP, write_planted

SCALE = Scale(dumps=120, classes=40, samples_per_class=20, iterations_per_dump=100, resnet50=False, pictures=False)
PEAKS = 4
LOW, HIGH = 0.1, 0.7


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("use-cases") / "staged"
    write_run(place, SCALE, seed=3)
    return Run(place)


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("use-cases") / "grouped"
    write_planted(place)
    return Run(place)


def suggested(run: Run) -> Anomalies:
    best = run.suggestions()[0]
    return run.anomalies(best.window, best.threshold)


def of_kind(run: Run, kind: str) -> list[Finding]:
    return [finding for finding in run.findings() if finding.kind == kind]


def layer_index(run: Run, name: str) -> int:
    return [layer.name for layer in run.network().layers].index(name)


def test_classes_fall_into_four_patterns_from_easy_to_hard(staged: Run) -> None:
    """8.1: the easiest classes are right after few iterations, the hardest wrong for most of the training."""
    clusters = staged.clusters(4)
    early, late = SCALE.dumps // 5, SCALE.dumps // 2
    mean = np.nanmean(clusters.curves, axis=1)
    assert clusters.k == 4
    assert mean.tolist() == sorted(mean)
    assert clusters.curves[0, early] < 0.3
    assert clusters.curves[0, -1] < LOW
    assert clusters.curves[3, late - 5 : late + 5].mean() > HIGH
    # Most of what is gained after that is gained by the classes in the middle.
    gained = (clusters.curves[:, early] - clusters.curves[:, late]) * clusters.sizes
    assert gained[1] + gained[2] > gained[0] + gained[3]


def test_peaks_of_the_error_are_explained_by_anomalies(staged: Run) -> None:
    """8.1: where the validation error has a peak in the first stage, triangles stand one below the other."""
    error = staged.validation_error()
    rise = np.diff(error, prepend=error[0])
    peaks = np.flatnonzero(rise > 0.1)
    # Set by hand: what is suggested is for what classes do by themselves. These peaks last for one dump.
    found = staged.anomalies(1, 0.25)
    classes = np.bincount(found.dump, minlength=SCALE.dumps)
    assert PEAKS - 1 <= len(peaks) <= PEAKS  # two of the four dumps follow each other
    assert (SCALE.stages[peaks] == 0).all()
    # The error falls back after a peak, and for good where the learning rate drops; nowhere else do many classes jump.
    special = np.concatenate([peaks, np.flatnonzero(np.diff(SCALE.stages)) + 1])
    near = np.abs(np.arange(SCALE.dumps)[:, None] - special).min(axis=1) <= 2
    assert classes[peaks].min() > 2 * classes[~near].max()
    (named,) = of_kind(staged, "many-classes-jump")
    assert named.place.first in staged.iterations[peaks]


def test_anomalies_are_more_frequent_while_the_learning_rate_is_high(staged: Run) -> None:
    """8.1: more anomaly iterations in the first stage than in later ones."""
    found, last = suggested(staged), SCALE.stages == SCALE.stages.max()
    counts = np.bincount(found.dump, minlength=SCALE.dumps)
    assert counts[SCALE.stages == 0].mean() > 3 * counts[last].mean()


def test_one_class_flips_nearly_as_a_whole_and_both_rules_say_so(grouped: Run) -> None:
    """8.1, the mushroom: right and left rule mark one iteration, and its images' rows change there for good."""
    found = grouped.anomalies(10, 0.35)
    both = np.minimum(found.left, found.right)
    at = int(np.argmax(both))
    cls, dump = int(found.cls[at]), int(found.dump[at])
    assert both[at] > 0.9
    right = grouped.class_samples(cls).predicted == cls
    flipped = right[:, dump] != right[:, dump - 1]
    assert flipped.mean() > 0.9
    assert (right[flipped, dump : dump + 10] == right[flipped, dump][:, None]).all()
    stats = grouped.class_stats(cls, window=10)
    assert stats.left[dump] == pytest.approx(found.left[at])
    # Which filters moved the most around that iteration is one question further.
    assert len(grouped.top_filters(int(grouped.iterations[dump]), TOP).filter) == TOP


def test_some_images_stay_wrong_in_a_class_that_is_easy(staged: Run) -> None:
    """8.1: at the bottom of the pixel chart lie images that are never right (the white mushrooms)."""
    order = np.argsort(staged.error_rates()[:, -1])
    easy = next(c for c in order if (~_right(staged, c).any(axis=1)).any())
    never = np.flatnonzero(~_right(staged, easy).any(axis=1))
    samples = staged.class_samples(int(easy))
    bottom = samples.order.order[-len(never) :]  # the easy ones first
    assert set(bottom.tolist()) == set(never.tolist())
    told = {sample for kind in ("samples-always-wrong", "mislabelled-samples") for f in of_kind(staged, kind)
            for sample in f.place.samples}  # fmt: skip
    assert set(samples.samples[never].tolist()) <= told


def test_deviations_fall_slowly_and_by_module(staged: Run) -> None:
    """8.2: sd falls in all modules, and is smaller in deeper ones, as their fan-in has it."""
    sd = {name: staged.layer_stats(name, "sd") for name in ("conv1", "layer1", "layer2.0.conv2")}
    for values in sd.values():
        assert values[-1] < 0.9 * values[0]
        assert np.diff(values).max() < 0.02 * values[0]
    assert (sd["conv1"] > sd["layer1"]).all()
    assert (sd["layer1"] > sd["layer2.0.conv2"]).all()
    fan_in = {layer.name: layer.fan_in for layer in staged.network().layers}
    expected = np.sqrt(fan_in["layer2.0.conv2"] / fan_in["layer1.0.conv1"])
    assert sd["layer1"][0] / sd["layer2.0.conv2"][0] == pytest.approx(expected, rel=0.15)
    assert not of_kind(staged, "initialisation")


def test_means_turn_negative_but_for_the_last_layer(staged: Run) -> None:
    """8.2: the means of all convolutions sink below zero quickly, that of the classifier does not."""
    network = staged.network()
    for layer in network.layers:
        mean, sd = (staged.layer_stats(layer.name, measure) for measure in ("mean", "sd"))
        if layer.name == network.layers[-1].name:
            assert np.abs(mean / sd).max() < 0.1
        elif layer.name != SCALE.planted.vanishing_layer:  # which never moves
            assert (mean[SCALE.dumps // 2 :] < -0.02 * sd[SCALE.dumps // 2 :]).all(), layer.name


def test_changes_are_large_at_the_beginning(staged: Run) -> None:
    """8.2: normalised by filter, changes are drastic in the first stage and small later."""
    change = staged.filter_stats("layer1.0.conv1", "change", normalise="filter")[:, 1:]
    first, last = SCALE.stages[1:] == 0, SCALE.stages[1:] == SCALE.stages.max()
    assert change[:, first].mean() > 5 * change[:, last].mean()


def test_the_two_dead_filters_are_named(staged: Run) -> None:
    """8.2: two filters of the first layer never change during the entire training."""
    planted = SCALE.planted
    (found,) = of_kind(staged, "dead-filters")
    assert found.place.layer == layer_index(staged, planted.frozen_layer)
    assert found.place.filters == tuple(sorted(planted.frozen))
    assert staged.never_changing(planted.frozen_layer).tolist() == sorted(planted.frozen)


def test_filters_that_stay_restless_late_are_named(staged: Run) -> None:
    """8.2: a few filters always change more than the others in the later part of the training."""
    planted = SCALE.planted
    (found,) = of_kind(staged, "over-active-filters")
    assert found.place.layer == layer_index(staged, planted.overactive_layer)
    assert found.place.filters == tuple(sorted(planted.overactive))
    share = staged.filter_stats(planted.overactive_layer, "change", normalise="iteration")
    late = share[:, planted.overactive_from(SCALE.dumps) :]
    assert late[list(planted.overactive)].min() > 2 * np.median(late)


def test_the_filters_of_the_gong_are_found_and_no_others(grouped: Run) -> None:
    """8.3: a mini-set comes back at anomaly iterations of one class and of no other."""
    gong = GROUPS[0]
    found = grouped.correlation(10, 0.35, movers=Movers(TOP))
    pairs = recurring(found)
    sets = found.sets
    first = int(np.argmin(pairs.q))
    mini_set = int(pairs.set[first])
    members = found.filters.filters[found.filters.sets == mini_set]
    assert NAMES[pairs.cls[first]] == "gong"
    assert tuple(members.tolist()) == gong.filters
    assert found.filters.layers[sets.layer[mini_set]] == layer_index(grouped, gong.layer)
    assert pairs.hits[first] == len(gong.dumps)
    with_it = pairs.cls[(pairs.set == mini_set) & (pairs.q < 0.05)]
    assert with_it.tolist() == [0]
    change = grouped.filter_stats(gong.layer, "change")[list(gong.filters)]
    assert change[:, list(gong.dumps)].min() > 100 * np.median(change)


def test_a_shallow_mini_set_goes_with_more_classes_than_a_deep_one(grouped: Run) -> None:
    """8.3: sky is recognised in the first layer, for many classes; leaves deeper, for few."""
    found = grouped.correlation(10, 0.35, movers=Movers(TOP), only_significant=True)
    sets, classes = shared(found)
    by_layer = dict(zip(found.filters.layers[found.sets.layer[sets]].tolist(), classes.tolist(), strict=True))
    sky, leaves = GROUPS[1], GROUPS[2]
    assert by_layer[layer_index(grouped, sky.layer)] == len(sky.classes)
    assert by_layer[layer_index(grouped, leaves.layer)] == len(leaves.classes)


def _right(run: Run, cls: int) -> np.ndarray:
    return run.class_samples(int(cls)).predicted == cls
