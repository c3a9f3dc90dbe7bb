"""The routes on flights answer what `Run` says, in the form that docs/http-api.md describes."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.run import Run
from deeptracker.schema import FLIGHT_MEASURES
from deeptracker.server.app import create_app
from tests.server.test_layer_routes import decoded
from tests.server.test_routes import DOCUMENT, ask

FRAMES = {
    "flight-nodes": "measure=l2",
    "flight-filters": "layer=1&measure=grad_l2&normalise=filter",
    "flight-filter": "layer=1&filter=2",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    write_run(root / "run", Scale(30, 4, 5, 40, resnet50=False, pictures=False, flights=25))
    write_run(root / "without", Scale(3, 2, 4, 10, resnet50=False, pictures=False))
    return root


@pytest.fixture(scope="module")
def run(root: Path) -> Run:
    return open_run(root / "run")


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(root)), base_url="http://127.0.0.1") as client:
        yield client


def section(route: str) -> str:
    return DOCUMENT.split(f"### `/api/{route}`")[1].split("\n### ")[0]


def test_the_list_has_the_documented_fields(client: TestClient, run: Run) -> None:
    found = client.get("/api/flights?run=run").json()
    assert found["measures"] == [*FLIGHT_MEASURES]
    told = run.flights()
    assert [one["dump"] for one in found["flights"]] == [one.dump for one in told]
    documented = set(re.findall(r"`(\w+)`", section("flights")))
    one, reason = found["flights"][0], found["flights"][0]["reasons"][0]
    assert {*one, *reason} <= documented
    assert {name: one[name] for name in ("first", "last", "count", "bytes")} == {
        name: getattr(told[0], name) for name in ("first", "last", "count", "bytes")
    }
    expected = asdict(told[0].reasons[0])
    assert reason == {("class" if name == "cls" else name): value for name, value in expected.items()}
    assert client.get("/api/flights?run=without").json()["flights"] == []


def test_one_flight_has_its_iterations(client: TestClient, run: Run) -> None:
    dump = run.flights()[1].dump
    found = client.get(f"/api/flight?run=run&dump={dump}").json()
    assert found["iterations"] == run.flight_iterations(dump).tolist()
    listed = client.get("/api/flights?run=run").json()
    assert found == {**listed["flights"][1], "iterations": found["iterations"], "measures": listed["measures"]}


@pytest.mark.parametrize("route", FRAMES)
def test_a_frame_has_the_documented_arrays_and_header(client: TestClient, run: Run, route: str) -> None:
    dump = run.flights()[0].dump
    header, arrays = ask(client, f"/api/{route}?run=run&dump={dump}&{FRAMES[route]}")
    documented = set(re.findall(r"`([a-z_]+)`", section(route)))
    assert set(arrays) <= documented
    assert set(header) - {"arrays"} <= documented
    assert header["dump"] == dump
    for name, array in arrays.items():
        assert re.search(rf"`{name}` {array.dtype.name}\b", section(route)), name


@pytest.mark.parametrize("measure", FLIGHT_MEASURES)
def test_nodes_and_filters_agree_with_run(client: TestClient, run: Run, measure: str) -> None:
    for dump in (one.dump for one in run.flights()):
        _, arrays = ask(client, f"/api/flight-nodes?run=run&dump={dump}&measure={measure}")
        np.testing.assert_array_equal(arrays["values"], run.flight_node_stats(dump, measure))
        question = f"/api/flight-filters?run=run&dump={dump}&layer=3&measure={measure}"
        header, arrays = ask(client, question)
        values = run.flight_filters(dump, 3, measure)
        np.testing.assert_array_equal(arrays["values"], values)
        assert header["normalise"] is None
        header, arrays = ask(client, f"{question}&normalise=filter")
        shares = run.flight_filters(dump, 3, measure, "filter")
        np.testing.assert_allclose(decoded(header, arrays), shares, atol=1 / 254 / 2 + 1e-5)
        np.testing.assert_allclose(arrays["size"], np.nanmax(np.abs(values), axis=1))


def test_a_filter_and_a_batch_agree_with_run(client: TestClient, run: Run) -> None:
    dump = run.flights()[0].dump
    header, arrays = ask(client, f"/api/flight-filter?run=run&dump={dump}&layer=1&filter=2")
    np.testing.assert_array_equal(arrays["values"], run.flight_filter(dump, 1, 2))
    assert header["measures"] == [*FLIGHT_MEASURES]
    found = client.get(f"/api/flight-batch?run=run&dump={dump}&iteration={dump - 3}").json()
    assert set(found) <= set(re.findall(r'"(\w+)"', section("flight-batch")))
    assert found["ids"] == [str(one) for one in run.flight_batch(dump, dump - 3)]
    assert found["at"] == dump - 3


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("flight?dump=7", "no flight was kept before a dump at iteration 7"),
        ("flight-nodes?dump=7&measure=l2", "no flight was kept before a dump at iteration 7"),
        ("flight-nodes?dump=DUMP&measure=sd", "no measure 'sd'"),
        ("flight-filters?dump=DUMP&measure=l2&layer=99", "no layer 99"),
        ("flight-batch?dump=DUMP&iteration=0", "no iteration 0 in the flight"),
    ],
)
def test_what_is_unknown_is_a_404_that_says_so(client: TestClient, run: Run, question: str, message: str) -> None:
    question = question.replace("DUMP", str(run.flights()[0].dump))
    answer = client.get(f"/api/{question}&run=run")
    assert answer.status_code == 404
    assert message in answer.json()["error"]["message"]


def test_a_damaged_flight_is_a_500_that_names_the_file(tmp_path: Path) -> None:
    write_run(tmp_path / "run", Scale(30, 4, 5, 40, resnet50=False, pictures=False, flights=25))
    file = min((tmp_path / "run" / "log" / "flights").iterdir())
    file.write_bytes(file.read_bytes()[:-50])
    with TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1") as client:
        answer = client.get(f"/api/flight-nodes?run=run&dump={int(file.stem)}&measure=l2")
        assert answer.status_code == 500
        assert str(file) in answer.json()["error"]["message"]
        assert str(file) in "".join(client.get("/api/run?run=run").json()["warnings"])


def test_a_browser_keeps_what_is_said_of_a_run_that_has_ended(client: TestClient, run: Run) -> None:
    version = client.get("/api/run?run=run").json()["version"]
    question = f"/api/flight-nodes?run=run&dump={run.flights()[0].dump}&measure=l2"
    answer = client.get(f"{question}&v={version}")
    assert "immutable" in answer.headers["cache-control"]
    again = client.get(question, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
