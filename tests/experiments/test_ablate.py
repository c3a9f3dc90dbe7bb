"""`deeptracker ablate` as a user meets it: what is measured, what is stored, and what is said where it cannot be."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from deeptracker import open_run
from deeptracker.analysis.paired import change_of
from deeptracker.experiments import ablate as module
from deeptracker.experiments import choice
from deeptracker.experiments.weights_of_run import chosen_weights
from deeptracker.run.correlation import Movers
from deeptracker.schema import Branch
from deeptracker.store.blobs import Blobs
from deeptracker.store.experiments import Setting
from tests.experiments import killed as recipe
from tests.experiments.said import MODEL, Said, trained
from tests.s3 import Bucket

HERE = "tests.experiments.killed"


@pytest.fixture
def run(killed: Path, tmp_path: Path) -> Path:
    shutil.copytree(killed / "run", tmp_path / "run")
    return tmp_path / "run"


def test_dead_filters_change_nothing_and_random_ones_do_and_it_is_stored(said: Said, killed: Path, run: Path) -> None:
    weights = killed / "last.safetensors"
    status, text = said("ablate", run, "--dead", *MODEL, "--weights", weights, "--groups", 7)
    assert status == 0, text
    assert "3 filters inactivated: conv1:1,5 fc1:2" in text
    assert "+0.00 points, 95% interval [-" in text
    assert "0 samples spoiled, 0 mended, 0 taken for another class" in text
    (found,) = open_run(run).experiments()
    assert (found.origin, found.iteration, found.samples, found.change, found.moved) == ("dead", 40, 60, 0.0, 0)
    assert found.low < 0 < found.high
    assert len(found.random) == 7
    assert max(found.random) > 0.05
    assert found.p == pytest.approx((1 + sum(change <= 0 for change in found.random)) / 8)
    assert found.command.startswith(f"deeptracker ablate {run} --dead --model")
    assert not found.notes
    assert f"experiments/{found.id}.json" in text


def test_named_filters_change_what_zeroing_them_by_hand_does(said: Said, killed: Path, run: Path) -> None:
    weights = killed / "last.safetensors"
    status, text = said("ablate", run, "--filters", "conv2:0-2", *MODEL, "--weights", weights, "--groups", 0)
    assert status == 0, text
    (found,) = open_run(run).experiments()
    model = trained(killed)
    images, labels = recipe.validation()
    with torch.no_grad():
        before = model(images).argmax(1)
        model.conv2.weight[:3] = 0
        model.norm2.weight[:3] = model.norm2.bias[:3] = 0
        after = model(images).argmax(1)
    was, now = (before == labels).numpy(), (after == labels).numpy()
    whole = change_of(was, now)
    assert (found.spoiled, found.mended, found.change) == (whole.spoiled, whole.mended, whole.change)
    assert found.spoiled > 0
    assert (found.low, found.high) == (whole.low, whole.high)
    assert found.moved == int((before != after).sum())
    assert (found.random, found.p, found.expected) == ((), None, "more")
    for one in found.classes:
        own = (labels == one.cls).numpy()
        expected = change_of(was[own], now[own])
        assert (one.samples, one.change, one.low) == (expected.samples, expected.change, expected.low)
    changed = [abs(one.change) for one in found.classes]
    assert changed == sorted(changed, reverse=True)
    assert {one.cls for one in found.classes} == set(labels[torch.from_numpy(was != now)].tolist())


def test_what_is_not_as_expected_is_noted(said: Said, killed: Path, run: Path) -> None:
    model = trained(killed)
    model.fc2.weight.data *= -1
    torch.save(model.state_dict(), run.parent / "other.pt")
    asked = ["ablate", run, "--filters", "conv1:0-4", *MODEL, "--dry-run"]
    status, text = said(*asked, "--weights", run.parent / "other.pt", "--at", 40)
    assert status == 0, text
    assert "At iteration 40 the run recorded an error of" in text
    assert "There are no random groups: conv1 has 8 filters, 5 of them chosen (conv1:0-4)" in text
    assert "Nothing was stored (--dry-run)" in text
    fewer = ["--model", f"{HERE}:make_model", "--validation", f"{HERE}:fewer", "--weights", killed / "last.safetensors"]
    _, text = said("ablate", run, "--filters", "conv1:0-2", *fewer, "--groups", 50, "--dry-run")
    assert "The samples are not those of the run: 30 here, 60 there" in text
    assert "There are only 10 groups of as many other filters" in text
    assert not open_run(run).experiments()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "filters must be chosen in one way"),
        (["--dead", "--filters", "conv1:0"], "filters must be chosen in one way"),
        (["--filters", "conv7:0"], "no layer 'conv7' in this model"),
        (["--mini-set", "0123456789ab"], "no mini-set 0123456789ab"),
        (["--dead", "--at", "7"], "says 40, --at 7. Leave out --at"),
        (["--dead", "--checkpoints", "."], "leave one out"),
        (["--dead", "--model", f"{HERE}:narrow_model"], "must have the names that are in"),
        (["--dead", "--model", f"{HERE}:not_a_model"], "must return a torch.nn.Module"),
        (["--dead", "--model", f"{HERE}:nothing"], "has no 'nothing'"),
        (["--dead", "--validation", "nowhere.npz"], "is none of these, and is not there"),
    ],
)
def test_what_cannot_be_asked_says_what_to_do(options: list[str], words: str, said: Said, killed: Path) -> None:
    status, text = said("ablate", killed / "run", *MODEL, "--weights", killed / "last.safetensors", *options)
    assert status == 1
    assert words in text
    assert not (killed / "run" / "experiments").exists()


def test_a_run_without_dead_filters_or_without_weights_says_so(
    said: Said, killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_run = killed / "run"
    status, text = said("ablate", small_run, "--filters", "conv1:0", *MODEL)
    assert status == 1
    assert "Give --weights FILE, or --checkpoints FOLDER." in text
    monkeypatch.setattr(choice, "dead_filters", lambda run: ())
    status, text = said("ablate", small_run, "--dead", *MODEL)
    assert status == 1
    assert "This run has none. Give --filters." in text


def test_a_mini_set_is_inactivated_and_the_setting_is_kept(said: Said, killed: Path, run: Path) -> None:
    found = open_run(run).correlation(2, 0.05, rule="left", movers=Movers(3))
    mini_set, place = f"{int(found.sets.id[0]):012x}", int(found.sets.layer[0])
    setting = ["--window", 2, "--threshold", 0.05, "--rule", "left", "--top", 3]
    asked = ["ablate", run, "--mini-set", mini_set, *setting, *MODEL, "--weights", killed / "last.safetensors"]
    status, text = said(*asked, "--groups", 2)
    assert status == 0, text
    (kept,) = open_run(run).experiments()
    assert (kept.origin, kept.mini_set, kept.expected) == ("mini-set", mini_set, "more")
    assert kept.setting == Setting(2, 0.05, "left", 3, "change", None)
    (group,) = kept.filters
    assert group.layer == open_run(run).network().layers[int(found.filters.layers[place])].name
    assert group.filters == tuple(found.filters.filters[found.filters.sets == 0].tolist())


def test_a_stop_stores_nothing(said: Said, killed: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "random_groups", stopped)
    status, text = said("ablate", run, "--dead", *MODEL, "--weights", killed / "last.safetensors")
    assert status != 0
    assert "Stopped. Nothing was stored." in text
    assert not open_run(run).experiments()


def test_weights_are_the_nearest_of_a_folder_or_of_the_run_where_its_branches_count(tmp_path: Path) -> None:
    blobs, branches = Blobs(tmp_path), (Branch(0, "now"), Branch(20, "now"))
    for name in ("000000000010", "000000000030", "000000000030.branch001", "000000000050.branch002"):
        blobs.put(f"weights/{name}.safetensors", b"")
    for at, name, note in (
        (None, "000000000030.branch001", None),
        (10, "000000000010", None),
        (12, "000000000010", "There are no weights of iteration 12; the nearest are of iteration 10."),
        (20, "000000000030.branch001", "There are no weights of iteration 20; the nearest are of iteration 30."),
    ):
        with chosen_weights(blobs, branches, at=at) as found:
            assert (found.name, found.note) == (f"weights/{name}.safetensors", note)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for step in (100, 200):
        torch.save({"fc.weight": torch.ones(2, 2)}, folder / f"step={step}.pt")
    with chosen_weights(blobs, branches, checkpoints=str(folder), at=120) as found:
        assert (found.iteration, Path(found.path).name) == (100, "step=100.pt")


def test_the_document_on_disk_has_numbers_as_numbers(said: Said, killed: Path, run: Path) -> None:
    said("ablate", run, "--filters", "fc1:0", *MODEL, "--weights", killed / "last.safetensors", "--groups", 2)
    (path,) = (run / "experiments").iterdir()
    document = json.loads(path.read_bytes())
    assert np.isfinite([document[name] for name in ("change", "low", "high", "p", "p_change")]).all()
    assert document["filters"] == [{"layer": "fc1", "filters": [0]}]


def test_a_run_in_a_bucket_gives_its_weights_and_takes_the_result(said: Said, killed: Path, s3: Bucket) -> None:
    place = s3.url("killed")
    blobs = Blobs(place)
    for path in (killed / "run").rglob("*"):
        if path.is_file():
            blobs.put(path.relative_to(killed / "run").as_posix(), path.read_bytes())
    blobs.put("weights/000000000040.safetensors", (killed / "last.safetensors").read_bytes())
    status, text = said("ablate", place, "--dead", *MODEL, "--groups", 1)
    assert status == 0, text
    (found,) = open_run(place).experiments()
    assert (found.weights, found.iteration, found.change) == ("weights/000000000040.safetensors", 40, 0)
