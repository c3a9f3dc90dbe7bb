"""The route on experiments answers what `Run` says, in the form that docs/http-api.md describes."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from deeptracker import open_run
from deeptracker.server.app import create_app
from deeptracker.store.blobs import Blobs
from deeptracker.store.experiments import FilterGroup, write_experiment
from tests.server.test_routes import DOCUMENT
from tests.store.test_experiments import EXPERIMENT


@pytest.fixture
def client(small_run: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(small_run.parent)), base_url="http://127.0.0.1") as client:
        yield client


def test_experiments_come_with_the_documented_fields_as_soon_as_they_are_stored(
    client: TestClient, small_run: Path
) -> None:
    version = client.get("/api/run?run=small").json()["version"]
    question = f"/api/experiments?run=small&v={version}"
    answer = client.get(question)
    assert answer.json() == {"experiments": []}
    assert "immutable" not in answer.headers.get("cache-control", "")
    layer = open_run(small_run).network().layers[1].name
    groups = (FilterGroup(layer, (1,)), FilterGroup("gone", (0, 2)))
    write_experiment(Blobs(small_run), replace(EXPERIMENT, filters=groups))
    (found,) = client.get(question).json()["experiments"]
    assert found["filters"] == [
        {"layer": 1, "name": layer, "filters": [1]},
        {"layer": None, "name": "gone", "filters": [0, 2]},
    ]
    assert found["classes"][0]["class"] == 2
    section = DOCUMENT.split("### `/api/experiments`")[1].split("\n### ")[0]
    assert {*found} <= set(re.findall(r"`(\w+)`", section))
    assert {*found["classes"][0], *found["setting"]} <= set(re.findall(r"\"(\w+)\"", section))
