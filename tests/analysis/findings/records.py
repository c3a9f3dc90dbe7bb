"""Records of layers and trainings to try rules on: healthy ones, of which a test changes what it asks about."""

from __future__ import annotations

import numpy as np

from deeptracker.analysis.findings.layers import LAYER_MEASURES, MEASURES_AT_BEGINNING, LayerRecord
from deeptracker.analysis.findings.summary import LayerSummary, summary_of
from deeptracker.analysis.findings.training import TrainingRecord
from deeptracker.schema import Layer

DUMPS, FILTERS, FAN_IN = 20, 16, 9


def layer(name: str = "conv", filters: int = FILTERS, kind: str = "conv2d") -> Layer:
    return Layer(name, kind, (filters, 1, 3, 3), filters, FAN_IN, 0)


def healthy(
    index: int = 0, *, dumps: int = DUMPS, filters: int = FILTERS, seed: int = 0, **changed: float
) -> LayerRecord:
    """A layer whose filters all change by a hundredth a dump and turn as they do; `changed` multiplies a measure."""
    rng = np.random.default_rng([seed, index])
    noise = {name: rng.lognormal(0, 0.1, (dumps, filters)) for name in LAYER_MEASURES}
    values = {
        "mean": 0.01 * noise["mean"],
        "sd": np.sqrt(2 / FAN_IN) * noise["sd"],
        "l2": np.full((dumps, filters), np.sqrt(2.0)),
        "grad_l2": 0.1 * noise["grad_l2"],
        "cosine": 1 - 1e-3 * noise["cosine"],
        "change": 1e-2 * noise["change"],
        "update_ratio": 1e-3 * noise["update_ratio"],
        "nonfinite": np.zeros((dumps, filters)),
    }
    for name in ("grad_l2", "cosine", "change", "update_ratio"):
        values[name][:1] = np.nan  # the first dump follows no step
    for name, factor in changed.items():
        values[name] = values[name] * factor
    made = {
        name: rows[:1].astype(np.float32) if name in MEASURES_AT_BEGINNING else rows.astype(np.float32)
        for name, rows in values.items()
    }
    return LayerRecord(index, layer(f"conv{index}", filters), 100 * np.arange(dumps), made)


def network(*records: LayerRecord) -> list[LayerSummary]:
    return [summary_of(record) for record in records]


def training(
    validation: list[float] | np.ndarray,
    train: list[float] | np.ndarray | None = None,
    *,
    loss: list[float] | np.ndarray | None = None,
    rate: list[float] | np.ndarray | None = None,
    **more: object,
) -> TrainingRecord:
    """Ten balanced classes of 60 samples, a dump every 100 iterations; NaN where nothing is given."""
    dumps = len(validation)
    unknown = np.full(dumps, np.nan)
    errors = np.asarray(validation, np.float64)
    losses = np.asarray([] if loss is None else loss, np.float64)
    return TrainingRecord(
        **{
            "iterations": 100 * np.arange(dumps),
            "train_error": unknown if train is None else np.asarray(train, np.float64),
            "validation_error": errors,
            "usual_error": errors,
            "learning_rate": unknown if rate is None else np.asarray(rate, np.float64),
            "loss_iterations": 1 + np.arange(len(losses)),
            "loss": losses,
            "samples": 600,
            "largest_class": 0.1,
            **more,
        }  # type: ignore[arg-type]
    )
