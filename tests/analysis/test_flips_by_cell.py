"""Few cells are looked at, and what is found is what the scores of all classes and dumps say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeptracker.analysis import flips_by_cell as module
from deeptracker.analysis.anomalies import Anomalies, anomalies, flip_events, scores
from deeptracker.analysis.flips_by_cell import anomalies_at, bounding_window, flips_by_cell, top_cells


def assert_same(found: Anomalies, expected: Anomalies) -> None:
    for name in ("cls", "dump", "left", "right", "pending"):
        ours, plain = getattr(found, name), getattr(expected, name)
        assert ours.dtype == plain.dtype
        np.testing.assert_array_equal(ours, plain)
    assert (found.window, found.threshold, found.highest) == (expected.window, expected.threshold, expected.highest)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 6), min_size=1, max_size=5),
    st.integers(0, 40),
    st.sampled_from([0.05, 0.3, 0.7]),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.1, 0.35, 0.5, 1.0]),
    st.sampled_from([(1, 1, 1), (3, 2, 1), (8, 1, 2), (1 << 15, 256, 1 << 11)]),
)
def test_anomalies_are_those_of_all_scores(
    seed: int, sizes: list[int], dumps: int, often: float, window: int, threshold: float, room: tuple[int, int, int]
) -> None:
    rng, offsets = np.random.default_rng(seed), np.concatenate([[0], np.cumsum(sizes)])
    record = np.cumsum(rng.random((sum(sizes), dumps)) < often, axis=1) % 2 == 1
    record[rng.random(sum(sizes)) < 0.3] = rng.random(dumps) < 0.2  # some samples of a class flip together
    events = flip_events(record)
    expected = anomalies(scores(events, offsets, window), threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TOP", room[0])
        patch.setattr(module, "FIRST", room[1])
        patch.setattr(module, "SORTED", room[2])
        flips = flips_by_cell(events, offsets)
        top = top_cells(flips, bounding_window(window))
        assert len(top.cells) <= room[0]
        assert_same(anomalies_at(flips, top, window, threshold), expected)


def test_cells_below_every_bound_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    record = np.cumsum(rng.random((200, 900)) < 0.02, axis=1) % 2 == 1
    record[:150, 500:] = ~record[:150, 499:500]  # three of four classes jump, and stay
    offsets = np.arange(0, 201, 50)
    events = flip_events(record)
    flips = flips_by_cell(events, offsets)
    top = top_cells(flips, bounding_window(10))
    counted = []
    count = module._top_scores

    def note(flips, top, window, cells):  # type: ignore[no-untyped-def]
        counted.append(cells)
        return count(flips, top, window, cells)

    monkeypatch.setattr(module, "_top_scores", note)
    monkeypatch.setattr(module, "_scores", None)
    found = anomalies_at(flips, top, 10, 0.35)
    assert found.dump.tolist() == [500, 500, 500]
    assert counted == [module.FIRST]
    assert len(flips.cls) > 2 * module.FIRST
    assert_same(found, anomalies(scores(events, offsets, 10), 0.35))


def test_what_cannot_be_asked_is_said() -> None:
    flips = flips_by_cell(flip_events(np.zeros((2, 3), bool)), [0, 2])
    with pytest.raises(ValueError, match=r"window must be >= 1\. Got 0"):
        bounding_window(0)
    with pytest.raises(ValueError, match="threshold must be a share"):
        anomalies_at(flips, top_cells(flips, 1), 1, 1.5)
    with pytest.raises(ValueError, match="class_offsets must be"):
        flips_by_cell(flip_events(np.zeros((2, 3), bool)), [0, 3])
