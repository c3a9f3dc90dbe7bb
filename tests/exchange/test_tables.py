"""An export says what the run says, in files that other tools read."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from benchmarks.generate import Scale, write_run
from deeptracker.errors import UnknownNameError
from deeptracker.exchange import tables
from deeptracker.exchange.event_export import WHOLE_NETWORK, export_tensorboard
from deeptracker.exchange.event_files import read_scalars
from deeptracker.exchange.scalars_in import import_scalars
from deeptracker.exchange.tables import ExportChoice, ExportExistsError, export_tables
from deeptracker.run import Run, open_run
from deeptracker.schema import MEASURES, NODE_MEASURES

DUMPS = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run; not to be changed."""
    folder = tmp_path_factory.mktemp("exported") / "run"
    write_run(folder, Scale(DUMPS, classes=4, samples_per_class=3, resnet50=False, pictures=False))
    return folder


def read(path: Path) -> pa.Table:
    return parquet.read_table(path) if path.suffix == ".parquet" else csv.read_csv(path)


def values(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy(zero_copy_only=False)


def assert_filters(table: pa.Table, run: Run, layers: list[str]) -> None:
    for name in layers:
        own = table.filter(pa.compute.equal(table["layer"], name))
        count = run.layer(name).filters
        assert values(own, "iteration").tolist() == np.repeat(run.iterations, count).tolist()
        assert values(own, "filter").tolist() == list(range(count)) * DUMPS
        for measure in ("change", "grad_l2", "nonfinite"):
            found = values(own, measure).astype(np.float32).reshape(DUMPS, count)
            np.testing.assert_array_equal(found, run.filter_stats(name, measure).T, err_msg=f"{name} {measure}")


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_tables_hold_what_the_run_answers(
    place: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS", 100)  # so that there are several groups
    seen: list[tuple[int, int]] = []
    report = export_tables(place, tmp_path, kind=kind, on_progress=lambda *done: seen.append(done))
    assert seen == [(done, DUMPS) for done in range(1, DUMPS + 1)]
    run = open_run(place)
    found = {path.stem: read(path) for path in tmp_path.iterdir()}
    assert {name: len(table) for name, table in found.items()} == report.rows
    assert set(found) == {"filters", "layers", "predictions", "samples", "scalars"}
    assert found["filters"].column_names == ["iteration", "layer", "filter", *MEASURES]
    assert found["filters"]["change"].null_count == run.network().filters  # at the first dump it is undefined
    assert_filters(found["filters"], run, [layer.name for layer in run.network().layers])
    nodes = found["layers"]
    names = [node.name for node in run.nodes()]
    assert nodes["node"].to_pylist() == names * DUMPS
    assert sum(nodes["is_layer"].to_pylist()) == DUMPS * len(run.network().layers)
    for measure in NODE_MEASURES:
        stats = values(nodes, measure).astype(np.float32).reshape(DUMPS, len(names))
        np.testing.assert_array_equal(stats, run.node_stats(measure).T, err_msg=measure)
    predicted = values(found["predictions"], "predicted").reshape(DUMPS, -1)
    samples = run.samples
    assert samples is not None
    np.testing.assert_array_equal(predicted[:, samples.labels == 1].T, run.class_samples(1).predicted)
    assert values(found["samples"], "label").tolist() == samples.labels.tolist()
    assert set(found["samples"]["class"].to_pylist()) == set(run.class_names)
    for name, logged in run.scalars().items():
        np.testing.assert_array_equal(values(found["scalars"], name).astype(logged.dtype), logged)
    assert not np.isnan(pa.compute.mean(found["layers"]["change"]).as_py())


def test_some_tables_measures_and_layers_may_be_chosen(place: Path, tmp_path: Path) -> None:
    run = open_run(place)
    layers = run.network().layers
    module = next(node.name for node in run.nodes() if node.name and node.layer is None)
    choice = ExportChoice(("filters", "layers"), ("change", "weight_median"), (module, layers[-1].name))
    report = export_tables(place, tmp_path, choice=choice)
    assert set(report.rows) == {"filters", "layers"}
    filters = read(tmp_path / "filters.parquet")
    assert filters.column_names == ["iteration", "layer", "filter", "change"]
    below = [layer.name for layer in run.network().layers_below(module)]
    assert set(filters["layer"].to_pylist()) == {*below, layers[-1].name}
    nodes = read(tmp_path / "layers.parquet")
    assert nodes.column_names == ["iteration", "node", "is_layer", "change", "weight_median"]
    assert {"", layers[0].name} & set(nodes["node"].to_pylist()) == set()
    assert {module, layers[-1].name} < set(nodes["node"].to_pylist())


def test_nothing_is_overwritten_unless_it_is_asked_for(place: Path, tmp_path: Path) -> None:
    (tmp_path / "scalars.parquet").write_bytes(b"mine")
    with pytest.raises(ExportExistsError, match=r"scalars\.parquet must not be there.*--force"):
        export_tables(place, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["scalars.parquet"]
    assert (tmp_path / "scalars.parquet").read_bytes() == b"mine"
    export_tables(place, tmp_path, force=True)
    assert len(read(tmp_path / "scalars.parquet"))
    for choice, says in (
        ({"layers": ("nowhere",)}, "no module or layer 'nowhere'"),
        ({"measures": ("nothing",)}, "no measure 'nothing'"),
    ):
        with pytest.raises(UnknownNameError, match=says):
            export_tables(place, tmp_path / "other", choice=ExportChoice(**choice))
    with pytest.raises(ValueError, match="a table must be one of"):
        ExportChoice(tables=("nothing",))
    assert not (tmp_path / "other").exists()


def test_a_dump_that_cannot_be_read_is_told_and_an_export_that_fails_leaves_nothing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    shutil.copytree(place, tmp_path / "run")
    damaged = sorted((tmp_path / "run" / "log" / "filters").iterdir())[2]
    damaged.write_bytes(damaged.read_bytes()[:200])
    report = export_tables(tmp_path / "run", tmp_path / "out")
    assert len(report.left_out) == 1
    assert damaged.name in report.left_out[0]
    iterations = open_run(place).iterations.tolist()
    there = set(values(read(tmp_path / "out" / "filters.parquet"), "iteration").tolist())
    assert there == set(iterations) - {iterations[2]}
    monkeypatch.setattr(tables, "block_rows", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_tables(place, tmp_path / "failed")
    assert list((tmp_path / "failed").iterdir()) == []


def test_a_run_of_scalars_alone_has_one_table(tmp_path: Path) -> None:
    import_scalars({"loss": {1: 2.0, 5: 1.0}}, tmp_path / "run", source="logs")
    assert export_tables(tmp_path / "run", tmp_path / "out").rows == {"scalars": 2}


@pytest.mark.filterwarnings("ignore")  # those of TensorBoard's own imports
def test_tensorboard_reads_scalars_and_statistics_of_layers_back(place: Path, tmp_path: Path) -> None:
    run = open_run(place)
    report = export_tensorboard(place, tmp_path / "logs")
    found = read_scalars(tmp_path / "logs")
    assert sum(map(len, found.values())) == report.rows["scalars"] + report.rows["layers"]
    iterations = run.iterations.tolist()
    for name, node in ((WHOLE_NETWORK, ""), (run.network().layers[3].name,) * 2):
        expected = run.layer_stats(node, "change")
        own = found[f"change/{name}"]
        assert own == {i: v for i, v in zip(iterations, expected.tolist(), strict=True) if not np.isnan(v)}
    rows = run.scalars()
    for name in set(rows) - {"iteration"}:
        logged = ~np.isnan(rows[name])
        assert list(found[name]) == rows["iteration"][logged].tolist()
        np.testing.assert_allclose(list(found[name].values()), rows[name][logged], rtol=1e-6)
    with pytest.raises(ExportExistsError, match="must have no event files"):
        export_tensorboard(place, tmp_path / "logs")
    export_tensorboard(place, tmp_path / "logs", force=True, choice=ExportChoice(measures=("l2",), layers=("",)))
    assert {tag.split("/")[0] for tag in read_scalars(tmp_path / "logs")} == {"l2", *rows} - {"iteration"}
    assert len(list((tmp_path / "logs").iterdir())) == 1
