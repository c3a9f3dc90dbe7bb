"""Does a download arrive whole, or leave nothing and say what to do? Against a real HTTP server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deeptracker.demo import cifar
from deeptracker.demo.datasets import load_dataset
from deeptracker.demo.download import download
from deeptracker.errors import DatasetError

CONTENT = bytes(range(256)) * 4096
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/unsized":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/cut" else CONTENT)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_download_is_the_file_and_its_progress_is_told(tmp_path: Path, address: str) -> None:
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "file"
    done = download(f"{address}/whole", target, md5=MD5, on_download=lambda done, total: told.append((done, total)))
    assert done == target
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert len(told) > 1
    assert told == sorted(told)


def test_a_server_that_states_no_length_is_fine(tmp_path: Path, address: str) -> None:
    told: list[int | None] = []
    download(f"{address}/unsized", tmp_path / "file", md5=MD5, on_download=lambda _, total: told.append(total))
    assert set(told) == {None}


@pytest.mark.parametrize("path", ["cut", "missing"])
def test_what_does_not_arrive_whole_leaves_nothing_and_says_the_remedy(tmp_path: Path, address: str, path: str) -> None:
    target = tmp_path / "file"
    with pytest.raises(DatasetError, match=r"Or fetch it on a machine with a network and put it at .*file"):
        download(f"{address}/{path}", target, md5=MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_is_refused_and_removed(tmp_path: Path, address: str) -> None:
    with pytest.raises(DatasetError, match=f"must have the MD5 {'0' * 32}. What came has {MD5}"):
        download(f"{address}/whole", tmp_path / "file", md5="0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_caller_who_stops_the_download_leaves_nothing(tmp_path: Path, address: str) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(f"{address}/whole", tmp_path / "file", md5=MD5, on_download=stop)
    assert list(tmp_path.iterdir()) == []


def test_cifar_without_a_network_names_the_address_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar, "_ADDRESS", "http://127.0.0.1:9/")  # nobody listens on the discard port
    with pytest.raises(DatasetError, match=r"cannot download .*cifar-10-binary\.tar\.gz to .*--dataset PATH"):
        load_dataset("cifar10", root=tmp_path)
