"""Equal questions are answered once, what is kept is bounded and never stale, and browsers keep what cannot change."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from benchmarks.generate import Scale, write_dumps
from deeptracker.run import Run
from deeptracker.server.app import create_app
from deeptracker.server.kept import KeptAnswersMiddleware
from deeptracker.server.serving import Server
from tests.server.test_routes import ask

QUESTION = "/api/node-stats?run=run&measure=sd"
SCALE = Scale(dumps=8, classes=5, samples_per_class=3, iterations_per_dump=10, resnet50=False, pictures=True)


@pytest.fixture
def place(tmp_path: Path, served_root: Path) -> Path:
    shutil.copytree(served_root / "small", tmp_path / "run")
    return tmp_path


@pytest.fixture
def client(place: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(place)), base_url="http://127.0.0.1") as client:
        yield client


def kept(client: TestClient) -> KeptAnswersMiddleware:
    """The part of the application that keeps answers."""
    found = client.app.middleware_stack
    while not isinstance(found, KeptAnswersMiddleware):
        found = getattr(found, "app", None) or found._app
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every question that reached the run."""
    questions: list[str] = []
    answer: Callable = Run.node_stats

    def slow(self: Run, measure: str) -> np.ndarray:
        questions.append(measure)
        time.sleep(0.2)
        return answer(self, measure)

    monkeypatch.setattr(Run, "node_stats", slow)
    return questions


def test_equal_questions_at_one_time_reach_the_run_once(client: TestClient, asked: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get(QUESTION), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert asked == ["sd"]
    client.get(QUESTION)
    assert asked == ["sd"]
    client.get(QUESTION.replace("sd", "mean"))
    assert asked == ["sd", "mean"]


def test_an_answer_is_not_given_once_the_run_has_grown(tmp_path: Path) -> None:
    dumps = write_dumps(tmp_path / "run", SCALE)
    for _ in range(3):
        next(dumps)
    with TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1") as client:
        assert ask(client, QUESTION)[0]["dumps"] == 3
        next(dumps)
        time.sleep(0.3)  # a run is looked at anew a quarter of a second later at the latest
        assert ask(client, QUESTION)[0]["dumps"] == 4
        assert client.get("/api/run?run=run").json()["version"] is None
        list(dumps)
        time.sleep(0.3)
        assert ask(client, QUESTION)[0]["dumps"] == SCALE.dumps
        assert client.get("/api/run?run=run").json()["version"]


def test_what_is_kept_of_a_run_goes_once_the_run_has_grown(tmp_path: Path, served_root: Path) -> None:
    dumps = write_dumps(tmp_path / "run", SCALE)
    next(dumps)
    shutil.copytree(served_root / "small", tmp_path / "other")
    with TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1") as client:
        client.get(QUESTION.replace("run=run", "run=other"))
        for measure in ("sd", "mean", "l1"):
            for asked in ("sd", measure):
                client.get(QUESTION.replace("sd", asked))
            next(dumps)
            time.sleep(0.3)
            client.get(QUESTION.replace("sd", "l2"))
            held = kept(client)
            assert sorted(key[0] for key in held._kept) == ["other", "run"]
            assert held.size_bytes == sum(len(answer.body) for answer in held._kept.values())


def test_what_is_kept_takes_no_more_room_than_allowed(place: Path) -> None:
    with TestClient(create_app(str(place), cache_bytes=60_000), base_url="http://127.0.0.1") as client:
        for measure in ("sd", "mean", "l1", "l2", "min", "max", "sum"):
            for layer in range(6):
                assert client.get(f"/api/filter-values?run=run&layer={layer}&measure={measure}").status_code == 200
                held = kept(client)
                assert held.size_bytes == sum(len(answer.body) for answer in held._kept.values()) <= 60_000
        assert 0 < len(held._kept) < 42
        assert held._asked == {}


def test_browsers_keep_what_is_asked_for_with_the_version_of_a_run_that_has_ended(client: TestClient) -> None:
    version = client.get("/api/run?run=run").json()["version"]
    for route in (QUESTION, "/api/network?run=run", "/api/picture?run=run&sample=3"):
        assert "immutable" in client.get(f"{route}&v={version}").headers["cache-control"]
        for other in ("", "&v=", "&v=0", f"&v={version}0"):
            assert "immutable" not in client.get(f"{route}{other}").headers.get("cache-control", "")


def test_nothing_lasts_of_a_run_with_a_damaged_file(client: TestClient, place: Path) -> None:
    version = client.get("/api/run?run=run").json()["version"]
    cut = sorted((place / "run" / "log" / "filters").iterdir())[3]
    cut.write_bytes(cut.read_bytes()[:-400])
    answer = client.get(f"{QUESTION}&v={version}")  # which meets the damage
    assert answer.status_code == 200
    assert "immutable" not in answer.headers["cache-control"]
    assert client.get("/api/run?run=run").json()["version"] is None


def test_the_version_is_another_one_for_a_run_recorded_anew(client: TestClient, place: Path) -> None:
    before = client.get("/api/run?run=run").json()["version"]
    shutil.rmtree(place / "run")
    list(write_dumps(place / "run", SCALE, seed=9))
    time.sleep(0.3)
    assert client.get("/api/run?run=run").json()["version"] != before
    assert ask(client, QUESTION)[0]["dumps"] == SCALE.dumps


def test_who_has_an_answer_gets_a_304_whether_it_is_kept_or_not(client: TestClient) -> None:
    first = client.get(QUESTION)
    again = client.get(QUESTION, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(QUESTION.replace("sd", "l1"))
    fresh = client.get(QUESTION.replace("sd", "l2"), headers={"If-None-Match": other.headers["etag"]})
    assert fresh.status_code == 200
    assert client.get(QUESTION.replace("sd", "l2")).content == fresh.content


def test_encodings_are_kept_apart(client: TestClient) -> None:
    plain = client.get(QUESTION, headers={"Accept-Encoding": "identity"})
    packed = client.get(QUESTION, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content


def test_errors_are_told_each_time_and_not_kept(client: TestClient) -> None:
    for question, status in (
        (QUESTION + "x", 404),
        ("/api/node-stats?run=nope&measure=sd", 404),
        ("/api/box?run=run", 400),
    ):
        for _ in range(2):
            answer = client.get(question)
            assert answer.status_code == status
            assert answer.json()["error"]["message"]
    assert len(kept(client)._kept) == 0


def test_a_client_that_does_not_read_keeps_nobody_waiting(tmp_path: Path) -> None:
    wide = Scale(dumps=400, classes=200, samples_per_class=20, iterations_per_dump=10, resnet50=False, pictures=False)
    list(write_dumps(tmp_path / "run", wide))
    server = Server(str(tmp_path), host="127.0.0.1", port=0, token=None)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    host, port = server.link.removeprefix("http://").rstrip("/").split(":")
    question = b"GET /api/class?run=run&cls=%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    slow = [socket.create_connection((host, int(port))) for _ in range(60)]  # more than there are threads
    try:
        for number, one in enumerate(slow):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            one.sendall(question % number * 5)
        with socket.create_connection((host, int(port)), timeout=30) as quick:
            quick.sendall(b"GET /api/run?run=run HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert quick.recv(20).startswith(b"HTTP/1.1 200")
    finally:
        for one in slow:
            one.close()
        server.stop()
        thread.join(10)
