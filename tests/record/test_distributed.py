"""Is a training of several processes recorded as one of a single process is, whoever of them is killed?"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from deeptracker import open_run
from deeptracker.record.pictures import PictureMaker
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Pictures, read_samples
from tests.record.processes import EVERY, RANKS, SAMPLES, Held, Processes, replay
from tests.record.recorded import differing, other_dumps

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

UNTIL = 8
KINDS = ("ddp", "fsdp")
PATIENCE_SECONDS = 60.0
KILLED_UNTIL = 40


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    parent = Processes()
    yield parent
    parent.close()


@pytest.fixture(scope="module", params=KINDS)
def recorded(request: pytest.FixtureRequest, processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run`, recorded by four processes, and `alone`, recorded by one with the same weights."""
    folder = tmp_path_factory.mktemp(request.param)
    processes.done(folder / "out", kind=request.param, run=folder / "run", until=UNTIL, trace=True)
    replay(folder / "out" / "trace", folder / "alone")
    return folder


def test_every_sample_is_predicted_once_and_as_a_single_process_does(recorded: Path) -> None:
    one, other = LogReader(Blobs(recorded / "alone")), LogReader(Blobs(recorded / "run"))
    mine, theirs = read_samples(Blobs(recorded / "alone")), read_samples(Blobs(recorded / "run"))
    assert mine is not None
    assert theirs is not None
    assert list(mine.ids) == list(theirs.ids)
    assert sorted(theirs.ids, key=int) == [str(i) for i in range(SAMPLES)]
    assert theirs.has_pictures
    assert [dump.iteration for dump in other.dumps] == list(range(0, UNTIL + 1, EVERY))
    predicted = set()
    for a, b in zip(one.dumps, other.dumps, strict=True):
        assert len(b.paths["predictions"]) == RANKS
        alone, merged = one.predictions(a, SAMPLES), other.predictions(b, SAMPLES)
        assert merged.predicted.tolist() == alone.predicted.tolist()
        np.testing.assert_allclose(merged.probability, alone.probability, atol=1e-3)
        predicted |= set(merged.predicted.tolist())
    assert len(predicted) > 1


def test_all_pictures_are_made_with_what_was_found_on_the_first_ones(recorded: Path) -> None:
    samples = read_samples(Blobs(recorded / "run"))
    assert samples is not None
    maker = PictureMaker()
    maker.look(Held().images[::RANKS][:4])  # the first batch of rank 0
    maker.add(Held().images)
    assert maker.pictures is not None
    pictures = Pictures(Blobs(recorded / "run"))
    assert [pictures.get(i) for i in range(SAMPLES)] == [maker.pictures[int(name)] for name in samples.ids]


def test_no_sample_is_written_twice_by_a_process_and_padding_is_the_only_one_written_by_two(recorded: Path) -> None:
    reader = LogReader(Blobs(recorded / "run"))
    shares = [reader._decode(path, "predictions").numpy("sample") for path in reader.dumps[0].paths["predictions"]]
    assert all(len(set(share.tolist())) == len(share) for share in shares)
    everything = np.concatenate(shares)
    assert sorted(set(everything.tolist())) == list(range(SAMPLES))
    assert len(everything) == RANKS * -(-SAMPLES // RANKS)


def test_measures_and_histograms_are_those_of_a_single_process(recorded: Path) -> None:
    assert other_dumps(recorded / "alone", recorded / "run", samples=SAMPLES) == []
    one, other = LogReader(Blobs(recorded / "alone")), LogReader(Blobs(recorded / "run"))
    last = other.filters(other.dumps[-1])
    assert all(np.isfinite(values).all() for values in last.values())
    assert one.network is not None
    assert other.network is not None
    assert [layer.name for layer in one.network.layers] == [layer.name for layer in other.network.layers]
    for a, b in zip(one.dumps, other.dumps, strict=True):
        for mine, theirs in zip(_histograms(one, a), _histograms(other, b), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        kernels, copied = one.kernels(a), other.kernels(b)
        assert kernels is not None
        assert copied is not None
        np.testing.assert_array_equal(kernels.values, copied.values)


def _histograms(reader: LogReader, dump: object) -> list[np.ndarray]:
    found = reader.histograms(dump)  # type: ignore[arg-type]
    parts = (found.weight_bins, found.weight_counts, found.grad_bins, found.grad_counts)
    return [row for part in parts for row in part]


def test_the_run_of_several_processes_answers_as_any_other(recorded: Path) -> None:
    one, other = open_run(recorded / "alone"), open_run(recorded / "run")
    np.testing.assert_array_equal(one.error_rates(), other.error_rates())
    np.testing.assert_array_equal(one.validation_error(), other.validation_error())
    assert other.warnings == []
    assert set(other.scalars()) >= {"loss", "lr"}


def identical(processes: Processes, kind: str, folder: Path) -> str:
    """Is the training of each process the same, bit for bit, with and without the recorder?"""
    processes.done(folder / "without", kind=kind, until=UNTIL + 1)
    processes.done(folder / "with", kind=kind, until=UNTIL + 1, run=folder / "whole")
    wrong = []
    for rank in range(RANKS):
        states = [torch.load(folder / name / f"left.{rank}", weights_only=True) for name in ("without", "with")]
        wrong += differing(states[0], states[1], f"rank {rank}")
    return "no: " + "; ".join(wrong) if wrong else "yes"


def complete(folder: Path) -> str:
    """Has the run that `identical` recorded every dump, of all processes?"""
    reader = LogReader(Blobs(folder / "whole"))
    found = [(dump.iteration, len(dump.paths["predictions"]), len(dump.paths)) for dump in reader.dumps]
    wrong = reader.check() + ([] if reader.info.state == "finished" else [reader.info.state])
    expected = [(i, RANKS, 4) for i in range(0, UNTIL + 1, EVERY)]
    return "yes" if found == expected and not wrong else f"no: {found} {wrong}"


def resumed(processes: Processes, kind: str, folder: Path) -> str:
    """Stopped and resumed twice, does the run show what the one shows that was never stopped?"""
    job = {"kind": kind, "run": folder / "resumed"}
    first = processes.done(folder / "first", until=5, save_at=4, **job) / "checkpoint"
    second = processes.done(folder / "second", until=7, save_at=6, checkpoint=first, **job) / "checkpoint"
    processes.done(folder / "third", until=UNTIL + 1, checkpoint=second, **job)
    wrong = other_dumps(folder / "whole", folder / "resumed", samples=SAMPLES)
    return "no: " + "; ".join(wrong) if wrong else "yes"


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_process_flies_and_of_weights_that_are_spread_none(
    kind: str, processes: Processes, tmp_path: Path
) -> None:
    processes.done(tmp_path / "out", kind=kind, run=tmp_path / "run", until=8, flight=5)
    run = open_run(tmp_path / "run")
    assert run.warnings == []
    assert run.iterations.tolist() == [0, 2, 4, 6, 8]
    if kind == "fsdp":
        assert run.flights() == ()
        return
    (flight,) = run.flights()
    assert (flight.dump, flight.first, flight.last) == (6, 2, 6)
    assert run.flight_batch(6, 3).tolist() == [0, 4, 8]
    at_dump, in_flight = run.filter_stats("head", "grad_l2")[:, 3], run.flight_filters(6, "head", "grad_l2")[:, -1]
    np.testing.assert_allclose(in_flight, at_dump, rtol=1e-6)


def kill(processes: Processes, folder: Path, rank: int, moments: random.Random) -> LogReader | None:
    """What is left of a training of which one process was killed at some moment."""
    run = folder / "run"
    children = processes.start(folder / "out", kind="ddp", run=run, until=100_000, every=1, is_killed=True)
    deadline, dumps = time.monotonic() + PATIENCE_SECONDS, moments.randrange(1, 12)
    written = ["filters/*", *(f"predictions/*.rank{one:03d}.*" for one in range(RANKS))]
    while min(len(list(run.glob(f"log/{name}"))) for name in written) < dumps and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(0.02 * moments.random())
    os.kill(children[rank], signal.SIGKILL)
    codes = processes.ended()
    assert codes[rank] == -signal.SIGKILL
    assert 0 not in codes
    return LogReader(Blobs(run))


@pytest.fixture(scope="module")
def undisturbed(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> LogReader:
    folder = tmp_path_factory.mktemp("undisturbed")
    processes.done(folder / "out", kind="ddp", run=folder / "run", until=KILLED_UNTIL, every=1)
    return LogReader(Blobs(folder / "run"))


@pytest.mark.parametrize("rank", range(RANKS))
@pytest.mark.parametrize("kills", [pytest.param(1, id="once"), pytest.param(3, id="often", marks=[pytest.mark.slow])])
def test_whoever_is_killed_what_was_written_before_is_readable_and_right(
    processes: Processes, undisturbed: LogReader, tmp_path: Path, rank: int, kills: int
) -> None:
    moments = random.Random(100 * rank + kills)
    shown = 0
    for number in range(kills):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        reader = kill(processes, folder, rank, moments)
        assert reader is not None
        assert reader.info.state in ("running", "failed")
        iterations = [dump.iteration for dump in reader.dumps]
        assert iterations == list(range(len(iterations)))
        for found, expected in zip(reader.dumps, undisturbed.dumps, strict=False):
            merged, right = reader.predictions(found, SAMPLES), undisturbed.predictions(expected, SAMPLES)
            assert (merged.predicted >= 0).all()
            np.testing.assert_array_equal(merged.predicted, right.predicted)
            np.testing.assert_array_equal(merged.probability, right.probability)
            measures = reader.filters(found)
            for name, values in undisturbed.filters(expected).items():
                np.testing.assert_array_equal(measures[name], values)
        assert all("the recorder was stopped while writing it" in problem for problem in reader.check())
        run = open_run(folder / "run")
        assert run.error_rates().shape[1] == len(iterations)
        shown += len(iterations)
    assert shown >= kills
