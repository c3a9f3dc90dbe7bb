"""The routes on filters and classes together answer what `Run` says, in the form that docs/http-api.md describes."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from deeptracker import open_run
from deeptracker.analysis.correlation import Correlation
from deeptracker.run import Run
from deeptracker.run.correlation import Movers
from deeptracker.server.app import create_app
from tests.server.test_routes import DOCUMENT, ask

ASKED = "run=small&window=5&threshold=0.3&top=12"


@pytest.fixture(scope="module")
def client(served_root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(served_root)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def run(served_root: Path) -> Run:
    return open_run(served_root / "small")


def assert_same(arrays: dict[str, np.ndarray], expected: Correlation) -> None:
    columns, filters, sets, pairs = expected.columns, expected.filters, expected.sets, expected.pairs
    for name, values in {
        "class": columns.classes,
        "class_offsets": columns.offsets,
        "column_dump": columns.dumps,
        "column_left": columns.left,
        "column_right": columns.right,
        "layer": filters.layers,
        "layer_offsets": filters.offsets,
        "filter": filters.filters,
        "filter_set": filters.sets,
        "set_layer": sets.layer,
        "set_size": sets.size,
        "set_id": sets.id,
        "appearance_set": expected.appearances.set,
        "appearance_dump": expected.appearances.dump,
        "pair_set": pairs.set,
        "pair_class": pairs.cls,
        "pair_hits": pairs.hits,
        "pair_p": pairs.p.astype(np.float32),
        "pair_q": pairs.q.astype(np.float32),
        "counts": expected.counts,
    }.items():
        np.testing.assert_array_equal(arrays.pop(name), values, err_msg=name)
    assert not arrays


def test_mini_sets_and_their_classes_are_those_of_run(client: TestClient, run: Run) -> None:
    header, arrays = ask(client, f"/api/correlation?{ASKED}")
    expected = run.correlation(5, 0.3, movers=Movers(12))
    assert expected.extent.sets > 3
    assert_same(arrays, expected)
    assert header["extent"] == asdict(expected.extent)
    assert (header["top"], header["above"], header["rule"], header["level"]) == (12, None, "either", 0.05)
    assert header["highest"]["score"] == run.anomalies(5, 0.3).highest.score  # type: ignore[union-attr]


def test_every_restriction_reaches_run(client: TestClient, run: Run) -> None:
    first, last = int(run.iterations[10]), int(run.iterations[40])
    query = f"{ASKED}&rule=left&measure=euclidean&min_appearances=2&first={first}&last={last}&classes=0-2.4&layers=1-99"
    _, arrays = ask(client, f"/api/correlation?{query}&above=0.01")
    expected = run.correlation(
        5,
        0.3,
        rule="left",
        movers=Movers(12, "euclidean", 0.01),
        min_appearances=2,
        first=first,
        last=last,
        classes=[0, 1, 2, 4],
        layers=range(1, len(run.network().layers)),
    )
    assert len(expected.sets.size)
    assert_same(arrays, expected)
    _, arrays = ask(client, f"/api/correlation?{ASKED}&significant=true")
    assert_same(arrays, run.correlation(5, 0.3, movers=Movers(12), only_significant=True))


@pytest.mark.parametrize("by", ["filter", "set", "layer"])
def test_rows_are_shares_in_one_byte_each(client: TestClient, run: Run, by: str) -> None:
    found = run.correlation(5, 0.3, movers=Movers(12))
    shares = run.anomaly_rows(found, by=by)  # type: ignore[arg-type]
    header, arrays = ask(client, f"/api/correlation-rows?{ASKED}&by={by}")
    assert header["by"] == by
    cells = arrays["cells"]
    np.testing.assert_array_equal(cells == 0, np.isnan(shares))
    np.testing.assert_allclose((cells.astype(float) - 1) / 254, np.nan_to_num(shares, nan=-1 / 254), atol=1 / 254)
    header, arrays = ask(client, f"/api/correlation-rows?{ASKED}&by={by}&width=20")
    assert (header["level"], header["from"]) == (4, 0)
    largest = np.stack([np.fmax.reduce(cells[:, at : at + 4], axis=1) for at in range(0, cells.shape[1], 4)], axis=1)
    np.testing.assert_array_equal(arrays["cells"], largest)
    dumps = cells.shape[1]
    for first, end, level in ((13, 21, 1), (13, 43, 4), (dumps - 23, dumps, 4), (dumps, dumps + 9, 1)):
        header, arrays = ask(client, f"/api/correlation-rows?{ASKED}&by={by}&width=20&from={first}&to={end}")
        place = first // level
        assert (header["level"], header["from"], header["dumps"]) == (level, place * level, dumps)
        whole = cells if level == 1 else largest
        np.testing.assert_array_equal(arrays["cells"], whole[:, place : -(-min(end, dumps) // level)])


@pytest.mark.parametrize("route", ["correlation", "correlation-rows"])
def test_a_frame_has_the_documented_arrays_and_header(client: TestClient, route: str) -> None:
    header, arrays = ask(client, f"/api/{route}?{ASKED}")
    section = DOCUMENT.split(f"### `/api/{route}`")[1].split("\n### ")[0]
    documented = set(re.findall(r"`([a-z_]+)`", section))
    assert set(header) - {"first", "dumps", "iteration", "branch", "arrays"} <= documented
    for name, array in arrays.items():
        described = rf"`{name}` (and `[a-z_]+` )?{array.dtype.name}\b|and `{name}` {array.dtype.name}\b"
        assert re.search(described, section), f"{name} is {array.dtype.name}"


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("measure=sd", 404, "no measure 'sd'"),
        ("rule=both", 400, "rule"),
        ("classes=1,2", 400, "classes"),
        ("top=0", 400, "top"),
        ("min_appearances=0", 400, "min_appearances"),
        ("threshold=2", 400, "threshold"),
    ],
)
def test_what_cannot_be_asked_is_said(client: TestClient, query: str, status: int, message: str) -> None:
    for route in ("correlation", "correlation-rows"):
        found = client.get(f"/api/{route}?run=small&{query}")
        assert found.status_code == status
        assert message in found.json()["error"]["message"]


def test_a_range_of_rows_does_not_end_before_it_begins(client: TestClient) -> None:
    found = client.get("/api/correlation-rows?run=small&width=9&from=8&to=7")
    assert (found.status_code, found.json()["error"]["message"]) == (400, "to: must be >= from. Got 7 and 8.")
