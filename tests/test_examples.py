"""Every example does what it says."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.indexing import build_index

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_resume_goes_on_after_being_killed(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "resume.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ) as process:
        while not list(tmp_path.glob("runs/resumed/log/filters/*150.arrow")):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    subprocess.run(command, cwd=tmp_path, check=True)
    run = open_run(tmp_path / "runs" / "resumed")
    assert run.iterations.tolist() == list(range(0, 301, 10))
    assert (run.state, run.branch) == ("finished", 1)
    assert run.info.branches[1].start % 100 == 0
    assert run.validation_error()[-1] < 0.2


@pytest.mark.slow
def test_the_index_answers_in_xarray_what_run_answers(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "digits", Scale(100, 8, 12, 10, resnet50=False, pictures=False))
    build_index(tmp_path / "runs" / "digits")
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
def test_dead_filters_change_nothing_living_ones_do_and_the_smaller_network_gives_the_same(tmp_path: Path) -> None:
    example = [sys.executable, EXAMPLES / "inactivate_filters.py"]
    done = subprocess.run(example, cwd=tmp_path, check=True, capture_output=True, text=True)
    living, first, dead = open_run(tmp_path / "runs" / "inactivated").experiments()
    assert (dead.origin, dead.change, dead.moved) == ("dead", 0, 0)
    assert (first.change, first.moved, [group.layer for group in first.filters]) == (0, 0, ["conv1"])
    assert sum(change > 0 for change in dead.random) > 15
    assert living.low > 0
    assert done.stdout.count("filters inactivated: ") == 3
    (removed,) = re.findall(r"(\d+) filters removed: conv1:", done.stdout)
    assert int(removed) == sum(len(group.filters) for group in dead.filters)
    sizes = [(tmp_path / "runs" / f"inactivated{name}.safetensors").stat().st_size for name in ("", "-smaller")]
    assert sizes[1] < sizes[0]


WAYS_IN = {
    "plain_pytorch": ("pytorch", 75, ["0", "3", "6"]),
    "with_lightning": ("lightning", 75, ["features.0", "features.3", "head"]),
    "with_hugging_face": ("hugging-face", 75, None),
    "with_keras": ("keras", 75, ["conv1", "depthwise", "conv2", "head"]),
    "with_jax": ("jax", 80, ["conv1", "conv2", "head"]),
}
"""Of each example the name of its run, its last dump, and its layers."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "needs"),
    [
        ("plain_pytorch", "torch"),
        ("with_lightning", "lightning"),
        ("with_hugging_face", "transformers"),
        ("with_keras", "torch"),
        ("with_keras", "jax"),
        ("with_keras", "tensorflow"),
        ("with_jax", "jax"),
    ],
)
def test_each_way_in_records_a_whole_run(tmp_path: Path, example: str, needs: str) -> None:
    for package in {needs, "keras" if example == "with_keras" else needs}:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": needs}
    subprocess.run([sys.executable, EXAMPLES / f"{example}.py"], cwd=tmp_path, env=environment, check=True)
    name, last, layers = WAYS_IN[example]
    run = open_run(tmp_path / "runs" / name)
    assert run.iterations.tolist() == list(range(0, last + 1, 5))
    assert (run.state, run.info.lost) == ("finished", ())
    assert layers is None or [layer.name for layer in run.network().layers] == layers
    error = run.validation_error()
    assert error[0] > 0.7
    assert error[-1] < 0.3
    assert len(run.samples.labels) == 597
    for cls in range(10):
        assert (run.class_samples(cls).predicted >= 0).all()
    head = run.network().layers[-1].name
    assert np.isfinite(run.filter_stats(head, "change")[:, 1:]).all()
    assert np.isfinite(run.filter_stats(head, "update_ratio")[:, 1:]).all()
    assert np.isfinite(run.filter_stats(head, "grad_l2")[:, 1:]).all() == (example != "with_keras")
    scalars = run.scalars()
    assert scalars["iteration"].tolist() == list(range(len(scalars["iteration"])))
    assert np.isfinite(scalars["loss"]).sum() >= last // 5


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
    alone = {"distributed.py", "inactivate_filters.py", "index_in_xarray.py", "resume.py"}
    run = {*alone, *(f"{name}.py" for name in WAYS_IN)}
    assert {path.name for path in EXAMPLES.glob("*.py")} == run
