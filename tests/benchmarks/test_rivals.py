"""What DeepTracker is measured against answers the same questions, and equally."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("duckdb", reason="pip install 'deeptracker[bench]'")

from benchmarks.asked import ARGUMENTS, LEVEL_QUESTIONS, QUESTIONS, Ours, arguments, ask
from benchmarks.generate import Scale, write_run
from benchmarks.rivals import Fixed, Npz, Parquet, Rival
from deeptracker.run import open_run

SCALE = Scale(dumps=30, classes=12, samples_per_class=6, iterations_per_dump=10, resnet50=False, pictures=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run."""
    folder = tmp_path_factory.mktemp("rivals") / "run"
    write_run(folder, SCALE)
    return folder


@pytest.fixture(scope="module")
def chosen(place: Path) -> dict[str, list[Any]]:
    return arguments(open_run(place))


def written(rival: type[Npz] | type[Parquet], place: Path, folder: Path) -> Rival:
    Fixed.write(place, folder)
    rival.write(place, folder)
    return rival(folder)


def assert_equal_answers(ours: Ours, theirs: Rival, chosen: dict[str, list[Any]]) -> None:
    for question in QUESTIONS:
        for value in chosen[question][:4]:
            pairs = zip(getattr(ours, question)(value), getattr(theirs, question)(value), strict=True)
            for own, other in pairs:
                assert own.size or value != chosen[question][0], question
                if question == "layer_stats":
                    np.testing.assert_allclose(other, own, rtol=1e-5, atol=1e-9)
                else:
                    np.testing.assert_array_equal(other, own, err_msg=question)


@pytest.mark.parametrize("rival", [Npz, Parquet])
def test_files_of_each_dump_give_our_answers(
    rival: type[Npz] | type[Parquet], place: Path, chosen: dict[str, list[Any]], tmp_path: Path
) -> None:
    assert_equal_answers(Ours(place), written(rival, place, tmp_path), chosen)


@pytest.mark.filterwarnings("ignore")  # those of TensorBoard's own imports
def test_tensorboards_events_give_our_answers(place: Path, chosen: dict[str, list[Any]], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from benchmarks.rival_tensorboard import TensorBoard

    Fixed.write(place, tmp_path)
    TensorBoard.write(place, tmp_path)
    assert_equal_answers(Ours(place), TensorBoard(tmp_path), chosen)


def test_every_question_is_asked_of_something_else_as_long_as_there_is_something(place: Path) -> None:
    chosen = arguments(open_run(place))
    assert chosen.keys() == {*QUESTIONS, *LEVEL_QUESTIONS}
    for question, values in chosen.items():
        assert 1 <= len(values) <= ARGUMENTS
        assert len(set(values)) == len(values), question
    assert sorted(chosen["class_stats"]) == list(range(SCALE.classes))
    assert "layer1" in chosen["layer_stats"]
    assert "fc" not in chosen["filter_stats"]


def test_a_fresh_process_tells_its_times_memory_and_first_answers(place: Path, chosen: dict[str, list[Any]]) -> None:
    found = ask("ours", place, ["class_samples", "anomalies"], chosen, first=2, repeats=3)
    expected = Ours(place).class_samples(chosen["class_samples"][2])
    for own, other in zip(expected, found["class_samples"].answer, strict=True):
        np.testing.assert_array_equal(own, other)
    for asked in found.values():
        assert len(asked.warm) == 3
        assert asked.cold > 0
        assert asked.peak_bytes > 1 << 20
