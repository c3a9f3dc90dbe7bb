"""The history of filters says what reading every file one by one says, also while a run grows."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from deeptracker.schema import MEASURES, Branch, Layer, Network, Node, Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.columns import encode_columns
from deeptracker.store.filter_history import FilterHistory
from deeptracker.store.histograms import Histograms
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.log import LogReader, LogWriter

LAYERS = (Layer("a", "linear", (3, 2), 3, 2, 0), Layer("b", "linear", (2, 4), 2, 4, 3))
NETWORK = Network(LAYERS, Node("", (Node("a", layer=0), Node("b", layer=1))))
FILTERS = 5
PARTS = ("layers", "filters")
Table = npt.NDArray[np.float32]


def info(*starts: int) -> RunInfo:
    return RunInfo("a", "2026-01-02T03:04:05+00:00", tuple(Branch(start, "then") for start in (0, *starts)))


def begun(place: Path | str) -> tuple[Blobs, LogWriter]:
    blobs = Blobs(place)
    log = LogWriter(blobs)
    log.write_info(info())
    log.write_network(NETWORK)
    return blobs, log


def random_table(seed: int) -> Table:
    """float32 (measures, filters)"""
    return np.random.default_rng(seed).normal(size=(len(MEASURES), FILTERS)).astype(np.float32)


def histograms_of(seed: int) -> Histograms:
    bins = [np.array([7, 9], np.uint16)] * len(LAYERS)
    counts = [np.array([seed, 2], np.uint32)] * len(LAYERS)
    return Histograms(bins, counts, bins, counts)


def write_dump(log: LogWriter, iteration: int, table: Table) -> None:
    log.write_layers(iteration, histograms_of(iteration), parts=PARTS)
    log.write_filters(iteration, dict(zip(MEASURES, table, strict=True)), parts=PARTS)


def history_of(blobs: Blobs, readers: int = 1) -> tuple[LogReader, FilterHistory]:
    log = LogReader(blobs)
    return log, FilterHistory(log, IndexReader(blobs, log), readers=readers)


def assert_says(history: FilterHistory, given: list[Table | None]) -> None:
    """Everything the history says of these dumps; None is a dump that cannot be read."""
    missing = np.full((len(MEASURES), FILTERS), np.nan, np.float32)
    expected = np.array([missing if one is None else one for one in given]).reshape(-1, len(MEASURES), FILTERS)
    for place, name in enumerate(MEASURES):
        found = history.measure(name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected[:, place])
    for layer in LAYERS:
        np.testing.assert_array_equal(history.layer(layer), expected[:, :, layer.rows])


@pytest.mark.parametrize("place", ["run", "memory://"])
@pytest.mark.parametrize("readers", [1, 3])
def test_all_is_as_in_the_files(tmp_path: Path, place: str, readers: int) -> None:
    blobs, log = begun(place if "://" in place else tmp_path / place)
    given = [random_table(i) for i in range(30)]  # more than readers go ahead
    for i, table in enumerate(given):
        write_dump(log, i, table)
    reader, history = history_of(blobs, readers)
    assert_says(history, list(given))
    assert [one.weight_counts[0][0] for one in history.histograms(4)] == list(range(4, 30))  # type: ignore[union-attr]
    np.testing.assert_array_equal(history.at(reader.dumps[7], "sd"), given[7][MEASURES.index("sd")])


def test_nothing_recorded_is_an_empty_history(tmp_path: Path) -> None:
    _, history = history_of(begun(tmp_path)[0])
    assert_says(history, [])
    assert history.measure("sd").shape == (0, FILTERS)
    assert list(history.histograms()) == []


def test_following_a_run_gives_what_reading_from_scratch_gives(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    reader, history = history_of(blobs)
    given: list[Table | None] = []
    for i in range(40):
        given.append(random_table(i))
        write_dump(log, i, given[-1])  # type: ignore[arg-type]
        if i % 7 in (2, 3):
            reader.refresh()
            assert_says(history, given)
    reader.refresh()
    assert_says(history, given)


def test_a_resumed_run_replaces_the_dumps_that_were_abandoned(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    given: list[Table | None] = [random_table(i) for i in range(12)]
    for i, table in enumerate(given):
        write_dump(log, i, table)  # type: ignore[arg-type]
    reader, history = history_of(blobs)
    assert_says(history, given)
    log = LogWriter(blobs, branch=1)
    log.write_info(info(6))
    given = given[:7]
    for i in range(7, 10):
        reader.refresh()
        assert_says(history, given)
        given.append(random_table(100 + i))
        write_dump(log, i, given[-1])  # type: ignore[arg-type]
    reader.refresh()
    assert_says(history, given)


def test_only_new_dumps_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, log = begun(tmp_path)
    for i in range(5):
        write_dump(log, i, random_table(i))
    reader, history = history_of(blobs)
    read: list[tuple[int, list[str]]] = []
    original = LogReader.filters
    monkeypatch.setattr(
        LogReader, "filters", lambda s, d, only: (read.append((d.iteration, list(only))), original(s, d, only))[1]
    )
    history.measure("sd")
    assert read == [(i, ["sd"]) for i in range(5)]
    read.clear()
    log.write_predictions(4, Predictions(np.zeros(1, np.int16), np.zeros(1, np.float16)))  # late, and of no concern
    write_dump(log, 5, random_table(5))
    reader.refresh()
    history.measure("sd")
    assert read == [(5, ["sd"])]


def test_dumps_that_cannot_be_read_are_missing_and_named(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    given: list[Table | None] = [random_table(i) for i in range(5)]
    for i, table in enumerate(given):
        write_dump(log, i, table)  # type: ignore[arg-type]
    damaged, foreign, gone = (f"log/filters/{i:012d}.arrow" for i in (1, 2, 3))
    blobs.put(damaged, blobs.get(damaged)[:-100])
    blobs.put(foreign, encode_columns("filters", {name: np.zeros(9, np.float32) for name in MEASURES}, parts=PARTS))
    reader, history = history_of(blobs)
    (tmp_path / gone).unlink()
    given[1:4] = [None] * 3
    assert_says(history, given)
    assert np.isnan(history.at(reader.dumps[2], "change")).all()
    told = " ".join(reader.problems)
    assert all(path in told for path in (damaged, foreign, gone))
    blobs.put("log/layers/000000000002.arrow", b"")
    assert [one is None for one in history.histograms()] == [False, False, True, False, False]


def test_a_dump_without_measures_is_missing(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0, random_table(0))
    log.write_predictions(5, Predictions(np.zeros(1, np.int16), np.zeros(1, np.float16)))
    reader, history = history_of(blobs)
    assert_says(history, [random_table(0), None])
    assert np.isnan(history.at(reader.dumps[1], "sd")).all()
    assert [one is None for one in history.histograms()] == [False, True]
    assert reader.problems == []


def test_a_measure_that_older_files_lack_is_missing_there(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    old = [name for name in MEASURES if name != "euclidean"]
    columns = {name: np.ones(FILTERS, np.float32) for name in old}
    blobs.put("log/filters/000000000000.arrow", encode_columns("filters", columns, iteration=0, parts=["filters"]))
    write_dump(log, 1, random_table(1))
    reader, history = history_of(blobs)
    table = np.ones((len(MEASURES), FILTERS), np.float32)
    table[MEASURES.index("euclidean")] = np.nan
    assert_says(history, [table, random_table(1)])
    assert reader.problems == []


def test_no_more_is_kept_than_allowed_and_everything_is_still_answered(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    given = [random_table(i) for i in range(6)]
    for i, table in enumerate(given):
        write_dump(log, i, table)
    reader = LogReader(blobs)
    history = FilterHistory(reader, IndexReader(blobs, reader), limit_bytes=2 * 6 * FILTERS * 4)
    for _ in range(2):
        assert_says(history, list(given))
    history.measure("sd")
    history.measure("mean")
    assert history.size_bytes <= 2 * 6 * FILTERS * 4


@pytest.mark.parametrize("limit_bytes", [0, 1 << 20])
def test_blocks_say_what_the_measures_say_and_are_kept_only_where_they_fit(tmp_path: Path, limit_bytes: int) -> None:
    blobs, log = begun(tmp_path)
    for iteration in range(140):
        write_dump(log, iteration, random_table(iteration))
    reader, expected = history_of(blobs)
    history = FilterHistory(reader, IndexReader(blobs, reader), limit_bytes=limit_bytes)
    names = [MEASURES[4], MEASURES[1]]
    found = list(history.blocks(names, 3, 139))
    assert [first for first, _ in found] == [3, 64, 128]
    for place, name in enumerate(names):
        np.testing.assert_array_equal(np.concatenate([rows[place] for _, rows in found]), expected.measure(name)[3:139])
    assert history.size_bytes == (0 if limit_bytes == 0 else 2 * 140 * FILTERS * 4)
    assert list(history.blocks(names, 5, 5)) == []
