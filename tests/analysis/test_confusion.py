"""Counts of which class is taken for which agree with plain loops over samples."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.analysis.confusion import added, change, confusion, course, flows, most_confused
from deeptracker.schema import MISSING, UNDEFINED

SIZES = st.lists(st.integers(0, 7), min_size=1, max_size=6)
SEEDS = st.integers(0, 10_000)


def drawn(sizes: list[int], seed: int, dumps: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True classes, offsets, and predictions (samples, dumps): of no class, of one, of one that no sample has."""
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    true = np.repeat(np.arange(len(sizes)), sizes)
    predicted = np.random.default_rng(seed).integers(UNDEFINED, len(sizes) + 2, (len(true), dumps)).astype(np.int16)
    return true, offsets, predicted


def cells(found: object, *names: str) -> dict[tuple[int, int], tuple[int, ...]]:
    true = np.repeat(np.arange(len(found.offsets) - 1), np.diff(found.offsets)).tolist()
    values = zip(*(getattr(found, name).tolist() for name in names), strict=True)
    return dict(zip(zip(true, found.predicted.tolist(), strict=True), values, strict=True))


@given(SIZES, SEEDS)
def test_cells_are_the_counts_of_a_loop_and_sorted(sizes: list[int], seed: int) -> None:
    true, offsets, predicted = drawn(sizes, seed)
    found = confusion(predicted[:, 0], offsets)
    expected = Counter(zip(true.tolist(), predicted[:, 0].tolist(), strict=True))
    assert cells(found, "count") == {cell: (count,) for cell, count in expected.items()}
    assert list(cells(found, "count")) == sorted(expected)
    assert (found.offsets.dtype, found.predicted.dtype, found.count.dtype) == (np.int32,) * 3
    for c in range(len(sizes)):
        own = predicted[true == c, 0]
        assert found.known[c] == (own != MISSING).sum()
        assert found.right[c] == (own == c).sum() == found.of(c, c)
        assert found.of(c, UNDEFINED) == (own == UNDEFINED).sum()


@given(SIZES, SEEDS)
def test_two_dumps_side_by_side_have_every_cell_of_both(sizes: list[int], seed: int) -> None:
    _, offsets, predicted = drawn(sizes, seed, 2)
    before, after = (confusion(one, offsets) for one in predicted.T)
    found = cells(change(before, after), "before", "after")
    assert {cell: (was,) for cell, (was, _) in found.items() if was} == cells(before, "count")
    assert {cell: (now,) for cell, (_, now) in found.items() if now} == cells(after, "count")
    whole = cells(added([before, after]), "count")
    assert whole == {cell: (was + now,) for cell, (was, now) in found.items()}


@given(SIZES, SEEDS)
def test_flows_are_the_counts_of_a_loop_and_explain_the_change(sizes: list[int], seed: int) -> None:
    true, offsets, predicted = drawn(sizes, seed, 2)
    before, after = predicted.T
    expected = Counter(
        (int(c), int(was), int(now)) for c, was, now in zip(true, before, after, strict=True) if was != now
    )
    found = flows(before, after, offsets)
    told = list(
        zip(found.cls.tolist(), found.source.tolist(), found.target.tolist(), found.count.tolist(), strict=True)
    )
    assert {flow[:3]: flow[3] for flow in told} == expected
    assert told == sorted(told, key=lambda flow: (-flow[3], flow[:3]))
    moved: Counter[tuple[int, int]] = Counter()
    for c, source, target, count in told:
        moved[c, source] -= count
        moved[c, target] += count
    changed = change(confusion(before, offsets), confusion(after, offsets))
    for cell, (was, now) in cells(changed, "before", "after").items():
        assert now - was == moved[cell]


@given(SIZES.filter(any), SEEDS)
def test_flows_of_a_class_have_all_of_its_samples(sizes: list[int], seed: int) -> None:
    true, offsets, predicted = drawn(sizes, seed, 2)
    for c, size in enumerate(sizes):
        found = flows(*predicted.T, offsets, c)
        assert set(found.cls.tolist()) <= {c}
        assert found.count.sum() == size
        own = predicted[true == c]
        for source, target, count in zip(found.source, found.target, found.count, strict=True):
            assert count == ((own[:, 0] == source) & (own[:, 1] == target)).sum()


@given(SIZES, SEEDS)
def test_pairs_are_those_with_the_largest_shares_of_both(sizes: list[int], seed: int) -> None:
    true, offsets, predicted = drawn(sizes, seed)
    label = predicted[:, 0]
    share = {}
    for a in range(len(sizes)):
        for b in range(len(sizes)):
            own = label[true == a]
            share[a, b] = (own == b).sum() / max(1, (own != MISSING).sum())
    expected = sorted((share[a, b] + share[b, a] for a, b in share if a < b and share[a, b] + share[b, a] > 0))[::-1]
    found = most_confused(confusion(label, offsets), 4)
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert [share[a, b] + share[b, a] for a, b in pairs] == pytest.approx(expected[:4])
    for (a, b), there, back in zip(pairs, found.there, found.back, strict=True):
        assert share[a, b] >= share[b, a]
        assert (there, back) == ((label[true == a] == b).sum(), (label[true == b] == a).sum())


@given(SIZES, SEEDS)
def test_a_course_counts_one_label_at_every_dump(sizes: list[int], seed: int) -> None:
    _, _, predicted = drawn(sizes, seed, 5)
    for label in (UNDEFINED, MISSING, 0):
        assert course(predicted, label).tolist() == (predicted == label).sum(axis=0).tolist()


def test_many_samples_are_counted_in_pieces_as_at_once() -> None:
    predicted = np.random.default_rng(0).integers(0, 3, (1300, 4))
    assert course(predicted, 2).tolist() == (predicted == 2).sum(axis=0).tolist()


def test_what_does_not_fit_is_refused() -> None:
    offsets = np.array([0, 2])
    found = confusion(np.array([0, 0]), offsets)
    with pytest.raises(ValueError, match="there must be 2 predictions, one a sample"):
        confusion(np.zeros(3, int), offsets)
    with pytest.raises(ValueError, match="there must be 2 predictions"):
        flows(np.zeros(2, int), np.zeros(3, int), offsets)
    with pytest.raises(ValueError, match=r"one number of classes.*Got \[1, 2\]"):
        change(found, confusion(np.array([0, 0]), np.array([0, 1, 2])))
    with pytest.raises(ValueError, match="most must be >= 1"):
        most_confused(found, 0)
