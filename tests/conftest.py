"""Runs to read: small ones, written once a session by the generator that the benchmarks use."""

import os
from pathlib import Path

import pytest

from benchmarks.generate import Scale, write_run
from tests.s3 import link, s3, s3_server  # noqa: F401  (fixtures)

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras, which has one backend in a process

SMALL = Scale(dumps=60, classes=6, samples_per_class=20, iterations_per_dump=100, resnet50=False)


@pytest.fixture(scope="session")
def served_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished runs, one of them deeper; not to be changed by tests."""
    root = tmp_path_factory.mktemp("served")
    write_run(root / "small", SMALL)
    write_run(root / "group" / "tiny", Scale(5, 3, 4, 10, resnet50=False, pictures=False), seed=1)
    return root


@pytest.fixture
def small_run(tmp_path: Path) -> Path:
    """A finished run of a test's own."""
    write_run(tmp_path / "small", SMALL)
    return tmp_path / "small"


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A process has all tests of a file, and what they share; one process has all that drive a browser."""
    for item in items:
        group = "browser" if item.get_closest_marker("browser") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
