"""A real S3 server for tests: moto's, as a process of its own, and a link to it that can fail.

Another server is taken where DEEPTRACKER_TEST_S3 has its address; it must know the user of KEYS.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

KEYS = {"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of a test's own; the environment leads to it."""

    server: str
    name: str

    def url(self, path: str = "") -> str:
        return f"s3://{self.name}/{path}".rstrip("/")

    def check_credentials(self, are_checked: bool = True) -> None:
        """From now on refuse everybody whom the server does not know; moto's knows nobody, and asks only if told to."""
        if not _other_server():
            requests_before = b"0" if are_checked else b"inf"
            httpx2.post(f"{self.server}/moto-api/reset-auth", content=requests_before).raise_for_status()


class Link:
    """A port that hands everything on to a server, until told to fail."""

    def __init__(self, server: str) -> None:
        host, port = server.removeprefix("http://").split(":")
        self._server = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        self._open: list[socket.socket] = []
        self._drops = False
        self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._address[1]}"

    def refuse(self) -> None:
        """Nobody listens any more, and what was open is closed."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for the next connection
        self._listener.close()
        self._thread.join()
        self._hang_up()

    def drop(self) -> None:
        """Connections are taken, and closed after the first bytes of a request."""
        self._drops = True
        self._hang_up()

    def restore(self) -> None:
        """Hand on again."""
        self._drops = False
        if not self._thread.is_alive():
            self._listener = socket.create_server(self._address)
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        if self._drops:
            near.recv(64)
            near.close()
            return
        far = socket.create_connection(self._server)
        self._open += [near, far]
        back = threading.Thread(target=_hand_on, args=(far, near), daemon=True)
        back.start()
        _hand_on(near, far)
        back.join()
        near.close()
        far.close()

    def _hang_up(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open = []


def _hand_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server that runs as long as the tests."""
    if _other_server():
        yield _other_server()
        return
    said = tmp_path_factory.mktemp("s3") / "said.txt"
    command = [sys.executable, str(Path(__file__).with_name("quick_moto.py")), "-H", "127.0.0.1", "-p", "0"]
    with open(said, "wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        yield _address(said, process)
        process.terminate()


def _other_server() -> str:
    return os.environ.get("DEEPTRACKER_TEST_S3", "")


def _address(said: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", said.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"moto's server must start within 60 s. It says: {said.read_text()}")


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new, empty bucket, and an environment that leads to it."""
    name = f"bucket-{secrets.token_hex(6)}"
    _create_bucket(s3_server, name)
    for variable, value in {**KEYS, "AWS_ENDPOINT_URL": s3_server, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(variable, value)
    return Bucket(s3_server, name)


def _create_bucket(server: str, name: str) -> None:
    if not _other_server():
        httpx2.put(f"{server}/{name}").raise_for_status()
        return
    import boto3  # takes half a second, and obstore creates no buckets

    keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    boto3.client("s3", endpoint_url=server, region_name=KEYS["AWS_REGION"], **keys).create_bucket(Bucket=name)


@pytest.fixture
def link(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    """The environment leads to the bucket over this link."""
    made = Link(s3.server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
    yield made
    made.refuse()
