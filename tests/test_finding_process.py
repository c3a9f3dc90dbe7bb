"""A process that looks for findings beside what matters more: it gives way, follows a live run, and leaves."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.generate import Scale, write_run
from deeptracker import finding_process, open_run
from deeptracker.analysis.findings import Finding, Place
from deeptracker.analysis.findings.as_json import MOST_SAMPLES, as_json, finding_of, whole
from deeptracker.errors import FindingsNotMadeError, LogFileError, RunNotFoundError
from deeptracker.finding_process import FindingProcess, Seen, _Opened
from deeptracker.index_process import IndexProcess
from tests.broken_runs import BrokenRun, broken, not_finite
from tests.test_index_process import is_alive, until


@pytest.fixture(scope="module")
def shared() -> Iterator[FindingProcess]:
    with FindingProcess() as process:
        yield process


def pid_of(process: FindingProcess) -> int:
    assert process._process is not None
    return process._process.pid


def planted(answer: dict[str, Any]) -> int:
    return sum(one["kind"] == "not-finite" for one in answer["found"])


def keys(found: tuple[list[Finding], Seen] | None) -> list[str]:
    assert found is not None
    return [one.key for one in not_finite(found[0])]


def test_what_it_finds_in_a_live_run_is_what_the_run_says_now_and_it_gives_way(tmp_path: Path) -> None:
    live = BrokenRun(tmp_path / "live", {"conv2": 3, "fc": 5})
    live.record(2)
    with FindingProcess() as process:
        first = process.findings(live.place)
        assert first is not None
        assert (keys(first), first[1]) == ([], Seen(dumps=2, iteration=10, branch=0))
        assert os.getpriority(os.PRIO_PROCESS, pid_of(process)) == 19
        live.record(4)
        assert keys(process.findings(live.place)) == ["not-finite.l1"]
        live.record(7)
        found = process.findings(live.place)
        pid = pid_of(process)
    assert found is not None
    assert found[0] == list(open_run(live.place).findings())
    assert (keys(found), found[1]) == (["not-finite.l1", "not-finite.l2"], Seen(dumps=7, iteration=60, branch=0))
    assert not is_alive(pid)


def test_suggestions_are_those_of_the_run(tmp_path: Path, shared: FindingProcess) -> None:
    write_run(tmp_path / "run", Scale(80, 4, 30, 10, resnet50=False, pictures=False))
    expected = open_run(tmp_path / "run").suggestions()
    assert expected
    assert shared.suggestions(str(tmp_path / "run")) == (expected, Seen(dumps=80, iteration=790, branch=0))


def test_an_abandoned_branch_is_looked_at_as_it_was(tmp_path: Path) -> None:
    place = broken(tmp_path / "run", 6, conv1=4)
    healthy = BrokenRun(tmp_path / "run", {}, resume=20)
    healthy.dumps = 3
    healthy.record(5)
    opened = _Opened()
    now, before = (opened.answer("findings", place, branch) for branch in (None, 0))
    assert (planted(now), now["seen"]["dumps"], now["seen"]["branch"]) == (0, 5, 1)
    assert (planted(before), before["seen"]["dumps"], before["seen"]["branch"]) == (1, 6, 0)


def test_what_is_wrong_is_raised_as_the_run_would_raise_it_and_the_next_is_answered(
    tmp_path: Path, shared: FindingProcess
) -> None:
    place = broken(tmp_path / "run", conv1=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text("{")
    with pytest.raises(RunNotFoundError, match="no run in "):
        shared.findings(str(tmp_path))
    with pytest.raises(LogFileError, match=r"run\.json"):
        shared.findings(str(tmp_path / "other"))
    assert keys(shared.findings(place)) == ["not-finite.l0"]


def test_one_that_was_killed_meanwhile_is_started_again(tmp_path: Path) -> None:
    place = broken(tmp_path / "run", conv1=1)
    with FindingProcess() as process:
        process.findings(place)
        first = process._process
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert keys(process.findings(place)) == ["not-finite.l0"]
        assert pid_of(process) != first.pid


def test_stopped_while_it_is_asked_it_says_nothing_and_while_it_is_killed_an_error(tmp_path: Path) -> None:
    place = broken(tmp_path / "run", conv1=1)
    process = FindingProcess()
    process.findings(place)
    os.kill(pid_of(process), signal.SIGSTOP)
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(process.findings(place))
        except FindingsNotMadeError as error:
            answers.append(str(error))

    for stopped in (False, True):
        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: process._turn.locked() and process._process is not None, "it must be asked")
        pid = pid_of(process)
        os.kill(pid, signal.SIGSTOP)
        if stopped:
            threading.Thread(target=process.stop).start()
            until(lambda: process._process is None, "it must be ended")
            os.kill(pid, signal.SIGCONT)
        else:
            os.kill(pid, signal.SIGKILL)
        thread.join(20)
        assert not is_alive(pid)
    assert answers == [
        f"the process that looks for findings must answer. It ended with status -9. "
        f"Try it by hand: deeptracker findings {place}",
        None,
    ]
    assert process.findings(place) is None


def test_whoever_is_told_how_far_it_is_may_fail_and_the_next_question_gets_its_own_answer(tmp_path: Path) -> None:
    write_run(tmp_path / "run", Scale(64, 3, 4, 10, resnet50=False, pictures=False))

    def fail(blocks: int) -> None:
        raise KeyboardInterrupt

    with IndexProcess() as process:
        with pytest.raises(KeyboardInterrupt):
            process.build(str(tmp_path / "run"), on_begin=fail)
        built = process.build(str(tmp_path / "run"))
    assert built is not None
    assert built.blocks_written + built.blocks_kept == 1


def test_a_program_that_is_no_python_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.frozen", True, raising=False)
    with FindingProcess() as process, pytest.raises(FindingsNotMadeError, match="deeptracker findings RUN") as caught:
        process.findings(str(tmp_path))
    assert caught.value.is_refused


def test_few_runs_stay_open_and_keep_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [broken(tmp_path / str(number), conv1=1) for number in range(4)]
    opened = _Opened()
    for place in [*places, places[2]]:
        opened.answer("findings", place, None)
    assert [place for place, _ in opened._runs] == [places[1], places[3], places[2]]
    for run in opened._runs.values():
        run.filter_stats("conv1", "l2")  # findings themselves keep nothing that they have read
    held = {place: run.held_bytes for (place, _), run in opened._runs.items()}
    assert min(held.values()) > 0
    monkeypatch.setattr(finding_process, "HELD_BYTES", held[places[2]])
    opened.answer("findings", places[2], None)
    assert [run.held_bytes for run in opened._runs.values()] == [0, 0, held[places[2]]]


def test_a_run_that_is_recorded_anew_is_opened_anew(tmp_path: Path) -> None:
    opened = _Opened()
    place = broken(tmp_path / "run", conv1=1)
    assert planted(opened.answer("findings", place, None)) == 1
    os.rename(place, tmp_path / "old")
    broken(tmp_path / "run", 3)
    now = opened.answer("findings", place, None)
    assert (planted(now), now["seen"]) == (0, {"dumps": 3, "iteration": 20, "branch": 0})


def test_what_nobody_asks_for_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_process, "IDLE_SECONDS", 0.1)
    opened = _Opened()
    opened.answer("findings", broken(tmp_path / "run", conv1=1), None)
    threading.Thread(target=opened.close_idle, daemon=True).start()
    until(lambda: not opened._runs, "it must be closed")


def test_any_thread_may_ask(tmp_path: Path, shared: FindingProcess) -> None:
    places = [broken(tmp_path / str(number), conv1=1, **({"fc": 2} if number else {})) for number in range(2)]
    answers: dict[int, list[str]] = {}

    def ask(number: int) -> None:
        answers[number] = keys(shared.findings(places[number % 2]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [len(answers[n]) for n in range(6)] == [1, 2, 1, 2, 1, 2]


def test_of_very_many_samples_the_first_are_listed_and_all_are_counted() -> None:
    finding = Finding("samples-always-wrong", "low", "Many are.", "600.", Place(samples=tuple(range(600))))
    told = as_json(finding)
    assert (told["samples"], told["sample_count"]) == (list(range(MOST_SAMPLES)), 600)
    assert finding_of(whole(finding)) == finding
