"""analysis/correlation.py against the paper's definitions written out with Python's own sets."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, hypergeom

from deeptracker.analysis.anomalies import Anomalies
from deeptracker.analysis.correlation import (
    SIGNIFICANT,
    Columns,
    Correlation,
    anomaly_columns,
    correlate,
    recurring,
    restricted,
    shared,
)

OFFSETS = np.array([0, 4, 5, 9])
FILTERS = 12
DUMPS = 10

Jumps = dict[int, set[int]]
Moves = dict[int, set[int]]


def columns_of(jumps: Jumps) -> Columns:
    classes = sorted(cls for cls, dumps in jumps.items() if dumps)
    sizes = [len(jumps[cls]) for cls in classes]
    dumps = [dump for cls in classes for dump in sorted(jumps[cls])]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    scores = np.ones(len(dumps), np.float32)
    return Columns(np.array(classes, np.int32), offsets.astype(np.int32), np.array(dumps, np.int32), scores, scores)


def correlated(jumps: Jumps, moves: Moves) -> Correlation:
    pairs = [(dump, filter) for dump, filters in moves.items() for filter in filters]
    dump, filter = np.array(pairs, int).reshape(-1, 2).T
    return correlate(columns_of(jumps), dump, filter, OFFSETS)


def members(found: Correlation) -> list[tuple[int, frozenset[int]]]:
    """Layer and filters (of the whole network) of each mini-set."""
    result = []
    for number, layer in enumerate(found.sets.layer):
        own = found.filters.filters[found.filters.sets == number] + OFFSETS[found.filters.layers[layer]]
        result.append((int(found.filters.layers[layer]), frozenset(own.tolist())))
    return result


def layer_of(filter: int) -> int:
    return int(np.searchsorted(OFFSETS, filter, side="right")) - 1


jumps_given = st.dictionaries(st.integers(0, 6), st.sets(st.integers(0, DUMPS - 1), max_size=5), max_size=5)
moves_given = st.dictionaries(st.integers(0, DUMPS - 1), st.sets(st.integers(0, FILTERS - 1), max_size=6))


@given(jumps_given, moves_given)
def test_mini_sets_appearances_and_counts_are_as_defined(jumps: Jumps, moves: Moves) -> None:
    found = correlated(jumps, moves)
    times = set().union(*jumps.values()) if jumps else set()
    at = {f: frozenset(t for t in times if f in moves.get(t, ())) for f in range(FILTERS)}
    expected = {
        (layer_of(f), frozenset(g for g in range(FILTERS) if at[g] == at[f] and layer_of(g) == layer_of(f)))
        for f in range(FILTERS)
        if at[f]
    }
    own = members(found)
    assert set(own) == expected
    assert len(own) == len(expected)
    appearing: dict[int, set[int]] = {}
    for number, dump in zip(found.appearances.set.tolist(), found.appearances.dump.tolist(), strict=True):
        appearing.setdefault(number, set()).add(dump)
    for number, (_, filters) in enumerate(own):
        assert appearing[number] == at[min(filters)]
        assert found.sets.size[number] == len(filters)
    for row, layer in enumerate(found.filters.layers):
        for place, cls in enumerate(found.columns.classes):
            in_cell = {f for t in jumps[int(cls)] for f in moves.get(t, ()) if layer_of(f) == layer}
            assert found.counts[row, place] == len(in_cell)


@given(jumps_given, moves_given)
def test_p_and_q_are_those_of_scipy_over_all_pairs(jumps: Jumps, moves: Moves) -> None:
    found = correlated(jumps, moves)
    times = set().union(*jumps.values()) if jumps else set()
    all_p = np.ones((len(found.sets.size), len(found.columns.classes)))
    hits = np.zeros(all_p.shape, int)
    for number in range(len(all_p)):
        appearing = set(found.appearances.dump[found.appearances.set == number].tolist())
        for place, cls in enumerate(found.columns.classes):
            own = jumps[int(cls)]
            hits[number, place] = len(own & appearing)
            if hits[number, place]:
                all_p[number, place] = hypergeom.sf(hits[number, place] - 1, len(times), len(appearing), len(own))
    assert list(zip(found.pairs.set, found.pairs.cls, strict=True)) == list(zip(*np.nonzero(hits), strict=True))
    assert found.extent.tests == all_p.size
    if all_p.size:
        q = false_discovery_control(np.minimum(all_p, 1).ravel()).reshape(all_p.shape)
        np.testing.assert_allclose(found.pairs.p, all_p[np.nonzero(hits)], rtol=1e-9)
        np.testing.assert_allclose(found.pairs.q, q[np.nonzero(hits)], rtol=1e-9)


@given(jumps_given, moves_given, st.data())
def test_what_is_left_out_changes_neither_ids_nor_significance(jumps: Jumps, moves: Moves, data: st.DataObject) -> None:
    whole = correlated(jumps, moves)
    start = data.draw(st.integers(0, DUMPS))
    stop = data.draw(st.integers(start, DUMPS))
    classes = data.draw(st.none() | st.lists(st.integers(0, 6), max_size=4))
    layers = data.draw(st.none() | st.lists(st.integers(0, 3), max_size=3))
    least = data.draw(st.integers(1, 3))
    assert whole.extent.sets == len(members(whole))
    left = restricted(whole, dumps=slice(start, stop), classes=classes, layers=layers, min_appearances=least)
    shown = {
        cls: {t for t in own if start <= t < stop} for cls, own in jumps.items() if classes is None or cls in classes
    }
    times = set().union(*shown.values()) if shown else set()
    assert left.dumps.tolist() == sorted(times)
    expected = set()
    for number, (layer, filters) in enumerate(members(whole)):
        appearing = set(whole.appearances.dump[whole.appearances.set == number].tolist()) & times
        if len(appearing) >= least and (layers is None or layer in layers):
            expected.add((layer, filters))
    assert set(members(left)) == expected
    assert left.extent == whole.extent
    assert set(left.sets.id.tolist()) <= set(whole.sets.id.tolist())
    known = {
        (int(whole.sets.id[s]), int(whole.columns.classes[c])): (p, q)
        for s, c, p, q in zip(whole.pairs.set, whole.pairs.cls, whole.pairs.p, whole.pairs.q, strict=True)
    }
    for s, c, hits, p, q in zip(*(getattr(left.pairs, f.name) for f in fields(left.pairs)), strict=True):
        own = left.appearances.dump[left.appearances.set == s]
        cls = int(left.columns.classes[c])
        assert known[int(left.sets.id[s]), cls] == (p, q)
        assert hits == len(set(own.tolist()) & shown[cls])


def random_run(seed: int, *, classes: int, dumps: int, filters: int, top: int) -> tuple[Jumps, Moves]:
    """Classes that jump, and filters of which some move more than others, without regard to each other."""
    rng = np.random.default_rng(seed)
    jumps = {c: set(rng.choice(dumps, rng.integers(1, 8), replace=False).tolist()) for c in range(classes)}
    activity = rng.lognormal(0, 0.7, filters)
    moves = {}
    for dump in range(dumps):
        change = activity * rng.lognormal(0, 0.4, filters)
        moves[dump] = set(np.argsort(-change)[:top].tolist())
    return jumps, moves


def test_of_runs_where_nothing_goes_with_anything_at_most_one_in_twenty_shows_a_pair() -> None:
    offsets = np.arange(0, 600, 50)
    alarms = 0
    for seed in range(60):
        jumps, moves = random_run(seed, classes=30, dumps=120, filters=600, top=20)
        dump, filter = np.array([(t, f) for t, own in moves.items() for f in own]).T
        found = correlate(columns_of(jumps), dump, filter, offsets)
        assert found.extent.tests > 1000
        alarms += bool((found.pairs.q <= SIGNIFICANT).any())
    assert alarms <= 3


def test_the_gong_and_the_sky_are_told_apart() -> None:
    offsets = np.arange(0, 600, 50)
    jumps, moves = random_run(1, classes=30, dumps=120, filters=600, top=20)
    sky, gong = {10, 11, 12}, {570, 571}
    for dump in (20, 50, 80, 110):
        moves[dump] |= sky
        for cls in range(8):
            jumps[cls].add(dump)
    jumps[20] = {33, 66, 99}
    for dump in jumps[20]:
        moves[dump] = (moves[dump] - sky) | gong
    dump, filter = np.array([(t, f) for t, own in moves.items() for f in own]).T
    found = correlate(columns_of(jumps), dump, filter, offsets)

    def filters_of(number: int) -> set[int]:
        return set((found.filters.filters + offsets[found.filters.layers[0]])[found.filters.sets == number].tolist())

    within = recurring(found)
    first = int(within.set[0])
    assert found.columns.classes[within.cls[0]] == 20
    assert int(found.filters.layers[found.sets.layer[first]]) == 570 // 50
    assert within.hits[0] == 3
    sets, classes = shared(found)
    assert classes[0] == 8
    assert found.sets.layer[sets[0]] == 0
    assert filters_of(int(sets[0])) == sky


def test_one_rule_alone_names_fewer_columns() -> None:
    found = Anomalies(
        np.array([0, 0, 2], np.int32),
        np.array([3, 5, 3], np.int32),
        np.array([0.5, 0.1, 0.0], np.float32),
        np.array([0.0, 0.6, 0.4], np.float32),
        np.zeros(3, np.float32),
        10,
        0.4,
        None,
    )
    assert anomaly_columns(found).dumps.tolist() == [3, 5, 3]
    assert anomaly_columns(found, "left").classes.tolist() == [0]
    right = anomaly_columns(found, "right")
    assert (right.classes.tolist(), right.offsets.tolist(), right.dumps.tolist()) == ([0, 2], [0, 1, 2], [5, 3])
    with pytest.raises(ValueError, match=r"rule must be .* Got 'both'"):
        anomaly_columns(found, "both")  # type: ignore[arg-type]


def test_without_anomalies_or_filters_there_is_nothing_and_no_error() -> None:
    nothing = correlated({}, {1: {2}})
    assert nothing.extent.tests == nothing.extent.iterations == len(nothing.sets.size) == 0
    assert nothing.counts.shape == (0, 0)
    still = correlated({3: {1}}, {})
    assert still.counts.shape == (0, 1)
    assert restricted(still, classes=[3]).columns.dumps.tolist() == [1]
    with pytest.raises(ValueError, match=r"min_appearances must be >= 1. Got 0"):
        restricted(still, min_appearances=0)
