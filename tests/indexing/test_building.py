"""However an index is built, by whom, and however often they are stopped: it is the same bytes."""

import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from deeptracker import open_run
from deeptracker.indexing import build_index
from tests.indexing.asked import answers, contents, shards


def test_however_it_is_built_the_bytes_are_the_same(indexed: Path, recorded: Path, tmp_path: Path) -> None:
    place = shutil.copytree(recorded, tmp_path / "run")
    seen: list[tuple[int, int]] = []
    report = build_index(place, processes=2, on_progress=lambda done, of: seen.append((done, of)))
    assert contents(place) == contents(indexed)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert report.bytes == sum(path.stat().st_size for path in shards(place))
    again = build_index(place)
    assert (again.blocks_written, again.blocks_kept, again.bytes) == (0, 3, 0)
    assert contents(place) == contents(indexed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of distributed's own
def test_a_dask_cluster_writes_the_same_bytes(indexed: Path, recorded: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    place = shutil.copytree(recorded, tmp_path / "run")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        assert build_index(place, scheduler=cluster.scheduler_address).blocks_written == 3
    assert contents(place) == contents(indexed)


def test_two_builders_at_once_are_harmless(indexed: Path, recorded: Path, tmp_path: Path) -> None:
    place = shutil.copytree(recorded, tmp_path / "run")
    context = multiprocessing.get_context("spawn")
    builders = [context.Process(target=build_index, args=(str(place),)) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(120)
    assert [builder.exitcode for builder in builders] == [0, 0]
    assert contents(place) == contents(indexed)


def test_a_builder_that_is_killed_leaves_a_run_that_answers_and_can_be_gone_on_with(
    indexed: Path, recorded: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    chance = random.Random(1)
    context = multiprocessing.get_context("fork")
    place = shutil.copytree(recorded, tmp_path / "run")
    names = ["node_stats sd", "filter_stats change", "class_samples", "anomaly_counts", "error_rates"]
    for _ in range(8):
        builder = context.Process(target=build_index, args=(str(place),))
        builder.start()
        time.sleep(chance.uniform(0.01, 0.4))
        assert builder.pid is not None
        os.kill(builder.pid, signal.SIGKILL)
        builder.join()
        run = open_run(place)
        assert answers(run, names) == {name: expected[name] for name in names}
        assert run.warnings == []
        if chance.random() < 0.4:
            shutil.rmtree(place / "index", ignore_errors=True)
    build_index(place)
    temporary = [path for path in contents(place) if path.rsplit("/", 1)[-1].startswith(".")]
    assert {path: data for path, data in contents(place).items() if path not in temporary} == contents(indexed)
