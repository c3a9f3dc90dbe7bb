"""Commands as a user gives them, in this process: torch takes seconds to import."""

import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import nn

from deeptracker.cli import main
from tests.experiments import killed as recipe

MODEL = ["--model", "tests.experiments.killed:make_model", "--validation", "tests.experiments.killed:validation"]


class Said:
    """What a command printed, after its status."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str]:
        self._monkeypatch.setattr(sys, "argv", ["deeptracker", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        printed = self._capsys.readouterr()
        return int(left.value.code or 0), printed.out + printed.err


def trained(killed: Path) -> nn.Module:
    """The network with the weights that it had in the end."""
    model = recipe.make_model()
    model.load_state_dict(load_file(killed / "last.safetensors"))
    return model.eval()
