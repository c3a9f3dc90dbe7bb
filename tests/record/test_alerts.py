"""Findings while a training runs: told once, in the training's own thread; rules that stop it; a webhook."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import deeptracker
from deeptracker import open_run
from deeptracker.analysis.findings import Finding, Place
from deeptracker.analysis.findings.as_json import as_json
from deeptracker.companion import Companion
from deeptracker.record import webhook
from deeptracker.record.alerts import AlertOptions
from deeptracker.record.ranks import Ranks
from deeptracker.record.recorder import Recorder
from deeptracker.record.stop_rules import TrainingStopped, as_rules
from deeptracker.record.trouble import RecorderWarning
from tests.broken_runs import BrokenRun, broken, not_finite
from tests.test_index_process import is_alive, until

IMAGES = torch.rand(12, 1, 6, 6, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 3


class Training:
    """A small one. `step` makes a step of its optimizer; `spoil` makes a weight NaN.

    Unless it `looks` for findings no process is started: what is noticed at once needs none.
    """

    def __init__(self, place: Path | None, *, looks: bool = False, **options: Any) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.recorder: Any = None
        if place is not None:
            options = {"validation": (IMAGES, LABELS), "index": False, "strict": True} | options
            self.recorder = Recorder(place, self.model, self.optimizer, **options)
            if not looks:
                self.recorder.alerts.stop()

    def step(self, factor: float = 1.0) -> torch.Tensor:
        self.optimizer.zero_grad()
        loss = factor * nn.functional.cross_entropy(self.model(IMAGES), LABELS)
        loss.backward()
        self.optimizer.step()
        return loss

    def spoil(self) -> None:
        with torch.no_grad():
            self.model[0].weight[1, 0, 0, 0] = torch.nan


class Taking:
    """A server that takes what is posted; it answers with these statuses, then 200."""

    def __init__(self, *statuses: int) -> None:
        taken, left = self, list(statuses)
        self.posted: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = left.pop(0) if left else 200
                taken.posted.append((status, self.headers["Content-Type"], json.loads(body)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/hook/s3cret"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def taking() -> Iterator[Callable[..., Taking]]:
    made: list[Taking] = []

    def make(*statuses: int) -> Taking:
        made.append(Taking(*statuses))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def test_nan_in_a_dump_is_told_once_in_the_training_thread_and_needs_no_process(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    run = BrokenRun(
        tmp_path / "run",
        {"conv2": 3, "fc": 5},
        on_finding=lambda finding: told.append((finding.key, threading.get_ident())),
    )
    run.recorder.alerts.stop()
    run.record(4)
    run.recorder.log(30)
    assert told == [("not-finite.l1", threading.get_ident())]
    run.recorder.close()
    assert len(told) == 1


def test_the_process_finds_what_a_dump_alone_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeptracker.record.alerts._of_dump", lambda dump, network: [])
    told: list[Finding] = []
    run = BrokenRun(tmp_path / "run", {"conv2": 2}, on_finding=told.append)
    run.record(4)
    until(lambda: (run.recorder.log(30), not_finite(told))[1], "it must be told")
    pid = run.recorder.alerts._process._process.pid  # type: ignore[union-attr]
    run.bad_from["fc"] = 5
    run.record(7)
    run.recorder.close()  # which looks a last time
    assert not is_alive(pid)
    found = open_run(tmp_path / "run").findings()
    assert {one.key for one in told} >= {one.key for one in found}
    assert [one.key for one in not_finite(told)] == ["not-finite.l1", "not-finite.l2"]
    assert open_run(tmp_path / "run").info.told == tuple(one.key for one in told)


def test_what_was_told_before_a_resume_is_not_told_again_and_stops_only_if_it_begins_again(tmp_path: Path) -> None:
    told: list[str] = []
    options: dict[str, Any] = {"on_finding": lambda finding: told.append(finding.key), "stop_on": "nan"}
    first = BrokenRun(tmp_path / "run", {"conv2": 2}, **options)
    first.recorder.alerts.stop()
    first.record(4)
    with pytest.raises(TrainingStopped):
        first.recorder.log(30)
    first.recorder.close(index_seconds=0)
    for resume, stops in ((30, False), (10, True)):
        again = BrokenRun(tmp_path / "run", {"conv2": 2}, resume=resume, **options)
        again.recorder.alerts.stop()
        again.recorder.alerts._find(open_run(tmp_path / "run", branch=0).findings())  # what the process would say
        again.dumps = resume // 10 + 1
        assert again.recorder.alerts.stopped is None
        with again.recorder as recorder:
            again.record(5)
            recorder.log(40)
        assert (recorder.stopped is not None) == stops
    assert told == ["not-finite.l1"] + [key for key in told if "not-finite" not in key]


def test_nan_stops_a_training_at_once_and_with_ends_quietly(tmp_path: Path) -> None:
    training = Training(tmp_path / "run", stop_on="nan", every=100)
    with training.recorder as recorder:
        for step in range(5):
            training.step()
            recorder.log(loss=float("nan") if step == 2 else 1.0)
    assert recorder.iteration == 3
    assert recorder.stopped.key == "not-finite"
    run = open_run(tmp_path / "run")
    assert (run.state, run.info.exception) == ("finished", None)
    assert run.info.stopped == "at iteration 3: The loss is NaN or infinite at iteration 3."
    assert run.scalars()["loss"][-1:].tolist() != [1.0]


@pytest.mark.parametrize("validated", [False, True])
def test_nan_in_weights_or_outputs_stops_it_out_of_the_optimizer(tmp_path: Path, validated: bool) -> None:
    options: dict[str, Any] = {} if validated else {"validation": None, "example_input": IMAGES}
    training = Training(tmp_path / "run", stop_on="high", **options)
    training.step()
    training.spoil()
    training.step()
    training.recorder.flush()
    with pytest.raises(deeptracker.TrainingStopped) as caught:
        training.step()
    assert ("not-finite" in training.recorder.alerts.told) == validated
    assert caught.value.finding.key == "not-finite.l0"
    training.recorder.close()
    assert open_run(tmp_path / "run").info.stopped.startswith("at iteration 3: 4 of 4 filters of 0 have")  # type: ignore[union-attr]


def test_a_training_that_goes_on_after_a_stop_was_not_stopped(tmp_path: Path) -> None:
    training = Training(tmp_path / "run", stop_on="nan", every=100)
    training.step()
    with pytest.raises(TrainingStopped):
        training.recorder.log(loss=float("inf"))
    training.step()
    training.recorder.log(loss=float("nan"))
    training.recorder.close()
    assert open_run(tmp_path / "run").info.stopped is None


def test_another_exception_is_no_stop(tmp_path: Path) -> None:
    other = TrainingStopped(Finding("frozen-layer", "low", "Another run's.", "It says so."))
    with pytest.raises(TrainingStopped), Training(tmp_path / "run", stop_on="nan").recorder:
        raise other
    run = open_run(tmp_path / "run")
    assert (run.state, run.info.stopped) == ("failed", None)


def test_what_on_finding_raises_is_the_users(tmp_path: Path) -> None:
    def refuse(finding: Finding) -> None:
        raise KeyError(finding.kind)

    training = Training(tmp_path / "run", on_finding=refuse, every=100)
    training.step()
    with pytest.raises(KeyError, match="not-finite"):
        training.recorder.log(loss=float("nan"))
    training.step()
    training.recorder.close()
    assert open_run(tmp_path / "run").state == "finished"


def test_training_is_bit_identical_with_alerts(tmp_path: Path, taking: Any) -> None:
    options = {"on_finding": repr, "stop_on": ["nan", "class-collapse"], "webhook": taking().address, "every": 2}
    left = []
    for place, wanted in ((None, {}), (tmp_path / "run", options)):
        training = Training(place, looks=True, **wanted)
        for _ in range(8):
            loss = training.step()
            if training.recorder is not None:
                training.recorder.log(loss=loss)
        if training.recorder is not None:
            training.recorder.close()
        left.append([*training.model.parameters(), torch.get_rng_state()])
    for one, other in zip(*left, strict=True):
        assert torch.equal(one, other)


def test_the_webhook_is_posted_each_new_finding_for_chats_and_for_programs(tmp_path: Path, taking: Any) -> None:
    hook = taking()
    run = BrokenRun(tmp_path / "run", {"conv1": 1, "fc": 2}, webhook=hook.address, name="resnet")
    run.recorder.alerts.stop()
    run.record(4)
    run.recorder.close()
    told = [body for _, _, body in hook.posted]
    assert {kind for _, kind, _ in hook.posted} == {"application/json"}
    planted = [one for one in told if one["finding"]["kind"] == "not-finite"]
    assert sorted(one["finding"]["key"] for one in planted) == ["not-finite.l0", "not-finite.l2"]
    first = planted[0]
    assert (first["run"], first["place"], first["see"]) == ("resnet", run.place, f"deeptracker serve {run.place}")
    for part in ("resnet", "high", first["finding"]["text"], first["finding"]["remedy"], first["see"]):
        assert part in first["text"]
    assert set(as_json(open_run(run.place).findings()[0])) == set(first["finding"])


def test_a_webhook_that_fails_is_tried_again_and_then_told_once_without_its_address(
    tmp_path: Path, taking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "WAIT_SECONDS", 0.01)
    hook = taking(503, 429, 200, 404, 500, 500, 500)
    training = Training(tmp_path / "run", webhook=hook.address, every=100, strict=False)
    alerts = training.recorder.alerts
    for kind in ("frozen-layer", "underfitting", "overfitting"):
        alerts._find([Finding(kind, "low", "It is so.", "It says so.")])
    with pytest.warns(RecorderWarning) as warned:
        training.recorder.close()
    assert [(status, body["finding"]["kind"]) for status, _, body in hook.posted] == [
        *((status, "frozen-layer") for status in (503, 429, 200)),
        (404, "underfitting"),
        *((status, "overfitting") for status in (500, 500, 500)),
    ]
    (text,) = [str(one.message) for one in warned]
    assert "could not tell the webhook at iteration 0: the webhook must take a finding. 127.0.0.1 answered 404" in text
    assert "s3cret" not in text
    assert open_run(tmp_path / "run").info.lost == ()


def test_a_process_that_cannot_be_started_is_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.frozen", True, raising=False)
    training = Training(tmp_path / "run", looks=True, on_finding=print, strict=False)

    def train() -> None:
        for _ in range(3):
            training.step()
        training.recorder.close()

    with pytest.warns(RecorderWarning) as warned:
        train()
    assert ["could not look for findings" in str(one.message) for one in warned] == [True]
    assert open_run(tmp_path / "run").info.lost == ()


def test_who_wants_none_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Companion, "_start", lambda self: pytest.fail("no process must be started"))
    before = threading.active_count()
    training = Training(tmp_path / "run")
    training.step()
    training.recorder.flush()
    assert threading.active_count() == before + 1  # the writer
    training.recorder.close()


@pytest.mark.parametrize(
    ("rule", "kind", "severity", "holds"),
    [
        ("nan", "not-finite", "high", True),
        ("nan", "frozen-layer", "high", False),
        ("frozen-layer", "frozen-layer", "low", True),
        ("medium", "frozen-layer", "low", False),
        ("medium", "frozen-layer", "high", True),
        (["nan", "frozen-layer"], "frozen-layer", "low", True),
        (lambda finding: finding.place.layer == 3, "frozen-layer", "low", True),
    ],
)
def test_a_rule_is_nan_a_kind_a_severity_a_callable_or_several(
    rule: Any, kind: str, severity: Any, holds: bool
) -> None:
    finding = Finding(kind, severity, "It is so.", "It says so.", Place(layer=3))
    assert any(rule(finding) for rule in as_rules(rule)) == holds


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"stop_on": "nans"}, ValueError, "Got 'nans'. Kinds are not-finite, "),
        ({"stop_on": ["nan", 3]}, TypeError, "Got a int"),
        ({"on_finding": "print"}, TypeError, "on_finding must be a callable"),
        ({"webhook": "hooks.slack.com/1"}, ValueError, "must be an address that begins with https"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        Training(tmp_path / "run", **options)
    with pytest.raises(error, match=said):
        BrokenRun(tmp_path / "run", {}, **options)
    assert not (tmp_path / "run").exists()


def test_a_training_of_several_processes_refuses_to_be_stopped_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rank in (0, 3):
        monkeypatch.setattr(Ranks, "here", lambda rank=rank: Ranks(rank, 4))
        with pytest.raises(ValueError, match="in one of 4: the process that stops would leave the others waiting"):
            Training(tmp_path / "run", stop_on="nan")
    assert not (tmp_path / "run").exists()
    assert AlertOptions.checked(print, None, None, processes=4).are_any


def test_looking_takes_a_share_of_the_time_and_the_newest_dump_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = BrokenRun(tmp_path / "run", {}, on_finding=print)
    alerts = run.recorder.alerts
    looks: list[float] = []

    def look(*_: Any) -> tuple[list[Finding], None]:
        looks.append(time.monotonic())
        time.sleep(0.05)
        return [], None

    monkeypatch.setattr(alerts._process, "findings", look)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        run.record(run.dumps + 1)
    run.recorder.close()
    pauses = np.diff(looks[:-1])
    assert len(looks) >= 2
    assert (pauses >= 0.2).all()  # 0.05 s of looking are a quarter of it
    assert alerts._looked_at == run.recorder.iteration


def test_a_healthy_run_says_nothing(tmp_path: Path) -> None:
    told: list[Finding] = []
    run = BrokenRun(tmp_path / "run", {}, on_finding=told.append, stop_on="nan")
    run.recorder.alerts.stop()
    run.record(2)
    run.recorder.close()
    assert not_finite(told) == []
    assert run.recorder.stopped is None
    assert open_run(broken(tmp_path / "other", conv1=1)).info.told == ()
