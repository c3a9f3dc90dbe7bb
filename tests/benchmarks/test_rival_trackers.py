"""The comparison with other trackers trains, counts bytes, and tells what could not be run."""

from pathlib import Path

import pytest
from torch import nn

pytest.importorskip("psutil", reason="pip install 'deeptracker[rivals]'")

from benchmarks import rival_trackers
from benchmarks.rival_trackers import BATCH, TRACKERS, measured


@pytest.mark.filterwarnings("ignore")  # those of TensorBoard's own imports
def test_what_is_installed_is_measured_and_the_rest_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rival_trackers, "BATCH", 2)
    monkeypatch.setattr(rival_trackers, "BYTES_DUMPS", 4)
    small = lambda *given: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 900, 10))  # noqa: E731
    monkeypatch.setattr(rival_trackers, "make_model", small)

    def missing(*given: object) -> None:
        raise ImportError("no such tracker")

    ours, histograms, other = "DeepTracker", "TensorBoard, add_histogram", "another"
    monkeypatch.setattr(
        rival_trackers, "TRACKERS", {ours: TRACKERS[ours], histograms: TRACKERS[histograms], other: missing}
    )
    step, costs, errors = measured(tmp_path, steps=8, rounds=1)
    assert BATCH > 2
    assert step > 0
    assert errors == {other: "ImportError: no such tracker"}
    # Two layers, 14 filters, 17 measures in float32, and histograms: files of a dump are not empty.
    assert costs[ours].size_bytes > 14 * 17 * 4
    assert costs[histograms].size_bytes > 1000
    assert all(len(part) == 1 for part in (costs[ours].clock, costs[ours].thread, costs[ours].processors))
    assert list(tmp_path.iterdir()) == []
