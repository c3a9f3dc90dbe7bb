"""A real server on a real port: streams, the page, stopping."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import numpy as np
import pytest

from benchmarks.generate import Scale, write_dumps
from deeptracker.errors import DeepTrackerError
from deeptracker.schema import Branch, Predictions
from deeptracker.server.serving import Server
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader, LogWriter


@contextmanager
def serving(root: Path, **options: str) -> Iterator[Server]:
    server = Server(str(root), host="127.0.0.1", port=0, token=options.get("token"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(timeout=10)
        assert not thread.is_alive()


def events(response: httpx2.Response) -> Iterator[tuple[str, dict]]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_a_page_hears_of_every_new_dump_without_asking(tmp_path: Path) -> None:
    dumps = write_dumps(tmp_path / "live", Scale(12, 3, 5, 10, resnet50=False), finished=False)
    for _ in range(3):
        next(dumps)
    with serving(tmp_path) as server, httpx2.stream("GET", f"{server.link}api/live?run=live", timeout=20) as response:
        heard = events(response)
        name, first = next(heard)
        assert (name, first["dumps"], first["iteration"], first["state"]) == ("run", 3, 20, "live")
        next(dumps)
        assert next(heard)[1]["dumps"] == 4
        for _ in dumps:
            pass
        while next(heard)[1]["dumps"] < 12:
            pass


def test_the_list_hears_of_a_new_run(tmp_path: Path) -> None:
    with serving(tmp_path) as server, httpx2.stream("GET", f"{server.link}api/live", timeout=20) as response:
        heard = events(response)
        assert next(heard) == ("runs", {"runs": []})
        for _ in write_dumps(tmp_path / "new", Scale(2, 3, 5, 10, resnet50=False)):
            pass
        found = next(heard)[1]["runs"]
        assert [one["id"] for one in found] == ["new"]


def test_a_resumed_run_is_told_by_its_branch(small_run: Path) -> None:
    with serving(small_run.parent) as server, httpx2.stream("GET", f"{server.link}api/live?run=small") as response:
        heard = events(response)
        assert next(heard)[1]["branch"] == 0
        info = LogReader(Blobs(small_run)).info
        LogWriter(Blobs(small_run)).write_info(info.with_branch(Branch(1000, info.created)))
        LogWriter(Blobs(small_run), 1).write_predictions(
            1100, Predictions(np.zeros(120, np.int16), np.zeros(120, np.float16))
        )
        while True:
            _, seen = next(heard)
            if seen["branch"] == 1 and seen["dumps"] == 12:
                break


def test_answers_do_not_wait_for_nagle(served_root: Path) -> None:
    """Nagle's algorithm with delayed acknowledgement would make every answer of a kept connection take 40 ms."""
    with serving(served_root) as server, httpx2.Client(base_url=server.link) as client:
        client.get("/api/run?run=small")
        seconds = []
        for _ in range(15):
            start = time.perf_counter()
            client.get("/api/run?run=nope")
            seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.035


def test_a_run_that_is_removed_and_one_recorded_anew_in_its_place(tmp_path: Path) -> None:
    def write(classes: int) -> None:
        for _ in write_dumps(tmp_path / "run", Scale(3, classes, 5, 10, resnet50=False), seed=classes):
            pass

    write(3)
    with serving(tmp_path) as server, httpx2.Client(base_url=server.link) as client:
        assert client.get("/api/run?run=run").json()["classes"] == 3
        shutil.rmtree(tmp_path / "run")
        time.sleep(1.1)  # creation times have a resolution of a second
        assert client.get("/api/run?run=run").status_code == 404
        write(4)
        time.sleep(0.3)
        assert client.get("/api/run?run=run").json()["classes"] == 4


def test_an_occupied_port_is_an_error_with_a_remedy(served_root: Path) -> None:
    with serving(served_root) as server:
        port = int(server.link.rstrip("/").rsplit(":", 1)[1])
        with pytest.raises(DeepTrackerError, match="--port 0"):
            Server(str(served_root), host="127.0.0.1", port=port, token=None)


def test_an_address_of_the_network_gets_a_token_in_its_link(served_root: Path) -> None:
    server = Server(str(served_root), host="0.0.0.0", port=0, token=None)
    server.close()
    link = server.link
    assert "?token=" in link
    assert len(link.split("?token=")[1]) >= 24
