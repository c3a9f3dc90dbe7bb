"""Flights are read as they were written, of every branch that counts, and what does not fit or is damaged is named."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from deeptracker.errors import DeepTrackerError, LogFileError
from deeptracker.schema import FLIGHT_MEASURES, MEASURES, Branch, Flight, Layer, Network, Node, Reason, RunInfo
from deeptracker.store import ranges
from deeptracker.store.blobs import Blobs
from deeptracker.store.columns import decode_columns, encode_columns
from deeptracker.store.flights import written_flight
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.ranges import RangedFile
from deeptracker.store.space import space_of
from deeptracker.store.thin import copy_run, plan_thinning

NETWORK = Network(
    (Layer("conv1", "conv2d", (2, 1, 3, 3), 2, 9, 0), Layer("fc", "linear", (3, 2), 3, 2, 2)),
    Node("", (Node("conv1", layer=0), Node("fc", layer=1))),
)
REASONS = (
    Reason("anomaly", "class cat: 31 % of its samples changed.", 10, 3),
    Reason("nan", "NaN in the gradients of conv1.", 9),
)


def flight(dump: int = 10, rows: int = 4, filters: int = 5, *, with_batches: bool = True, seed: int = 0) -> Flight:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(FLIGHT_MEASURES), rows, filters)).astype(np.float32)
    values[1, 0] = np.nan
    batches = tuple(rng.integers(0, 1 << 40, size=(row * 3) % 7) for row in range(rows)) if with_batches else ()
    return Flight(dump, np.arange(dump - rows + 1, dump + 1), values, REASONS, batches)


def begin(place: Path, *branches: int) -> Blobs:
    blobs = Blobs(place)
    LogWriter(blobs).write_info(RunInfo("a", "2026-01-02T03:04:05+00:00", tuple(Branch(at, "then") for at in branches)))
    LogWriter(blobs).write_network(NETWORK)
    return blobs


def dump(blobs: Blobs, iteration: int, branch: int = 0) -> None:
    LogWriter(blobs, branch).write_filters(iteration, {name: np.zeros(5, np.float32) for name in MEASURES})


@pytest.mark.parametrize("with_batches", [True, False])
def test_a_flight_comes_back(tmp_path: Path, with_batches: bool) -> None:
    blobs, put = begin(tmp_path, 0), flight(with_batches=with_batches)
    dump(blobs, 10)
    LogWriter(blobs).write_flight(put)
    log = LogReader(blobs)
    assert list(log.flights) == [10]
    path = log.flights[10].path
    head = log.flight_head(path)
    assert (head.dump, head.reasons) == (10, REASONS)
    np.testing.assert_array_equal(head.iterations, put.iterations)
    for place, measure in enumerate(FLIGHT_MEASURES):
        np.testing.assert_array_equal(log.flight_values(path, measure), put.values[place])
    for row in range(4):
        expected = put.batches[row] if with_batches else np.zeros(0, np.int64)
        np.testing.assert_array_equal(log.flight_batch(path, row), expected)
    assert log.check() == []
    assert log.dumps[0].paths.keys() == {"filters"}


def test_a_flight_counts_once_its_dump_does(tmp_path: Path) -> None:
    blobs = begin(tmp_path, 0)
    log = LogReader(blobs)
    LogWriter(blobs).write_flight(flight(10))
    assert log.refresh()
    assert log.flights == {}
    dump(blobs, 10)
    assert log.refresh()
    assert list(log.flights) == [10]
    LogWriter(blobs).write_flight(flight(20))
    dump(blobs, 20)
    assert log.refresh()
    assert list(log.flights) == [10, 20]
    assert not log.refresh()


def test_of_every_branch_the_flights_up_to_the_next_one_count(tmp_path: Path) -> None:
    blobs = begin(tmp_path, 0)
    for at in (10, 20, 30):
        dump(blobs, at)
        LogWriter(blobs).write_flight(flight(at))
    log = LogReader(blobs)
    begin(tmp_path, 0, 20)
    dump(blobs, 20, 1)
    assert log.refresh()
    assert [blob.path for blob in log.flights.values()] == [f"log/flights/0000000000{at}.arrow" for at in (10, 20)]
    LogWriter(blobs, 1).write_flight(flight(20, seed=1))
    LogWriter(blobs, 1).write_flight(flight(25, seed=1))
    assert log.refresh()
    assert log.flights[20].path == "log/flights/000000000020.branch001.arrow"
    assert list(log.flights) == [10, 20]
    space = {kind.kind: kind.files for kind in space_of(blobs).kinds}
    assert (space["flights"], space["abandoned"]) == (3, 4)  # of 20 and 30, and their dumps
    assert "foreign" not in space


def test_a_thinned_run_keeps_the_flights_of_its_dumps(tmp_path: Path) -> None:
    blobs = begin(tmp_path / "a", 0)
    for at in (10, 20, 30):
        dump(blobs, at)
        LogWriter(blobs).write_flight(flight(at, seed=at))
    copy = Blobs(tmp_path / "b")
    copy_run(blobs, copy, plan_thinning(blobs, {10, 30}, rule="hand"), on_bytes=lambda size: None)
    log = LogReader(copy)
    assert list(log.flights) == [10, 30]
    assert copy.get(log.flights[30].path) == blobs.get(log.flights[30].path)
    assert log.check() == []


def flight_file(place: Path, without: str = "", columns: dict[str, Any] | None = None, **about: Any) -> LogReader:
    """A reader of a run with one flight whose file is not as it should be."""
    blobs = begin(place, 0)
    dump(blobs, 10)
    written, told = written_flight(flight())
    found = {name: column for name, column in (written | (columns or {})).items() if name != without}
    data = encode_columns("flights", found, **({"iteration": 10} | told | about))
    blobs.put("log/flights/000000000010.arrow", data)
    return LogReader(blobs)


def lists(rows: list[list[float]]) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32()))


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"iteration": None}, r"must name its dump and the reasons\. It names None"),
        ({"reasons": {}}, "must name its dump and the reasons"),
        ({"reasons": ["why"]}, "must give reasons with kind, text and iteration. It gives why"),
        ({"reasons": [{"kind": "nan", "text": "a", "iteration": "3"}]}, "must give reasons with kind"),
        ({"reasons": [{"kind": "nan", "text": None, "iteration": 3}]}, "must give a reason its text"),
        ({"reasons": [{"kind": "other", "text": "a", "iteration": 3}]}, "kind of a reason must be one of"),
        ({"iteration": 9}, r"iterations must end at the dump of iteration 9, or before\. Got 10"),
        ({"without": "iteration"}, "must have a column 'iteration' of int64"),
        ({"columns": {"iteration": np.array([7, 8, 8, 9])}}, "iterations must be one or more, >= 0 and ascending"),
        ({"columns": {"iteration": np.array([-1, 8, 9, 10])}}, "iterations must be one or more, >= 0 and ascending"),
        ({"without": "l2"}, "must have a column 'l2' of lists of float32"),
        ({"columns": {"l2": np.zeros(4)}}, "must have a column 'l2' of lists of float32. It is double"),
        ({"columns": {"nonfinite": lists([[1.0] * 5] * 3 + [[1.0] * 4])}}, "must have 5 filters in every row"),
        ({"columns": {"l2": lists([[1.0] * 4] * 4)}}, "must have 5 filters in every row of 'l2'"),
        ({"columns": {"batch": np.zeros(4)}}, "must have a batch in every row"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changed: dict[str, Any], text: str) -> None:
    log = flight_file(tmp_path, **changed)
    with pytest.raises(LogFileError, match=rf"{tmp_path}/log/flights/000000000010\.arrow .*{text}"):
        for _ in all_of(log, log.flights[10].path):
            pass
    assert len(log.problems) == 1
    assert log.problems == LogReader(Blobs(tmp_path)).check()


def all_of(log: LogReader, path: str) -> Iterator[npt.NDArray[Any]]:
    """Whatever can be asked of a flight."""
    yield log.flight_head(path).iterations
    for measure in FLIGHT_MEASURES:
        yield log.flight_values(path, measure).copy()
    for row in range(4):
        yield log.flight_batch(path, row)


def from_a_store(data: bytes) -> Callable[[str], pa.PythonFile]:
    return lambda path: pa.PythonFile(RangedFile(len(data), lambda start, size: data[start : start + size]), "r")


@pytest.mark.parametrize("is_remote", [False, True])
@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_a_damaged_flight_is_named_and_never_gives_a_wrong_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, is_remote: bool
) -> None:
    monkeypatch.setattr(ranges, "BLOCK_BYTES", 64)  # so that pieces of this small file are fetched, not all of it
    log = flight_file(tmp_path)
    path = log.flights[10].path
    whole = Blobs(tmp_path).get(path)
    right = list(all_of(log, path))
    rng = random.Random(0)
    named = 0
    for _ in range(400):
        data = bytearray(whole)
        if how == "cut":
            del data[rng.randrange(len(data)) :]
        else:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (tmp_path / path).write_bytes(data)
        if is_remote:
            monkeypatch.setattr(log._blobs, "part_view", from_a_store(bytes(data)))
        found, said = as_far_as_it_goes(log, path)
        for ours, theirs in zip(found, right, strict=False):
            np.testing.assert_array_equal(ours, theirs)
        assert said is None or path in said
        assert said or len(found) == len(right)
        named += said is not None
    assert named == 400 if how == "cut" else named > 200


def as_far_as_it_goes(log: LogReader, path: str) -> tuple[list[npt.NDArray[Any]], str | None]:
    """What can be read of a flight before an error of ours, and what that says."""
    found: list[npt.NDArray[Any]] = []
    try:
        for one in all_of(log, path):
            found.append(one)
    except DeepTrackerError as error:
        return found, str(error)
    return found, None


def test_of_a_file_in_an_object_store_only_the_column_asked_for_is_fetched() -> None:
    columns, about = written_flight(flight(rows=10, filters=100_000))
    data = encode_columns("flights", columns, iteration=10, **about)
    fetched: list[int] = []

    def fetch(start: int, length: int) -> bytes:
        fetched.append(length)
        return data[start : start + length]

    found = decode_columns(pa.PythonFile(RangedFile(len(data), fetch), "r"), "flights", place="a", only=["l2"])
    np.testing.assert_array_equal(found.arrays["l2"].flatten(), columns["l2"].flatten())
    assert sum(fetched) < 1.1 * 4 * 10 * 100_000
    assert len(fetched) <= 4


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"iterations": np.array([8, 9, 9, 10])}, "iterations must be one or more, >= 0 and ascending"),
        ({"dump": 9}, "iterations must end at the dump of iteration 9"),
        ({"values": np.zeros((4, 3, 5), np.float32)}, r"values must be float32 \(4, 4, filters\)\. Got float32 \(4, 3"),
        ({"values": np.zeros((4, 4, 5))}, "Got float64"),
        ({"batches": (np.zeros(1, np.int64),)}, r"batches must be \(\) or 4 arrays\. Got 1"),
        ({"reasons": ()}, "must have been kept for a reason"),
    ],
)
def test_what_can_be_no_flight_is_refused(changed: dict[str, Any], text: str) -> None:
    good = flight()
    fields = {name: getattr(good, name) for name in ("dump", "iterations", "values", "reasons", "batches")}
    with pytest.raises(ValueError, match=text):
        Flight(**{**fields, **changed})


@pytest.mark.parametrize(
    ("kind", "text", "iteration", "cls", "says"),
    [
        ("other", "a", 0, None, "must be one of anomaly, loss, nan. Got 'other'"),
        ("nan", "", 0, None, "must be a sentence"),
        ("nan", "a", -1, None, "must be >= 0"),
        ("anomaly", "a", 0, -1, "must be >= 0"),
    ],
)
def test_what_can_be_no_reason_is_refused(kind: str, text: str, iteration: int, cls: int | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Reason(kind, text, iteration, cls)
