"""The routes on confusions answer what `Run` says, in the form that docs/http-api.md describes."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from deeptracker import open_run
from deeptracker.run import Run
from deeptracker.server.app import create_app
from tests.server.test_routes import DOCUMENT, ask

CURSOR = {"arrays", "first", "dumps", "iteration", "branch"}
ROUTES = {
    "confusion": "at=1000&to=3000",
    "confusion-flows": "at=1000&to=3000",
    "confusion-course": "cls=1&predicted=2&width=20",
    "confused-pairs": "at=1000",
    "confusion-samples": "at=0&cls=1&predicted=2",
    "confusion-order": "",
}


@pytest.fixture(scope="module")
def client(served_root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(served_root)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def run(served_root: Path) -> Run:
    return open_run(served_root / "small")


@pytest.mark.parametrize("route", ROUTES)
def test_arrays_and_header_are_the_documented_ones(client: TestClient, route: str) -> None:
    header, arrays = ask(client, f"/api/{route}?run=small&{ROUTES[route]}")
    section = DOCUMENT.split(f"### `/api/{route}`")[1].split("\n### ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    assert set(arrays) | (set(header) - CURSOR) <= named
    assert set(re.findall(r"`(\w+)` (?:u?int|float)\d+", section)) == set(arrays)
    for name, dtype in re.findall(r"`(\w+)` (int32|float32)", section):
        assert arrays[name].dtype.name == dtype
    assert (header["dumps"], header["iteration"], header["branch"]) == (60, 5900, 0)


def test_cells_at_one_dump_and_at_two_agree_with_run(client: TestClient, run: Run) -> None:
    header, arrays = ask(client, "/api/confusion?run=small&at=1000")
    found = run.confusion(1000)
    assert (header["at"], header["to"]) == (1000, None)
    assert "before" not in arrays
    for name in ("offsets", "predicted", "count"):
        np.testing.assert_array_equal(arrays[name], getattr(found, name))
    _, arrays = ask(client, "/api/confusion?run=small&at=1000&to=3000")
    both = run.confusion_change(1000, 3000)
    np.testing.assert_array_equal(arrays["before"], both.before)
    np.testing.assert_array_equal(arrays["count"], both.after)


def test_flows_and_samples_are_cut_and_say_how_many_there_are(client: TestClient, run: Run) -> None:
    found = run.confusion_flows(0, 5900)
    header, arrays = ask(client, "/api/confusion-flows?run=small&at=0&to=5900&most=3")
    assert arrays["count"].tolist() == found.count[:3].tolist()
    assert arrays["class"].tolist() == found.cls[:3].tolist()
    assert (header["flows"], header["samples"]) == (len(found.cls), found.count.sum())
    _, of_one = ask(client, "/api/confusion-flows?run=small&at=0&to=5900&cls=2")
    assert of_one["count"].sum() == 20
    pairs = run.confused_pairs(0).pairs
    cls, predicted = int(pairs.first[0]), int(pairs.second[0])
    header, arrays = ask(client, f"/api/confusion-samples?run=small&at=0&cls={cls}&predicted={predicted}&most=1")
    assert len(arrays["samples"]) == len(header["names"]) == 1
    assert header["count"] == pairs.there[0] > 1


def test_pairs_and_courses_agree_with_run_in_columns_too(client: TestClient, run: Run) -> None:
    header, arrays = ask(client, "/api/confused-pairs?run=small&at=1000&most=2&width=20")
    found = run.confused_pairs(1000, 2, 20)
    assert header["level"] == 4
    np.testing.assert_array_equal(arrays["counts"], found.courses.counts)
    np.testing.assert_array_equal(arrays["first"], found.pairs.first)
    _, arrays = ask(client, f"/api/confusion-course?run=small&cls={found.pairs.first[0]}&predicted=-1")
    assert arrays["counts"].tolist() == [0] * 60
    _, arrays = ask(client, "/api/confusion-order?run=small")
    assert arrays["order"].tolist() == run.confusion_order().order.tolist()


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("confusion?at=7", 404),
        ("confusion-course?cls=99&predicted=0", 404),
        ("confusion-course?cls=0&predicted=-3", 400),
        ("confused-pairs?at=0&most=0", 400),
    ],
)
def test_what_is_unknown_or_means_nothing_is_refused(client: TestClient, question: str, status: int) -> None:
    answer = client.get(f"/api/{question}&run=small")
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
