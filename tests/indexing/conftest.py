"""Runs whose index is looked at."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.generate import write_run
from deeptracker import open_run
from deeptracker.indexing import build_index
from tests.indexing.asked import SCALE, answers


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run without an index; not to be changed."""
    place = tmp_path_factory.mktemp("recorded") / "run"
    write_run(place, SCALE)
    return place


@pytest.fixture
def place(recorded: Path, tmp_path: Path) -> Path:
    """The same, of a test's own."""
    return shutil.copytree(recorded, tmp_path / "run")


@pytest.fixture(scope="session")
def indexed(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a complete index; not to be changed."""
    place = shutil.copytree(recorded, tmp_path_factory.mktemp("indexed") / "run")
    assert build_index(place).blocks_written == 3
    return place


@pytest.fixture(scope="session")
def expected(recorded: Path) -> dict[str, Any]:
    """What its log says."""
    return answers(open_run(recorded))
