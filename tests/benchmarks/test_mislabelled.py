"""The benchmark of wrong labels trains on what it says, and counts what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import flipped_labels
from benchmarks.flipped_labels import Plan, flip, train_on_flipped
from benchmarks.mislabelled import our_scores, precision_and_area
from deeptracker.demo.image_data import ImageData


def small(channels: int) -> ImageData:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (60, 8, 8, channels), np.uint8), np.arange(60) % 3
    return ImageData("small", x, y, x[:30], y[:30], ("a", "b", "c"))


def test_so_many_labels_are_others() -> None:
    labels = np.arange(200) % 4
    flipped = flip(labels, 4, 0.05, np.random.default_rng(0))
    assert (flipped != labels).sum() == 10
    assert set(flipped) == {0, 1, 2, 3}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_training_is_recorded_with_its_wrong_labels(
    channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flipped_labels, "PLANS", {channels: Plan(1, 20, 0.05, 3)})
    trained = train_on_flipped(small(channels), tmp_path / "run", share=0.1, seed=0)
    assert (trained.is_wrong.sum(), trained.probabilities.shape) == (3, (30, 3))
    assert (np.diff(trained.labels) >= 0).all()
    scores = our_scores(trained)
    assert scores.shape == (30,)
    assert np.isfinite(scores).all()


def test_precision_counts_as_many_as_are_wrong() -> None:
    wrong = np.array([True, True, False, False, False])
    assert precision_and_area(np.array([3.0, 1.0, 2.0, 0.0, 0.5]), wrong) == (0.5, pytest.approx(5 / 6))
