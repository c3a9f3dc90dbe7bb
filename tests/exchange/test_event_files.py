"""Scalars of event files get into a run, resumed and overlapping files merged."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker.errors import DeepTrackerError
from deeptracker.exchange.event_files import EventFileError, read_scalars
from deeptracker.exchange.scalars_in import import_scalars
from deeptracker.run import open_run
from deeptracker.server.runs import summary

pytestmark = pytest.mark.filterwarnings("ignore")  # those of TensorBoard's own imports


def write(folder: Path, values: dict[str, dict[int, float]], *, purge_step: int | None = None, began: int = 0) -> None:
    """An event file as torch's own writer writes it, begun at a second of its own."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), purge_step=purge_step, filename_suffix=f".{began}") as writer:
        for tag, of_tag in values.items():
            for step, value in of_tag.items():
                writer.add_scalar(tag, value, step, walltime=1e9 + began)


def range_of(first: int, end: int, value: float) -> dict[int, float]:
    return {step: value + step for step in range(first, end)}


def test_where_training_was_resumed_the_later_file_counts_from_its_first_step_on(tmp_path: Path) -> None:
    write(tmp_path, {"loss": range_of(0, 10, 100), "eval": {5: 1.0, 9: 2.0}}, began=1)
    write(tmp_path, {"loss": range_of(6, 8, 200)}, began=2)
    found = read_scalars(tmp_path)
    assert found["loss"] == range_of(0, 6, 100) | range_of(6, 8, 200)
    assert found["eval"] == {5: 1.0}


def test_a_writer_that_says_from_where_it_purges_is_taken_at_its_word(tmp_path: Path) -> None:
    write(tmp_path, {"loss": range_of(0, 10, 100)}, began=1)
    write(tmp_path, {"loss": {7: 0.5}}, began=2, purge_step=4)
    assert read_scalars(tmp_path)["loss"] == range_of(0, 4, 100) | {7: 0.5}


def test_writers_beside_each_other_are_both_kept_and_folders_name_their_tags(tmp_path: Path) -> None:
    write(tmp_path, {"loss": range_of(0, 5, 0)}, began=1)
    write(tmp_path, {"hp_metric": {0: 1.0}}, began=2)
    write(tmp_path / "validation", {"loss": {4: 9.0}}, began=3)
    found = read_scalars(tmp_path)
    assert found == {"loss": range_of(0, 5, 0), "hp_metric": {0: 1.0}, "validation/loss": {4: 9.0}}


def test_histograms_are_no_scalars_and_a_file_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_histogram("weights", np.arange(10.0), 0)
        for step in range(50):
            writer.add_scalar("loss", step, step)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert read_scalars(tmp_path) == {"loss": {step: float(step) for step in range(49)}}


def test_a_new_run_of_scalars_alone_can_be_opened_listed_and_checked(tmp_path: Path) -> None:
    scalars = {"train/loss": range_of(0, 100, 0), "train/lr": {step: 0.1 if step < 50 else 0.01 for step in range(100)}}
    report = import_scalars(scalars, tmp_path / "run", source="logs/resnet", rename={"train/lr": "lr"})
    assert (report.written, report.kept, report.is_new, report.names) == (200, 0, True, ("lr", "train/loss"))
    run = open_run(tmp_path / "run")
    assert (run.info.name, run.state, run.has_network) == ("resnet", "finished", False)
    assert run.scalars()["train/loss"].tolist() == list(range(100))
    assert len(run.learning_rate_stages()) == 2
    assert summary(run)["dumps"] == 0
    assert run.check() == []


def test_a_run_keeps_what_it_has_and_importing_again_takes_up_what_has_come_since(tmp_path: Path) -> None:
    place = tmp_path / "run"
    write_run(place, Scale(5, classes=3, samples_per_class=2, resnet50=False))
    before = open_run(place).scalars()
    name, iterations = next(name for name in before if name != "iteration"), before["iteration"].tolist()
    files = {path: path.read_bytes() for path in place.rglob("log/**/*.arrow")}
    given = {"tb/loss": dict.fromkeys(iterations[::2], 3.0), name: dict.fromkeys(iterations, -1.0)}
    report = import_scalars(given, place, source="logs")
    assert (report.written, report.kept, report.differ) == (len(iterations[::2]), len(iterations), len(iterations))
    assert {path: path.read_bytes() for path in files} == files
    after = open_run(place).scalars()
    np.testing.assert_array_equal(after[name], before[name])
    assert after["iteration"].tolist() == iterations
    assert after["tb/loss"][::2].tolist() == [3.0] * len(iterations[::2])
    assert np.isnan(after["tb/loss"][1::2]).all()
    assert import_scalars(given, place, source="logs").written == 0
    given["tb/loss"][iterations[-1] + 5] = 4.0
    assert import_scalars(given, place, source="logs").written == 1
    assert open_run(place).scalars()["tb/loss"][-1] == 4.0
    assert open_run(place).check() == []


def test_a_file_of_scalars_never_takes_the_place_of_another(tmp_path: Path) -> None:
    for step in range(4):
        import_scalars({"a": {step: 1.0}, "b": {step: 2.0}}, tmp_path / "run", source="logs")
    first = {path: path.read_bytes() for path in tmp_path.rglob("log/**/*.arrow")}
    for name in ("c", "d", "e"):
        import_scalars({name: {1: 5.0}}, tmp_path / "run", source="logs")
    assert {path: path.read_bytes() for path in first} == first
    assert [open_run(tmp_path / "run").scalars()[name][1] for name in "abcde"] == [1, 2, 5, 5, 5]
    with pytest.raises(DeepTrackerError, match="All that fit are taken"):
        import_scalars({"f": {1: 5.0}}, tmp_path / "run", source="logs")


def test_what_cannot_be_taken_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EventFileError, match="must hold event files"):
        read_scalars(tmp_path)
    for wrong, says in (
        ({"iteration": {1: 1.0}}, "--rename iteration=ANOTHER"),
        ({"loss": {-1: 1.0}}, "a step must be in"),
    ):
        with pytest.raises(ValueError, match=says):
            import_scalars(wrong, tmp_path / "run", source="logs")
    with pytest.raises(ValueError, match="nothing is not"):
        import_scalars({"loss": {1: 1.0}}, tmp_path / "run", source="logs", rename={"nothing": "lr"})
    assert not (tmp_path / "run").exists()
    (tmp_path / "events.out.tfevents.1").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_file_loader", None)
    with pytest.raises(DeepTrackerError, match=r"pip install 'deeptracker\[tensorboard\]'"):
        read_scalars(tmp_path)
