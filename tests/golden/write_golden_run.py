"""Write the golden run of this format version: a small run with everything that the format has, kept for good.

    python tests/golden/write_golden_run.py tests/golden/format-1

It is run once for each format version, by the code that introduces the version; the files are then never written
again. `expected.json` beside the run holds what was put in, independently of any reader of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.schema import MEASURES, STEP_MEASURES, Branch, Kernels, Layer, Network, Node, Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.columns import encode_columns
from deeptracker.store.histograms import Histograms
from deeptracker.store.listing import KINDS
from deeptracker.store.log import LogWriter
from deeptracker.store.samples import encode_picture, write_samples

CREATED = "2026-01-02T03:04:05.678+00:00"
LABELS = [2, 0, 1, 0, 2, 1, 0]
CLASSES = 4
NETWORK = Network(
    (
        Layer("conv1", "conv2d", (3, 1, 3, 3), 3, 9, 0),
        Layer("block.0.conv", "conv_transpose2d", (3, 2, 1, 1), 2, 3, 3),
        Layer("fc", "linear", (4, 2), 4, 2, 5),
    ),
    Node("", (Node("conv1", layer=0), Node("block.0.conv", layer=1), Node("fc", layer=2))),
)
INFO = RunInfo(
    name="golden — Käfer",
    created=CREATED,
    branches=(Branch(0, CREATED), Branch(20, "2026-01-03T00:00:00.000+00:00")),
    state="failed",
    config={"lr": 0.1, "augment": ["flip", None], "nested": {"on": True}},
    class_names=("Käfer", "b", "c"),
    every="every 10 iterations",
    next_iteration=30,
    exception="KeyboardInterrupt",
    lost=("predictions at iteration 40: No space left on device",),
    overhead={"dumps": 5, "measure_seconds": 0.25, "validate_seconds": 1.5, "waiting_seconds": 0.0},
)


def main() -> None:
    """Parse the command line, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place", type=Path)
    place = parser.parse_args().place
    if place.exists():
        sys.exit(f"{place} must not exist: a golden run is written once.")
    rng = np.random.default_rng(1)
    blobs, expected = Blobs(place / "run"), {}
    first, second = LogWriter(blobs), LogWriter(blobs, branch=1)
    first.write_info(INFO)
    first.write_network(NETWORK)
    expected["pictures"] = _write_samples(blobs, rng)
    _write_dump(first, 0, rng, wide=True)  # its predictions are replaced by those of two ranks
    (place / "run/log/predictions/000000000000.arrow").unlink()
    expected["0"] = _last_written | {"predictions": _write_ranks(blobs, rng)}
    for log, iteration in ((first, 20), (second, 30)):
        _write_dump(log, iteration, rng)
        expected[str(iteration)] = dict(_last_written)
    first.write_predictions(30, _predictions(rng))  # abandoned
    second.write_predictions(40, _predictions(rng), parts=KINDS)  # left unfinished
    expected["scalars"] = _write_scalars(first, second)
    (place / "expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


_last_written: dict[str, Any] = {}


def _write_dump(log: LogWriter, iteration: int, rng: np.random.Generator, *, wide: bool = False) -> None:
    predictions = _predictions(rng, np.int32 if wide else np.int16)
    count = NETWORK.filters
    measures = {name: (rng.normal(size=count) * 10.0 ** rng.integers(-6, 6)).astype(np.float32) for name in MEASURES}
    if iteration == 0:
        for name in STEP_MEASURES:
            measures[name][:] = np.nan
    measures["grad_max"][-1] = np.inf
    layers = [np.sort(rng.choice(1 << 14, n, replace=False)).astype(np.uint16) for n in (5, 0, 3)]
    counts = [rng.integers(1, 1 << 31, len(bins)).astype(np.uint32) for bins in layers]
    histograms = Histograms(layers, counts, layers[::-1], counts[::-1])
    log.write_predictions(iteration, predictions, parts=KINDS)
    log.write_layers(iteration, histograms, parts=KINDS)
    kernels = Kernels(0, rng.normal(size=(3, 1, 3, 3)).astype(np.float32))
    log.write_kernels(iteration, kernels, parts=KINDS)
    log.write_filters(iteration, measures, parts=KINDS)
    _last_written.update(
        predictions=_lists(predictions),
        kernels=kernels.values.tolist(),
        filters={name: values.tolist() for name, values in measures.items()},
        layers={
            name: [row.tolist() for row in getattr(histograms, name)]
            for name in ("weight_bins", "weight_counts", "grad_bins", "grad_counts")
        },
    )


def _predictions(rng: np.random.Generator, kind: npt.DTypeLike = np.int16) -> Predictions:
    n = len(LABELS)
    predicted = rng.integers(-1, CLASSES, n).astype(kind)
    return Predictions(predicted, rng.random(n).astype(np.float16), rng.exponential(size=n).astype(np.float16))


def _write_ranks(blobs: Blobs, rng: np.random.Generator) -> dict[str, list[float]]:
    """Sample 0 is in both, sample 5 in none; rank 1 has no losses."""
    whole = _predictions(rng, np.int32)
    assert whole.loss is not None
    loss = np.full(len(LABELS), np.nan, np.float16)
    for rank, rows in enumerate(([0, 2, 4, 6], [3, 1, 0])):
        columns: dict[str, Any] = {"sample": np.array(rows, np.int32), "predicted": whole.predicted[rows]}
        columns["probability"] = whole.probability[rows]
        if rank == 0:
            columns["loss"] = whole.loss[rows]
            loss[rows] = whole.loss[rows]
        data = encode_columns("predictions", columns, iteration=0, parts=sorted(KINDS))
        blobs.put(f"log/predictions/{0:012d}.rank{rank:03d}.arrow", data)
    predicted, probability = whole.predicted.copy(), whole.probability.copy()
    predicted[5], probability[5] = -1, np.nan
    return _lists(Predictions(predicted, probability, loss))


def _lists(predictions: Predictions) -> dict[str, list[float]]:
    assert predictions.loss is not None
    return {
        "predicted": predictions.predicted.tolist(),
        "probability": predictions.probability.tolist(),
        "loss": predictions.loss.tolist(),
    }


def _write_samples(blobs: Blobs, rng: np.random.Generator) -> list[str]:
    """The pictures in class order, as hexadecimal text."""
    shapes = [(4, 4, 3), (4, 4), (3, 5, 3), (5, 3), (2, 2), (1, 1), (60, 8)]
    pictures = [encode_picture(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
    ids = [f"bild-{'äöüßabc'[i]}" for i in range(len(LABELS))]
    write_samples(blobs, ids, np.array(LABELS), classes=CLASSES, pictures=pictures)
    return [pictures[i].hex() for i in np.argsort(LABELS, kind="stable")]


def _write_scalars(first: LogWriter, second: LogWriter) -> dict[str, list[float]]:
    nan = float("nan")
    first.write_scalars(np.array([0, 5, 10]), {"lr": np.array([0.1, 0.1, 0.01]), "loss": np.array([3.5, nan, 2.25])})
    first.write_scalars(np.array([20, 25, 30]), {"lr": np.array([0.01, 9.0, 9.0])})  # from 21 on abandoned
    second.write_scalars(np.array([21, 30]), {"lr": np.array([0.001, 0.001]), "training error": np.array([nan, 1 / 3])})
    return {
        "iteration": [0, 5, 10, 20, 21, 30],
        "lr": [0.1, 0.1, 0.01, 0.01, 0.001, 0.001],
        "loss": [3.5, nan, 2.25, nan, nan, nan],
        "training error": [nan, nan, nan, nan, nan, 1 / 3],
    }


if __name__ == "__main__":
    main()
