"""Which dumps a rule keeps, held against a plain reading of the rule."""

from pathlib import Path

import numpy as np
import pytest

from deeptracker.errors import DeepTrackerError
from deeptracker.run import open_run
from deeptracker.run.keep import Keep, kept_dumps
from tests.store.test_log import begun, write_dump


def numbers(run: Path, keep: Keep) -> list[int]:
    opened = open_run(run)
    return np.searchsorted(opened.iterations, kept_dumps(opened, keep).iterations).tolist()


@pytest.mark.parametrize("every", [1, 2, 7, 59, 60, 1000])
def test_each_nth_dump_is_kept_and_the_last(served_root: Path, every: int) -> None:
    assert numbers(served_root / "small", Keep(every)) == sorted({*range(0, 60, every), 59})


@pytest.mark.parametrize(("window", "threshold"), [(10, 0.35), (2, 0.2), (3, 0.9), (60, 1.0)])
@pytest.mark.parametrize("every", [None, 20])
def test_anomaly_iterations_are_kept_with_the_dumps_beside_them(
    served_root: Path, every: int | None, window: int, threshold: float
) -> None:
    scores = open_run(served_root / "small").anomaly_scores(window)
    expected = {0, 59} | (set(range(0, 60, every)) if every else set())
    anomalous = set()
    for cls in range(6):
        for dump in range(60):
            if max(scores.left[cls, dump], scores.right[cls, dump]) >= threshold:
                anomalous.add(dump)
                expected |= {at for at in (dump - 1, dump, dump + 1) if 0 <= at < 60}
    assert numbers(served_root / "small", Keep(every, True, window, threshold)) == sorted(expected)
    opened = open_run(served_root / "small")
    assert kept_dumps(opened, Keep(every, True, window, threshold)).anomaly_iterations == len(anomalous)
    assert (len(anomalous) > 0) == (window < 60)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("every=10", Keep(10)),
        ("anomalies", Keep(None, True)),
        ("every=3, anomalies", Keep(3, True)),
        ("anomalies,every=3", Keep(3, True)),
    ],
)
def test_a_rule_is_read_from_its_text(text: str, keep: Keep) -> None:
    assert Keep.parse(text) == keep


@pytest.mark.parametrize(
    "text", ["", "every", "every=", "every=-1", "every=1.5", "all", "every=2,every=3", "anomalies,"]
)
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"keep must be every=N, anomalies, or both.*every=10,anomalies"):
        Keep.parse(text)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"every": 0}, "every must be >= 1. Got 0"),
        ({}, "at least one rule"),
        ({"anomalies": True, "window": 0}, "window must be >= 1. Got 0"),
        ({"anomalies": True, "threshold": 35}, "threshold must be a share"),
        ({"anomalies": True, "threshold": float("nan")}, "threshold must be a share"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(wrong: dict, says: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=says):
        Keep(**wrong)


def test_one_dump_is_first_and_last(tmp_path: Path) -> None:
    write_dump(begun(tmp_path)[1], 5)
    assert numbers(tmp_path, Keep(10)) == [0]


def test_a_run_without_dumps_or_without_predictions_is_refused(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    with pytest.raises(DeepTrackerError, match="must have dumps"):
        kept_dumps(open_run(blobs.place), Keep(2))
    write_dump(log, 0)  # it has predictions, but nobody knows of which samples
    with pytest.raises(DeepTrackerError, match=r"needs predictions.*every=10"):
        kept_dumps(open_run(blobs.place), Keep(2, True))
