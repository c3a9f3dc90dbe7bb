"""`Run` answers in the documented shapes, for dumps of every kind."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deeptracker import open_run
from deeptracker.analysis.anomalies import flip_events, scores
from deeptracker.analysis.classes import flips_each_way
from deeptracker.analysis.clusters import similarity_order
from deeptracker.errors import DeepTrackerError, RunNotFoundError, UnknownNameError
from deeptracker.run import WINDOWS, Run
from deeptracker.run.classes import WINDOWS_KEPT
from deeptracker.schema import MEASURES, QUANTILES, Branch, Layer, Network, Node, Predictions, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.histograms import Histograms
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.samples import write_samples

CLASSES, PER_CLASS, DUMPS = 6, 20, 60


def literal_predictions(place: Path) -> np.ndarray:
    """(samples, dumps), read file by file."""
    log = LogReader(Blobs(place))
    return np.stack([log.predictions(dump, CLASSES * PER_CLASS).predicted for dump in log.dumps], axis=1)


def test_error_rates_are_shares_of_wrong_samples_of_each_class(served_root: Path) -> None:
    run = open_run(served_root / "small")
    wrong = literal_predictions(served_root / "small") != np.repeat(np.arange(CLASSES), PER_CLASS)[:, None]
    expected = wrong.reshape(CLASSES, PER_CLASS, DUMPS).mean(axis=1)
    np.testing.assert_allclose(run.error_rates(), expected, atol=1e-6)
    np.testing.assert_allclose(run.validation_error(), wrong.mean(axis=0), atol=1e-6)


def test_class_stats_and_samples_agree_with_the_matrix(served_root: Path) -> None:
    run = open_run(served_root / "small")
    predicted = literal_predictions(served_root / "small")[2 * PER_CLASS : 3 * PER_CLASS]
    samples = run.class_samples("class 002")
    np.testing.assert_array_equal(samples.predicted, predicted)
    assert samples.samples.tolist() == list(range(40, 60))
    assert samples.ids[0] == "val_000040"
    assert run.probabilities("class 002").shape == predicted.shape
    assert sorted(samples.order.order.tolist()) == list(range(PER_CLASS))
    stats = run.class_stats(2, window=5)
    correct = predicted == 2
    became_right = np.concatenate([[0], (~correct[:, :-1] & correct[:, 1:]).sum(axis=0)])
    np.testing.assert_array_equal(stats.became_right, became_right)
    np.testing.assert_allclose(stats.error, run.error_rates()[2])


@pytest.mark.parametrize("dumps", [9, 150])
def test_dumps_without_predictions_and_missing_samples_are_passed_over_by_scores_and_flips(
    tmp_path: Path, dumps: int
) -> None:
    """Against the plain rules on a record in which a missing sample has its value of the recorded dump before."""
    labels = np.repeat(np.arange(3), (4, 0, 5))
    blobs, rng = Blobs(tmp_path), np.random.default_rng(dumps)
    log = LogWriter(blobs)
    log.write_info(RunInfo("a", "2026-01-02T03:04:05+00:00", (Branch(0, "2026-01-02T03:04:05+00:00"),)))
    write_samples(blobs, list("abcdefghi"), labels, classes=3)
    raw, known, recorded = np.zeros((9, dumps), bool), np.zeros((9, dumps), bool), []
    for dump in range(dumps):
        log.write_layers(dump, Histograms([], [], [], []))
        some = np.flatnonzero(rng.random(9) < 0.8).astype(np.int32)
        known[:, dump] = known[:, recorded[-1]] if recorded else False
        if rng.random() < 0.7 and len(some):
            predicted = np.where(rng.random(len(some)) < 0.6, labels[some], 1).astype(np.int16)
            log.write_predictions(dump, Predictions(predicted, np.zeros(len(some), np.float16), None, some))
            raw[some, dump] = known[some, dump] = predicted == labels[some]
            recorded.append(dump)
    run = open_run(tmp_path)
    expected = scores(flip_events(known[:, recorded]), [0, 4, 4, 9], 2)
    found = run.anomaly_scores(2)
    for name in ("left", "right", "pending"):
        spread = np.zeros((3, dumps), np.float32)
        spread[:, recorded] = getattr(expected, name)
        np.testing.assert_array_equal(getattr(found, name), spread)
    for cls, rows in ((0, slice(0, 4)), (1, slice(4, 4)), (2, slice(4, 9))):
        stats = run.class_stats(cls, window=2)
        np.testing.assert_array_equal(stats.left, found.left[cls])
        np.testing.assert_array_equal(stats.pending, found.pending[cls])
        became = flips_each_way(raw[rows], np.array(recorded))
        np.testing.assert_array_equal((stats.became_wrong, stats.became_right), became)
        order = similarity_order(~known[rows][:, recorded]).order
        np.testing.assert_array_equal(run.class_samples(cls).order.order, order)


def test_scores_of_a_few_windows_are_kept_and_all_are_what_they_were(served_root: Path) -> None:
    run = open_run(served_root / "small")
    windows = range(2, 2 + 2 * WINDOWS_KEPT)
    first = [run.anomaly_scores(window) for window in windows]
    assert run.anomaly_scores(windows[-1]) is first[-1]
    for window, before in zip(windows, first, strict=True):
        again = run.anomaly_scores(window)
        assert again.window == window
        np.testing.assert_array_equal(again.left, before.left)
    held = [one for one in first if run.anomaly_scores(one.window) is one]
    assert len(held) == 0, "each of them has been pushed out by later ones"


def test_the_count_table_counts_what_anomalies_would_name(served_root: Path) -> None:
    run = open_run(served_root / "small")
    table = run.anomaly_counts()
    for window, percent in ((2, 0), (5, 10), (10, 35), (40, 5)):
        assert table[WINDOWS.index(window), percent] == len(run.anomalies(window, percent / 100).cls)


def test_clusters_are_sorted_easy_to_hard_and_cover_all_classes(served_root: Path) -> None:
    found = open_run(served_root / "small").clusters(3)
    assert found.sizes.sum() == CLASSES
    assert (np.diff(found.curves.mean(axis=1)) >= 0).all()


def test_filters_layers_and_the_network_are_answered_from_the_log(served_root: Path) -> None:
    run = open_run(served_root / "small")
    change = run.filter_stats("conv1", "change")
    assert change.shape == (8, DUMPS)
    assert np.isnan(change[:, 0]).all()
    highest = np.nanmax(run.filter_stats("conv1", "change", normalise="filter"), axis=1)
    never_changes = np.nanmax(change, axis=1) == 0
    np.testing.assert_array_equal(highest, np.where(never_changes, 0, 1))
    weights = np.array([x.fan_in for x in run.network().layers for _ in range(x.filters)])
    means = np.concatenate([run.filter_stats(x.name, "mean") for x in run.network().layers])
    expected = (means * weights[:, None]).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(run.layer_stats("", "mean"), expected, rtol=1e-4)
    for measure in MEASURES:
        assert run.layer_stats("layer1", measure).shape == (DUMPS,)


def write_literal_run(place: Path) -> list[list[np.ndarray]]:
    """Two dumps of three layers, two of them in a module; weights and gradients (or none) of each layer, per dump."""
    rng = np.random.default_rng(0)
    layers = (
        Layer("a.x", "linear", (2, 50), 2, 50, 0),
        Layer("a.y", "linear", (1, 9), 1, 9, 2),
        Layer("b", "linear", (1, 2), 1, 2, 3),
    )
    module = Node("a", (Node("a.x", layer=0), Node("a.y", layer=1)))
    log = LogWriter(Blobs(place))
    log.write_info(RunInfo("run", "2026-01-01T00:00:00+00:00", (Branch(0, "2026-01-01T00:00:00+00:00"),)))
    log.write_network(Network(layers, Node("", (module, Node("b", layer=2)))))
    dumps = []
    for iteration in (0, 10):
        numbers = [rng.normal(size=(2, x.filters * x.fan_in)).astype(np.float32) for x in layers]
        parts = [[sparse(layer[row]) for layer in numbers] for row in (0, 1)]
        if iteration == 0:
            parts[1] = [(np.zeros(0, np.uint16), np.zeros(0, np.uint32)) for _ in layers]
        bins = [[bins for bins, _ in part] for part in parts]
        counts = [[counts for _, counts in part] for part in parts]
        log.write_layers(iteration, Histograms(bins[0], counts[0], bins[1], counts[1]), parts=("layers",))
        dumps.append(numbers)
    return dumps


def sparse(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    bins, counts = np.unique(numbers.view(np.uint32) >> 18, return_counts=True)
    return bins.astype(np.uint16), counts.astype(np.uint32)


@pytest.mark.parametrize(("node", "layers"), [("", [0, 1, 2]), ("a", [0, 1]), ("a.y", [1]), ("b", [2])])
def test_quantiles_are_those_of_all_weights_below_a_node(tmp_path: Path, node: str, layers: list[int]) -> None:
    dumps = write_literal_run(tmp_path / "run")
    run = open_run(tmp_path / "run")
    for measure, share in QUANTILES.items():
        row = int(measure.startswith("grad_"))
        below = [np.concatenate([numbers[i][row] for i in layers]) for numbers in dumps]
        expected = [np.quantile(numbers, share, method="inverted_cdf") for numbers in below]
        if row:
            expected[0] = np.nan
        found = run.layer_stats(node, measure)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1 / 64 + 1e-6, err_msg=measure)


def test_quantiles_of_a_dump_that_cannot_be_read_are_missing_and_named(tmp_path: Path) -> None:
    write_literal_run(tmp_path / "run")
    one = [np.array([1], np.uint16)], [np.array([1], np.uint32)]
    LogWriter(Blobs(tmp_path / "run")).write_layers(10, Histograms(*one, *one))
    run = open_run(tmp_path / "run")
    assert np.isnan(run.layer_stats("", "weight_median")).tolist() == [False, True]
    assert [text for text in run.warnings if "must have 3 layers" in text]


def test_a_quantile_is_no_measure_of_a_filter(served_root: Path) -> None:
    run = open_run(served_root / "small")
    with pytest.raises(UnknownNameError, match=r"no measure 'weight_q1'.*grad_max"):
        run.filter_stats("conv1", "weight_q1")
    with pytest.raises(UnknownNameError, match=r"weight_median"):
        run.layer_stats("", "median")


@pytest.mark.parametrize("measure", MEASURES)
def test_top_filters_go_by_any_measure(served_root: Path, measure: str) -> None:
    run = open_run(served_root / "small")
    every = np.concatenate([run.filter_stats(x.name, measure)[:, 7] for x in run.network().layers])
    top = run.top_filters(int(run.iterations[7]), 5, measure)
    np.testing.assert_array_equal(top.value, np.sort(every[~np.isnan(every)])[::-1][:5])
    offsets = np.array([x.offset for x in run.network().layers])
    np.testing.assert_array_equal(every[offsets[top.layer] + top.filter], top.value)


def test_top_filters_are_the_largest_over_all_layers(served_root: Path) -> None:
    run = open_run(served_root / "small")
    top = run.top_filters(500, 7)
    dump = int(np.flatnonzero(run.iterations == 500)[0])
    every = np.concatenate([run.filter_stats(x.name, "change")[:, dump] for x in run.network().layers])
    np.testing.assert_array_equal(top.value, np.sort(every)[::-1][:7])
    first = run.network().layers[top.layer[0]]
    assert every[first.offset + top.filter[0]] == top.value[0]
    assert len(run.top_filters(0, 7).value) == 0, "change is undefined at the first dump"


def test_scalars_stages_and_training_error_follow_what_was_logged(served_root: Path) -> None:
    run = open_run(served_root / "small")
    rows = run.scalars(["lr", "train_error"])
    assert set(rows) == {"iteration", "lr", "train_error"}
    assert len(run.learning_rate_stages()) == 4
    chosen = (rows["iteration"] > 900) & (rows["iteration"] <= 1000)
    assert run.training_error()[10] == pytest.approx(rows["train_error"][chosen].mean(), abs=1e-6)
    assert run.learning_rate()[0] == pytest.approx(0.8)


def copied(files: list[Path], source: Path, target: Path) -> None:
    for path in files:
        (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / path.relative_to(source))


@pytest.mark.parametrize(
    "ask",
    [
        lambda run: run.class_stats("no such class"),
        lambda run: run.class_samples(99),
        lambda run: run.filter_stats("no such layer", "mean"),
        lambda run: run.filter_stats("conv1", "no such measure"),
        lambda run: run.layer_stats("no.such.module", "mean"),
        lambda run: run.top_filters(7, 1),
        lambda run: run.sample_history(10_000),
        lambda run: run.scalars(["no such scalar"]),
    ],
)
def test_an_unknown_name_is_an_error_that_says_what_there_is(served_root: Path, ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnknownNameError, match=r"no |must be"):
        ask(open_run(served_root / "small"))


def test_a_folder_without_a_run_says_how_to_record_one(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match=r"deeptracker demo"):
        open_run(tmp_path)


def test_a_run_without_a_network_says_when_it_comes(small_run: Path) -> None:
    (small_run / "network.json").unlink()
    run = open_run(small_run)
    assert not run.has_network
    with pytest.raises(DeepTrackerError, match="no network"):
        run.network()


def test_a_run_without_predictions_says_how_to_record_them(small_run: Path) -> None:
    (small_run / "samples" / "labels.arrow").unlink()
    run = open_run(small_run)
    assert np.isnan(run.validation_error()).all()
    with pytest.raises(DeepTrackerError, match="validation="):
        run.clusters(3)


def test_a_damaged_dump_is_missing_and_named_and_the_others_stay(small_run: Path) -> None:
    for kind in ("predictions", "filters"):
        path = small_run / f"log/{kind}/000000000300.arrow"
        path.write_bytes(path.read_bytes()[:-100])
    run = open_run(small_run)
    whole = [i for i in range(DUMPS) if i != 3]
    assert np.isnan(run.validation_error()[3])
    assert not np.isnan(run.validation_error()[whole]).any()
    assert np.isnan(run.filter_stats("conv1", "mean")[:, 3]).all()
    assert run.anomaly_scores(5).left.shape == (CLASSES, DUMPS)
    assert not run.anomaly_scores(5).left[:, 3].any()
    assert run.clusters(2).curves.shape == (2, DUMPS)
    assert [x for x in run.check() if "000000000300" in x]


def test_a_run_can_be_followed_and_ends_as_if_read_at_once(served_root: Path, tmp_path: Path) -> None:
    source, target = served_root / "small", tmp_path / "live"
    whole = open_run(source)
    logged = sorted((source / "log").rglob("*.arrow"), key=lambda path: path.name)
    copied([path for path in source.rglob("*.*") if path not in logged], source, target)
    run = open_run(target)
    assert len(run.iterations) == 0
    assert run.settled == 0
    for part in (logged[: len(logged) // 2], logged[len(logged) // 2 :]):
        copied(part, source, target)
        assert run.refresh()
        run.clusters(3)
        run.anomaly_counts()
        run.sample_history(3)
    assert not run.refresh()
    np.testing.assert_array_equal(run.error_rates(), whole.error_rates())
    np.testing.assert_array_equal(run.anomaly_counts(), whole.anomaly_counts())
    np.testing.assert_array_equal(run.sample_history(3)["probability"], whole.sample_history(3)["probability"])


def test_the_cursor_says_which_dumps_are_new(small_run: Path) -> None:
    run = open_run(small_run)
    assert run.first_new_dump(None, None) == 0
    assert run.first_new_dump(1000, 0) == 11
    assert run.first_new_dump(5900, 0) == DUMPS
    assert run.first_new_dump(1000, 5) == 0, "a branch that never was"


def test_after_resuming_the_cursor_goes_back_to_where_the_branches_part(small_run: Path) -> None:
    run = open_run(small_run)
    LogWriter(Blobs(small_run)).write_info(run.info.with_branch(Branch(2000, "2026-01-01T00:00:00+00:00")))
    writer = LogWriter(Blobs(small_run), branch=1)
    everything_wrong = Predictions(np.full(120, 5, np.int16), np.zeros(120, np.float16))
    writer.write_predictions(2100, everything_wrong)
    assert run.refresh()
    assert run.iterations[-1] == 2100
    assert run.first_new_dump(5900, 0) == 21
    assert run.first_new_dump(1000, 0) == 11
    assert run.first_new_dump(2100, 1) == 22
    assert run.validation_error()[-1] == pytest.approx(100 / 120)


def test_dumps_that_may_still_receive_predictions_are_not_settled(small_run: Path) -> None:
    (small_run / "log/predictions/000000005900.arrow").rename(small_run / "kept")
    writer = LogWriter(Blobs(small_run))
    run = Run(small_run)
    # The newest dump now lacks a part that it says it has, so it does not count yet.
    assert len(run.iterations) == DUMPS - 1
    filters = LogReader(Blobs(small_run)).filters(LogReader(Blobs(small_run)).dumps[-1])
    writer.write_filters(6000, filters)
    run.refresh()
    assert (len(run.iterations), run.settled) == (DUMPS + 1, DUMPS - 1)
    writer.write_predictions(6000, Predictions(np.zeros(120, np.int16), np.zeros(120, np.float16)))
    run.refresh()
    assert run.settled == DUMPS + 1
    assert not np.isnan(run.validation_error()[-1])


def test_the_state_is_live_while_dumps_come_and_stopped_after_long_silence(small_run: Path) -> None:
    info = replace(open_run(small_run).info, state="running")
    LogWriter(Blobs(small_run)).write_info(info)
    assert open_run(small_run).state == "live"
    for path in small_run.rglob("*.arrow"):
        os.utime(path, (1e9, 1e9))
    LogWriter(Blobs(small_run)).write_info(replace(info, created="2001-09-09T01:00:00+00:00"))
    assert open_run(small_run).state == "stopped"


def test_what_was_abandoned_is_shown_when_it_is_asked_for(small_run: Path) -> None:
    before = open_run(small_run)
    for branch, start in ((1, 2000), (2, 2500)):
        info = open_run(small_run).info
        LogWriter(Blobs(small_run)).write_info(info.with_branch(Branch(start, "2026-01-01T00:00:00+00:00")))
        wrong = Predictions(np.full(120, 5, np.int16), np.zeros(120, np.float16))
        for iteration in range(start + 100, start + 1100, 100):
            LogWriter(Blobs(small_run), branch=branch).write_predictions(iteration, wrong)
    assert [len(open_run(small_run, branch=b).iterations) for b in (0, 1, 2)] == [DUMPS, 31, 36]
    first, second, newest = (open_run(small_run, branch=b) for b in (0, 1, 2))
    np.testing.assert_array_equal(first.error_rates(), before.error_rates())
    np.testing.assert_array_equal(second.error_rates()[:, 21:], newest.error_rates()[:, 21:31])
    np.testing.assert_array_equal(newest.iterations, open_run(small_run).iterations)
    assert [run.branch for run in (first, second, newest)] == [0, 1, 2]
    assert [run.is_abandoned for run in (first, second, newest)] == [True, True, False]
    assert {len(run.branches) for run in (first, second, newest)} == {3}
    assert (first.state, second.state) == ("stopped", "stopped")
    with pytest.raises(UnknownNameError, match=r"no branch 3 in run .*0 to 2"):
        open_run(small_run, branch=3)
