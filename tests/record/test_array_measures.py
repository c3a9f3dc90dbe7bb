"""Are measures of arrays those that the recorder takes of tensors?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deeptracker.record import array_measures
from deeptracker.record.array_layers import array_layers
from deeptracker.record.array_measures import ArrayMeasurer, measure_rows
from deeptracker.record.bins import count_array
from deeptracker.record.dump import Measured
from deeptracker.record.histograms import count
from deeptracker.record.measures import Measurer
from deeptracker.record.network import weighted_layers
from deeptracker.schema import MEASURES

NOT_FINITE = (float("nan"), float("inf"), -float("inf"))


def assert_alike(a: Measured, b: Measured) -> None:
    assert list(a.measures) == list(b.measures) == list(MEASURES)
    for name in MEASURES:
        assert a.measures[name].dtype == b.measures[name].dtype == np.float32
        # Sums of numbers that cancel each other are exact to the rounding of what is summed.
        atol = 1e-6 * float(np.nanmax(np.where(np.isfinite(b.measures["l1"]), b.measures["l1"], 0)))
        np.testing.assert_allclose(a.measures[name], b.measures[name], rtol=2e-6, atol=atol * 1e-3, err_msg=name)
    for kind in ("weight_bins", "weight_counts", "grad_bins", "grad_counts"):
        for mine, theirs in zip(getattr(a.histograms, kind), getattr(b.histograms, kind), strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


def planted(model: nn.Module, case: str) -> None:
    """What training makes of weights at worst."""
    with torch.no_grad():
        for parameter in model.parameters():
            if case == "tiny":
                parameter *= 1e-25
            elif case == "dead" and parameter.ndim > 1:
                parameter[0] = 0
            elif case == "nonfinite" and parameter.ndim > 1:
                for row, value in enumerate(NOT_FINITE):
                    parameter[row].view(-1)[0] = value


def trained(case: str, dtype: torch.dtype, see: Callable[[Any, Any, Any], Measured]) -> list[tuple[Measured, Measured]]:
    """Three dumps of a training: by the measurer of tensors, and by what is seen of weights, gradients, and before."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 12, 3, groups=2), nn.Flatten(), nn.Linear(12 * 16, 5))
    model.to(dtype)
    planted(model, case)
    layers = weighted_layers(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1 if case != "tiny" else 1e-30, momentum=0.9)
    tensors, found = Measurer(layers), []

    def weights() -> dict[str, Any]:
        return {layer.layer.name: layer.weight.detach().clone() for layer in layers}

    found.append((tensors.after_step(), see(weights(), None, None)))
    for step in range(2):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 8, 8, dtype=dtype)).square().mean().backward()
        if step:
            model[0].weight.grad = None  # a layer without a gradient
        tensors.before_step()
        tensors.gradients()
        before = weights()
        gradients = {x.layer.name: x.weight.grad.clone() for x in layers if x.weight.grad is not None}
        optimizer.step()
        found.append((tensors.after_step(), see(weights(), gradients, before)))
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("case", ["plain", "tiny", "dead", "nonfinite"])
def test_measures_of_arrays_are_those_of_tensors(case: str, dtype: torch.dtype) -> None:
    shapes = {"0": (8, 3, 3, 3), "1": (12, 4, 3, 3), "3": (5, 192)}
    measurer = ArrayMeasurer(array_layers(shapes, "oi...", {}))
    for tensors, arrays in trained(case, dtype, measurer.measure):
        assert_alike(arrays, tensors)


@pytest.mark.parametrize("case", ["plain", "nonfinite"])
def test_measures_of_arrays_with_filters_last_are_those_of_tensors(case: str) -> None:
    shapes = {"0": (3, 3, 3, 8), "1": (3, 3, 4, 12), "3": (192, 5)}
    measurer = ArrayMeasurer(array_layers(shapes, "...io", {}))

    def turned(tensors: dict[str, Any] | None) -> dict[str, Any] | None:
        if tensors is None:
            return None
        return {name: x.permute(*range(2, x.ndim), 1, 0).numpy() for name, x in tensors.items()}

    def see(weights: Any, gradients: Any, before: Any) -> Measured:
        return measurer.measure(turned(weights) or {}, turned(gradients), turned(before))

    for tensors, arrays in trained(case, torch.float32, see):
        assert_alike(arrays, tensors)


def test_rows_are_measured_alike_in_one_block_and_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    now, previous, gradient = np.random.default_rng(0).normal(size=(3, 37, 11)).astype(np.float32)
    whole = measure_rows(now, previous=previous, before=previous, gradient=gradient)
    monkeypatch.setattr(array_measures, "BLOCK_WEIGHTS", 50)
    parts = measure_rows(now, previous=previous, before=previous, gradient=gradient)
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[1], parts[1])
    assert np.isfinite(whole[0]).all()


def test_what_is_not_given_is_undefined_and_never_zero() -> None:
    table, counts = measure_rows(np.ones((2, 3), np.float32))
    known = dict(zip(MEASURES, table, strict=True))
    undefined = {name for name in MEASURES if np.isnan(known[name]).all()}
    compared = {"cosine", "change", "change_l1", "euclidean", "update_ratio"}
    assert undefined == compared | {name for name in MEASURES if name.startswith("grad_")}
    assert counts.sum(1).tolist() == [6, 0]


def test_arrays_are_counted_into_the_bins_of_tensors() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32) * 10.0 ** np.arange(
        1000, dtype=np.float32
    ).clip(-30, 30)
    values[:6] = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40]
    np.testing.assert_array_equal(count_array(values), count(torch.from_numpy(values)).numpy())


def test_weights_must_be_there_for_every_layer() -> None:
    measurer = ArrayMeasurer(array_layers({"a": (2, 3), "b": (2, 3)}, "oi", {}))
    with pytest.raises(ValueError, match="Got none for b"):
        measurer.measure({"a": np.ones((2, 3))}, None, None)
    with pytest.raises(ValueError, match="must have been measured"):
        measurer.rows(0)
