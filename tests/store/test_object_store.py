"""A run in an object store is recorded, read and served like one in a folder: with a real S3 server."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import astuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import torch
from torch import nn

from deeptracker import Recorder, open_run
from deeptracker import cli as command_line
from deeptracker.errors import ObjectStoreError, RunExistsError, RunNotFoundError
from deeptracker.record.trouble import RecorderWarning
from deeptracker.run import Run
from deeptracker.server.finding import DEEPEST_FOLDER
from deeptracker.server.runs import ServedRuns
from deeptracker.server.serving import Server
from deeptracker.store import remote
from deeptracker.store.blobs import Blobs
from tests.s3 import Bucket, Link
from tests.server.test_frame import decode

X, Y = torch.rand(12, 1, 6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3


def make() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.5)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(X), Y).backward()
    optimizer.step()


def record(place: str | Path, steps: int = 5) -> None:
    model, optimizer = make()
    with Recorder(place, model, optimizer, validation=(X, Y), name="same", strict=True) as recorder:
        for i in range(steps):
            step(model, optimizer)
            recorder.log(loss=1 / (i + 1))


def answers(run: Run) -> dict[str, Any]:
    assert run.samples is not None
    classes = [run.class_samples(cls) for cls in range(3)]
    scalars = run.scalars()
    layers = [layer.name for layer in run.network().layers]
    return {
        "network": run.network(),
        "ids": run.samples.ids,
        "iterations": run.iterations,
        "error rates": run.error_rates(),
        "predicted": [found.predicted for found in classes],
        "histories": [run.sample_history(i) for i in range(12)],
        "pictures": [run.picture(i) for i in range(12)],
        "scalars": {name: scalars[name] for name in scalars if name != "iteration_seconds"},
        "filters": [run.filter_stats(layer, "change") for layer in layers],
        "layers": [run.layer_stats(layer, "sd") for layer in layers],
        "medians": [run.layer_stats(layer, "weight_median") for layer in layers],
        "top": astuple(run.top_filters(int(run.iterations[-1]), 5)),
        "warnings": run.warnings,
    }


def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Exit status, and all that the command says."""
    monkeypatch.setattr("sys.argv", ["deeptracker", *arguments])
    status = 0
    try:
        command_line.main()
    except SystemExit as left:
        status = int(left.code or 0)
    said = capsys.readouterr()
    return status, said.out + said.err


def test_a_run_in_a_bucket_gives_the_same_answers_as_one_in_a_folder(s3: Bucket, tmp_path: Path) -> None:
    record(tmp_path / "run")
    record(s3.url("runs/a"))
    assert {blob.path for blob in Blobs(s3.url("runs/a")).list()} == {
        blob.path for blob in Blobs(tmp_path / "run").list()
    }
    here, there = open_run(tmp_path / "run"), open_run(s3.url("runs/a"))
    np.testing.assert_equal(answers(there), answers(here))
    assert there.iterations.tolist() == [0, 1, 2, 3, 4, 5]
    assert there.state == "finished"
    assert there.size_bytes > 0
    assert there.check() == []


def test_a_place_in_a_bucket_is_free_for_one_run_and_can_be_resumed(s3: Bucket) -> None:
    record(s3.url("run"), 2)
    with pytest.raises(RunExistsError, match=r"s3://bucket-\w+/run must be free"):
        record(s3.url("run"))
    model, optimizer = make()
    with Recorder(s3.url("run"), model, optimizer, validation=(X, Y), resume=1, strict=True):
        step(model, optimizer)
        step(model, optimizer)
    run = open_run(s3.url("run"))
    assert run.branch == 1
    assert run.iterations.tolist() == [0, 1, 2, 3]


def test_a_live_run_in_a_bucket_is_followed(s3: Bucket) -> None:
    model, optimizer = make()
    with Recorder(s3.url("run"), model, optimizer, validation=(X, Y), strict=True) as recorder:
        recorder.flush()
        run = open_run(s3.url("run"))
        for i in range(1, 4):
            step(model, optimizer)
            recorder.flush()
            assert run.refresh()
            assert run.iterations.tolist() == list(range(i + 1))
            assert run.error_rates().shape == (3, i + 1)
            assert not np.isnan(run.error_rates()).any()
            assert run.state == "live"
    assert run.refresh()
    assert run.state == "finished"
    np.testing.assert_equal(answers(run), answers(open_run(s3.url("run"))))


def test_what_is_written_once_is_fetched_once(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    record(s3.url("run"))
    fetched: list[str] = []
    kept = remote.RemoteFiles._kept

    def counted(self: remote.RemoteFiles, path: str, part: object, fetch: Callable[[], bytes]) -> bytes:
        return kept(self, path, part, lambda: (fetched.append(path), fetch())[1])

    monkeypatch.setattr(remote.RemoteFiles, "_kept", counted)
    run = open_run(s3.url("run"))
    answers(run)
    run.check()
    run.refresh()
    files = [path for path in fetched if path.startswith(("log/", "samples/"))]
    assert len(files) == len(set(files)) > 4 * 6
    assert fetched.count("run.json") >= 2


def test_check_info_and_ls_work_on_a_bucket(
    s3: Bucket, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(s3.url("runs/a"), 2)
    assert cli(capsys, monkeypatch, "check", s3.url("runs/a")) == (0, "3 dumps, all whole.\n")
    status, said = cli(capsys, monkeypatch, "info", s3.url("runs/a"))
    assert status == 0
    assert "finished" in said
    status, said = cli(capsys, monkeypatch, "ls", s3.url())
    assert status == 0
    assert "runs/a" in said
    Blobs(s3.url("runs/a")).put("log/filters/000000000001.arrow", b"cut")
    status, said = cli(capsys, monkeypatch, "check", s3.url("runs/a"))
    assert status == 1
    assert "log/filters/000000000001.arrow must be" in said


def test_a_bucket_is_served(s3: Bucket, tmp_path: Path) -> None:
    record(tmp_path / "run")
    record(s3.url("deep/down/a"))
    server = Server(s3.url(), host="127.0.0.1", port=0, token=None)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        (found,) = httpx2.get(f"{server.link}api/runs", timeout=20).json()["runs"]
        assert (found["id"], found["dumps"], found["state"]) == ("deep/down/a", 6, "finished")
        answer = httpx2.get(f"{server.link}api/class", params={"run": "deep/down/a", "cls": 1}, timeout=20)
        here = open_run(tmp_path / "run").class_samples(1)
        np.testing.assert_array_equal(decode(answer.content)[1]["labels"], here.predicted)
        picture = httpx2.get(f"{server.link}api/picture", params={"run": "deep/down/a", "sample": 2}, timeout=20)
        assert picture.content == open_run(tmp_path / "run").picture(2)
    finally:
        server.stop()
        thread.join(timeout=10)


@pytest.mark.parametrize("failure", ["refuse", "drop"])
def test_a_connection_that_fails_costs_dumps_and_a_warning_and_training_goes_on(
    link: Link, s3: Bucket, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    monkeypatch.setattr(remote, "RETRIES", 1)
    alone, optimizer = make()
    for _ in range(7):
        step(alone, optimizer)
    model, optimizer = make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Recorder(s3.url("run"), model, optimizer, validation=(X, Y)) as recorder:
            for i in range(1, 8):
                if i == 3:
                    recorder.flush()
                    getattr(link, failure)()
                if i == 6:
                    recorder.flush()
                    link.restore()
                step(model, optimizer)
    for ours, theirs in zip(model.parameters(), alone.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    said = [str(one.message) for one in caught if one.category is RecorderWarning]
    assert len([text for text in said if "record dump at iteration 3: ObjectStoreError: s3://" in text]) == 1
    assert len([text for text in said if "record dump" in text]) == 1
    assert len(said) <= 3  # of dumps, scalars and run.json one each
    assert {one.filename for one in caught if one.category is RecorderWarning} == {__file__}
    assert "Check the network" in said[0]
    run = open_run(s3.url("run"))
    assert run.iterations.tolist() == [0, 1, 2, 6, 7]
    assert run.state == "finished"
    told = [text for text in run.info.lost if text.startswith("dump ")]
    assert len(told) == 1
    assert told[0].startswith("dump at iterations 3, 4, 5: ObjectStoreError: s3://")
    assert run.check() == list(run.info.lost)


def test_a_reader_outlives_a_connection_that_fails(link: Link, s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RETRIES", 1)
    record(s3.url("run"), 2)
    served, run = ServedRuns(s3.url()), open_run(s3.url("run"))
    link.refuse()
    for question in (run.refresh, run.error_rates, served.ids, lambda: open_run(s3.url("run"))):
        with pytest.raises(ObjectStoreError, match=r"must be reachable\. The store at http://127.* Check the network"):
            question()
    link.restore()
    assert served.ids() == ["run"]
    np.testing.assert_equal(answers(run), answers(open_run(s3.url("run"))))
    assert run.check() == []


def no_bucket(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    return "s3://not-there/run"


def wrong_credentials(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    s3.check_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    return s3.url("run")


def no_credentials(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    return s3.url("run")


def nobody_there(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(remote, "RETRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    return s3.url("run")


def plain_http(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    return s3.url("run")


def no_such_scheme(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    return "s4://bucket/run"


@pytest.mark.parametrize(
    ("fault", "wrong", "remedy"),
    [
        (no_bucket, "There is none of that name at http", "Create it, or correct the URL"),
        (wrong_credentials, "refuses them (InvalidAccessKeyId)", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (no_credentials, "The environment has none", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (nobody_there, "http://127.0.0.1:9 cannot be reached", "AWS_ENDPOINT_URL"),
        (plain_http, "cannot be reached", "AWS_ALLOW_HTTP=true"),
        (no_such_scheme, "must be the URL of an object store", "such as s3://bucket/runs"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_a_store_is_one_sentence_with_a_remedy(
    s3: Bucket,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Bucket, pytest.MonkeyPatch], str],
    wrong: str,
    remedy: str,
) -> None:
    place = fault(s3, monkeypatch)
    try:
        for command in ("info", "check", "ls"):
            status, said = cli(capsys, monkeypatch, command, place)
            assert status == 1
            assert wrong in said
            assert remedy in said
            assert said.count("\n") == 1
            assert place in said
        model, optimizer = make()
        with pytest.raises(ObjectStoreError) as caught:
            Recorder(place, model, optimizer)
        assert remedy in str(caught.value)
    finally:
        s3.check_credentials(False)


class Overloaded(BaseHTTPRequestHandler):
    """A server that has no time: what S3 says then."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_store_that_keeps_failing_says_the_same_of_every_file(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RETRIES", 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), Overloaded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        blobs, said = Blobs(s3.url("run")), set()
        for path in ("log/a", "log/b"):
            with pytest.raises(ObjectStoreError, match=r"it answers 503 .*\(SlowDown\)\. Check its address") as caught:
                blobs.put(path, b"x")
            said.add(str(caught.value))
        server.shutdown()
    assert len(said) == 1


def test_azure_without_an_account_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ObjectStoreError, match=r"The environment has none\. Set AZURE_STORAGE_ACCOUNT_NAME and AZURE"):
        Blobs("az://container/run")


def test_a_bucket_without_a_run_there_says_so(s3: Bucket) -> None:
    with pytest.raises(RunNotFoundError, match=r"no run in s3://.*/run \(no run\.json\)"):
        open_run(s3.url("run"))
    assert ServedRuns(s3.url()).ids() == []


def test_the_list_of_runs_asks_once_a_folder_and_never_looks_into_a_run(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(s3.url())
    runs = ["a", "group/b", "group/deeper/c", "x/x/x/x"]
    for run in runs:
        blobs.put(f"{run}/run.json", b"{}")
        for i in range(30):
            blobs.put(f"{run}/log/filters/{i:012d}.arrow", b"")
    blobs.put("x/x/x/x/run.json.bak", b"")
    blobs.put("y/y/y/y/y/run.json", b"{}")  # too deep
    blobs.put(".hidden/run.json", b"{}")
    blobs.put("a/inside/run.json", b"{}")  # belongs to the run around it
    asked: list[str] = []
    level = remote.RemoteFiles.level

    def counted(self: remote.RemoteFiles, folder: str) -> Any:
        asked.append(folder)
        return level(self, folder)

    monkeypatch.setattr(remote.RemoteFiles, "level", counted)
    monkeypatch.setattr(remote.RemoteFiles, "list", None)  # listing everything would take a request for 1,000 files
    assert DEEPEST_FOLDER == 4
    assert ServedRuns(s3.url()).ids() == runs
    parts = ["", "a", "group", "group/b", "group/deeper", "group/deeper/c"]
    assert sorted(asked) == sorted([*parts, *("/".join(c * n) for c in "xy" for n in range(1, 5))])
    assert ServedRuns(s3.url("a")).ids() == [""]
    assert ServedRuns(s3.url("group")).ids() == ["b", "deeper/c"]
