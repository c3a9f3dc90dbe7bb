"""Many dumps in few columns: `Run` says what the literal reduction of its own rows says, whatever part is asked for."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.analysis.levels import columns_for, reduced
from deeptracker.run import Run
from deeptracker.schema import MEASURES
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader, LogWriter

DUMPS = 150
WIDTHS = {200: 1, 40: 4, 10: 16, 3: 64}
"""Columns, and the level that this gives."""

PARTS = [(0, None), (3, 77), (70, 71), (150, 150), (90, 999)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a spike, a NaN and an infinity in the layer 1; not to be changed."""
    place = tmp_path_factory.mktemp("levels") / "run"
    write_run(place, Scale(DUMPS, 3, 4, 10, resnet50=False, pictures=False))
    blobs = Blobs(place)
    log = LogReader(blobs)
    offset = log.network.layers[1].offset  # type: ignore[union-attr]
    for dump, values in ((70, {0: 1e6}), (80, {1: np.nan}), (90, {2: np.inf, 3: -np.inf})):
        measures = {name: given.copy() for name, given in log.filters(log.dumps[dump]).items()}
        for filter, value in values.items():
            measures["change"][offset + filter] = value
        LogWriter(blobs).write_filters(
            log.dumps[dump].iteration, measures, parts=("filters", "kernels", "layers", "predictions")
        )
    return place


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    return open_run(place)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_columns_are_the_reduced_rows(run: Run, width: int, part: tuple[int, int | None]) -> None:
    asked = columns_for(DUMPS, width, *part)
    if part == PARTS[0]:
        assert asked.level == WIDTHS[width]
    own = slice(asked.first, asked.end)
    filters = run.filter_levels(1, "change", width, None, *part)
    nodes, errors = run.node_levels("weight_q3", width, *part), run.error_levels(width, *part)
    for found, mean, rows in (
        (filters, run.filter_means(1, "change", width, *part), run.filter_stats(1, "change")),
        (nodes, nodes.mean, run.node_stats("weight_q3")),
        (errors, errors.mean, run.error_rates()),
    ):
        assert (found.level, found.first) == (asked.level, asked.first)
        expected = reduced(np.ascontiguousarray(rows[:, own].T), asked.level)
        for values, place in ((mean, 0), (found.min, 1), (found.max, 2)):
            np.testing.assert_array_equal(values, expected[:, place].T)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_spike_is_seen_where_it_is(run: Run, width: int) -> None:
    found = run.filter_levels(1, "change", width)
    assert found.extremes[0, 70 // found.level] == 1e6
    assert found.extremes[2, 90 // found.level] == np.inf
    assert found.extremes[3, 90 // found.level] == -np.inf


@pytest.mark.parametrize("by", ["filter", "global"])
@pytest.mark.parametrize("measure", ["change", "mean", "cosine_distance"])
def test_colours_do_not_depend_on_level_and_part(place: Path, measure: str, by: str) -> None:
    whole = open_run(place).normalised_filters(1, measure, by)  # type: ignore[arg-type]
    values = open_run(place).filter_stats(1, measure)
    finite = values[np.isfinite(values)]
    for width in WIDTHS:
        for part in PARTS:
            run = open_run(place)  # nothing is held that would help
            found = run.filter_levels(1, measure, width, by, *part)  # type: ignore[arg-type]
            np.testing.assert_array_equal(found.sizes, whole.sizes)
            assert run.filter_span(1, measure) == (finite.min(), finite.max())
            shares = reduced(np.ascontiguousarray(whole.values[:, found.first :].T), found.level)
            np.testing.assert_array_equal(found.min, shares[: found.min.shape[1], 1].T)
            np.testing.assert_array_equal(found.max, shares[: found.max.shape[1], 2].T)


def test_each_column_may_have_its_own_size(run: Run) -> None:
    found = run.filter_levels(2, "mean", 10, "iteration")
    values = run.filter_stats(2, "mean")
    largest = [np.abs(values[:, start : start + 16]).max() for start in range(0, DUMPS, 16)]
    np.testing.assert_array_equal(found.sizes, np.float32([largest]))


def test_a_derived_measure_follows_from_its_source(run: Run) -> None:
    distance, cosine = run.filter_levels(3, "cosine_distance", 10), run.filter_levels(3, "cosine", 10)
    np.testing.assert_array_equal(distance.min, 1 - cosine.max)
    np.testing.assert_array_equal(distance.max, 1 - cosine.min)
    np.testing.assert_array_equal(
        run.filter_means(3, "cosine_distance", 10), np.float32(1) - run.filter_means(3, "cosine", 10)
    )


def test_what_is_kept_grows_with_the_run(place: Path, tmp_path: Path) -> None:
    growing = shutil.copytree(place, tmp_path / "run")
    late = []
    for kind in ("predictions", "layers", "kernels", "filters"):
        for path in sorted((growing / "log" / kind).iterdir())[100:]:
            late.append((path, path.read_bytes()))
            path.unlink()

    def asked(run: Run) -> list[bytes]:
        found = [run.filter_levels(layer, "change", 10, "filter") for layer in (1, 4)]
        nodes, errors = run.node_levels("sd", 10), run.error_levels(10)
        arrays = [x for one in found for x in (one.extremes, one.min, one.max, one.sizes)]
        arrays += [nodes.mean, nodes.min, nodes.max, errors.mean, errors.max, run.never_changing(1)]
        return [np.ascontiguousarray(array).tobytes() for array in arrays]

    run = open_run(growing)
    before = run.filter_levels(1, "change", 10).extremes
    copied = before.copy()
    asked(run)
    for upto in (101, 112, 130, DUMPS):
        for path, data in late:
            if int(path.name[:12]) < 10 * upto:
                path.write_bytes(data)
        run.refresh()
        assert len(run.iterations) == upto
        assert asked(run) == asked(open_run(growing))
    np.testing.assert_array_equal(before, copied)


def test_never_changing_is_what_the_rows_say(run: Run) -> None:
    for layer in range(len(run.network().layers)):
        change = run.filter_stats(layer, "change")
        known = ~np.isnan(change)
        expected = known.any(axis=1) & ((change == 0) | ~known).all(axis=1)
        np.testing.assert_array_equal(run.never_changing(layer), np.flatnonzero(expected))
    assert any(len(run.never_changing(layer)) for layer in range(len(run.network().layers)))


def test_what_cannot_be_asked_is_said(run: Run) -> None:
    with pytest.raises(ValueError, match="width must be >= 1"):
        run.node_levels("sd", 0)
    with pytest.raises(ValueError, match="Got 5 to 4"):
        run.error_levels(10, 5, 4)
    with pytest.raises(ValueError, match=r"normalise must be .* Got 'layer'"):
        run.filter_levels(0, MEASURES[0], 10, "layer")  # type: ignore[arg-type]
