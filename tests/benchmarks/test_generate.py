"""Generated runs are whole, agree with themselves, and hold what is planted in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import MOST_KERNEL_WEIGHTS, Scale, kinds_of, write_run
from deeptracker.record.kernels import MOST_WEIGHTS
from deeptracker.schema import GRADIENT_MEASURES, MEASURES, STEP_MEASURES, Network
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

SCALE = Scale(dumps=60, classes=6, samples_per_class=4, iterations_per_dump=10, resnet50=False, pictures=False)
SEEDS = (0, 1, 2)
LARGER = {
    "more dumps": replace(SCALE, dumps=600),
    "wider": replace(SCALE, filters_times=10),
    "more samples": replace(SCALE, samples_per_class=40),
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[LogReader]:
    """A small run for each seed."""
    root = tmp_path_factory.mktemp("generated")
    for seed in SEEDS:
        write_run(root / str(seed), SCALE, seed=seed)
    return [LogReader(Blobs(root / str(seed))) for seed in SEEDS]


@pytest.fixture(params=SEEDS)
def log(request: pytest.FixtureRequest, logs: list[LogReader]) -> LogReader:
    return logs[SEEDS.index(request.param)]


def network_of(log: LogReader) -> Network:
    assert log.network is not None
    return log.network


def over_time(log: LogReader) -> dict[str, np.ndarray]:
    """float64 (dumps, filters) for each measure."""
    read = [log.filters(dump) for dump in log.dumps]
    return {name: np.stack([row[name] for row in read]).astype(np.float64) for name in MEASURES}


def kernels_of(log: LogReader) -> np.ndarray:
    """float64 (dumps, filters, weights of a filter)."""
    read = [log.kernels(dump) for dump in log.dumps]
    assert all(kernels is not None and kernels.layer == 0 for kernels in read)
    return np.stack([kernels.values.reshape(len(kernels.values), -1) for kernels in read if kernels]).astype(np.float64)


def test_a_run_is_whole(log: LogReader) -> None:
    assert len(log.dumps) == SCALE.dumps
    assert log.check() == []
    values = over_time(log)
    for name in MEASURES:
        is_unknown = np.isnan(values[name])
        assert is_unknown[0].all() == (name in (*STEP_MEASURES, *GRADIENT_MEASURES))
        assert not is_unknown[1:].any()


def test_frozen_filters_never_move_and_no_others_do_not(log: LogReader) -> None:
    planted, values = SCALE.planted, over_time(log)
    rows = network_of(log).layer(planted.frozen_layer).offset + np.array(planted.frozen)
    assert np.flatnonzero((values["change"][1:] == 0).all(axis=0)).tolist() == rows.tolist()
    still = ("change", "change_l1", "euclidean", "update_ratio", *GRADIENT_MEASURES)
    assert not np.signbit([values[name][1:, rows] for name in still]).any()
    assert (np.array([values[name][1:, rows] for name in still]) == 0).all()
    assert (values["cosine"][1:, rows] == 1).all()
    kernels = kernels_of(log)[:, list(planted.frozen)]
    assert (kernels == kernels[0]).all()


def test_overactive_filters_change_ten_times_as_much_as_their_neighbours_late_in_the_run(log: LogReader) -> None:
    planted = SCALE.planted
    change = over_time(log)["change"][:, network_of(log).layer(planted.overactive_layer).rows]
    neighbours = np.median(np.delete(change, planted.overactive, axis=1), axis=1)
    late = planted.overactive_from(SCALE.dumps)
    assert late == 40
    for filter_ in planted.overactive:
        ratio = change[:, filter_] / neighbours
        assert 0.5 < ratio[1:late].mean() < 2
        assert 6 < ratio[late:].mean() < 16


def test_the_gradients_of_one_layer_vanish_and_it_hardly_changes(log: LogReader) -> None:
    values, rows = over_time(log), network_of(log).layer(SCALE.planted.vanishing_layer).rows
    for name in ("grad_sd", "grad_l2", "grad_max", "change"):
        others = np.median(np.delete(values[name], rows, axis=1)[1:], axis=1)
        share = np.median(values[name][1:, rows], axis=1) / others
        assert (share > 1e-6).all()
        assert (share < 1e-4).all()
    assert (values["change"][1:, rows] > 0).all()


@pytest.fixture(scope="module", params=LARGER)
def larger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scale, LogReader]:
    """A run ten times as large in one way."""
    scale, place = LARGER[request.param], tmp_path_factory.mktemp("larger")
    write_run(place, scale)
    return scale, LogReader(Blobs(place))


def test_ten_times_as_large_a_run_is_whole(larger: tuple[Scale, LogReader]) -> None:
    scale, log = larger
    network, samples = network_of(log), scale.classes * scale.samples_per_class
    assert len(log.dumps) == scale.dumps
    assert network.filters == 88 * scale.filters_times + scale.classes
    for dump in (log.dumps[0], log.dumps[-1]):
        assert set(log.filters(dump)) == set(MEASURES)
        assert len(log.predictions(dump, samples).predicted) == samples
    if scale.dumps == SCALE.dumps:
        assert log.check() == []


def test_ten_times_as_large_a_run_holds_what_is_planted(larger: tuple[Scale, LogReader]) -> None:
    scale, log = larger
    network, planted, values = network_of(log), scale.planted, over_time(log)
    frozen = network.layer(planted.frozen_layer).offset + np.array(planted.frozen)
    assert np.flatnonzero((values["change"][1:] == 0).all(axis=0)).tolist() == frozen.tolist()
    change = values["change"][planted.overactive_from(scale.dumps) :, network.layer(planted.overactive_layer).rows]
    ratio = change.mean(axis=0) / np.median(np.delete(change, planted.overactive, axis=1))
    assert set(np.argsort(-ratio)[:3]) == set(planted.overactive)
    assert (ratio[list(planted.overactive)] > 5).all()
    vanishing = network.layer(planted.vanishing_layer).rows
    others = np.median(np.delete(values["grad_l2"], vanishing, axis=1)[1:])
    assert np.median(values["grad_l2"][1:, vanishing]) < 1e-4 * others


def test_errors_fall_however_many_samples_a_class_has(larger: tuple[Scale, LogReader]) -> None:
    scale, log = larger
    labels = np.repeat(np.arange(scale.classes), scale.samples_per_class)
    errors = [(log.predictions(log.dumps[at], len(labels)).predicted != labels).mean() for at in (0, -1)]
    assert errors[0] > errors[1] + 0.1


def test_kernels_are_left_out_of_a_network_too_wide_for_the_recorder_to_keep_them() -> None:
    first = {times: Scale(filters_times=times).architecture.network(1000) for times in (1, 6, 10)}
    assert ["kernels" in kinds_of(network) for network in first.values()] == [True, True, False]
    assert MOST_KERNEL_WEIGHTS == MOST_WEIGHTS


def test_a_run_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="all sizes of a run must be >= 1"):
        Scale(dumps=0)


def test_measures_agree_with_each_other(log: LogReader) -> None:
    network, values = network_of(log), over_time(log)
    n = np.repeat([layer.fan_in for layer in network.layers], [layer.filters for layer in network.layers])
    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(values["sum"], n * values["mean"], **close)
    np.testing.assert_allclose(values["l2"] ** 2, n * (values["sd"] ** 2 + values["mean"] ** 2), **close)
    np.testing.assert_allclose(
        values["grad_l2"] ** 2, n * (values["grad_sd"] ** 2 + values["grad_mean"] ** 2), rtol=1e-5
    )
    assert (np.abs(values["sum"]) <= values["l1"] * (1 + 1e-6)).all()
    assert (values["l1"] <= np.sqrt(n) * values["l2"] * (1 + 1e-6)).all()
    assert (values["min"] < values["mean"]).all()
    assert (values["mean"] < values["max"]).all()
    now, before = values["l2"][1:], values["l2"][:-1]
    euclidean = values["euclidean"][1:]
    np.testing.assert_allclose(euclidean, values["change"][1:] * before, **close)
    assert (np.abs(now - before) <= euclidean + 1e-6).all()
    cosine = (now**2 + before**2 - euclidean**2) / (2 * now * before)
    np.testing.assert_allclose(values["cosine"][1:], cosine, atol=1e-5)


def test_deviations_fall_and_means_sink_except_in_the_last_layer(log: LogReader) -> None:
    values = over_time(log)
    for layer in network_of(log).layers:
        if layer.name == SCALE.planted.vanishing_layer:
            continue
        sd, mean = (np.median(values[name][:, layer.rows], axis=1) for name in ("sd", "mean"))
        assert 0.5 < sd[-1] / sd[0] < 0.9
        sunk = mean[-1] / sd[-1]
        assert abs(sunk) < 0.05 if layer.name == "fc" else -0.5 < sunk < -0.05, layer.name


def test_the_measures_of_the_first_layer_are_those_of_its_kernels(log: LogReader) -> None:
    w, values, rows = kernels_of(log), over_time(log), network_of(log).layers[0].rows
    step = w[1:] - w[:-1]
    literal = {
        "mean": w.mean(axis=2),
        "sd": w.std(axis=2),
        "min": w.min(axis=2),
        "max": w.max(axis=2),
        "l1": np.abs(w).sum(axis=2),
        "l2": np.linalg.norm(w, axis=2),
    }
    for name, expected in literal.items():
        np.testing.assert_allclose(values[name][:, rows], expected, rtol=1e-6, atol=1e-7)
    change = np.linalg.norm(step, axis=2) / literal["l2"][:-1]
    np.testing.assert_allclose(values["change"][1:, rows], change, rtol=1e-5)
    change_l1 = np.abs(step).sum(axis=2) / literal["l1"][:-1]
    np.testing.assert_allclose(values["change_l1"][1:, rows], change_l1, rtol=1e-5)


def test_histograms_count_every_weight_and_have_the_deviations_of_their_layers(log: LogReader) -> None:
    layers, values = network_of(log).layers, over_time(log)
    for row in (0, 1, SCALE.dumps - 1):
        found = log.histograms(log.dumps[row])
        for index, layer in enumerate(layers):
            parts = [(found.weight_bins[index], found.weight_counts[index], "mean", "sd")]
            if row == 0:
                assert len(found.grad_bins[index]) == 0
            else:
                parts.append((found.grad_bins[index], found.grad_counts[index], "grad_mean", "grad_sd"))
            for bins, counts, mean, sd in parts:
                assert (np.diff(bins.astype(np.int64)) > 0).all()
                assert counts.sum() == layer.filters * layer.fan_in
                middles = middles_of(bins)
                average = np.average(middles, weights=counts)
                deviation = np.sqrt(np.average((middles - average) ** 2, weights=counts))
                means, deviations = values[mean][row, layer.rows], values[sd][row, layer.rows]
                expected = np.sqrt((deviations**2 + (means - means.mean()) ** 2).mean())
                assert deviation == pytest.approx(expected, rel=0.15), (layer.name, sd)


def middles_of(bins: np.ndarray) -> np.ndarray:
    bits = (bins.astype(np.uint32) << 18) | np.uint32(1 << 17)
    return np.where(bins % 8192 == 0, 0.0, bits.view(np.float32)).astype(np.float64)


def test_gradients_differ_between_layers_and_over_time(log: LogReader) -> None:
    values, layers = over_time(log)["grad_l2"][1:], network_of(log).layers
    others = [layer for layer in layers if layer.name != SCALE.planted.vanishing_layer]
    of_layer = np.stack([np.median(values[:, layer.rows], axis=1) for layer in others])
    assert of_layer.max(axis=0).mean() > 2 * of_layer.min(axis=0).mean()
    assert (of_layer[:, 0] > 1.5 * of_layer[:, -1]).all()


def test_a_seed_gives_the_same_bytes_again_and_another_seed_others(tmp_path: Path) -> None:
    scale = Scale(4, 3, 4, 10, resnet50=False)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write_run(tmp_path / name, scale, seed=seed)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.arrow"))
    assert len(files) == 4 * 5 + 2
    a, b, c = ([(tmp_path / name / path).read_bytes() for path in files] for name in "abc")
    assert a == b
    assert all(x != y for path, x, y in zip(files, a, c, strict=True) if path.name != "labels.arrow")
