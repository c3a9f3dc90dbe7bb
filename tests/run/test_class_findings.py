"""A run gathers for the rules on classes and samples what a literal reading of its predictions gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from deeptracker.analysis.findings.course import Course
from deeptracker.analysis.suspicion import dump_weights, ranked, suspects_of_class
from deeptracker.run import Run, suspects
from deeptracker.schema import Branch, Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogWriter
from deeptracker.store.samples import write_samples
from tests.analysis.findings.predicted import EVERY, gathered, healthy, labels_of, rows_of

LABELS = labels_of()
CREATED = "2026-01-01T00:00:00+00:00"
NAMES = ("0", "1", *(f"class {cls}" for cls in range(2, 10)))


def planted() -> npt.NDArray[np.int16]:
    """Two classes are swapped, one is forgotten, and some samples have labels of others."""
    predicted = healthy()
    predicted[rows_of(LABELS, 3)] = 8
    predicted[rows_of(LABELS, 8)] = 3
    predicted[rows_of(LABELS, 5), 28:] = 2
    return predicted


def write(
    place: Path,
    predicted: npt.NDArray[np.int16],
    probability: npt.NDArray[np.float16],
    share: float = 1.0,
) -> None:
    """A run of predictions and nothing else; a dump has a share of the samples, drawn at random."""
    rng = np.random.default_rng(0)
    blobs = Blobs(place)
    log = LogWriter(blobs)
    log.write_info(RunInfo("planted", CREATED, (Branch(0, CREATED),), class_names=NAMES))
    write_samples(blobs, [f"s{i}" for i in range(len(LABELS))], LABELS, classes=10)
    for dump, iteration in enumerate(range(0, predicted.shape[1] * EVERY, EVERY)):
        has = np.flatnonzero(rng.random(len(LABELS)) < share).astype(np.int32)
        log.write_predictions(
            iteration, Predictions(predicted[has, dump], probability[has, dump], samples=None if share == 1 else has)
        )


@pytest.fixture(scope="module")
def predicted() -> npt.NDArray[np.int16]:
    return planted()


@pytest.fixture(scope="module")
def probability(predicted: npt.NDArray[np.int16]) -> npt.NDArray[np.float16]:
    noise = np.random.default_rng(0).random(predicted.shape) / 10
    return np.where(predicted == LABELS[:, None], 0.85 + noise, noise).astype(np.float16)


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory,
    predicted: npt.NDArray[np.int16],
    probability: npt.NDArray[np.float16],
) -> Run:
    place = tmp_path_factory.mktemp("findings") / "run"
    write(place, predicted, probability)
    return Run(place)


@pytest.mark.parametrize("piece", [1, 1 << 12, 1 << 22])
def test_records_are_those_of_the_predictions_however_many_classes_are_read_at_once(
    run: Run,
    predicted: npt.NDArray[np.int16],
    probability: npt.NDArray[np.float16],
    piece: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suspects, "PIECE_CELLS", piece)
    classes, confusion, facts = gathered(predicted, LABELS, probability)
    course = Course(run.iterations, run.validation_error(), 10)
    found = run._gathered(course)
    assert list(found[0].names) == list(classes.names)
    for own, literal in (
        (found[0].error, classes.error),
        (found[0].taken, classes.taken),
        (found[1].shares, confusion.shares),
        (found[1].right, confusion.right),
        (found[1].taken, confusion.taken),
        (found[2].right, facts.right),
        (found[2].wrong, facts.wrong),
        (found[2].found.probability, facts.found.probability),
    ):
        np.testing.assert_allclose(own, literal, atol=1e-6)
    for own, literal in (
        (found[1].rivals, confusion.rivals),
        (found[2].forgotten, facts.forgotten),
        (found[2].found.samples, facts.found.samples),
        (found[2].found.taken_for, facts.found.taken_for),
    ):
        np.testing.assert_array_equal(own, literal)


def test_what_is_planted_is_found(run: Run) -> None:
    found = {one.key: one for one in run.findings()}
    assert {"swapped-classes.c3.c8", "class-forgotten.c5"} <= set(found)
    assert "class-never-learned.c3" not in found
    assert found["class-forgotten.c5"].place.first == 28 * EVERY


def test_suspects_are_all_samples_in_the_order_of_the_literal_scores(
    run: Run, predicted: npt.NDArray[np.int16], probability: npt.NDArray[np.float16]
) -> None:
    known = probability.astype(np.float32)
    weights = dump_weights(known)
    literal = ranked(
        [
            suspects_of_class(predicted[rows], cls, known[rows], weights, rows.start)
            for cls in range(10)
            for rows in [rows_of(LABELS, cls)]
        ]
    )
    found = run.suspects()
    np.testing.assert_array_equal(found.samples, literal.samples)
    np.testing.assert_allclose(found.score, literal.score, rtol=1e-5)
    assert run.suspects(7).samples.tolist() == literal.samples[:7].tolist()


def test_weights_are_found_from_samples_of_every_class(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "WEIGHED_SAMPLES", 30)
    monkeypatch.setattr(suspects, "PIECE_CELLS", 1)
    seen: list[int] = []
    monkeypatch.setattr(suspects, "dump_weights", lambda known: seen.append(len(known)) or dump_weights(known))
    run._dump_weights()
    assert seen == [30]


@pytest.mark.parametrize("dumps", [8, 40])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_dumps_that_have_some_samples_only_raise_nothing(tmp_path: Path, share: float, dumps: int) -> None:
    predicted = healthy(dumps=dumps, wrong=0.2)
    write(tmp_path / "run", predicted, np.full(predicted.shape, np.nan, np.float16), share)
    run = Run(tmp_path / "run")
    assert run.findings() == ()
    assert len(run.suspects().samples) == len(LABELS)
