"""Indexes that are built while runs are served: who is first, what is said, and that nobody has to wait."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from benchmarks.generate import Scale, write_dumps, write_run
from deeptracker import open_run
from deeptracker.indexing import build_index
from deeptracker.server import indexer
from deeptracker.server.indexer import Indexer
from deeptracker.server.runs import ServedRuns
from deeptracker.server.serving import Server
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import ROOT, Published
from deeptracker.store.log import LogReader, LogWriter
from tests.s3 import Bucket
from tests.server.test_frame import decode
from tests.test_index_process import contents, is_alive, until

SCALE = Scale(dumps=150, classes=5, samples_per_class=8, iterations_per_dump=10, resnet50=False, pictures=False)
SHORT = Scale(dumps=63, classes=5, samples_per_class=8, iterations_per_dump=10, resnet50=False, pictures=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run without an index; not to be changed."""
    place = tmp_path_factory.mktemp("recorded") / "run"
    write_run(place, SCALE)
    return place


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes a moment."""
    for name in ("PAUSE_SECONDS", "FIND_SECONDS", "FIRST_WAIT_SECONDS", "LONGEST_WAIT_SECONDS"):
        monkeypatch.setattr(indexer, name, 0.1)


def copied(recorded: Path, target: Path, created: str) -> Path:
    """The same run, recorded at another time."""
    shutil.copytree(recorded, target)
    document = json.loads((target / "run.json").read_text())
    (target / "run.json").write_text(json.dumps(document | {"created": created}))
    return target


@contextmanager
def indexing(served: ServedRuns) -> Iterator[list[str]]:
    """An indexer at work; gives what it says."""
    said: list[str] = []
    at_work = Indexer(served, said.append)
    at_work.start()
    try:
        yield said
    finally:
        at_work.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "deeptracker-indexer"]


def indexed_dumps(place: Path | str) -> int:
    data = Blobs(place)
    found = Published.from_json(data.get(ROOT)) if data.exists(ROOT) else None
    return len(found.dumps) if found else 0


def test_every_run_long_enough_is_indexed_the_one_looked_at_first_then_the_newest(
    recorded: Path, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    for name, day in (("older", 3), ("newest", 5), ("looked-at", 1), ("newer", 4)):
        copied(recorded, root / name, f"2026-01-0{day}T00:00:00+00:00")
    write_run(root / "short", SHORT)
    served = ServedRuns(str(root))
    with served.open("looked-at") as before:
        pass
    with indexing(served) as said:
        until(lambda: len(said) == 8, "four runs must be built")
    assert [line.split(" (")[0].split(" in ")[0] for line in said] == [
        *("building the index of looked-at", "index of looked-at built"),
        *("building the index of newest", "index of newest built"),
        *("building the index of newer", "index of newer built"),
        *("building the index of older", "index of older built"),
    ]
    assert "(3 blocks of 64 dumps)" in said[0]
    assert said[1].endswith(" s")
    assert not (root / "short" / "index").exists()
    alike = copied(recorded, tmp_path / "alike", "2026-01-05T00:00:00+00:00")
    build_index(alike)
    assert contents(root / "newest") == contents(alike)
    with served.open("looked-at") as after:
        assert after is not before


def test_of_a_long_run_some_blocks_are_built_before_it_is_asked_again_who_is_first(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "BLOCKS_AT_A_TIME", 1)
    root = tmp_path / "runs"
    copied(recorded, root / "newer", "2026-01-02T00:00:00+00:00")
    copied(recorded, root / "older", "2026-01-01T00:00:00+00:00")
    served = ServedRuns(str(root))
    lines: list[str] = []

    def look(text: str) -> None:
        lines.append(text)
        if "building the index of newer" in text:
            with served.open("older"):
                pass

    at_work = Indexer(served, look)
    at_work.start()
    until(lambda: len(lines) == 4, "both must be built")
    at_work.stop()
    assert [line.split(" (")[0].split(" in ")[0] for line in lines] == [
        "building the index of newer",
        "building the index of older",
        "index of older built",
        "index of newer built",
    ]
    assert [indexed_dumps(root / name) for name in ("newer", "older")] == [150, 150]


def test_a_run_that_grows_is_indexed_block_by_block_without_a_word(tmp_path: Path) -> None:
    place = tmp_path / "runs" / "live"
    dumps = write_dumps(place, SCALE, finished=False)
    for _ in range(70):
        next(dumps)
    served = ServedRuns(str(place.parent))
    with indexing(served) as said:
        until(lambda: indexed_dumps(place) == 64, "the first block must be built")
        for _ in range(70):
            next(dumps)
        until(lambda: indexed_dumps(place) == 128, "the second block must be built")
        for _ in dumps:
            pass
        LogWriter(Blobs(place)).write_info(replace(LogReader(Blobs(place)).info, state="finished"))
        until(lambda: indexed_dumps(place) == 150, "the last block must be built")
    assert said == []


def test_a_run_whose_recorder_built_the_index_is_opened_anew(tmp_path: Path) -> None:
    place = tmp_path / "runs" / "live"
    dumps = write_dumps(place, SCALE, finished=False)
    for _ in range(70):
        next(dumps)
    build_index(place)
    served = ServedRuns(str(place.parent))
    at_work = Indexer(served, lambda text: None)
    at_work.start()
    try:
        until(lambda: "live" in at_work._runs and at_work._runs["live"].blocks == 1, "its index must be known")
        before = _opened(served, "live")
        for _ in range(60):
            next(dumps)
        build_index(place)
        until(lambda: _opened(served, "live") is not before, "it must be opened anew")
    finally:
        at_work.stop()


def _opened(served: ServedRuns, identity: str) -> object:
    with served.open(identity) as run:
        return run


def test_the_page_is_answered_meanwhile_and_the_answers_stay_the_same(recorded: Path, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    copied(recorded, root / "run", "2026-01-02T00:00:00+00:00")
    said: list[str] = []
    server = Server(str(root), host="127.0.0.1", port=0, token=None, index=True, say=said.append)
    thread = threading.Thread(target=server.run)
    thread.start()
    expected = open_run(recorded).error_rates().shape
    answers = set()
    try:
        with httpx2.Client(base_url=server.link, timeout=30) as client:
            while len(said) < 2:
                response = client.get("/api/classes?run=run")
                assert response.status_code == 200
                answers.add(response.content)
            answers.add(client.get("/api/classes?run=run").content)
    finally:
        server.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert len(answers) == 1
    assert decode(answers.pop())[1]["error"].shape == expected
    assert indexed_dumps(root / "run") == 150


def _pid(at_work: Indexer) -> int:
    process = at_work._process._process
    return process.pid if process else 0


def test_stopped_while_it_builds_it_leaves_no_process_and_nothing_half(tmp_path: Path) -> None:
    place = tmp_path / "runs" / "long"
    write_run(place, Scale(640, 5, 40, 10, resnet50=False, pictures=False))
    at_work = Indexer(ServedRuns(str(place.parent)), lambda text: None)
    at_work.start()
    until(lambda: (place / "index").exists(), "it must have begun")
    pid = _pid(at_work)
    at_work.stop()
    assert pid
    assert not is_alive(pid)
    assert not [path for path in contents(place) if "/." in path]
    assert build_index(place).blocks_left_out == 0


def test_a_builder_that_is_killed_is_said_once_and_tried_again(recorded: Path, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    copied(recorded, root / "run", "2026-01-02T00:00:00+00:00")
    said: list[str] = []
    kills = iter([True, True, False])

    def hear(text: str) -> None:
        said.append(text)
        if text.startswith("building") and next(kills):
            os.kill(_pid(at_work), signal.SIGKILL)

    at_work = Indexer(ServedRuns(str(root)), hear)
    at_work.start()
    until(lambda: said[-1:] and said[-1].startswith("index of run built"), "it must be built in the end")
    at_work.stop()
    assert len([line for line in said if line.startswith("no index of run, its log answers: the process")]) == 1
    assert indexed_dumps(root / "run") == 150


def test_a_folder_that_may_not_be_written_to_is_passed_over_without_a_word(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "runs"
    place = copied(recorded, root / "run", "2026-01-02T00:00:00+00:00")
    asked = threading.Event()

    def refuse(path: str, mode: int) -> bool:
        asked.set()
        assert (Path(path), mode) == (place, os.W_OK)
        return False

    monkeypatch.setattr(os, "access", refuse)  # root may write anywhere
    with indexing(ServedRuns(str(root))) as said:
        assert asked.wait(30)
        asked.clear()
        assert not asked.wait(1), "asked once"
    assert said == []
    assert not (place / "index").exists()


@contextmanager
def read_only(s3: Bucket) -> Iterator[tuple[str, Callable[[], int]]]:
    """A server that hands on what is read and refuses what is written; its address, and how often it has refused."""
    refused: list[str] = []
    client = httpx2.Client()  # one for all: each sets up encryption anew

    class HandsOn(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = client.request(self.command, s3.server + self.path, headers=dict(self.headers.items()))
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "content-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_HEAD = do_GET  # noqa: N815

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            refused.append(self.path)
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            self.send_response(403)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with client, ThreadingHTTPServer(("127.0.0.1", 0), HandsOn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", lambda: len(refused)
        finally:
            server.shutdown()


def upload(place: Path, url: str) -> None:
    blobs = Blobs(url)
    for path in place.rglob("*"):
        if path.is_file() and "index" not in path.parts:
            blobs.put(path.relative_to(place).as_posix(), path.read_bytes())


def test_in_an_object_store_runs_are_indexed_as_well(recorded: Path, s3: Bucket) -> None:
    upload(recorded, s3.url("runs/run"))
    with indexing(ServedRuns(s3.url("runs"))) as said:
        until(lambda: len(said) == 2, "it must be built")
    assert indexed_dumps(s3.url("runs/run")) == 150


def test_a_store_that_refuses_to_be_written_to_is_asked_once(
    recorded: Path, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two", "three"):
        upload(recorded, s3.url(f"runs/{name}"))
    with read_only(s3) as (address, refused):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with indexing(ServedRuns(s3.url("runs"))) as said:
            until(lambda: len(said) == 2, "it must be refused")
            assert not threading.Event().wait(1)
        assert refused() == 1
    assert said[0].startswith("building the index of ")
    assert ", its log answers: " in said[1]
    assert "refuses" in said[1]
