"""Are measures what docs/format.md defines, against the definitions written out in float64?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deeptracker.record import histograms, measures, on_host, one_pass
from deeptracker.record.chunks import Room
from deeptracker.record.measures import Measured, Measurer
from deeptracker.record.network import weighted_layers
from deeptracker.schema import MEASURES, STEP_MEASURES

MODULES: dict[str, Any] = {
    "conv1d": lambda: nn.Conv1d(4, 6, 5),
    "conv2d": lambda: nn.Conv2d(3, 7, 3),
    "conv3d": lambda: nn.Conv3d(2, 4, 3),
    "grouped": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "depthwise": lambda: nn.Conv2d(6, 6, 3, groups=6),
    "transposed": lambda: nn.ConvTranspose2d(4, 6, 3),
    "transposed, grouped": lambda: nn.ConvTranspose2d(4, 6, 3, groups=2),
    "transposed, 1d": lambda: nn.ConvTranspose1d(6, 9, 3, groups=3),
    "linear": lambda: nn.Linear(11, 5),
    "embedding": lambda: nn.Embedding(7, 4),
    "channels last": lambda: nn.Conv2d(3, 7, 3).to(memory_format=torch.channels_last),
    "inputs first": lambda: inputs_first(nn.Linear(11, 5)),
}


def inputs_first(module: nn.Linear) -> nn.Linear:
    module.weight.data = module.weight.data.t().contiguous().t()
    return module


ROOMS = {"torch": Room.on(torch.device("cpu")), "accelerator": Room(1 << 22, segments=True, waits=False)}


@pytest.fixture(autouse=True, params=["one pass", *ROOMS])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything here holds for both ways to measure on the host, and for the one of accelerators."""
    monkeypatch.setattr(measures, "HAS_COMPILER", request.param == "one pass")
    monkeypatch.setattr(Room, "on", lambda device: ROOMS[request.param])
    return request.param


def filters_of(module: nn.Module, values: torch.Tensor) -> list[np.ndarray]:
    """One flat float64 vector a filter, straight from what the layouts mean."""
    array = values.detach().to(torch.float64).numpy()
    if not isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        return [array[i].ravel() for i in range(len(array))]
    per_group_in, per_group_out = array.shape[0] // module.groups, array.shape[1]
    return [
        array[g * per_group_in : (g + 1) * per_group_in, o].ravel()
        for g in range(module.groups)
        for o in range(per_group_out)
    ]


def literal(w: Any, g: Any, p: Any, b: Any) -> dict[str, float]:
    """The definitions, one filter."""
    undefined = float("nan")
    with np.errstate(all="ignore"):
        out = {
            "sum": w.sum(),
            "mean": w.mean(),
            "sd": w.std(),
            "min": w.min(),
            "max": w.max(),
            "l1": np.abs(w).sum(),
            "l2": np.sqrt((w**2).sum()),
        }
        norm = {name: np.sqrt((x**2).sum()) for name, x in (("w", w), ("p", p), ("b", b)) if x is not None}
        out |= dict.fromkeys(STEP_MEASURES, undefined)
        if p is not None:
            out["euclidean"] = np.sqrt(((w - p) ** 2).sum())
        if p is not None and norm["p"] > 0:
            out["change"] = out["euclidean"] / norm["p"]
            out["change_l1"] = np.abs(w - p).sum() / np.abs(p).sum()
            out["cosine"] = (w * p).sum() / (norm["w"] * norm["p"]) if norm["w"] > 0 else undefined
        if b is not None and norm["b"] > 0:
            out["update_ratio"] = np.sqrt(((w - b) ** 2).sum()) / norm["b"]
        gradient = {"grad_mean": undefined, "grad_sd": undefined, "grad_l2": undefined, "grad_max": undefined}
        if g is not None:
            gradient = {
                "grad_mean": g.mean(),
                "grad_sd": g.std(),
                "grad_l2": np.sqrt((g**2).sum()),
                "grad_max": g.max(),
            }
    out |= gradient
    out["nonfinite"] = (~np.isfinite(w)).sum() + (0 if g is None else (~np.isfinite(g)).sum())
    return out


def measure_two_dumps(module: nn.Module, seed: int = 0) -> tuple[Measured, dict[str, np.ndarray]]:
    """A dump, other weights since, then a step that is measured; the measures, and the literal ones."""
    torch.manual_seed(seed)
    (weight,) = [p for p in module.parameters() if p.ndim > 1]
    measurer = Measurer(weighted_layers(module))
    measurer.after_step()
    p = filters_of(module, weight.clone())
    with torch.no_grad():
        weight.add_(torch.randn_like(weight), alpha=0.1)
    b = filters_of(module, weight.clone())
    g = None if weight.grad is None else filters_of(module, weight.grad.clone())
    measurer.before_step()
    measurer.gradients()
    with torch.no_grad():
        weight.add_(torch.randn_like(weight), alpha=0.01)
    w = filters_of(module, weight.clone())
    rows = [literal(w[i], None if g is None else g[i], p[i], b[i]) for i in range(len(w))]
    return measurer.after_step(), {name: np.array([row[name] for row in rows]) for name in MEASURES}


def assert_measures(found: Measured, expected: dict[str, np.ndarray], tolerance: float = 2e-6) -> None:
    for name in MEASURES:
        assert found.measures[name].dtype == np.float32
        scale = np.nanmax(np.abs(expected[name][np.isfinite(expected[name])]), initial=1e-30)
        np.testing.assert_allclose(found.measures[name], expected[name], tolerance, tolerance * scale, err_msg=name)


@pytest.mark.parametrize("kind", MODULES)
def test_every_kind_of_layer_is_measured_filter_by_filter(kind: str) -> None:
    torch.manual_seed(5)
    module = MODULES[kind]()
    weight = module.weight
    weight.grad = torch.randn_like(weight) * 0.3
    assert_measures(*measure_two_dumps(module))


def test_a_layer_of_several_blocks_is_measured_as_one_of_a_single_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "on", lambda device: Room(60, segments=False, waits=True))
    monkeypatch.setattr(on_host, "THREAD_WEIGHTS", 50)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    module = nn.Conv2d(3, 7, 3)
    module.weight.grad = torch.randn_like(module.weight)
    found, expected = measure_two_dumps(module)
    assert_measures(found, expected)
    assert found.histograms.weight_counts[0].sum() == module.weight.numel()


def test_weights_in_bfloat16_are_measured_without_losing_more() -> None:
    module = nn.Conv2d(16, 8, 3).to(torch.bfloat16)
    module.weight.grad = torch.randn_like(module.weight)
    assert_measures(*measure_two_dumps(module))


def test_weights_in_float64_keep_their_small_updates() -> None:
    module = nn.Linear(20, 3).double()
    measurer = Measurer(weighted_layers(module))
    measurer.before_step()
    with torch.no_grad():
        module.weight.mul_(1 + 1e-12)
    assert measurer.after_step().measures["update_ratio"] == pytest.approx(np.full(3, 1e-12), rel=1e-2)


def test_a_missing_gradient_is_undefined_and_its_histogram_empty() -> None:
    found, expected = measure_two_dumps(nn.Linear(6, 4))
    assert_measures(found, expected)
    assert np.isnan(found.measures["grad_l2"]).all()
    assert found.histograms.grad_bins[0].size == 0


def test_a_sparse_gradient_is_measured_as_the_dense_one() -> None:
    module = nn.Embedding(9, 4, sparse=True)
    module(torch.tensor([1, 1, 5])).sum().backward()
    assert module.weight.grad is not None
    assert module.weight.grad.is_sparse
    measurer = Measurer(weighted_layers(module))
    measurer.before_step()
    measurer.gradients()
    assert measurer.after_step().measures["grad_max"].tolist() == [0, 2, 0, 0, 0, 1, 0, 0, 0]


def test_a_gradient_that_the_optimizer_unscales_itself_is_divided_by_the_scale() -> None:
    module = nn.Linear(3, 2)
    module.weight.grad = torch.full((2, 3), 64.0)
    measurer = Measurer(weighted_layers(module))
    measurer.before_step()
    measurer.gradients(scale=torch.tensor(32.0))
    assert measurer.after_step().measures["grad_max"].tolist() == [2, 2]


def test_nan_and_infinite_weights_are_counted_and_do_not_raise() -> None:
    module = nn.Linear(6, 4)
    module.weight.grad = torch.ones_like(module.weight)
    with torch.no_grad():
        module.weight[0, 0] = torch.nan
        module.weight[1, 2] = torch.inf
        module.weight[1, 3] = -torch.inf
        module.weight.grad[2, 1] = torch.inf
    found, expected = measure_two_dumps(module)
    assert found.measures["nonfinite"].tolist() == [1, 2, 1, 0]
    for name in MEASURES:
        np.testing.assert_allclose(found.measures[name], expected[name], 1e-5, err_msg=name)
    assert found.histograms.weight_counts[0].sum() == 24 - 3
    assert found.histograms.grad_counts[0].sum() == 24 - 1


def test_zero_weights_have_no_cosine_and_no_relative_change() -> None:
    module = nn.Linear(4, 2)
    with torch.no_grad():
        module.weight[0] = 0
    measurer = Measurer(weighted_layers(module))
    measurer.after_step()
    measurer.before_step()
    found = measurer.after_step().measures
    relative = ("cosine", "change", "change_l1", "update_ratio")
    assert np.isnan([found[name][0] for name in relative]).all()
    assert [found[name][1] for name in relative] == pytest.approx([1, 0, 0, 0])
    assert found["euclidean"].tolist() == [0, 0]


def test_weights_that_were_all_zero_have_moved_by_a_distance_but_by_no_share() -> None:
    module = nn.Linear(4, 2)
    with torch.no_grad():
        module.weight.zero_()
    measurer = Measurer(weighted_layers(module))
    measurer.after_step()
    with torch.no_grad():
        module.weight[0] = torch.tensor([1.0, -1.0, 1.0, -1.0])
    found = measurer.after_step().measures
    assert found["euclidean"].tolist() == [2, 0]
    assert np.isnan([found["change"], found["change_l1"]]).all()


def test_how_far_weights_moved_is_unknown_at_the_first_dump_and_known_after_one_that_was_remembered() -> None:
    moves = ("cosine", "change", "change_l1", "euclidean")
    module = nn.Linear(4, 2)
    first = Measurer(weighted_layers(module)).after_step().measures
    assert np.isnan([first[name] for name in moves]).all()
    resumed = Measurer(weighted_layers(module))
    resumed.remember()
    before = module.weight.detach().double().numpy()
    with torch.no_grad():
        module.weight.add_(torch.tensor([[0.5, 0, 0, 0], [0, 0, -0.25, 0]]))
    found = resumed.after_step().measures
    np.testing.assert_allclose(found["change_l1"], [0.5, 0.25] / np.abs(before).sum(1), 1e-6)
    np.testing.assert_allclose(found["euclidean"], [0.5, 0.25], 1e-6)


@pytest.mark.parametrize("size", [1e-30, 1e15])
def test_tiny_and_huge_weights_keep_their_norms(size: float) -> None:
    module = nn.Linear(50, 3)
    module.weight.grad = torch.randn_like(module.weight) * size
    with torch.no_grad():
        module.weight.mul_(size)
    measurer = Measurer(weighted_layers(module))
    measurer.after_step()
    measurer.before_step()
    measurer.gradients()
    w, g = (x.detach().double().numpy() for x in (module.weight, module.weight.grad))
    found = measurer.after_step().measures
    np.testing.assert_allclose(found["l2"], np.sqrt((w**2).sum(1)), 1e-6)
    np.testing.assert_allclose(found["sd"], w.std(1), 1e-5)
    np.testing.assert_allclose(found["grad_l2"], np.sqrt((g**2).sum(1)), 1e-6)
    np.testing.assert_allclose(found["cosine"], 1, 1e-6)
    with torch.no_grad():
        module.weight.mul_(1.5)
    found = measurer.after_step().measures
    np.testing.assert_allclose(found["change"], 0.5, 1e-6)
    np.testing.assert_allclose(found["change_l1"], 0.5, 1e-6)
    np.testing.assert_allclose(found["euclidean"], np.sqrt((w**2).sum(1)) / 2, 1e-6)


def test_the_deviation_of_weights_far_from_zero_is_not_lost_in_their_mean() -> None:
    module = nn.Linear(1000, 2)
    with torch.no_grad():
        module.weight.copy_(1000 + 1e-2 * torch.randn(2, 1000))
    found = Measurer(weighted_layers(module)).after_step().measures
    np.testing.assert_allclose(found["sd"], module.weight.detach().double().numpy().std(1), 1e-5)


def literal_bin(value: np.float32) -> int:
    bits = int(np.float32(value).view(np.uint32))
    number = (bits >> 18) & 0x3FFF
    return 0 if number == 8192 else number


def test_histograms_count_what_a_loop_over_the_weights_counts() -> None:
    torch.manual_seed(0)
    module = nn.Linear(40, 9)
    with torch.no_grad():
        module.weight[0, :4] = torch.tensor([0.0, -0.0, 1e-42, -1e-42])
    module.weight.grad = torch.randn_like(module.weight) ** 5
    found, _ = measure_two_dumps(module)
    for values, bins, counts in (
        (module.weight, found.histograms.weight_bins[0], found.histograms.weight_counts[0]),
        (module.weight.grad, found.histograms.grad_bins[0], found.histograms.grad_counts[0]),
    ):
        expected: dict[int, int] = {}
        for value in values.detach().numpy().ravel():
            expected[literal_bin(value)] = expected.get(literal_bin(value), 0) + 1
        assert dict(zip(bins.tolist(), counts.tolist(), strict=True)) == expected
        assert (bins.dtype, counts.dtype) == (np.uint16, np.uint32)


def test_both_zeros_share_a_bin() -> None:
    bins, counts = histograms.filled_bins(histograms.count(torch.tensor([0.0, -0.0, 1.0, -1.0])).numpy())
    assert counts[bins == 0].tolist() == [2]
    assert len(bins) == 3


def test_quantiles_of_a_histogram_are_within_1_6_percent() -> None:
    torch.manual_seed(0)
    values = torch.randn(20001) * torch.logspace(-6, 3, 20001)
    bins, counts = histograms.filled_bins(histograms.count(values).numpy())
    edges = (np.stack([bins, bins + 1]).astype(np.uint32) << 18).view(np.float32).astype(np.float64)
    middles = np.where(bins == 0, 0, edges.mean(0))
    order = np.argsort(middles)
    reached = np.cumsum(counts[order])
    ordered = np.sort(values.double().numpy())
    for share in (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1):
        rank = round(share * (len(values) - 1))
        estimate = middles[order][np.searchsorted(reached, rank + 1)]
        assert estimate == pytest.approx(ordered[rank], rel=1 / 64)


def test_a_failed_measurement_leaves_the_next_dump_without_change(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Linear(4, 2)
    measurer = Measurer(weighted_layers(module))
    measurer.after_step()
    measurer.before_step()
    with monkeypatch.context() as patch:
        patch.setattr(histograms, "bins_of", lambda values: 1 / 0)
        patch.setattr(one_pass, "weights", lambda *values: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            measurer.after_step()
    measurer.before_step()
    assert np.isnan(measurer.after_step().measures["change"]).all()
    measurer.before_step()
    assert (measurer.after_step().measures["change"] == 0).all()
