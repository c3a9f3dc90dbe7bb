"""The benchmark of a live run works, and would see an answer that is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.generate import Scale, write_run
from benchmarks.live_questions import QUESTIONS, Answer, log_alone, summed, wrong_answers
from deeptracker.indexing import build_index
from deeptracker.run import Run

SCALE = Scale(80, 4, 6, 10, resnet50=False, pictures=False)
ASKED = {
    "classes": {},
    "overall": {},
    "node-stats": {"measure": "weight_median"},
    "class": {"cls": 2},
    "sample": {"sample": 7},
    "box": {"node": 1, "measure": "sd"},
    "filters": {"layer": 3, "measure": "change"},
    "filter": {"layer": 1, "filter": 0},
    "top-filters": {"iteration": 100, "k": 9, "measure": "change"},
    "top-counts": {"k": 9, "measure": "change"},
    "anomalies": {"window": 3, "threshold": 0.2},
    "clusters": {"k": 2},
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an index; not to be changed."""
    place = tmp_path_factory.mktemp("live") / "run"
    write_run(place, SCALE)
    build_index(place)
    return place


def answer(run: Run, route: str, first: int, dumps: int) -> Answer:
    (question,) = [question for question in QUESTIONS if question.route == route]
    arrays = question.expect(run, ASKED[route], slice(first, dumps))
    return Answer(route, ASKED[route], first, dumps, summed(arrays))


def test_every_question_is_tried_here() -> None:
    assert set(ASKED) == {question.route for question in QUESTIONS}


@pytest.mark.parametrize("route", ASKED)
def test_an_answer_is_right_for_its_dumps_and_wrong_for_others(recorded: Path, tmp_path: Path, route: str) -> None:
    then = Run(log_alone(recorded, tmp_path / "then", dumps=20))
    assert len(then.iterations) == 20
    right = answer(then, route, 0, 20)
    assert wrong_answers(recorded, [right], tmp_path) == []
    later = answer(Run(recorded), route, 0, 80)
    if later.sums != right.sums:
        (text,) = wrong_answers(recorded, [Answer(route, right.parameters, 0, 20, later.sums)], tmp_path)
        assert f"/api/{route} " in text
        assert "at 20 dumps" in text
    assert later.sums != right.sums or route == "top-filters"


def test_a_damaged_number_is_seen(recorded: Path, tmp_path: Path) -> None:
    right = answer(Run(recorded), "top-filters", 0, 80)
    (dtype, shape, crc32) = right.sums["value"]
    wrong = Answer("top-filters", right.parameters, 0, 80, right.sums | {"value": (dtype, shape, crc32 ^ 1)})
    assert len(wrong_answers(recorded, [right, wrong], tmp_path)) == 1


@pytest.mark.slow
def test_it_runs(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "live.py"
    command = [sys.executable, str(script), "--small", "--minutes", "0.1", "--interval", "0.075", "--readers", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {
        row[1].strip(): row[2].strip() for row in (line.split("│") for line in done.stdout.splitlines()) if len(row) > 3
    }
    assert (rows["failed"], rows["wrong"]) == ("0", "0")
    assert "80 dumps in" in done.stdout
    assert int(rows["answers"].split(" ")[0].replace(",", "")) > 20
