"""One run with dead filters for all tests of experiments; those that store something with it copy it."""

from pathlib import Path

import pytest

from tests.experiments.killed import train
from tests.experiments.said import Said


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run` and `last.safetensors`; not to be changed by tests."""
    folder = tmp_path_factory.mktemp("killed")
    train(folder)
    return folder


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Gives a command, and takes what it says."""
    return Said(monkeypatch, capsys)
