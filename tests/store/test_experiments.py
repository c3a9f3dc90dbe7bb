"""Experiments are kept with a run as one document each, and read back as they were."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deeptracker import open_run
from deeptracker.documents import FORMAT_VERSION
from deeptracker.errors import FormatVersionError, LogFileError
from deeptracker.store.blobs import Blobs
from deeptracker.store.experiments import (
    ClassChange,
    Experiment,
    FilterGroup,
    Setting,
    new_id,
    write_experiment,
)
from deeptracker.store.space import space_of
from tests.store.test_format_doc import DOCUMENT, NAMED

EXPERIMENT = Experiment(
    id="20261123-081502-3fa2c1",
    created="2026-11-23T08:15:02+00:00",
    command="deeptracker ablate runs/a --mini-set 0f3a00000001",
    origin="mini-set",
    mini_set="0f3a00000001",
    setting=Setting(10, 0.35, "either", 100, "change", None),
    iteration=400,
    weights="weights/000000000400.safetensors",
    filters=(FilterGroup("conv1", (3, 17)), FilterGroup("fc", (0,))),
    samples=100,
    error_before=0.1,
    error_after=0.15,
    change=0.05,
    low=0.01,
    high=0.09,
    level=0.95,
    spoiled=6,
    mended=1,
    moved=9,
    p_change=0.125,
    expected="more",
    random=(0.0, 0.01, -0.01),
    p=0.25,
    seed=0,
    classes=(ClassChange(2, 10, 0.1, 0.5, 0.4, 0.1, 0.6),),
    notes=("a sentence.",),
)


def test_an_experiment_is_read_back_as_it_was() -> None:
    assert Experiment.from_json(EXPERIMENT.to_json(), place="x") == EXPERIMENT
    alone = replace(EXPERIMENT, origin="dead", mini_set=None, setting=None, iteration=None, random=(), p=None)
    assert Experiment.from_json(alone.to_json(), place="x") == alone


def test_experiments_of_a_run_come_the_newest_first_and_take_their_space(small_run: Path) -> None:
    run = open_run(small_run)
    assert run.experiments() == ()
    write_experiment(Blobs(small_run), EXPERIMENT)
    later = replace(EXPERIMENT, id=new_id(datetime(2026, 11, 24, tzinfo=UTC)))
    write_experiment(Blobs(small_run), later)
    (small_run / "experiments" / "notes.txt").write_text("mine")
    assert run.experiments() == (later, EXPERIMENT)
    assert space_of(Blobs(small_run)).of("experiments").files == 2
    assert space_of(Blobs(small_run)).of("foreign").files == 1


def test_an_experiment_that_cannot_be_read_is_left_out_and_told(small_run: Path) -> None:
    path = small_run / write_experiment(Blobs(small_run), EXPERIMENT)
    path.write_bytes(path.read_bytes()[:100])
    run = open_run(small_run)
    assert run.experiments() == ()
    (warning,) = run.warnings
    assert EXPERIMENT.id in warning
    path.write_bytes(EXPERIMENT.to_json())
    assert run.experiments() == (EXPERIMENT,)
    assert not run.warnings


def test_another_version_and_other_documents_are_refused_by_name() -> None:
    document = json.loads(EXPERIMENT.to_json())
    with pytest.raises(FormatVersionError, match=r"here\.json"):
        Experiment.from_json(json.dumps(document | {"format_version": 2}).encode(), place="here.json")
    del document["random"]
    with pytest.raises(LogFileError, match=r"here\.json has fields missing"):
        Experiment.from_json(json.dumps(document).encode(), place="here.json")


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "dead"},
        {"mini_set": None},
        {"mini_set": "0F3A00000001"},
        {"filters": ()},
        {"p": None},
        {"random": ()},
    ],
)
def test_what_cannot_be_an_experiment_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        replace(EXPERIMENT, **wrong)


def test_the_document_of_the_format_names_every_field() -> None:
    assert f"| `format_version` | {FORMAT_VERSION} |" in DOCUMENT
    names = {field.name for kind in (Experiment, Setting, FilterGroup) for field in fields(kind)}
    assert names <= NAMED | {"layer", "filters"}
    assert {*EXPERIMENT.as_dict()["classes"][0]} <= set(DOCUMENT.replace('"', " ").split()) | {"class"}
