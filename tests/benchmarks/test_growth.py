"""Growth is measured on pairs of runs that fit on the disk, and nothing is left behind."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("duckdb", reason="pip install 'deeptracker[bench]'")

from rich.table import Table

from benchmarks import growth as measuring
from benchmarks.asked import LEVEL_QUESTIONS, QUESTIONS
from benchmarks.generate import Scale, write_run
from benchmarks.growth import FULL, NARROW, QUICK, Growth, add_rows, empty_table
from benchmarks.questions import has_index, linked_log
from benchmarks.session import NODE_MEASURES, first_questions, further_questions, session
from deeptracker.run import open_run
from deeptracker.schema import NODE_MEASURES as ALL_NODE_MEASURES

SCALE = Scale(dumps=20, classes=5, samples_per_class=4, iterations_per_dump=10, resnet50=False, pictures=False)


def cells(table: Table, column: int) -> list[str]:
    return [str(cell) for cell in table.columns[column].cells]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("with_index", [True, False])
def test_a_pair_gives_a_line_for_each_question_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_index: bool
) -> None:
    monkeypatch.setattr(measuring, "session", partial(session, questions=20))
    table = empty_table("test")
    growth = Growth("20 to 40 dumps", SCALE, replace(SCALE, dumps=40), 0)
    add_rows(table, growth, tmp_path, with_index=with_index)
    titles = [*LEVEL_QUESTIONS.values(), *QUESTIONS.values()]
    assert cells(table, 0)[: len(titles)] == titles
    assert all(float(ratio) > 0 for ratio in cells(table, 3))
    assert dict(zip(titles, cells(table, 4), strict=False))["mean weight of a module"] == "2.0"
    assert cells(table, 0)[-1] == "the log, MB"
    assert cells(table, 3)[-1] in ("1.9", "2.0")
    assert any("deeptracker serve" in title for title in cells(table, 0))
    assert not list(tmp_path.iterdir())


def test_a_session_asks_what_a_page_asks_and_repeats_little(tmp_path: Path) -> None:
    write_run(tmp_path / "run", SCALE)
    run = open_run(tmp_path / "run")
    paths = further_questions("run", run, 200)
    assert paths == further_questions("run", run, 200), "seeded"
    assert len(set(paths)) > 130
    routes = {path.split("?")[0] for path in [*paths, *first_questions("run")]}
    assert len(routes) >= 16
    assert set(NODE_MEASURES) <= set(ALL_NODE_MEASURES)


def test_a_pair_that_does_not_fit_on_the_disk_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 << 30))
    table = empty_table("test")
    add_rows(table, FULL[0], tmp_path, with_index=False)
    assert cells(table, 0) == ["needs 40 GB on disk, 5 are free: left out"]


@pytest.mark.parametrize("growth", [*NARROW, *FULL, *QUICK], ids=lambda growth: growth.what)
def test_the_runs_of_a_pair_differ_tenfold_in_what_the_pair_is_called_after(growth: Growth) -> None:
    def sizes(scale: Scale) -> tuple[int, int, int]:
        filters = scale.architecture.network(1000 if scale.resnet50 else scale.classes).filters
        return scale.dumps, filters, scale.classes * scale.samples_per_class

    place = ["dumps", "filters", "samples"].index(growth.what.split()[-1])
    small, large = sizes(growth.small), sizes(growth.large)
    assert growth.what == f"{small[place]:,} to {large[place]:,} {growth.what.split()[-1]}"
    assert [a == b for a, b in zip(small, large, strict=True)].count(True) == 2
    assert 8 < large[place] / small[place] <= 10


def test_a_linked_log_is_the_same_files_without_the_index(tmp_path: Path) -> None:
    write_run(tmp_path / "run", SCALE)
    (tmp_path / "run" / "index").mkdir()
    assert has_index(tmp_path / "run")
    linked = linked_log(tmp_path / "run", tmp_path / "linked")
    assert not has_index(linked)
    path = "log/filters/000000000000.arrow"
    assert (linked / path).samefile(tmp_path / "run" / path)
