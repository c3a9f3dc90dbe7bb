"""Anomalies against the definitions of the paper's 7.1.2, written out as plain loops."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeptracker.analysis import anomalies as module
from deeptracker.analysis import bits
from deeptracker.analysis.anomalies import (
    AnomalyScores,
    FlipEvents,
    HighestScore,
    anomalies,
    count_table,
    flip_events,
    flip_events_of_bits,
    scores,
)

Record = NDArray[np.bool_]


@st.composite
def classed_records(draw: st.DrawFn) -> tuple[Record, NDArray[np.int64]]:
    """A record (samples, dumps) and class offsets; empty classes, no samples, no dumps and equal rows included."""
    sizes = draw(st.lists(st.integers(0, 4), min_size=0, max_size=4))
    dumps = draw(st.integers(0, 12))
    row = st.lists(st.booleans(), min_size=dumps, max_size=dumps)
    steady = st.tuples(st.integers(0, dumps), st.booleans()).map(lambda s: [s[1] ^ (t >= s[0]) for t in range(dumps)])
    count = sum(sizes)
    rows = draw(st.lists(row | steady, min_size=count, max_size=count))
    record = np.array(rows, dtype=bool).reshape(count, dumps)
    return record, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


windows = st.integers(1, 15)
percents = st.integers(0, 100)


def left_fires(a: list[bool], t: int, k: int) -> bool:
    """The k dumps just before t exist and have one value, and t has the other."""
    return t >= k and all(a[s] == a[t - 1] for s in range(t - k, t)) and a[t] != a[t - 1]


def right_fires(a: list[bool], t: int, k: int) -> bool:
    """The k dumps from t on exist and have one value, and the dump before t has the other."""
    return t >= 1 and t + k <= len(a) and all(a[s] == a[t] for s in range(t, t + k)) and a[t] != a[t - 1]


def is_pending(a: list[bool], t: int, k: int) -> bool:
    """t is a flip, its value lasts to the end of the record, and that is fewer than k dumps away."""
    return t >= 1 and a[t] != a[t - 1] and all(a[s] == a[t] for s in range(t, len(a))) and len(a) - t < k


def literal_counts(record: Record, offsets: NDArray[np.int64], k: int) -> dict[str, NDArray[np.int64]]:
    rules = {"left": left_fires, "right": right_fires, "pending": is_pending}
    counts = {name: np.zeros((len(offsets) - 1, record.shape[1]), dtype=np.int64) for name in rules}
    for cls in range(len(offsets) - 1):
        for sample in range(offsets[cls], offsets[cls + 1]):
            for t in range(record.shape[1]):
                for name, fires in rules.items():
                    counts[name][cls, t] += fires(record[sample].tolist(), t, k)
    return counts


def literal_named(record: Record, offsets: NDArray[np.int64], k: int, percent: int) -> list[tuple[int, int]]:
    counts = literal_counts(record, offsets, k)
    named = []
    for cls, size in enumerate(np.diff(offsets).tolist()):
        for t in range(record.shape[1]):
            count = max(int(counts["left"][cls, t]), int(counts["right"][cls, t]))
            if count > 0 and Fraction(count, size) >= Fraction(percent, 100):
                named.append((cls, t))
    return named


def as_counts(found: AnomalyScores, share: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.rint(share * found.sizes[:, None]).astype(np.int64)


@given(classed_records())
def test_every_flip_is_listed_once_with_the_lengths_of_the_runs_around_it(drawn: tuple[Record, object]) -> None:
    record, _ = drawn
    expected = []
    for sample, row in enumerate(record.tolist()):
        for t in range(1, len(row)):
            if row[t] == row[t - 1]:
                continue
            left = next((n for n in range(1, t) if row[t - 1 - n] != row[t - 1]), t)
            right = next((n for n in range(1, len(row) - t) if row[t + n] != row[t]), len(row) - t)
            expected.append((sample, t, left, right, t + right == len(row)))
    events = flip_events(record)
    columns = (events.sample, events.dump, events.left_run, events.right_run, events.last)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected
    assert (events.samples, events.dumps) == record.shape


@given(classed_records(), st.integers(1, 40))
def test_flips_do_not_depend_on_how_many_samples_are_searched_at_a_time(
    drawn: tuple[Record, object], piece_bytes: int
) -> None:
    record, _ = drawn
    whole = flip_events(record)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bits, "PIECE_BYTES", piece_bytes)
        parts = flip_events(record)
    for name in ("sample", "dump", "left_run", "right_run", "last"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_a_record_stored_with_dumps_first_gives_the_same_flips() -> None:
    record = np.random.default_rng(3).random((40, 30)) < 0.5
    flipped = flip_events(np.ascontiguousarray(record.T).T)
    assert np.array_equal(flipped.dump, flip_events(record).dump)
    assert np.array_equal(flipped.right_run, flip_events(record).right_run)


@given(st.integers(0, 2**32 - 1), st.sampled_from([64, 65, 200]), st.sampled_from([0.02, 0.3]))
def test_a_record_of_several_words_has_the_runs_of_the_plain_one(seed: int, dumps: int, often: float) -> None:
    record = np.cumsum(np.random.default_rng(seed).random((5, dumps)) < often, axis=1) % 2 == 1
    events = flip_events_of_bits(bits.packed(record), dumps)
    expected = []
    for sample, row in enumerate(record.tolist()):
        at = [t for t in range(1, dumps) if row[t] != row[t - 1]]
        ends = [0, *at, dumps]
        expected += [(sample, t, t - ends[n], ends[n + 2] - t, n == len(at) - 1) for n, t in enumerate(at)]
    columns = (events.sample, events.dump, events.left_run, events.right_run, events.last)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected


@given(classed_records(), windows, st.integers(1, 9))
def test_scores_do_not_depend_on_how_many_classes_are_scored_at_a_time(
    drawn: tuple[Record, NDArray[np.int64]], window: int, piece_flips: int
) -> None:
    record, offsets = drawn
    whole = scores(flip_events(record), offsets, window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_FLIPS", piece_flips)
        parts = scores(flip_events(record), offsets, window)
    for name in ("left", "right", "pending", "sizes"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


@given(classed_records(), windows)
def test_scores_are_the_shares_of_samples_for_which_the_literal_rules_fire(
    drawn: tuple[Record, NDArray[np.int64]], window: int
) -> None:
    record, offsets = drawn
    found = scores(flip_events(record), offsets, window)
    sizes = np.maximum(np.diff(offsets), 1)[:, None]
    for name, counts in literal_counts(record, offsets, window).items():
        share = getattr(found, name)
        assert share.dtype == np.float32
        assert np.array_equal(share, (counts / sizes).astype(np.float32)), name


@given(classed_records(), windows, percents)
def test_anomalies_are_the_class_dump_pairs_whose_exact_share_reaches_the_percentage(
    drawn: tuple[Record, NDArray[np.int64]], window: int, percent: int
) -> None:
    record, offsets = drawn
    at = scores(flip_events(record), offsets, window)
    found = anomalies(at, percent / 100)
    pairs = list(zip(found.cls.tolist(), found.dump.tolist(), strict=True))
    assert pairs == literal_named(record, offsets, window, percent)
    for name in ("left", "right", "pending"):
        assert getattr(found, name).tolist() == [getattr(at, name)[pair] for pair in pairs]


@given(classed_records(), st.lists(windows, max_size=4))
def test_the_count_table_counts_what_anomalies_names(drawn: tuple[Record, NDArray[np.int64]], asked: list[int]) -> None:
    record, offsets = drawn
    events = flip_events(record)
    table = count_table(events, offsets, asked)
    assert table.dtype == np.int32
    assert table.shape == (len(asked), 101)
    for i, window in enumerate(asked):
        at = scores(events, offsets, window)
        assert table[i].tolist() == [anomalies(at, j / 100).cls.size for j in range(101)]
        assert table[i, 35] == len(literal_named(record, offsets, window, 35))


@pytest.mark.parametrize("size", [1, 3, 7, 20, 50, 99, 100, 300, 1300])
def test_whole_percentages_are_compared_exactly_in_classes_of_many_sizes(size: int) -> None:
    # Dump t + 1 has exactly t flips of window 1: sample i alternates as long as t > i.
    flips = np.arange(size + 1)[None, :] > np.arange(size)[:, None]
    record = np.cumsum(np.concatenate([np.zeros((size, 1), int), flips], axis=1), axis=1) % 2 == 1
    events = flip_events(record)
    at = scores(events, [0, size], 1)
    table = count_table(events, [0, size], [1])[0]
    for j in range(101):
        expected = sum(count > 0 and count * 100 >= j * size for count in range(size + 1))
        assert table[j] == expected
        assert anomalies(at, j / 100).cls.size == expected


@given(classed_records(), windows)
def test_the_highest_score_handed_back_as_threshold_names_itself_and_nothing_higher_exists(
    drawn: tuple[Record, NDArray[np.int64]], window: int
) -> None:
    record, offsets = drawn
    at = scores(flip_events(record), offsets, window)
    highest = anomalies(at, 1).highest
    either = np.maximum(at.left, at.right)
    if highest is None:
        assert not either.any()
        return
    assert highest.score == either.max() == getattr(at, highest.rule)[highest.cls, highest.dump]
    found = anomalies(at, highest.score)
    assert (found.cls[0], found.dump[0]) == (highest.cls, highest.dump)
    assert np.maximum(found.left, found.right).min() == highest.score


@given(classed_records(), windows, st.data())
def test_what_fires_when_the_record_grows_is_what_fired_or_was_pending(
    drawn: tuple[Record, NDArray[np.int64]], window: int, data: st.DataObject
) -> None:
    record, offsets = drawn
    samples, dumps = record.shape
    more = data.draw(st.integers(0, 6))
    tail = np.array(data.draw(st.lists(st.booleans(), min_size=samples * more, max_size=samples * more)), dtype=bool)
    now = scores(flip_events(record), offsets, window)
    later = scores(flip_events(np.hstack([record, tail.reshape(samples, more)])), offsets, window)
    fired, pending = as_counts(now, now.right), as_counts(now, now.pending)
    grown = as_counts(later, later.right)[:, :dumps]
    assert np.array_equal(now.left, later.left[:, :dumps])
    assert (fired <= grown).all()
    assert (grown <= fired + pending).all()


@given(classed_records(), windows)
def test_everything_pending_fires_once_the_samples_keep_their_values_for_a_window(
    drawn: tuple[Record, NDArray[np.int64]], window: int
) -> None:
    record, offsets = drawn
    dumps = record.shape[1]
    steady = np.repeat(record[:, -1:], window, axis=1)
    now = scores(flip_events(record), offsets, window)
    later = scores(flip_events(np.hstack([record, steady])), offsets, window)
    assert np.array_equal(
        as_counts(later, later.right)[:, :dumps], as_counts(now, now.right) + as_counts(now, now.pending)
    )


@given(classed_records(), windows)
def test_a_larger_window_or_threshold_never_names_more(drawn: tuple[Record, NDArray[np.int64]], window: int) -> None:
    record, offsets = drawn
    events = flip_events(record)
    near, far = scores(events, offsets, window), scores(events, offsets, window + 1)
    assert (far.left <= near.left).all()
    assert (far.right <= near.right).all()
    table = count_table(events, offsets, [window, window + 1])
    assert (np.diff(table, axis=0) <= 0).all()
    assert (np.diff(table, axis=1) <= 0).all()


def test_a_class_that_jumps_for_good_is_marked_by_both_rules_at_the_same_dump() -> None:
    # The paper's mushrooms: wrong, some unsteadily, then nearly all right from dump 20 on; a few stay wrong throughout.
    record = np.zeros((50, 40), dtype=bool)
    record[:10, 3:20:2] = True
    record[:45, 20:] = True
    found = anomalies(scores(flip_events(record), [0, 50], window=10), threshold=0.5)
    assert found.dump.tolist() == [20]
    assert found.left.tolist() == [np.float32(0.7)]
    assert found.right.tolist() == [np.float32(0.7)]
    assert found.highest == HighestScore(float(np.float32(0.7)), cls=0, dump=20, rule="left"), (
        "the left rule comes first"
    )


def test_a_run_shorter_than_the_window_is_marked_by_one_rule_only() -> None:
    dip = np.ones((1, 30), dtype=bool)
    dip[0, 12:15] = False
    at = scores(flip_events(dip), [0, 1], window=10)
    assert np.flatnonzero(at.left[0]).tolist() == [12]
    assert np.flatnonzero(at.right[0]).tolist() == [15]


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0), (3, 1)])
def test_records_too_small_for_a_flip_have_no_anomalies(shape: tuple[int, int]) -> None:
    events = flip_events(np.ones(shape, dtype=bool))
    at = scores(events, [0, 0, shape[0]], 1)
    assert events.sample.size == 0
    assert at.left.shape == (2, shape[1])
    assert anomalies(at, 0).highest is None
    assert not count_table(events, [0, 0, shape[0]], [1, 2]).any()


@pytest.mark.parametrize("threshold", [-0.01, 1.01, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(threshold: float) -> None:
    at = scores(flip_events(np.ones((1, 2), dtype=bool)), [0, 1], 1)
    with pytest.raises(ValueError, match=r"threshold must be a share in 0\.\.1\. Got"):
        anomalies(at, threshold)


def test_a_window_below_one_is_refused() -> None:
    events = flip_events(np.ones((1, 2), dtype=bool))
    with pytest.raises(ValueError, match=r"window must be >= 1\. Got 0\."):
        scores(events, [0, 1], 0)
    with pytest.raises(ValueError, match=r"each >= 1\. Got \[3, 0\]\."):
        count_table(events, [0, 1], [3, 0])


@pytest.mark.parametrize("offsets", [[], [0], [0, 3], [1, 2], [0, 2, 1, 2], [0.0, 2.0], [[0, 2]]])
def test_offsets_that_do_not_cover_the_samples_in_order_are_refused(offsets: list[int]) -> None:
    events = flip_events(np.ones((2, 2), dtype=bool))
    with pytest.raises(
        ValueError, match="class_offsets must be integers that ascend from 0 to the number of samples, 2"
    ):
        scores(events, offsets, 1)


@pytest.mark.parametrize("correct", [np.ones((2, 2)), np.ones(4, dtype=bool)])
def test_a_record_that_is_not_a_boolean_matrix_is_refused(correct: NDArray[np.bool_]) -> None:
    with pytest.raises(ValueError, match=r"correct must be bool \(samples, dumps\)"):
        flip_events(correct)


@pytest.mark.parametrize("words", [np.zeros((1, 3), np.uint64), np.zeros((2, 3), np.int64), np.zeros(2, np.uint64)])
def test_bits_that_are_no_record_of_so_many_dumps_are_refused(words: NDArray[np.uint64]) -> None:
    with pytest.raises(ValueError, match=r"words must be uint64 \(2, samples\) for 65 dumps\. Got"):
        flip_events_of_bits(words, 65)


def test_events_and_scores_whose_arrays_do_not_fit_are_refused() -> None:
    three, two = np.zeros(3, dtype=np.int32), np.zeros(2, dtype=np.int32)
    with pytest.raises(ValueError, match="all 1-d of one length"):
        FlipEvents(three, three, three, two, np.zeros(3, dtype=bool), 1, 9)
    square = np.zeros((2, 2), dtype=np.float32)
    with pytest.raises(ValueError, match=r"sizes \(classes,\)"):
        AnomalyScores(square, square, square, three, 1)
