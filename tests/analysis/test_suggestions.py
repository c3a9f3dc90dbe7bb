"""Suggested windows and thresholds: what was planted is found, and what chance gives is not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis import suggestions
from deeptracker.analysis.anomalies import anomalies, count_table, flip_events, scores
from deeptracker.analysis.bits import packed
from deeptracker.analysis.suggestions import Setting, suggest, suggest_of_bits, turned, windows_for

OFFSETS = [0, 20, 50, 60, 100]


def noise(seed: int, *, dumps: int = 60, rate: float = 0.15, samples: int = 100) -> NDArray[np.bool_]:
    """Samples that each flip at a rate of their own, whatever the others do."""
    rng = np.random.default_rng(seed)
    rates = rate * rng.random((samples, 1))
    return np.logical_xor.accumulate(rng.random((samples, dumps)) < rates, axis=1)


def planted(seed: int) -> tuple[NDArray[np.bool_], int, int]:
    """Noise, and a class in which after a long run most samples flip at one dump."""
    rng = np.random.default_rng(seed + 1000)
    record = noise(seed)
    cls, dump = int(rng.integers(4)), int(rng.integers(20, 40))
    rows = np.arange(OFFSETS[cls], OFFSETS[cls + 1])
    chosen = rng.choice(rows, int(np.ceil(0.8 * len(rows))), replace=False)
    record[chosen, dump - 15 : dump] = False
    record[chosen, dump : dump + 15] = True
    return record, cls, dump


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_leap_is_among_the_anomalies_of_the_best_setting(seed: int) -> None:
    record, cls, dump = planted(seed)
    best = suggest(record, OFFSETS, seed=seed)[0]
    found = anomalies(scores(flip_events(record), OFFSETS, best.window), best.threshold)
    assert (cls, dump) in zip(found.cls.tolist(), found.dump.tolist(), strict=True)
    assert len(found.cls) == best.anomalies
    assert best.false_discovery_rate <= suggestions.RATE


def test_rows_that_are_shuffled_in_time_give_almost_no_setting() -> None:
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        record = rng.permuted(planted(seed)[0], axis=1)
        found += [setting for setting in suggest(record, OFFSETS, seed=seed)[:1] if setting]
    # Each of eight windows has something by chance in a twentieth of all records, and then one or two of 240 cells.
    assert len(found) <= 0.25 * 40
    assert all(setting.anomalies <= 2 for setting in found)


def restless(seed: int, share: float) -> NDArray[np.bool_]:
    """Little noise, and a dump at which so many samples of every class change for good."""
    record = noise(seed, rate=0.02)
    moved = np.random.default_rng(seed).permutation(100) < 100 * share
    record[moved, :30], record[moved, 30:] = False, True
    return record


@pytest.mark.parametrize("seed", range(5))
def test_where_the_whole_network_moves_only_a_class_that_moves_more_is_an_anomaly(seed: int) -> None:
    record = restless(seed, 0.45)
    everywhere = suggest(record, OFFSETS, seed=seed)
    record[:20, :30], record[:20, 30:] = False, True
    best = suggest(record, OFFSETS, seed=seed)[0]
    assert all(setting.threshold > 0.45 for setting in everywhere)
    found = anomalies(scores(flip_events(record), OFFSETS, best.window), best.threshold)
    assert list(zip(found.cls.tolist(), found.dump.tolist(), strict=True)) == [(0, 30)]


def test_classes_that_change_all_the_time_are_not_called_anomalies() -> None:
    record = noise(5, rate=0.02)
    for first, last in pairwise(OFFSETS):  # half of each class, at every dump
        record[first : (first + last) // 2] ^= np.arange(60) % 2 == 1
    assert suggest(record, OFFSETS) == []
    record[62:98, :45], record[62:98, 45:] = False, True
    assert [setting.anomalies for setting in suggest(record, OFFSETS)[:1]] == [1]


@given(st.integers(0, 10_000), st.integers(8, 70), st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_what_is_offered_keeps_its_word(seed: int, dumps: int, count: int) -> None:
    record = noise(seed, dumps=dumps, rate=0.5)
    record[:20, dumps // 2 :] = ~record[:20, :1]
    offered = suggest(record, OFFSETS, settings=count, seed=seed)
    assert len(offered) <= count
    for place, setting in enumerate(offered):
        assert setting.window in windows_for(dumps)
        assert 0 < setting.threshold <= 1
        assert setting.expected <= suggestions.RATE * setting.anomalies
        assert setting.anomalies <= max(suggestions.RARE * 4 * dumps, 4)
        found = anomalies(scores(flip_events(record), OFFSETS, setting.window), setting.threshold)
        assert len(found.cls) == setting.anomalies
        for other in offered[:place]:
            assert max(other.window, setting.window) >= 2 * min(other.window, setting.window)


def test_the_longest_window_that_shows_nearly_as_much_as_any_is_the_best() -> None:
    def setting(window: int, threshold: float, anomalies: int) -> Setting:
        return Setting(window, threshold, anomalies, 0.0)

    low, little = setting(30, 0.19, 100), setting(20, 0.2, 74)
    most, nearly, short = setting(3, 0.4, 100), setting(10, 0.2, 75), setting(1, 0.6, 80)
    given = [short, most, nearly, little, low]
    assert suggestions._best_first(given) == [nearly, most, short, little, low]


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_rows_are_turned_as_numpy_rolls_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    record = rng.random((13, 9)) < 0.5
    by = rng.integers(0, 9, 13)
    expected = np.stack([np.roll(row, offset) for row, offset in zip(record, by, strict=True)])
    np.testing.assert_array_equal(turned(record, by), expected)


def literal(record: NDArray[np.bool_], seed: int, rounds: int) -> dict[int, Setting]:
    """The setting of each window, written out."""
    dumps = record.shape[1]
    windows = windows_for(dumps)
    rng = np.random.default_rng(seed)
    turns = rng.integers(0, dumps, (rounds, len(record)))
    observed = count_table(flip_events(record), OFFSETS, windows)
    in_time, among = np.zeros_like(observed), np.zeros_like(observed)
    for by in turns:
        rolled = np.stack([np.roll(row, offset) for row, offset in zip(record, by, strict=True)])
        in_time += count_table(flip_events(rolled), OFFSETS, windows)
    for _ in range(rounds):
        among += count_table(flip_events(record[rng.permutation(len(record))]), OFFSETS, windows)
    found = {}
    for at, window in enumerate(windows):
        for percent in (*range(20, 101), *range(1, 20)):
            expected = float(max(in_time[at, percent], among[at, percent]) + 1) / (rounds + 1)
            count = int(observed[at, percent])
            if 0 < count <= max(0.01 * dumps * 4, 4) and expected / count <= 0.05:
                found[window] = Setting(window, percent / 100, count, expected)
                break
    return found


@pytest.mark.parametrize("piece", [1, 1 << 24])
def test_in_pieces_or_at_once_it_is_what_the_definition_gives(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "PIECE_CELLS", piece)
    monkeypatch.setattr(suggestions, "_APART", 1)
    record, _, _ = planted(3)
    expected = literal(record, 5, suggestions.MOST_ROUNDS)
    offered = suggest(record, OFFSETS, settings=100, seed=5)
    assert {setting.window: setting for setting in offered} == expected
    assert suggest_of_bits(packed(record), record.shape[1], OFFSETS, settings=100, seed=5) == offered


def test_of_a_short_record_or_of_no_samples_nothing_is_said() -> None:
    assert suggest(np.zeros((10, 7), bool), [0, 10]) == []
    assert suggest(np.zeros((0, 50), bool), [0, 0]) == []
    assert suggest(np.zeros((10, 50), bool), [0, 10]) == []


def test_what_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="correct must be bool"):
        suggest(np.zeros((10, 50)), [0, 10])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="class_offsets must be integers"):
        suggest(np.zeros((10, 50), bool), [0, 9])
