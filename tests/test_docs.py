"""What the documents say is so: code blocks run, links lead somewhere, words are defined once."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import deeptracker
from benchmarks.generate import Scale, write_run

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "web" / "README.md"])


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


def test_the_two_line_recorder_of_the_readme_records_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 3))
    images, labels = torch.rand(24, 1, 8, 8), torch.arange(24) % 3
    batches = [(images[i : i + 8], labels[i : i + 8]) for i in (0, 8, 16)]
    names = {
        "deeptracker": deeptracker,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "criterion": nn.CrossEntropyLoss(),
        "val_loader": batches,
        "train_loader": batches * 2,
    }
    exec(blocks(ROOT / "README.md", "python")[0].replace("every=1600", "every=2"), names)
    run = deeptracker.open_run("runs/resnet50")
    assert run.iterations.tolist() == [0, 2, 4, 6]
    assert run.state == "finished"
    assert set(run.scalars()) >= {"loss", "lr", "validation_error"}


def test_the_notebook_lines_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run("runs/resnet50", Scale(301, 3, 4, 1600))
    code = blocks(ROOT / "README.md", "python")[1].replace('"gong"', '"class 001"')
    exec(code, {})


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_between_documents_and_to_pictures_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_glossary_defines_each_word_once() -> None:
    words = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[2:]
    assert len(words) == len(set(words)) > 15


def test_the_version_is_in_the_changelog() -> None:
    assert f"## {deeptracker.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_make_target_that_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for path in DOCUMENTS for name in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(), re.MULTILINE)}
    assert named <= targets
    assert {"demo", "test", "check", "bench", "web", "clean"} <= targets
