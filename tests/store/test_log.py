"""A log is read while it is written, whatever was cut short, damaged, resumed or written by several processes."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker.errors import FormatVersionError, LogFileError, RunNotFoundError
from deeptracker.record.writer import QUEUE_SIZE
from deeptracker.schema import MEASURES, Branch, Kernels, Layer, Network, Node, Predictions, RunInfo
from deeptracker.store import columns
from deeptracker.store.blobs import Blob, Blobs
from deeptracker.store.columns import encode_columns
from deeptracker.store.histograms import Histograms
from deeptracker.store.listing import KINDS, MOST_BEHIND, DumpFiles
from deeptracker.store.log import LogReader, LogWriter

FILTERS, SAMPLES = 5, 6
NETWORK = Network(
    (Layer("conv1", "conv2d", (2, 1, 3, 3), 2, 9, 0), Layer("fc", "linear", (3, 2), 3, 2, 2)),
    Node("", (Node("conv1", layer=0), Node("fc", layer=1))),
)


def info(*starts: int) -> RunInfo:
    return RunInfo("a", "2026-01-02T03:04:05+00:00", tuple(Branch(start, "then") for start in (0, *starts)))


def predictions(value: int) -> Predictions:
    return Predictions(np.full(SAMPLES, value, np.int16), np.full(SAMPLES, value / 100, np.float16))


def histograms(value: int) -> Histograms:
    bins = [np.array([value, value + 1], np.uint16), np.zeros(0, np.uint16)]
    return Histograms(
        bins, [b.astype(np.uint32) * 2 for b in bins], bins[::-1], [b.astype(np.uint32) for b in bins[::-1]]
    )


def kernels(value: float) -> Kernels:
    return Kernels(0, np.full((2, 1, 3, 3), value, np.float32))


def write_dump(log: LogWriter, iteration: int, value: int | None = None, kinds: tuple[str, ...] = KINDS) -> None:
    """Files of some kinds of a dump that has all; every number in them is `value`."""
    value = iteration if value is None else value
    if "predictions" in kinds:
        log.write_predictions(iteration, predictions(value), parts=KINDS)
    if "layers" in kinds:
        log.write_layers(iteration, histograms(value), parts=KINDS)
    if "kernels" in kinds:
        log.write_kernels(iteration, kernels(value), parts=KINDS)
    if "filters" in kinds:
        log.write_filters(iteration, {name: np.full(FILTERS, value, np.float32) for name in MEASURES}, parts=KINDS)


def begun(place: Path | Blobs) -> tuple[Blobs, LogWriter]:
    blobs = place if isinstance(place, Blobs) else Blobs(place)
    log = LogWriter(blobs)
    log.write_info(info())
    log.write_network(NETWORK)
    return blobs, log


def resumed(blobs: Blobs, *starts: int) -> LogWriter:
    """The writer of a new branch, which began at the last of `starts`."""
    log = LogWriter(blobs, branch=len(starts))
    log.write_info(info(*starts))
    return log


def shown(log: LogReader) -> list[tuple[int, int]]:
    return [(dump.iteration, dump.branch) for dump in log.dumps]


def value_at(log: LogReader, dump: DumpFiles) -> int:
    return int(log.filters(dump, ["sum"])["sum"][0])


def future(monkeypatch: pytest.MonkeyPatch, write: Any) -> None:
    """Do what a later version of the format would."""
    with monkeypatch.context() as patch:
        patch.setattr(columns, "FORMAT_VERSION", 2)
        write()


@pytest.mark.parametrize("place", ["folder", "memory://"])
def test_a_dump_comes_back_as_it_was_written(tmp_path: Path, place: str) -> None:
    blobs, log = begun(Blobs(place) if "://" in place else tmp_path)
    rng = np.random.default_rng(0)
    measures = {name: rng.normal(size=FILTERS).astype(np.float32) for name in MEASURES}
    measures["cosine"][1] = np.nan
    given = Predictions(np.arange(SAMPLES, dtype=np.int32), rng.random(SAMPLES).astype(np.float16),
                        rng.random(SAMPLES).astype(np.float16))  # fmt: skip
    log.write_predictions(1600, given, parts=KINDS)
    log.write_layers(1600, histograms(7), parts=KINDS)
    first = Kernels(0, rng.normal(size=(2, 1, 3, 3)).astype(np.float32))
    first.values[1, 0, 2] = np.nan, np.inf, -np.inf
    log.write_kernels(1600, first, parts=KINDS)
    log.write_filters(1600, measures, parts=KINDS)
    read = LogReader(blobs)
    assert read.info == info()
    assert read.network == NETWORK
    (dump,) = read.dumps
    assert dump.iteration == 1600
    for name, values in read.filters(dump).items():
        np.testing.assert_array_equal(values, measures[name])
        assert values.dtype == np.float32
    assert list(read.filters(dump, ["max", "sum"])) == ["sum", "max"]
    back = read.predictions(dump, SAMPLES)
    for name in ("predicted", "probability", "loss"):
        np.testing.assert_array_equal(getattr(back, name), getattr(given, name))
        assert getattr(back, name).dtype == getattr(given, name).dtype
    for name in ("weight_bins", "weight_counts", "grad_bins", "grad_counts"):
        for found, expected in zip(getattr(read.histograms(dump), name), getattr(histograms(7), name), strict=True):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
    of_first = read.kernels(dump)
    assert of_first is not None
    assert of_first.layer == 0
    np.testing.assert_array_equal(of_first.values, first.values)
    assert read.check() == []
    assert read.size_bytes == sum(blob.size_bytes for blob in blobs.list("log/"))


def test_a_place_without_a_run_is_told_and_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match=r"no run in .*/a \(no run\.json\)\. Record one: deeptracker demo"):
        LogReader(Blobs(tmp_path / "a"))


def test_refresh_tells_whether_anything_is_new(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    read = LogReader(blobs)
    assert not read.refresh()
    write_dump(log, 0)
    assert read.refresh()
    assert not read.refresh()
    log.write_scalars(np.array([1]), {"loss": np.array([1.0])})
    assert read.refresh()
    log.write_info(RunInfo("a", "2026-01-02T03:04:05+00:00", info().branches, "finished"))
    assert read.refresh()
    assert read.info.state == "finished"


@pytest.mark.parametrize("kinds", [KINDS[:1], KINDS[:2], KINDS[:3], KINDS[1:2], KINDS[2:3], KINDS[2:]])
def test_a_dump_counts_once_all_its_parts_are_there(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    write_dump(log, 10, kinds=kinds)
    read = LogReader(blobs)
    assert shown(read) == [(0, 0)]
    write_dump(log, 10, kinds=tuple(kind for kind in KINDS if kind not in kinds))
    read.refresh()
    assert shown(read) == [(0, 0), (10, 0)]


def test_a_dump_left_unfinished_is_named_and_counts_once_a_later_one_does(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    write_dump(log, 10, kinds=("predictions",))
    write_dump(log, 20, kinds=("predictions", "layers"))
    read = LogReader(blobs)
    assert shown(read) == [(0, 0), (10, 0)]
    assert [text.split(": ")[-1] for text in read.check()] == [
        "the recorder was stopped while writing it, or writes it now."
    ] * 2
    assert "iteration 10 of" in read.problems[0]
    assert "has no filters and no kernels and no layers" in read.problems[0]
    assert "iteration 20 of" in read.problems[1]
    assert "has no filters and no kernels:" in read.problems[1]
    assert read.predictions(read.dumps[1], SAMPLES).predicted[0] == 10
    with pytest.raises(LogFileError, match=r"the dump at iteration 10 of .* has no filters"):
        read.filters(read.dumps[1])


def test_a_dump_need_not_have_what_its_run_does_not_record(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    log.write_filters(5, {name: np.zeros(FILTERS, np.float32) for name in MEASURES})
    read = LogReader(blobs)
    assert shown(read) == [(5, 0)]
    assert read.kernels(read.dumps[0]) is None
    assert read.check() == []


@pytest.mark.parametrize("has_network", [True, False])
def test_a_measure_that_is_newer_than_its_file_is_unknown_for_every_filter(tmp_path: Path, has_network: bool) -> None:
    blobs, log = begun(tmp_path)
    if not has_network:
        os.remove(tmp_path / "network.json")
    write_dump(log, 10)
    older = {name: np.arange(FILTERS, dtype=np.float32) for name in MEASURES if name not in ("change_l1", "euclidean")}
    blobs.put("log/filters/000000000000.arrow", encode_columns("filters", older, iteration=0, parts=["filters"]))
    read = LogReader(blobs)
    found = read.filters(read.dumps[0])
    assert list(found) == list(MEASURES)
    for name, values in found.items():
        np.testing.assert_array_equal(values, older.get(name, np.full(FILTERS, np.nan, np.float32)))
        assert values.dtype == np.float32
    over_time = [read.filters(dump, ["euclidean"])["euclidean"].tolist() for dump in read.dumps]
    np.testing.assert_array_equal(over_time, [[np.nan] * FILTERS, [10] * FILTERS])
    assert read.check() == []


def test_predictions_handed_in_after_later_dumps_are_found_by_who_follows(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    for iteration in (0, 10, 20):
        log.write_filters(iteration, {name: np.zeros(FILTERS, np.float32) for name in MEASURES})
    read = LogReader(blobs)
    assert len(read.dumps) == 3
    log.write_predictions(10, predictions(1), parts=("filters",))
    assert read.refresh()
    assert "predictions" in read.dumps[1].paths
    assert read.dumps == LogReader(blobs).dumps


def test_each_refresh_reads_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, log = begun(tmp_path)
    for iteration in range(0, 100, 10):
        write_dump(log, iteration)
        log.write_scalars(np.array([iteration]), {"loss": np.array([1.0])})
    read = LogReader(blobs)
    listed: list[str] = []
    listing = Blobs.list
    monkeypatch.setattr(
        Blobs, "list", lambda *a, **k: (found := listing(*a, **k), listed.extend(b.path for b in found))[0]
    )
    read.refresh()
    assert listed == [f"log/{kind}/000000000090.arrow" for kind in KINDS]


def test_scalars_are_joined_in_order_with_nan_where_a_name_was_not_logged(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    log.write_scalars(np.array([1, 2]), {"loss": np.array([3.0, 2.0]), "lr": np.array([0.1, np.nan])})
    log.write_scalars(np.array([3]), {"error": np.array([0.5])})
    rows = LogReader(blobs).scalars()
    assert rows["iteration"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(rows["loss"], [3, 2, np.nan])
    np.testing.assert_array_equal(rows["lr"], [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(rows["error"], [np.nan, np.nan, 0.5])


def test_a_run_without_scalars_has_no_rows(tmp_path: Path) -> None:
    rows = LogReader(begun(tmp_path)[0]).scalars()
    assert list(rows) == ["iteration"]
    assert rows["iteration"].shape == (0,)


def test_a_run_resumed_at_n_hides_later_dumps_and_scalars_of_the_branch_before(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    for iteration in (0, 10, 20, 30):
        write_dump(log, iteration)
    log.write_scalars(np.arange(1, 31), {"loss": np.full(30, 0.0)})
    log = resumed(blobs, 10)
    assert shown(LogReader(blobs)) == [(0, 0), (10, 0)]
    write_dump(log, 20, 99)
    log.write_scalars(np.arange(11, 21), {"loss": np.full(10, 1.0)})
    read = LogReader(blobs)
    assert shown(read) == [(0, 0), (10, 0), (20, 1)]
    assert value_at(read, read.dumps[2]) == 99
    rows = read.scalars()
    assert rows["iteration"].tolist() == list(range(1, 21))
    assert rows["loss"].tolist() == [0.0] * 10 + [1.0] * 10


def test_of_two_branches_with_a_dump_at_one_iteration_the_later_one_is_shown(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    write_dump(log, 10)
    log = resumed(blobs, 10)
    write_dump(log, 10, 99, kinds=("predictions",))
    assert shown(LogReader(blobs)) == [(0, 0), (10, 0)]  # not before it is complete
    write_dump(log, 10, 99)
    read = LogReader(blobs)
    assert shown(read) == [(0, 0), (10, 1)]
    assert value_at(read, read.dumps[1]) == 99


def test_several_resumptions_each_cut_all_branches_before(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    for iteration in (0, 10, 20, 30):
        write_dump(log, iteration)
    log = resumed(blobs, 20)
    for iteration in (30, 40):
        write_dump(log, iteration, 100 + iteration)
    log = resumed(blobs, 20, 30)
    write_dump(log, 40, 240)
    log = resumed(blobs, 20, 30, 10)
    write_dump(log, 25, 325)
    read = LogReader(blobs)
    assert shown(read) == [(0, 0), (10, 0), (25, 3)]
    assert [value_at(read, dump) for dump in read.dumps] == [0, 10, 325]


def test_a_reader_that_follows_while_branches_appear_sees_what_a_new_one_sees(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    follower = LogReader(blobs)
    starts: list[int] = []
    rng = np.random.default_rng(0)
    for _ in range(6):
        first = starts[-1] if starts else 0
        for iteration in range(first + 1, first + int(rng.integers(2, 6))):
            write_dump(log, iteration, 100 * len(starts) + iteration)
            log.write_scalars(np.array([iteration]), {"branch": np.array([float(len(starts))])})
            if rng.random() < 0.7:
                follower.refresh()
                fresh = LogReader(blobs)
                assert follower.dumps == fresh.dumps
                assert follower.scalars()["iteration"].tolist() == fresh.scalars()["iteration"].tolist()
                np.testing.assert_array_equal(follower.scalars()["branch"], fresh.scalars()["branch"])
        starts.append(max(0, iteration - int(rng.integers(0, 4))))
        log = resumed(blobs, *starts)
    follower.refresh()
    assert follower.dumps == LogReader(blobs).dumps
    assert not follower.problems


def test_scalars_of_a_branch_are_found_although_the_one_before_has_later_names(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    log.write_scalars(np.arange(1, 11), {"loss": np.zeros(10)})
    log.write_scalars(np.arange(11, 101), {"loss": np.zeros(90)})
    follower = LogReader(blobs)
    log = resumed(blobs, 10)
    for first in (11, 21, 31):
        follower.refresh()
        log.write_scalars(np.arange(first, first + 10), {"loss": np.ones(10)})
    follower.refresh()
    assert follower.scalars()["iteration"].tolist() == list(range(1, 41))
    assert follower.scalars()["loss"].tolist() == [0.0] * 10 + [1.0] * 30


def test_files_of_a_branch_that_run_json_does_not_know_yet_are_not_shown(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    for iteration in (0, 10, 20):
        write_dump(log, iteration)
    LogWriter(blobs, branch=1).write_scalars(np.array([6]), {"loss": np.array([1.0])})
    write_dump(LogWriter(blobs, branch=1), 10, 99)
    read = LogReader(blobs)
    assert shown(read) == [(0, 0), (10, 0), (20, 0)]
    assert read.scalars()["iteration"].tolist() == []


def rank_file(blobs: Blobs, rank: int, samples: list[int], predicted: list[int], iteration: int = 0) -> None:
    arrays = {
        "predicted": np.array(predicted, np.int16),
        "probability": np.array(predicted, np.float16) / 10,
        "sample": np.array(samples, np.int32),
    }
    data = encode_columns("predictions", arrays, iteration=iteration, parts=["predictions"])
    blobs.put(f"log/predictions/{iteration:012d}.rank{rank:03d}.arrow", data)


def test_ranks_are_merged_by_sample_and_padding_is_taken_once(tmp_path: Path) -> None:
    blobs, _ = begun(tmp_path)
    rank_file(blobs, 0, [0, 2, 4], [10, 12, 14])
    rank_file(blobs, 1, [1, 3, 0], [11, 13, 10])  # the last is padding: sample 0 again
    read = LogReader(blobs)
    (dump,) = read.dumps
    assert len(dump.paths["predictions"]) == 2
    merged = read.predictions(dump, SAMPLES)
    assert merged.predicted.tolist() == [10, 11, 12, 13, 14, -1]
    np.testing.assert_array_equal(merged.probability, np.array([1.0, 1.1, 1.2, 1.3, 1.4, np.nan], np.float16))
    assert merged.loss is not None
    assert np.isnan(merged.loss).all()


def test_a_rank_that_comes_late_is_merged_when_it_is_there(tmp_path: Path) -> None:
    blobs, _ = begun(tmp_path)
    rank_file(blobs, 1, [1, 3], [11, 13])
    read = LogReader(blobs)
    rank_file(blobs, 0, [0, 2], [10, 12])
    assert read.refresh()
    assert read.dumps == LogReader(blobs).dumps
    assert read.predictions(read.dumps[0], 4).predicted.tolist() == [10, 11, 12, 13]


def share(blobs: Blobs, rank: int, iteration: int) -> None:
    """One of two processes writes its half of the samples."""
    mine = np.arange(rank, SAMPLES, 2, dtype=np.int32)
    half = np.zeros(len(mine), np.float16)
    predictions = Predictions(mine.astype(np.int16), half, half, mine)
    LogWriter(blobs, rank=rank, ranks=2).write_predictions(iteration, predictions)


def test_a_dump_of_several_processes_counts_once_all_have_written_theirs(tmp_path: Path) -> None:
    blobs, _ = begun(tmp_path)
    share(blobs, 0, 0)
    read = LogReader(blobs)
    assert read.dumps == ()
    share(blobs, 0, 5)  # the first process is ahead
    read.refresh()
    assert read.dumps == ()
    share(blobs, 1, 0)
    assert read.refresh()
    assert [dump.iteration for dump in read.dumps] == [0]
    assert read.predictions(read.dumps[0], SAMPLES).predicted.tolist() == list(range(SAMPLES))
    assert any("iteration 5" in text and "no predictions of 1 of 2 processes" in text for text in read.check())
    share(blobs, 1, 5)
    read.refresh()
    assert [dump.iteration for dump in read.dumps] == [0, 5]
    assert read.dumps == LogReader(blobs).dumps


def test_dumps_that_a_lost_process_has_no_part_in_count_once_later_ones_are_there(tmp_path: Path) -> None:
    blobs, _ = begun(tmp_path)
    for rank in range(2):
        share(blobs, rank, 0)
    for iteration in range(1, MOST_BEHIND + 3):
        share(blobs, 0, iteration)
    read = LogReader(blobs)
    assert [dump.iteration for dump in read.dumps] == [0, 1, 2]
    assert read.predictions(read.dumps[2], SAMPLES).predicted.tolist() == [0, -1, 2, -1, 4, -1]


def test_a_process_is_never_further_behind_than_is_waited_for() -> None:
    assert MOST_BEHIND > QUEUE_SIZE + 2  # one is being written, and training goes one step ahead


@pytest.mark.parametrize(("samples", "text"), [([0, 6], r"samples in 0\.\.5\. It names 0 to 6"), ([-1, 0], "-1 to 0")])
def test_samples_that_the_run_does_not_have_are_named(tmp_path: Path, samples: list[int], text: str) -> None:
    blobs, _ = begun(tmp_path)
    rank_file(blobs, 0, samples, [1, 2])
    read = LogReader(blobs)
    with pytest.raises(LogFileError, match=text):
        read.predictions(read.dumps[0], SAMPLES)
    assert "rank000.arrow must name samples" in read.problems[0]


def test_predictions_of_another_number_of_samples_are_named(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    read = LogReader(blobs)
    with pytest.raises(LogFileError, match=r"000000000000\.arrow must have 7 samples\. It has 6\."):
        read.predictions(read.dumps[0], 7)
    assert len(read.problems) == 1


def test_predicted_classes_that_cannot_be_missing_are_named(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    log.write_predictions(0, Predictions(np.zeros(SAMPLES, np.uint16), np.zeros(SAMPLES, np.float16)))
    read = LogReader(blobs)
    with pytest.raises(LogFileError, match=r"must hold signed integers as predicted classes\. It holds uint16"):
        read.predictions(read.dumps[0], SAMPLES)


DAMAGES = {
    "cut short": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "foreign": lambda data: b"something else entirely " * 40,
    "one byte changed": lambda data: data[:-600] + bytes([data[-600] ^ 1]) + data[-599:],
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_dump_file_is_named_and_the_others_stay_readable(tmp_path: Path, kind: str, damage: str) -> None:
    blobs, log = begun(tmp_path)
    for iteration in (0, 10, 20):
        write_dump(log, iteration)
    path = f"log/{kind}/000000000010.arrow"
    whole = blobs.get(path)
    if damage == "one byte changed":  # a byte that matters, wherever the values lie
        last = next(i for i in range(len(whole) - 1, 0, -1) if not readable(kind, flipped(whole, i)))
        blobs.put(path, flipped(whole, last))
    else:
        blobs.put(path, DAMAGES[damage](whole))
    read = LogReader(blobs)
    assert shown(read) == [(0, 0), (10, 0), (20, 0)]
    calls = {
        "predictions": lambda d: read.predictions(d, SAMPLES),
        "layers": read.histograms,
        "kernels": read.kernels,
        "filters": read.filters,
    }
    with pytest.raises(LogFileError, match=path):
        calls[kind](read.dumps[1])
    for dump in (read.dumps[0], read.dumps[2]):
        assert calls[kind](dump) is not None
    for other in KINDS:
        if other != kind:
            assert calls[other](read.dumps[1]) is not None
    assert len(LogReader(blobs).check()) == 1
    assert path in LogReader(blobs).check()[0]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def readable(kind: str, data: bytes) -> bool:
    try:
        columns.decode_columns(data, kind, place="x")
    except LogFileError:
        return False
    return True


def test_the_newest_dump_is_judged_by_the_files_that_can_be_read(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0, kinds=("predictions", "layers"))
    blobs.put("log/predictions/000000000000.arrow", b"")
    read = LogReader(blobs)
    assert shown(read) == []
    assert "It is empty" in read.problems[0]


def test_a_dump_file_of_a_later_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    future(monkeypatch, lambda: write_dump(log, 10))
    write_dump(log, 20)
    read = LogReader(blobs)
    with pytest.raises(FormatVersionError, match=r"000000000010\.arrow has format version 2"):
        read.filters(read.dumps[1])
    assert value_at(read, read.dumps[2]) == 20
    assert len(LogReader(blobs).check()) == len(KINDS)


@pytest.mark.parametrize("damage", ["cut short", "empty", "foreign", "future"])
def test_a_damaged_scalars_file_is_named_and_the_others_stay_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    blobs, log = begun(tmp_path)

    def write(iteration: int) -> None:
        log.write_scalars(np.array([iteration]), {"loss": np.array([float(iteration)])})

    for iteration in (1, 2, 3):
        write(iteration)
    path = "log/scalars/000000000002-000000000002.arrow"
    if damage == "future":
        future(monkeypatch, lambda: write(2))
    else:
        blobs.put(path, DAMAGES[damage](blobs.get(path)))
    read = LogReader(blobs)
    assert read.scalars()["loss"].tolist() == [1.0, 3.0]
    assert [path in text for text in read.problems] == [True]
    assert len(LogReader(blobs).check()) == 1


@pytest.mark.parametrize("data", [b"", b"{", b'{"format": "other"}', None])
def test_a_damaged_run_json_is_named(tmp_path: Path, data: bytes | None) -> None:
    blobs, _ = begun(tmp_path)
    later = json.dumps({**json.loads(info().to_json()), "format_version": 2}).encode()
    blobs.put("run.json", later if data is None else data)
    with pytest.raises(LogFileError, match=rf"{tmp_path}/run\.json (must be|has format version 2)"):
        LogReader(blobs)


@pytest.mark.parametrize("data", [b"", b"{", b'{"format": "other"}', None])
def test_a_damaged_network_json_is_named_and_the_rest_stays_readable(tmp_path: Path, data: bytes | None) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    later = json.dumps({**json.loads(NETWORK.to_json()), "format_version": 2}).encode()
    blobs.put("network.json", later if data is None else data)
    read = LogReader(blobs)
    assert read.network is None
    assert value_at(read, read.dumps[0]) == 0
    assert [f"{tmp_path}/network.json" in text for text in read.check()] == [True]


def test_files_of_others_are_named_and_ignored(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    for path in ("log/filters/notes.txt", "log/scalars/000000000001.arrow", "log/filters/1600.arrow"):
        blobs.put(path, b"x")
    read = LogReader(blobs)
    assert shown(read) == [(0, 0)]
    assert [text.split(" is not ")[0] for text in read.check()] == [
        f"{tmp_path}/log/filters/1600.arrow",
        f"{tmp_path}/log/filters/notes.txt",
        f"{tmp_path}/log/scalars/000000000001.arrow",
    ]


@pytest.mark.parametrize("kind", ["kernels", "scalars"])
def test_a_folder_that_may_not_be_listed_is_named_until_it_may_and_the_rest_stays_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    blobs, log = begun(tmp_path)
    for iteration in (0, 10):
        write_dump(log, iteration)
    scandir = os.scandir

    def refused(place: str | Path) -> object:
        if Path(place).name == kind:
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return scandir(place)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refused)
        read = LogReader(blobs)
        assert [f"log/{kind} must be readable" in text for text in read.problems] == [True]
        # The newest dump of which a part is not there may still be written.
        assert [value_at(read, dump) for dump in read.dumps] == ([0] if kind == "kernels" else [0, 10])
    read.refresh()
    assert read.problems == []
    assert shown(read) == [(0, 0), (10, 0)]


@pytest.mark.parametrize("name", ["network.json", "log/filters/000000000010.arrow"])
def test_a_folder_in_the_place_of_a_file_is_named_and_the_rest_stays_readable(tmp_path: Path, name: str) -> None:
    blobs, log = begun(tmp_path)
    for iteration in (0, 10, 20):
        write_dump(log, iteration)
    read = LogReader(blobs)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    problems = read.check() if "log" in name else LogReader(blobs).problems
    assert [f"{name} must be readable. The system says: Is a directory." in text for text in problems] == [True]
    assert value_at(read, read.dumps[2]) == 20


def test_run_json_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(LogFileError, match=r"run\.json must be readable\. The system says: Is a directory\."):
        LogReader(Blobs(tmp_path))


def test_sizes_and_times_are_those_of_all_files_each_counted_once(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    read = LogReader(blobs)
    assert read.size_bytes == 0
    for iteration in (0, 10, 20):
        write_dump(log, iteration)
        log.write_scalars(np.array([iteration + 1]), {"loss": np.array([1.0])})
        for _ in range(2):  # the newest files are listed again each time
            read.refresh()
        files = [path for path in (tmp_path / "log").rglob("*") if path.is_file()]
        assert read.size_bytes == sum(path.stat().st_size for path in files)
        assert read.modified.timestamp() == pytest.approx(max(path.stat().st_mtime for path in files), abs=0.01)


def test_a_file_removed_after_it_was_listed_is_named(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    read = LogReader(blobs)
    os.remove(tmp_path / "log/filters/000000000000.arrow")
    with pytest.raises(LogFileError, match="removed since it was listed"):
        read.filters(read.dumps[0])
    assert len(read.problems) == 1


WRITER = """
import sys
import numpy as np
from deeptracker.schema import MEASURES, Branch, Kernels, Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.listing import KINDS
from deeptracker.store.histograms import Histograms
from deeptracker.store.log import LogWriter

blobs = Blobs(sys.argv[1])
log = LogWriter(blobs)
log.write_info(RunInfo("a", "2026-01-02T03:04:05+00:00", (Branch(0, "then"),)))
print("begun", flush=True)
for i in range(int(sys.argv[2])):
    log.write_predictions(i, Predictions(np.full(5000, i, np.int16), np.zeros(5000, np.float16)), parts=KINDS)
    bins = [np.full(100, i, np.uint16)]
    counts = [np.full(100, i, np.uint32)]
    log.write_layers(i, Histograms(bins, counts, bins, counts), parts=KINDS)
    log.write_kernels(i, Kernels(0, np.full((64, 3, 7, 7), i, np.float32)), parts=KINDS)
    log.write_filters(i, {name: np.full(3000, i, np.float32) for name in MEASURES}, parts=KINDS)
    log.write_scalars(np.array([i]), {"loss": np.array([float(i)])})
"""


def start_writer(place: Path, dumps: int) -> subprocess.Popen[str]:
    source = Path(columns.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    command = [sys.executable, "-c", WRITER, str(place), str(dumps)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def assert_whole(read: LogReader, dump: DumpFiles) -> None:
    """All that the dump has to say is there, and says its iteration."""
    i = dump.iteration
    assert set(dump.paths) == set(KINDS)
    assert (read.predictions(dump, 5000).predicted == i).all()
    assert (read.histograms(dump).weight_counts[0] == i).all()
    first = read.kernels(dump)
    assert first is not None
    assert (first.values == i).all()
    for values in read.filters(dump).values():
        assert values.shape == (3000,)
        assert (values == i).all()


def test_a_reader_follows_another_process_and_never_sees_half_a_dump(tmp_path: Path) -> None:
    dumps = 60
    with start_writer(tmp_path, dumps) as process:
        read = LogReader(Blobs(tmp_path))
        seen: list[int] = []
        while True:
            ended = process.poll() is not None
            read.refresh()
            fresh = [dump for dump in read.dumps if dump.iteration >= len(seen)]
            for dump in fresh:
                assert_whole(read, dump)
                seen.append(dump.iteration)
            scalars = read.scalars()
            assert scalars["iteration"].tolist() == scalars.get("loss", np.zeros(0)).tolist()
            if ended:
                break
        assert process.returncode == 0
    assert seen == list(range(dumps))
    assert read.scalars()["iteration"].tolist() == list(range(dumps))
    assert read.check() == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_what_a_killed_process_wrote_before_is_whole(tmp_path: Path) -> None:
    with start_writer(tmp_path, 100_000) as process:
        read = LogReader(Blobs(tmp_path))
        while len(read.dumps) < 8:
            read.refresh()
        process.kill()
    last = len(read.dumps)
    read = LogReader(Blobs(tmp_path))
    assert len(read.dumps) >= last
    for dump in read.dumps:
        assert_whole(read, dump)
    problems = read.check()
    assert len(problems) <= 1
    assert all(f"at iteration {len(read.dumps)} of" in text for text in problems)


def test_a_folder_that_has_not_changed_is_not_listed_again_and_one_that_has_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "run", Scale(3, 2, 4, 10, resnet50=False, pictures=False))
    for folder in (tmp_path / "run" / "log").iterdir():
        os.utime(folder, (1e9, 1e9))
    reader = LogReader(Blobs(tmp_path / "run"))
    listed: list[str] = []
    list_folder = Blobs.list

    def noted(self: Blobs, prefix: str = "", *, after: str | None = None) -> list[Blob]:
        listed.append(prefix)
        return list_folder(self, prefix, after=after)

    monkeypatch.setattr(Blobs, "list", noted)
    assert not reader.refresh()
    assert listed == []
    known = [dump.iteration for dump in reader.dumps]
    for kind in ("predictions", "layers", "kernels", "filters"):
        last = sorted((tmp_path / "run" / "log" / kind).iterdir())[-1]
        (last.parent / f"{known[-1] + 10:012d}.arrow").write_bytes(last.read_bytes())
    assert reader.refresh()
    assert [dump.iteration for dump in reader.dumps] == [*known, known[-1] + 10]
    assert len(listed) == 4


def test_scalars_of_several_files_at_one_iteration_are_one_row(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    log = LogWriter(blobs)
    log.write_info(info())
    log.write_scalars(np.array([1, 2, 3]), {"loss": np.array([3.0, 2.0, np.nan])})
    log.write_scalars(np.array([2, 3]), {"lr": np.array([0.1, 0.2]), "loss": np.array([np.nan, 1.0])})
    rows = LogReader(blobs).scalars()
    assert rows["iteration"].tolist() == [1, 2, 3]
    assert rows["loss"].tolist() == [3.0, 2.0, 1.0]
    np.testing.assert_array_equal(rows["lr"], [np.nan, 0.1, 0.2])


@pytest.mark.parametrize("known", [0, 10])
def test_dumps_that_come_while_folders_are_listed_are_not_taken_for_cut_off(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    place, blobs_list = tmp_path / "copy", Blobs.list
    shutil.copytree(small_run, place, ignore=shutil.ignore_patterns("*.arrow"))

    def write(dumps: int) -> None:
        for kind in KINDS:
            for path in sorted((small_run / "log" / kind).iterdir())[:dumps]:
                shutil.copy(path, place / "log" / kind)

    def written_meanwhile(self: Blobs, prefix: str = "", *, after: str | None = None) -> list[Blob]:
        found = blobs_list(self, prefix, after=after)
        if prefix == "log/layers/":
            write(13)
        return found

    write(known)
    read = LogReader(Blobs(place))
    assert len(read.dumps) == known
    monkeypatch.setattr(Blobs, "list", written_meanwhile)
    read.refresh()
    assert [set(dump.paths) for dump in read.dumps] == [set(KINDS)] * 13
