"""Runs to read: small ones, written once a session by the generator that the benchmarks use."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from benchmarks.generate import Scale, write_run
from tests.s3 import link, s3, s3_server  # noqa: F401  (fixtures)

# How long an example takes is a matter of what else the machine does.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

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


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """A process has all tests of a file, and what they share; one process has all that drive a browser."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "browser" if file.startswith("tests/browser/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    config.option.loadscopereorder = False  # which would begin with files of many tests
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no process is left alone with one of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in slow)
