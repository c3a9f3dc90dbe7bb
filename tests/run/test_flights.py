"""What `Run` says of flights agrees with what it says of their dumps, from a folder and from a bucket."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.errors import LogFileError, UnknownNameError
from deeptracker.run import Run
from deeptracker.schema import FLIGHT_MEASURES
from deeptracker.store.blobs import Blobs
from deeptracker.store.columns import decode_columns, numbers
from tests.s3 import Bucket

SCALE = Scale(30, 4, 5, 40, resnet50=False, pictures=False, flights=25)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("flights") / "run"
    write_run(place, SCALE)
    return place


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    return open_run(place)


def written(place: Path | str, dump: int, name: str) -> np.ndarray:
    """A column of a flight's file, read by the column alone."""
    data = Blobs(place).get(f"log/flights/{dump:012d}.arrow")
    column = decode_columns(data, "flights", place="a").arrays[name]
    return numbers(column) if name == "iteration" else numbers(column.flatten()).reshape(len(column), -1)


def test_flights_are_listed_with_reasons_and_without_values(run: Run, place: Path) -> None:
    found = run.flights()
    files = sorted((place / "log" / "flights").iterdir())
    assert [one.dump for one in found] == [int(file.stem) for file in files]
    assert len(found) >= 3
    for one, file in zip(found, files, strict=True):
        assert one.dump in run.iterations
        assert (one.first, one.last, one.count) == (one.dump - 24, one.dump, 25)
        assert one.bytes == file.stat().st_size
        assert one.has_batches
        assert "loss" in {reason.kind for reason in one.reasons}
        assert run.flight_iterations(one.dump).tolist() == list(range(one.first, one.last + 1))


@pytest.mark.parametrize("measure", FLIGHT_MEASURES)
def test_filters_and_nodes_at_the_last_iteration_are_those_of_the_dump(run: Run, place: Path, measure: str) -> None:
    for flight in run.flights():
        at = run.iterations.tolist().index(flight.dump)
        values = written(place, flight.dump, measure)
        for layer in run.network().layers:
            found = run.flight_filters(flight.dump, layer.name, measure)
            np.testing.assert_array_equal(found, values[:, layer.rows].T)
            np.testing.assert_array_equal(found[:, -1], run.filter_stats(layer.name, measure)[:, at])
        nodes = run.flight_node_stats(flight.dump, measure)
        assert nodes.dtype == np.float32
        assert nodes.shape == (len(run.nodes()), 25)
        np.testing.assert_allclose(nodes[:, -1], run.node_stats(measure)[:, at], rtol=1e-6)
        np.testing.assert_array_equal(run.flight_stats(flight.dump, "layer1", measure), nodes[run.node_index("layer1")])


def test_nodes_are_pooled_in_pieces_as_at_once(run: Run, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    dump = run.flights()[0].dump
    at_once = [run.flight_node_stats(dump, measure) for measure in FLIGHT_MEASURES]
    monkeypatch.setattr("deeptracker.run.flights.BLOCK_VALUES", 3 * run.network().filters)
    pieces = open_run(place)
    for measure, expected in zip(FLIGHT_MEASURES, at_once, strict=True):
        np.testing.assert_array_equal(pieces.flight_node_stats(dump, measure), expected)


def test_filters_are_normalised_as_at_dumps_and_one_has_all_measures(run: Run) -> None:
    dump = run.flights()[0].dump
    plain = run.flight_filters(dump, 1, "grad_l2")
    np.testing.assert_allclose(run.flight_filters(dump, 1, "grad_l2", "filter").max(axis=1), 1)
    np.testing.assert_allclose(run.flight_filters(dump, 1, "grad_l2", "iteration").max(axis=0), 1)
    assert run.flight_filters(dump, 1, "grad_l2", "global").max() == 1
    found = run.flight_filter(dump, 1, 2)
    assert found.shape == (4, 25)
    np.testing.assert_array_equal(found[FLIGHT_MEASURES.index("grad_l2")], plain[2])


def test_batches_are_those_of_the_iteration(run: Run, place: Path) -> None:
    flight = run.flights()[0]
    batches = written(place, flight.dump, "batch")
    for row in (0, 11, 24):
        np.testing.assert_array_equal(run.flight_batch(flight.dump, flight.first + row), batches[row])


def test_what_is_not_there_is_named(run: Run) -> None:
    dump = run.flights()[0].dump
    for ask in (run.flight_iterations, lambda at: run.flight_filters(at, 0, "l2"), lambda at: run.flight_batch(at, 0)):
        with pytest.raises(UnknownNameError, match=r"no flight was kept before a dump at iteration 7 .*Run\.flights"):
            ask(7)
    with pytest.raises(UnknownNameError, match=r"no measure 'sd'\. There are: l2, grad_l2, update_ratio, nonfinite"):
        run.flight_node_stats(dump, "sd")
    with pytest.raises(UnknownNameError, match="no iteration 1 in the flight before the dump at"):
        run.flight_batch(dump, 1)
    with pytest.raises(UnknownNameError, match="no filter 999"):
        run.flight_filter(dump, 0, 999)


def test_a_damaged_flight_is_left_out_and_told_and_the_others_stay(tmp_path: Path) -> None:
    write_run(tmp_path, SCALE)
    files = sorted((tmp_path / "log" / "flights").iterdir())
    files[0].write_bytes(files[0].read_bytes()[:-100])
    data = bytearray(files[1].read_bytes())
    data[len(data) // 2] ^= 1  # among the numbers of one measure
    files[1].write_bytes(data)
    run = open_run(tmp_path)
    assert [one.dump for one in run.flights()] == [int(file.stem) for file in files[1:]]
    assert [text.split(" must")[0] for text in run.warnings] == [str(files[0])]
    failed = 0
    for measure in FLIGHT_MEASURES:
        try:
            run.flight_node_stats(int(files[1].stem), measure)
        except LogFileError as error:
            failed += str(files[1]) in str(error)
    assert failed == 1
    assert len(run.check()) == 2


def test_a_bucket_gives_the_same_answers_and_is_asked_for_one_column(s3: Bucket, run: Run, place: Path) -> None:
    there = Blobs(s3.url("run"))
    for blob in Blobs(place).list():
        there.put(blob.path, Blobs(place).get(blob.path))
    far = open_run(s3.url("run"))
    assert far.flights() == run.flights()
    dump = run.flights()[-1].dump
    for measure in FLIGHT_MEASURES:
        np.testing.assert_array_equal(far.flight_node_stats(dump, measure), run.flight_node_stats(dump, measure))
    np.testing.assert_array_equal(far.flight_filters(dump, 2, "l2"), run.flight_filters(dump, 2, "l2"))
    np.testing.assert_array_equal(far.flight_batch(dump, dump), run.flight_batch(dump, dump))
    assert far.check() == []
