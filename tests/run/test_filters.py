"""What `Run` says of filters, layers and modules is what reading every dump by itself says, also while a run grows."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.generate import Scale
from deeptracker import open_run
from deeptracker.errors import UnknownNameError
from deeptracker.run import Run
from deeptracker.schema import (
    FILTER_MEASURES,
    MEASURES,
    NODE_MEASURES,
    QUANTILES,
    Branch,
    Kernels,
    Layer,
    Network,
    Node,
    RunInfo,
)
from deeptracker.store.blobs import Blobs
from deeptracker.store.histograms import Histograms
from deeptracker.store.log import LogReader, LogWriter
from tests.analysis.test_pooling import literal_pool

DUMPS = 60
Arrays = dict[str, npt.NDArray[np.float32]]

ANSWERS: dict[str, Callable[[Run], npt.NDArray]] = {
    **{f"node_stats {name}": lambda run, name=name: run.node_stats(name) for name in NODE_MEASURES},  # type: ignore[misc]
    "layer_stats": lambda run: run.layer_stats("", "sd"),
    "box of filters": lambda run: run.box(1, "change").values,
    "box of weights": lambda run: run.box("", "weight_median").values,
    "box of gradients": lambda run: run.box(0, "grad_q3").values,
    "filter_stats": lambda run: run.filter_stats(0, "cosine_distance", "filter"),
    "filter_history": lambda run: run.filter_history(0, 1),
    "filter_rank": lambda run: run.filter_rank(0, 1, "l2"),
    "top_counts": lambda run: run.top_counts(5, "euclidean"),
}
"""Everything that has a column for each dump."""


@pytest.fixture(scope="module")
def run(served_root: Path) -> Run:
    return open_run(served_root / "small")


@pytest.fixture(scope="module")
def literal(served_root: Path) -> Arrays:
    """float32 (filters, dumps) for each measure, read dump by dump."""
    log = LogReader(Blobs(served_root / "small"))
    read = [log.filters(dump) for dump in log.dumps]
    found = {name: np.stack([one[name] for one in read], axis=1) for name in MEASURES}
    return {**found, "cosine_distance": 1 - found["cosine"]}


def fan_ins(run: Run) -> npt.NDArray[np.int64]:
    return np.array([layer.fan_in for layer in run.network().layers for _ in range(layer.filters)])


@pytest.mark.parametrize("measure", FILTER_MEASURES)
def test_every_node_is_pooled_from_the_filters_below_it(run: Run, literal: Arrays, measure: str) -> None:
    found = run.node_stats(measure)
    assert found.dtype == np.float32
    assert found.shape == (len(run.nodes()), DUMPS)
    for row, node in zip(found, run.nodes(), strict=True):
        chosen = np.concatenate([np.arange(x.rows.start, x.rows.stop) for x in run.network().layers_below(node.name)])
        of_dumps = [{name: literal[name][chosen, t] for name in literal} for t in range(DUMPS)]
        expected = [literal_pool(measure, filters, fan_ins(run)[chosen]) for filters in of_dumps]
        np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-12, err_msg=node.name)


@pytest.mark.parametrize("measure", NODE_MEASURES)
def test_a_layer_or_module_has_the_row_of_its_node(run: Run, measure: str) -> None:
    rows = run.node_stats(measure)
    assert len({node.name for node in run.nodes()}) == len(run.nodes())
    for row, node in zip(rows, run.nodes(), strict=True):
        np.testing.assert_array_equal(run.layer_stats(node.name, measure), row)


def test_a_level_that_is_folded_into_its_only_child_is_answered_as_that(tmp_path: Path) -> None:
    _, log = begun(tmp_path)
    log.write_network(Network(LAYERS, Node("", (Node("a.x", layer=0), Node("b", layer=1)))))
    write_dump(log, 0)
    run = open_run(tmp_path)
    for measure in ("sd", "weight_q1"):
        np.testing.assert_array_equal(run.layer_stats("a", measure), run.layer_stats("a.x", measure))


def test_a_box_of_filters_is_the_distribution_of_their_values(run: Run, literal: Arrays) -> None:
    for place, node in enumerate(run.nodes()):
        rows = np.concatenate([literal["change"][x.rows] for x in run.network().layers_below(node.name)])
        found = run.box(place, "change")
        assert found.of == "filters"
        assert np.isnan(found.values[:, 0]).all(), "change is not known at the first dump"
        expected = np.quantile(rows[:, 1:], [0, 0.25, 0.5, 0.75, 1], axis=0)
        np.testing.assert_allclose(found.values[:, 1:], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("measure", "of", "five"),
    [
        ("weight_median", "weights", ("min", "weight_q1", "weight_median", "weight_q3", "max")),
        ("grad_min", "gradients", ("grad_min", "grad_q1", "grad_median", "grad_q3", "grad_max")),
    ],
)
def test_a_box_of_weights_or_gradients_is_between_their_extremes(
    run: Run, measure: str, of: str, five: tuple[str, ...]
) -> None:
    found = run.box("layer1", measure)
    rows = [run.layer_stats("layer1", name) for name in five]
    assert found.of == of
    np.testing.assert_array_equal(found.values[4], rows[4])
    for value, row in zip(found.values, rows, strict=True):
        np.testing.assert_array_equal(value, np.where(row > rows[4], rows[4], np.where(row < rows[0], rows[0], row)))


def test_layers_are_given_by_name_or_index(run: Run, literal: Arrays) -> None:
    for index, layer in enumerate(run.network().layers):
        np.testing.assert_array_equal(run.filter_stats(index, "l2"), literal["l2"][layer.rows])
        np.testing.assert_array_equal(run.filter_stats(layer.name, "l2"), literal["l2"][layer.rows])


def test_a_derived_measure_is_answered_wherever_a_filter_measure_is(run: Run, literal: Arrays) -> None:
    every = literal["cosine_distance"]
    np.testing.assert_array_equal(run.filter_stats(0, "cosine_distance"), every[run.layer(0).rows])
    top = run.top_filters(int(run.iterations[9]), 3, "cosine_distance")
    np.testing.assert_array_equal(top.value, np.sort(every[:, 9])[::-1][:3])
    assert run.top_counts(3, "cosine_distance")[:, 9].sum() == 3
    assert run.filter_rank(int(top.layer[0]), int(top.filter[0]), "cosine_distance")[9] == 1
    assert run.box(0, "cosine_distance").values[4, 9] == top.value[0]


def test_frozen_filters_are_those_that_never_change(run: Run) -> None:
    assert run.never_changing("conv1").tolist() == sorted(Scale(resnet50=False).planted.frozen)
    assert run.never_changing("fc").tolist() == []


def test_a_filter_has_all_its_measures(run: Run, literal: Arrays) -> None:
    layer = run.network().layers[2]
    found = run.filter_history(2, 5)
    assert (found.shape, found.dtype) == ((len(FILTER_MEASURES), DUMPS), np.float32)
    np.testing.assert_array_equal(found, [literal[name][layer.offset + 5] for name in FILTER_MEASURES])


def test_ranks_and_counts_agree_with_the_largest_filters(run: Run, literal: Arrays) -> None:
    counts = run.top_counts(7, "grad_l2")
    assert (counts.shape, counts.dtype) == ((len(run.network().layers), DUMPS), np.int32)
    for t in (0, 1, 30, DUMPS - 1):
        top = run.top_filters(int(run.iterations[t]), 7, "grad_l2")
        np.testing.assert_array_equal(counts[:, t], np.bincount(top.layer, minlength=len(counts)))
        for layer, number, value in zip(top.layer, top.filter, top.value, strict=True):
            rank = run.filter_rank(int(layer), int(number), "grad_l2")[t]
            assert rank == 1 + (literal["grad_l2"][:, t] > value).sum()
    assert run.top_counts(7, "change")[:, 0].sum() == 0, "change is not known at the first dump"


@pytest.mark.parametrize("by", ["similarity", "activity"])
def test_an_order_has_every_filter_once_and_says_how(run: Run, by: str) -> None:
    found = run.filter_order("fc", "change", by)  # type: ignore[arg-type]
    assert sorted(found.order.tolist()) == list(range(run.layer("fc").filters))
    assert found.method


def test_kernels_are_those_of_the_first_convolution(run: Run) -> None:
    found = run.kernels(int(run.iterations[3]))
    assert found is not None
    assert found.layer == run.kernel_layer() == 0
    filters, *shape = run.network().layers[0].shape
    assert found.values.shape == (filters, *shape)


def test_what_is_answered_belongs_to_who_asked(run: Run) -> None:
    for name, ask in ANSWERS.items():
        first = ask(run)
        as_it_was = first.copy()
        first[:] = 7
        np.testing.assert_array_equal(ask(run), as_it_was, err_msg=name)


LAYERS = (Layer("a.x", "conv2d", (4, 2, 3, 3), 4, 18, 0), Layer("b", "linear", (3, 4), 3, 4, 4))
FILTERS = 7
PARTS = ("layers", "filters")


def begun(place: Path) -> tuple[Blobs, LogWriter]:
    blobs = Blobs(place)
    log = LogWriter(blobs)
    log.write_info(RunInfo("run", "2026-01-01T00:00:00+00:00", (Branch(0, "then"),)))
    log.write_network(Network(LAYERS, Node("", (Node("a", (Node("a.x", layer=0),)), Node("b", layer=1)))))
    return blobs, log


def write_dump(log: LogWriter, iteration: int, *, fill: float | None = None, seed: int = 0) -> None:
    rng = np.random.default_rng([seed, iteration])
    table = rng.normal(size=(len(MEASURES), FILTERS)) if fill is None else np.full((len(MEASURES), FILTERS), fill)
    bins = [np.sort(rng.choice(8000, 9, replace=False)).astype(np.uint16) for _ in LAYERS]
    counts = [rng.integers(1, 9, 9).astype(np.uint32) for _ in LAYERS]
    if fill is not None:
        bins = [np.zeros(0, np.uint16)] * len(LAYERS)
        counts = [np.zeros(0, np.uint32)] * len(LAYERS)
    log.write_layers(iteration, Histograms(bins, counts, bins, counts), parts=PARTS)
    log.write_filters(iteration, dict(zip(MEASURES, table.astype(np.float32), strict=True)), parts=PARTS)


def assert_as_from_scratch(run: Run, place: Path) -> None:
    anew = open_run(place)
    for name, ask in ANSWERS.items():
        np.testing.assert_array_equal(ask(run), ask(anew), err_msg=name)
    for by in ("similarity", "activity"):
        np.testing.assert_array_equal(run.filter_order(0, "sd", by).order, anew.filter_order(0, "sd", by).order)  # type: ignore[arg-type]


def test_following_a_run_gives_what_reading_it_at_once_gives(tmp_path: Path) -> None:
    _, log = begun(tmp_path)
    run = open_run(tmp_path)
    assert_as_from_scratch(run, tmp_path)
    for iteration in range(9):
        write_dump(log, iteration)
        if iteration % 3:
            assert run.refresh()
            assert_as_from_scratch(run, tmp_path)


def test_after_resuming_the_new_branch_is_what_is_answered(tmp_path: Path) -> None:
    _, log = begun(tmp_path)
    for iteration in range(8):
        write_dump(log, iteration)
    run = open_run(tmp_path)
    assert_as_from_scratch(run, tmp_path)
    log.write_info(run.info.with_branch(Branch(4, "later")))
    assert run.refresh()
    assert_as_from_scratch(run, tmp_path)
    for iteration in (5, 6):
        write_dump(LogWriter(Blobs(tmp_path), branch=1), iteration, seed=1)
    assert run.refresh()
    assert run.iterations.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert_as_from_scratch(run, tmp_path)


def test_a_new_dump_costs_reading_it_and_not_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, log = begun(tmp_path)
    for iteration in range(6):
        write_dump(log, iteration)
    run = open_run(tmp_path)
    for ask in ANSWERS.values():
        ask(run)
    read: list[int] = []
    filters, histograms = LogReader.filters, LogReader.histograms
    monkeypatch.setattr(LogReader, "filters", lambda s, d, only: (read.append(d.iteration), filters(s, d, only))[1])
    monkeypatch.setattr(LogReader, "histograms", lambda s, d: (read.append(d.iteration), histograms(s, d))[1])
    for ask in ANSWERS.values():
        ask(run)
    assert read == []
    write_dump(log, 6)
    run.refresh()
    for ask in ANSWERS.values():
        ask(run)
    assert set(read) == {6}


def test_a_run_without_dumps_has_empty_answers_of_the_right_shape(tmp_path: Path) -> None:
    begun(tmp_path)
    run = open_run(tmp_path)
    for measure in NODE_MEASURES:
        assert run.node_stats(measure).shape == (len(run.nodes()), 0)
        assert run.box(0, measure).values.shape == (5, 0)
    assert run.filter_stats(0, "sd", "iteration").shape == (4, 0)
    assert run.filter_history(0, 0).shape == (len(FILTER_MEASURES), 0)
    assert run.filter_rank(0, 0, "sd").shape == (0,)
    assert run.top_counts(3).shape == (2, 0)
    assert run.never_changing(0).tolist() == []
    assert run.filter_order(0, "sd").order.tolist() == [0, 1, 2, 3]
    assert run.kernel_layer() is None


@pytest.mark.parametrize("fill", [np.nan, np.inf, 0.0])
@pytest.mark.parametrize("dumps", [1, 3])
def test_whatever_the_measures_are_there_is_an_answer(tmp_path: Path, fill: float, dumps: int) -> None:
    """NaN everywhere, infinities, nothing but zeros; warnings are errors here."""
    _, log = begun(tmp_path)
    for iteration in range(dumps):
        write_dump(log, iteration, fill=fill)
    run = open_run(tmp_path)
    for name, ask in ANSWERS.items():
        assert ask(run).shape[-1] == dumps, name
    found = run.node_stats("max")
    np.testing.assert_array_equal(found, np.full_like(found, fill))
    assert np.isnan(run.node_stats("weight_median")).all()
    known = 0 if np.isnan(fill) else 2
    assert len(run.top_filters(0, 2).value) == known
    assert run.top_counts(2).sum() == known * dumps
    assert (run.filter_rank(0, 1, "sd") == (0 if np.isnan(fill) else 1)).all()
    assert len(run.never_changing(0)) == (4 if fill == 0 else 0)


def test_dumps_that_cannot_be_read_are_missing_and_named(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    for iteration in range(3):
        write_dump(log, iteration)
    path = "log/filters/000000000001.arrow"
    blobs.put(path, blobs.get(path)[:-100])
    run = open_run(tmp_path)
    assert np.isnan(run.node_stats("sd")).all(axis=0).tolist() == [False, True, False]
    assert len(run.top_filters(1, 3).value) == 0
    assert [text for text in run.warnings if path in text]


def test_kernels_that_were_not_recorded_are_none_and_those_of_other_dumps_stay(tmp_path: Path) -> None:
    _, log = begun(tmp_path)
    values = np.arange(72, dtype=np.float32).reshape(4, 2, 3, 3)
    write_dump(log, 0)
    run = open_run(tmp_path)
    assert (run.kernel_layer(), run.kernels(0)) == (None, None)
    write_dump(log, 1)
    log.write_kernels(1, Kernels(0, values))
    write_dump(log, 2)
    run.refresh()
    found = run.kernels(1)
    assert found is not None
    np.testing.assert_array_equal(found.values, values)
    assert (run.kernel_layer(), run.kernels(0), run.kernels(2)) == (0, None, None)


@pytest.mark.parametrize(
    "ask",
    [
        lambda run: run.node_stats("median"),
        lambda run: run.layer_stats("no.such.module", "sd"),
        lambda run: run.layer_stats("", "no such measure"),
        lambda run: run.box("no such node", "sd"),
        lambda run: run.box(999, "sd"),
        lambda run: run.box(-1, "sd"),
        lambda run: run.box(0, "no such measure"),
        lambda run: run.filter_stats(99, "sd"),
        lambda run: run.filter_stats("conv1", "weight_q1"),
        lambda run: run.never_changing("no such layer"),
        lambda run: run.filter_order("conv1", "weight_q1"),
        lambda run: run.filter_history("conv1", 999),
        lambda run: run.filter_rank("conv1", -1, "sd"),
        lambda run: run.filter_rank("conv1", 0, "weight_q1"),
        lambda run: run.top_filters(7, 1),
        lambda run: run.top_filters(100, 1, "grad_q1"),
        lambda run: run.top_counts(1, "grad_q1"),
        lambda run: run.kernels(7),
    ],
)
def test_an_unknown_name_is_an_error_that_says_what_there_is(run: Run, ask: Callable[[Run], object]) -> None:
    with pytest.raises(UnknownNameError, match=r"no .*\."):
        ask(run)


def test_fewer_than_one_filter_or_another_way_to_order_is_refused(run: Run) -> None:
    for ask in (lambda: run.top_filters(100, 0), lambda: run.top_counts(0)):
        with pytest.raises(ValueError, match="k must be >= 1"):
            ask()
    with pytest.raises(ValueError, match="by must be"):
        run.filter_order("conv1", "sd", "size")  # type: ignore[arg-type]


def test_without_a_network_every_question_says_when_it_comes(small_run: Path) -> None:
    (small_run / "network.json").unlink()
    run = open_run(small_run)
    for ask in (*ANSWERS.values(), lambda run: run.nodes(), lambda run: run.top_filters(0, 3)):
        with pytest.raises(UnknownNameError, match=r"no network.*The recorder writes it"):
            ask(run)


def test_runs_without_predictions_answer_as_those_with_them(small_run: Path, run: Run) -> None:
    shutil.rmtree(small_run / "samples")
    alone = open_run(small_run)
    assert alone.samples is None
    np.testing.assert_array_equal(alone.node_stats("sd"), run.node_stats("sd"))
    assert alone.first_new_dump(int(alone.iterations[-2]), 0) == DUMPS - 1


def test_quantiles_are_answered_for_nodes_only(run: Run) -> None:
    for measure in QUANTILES:
        assert not np.isnan(run.node_stats(measure)[:, 1:]).any()
        with pytest.raises(UnknownNameError, match=rf"no measure '{measure}'.*cosine_distance"):
            run.filter_stats(0, measure)
