"""What `Run` says of filters and classes together follows from what it says of each, dump by dump."""

from pathlib import Path

import numpy as np
import pytest

from deeptracker import open_run
from deeptracker.analysis.partition import mini_sets
from deeptracker.errors import DeepTrackerError, UnknownNameError
from deeptracker.run import Run
from deeptracker.run.correlation import Movers

WINDOW, THRESHOLD = 5, 0.3


@pytest.fixture(scope="module")
def run(served_root: Path) -> Run:
    return open_run(served_root / "small")


def anomaly_filters(run: Run, dump: int, movers: Movers) -> set[tuple[int, int]]:
    """Layer and filter of those that moved most at a dump."""
    rows = [run.filter_stats(layer, movers.measure)[:, dump] for layer in range(len(run.network().layers))]
    known = [
        (float(value), -layer, -filter)
        for layer, row in enumerate(rows)
        for filter, value in enumerate(row)
        if value > (movers.above or 0)
    ]
    chosen = sorted(known, reverse=True)
    return {(-layer, -filter) for _, layer, filter in (chosen if movers.above is not None else chosen[: movers.top])}


@pytest.mark.parametrize(
    "movers", [Movers(5), Movers(8, "cosine_distance"), Movers(measure="euclidean", above=0.2), Movers(10_000)]
)
def test_mini_sets_are_those_of_the_filters_that_moved_at_anomaly_iterations(run: Run, movers: Movers) -> None:
    found = run.correlation(WINDOW, THRESHOLD, movers=movers)
    anomalies = run.anomalies(WINDOW, THRESHOLD)
    np.testing.assert_array_equal(found.columns.dumps, anomalies.dump)
    np.testing.assert_array_equal(found.columns.classes[found.columns.place], anomalies.cls)
    np.testing.assert_array_equal(found.columns.left, anomalies.left)
    moved = {int(dump): anomaly_filters(run, dump, movers) for dump in np.unique(anomalies.dump)}
    assert any(moved.values())
    expected = set()
    for layer in range(len(run.network().layers)):
        expected |= {
            (layer, frozenset(own)) for own in mini_sets([{f for at, f in s if at == layer} for s in moved.values()])
        }
    layers = found.filters.layers[found.sets.layer]
    members = np.split(found.filters.filters, np.cumsum(found.sets.size)[:-1])
    own = {(int(layer), frozenset(filters.tolist())) for layer, filters in zip(layers, members, strict=True)}
    assert own == expected
    for number, dump in zip(found.appearances.set, found.appearances.dump, strict=True):
        assert (int(layers[number]), int(members[number][0])) in moved[int(dump)]


def test_rows_are_shares_of_each_filters_farthest_move(run: Run) -> None:
    found = run.correlation(WINDOW, THRESHOLD, movers=Movers(6))
    rows = run.anomaly_rows(found)
    layers = np.repeat(found.filters.layers, np.diff(found.filters.offsets))
    for row, layer, filter in zip(rows, layers, found.filters.filters, strict=True):
        own = run.filter_stats(int(layer), "change")[filter]
        np.testing.assert_allclose(row, own / np.nanmax(own), rtol=1e-6)
    of_sets = run.anomaly_rows(found, by="set")
    for number, row in enumerate(of_sets):
        np.testing.assert_array_equal(row, np.fmax.reduce(rows[found.filters.sets == number]))
    of_layers = run.anomaly_rows(found, by="layer")
    for layer, row in zip(found.filters.layers, of_layers, strict=True):
        np.testing.assert_array_equal(row, np.fmax.reduce(rows[layers == layer]))


def test_iterations_are_those_of_training_both_ends_included(run: Run) -> None:
    whole = run.correlation(WINDOW, THRESHOLD)
    first, last = run.iterations[whole.dumps[1]], run.iterations[whole.dumps[-2]]
    found = run.correlation(WINDOW, THRESHOLD, first=int(first), last=int(last))
    np.testing.assert_array_equal(found.dumps, whole.dumps[1:-1])
    assert found.extent == whole.extent


def test_an_answer_follows_the_run_as_it_grows_and_every_setting_is_its_own(run: Run) -> None:
    assert run.correlation(WINDOW, THRESHOLD, rule="left").extent != run.correlation(WINDOW, THRESHOLD).extent
    assert run.correlation(WINDOW, THRESHOLD, movers=Movers(3)).extent.filters < (
        run.correlation(WINDOW, THRESHOLD, movers=Movers(30)).extent.filters
    )
    nothing = run.correlation(50, 1.0)
    assert nothing.extent.classes == len(nothing.filters.filters) == 0
    assert run.anomaly_rows(nothing).shape == (0, len(run.iterations))


def test_what_cannot_be_asked_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="no measure 'sd'"):
        Movers(measure="sd")
    with pytest.raises(ValueError, match=r"top must be >= 1. Got 0"):
        Movers(0)
    with pytest.raises(ValueError, match=r"by must be 'filter', 'set' or 'layer'. Got 'class'"):
        run.anomaly_rows(run.correlation(WINDOW, THRESHOLD), by="class")  # type: ignore[arg-type]
    monkeypatch.setattr("deeptracker.run.correlation.MOST_MOVES", 10)
    with pytest.raises(DeepTrackerError, match=r"change above 0 there are .*: raise that limit"):
        run.correlation(WINDOW, THRESHOLD, movers=Movers(above=0.0))
