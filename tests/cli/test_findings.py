"""`deeptracker findings` for people and scripts."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deeptracker import open_run
from deeptracker.analysis.findings import KINDS
from deeptracker.analysis.findings.as_json import as_json
from deeptracker.cli import app
from tests.broken_runs import broken


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return broken(tmp_path_factory.mktemp("runs") / "run", conv1=2, fc=4)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["findings", *arguments], env={"COLUMNS": "300"})


def test_each_is_told_with_severity_evidence_and_remedy(place: str) -> None:
    done = run(place)
    assert done.exit_code == 0
    for one in open_run(place).findings():
        for text in (one.severity, one.about.title, one.text, one.evidence, one.about.meaning, one.about.remedy):
            assert text in " ".join(done.stdout.split())  # lines are folded
    assert re.search(r"^\d+ findings? in 6 dumps\.$", done.stdout, re.MULTILINE)


def test_json_is_what_the_server_answers(place: str) -> None:
    assert json.loads(run(place, "--json").stdout) == [as_json(one) for one in open_run(place).findings()]


def test_a_healthy_run_says_so(tmp_path: Path) -> None:
    healthy = broken(tmp_path / "run", 1)
    done = run(healthy, "--fail-on", "low")
    assert (done.exit_code, done.stdout.strip()) == (0, "Nothing found in 1 dump.")


@pytest.mark.parametrize("severity", ["high", "low"])
def test_with_fail_on_the_status_tells(place: str, severity: str) -> None:
    assert KINDS["not-finite"].view == "layers"
    assert run(place, "--fail-on", severity).exit_code == 1
    assert run(place, "--fail-on", severity, "--json").exit_code == 1


def test_another_severity_is_refused(place: str) -> None:
    done = run(place, "--fail-on", "worst")
    assert done.exit_code == 1
    assert str(done.exception) == "--fail-on must be one of high, medium, low. Got 'worst'."
