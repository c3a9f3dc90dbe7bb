"""The snapshots of a training make the run that its recorder would have written, as far as weights go."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from deeptracker import Recorder, open_run
from deeptracker.errors import RunExistsError
from deeptracker.indexing import build_index
from deeptracker.record import checkpoints, snapshot_blocks
from deeptracker.record.checkpoints import import_checkpoints
from deeptracker.record.snapshot_blocks import Block
from deeptracker.record.weights import SnapshotError
from deeptracker.run import Run
from deeptracker.schema import GRADIENT_MEASURES, MEASURES
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from tests.record.networks import Net, conv, conv_bn
from tests.s3 import Bucket

UNKNOWN = {*GRADIENT_MEASURES, "update_ratio"}
"""What does not follow from weights alone."""

ENVIRONMENT = os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}


class Network(nn.Module):
    """Convolutions, one weight that two modules share, an odd number of filters; in the order of the alphabet."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = conv_bn(1, 6)
        self.body = Net(
            lambda self, x: self.again(self.once(x)), once=conv(6, 6, bias=False), again=conv(6, 6, bias=False)
        )
        self.body.again.weight = self.body.once.weight
        self.hidden = nn.Linear(6 * 36, 11)
        self.head = nn.Linear(11, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.body(self.begin(x)))
        return self.head(functional.relu(self.hidden(x.flatten(1))))


def train(place: Path, *, dumps: int, dtype: torch.dtype = torch.float32) -> None:
    """Train for three iterations a dump; record into `recorded`, save what is dumped into `pt` and `safetensors`."""
    torch.manual_seed(0)
    model = Network().to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.rand(32, 1, 6, 6).to(dtype), torch.arange(32) % 4
    for name in ("pt", "safetensors"):
        (place / name).mkdir(parents=True)

    def save(iteration: int) -> None:
        torch.save(model.state_dict(), place / "pt" / f"snapshot-{iteration}.pt")
        state = {key: value for key, value in model.state_dict().items() if key != "body.again.weight"}
        save_file(state, place / "safetensors" / f"{iteration}.safetensors", {"step": str(iteration)})

    with Recorder(place / "recorded", model, optimizer, every=3, example_input=x, strict=True) as recorder:
        save(0)
        while recorder.iteration < 3 * (dumps - 1):
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            if recorder.iteration % 3 == 0:
                save(recorder.iteration)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of 20 dumps; not to be changed."""
    place = tmp_path_factory.mktemp("trained")
    train(place, dumps=20)
    return place


@pytest.fixture(scope="module")
def imported(trained: Path) -> Path:
    """The run of its snapshots; not to be changed."""
    import_checkpoints(trained / "pt", trained / "imported")
    return trained / "imported"


def log(run: Path) -> dict[str, bytes]:
    """The files of a log, without what was begun by a process that was killed."""
    files = (path for path in (run / "log").rglob("*.arrow") if not path.name.startswith("."))
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


def info(run: Path) -> dict[str, object]:
    return json.loads((run / "run.json").read_bytes())


def assert_as_recorded(imported: Path, recorded: Path) -> None:
    """All that follows from weights is the same bytes in both; all else is undefined in what was imported."""
    ours, theirs = LogReader(Blobs(imported)), LogReader(Blobs(recorded))
    assert ours.network is not None
    assert theirs.network is not None
    assert len(ours.dumps) == len(theirs.dumps) > 2
    places = [theirs.network.layer(layer.name) for layer in ours.network.layers]
    rows = np.concatenate([np.arange(layer.rows.start, layer.rows.stop) for layer in places])
    indexes = theirs.network.indexes(places)
    for dump, other in zip(ours.dumps, theirs.dumps, strict=True):
        assert (dump.iteration, set(dump.paths)) == (other.iteration, {"layers", "kernels", "filters"})
        found, expected = ours.filters(dump), theirs.filters(other)
        for name in MEASURES:
            if name in UNKNOWN:
                assert np.isnan(found[name]).all()
            else:
                assert found[name].tobytes() == expected[name][rows].tobytes(), (name, dump.iteration)
        counted = ours.histograms(dump)
        whole = theirs.histograms(other)
        for place, index in enumerate(indexes):
            assert counted.weight_bins[place].tolist() == whole.weight_bins[index].tolist()
            assert counted.weight_counts[place].tolist() == whole.weight_counts[index].tolist()
            assert len(counted.grad_bins[place]) == len(counted.grad_counts[place]) == 0
        kernels, expected_kernels = ours.kernels(dump), theirs.kernels(other)
        assert kernels is not None
        assert expected_kernels is not None
        assert kernels.values.tobytes() == expected_kernels.values.tobytes()


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_snapshots_of_a_recorded_training_give_the_bytes_that_its_recorder_wrote(
    trained: Path, tmp_path: Path, kind: str
) -> None:
    report = import_checkpoints(trained / kind, tmp_path / "run")
    assert_as_recorded(tmp_path / "run", trained / "recorded")
    assert (report.dumps_written, report.dumps_kept, report.left_out) == (20, 0, ())
    assert report.bytes == sum(path.stat().st_size for path in (trained / kind).iterdir())
    run = open_run(tmp_path / "run")
    assert (run.state, run.info.name, run.warnings) == ("finished", kind, [])
    assert run.info.config["imported_from"] == str(trained / kind)
    assert run.info.config["iterations_from"] == report.source
    assert run.check() == []
    assert run.network().source.startswith("module names")
    change, expected = run.layer_stats("", "change"), open_run(trained / "recorded").layer_stats("", "change")
    np.testing.assert_allclose(change, expected, rtol=1e-6)
    assert np.isfinite(change[1:]).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precisions_too(tmp_path: Path, dtype: torch.dtype) -> None:
    train(tmp_path, dumps=4, dtype=dtype)
    import_checkpoints(tmp_path / "pt", tmp_path / "run")
    assert_as_recorded(tmp_path / "run", tmp_path / "recorded")


def test_measures_of_half_precision_are_those_of_the_definitions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = [(1e-3 * torch.randn(3, 40_000)).bfloat16() for _ in range(2)]
    (tmp_path / "half").mkdir()
    for iteration, weight in enumerate(weights):
        save_file({"fc.weight": weight}, tmp_path / "half" / f"{iteration}.safetensors")
    import_checkpoints(tmp_path / "half", tmp_path / "run")
    run = open_run(tmp_path / "run")
    p, w = (weight.double().numpy() for weight in weights)
    expected = {
        "sum": w.sum(1),
        "mean": w.mean(1),
        "sd": w.std(1),
        "l1": np.abs(w).sum(1),
        "l2": np.linalg.norm(w, axis=1),
        "min": w.min(1),
        "cosine": (w * p).sum(1) / np.linalg.norm(w, axis=1) / np.linalg.norm(p, axis=1),
        "change": np.linalg.norm(w - p, axis=1) / np.linalg.norm(p, axis=1),
        "change_l1": np.abs(w - p).sum(1) / np.abs(p).sum(1),
        "euclidean": np.linalg.norm(w - p, axis=1),
        "nonfinite": np.zeros(3),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(run.filter_stats("fc", name)[:, 1], values, rtol=2e-6, atol=1e-7, err_msg=name)


def test_a_weight_that_is_no_number_is_data(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    for iteration, value in enumerate([1.0, float("nan"), 2.0]):
        torch.save({"fc.weight": torch.tensor([[value, 1.0], [3.0, 4.0]])}, tmp_path / "weights" / f"{iteration}.pt")
    import_checkpoints(tmp_path / "weights", tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.filter_stats("fc", "nonfinite").tolist() == [[0, 1, 0], [0, 0, 0]]
    assert np.isnan(run.filter_stats("fc", "change")).tolist() == [[True, True, True], [True, False, False]]


@pytest.mark.parametrize(
    ("group_bytes", "in_block", "processes"), [(1, 16, 1), (2000, 3, 1), (64 << 20, 1, 1), (64 << 20, 7, 1), (0, 4, 2)]
)
def test_however_it_is_divided_the_bytes_are_the_same(
    trained: Path,
    imported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    group_bytes: int,
    in_block: int,
    processes: int,
) -> None:
    if group_bytes:  # processes of their own have their own
        monkeypatch.setattr(snapshot_blocks, "GROUP_BYTES", group_bytes)
    monkeypatch.setattr(checkpoints, "MOST_IN_BLOCK", in_block)
    seen: list[tuple[int, int]] = []
    import_checkpoints(
        trained / "pt", tmp_path / "run", processes=processes, on_progress=lambda *done: seen.append(done)
    )
    assert log(tmp_path / "run") == log(imported)
    assert seen == [(done, 20) for done in range(1, 21)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of distributed's own
def test_a_dask_cluster_writes_the_same_bytes(trained: Path, imported: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        import_checkpoints(trained / "pt", tmp_path / "run", scheduler=cluster.scheduler_address)
    assert log(tmp_path / "run") == log(imported)


def test_there_is_a_block_for_each_process_and_many_for_a_cluster(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[int] = []

    @contextmanager
    def counted(work: Any, blocks: list[Block], **more: Any) -> Iterator[Any]:
        handed.append(len(blocks))
        yield map(work, blocks)

    monkeypatch.setattr(checkpoints, "handed_out", counted)
    for name, more in (("one", {}), ("three", {"processes": 3}), ("cluster", {"scheduler": "tcp://10.0.0.5:8786"})):
        import_checkpoints(trained / "pt", tmp_path / name, **more)  # type: ignore[arg-type]
    assert handed == [2, 3, 5]


def test_a_run_may_lie_in_an_object_store(trained: Path, imported: Path, s3: Bucket) -> None:
    import_checkpoints(trained / "pt", s3.url("run"))
    ours, theirs = open_run(s3.url("run")), open_run(imported)
    np.testing.assert_array_equal(ours.filter_stats("hidden", "change"), theirs.filter_stats("hidden", "change"))
    assert import_checkpoints(trained / "pt", s3.url("run")).dumps_kept == 20


IMPORT = """
import sys
from benchmarks.memory import peak_bytes
from deeptracker.record import checkpoints, snapshot_blocks
snapshot_blocks.GROUP_BYTES = int(sys.argv[3])
checkpoints.import_checkpoints(f"{sys.argv[1]}/small", f"{sys.argv[2]}-small")  # what torch takes once
before = peak_bytes()
checkpoints.import_checkpoints(f"{sys.argv[1]}/large", f"{sys.argv[2]}-large")
print(peak_bytes() - before)
"""


def memory_of_importing(folder: Path, run: Path, group_bytes: int) -> int:
    """Bytes that a process of its own holds at most, beyond what it takes for a small import.

    What measures must be compiled before, as that takes more memory than all else.
    """
    import_checkpoints(folder / "small", folder / f"compiled-{group_bytes}")
    command = [sys.executable, "-c", IMPORT, str(folder), str(run), str(group_bytes)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_memory_is_that_of_a_layer_of_two_snapshots_however_many_and_large_they_are(tmp_path: Path, kind: str) -> None:
    layers, layer_bytes, count = 12, 8 << 20, 5
    for name, width in (("small", 8), ("large", layer_bytes // 4 // 512)):
        (tmp_path / name).mkdir()
        state = {f"layer{index}.weight": torch.full((512, width), 0.5) for index in range(layers)}
        for iteration in range(count):
            save = torch.save if kind == "pt" else save_file
            save(state, tmp_path / name / f"{iteration}.{kind}")
            state["layer3.weight"] += 1
    folder_bytes = sum(path.stat().st_size for path in (tmp_path / "large").iterdir())
    # What else a process takes varies, and the pages of a mapped file count as long as nobody needs the memory.
    tries = (memory_of_importing(tmp_path, tmp_path / f"run{number}", 1) for number in range(4))
    assert any(size < 8 * layer_bytes for size in tries)
    assert 8 * layer_bytes <= folder_bytes / 7
    whole_snapshots = memory_of_importing(tmp_path, tmp_path / "other", layers * layer_bytes)
    assert whole_snapshots > 1.5 * layers * layer_bytes  # so it is measured
    run = open_run(tmp_path / "run0-large")
    assert run.filter_stats("layer3", "mean")[7].tolist() == [0.5 + i for i in range(count)]


def copied(trained: Path, place: Path, iterations: range) -> Path:
    """A folder with some of the snapshots."""
    place.mkdir(exist_ok=True)
    for iteration in iterations:
        shutil.copy(trained / "pt" / f"snapshot-{iteration}.pt", place)
    return place


def test_what_is_imported_is_kept_and_snapshots_that_have_come_since_are_taken_up(
    trained: Path, imported: Path, tmp_path: Path
) -> None:
    folder = copied(trained, tmp_path / "pt", range(0, 21, 3))
    assert import_checkpoints(folder, tmp_path / "run").dumps_written == 7
    first = {path: (tmp_path / "run" / path).stat().st_mtime_ns for path in log(tmp_path / "run")}
    created = info(tmp_path / "run")["created"]
    copied(trained, folder, range(21, 58, 3))
    report = import_checkpoints(folder, tmp_path / "run")
    assert (report.dumps_written, report.dumps_kept) == (13, 7)
    assert log(tmp_path / "run") == log(imported)
    assert {path: (tmp_path / "run" / path).stat().st_mtime_ns for path in first} == first
    assert (info(tmp_path / "run")["state"], info(tmp_path / "run")["created"]) == ("finished", created)
    before = (tmp_path / "run" / "run.json").stat().st_mtime_ns
    report = import_checkpoints(folder, tmp_path / "run")
    assert (report.dumps_written, report.dumps_kept, report.bytes) == (0, 20, 0)
    assert (tmp_path / "run" / "run.json").stat().st_mtime_ns == before


def test_older_snapshots_may_be_gone_but_not_the_one_that_is_compared_with(
    trained: Path, imported: Path, tmp_path: Path
) -> None:
    folder = copied(trained, tmp_path / "pt", range(0, 21, 3))
    import_checkpoints(folder, tmp_path / "run")
    shutil.rmtree(folder)
    copied(trained, folder, range(21, 58, 3))
    with pytest.raises(SnapshotError, match=r"the snapshot of iteration 18 must be in .*snapshot-21.pt is compared"):
        import_checkpoints(folder, tmp_path / "run")
    copied(trained, folder, range(18, 19))
    assert import_checkpoints(folder, tmp_path / "run").dumps_written == 13
    assert log(tmp_path / "run") == log(imported)


def test_a_run_that_grows_after_it_was_indexed_answers_from_both(trained: Path, imported: Path, tmp_path: Path) -> None:
    def answers(run: Run) -> list[list[float]]:
        return [run.filter_stats("hidden", "change").tolist(), run.layer_stats("", "sd").tolist()]

    folder = copied(trained, tmp_path / "pt", range(0, 21, 3))
    import_checkpoints(folder, tmp_path / "run")
    build_index(tmp_path / "run")
    copied(trained, folder, range(21, 58, 3))
    import_checkpoints(folder, tmp_path / "run")
    expected = open_run(imported)
    for _ in range(2):
        np.testing.assert_array_equal(answers(open_run(tmp_path / "run"))[0], answers(expected)[0])
        np.testing.assert_array_equal(answers(open_run(tmp_path / "run"))[1], answers(expected)[1])
        build_index(tmp_path / "run")


def test_dumps_that_are_damaged_or_missing_parts_are_measured_again(
    trained: Path, imported: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(imported, tmp_path / "run")
    layers, filters = run / "log" / "layers", run / "log" / "filters"
    (filters / "000000000006.arrow").write_bytes((filters / "000000000006.arrow").read_bytes()[:-50])
    data = bytearray((layers / "000000000027.arrow").read_bytes())
    data[len(data) // 2] ^= 1
    (layers / "000000000027.arrow").write_bytes(data)
    (run / "log" / "kernels" / "000000000030.arrow").unlink()
    (filters / "000000000057.arrow").unlink()
    report = import_checkpoints(trained / "pt", run)
    assert (report.dumps_written, report.dumps_kept) == (4, 16)
    assert log(run) == log(imported)


@pytest.mark.parametrize("processes", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_goes_on(trained: Path, imported: Path, tmp_path: Path, processes: str) -> None:
    command = [sys.executable, "-m", "deeptracker", "import", "checkpoints", "pt", "--run", "run"]
    (tmp_path / "pt").symlink_to(trained / "pt")
    kept = 0
    for dumps in (1, 11):
        with subprocess.Popen(
            [*command, "--processes", processes],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            while len(list(tmp_path.glob("run/log/filters/*.arrow"))) < dumps and process.poll() is None:
                time.sleep(0.002)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        there = open_run(tmp_path / "run")
        assert there.iterations.tolist() == list(range(0, 3 * len(there.iterations), 3))
        assert len(there.iterations) >= kept
        kept = len(there.iterations)
    import_checkpoints(tmp_path / "pt", tmp_path / "run")
    assert log(tmp_path / "run") == log(imported)
    assert info(tmp_path / "run")["state"] == "finished"


def test_a_damaged_file_is_left_out_and_the_next_is_compared_with_the_one_before(trained: Path, tmp_path: Path) -> None:
    folder = copied(trained, tmp_path / "pt", range(0, 13, 3))
    damaged = folder / "snapshot-6.pt"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    report = import_checkpoints(folder, tmp_path / "run")
    (text,) = report.left_out
    assert text.startswith(f"{damaged} cannot be read: it is empty, cut short or damaged")
    assert (report.dumps_written, info(tmp_path / "run")["lost"]) == (4, [text])
    assert open_run(tmp_path / "run").iterations.tolist() == [0, 3, 9, 12]
    states = [torch.load(folder / f"snapshot-{i}.pt", weights_only=True)["head.weight"].double() for i in (3, 9)]
    expected = ((states[1] - states[0]).norm(dim=1) / states[0].norm(dim=1)).numpy()
    np.testing.assert_allclose(open_run(tmp_path / "run").filter_stats("head", "change")[:, 2], expected, rtol=1e-6)

    damaged.write_bytes(whole)  # what the next was compared with stays
    copied(trained, folder, range(15, 19, 3))
    before = log(tmp_path / "run")
    report = import_checkpoints(folder, tmp_path / "run")
    assert [text.split(" Import")[0] for text in report.left_out] == [
        f"{damaged} comes before dumps that were measured without it."
    ]
    assert (report.dumps_written, report.dumps_kept) == (2, 4)
    assert before.items() <= log(tmp_path / "run").items()


def test_the_newest_file_may_be_half_written_and_is_taken_up_once_it_is_whole(
    trained: Path, imported: Path, tmp_path: Path
) -> None:
    folder = copied(trained, tmp_path / "pt", range(0, 58, 3))
    newest = folder / "snapshot-57.pt"
    whole = newest.read_bytes()
    newest.write_bytes(whole[:1000])
    assert len(import_checkpoints(folder, tmp_path / "run").left_out) == 1
    newest.write_bytes(whole)
    assert import_checkpoints(folder, tmp_path / "run").left_out == ()
    assert info(tmp_path / "run")["lost"] == []
    assert log(tmp_path / "run") == log(imported)


def test_a_snapshot_that_was_replaced_is_not_compared_with(trained: Path, tmp_path: Path) -> None:
    folder = copied(trained, tmp_path / "pt", range(0, 10, 3))
    import_checkpoints(folder, tmp_path / "run")
    before = log(tmp_path / "run")
    shutil.copy(folder / "snapshot-0.pt", folder / "snapshot-9.pt")
    copied(trained, folder, range(12, 19, 3))
    with pytest.raises(SnapshotError, match=r"snapshot-9.pt must be the snapshot of which the dump at 9 was made"):
        import_checkpoints(folder, tmp_path / "run")
    assert log(tmp_path / "run") == before


def test_a_file_that_changes_while_it_is_imported_is_an_error(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(trained, tmp_path / "pt", range(0, 10, 3))
    find = checkpoints.find_snapshots

    def replaced(*given: object, **more: object) -> object:
        found = find(*given, **more)  # type: ignore[arg-type]
        torch.save({"fc.weight": torch.ones(2, 2)}, folder / "snapshot-6.pt")
        return found

    monkeypatch.setattr(checkpoints, "find_snapshots", replaced)
    with pytest.raises(SnapshotError, match=r"snapshot-6.pt must stay as it is while it is imported"):
        import_checkpoints(folder, tmp_path / "run")


def test_another_network_or_another_kind_of_run_is_refused_and_left_alone(trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained / "recorded", tmp_path / "run")
    before = log(run) | {"run.json": (run / "run.json").read_bytes()}
    with pytest.raises(RunExistsError, match=r"earlier import. It holds a run that was recorded"):
        import_checkpoints(trained / "pt", run)
    assert log(run) | {"run.json": (run / "run.json").read_bytes()} == before
    folder = copied(trained, tmp_path / "pt", range(0, 10, 3))
    import_checkpoints(folder, tmp_path / "imported")
    (tmp_path / "other").mkdir()
    torch.save({"fc.weight": torch.ones(2, 2)}, tmp_path / "other" / "snapshot-12.pt")
    with pytest.raises(SnapshotError, match=r"In .*snapshot-12.pt there is a layer 'fc', and none in .*network.json"):
        import_checkpoints(tmp_path / "other", tmp_path / "imported")
    with pytest.raises(ValueError, match="Got 0"):
        import_checkpoints(folder, tmp_path / "imported", processes=0)
