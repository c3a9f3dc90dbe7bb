"""Every example does what it says."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
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


@pytest.mark.slow
def test_the_index_answers_in_xarray_what_run_answers(tmp_path: Path) -> None:
    demo = ["demo", "--epochs", "2", "--dumps", "20", "--run", "runs/digits", "--no-serve"]
    for command in (demo, ["index", "runs/digits"]):
        subprocess.run([sys.executable, "-m", "deeptracker", *command], cwd=tmp_path, check=True)
    example = [sys.executable, "-W", "error", EXAMPLES / "index_in_xarray.py"]
    lines = subprocess.run(example, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.splitlines()
    run = open_run(tmp_path / "runs" / "digits")
    dumps = len(run.iterations)
    tenths = [np.flatnonzero(np.arange(dumps) * 10 // dumps == tenth) for tenth in range(10)]
    change = {
        layer.name: [np.nanmean(run.layer_stats(layer.name, "change")[rows]) for rows in tenths]
        for layer in run.network().layers
    }
    most = sorted(change, key=lambda name: change[name][-1] / change[name][0])[:5]
    for line, name in zip(lines[1:6], most, strict=True):
        first, last = change[name][0], change[name][-1]
        assert line.split() == f"{name} {first:.4f} -> {last:.4f} {last / first:.1%} of it".split()
    for line, rows in zip(lines[7:], tenths, strict=True):
        error = run.error_rates()[:, rows].mean(axis=1)
        worst = int(error.argmax())
        expected = f"from iteration {run.iterations[rows[0]]:,} {run.class_names[worst]} {error[worst]:.1%} wrong"
        assert line.split() == expected.split()


@pytest.mark.slow
def test_a_training_of_several_processes_is_one_run_and_goes_on(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for iterations in (50, 70):
        environment = {**os.environ, "ITERATIONS": str(iterations), "OMP_NUM_THREADS": "1"}
        subprocess.run([*torchrun, EXAMPLES / "distributed.py"], cwd=tmp_path, env=environment, check=True)
    run = open_run(tmp_path / "runs" / "distributed")
    assert run.iterations.tolist() == list(range(0, 71, 10))
    assert (run.state, run.branch, run.warnings) == ("finished", 1, [])
    shares = sorted(path.name for path in (tmp_path / "runs/distributed/log/predictions").glob("*70.*"))
    assert shares == [f"000000000070.branch001.rank00{rank}.arrow" for rank in range(2)]
    assert sum(len(run.class_samples(cls).predicted) for cls in range(10)) == 597
    assert run.validation_error()[-1] < 0.5


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"distributed.py", "index_in_xarray.py", "resume.py"}
