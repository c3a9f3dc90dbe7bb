"""The routes on findings answer what `Run` says, in the form that docs/http-api.md describes, and nobody waits."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.analysis.findings import KINDS
from deeptracker.analysis.findings.as_json import as_json
from deeptracker.finding_process import FindingProcess
from deeptracker.server.app import create_app
from tests.broken_runs import BrokenRun, broken
from tests.server.test_live import serving
from tests.server.test_routes import DOCUMENT
from tests.test_index_process import is_alive, until


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    broken(root / "broken", conv1=2, fc=4)
    write_run(root / "healthy", Scale(80, 4, 30, 10, resnet50=False, pictures=False))
    return root


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(root)), base_url="http://127.0.0.1") as client:
        yield client


def process_of(client: TestClient) -> FindingProcess:
    process: FindingProcess = client.app.state.findings._process  # type: ignore[attr-defined]
    return process


def planted(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in answer["findings"] if one["kind"] == "not-finite"]


def documented(route: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", DOCUMENT.split(f"### `/api/{route}`")[1].split("\n### ")[0]))


def test_findings_are_those_of_the_run_in_the_documented_form(client: TestClient, root: Path) -> None:
    found = client.get("/api/findings?run=broken").json()
    assert found["findings"] == [as_json(one) for one in open_run(root / "broken").findings()]
    assert [one["layer"] for one in planted(found)] == [0, 2]
    assert (found["kinds"], found["dumps"], found["iteration"], found["branch"]) == (len(KINDS), 6, 50, 0)
    assert {*found, *found["findings"][0]} <= documented("findings")
    generated = client.get("/api/findings?run=healthy").json()["findings"]
    assert generated == [as_json(one) for one in open_run(root / "healthy").findings()]


def test_suggestions_are_those_of_the_run_in_the_documented_form(client: TestClient, root: Path) -> None:
    found = client.get("/api/suggestions?run=healthy").json()
    expected = open_run(root / "healthy").suggestions()
    assert [one["window"] for one in found["settings"]] == [one.window for one in expected]
    assert found["settings"][0]["rate"] == expected[0].false_discovery_rate
    assert (found["dumps"], found["iteration"], found["branch"]) == (80, 790, 0)
    assert {*found, *found["settings"][0]} <= documented("suggestions")
    assert client.get("/api/suggestions?run=broken").json()["settings"] == []


@pytest.mark.parametrize("route", ["findings", "suggestions"])
def test_an_unknown_run_is_not_found(client: TestClient, route: str) -> None:
    answer = client.get(f"/api/{route}?run=none")
    assert (answer.status_code, answer.json()["error"]["remedy"]) == (404, "GET /api/runs lists the runs.")


def test_a_live_run_is_looked_at_again_when_it_has_grown(tmp_path: Path) -> None:
    live = BrokenRun(tmp_path / "live", {"conv2": 2})
    live.record(2)
    with TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1") as client:
        assert planted(client.get("/api/findings?run=live").json()) == []
        live.record(4)
        until(lambda: planted(client.get("/api/findings?run=live").json()), "it must be found")
        pid = client.app.state.findings._process._process.pid  # type: ignore[attr-defined]
    assert not is_alive(pid)


def test_an_abandoned_branch_is_looked_at_as_it_was(tmp_path: Path) -> None:
    broken(tmp_path / "run", 6, conv1=4)
    again = BrokenRun(tmp_path / "run", {}, resume=20)
    again.dumps = 3
    again.record(4)
    with TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1") as client:
        counts = [len(planted(client.get(f"/api/findings?run={run}").json())) for run in ("run", "run@0")]
    assert counts == [0, 1]


def test_while_it_looks_other_questions_are_answered_and_equal_ones_wait_for_one_answer(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    findings = FindingProcess.findings

    def counted(self: FindingProcess, place: str, branch: int | None = None) -> Any:
        asked.append(Path(place).name)
        return findings(self, place, branch)

    monkeypatch.setattr(FindingProcess, "findings", counted)
    with TestClient(create_app(str(root)), base_url="http://127.0.0.1") as client:
        client.get("/api/findings?run=broken")
        process = process_of(client)._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        answers: list[int] = []
        runs = ["broken&v=0", *[f"healthy&v={number % 6}" for number in range(12)]]
        threads = [
            threading.Thread(target=lambda r=run: answers.append(client.get(f"/api/findings?run={r}").status_code))  # type: ignore[misc]
            for run in runs
        ]
        for thread in threads:
            thread.start()
            time.sleep(0.02)
        assert client.get("/api/run?run=healthy").json()["dumps"] == 80
        assert client.get("/api/node-stats?run=healthy&measure=l2").status_code == 200
        assert not answers
        os.kill(process.pid, signal.SIGCONT)
        for thread in threads:
            thread.join(20)
    assert answers == [200] * len(runs)
    assert asked == ["broken", "broken", "healthy"]


def test_where_no_process_can_be_started_the_answer_says_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "")
    with TestClient(create_app(str(root)), base_url="http://127.0.0.1") as client:
        answer = client.get("/api/findings?run=broken")
    assert answer.status_code == 503
    assert "deeptracker findings RUN" in answer.json()["error"]["remedy"]


def test_a_server_that_is_stopped_ends_though_somebody_waits_for_findings(root: Path) -> None:
    answers: list[int] = []

    def ask() -> None:
        answers.append(httpx2.get(f"{server.link}api/findings?run=broken", timeout=20).status_code)

    with serving(root) as server:
        ask()
        process = server._app.state.findings._process
        os.kill(process._process.pid, signal.SIGSTOP)
        thread = threading.Thread(target=httpx2.get, args=(f"{server.link}api/findings?run=healthy",), daemon=True)
        thread.start()
        until(process._turn.locked, "it must be asked")
        os.kill(process._process.pid, signal.SIGCONT)
    assert answers == [200]
    assert process._process is None


def test_who_waits_when_the_server_stops_is_told_so(root: Path) -> None:
    answers: list[Any] = []
    with TestClient(create_app(str(root), cache_bytes=0), base_url="http://127.0.0.1") as client:
        client.get("/api/findings?run=broken")
        process = process_of(client)
        assert process._process is not None
        os.kill(process._process.pid, signal.SIGSTOP)
        thread = threading.Thread(target=lambda: answers.append(client.get("/api/findings?run=broken")))
        thread.start()
        until(process._turn.locked, "it must be asked")
        pid = process._process.pid
        threading.Thread(target=process.stop).start()
        until(lambda: process._process is None, "it must be ended")
        os.kill(pid, signal.SIGCONT)
        thread.join(20)
    assert answers[0].status_code == 503
    assert "being stopped" in answers[0].json()["error"]["remedy"]
