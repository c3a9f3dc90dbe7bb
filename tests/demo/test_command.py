"""Does the demo refuse what cannot be before it works, and say how a training went?"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deeptracker.demo.command import record_demo
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader


def said_by_demo(run: Path, **options: Any) -> str:
    """What the demo prints when it trains on the digits, without the page."""
    out = Console(file=io.StringIO(), width=300)
    usual = {"dataset": "digits", "model": "convnet", "epochs": 1, "dumps": 4, "learning_rate": None, "seed": 0}
    record_demo(out, **{**usual, **options}, run=str(run), port=None, open_page=lambda link: None)
    return out.file.getvalue()  # type: ignore[attr-defined]


def test_a_training_that_diverges_is_told_in_words_and_ends_in_order(tmp_path: Path) -> None:
    said = said_by_demo(tmp_path / "run", learning_rate=1e30)
    assert "The training diverged: at iteration 2 of 38 the loss became nan." in said
    assert "deeptracker serve" in said
    log = LogReader(Blobs(tmp_path / "run"))
    assert (log.info.state, log.info.config["learning_rate"]) == ("finished", 1e30)
    assert log.dumps[-1].iteration >= 36


def test_a_training_that_learns_is_not_said_to_diverge(tmp_path: Path) -> None:
    assert "diverged" not in said_by_demo(tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "says"),
    [({"model": "alexnet"}, "model must be one of"), ({"learning_rate": -1.0}, "learning rate must be > 0 and finite")],
)
def test_what_cannot_be_is_refused_before_the_data_is_looked_for(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        said_by_demo(tmp_path / "run", dataset=str(tmp_path / "nowhere"), **options)
    assert not (tmp_path / "run").exists()


def test_a_demo_into_an_object_store_is_refused_and_says_who_can_write_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run must be a local folder"):
        record_demo(
            Console(file=io.StringIO()),
            dataset=str(tmp_path / "nothing here"),
            model="convnet",
            epochs=1,
            dumps=None,
            learning_rate=None,
            run="s3://bucket/run",
            seed=0,
            port=None,
            open_page=lambda link: None,
        )
