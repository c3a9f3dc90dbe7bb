"""The index in an object store: connections that fail, damaged objects, builders at once. On a real server."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from obstore.store import from_url

from benchmarks.generate import write_run
from deeptracker import open_run
from deeptracker.errors import ObjectStoreError
from deeptracker.indexing import build_index
from deeptracker.store import cache, remote
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import ROOT
from tests.s3 import Bucket, Link
from tests.store.test_index_faults import SCALE, digests, files

FEWER = replace(SCALE, dumps=80)
"""Two blocks, the last one short: each dump is three requests more, whenever everything is read from the log."""

PUTTERS = 8


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run without an index; not to be changed."""
    place = tmp_path_factory.mktemp("alone") / "run"
    write_run(place, FEWER)
    return place


@pytest.fixture(scope="module")
def whole(alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an index, in a folder."""
    place = Path(shutil.copytree(alone, tmp_path_factory.mktemp("whole") / "run"))
    build_index(place)
    return place


@pytest.fixture(scope="module")
def expected(alone: Path) -> dict[str, str]:
    """What the log alone says."""
    return digests(open_run(alone))


def uploaded(place: Path, bucket: Bucket) -> str:
    """The URL of the same run in a bucket."""
    blobs = Blobs(bucket.url("run"))

    def put(path: Path) -> None:
        blobs.put(path.relative_to(place).as_posix(), path.read_bytes())

    with ThreadPoolExecutor(PUTTERS) as pool:
        list(pool.map(put, [path for path in place.rglob("*") if path.is_file()]))
    return bucket.url("run")


def objects(url: str) -> dict[str, bytes]:
    """All files of the index in a bucket."""
    blobs = Blobs(url)
    return {blob.path: blobs.get(blob.path) for blob in blobs.list("index/")}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RETRIES", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failure", ["refuse", "drop"])
def test_a_connection_that_fails_while_building_publishes_nothing_wrong(
    alone: Path,
    whole: Path,
    expected: dict[str, str],
    s3: Bucket,
    link: Link,
    monkeypatch: pytest.MonkeyPatch,
    failure: str,
) -> None:
    url = uploaded(alone, s3)
    chance = random.Random(failure)
    put, wanted = Blobs.put, chance.sample(range(len(files(whole)) - 1), 1)
    for count in [*wanted, len(files(whole)) - 1]:
        left = [count]

        def failing(self: Blobs, path: str, data: bytes, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == -1:
                getattr(link, failure)()
            put(self, path, data)

        with monkeypatch.context() as during:
            during.setattr(Blobs, "put", failing)
            with pytest.raises(ObjectStoreError, match=r"must be reachable\..* Check the network"):
                build_index(url)
        link.restore()
        assert digests(open_run(url)) == expected, count
        for path in objects(url):
            if chance.random() < 0.5:
                from_url(url).delete(path)
        assert digests(open_run(url)) == expected, count
    build_index(url)
    assert objects(url) == files(whole)
    assert open_run(url).warnings == []


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_fails_while_reading_is_an_error_and_never_another_answer(
    whole: Path, expected: dict[str, str], s3: Bucket, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any request; once it is back the same `Run` goes on."""
    url = uploaded(whole, s3)
    chance = random.Random(3)
    fetch, left = remote.RemoteFiles._kept, [0]

    def failing(self: remote.RemoteFiles, *asked: object) -> bytes:
        left[0] -= 1
        if left[0] == 0:
            link.refuse()
        return fetch(self, *asked)  # type: ignore[arg-type]

    monkeypatch.setattr(remote.RemoteFiles, "_kept", failing)
    failed = 0
    run = open_run(url)
    for _ in range(8):
        left[0] = 0  # none fails while a run is opened
        if chance.random() < 0.4:
            run = open_run(url)
        left[0] = chance.randrange(1, 60)
        try:
            found = digests(run)
        except ObjectStoreError:
            failed += 1
            link.restore()
            found = digests(run)
        assert found == expected
        link.restore()
    assert run.warnings == []
    assert failed > 2


@pytest.mark.parametrize("seed", range(2))
def test_objects_that_are_damaged_or_gone_are_read_from_the_log_and_repaired(
    whole: Path, expected: dict[str, str], s3: Bucket, seed: int
) -> None:
    url = uploaded(whole, s3)
    chance, store, before = random.Random(seed), from_url(url), files(whole)
    held = open_run(url)
    for path in chance.sample(sorted(before), chance.choice([1, 12, 40])):
        data = bytearray(before[path])
        if chance.random() < 0.3:
            store.delete(path)
        else:
            data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
            store.put(path, bytes(data[: chance.choice([len(data), chance.randrange(len(data))])]))
    assert digests(open_run(url)) == expected
    assert digests(held) == expected
    build_index(url)
    assert objects(url) == before
    run = open_run(url)
    assert digests(run) == expected
    assert run.warnings == []
    held.refresh()
    assert digests(held) == expected


@pytest.fixture
def nothing_kept() -> Iterator[None]:
    before = cache.FETCHED.limit_bytes
    cache.FETCHED.limit_bytes = 0
    yield
    cache.FETCHED.limit_bytes = before


@pytest.mark.usefixtures("nothing_kept")
def test_without_any_memory_for_what_was_fetched_answers_are_the_same(
    whole: Path, expected: dict[str, str], s3: Bucket
) -> None:
    run = open_run(uploaded(whole, s3))
    assert digests(run) == expected
    assert run.warnings == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_builders_at_once_and_builders_killed_are_never_seen(
    alone: Path, whole: Path, expected: dict[str, str], s3: Bucket
) -> None:
    """Three at once, of which one is killed at a moment of its own; a reader all along."""
    url, chance = uploaded(alone, s3), random.Random(2)
    command = [sys.executable, "-m", "deeptracker", "index", url]
    builders = [subprocess.Popen([*command, "--processes", n], stdout=subprocess.DEVNULL) for n in "112"]
    while ROOT not in objects(url) and builders[0].poll() is None:
        assert digests(open_run(url)) == expected
    time.sleep(chance.uniform(0, 0.3))
    builders[0].kill()
    while any(builder.poll() is None for builder in builders):
        assert digests(open_run(url)) == expected
    assert [builder.wait() for builder in builders[1:]] == [0, 0]
    build_index(url)
    assert objects(url) == files(whole)
    run = open_run(url)
    assert digests(run) == expected
    assert run.warnings == []
    assert os.environ["AWS_ENDPOINT_URL"] == s3.server
