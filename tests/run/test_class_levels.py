"""The samples of a class in columns: what `Run` says is what the literal reduction of its predictions says."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.analysis.anomalies import flip_events, scores
from deeptracker.analysis.classes import ClassLevels
from deeptracker.analysis.clusters import similarity_order
from deeptracker.analysis.levels import columns_for
from deeptracker.errors import UnknownNameError
from deeptracker.indexing import build_index
from deeptracker.run import Run
from deeptracker.schema import Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader, LogWriter

DUMPS, CLASSES, PER_CLASS = 150, 3, 12
WIDTHS = {200: 1, 40: 4, 10: 16, 3: 64}
PARTS = [(0, None), (3, 77), (70, 71), (150, 150), (90, 999)]
UNRECORDED, MISSING = [20, 21, 148], (40, 16)
"""Dumps without predictions, and a dump at which a sample is missing."""


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every sample at every dump, from an index; not to be changed."""
    place = tmp_path_factory.mktemp("class-levels") / "run"
    write_run(place, Scale(DUMPS, CLASSES, PER_CLASS, 10, resnet50=False, pictures=False))
    build_index(place)
    return place


@pytest.fixture(scope="module")
def holed(complete: Path) -> Path:
    """The same without an index and some predictions; not to be changed."""
    place = shutil.copytree(complete, complete.parent / "holed")
    shutil.rmtree(place / "index")
    log = LogReader(Blobs(place))
    for dump in UNRECORDED:
        (place / log.dumps[dump].paths["predictions"][0]).unlink()
    dump, sample = MISSING
    found = log.predictions(log.dumps[dump], CLASSES * PER_CLASS)
    predicted = found.predicted.copy()
    predicted[sample] = -1
    given = Predictions(predicted, found.probability, found.loss)
    LogWriter(Blobs(place)).write_predictions(
        log.dumps[dump].iteration, given, parts=("filters", "kernels", "layers", "predictions")
    )
    return place


@pytest.fixture(params=["complete", "holed"])
def place(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def expected(run: Run, cls: int, level: int, first: int, end: int, window: int) -> dict[str, np.ndarray]:
    """Column by column, sample by sample."""
    predicted = run.class_samples(cls).predicted
    recorded = np.flatnonzero(~np.isnan(run.validation_error()))
    right = predicted == cls
    for before, dump in pairwise(recorded):
        missing = predicted[:, dump] < 0
        right[missing, dump] = right[missing, before]
    rules = scores(flip_events(np.ascontiguousarray(right[:, recorded])), [0, len(right)], window)
    firing = np.zeros((2, DUMPS))
    firing[0, recorded], firing[1, recorded] = rules.left[0] * len(right), rules.right[0] * len(right)
    columns = [slice(start, min(start + level, end)) for start in range(first, end, level)]
    error = np.full((len(right), len(columns)), np.nan)
    for row, labels in enumerate(predicted):
        for column, dumps in enumerate(columns):
            known = labels[dumps][labels[dumps] >= 0]
            if len(known):
                error[row, column] = (known != cls).mean()
    most = [[round(rule[dumps].max()) for dumps in columns] for rule in firing]
    order = similarity_order(~right[:, recorded]).order
    return {"error": error, "left": np.array(most[0]), "right": np.array(most[1]), "order": order}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("window", [1, 5])
def test_columns_are_what_the_dumps_of_each_say(
    place: Path, width: int, part: tuple[int, int | None], window: int
) -> None:
    asked = columns_for(DUMPS, width, *part)
    for cls in range(CLASSES):
        run = open_run(place)
        found = run.class_levels(cls, width, window, *part)
        literal = expected(open_run(place), cls, asked.level, asked.first, asked.end, window)
        assert (found.level, found.first, found.count) == (asked.level, asked.first, asked.count)
        np.testing.assert_allclose(found.error, literal["error"], rtol=1e-6)
        for name, values in (("left", found.left), ("right", found.right), ("order", found.order.order)):
            np.testing.assert_array_equal(values, literal[name])
        whole = open_run(place).class_samples(cls)
        np.testing.assert_array_equal(found.samples, whole.samples)
        assert found.ids == whole.ids
        if asked.level > 1:
            assert found.predicted is None
        else:
            np.testing.assert_array_equal(found.predicted, whole.predicted[:, asked.first : asked.end])


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_what_samples_are_taken_for_is_counted_over_the_dumps_of_a_column(
    place: Path, width: int, part: tuple[int, int | None]
) -> None:
    run, asked = open_run(place), columns_for(DUMPS, width, *part)
    for cls in range(CLASSES):
        predicted = run.class_samples(cls).predicted
        found = run.taken_for(cls, width, 1, *part)
        wrong = [label for label in range(CLASSES) if label != cls]
        often = [(predicted == label).sum() for label in wrong]
        assert found.labels.tolist() == [wrong[int(np.argmax(often))]]
        others = sum(wrong) - int(found.labels[0])
        for column in range(asked.count):
            start = asked.first + column * asked.level
            cells = predicted[:, start : min(start + asked.level, asked.end)]
            assert found.counts[:, column].tolist() == [(cells == found.labels[0]).sum(), (cells == others).sum()]
            assert found.known[column] == (cells >= 0).sum()
        assert found.counts.shape == (2, asked.count)
        assert found.level == asked.level


def test_what_is_said_grows_with_the_run(complete: Path, tmp_path: Path) -> None:
    growing = shutil.copytree(complete, tmp_path / "run")
    late = []
    for kind in ("predictions", "layers", "kernels", "filters"):
        for path in sorted((growing / "log" / kind).iterdir())[100:]:
            late.append((path, path.read_bytes()))
            path.unlink()

    def asked(run: Run) -> list[bytes]:
        found: list[ClassLevels] = [run.class_levels(1, width) for width in (10, 200)]
        taken = run.taken_for(1, 10)
        arrays = [x for one in found for x in (one.error, one.left, one.right, one.order.order)]
        return [np.ascontiguousarray(array).tobytes() for array in (*arrays, taken.labels, taken.counts, taken.known)]

    run = open_run(growing)
    asked(run)
    for upto in (101, 130, DUMPS):
        for path, data in late:
            if int(path.name[:12]) < 10 * upto:
                path.write_bytes(data)
        run.refresh()
        assert len(run.iterations) == upto
        assert asked(run) == asked(open_run(growing))


def test_what_cannot_be_asked_is_said(complete: Path) -> None:
    run = open_run(complete)
    with pytest.raises(ValueError, match="width must be >= 1"):
        run.class_levels(0, 0)
    with pytest.raises(ValueError, match="window must be >= 1"):
        run.class_levels(0, 10, 0)
    with pytest.raises(ValueError, match="most must be >= 1"):
        run.taken_for(0, 10, 0)
    with pytest.raises(UnknownNameError, match="no class"):
        run.class_levels("nobody", 10)
