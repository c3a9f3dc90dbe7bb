"""Suggested windows and thresholds: what was planted is found, and what chance gives is not."""

from __future__ import annotations

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
        found = anomalies(scores(flip_events(record), OFFSETS, setting.window), setting.threshold)
        assert len(found.cls) == setting.anomalies
        for other in offered[:place]:
            assert other.anomalies - other.expected >= setting.anomalies - setting.expected
            assert max(other.window, setting.window) >= 2 * min(other.window, setting.window)


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
    windows = windows_for(record.shape[1])
    turns = np.random.default_rng(seed).integers(0, record.shape[1], (rounds, len(record)))
    observed = count_table(flip_events(record), OFFSETS, windows)
    chance = np.ones_like(observed, dtype=float)
    for by in turns:
        rolled = np.stack([np.roll(row, offset) for row, offset in zip(record, by, strict=True)])
        chance += count_table(flip_events(rolled), OFFSETS, windows)
    found = {}
    for at, window in enumerate(windows):
        for percent in range(1, 101):
            expected = chance[at, percent] / (rounds + 1)
            if observed[at, percent] and expected / observed[at, percent] <= 0.05:
                found[window] = Setting(window, percent / 100, int(observed[at, percent]), expected)
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
