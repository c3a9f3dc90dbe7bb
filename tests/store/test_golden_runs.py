"""Runs that were recorded in this format version stay readable, with exactly the same values."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deeptracker import open_run
from deeptracker.documents import FORMAT_VERSION
from deeptracker.schema import MEASURES, Branch, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Pictures, read_samples

GOLDEN = Path(__file__).parents[1] / "golden" / f"format-{FORMAT_VERSION}"
BLOBS = Blobs(GOLDEN / "run")
EXPECTED: dict[str, Any] = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))
ITERATIONS = [0, 20, 30]


@pytest.fixture
def log() -> LogReader:
    return LogReader(BLOBS)


def test_run_and_network_come_back(log: LogReader) -> None:
    created = "2026-01-02T03:04:05.678+00:00"
    assert log.info == RunInfo(
        "golden — Käfer",
        created,
        (Branch(0, created), Branch(20, "2026-01-03T00:00:00.000+00:00")),
        "failed",
        {"lr": 0.1, "augment": ["flip", None], "nested": {"on": True}},
        ("Käfer", "b", "c"),
        "every 10 iterations",
        30,
        "KeyboardInterrupt",
        ("predictions at iteration 40: No space left on device",),
        {"dumps": 5, "measure_seconds": 0.25, "validate_seconds": 1.5, "waiting_seconds": 0.0},
    )
    assert log.network is not None
    assert [layer.shape for layer in log.network.layers] == [(3, 1, 3, 3), (3, 2, 1, 1), (4, 2)]
    assert [node.name for node in log.network.hierarchy.children] == ["conv1", "block.0.conv", "fc"]


def test_the_dumps_of_both_branches_are_shown_and_the_unfinished_one_named(log: LogReader) -> None:
    assert [(dump.iteration, dump.branch) for dump in log.dumps] == [(0, 0), (20, 0), (30, 1)]
    assert [text.split(" of ")[0] for text in log.check()] == ["the dump at iteration 40"]


@pytest.mark.parametrize("row", range(3))
def test_every_number_of_every_dump_comes_back(log: LogReader, row: int) -> None:
    expected = EXPECTED[str(ITERATIONS[row])]
    measures = log.filters(log.dumps[row])
    assert list(measures) == list(MEASURES)
    for name in MEASURES:  # of those that are newer than the run nothing is known
        values = expected["filters"].get(name, [np.nan] * 9)
        np.testing.assert_array_equal(measures[name], np.array(values, np.float32))
    assert set(MEASURES) - set(expected["filters"]) == {"change_l1", "euclidean"}
    assert log.kernels(log.dumps[row]) is None
    histograms = log.histograms(log.dumps[row])
    for name in ("weight_bins", "weight_counts", "grad_bins", "grad_counts"):
        assert [bins.tolist() for bins in getattr(histograms, name)] == expected["layers"][name]
    predictions = log.predictions(log.dumps[row], 7)
    assert predictions.predicted.dtype == (np.int32 if row == 0 else np.int16)
    assert predictions.predicted.tolist() == expected["predictions"]["predicted"]
    for name in ("probability", "loss"):
        np.testing.assert_array_equal(getattr(predictions, name), np.array(expected["predictions"][name], np.float16))


def test_scalars_come_back(log: LogReader) -> None:
    rows = log.scalars()
    assert set(rows) == set(EXPECTED["scalars"])
    for name, values in EXPECTED["scalars"].items():
        np.testing.assert_array_equal(rows[name], values)


def test_samples_and_pictures_come_back() -> None:
    samples = read_samples(BLOBS)
    assert samples is not None
    assert samples.ids == ("bild-ö", "bild-ß", "bild-c", "bild-ü", "bild-b", "bild-ä", "bild-a")
    assert samples.labels.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert samples.classes == 4
    assert [Pictures(BLOBS).get(i).hex() for i in range(7)] == EXPECTED["pictures"]


def test_the_run_opens_for_everybody(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "run", tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.iterations.tolist() == ITERATIONS
    assert run.class_names == ("Käfer", "b", "c", "3")
    assert run.error_rates().shape == (4, 3)
    assert run.picture(6) == bytes.fromhex(EXPECTED["pictures"][6])
