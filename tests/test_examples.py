"""Every example does what it says."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deeptracker import open_run

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_resume_goes_on_after_being_killed(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "resume.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ) as process:
        while not list(tmp_path.glob("runs/resumed/log/filters/*250.arrow")):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    subprocess.run(command, cwd=tmp_path, check=True)
    run = open_run(tmp_path / "runs" / "resumed")
    assert run.iterations.tolist() == list(range(0, 601, 10))
    assert (run.state, run.branch) == ("finished", 1)
    assert run.info.branches[1].start % 100 == 0
    assert run.validation_error()[-1] < 0.2


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"resume.py"}
