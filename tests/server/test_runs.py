"""Many runs below one root: few are open at a time, and nobody notices."""

import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from benchmarks.generate import Scale, write_dumps, write_run
from deeptracker.errors import RunNotFoundError
from deeptracker.indexing import build_index
from deeptracker.schema import Branch
from deeptracker.server import runs
from deeptracker.server.app import create_app
from deeptracker.server.runs import MOST_OPENED, ServedRuns
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader, LogWriter
from tests.server.test_routes import ask

SCALE = Scale(3, 3, 4, 10, resnet50=False, pictures=False)
MANY = MOST_OPENED + 4


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with many runs of the same three dumps; not to be changed."""
    root = tmp_path_factory.mktemp("many")
    write_run(root / "run00", SCALE)
    for number in range(1, MANY):
        shutil.copytree(root / "run00", root / f"run{number:02d}")
    return root


@pytest.fixture
def root(recorded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(recorded, tmp_path / "runs")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that were opened, in order."""
    places: list[str] = []
    run = runs.Run

    def open_and_note(place: str, branch: int | None = None) -> runs.Run:
        places.append(Path(place).name)
        return run(place, branch)

    monkeypatch.setattr(runs, "Run", open_and_note)
    return places


def open_ones(served: ServedRuns) -> list[str]:
    return [identity for identity, held in served._held.items() if held.run is not None]


def test_the_runs_looked_at_last_stay_open_and_no_more(root: Path) -> None:
    served = ServedRuns(str(root))
    ids = served.ids()
    for identity in [*ids, ids[0]]:
        with served.open(identity) as run:
            assert len(run.iterations) == 3
    assert open_ones(served) == [*ids[-MOST_OPENED + 1 :], ids[0]]
    assert served.looked_at(60)[:2] == [ids[0], ids[-1]]
    assert served.looked_at(-1) == []


def test_a_run_that_somebody_holds_is_not_closed(root: Path) -> None:
    served = ServedRuns(str(root))
    ids = served.ids()
    with ExitStack() as stack:
        held = {identity: stack.enter_context(served.open(identity)) for identity in ids}
        assert open_ones(served) == ids
        assert all(len(run.error_rates()[0]) == 3 for run in held.values())
    assert len(open_ones(served)) == MOST_OPENED


def test_the_list_opens_no_run_a_second_time_and_closes_none_that_is_looked_at(
    root: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SUMMARY_SECONDS", 0)
    served = ServedRuns(str(root))
    with served.open("run05"):
        pass
    listed = served.summaries()
    assert [one["dumps"] for one in listed] == [3] * MANY
    assert "run05" in open_ones(served)
    assert sorted(opened) == served.ids()
    assert served.summaries() == listed
    assert sorted(opened) == served.ids()


def test_the_list_sees_that_a_run_which_is_not_open_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SUMMARY_SECONDS", 0)
    served = ServedRuns(str(root))
    served.summaries()
    (closed, *_) = set(served.ids()) - set(open_ones(served))
    log = LogWriter(Blobs(root / closed))
    log.write_info(replace(LogReader(Blobs(root / closed)).info, state="failed"))
    assert {one["id"]: one["state"] for one in served.summaries()}[closed] == "failed"
    shutil.rmtree(root / closed)
    assert closed not in {one["id"] for one in served.summaries()}
    with pytest.raises(RunNotFoundError), served.open(closed):
        pass


def test_a_run_that_is_opened_again_gives_no_answer_of_before(root: Path) -> None:
    """It grew while it was closed, by nobody's noticing."""
    shutil.rmtree(root / "run00")
    dumps = write_dumps(root / "run00", Scale(9, 3, 4, 10, resnet50=False, pictures=False), finished=False)
    question = "/api/node-stats?run={}&measure=sd"
    with TestClient(create_app(str(root)), base_url="http://127.0.0.1") as client:
        served = client.app.state.served  # type: ignore[attr-defined]
        for expected in (1, 2, 3):
            next(dumps)
            assert ask(client, question.format("run00"))[0]["dumps"] == expected
            for number in range(1, MANY):
                ask(client, question.format(f"run{number:02d}"))
            assert "run00" not in open_ones(served)


def test_the_files_of_a_run_that_has_ended_are_not_listed_each_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "REFRESH_SECONDS", 0)
    listed: list[str] = []
    refresh = runs.Run.refresh

    def note(self: runs.Run) -> bool:
        listed.append(self.info.state)
        return refresh(self)

    monkeypatch.setattr(runs.Run, "refresh", note)
    served = ServedRuns(str(root))
    log = LogWriter(Blobs(root / "run01"))
    info = LogReader(Blobs(root / "run01")).info
    for _ in range(3):
        with served.open("run01") as run:
            assert run.info.state == "finished"
    assert listed == []
    log.write_info(replace(info, state="running"))  # it was resumed
    with served.open("run01") as run:
        assert run.info.state == "running"
    log.write_info(info)
    served._held["run01"]._pause = 0
    with served.open("run01") as run:
        assert run.info.state == "finished"
    assert listed == ["finished", "running"]
    monkeypatch.setattr(runs, "ENDED_SECONDS", 0)
    (root / "run01/log/filters/000000000020.arrow").unlink()
    served._held["run01"]._pause = 0
    with served.open("run01"):
        pass
    assert listed == ["finished", "running", "finished"]


def test_a_run_that_is_to_be_opened_anew_is(root: Path, opened: list[str]) -> None:
    served = ServedRuns(str(root))
    with served.open("run01") as run:
        served.open_anew("run01")  # while it is held
        assert len(run.iterations) == 3
    with served.open("run01") as another:
        assert another is not run
    served.open_anew("run01")
    assert open_ones(served) == []
    with served.open("run01"):
        pass
    served.open_anew("nowhere")
    assert opened == ["run01"] * 3


QUESTIONS = (
    "node-stats?measure=sd&width=20", "node-stats?measure=change", "filters?layer=1&measure=change&width=20",
    "filters?layer=2&measure=mean", "filter?layer=1&filter=0", "top-counts?k=3", "classes?width=20",
    "anomalies?window=3&threshold=0.2", "anomaly-counts?", "class?cls=1&width=20", "class?cls=1", "class-taken?cls=1",
    "clusters?k=2", "sample?sample=3",
)  # fmt: skip


@pytest.mark.parametrize("held_bytes", [0, 60_000])
def test_runs_keep_so_many_bytes_together_and_answer_the_same(tmp_path: Path, held_bytes: int) -> None:
    ids = [f"run{number}" for number in range(3)]
    for number, identity in enumerate(ids):
        write_run(tmp_path / identity, Scale(150, 3, 12, 10, resnet50=False, pictures=False), seed=number)
    build_index(tmp_path / ids[0])
    unbounded, bounded = (
        TestClient(create_app(str(tmp_path), cache_bytes=size), base_url="http://127.0.0.1") for size in (1 << 28, 0)
    )
    served = bounded.app.state.served  # type: ignore[attr-defined]
    served._held_bytes = held_bytes
    most = 0
    for question in QUESTIONS:
        for identity in ids:
            about = f"/api/{question}&run={identity}"
            expected, found = unbounded.get(about), bounded.get(about)
            assert found.status_code == 200, found.text
            assert found.content == expected.content
            kept = {one: held.run.held_bytes for one, held in served._held.items()}
            assert sum(kept.values()) <= held_bytes
            most = max(most, sum(kept.values()))
    assert most >= held_bytes // 2, "what fits is kept"
    held = unbounded.app.state.served._held.values()  # type: ignore[attr-defined]
    assert sum(one.run.held_bytes for one in held) > 10 * 60_000


def test_what_was_asked_for_longest_ago_is_dropped_first(root: Path) -> None:
    served = ServedRuns(str(root), held_bytes=1 << 20)
    for identity in ("run00", "run01", "run02"):
        with served.open(identity) as run:
            run.node_stats("sd")
            each = run.held_bytes
    assert each > 0
    served._held_bytes = 2 * each
    with served.open("run02"):
        pass
    assert [served._held[one].run.held_bytes for one in ("run00", "run01", "run02")] == [0, each, each]  # type: ignore[union-attr]
    served._held_bytes = 0
    with served.open("run01"), served.open("run02"):
        pass
    assert [served._held[one].run.held_bytes for one in ("run01", "run02")] == [0, 0]  # type: ignore[union-attr]


def test_a_run_is_also_shown_as_it_was_before_it_was_resumed(root: Path) -> None:
    place = root / "run01"
    info = LogReader(Blobs(place)).info
    LogWriter(Blobs(place)).write_info(info.with_branch(Branch(10, "2026-01-01T00:00:00+00:00")))
    shutil.copytree(root / "run00", root / "run02@0")
    shutil.rmtree(root / "run02")
    with TestClient(create_app(str(root)), base_url="http://127.0.0.1") as client:
        assert len(client.get("/api/runs").json()["runs"]) == MANY
        now, before = (client.get("/api/run", params={"run": run}).json() for run in ("run01", "run01@0"))
        assert [one["dumps"] for one in (now, before)] == [2, 3]
        assert [one["branch"] for one in (now, before)] == [1, 0]
        assert [one["start"] for one in before["branches"]] == [0, 10]
        assert now["branches"] == before["branches"]
        assert before["state"] == "stopped"
        assert before["name"].endswith("(branch 0)")
        header, _ = ask(client, "/api/overall?run=run01@0")
        assert header["iteration"] == 20
        assert client.get("/api/run", params={"run": "run02@0"}).json()["branch"] == 0  # a folder may be called so
        for nothing in ("run01@2", "run01@", "run01@-1", "@0", "run02", f"run01@{'9' * 5000}"):
            answer = client.get("/api/run", params={"run": nothing})
            assert answer.status_code == 404, nothing


def test_the_list_has_the_error_of_a_run_that_logged_none(root: Path) -> None:
    """As one of several processes, of which each knows its own samples."""
    for path in (root / "run01" / "log" / "scalars").iterdir():
        path.unlink()
    whole, without = (ServedRuns(str(root)).summary(run) for run in ("run00", "run01"))
    assert without["validation_error"] == pytest.approx(whole["validation_error"])
    assert without["curve"] == pytest.approx(whole["curve"])
