"""The routes on layers and filters answer what `Run` says, in the form that docs/http-api.md describes."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from deeptracker import open_run
from deeptracker.run import Run
from deeptracker.schema import FILTER_MEASURES, MEASURES, NODE_MEASURES, Branch, Layer, Network, Node, RunInfo
from deeptracker.server import runs
from deeptracker.server.app import create_app
from deeptracker.store.blobs import Blobs
from deeptracker.store.histograms import Histograms
from deeptracker.store.log import LogWriter
from tests.server.test_frame import decode
from tests.server.test_routes import DOCUMENT, ask

DUMPS = 60
FRAMES = {
    "node-stats": "measure=sd",
    "box": "node=1&measure=sd",
    "filters": "layer=1&measure=change&normalise=filter",
    "filter-values": "layer=1&measure=change",
    "filter-order": "layer=1&measure=change&by=activity",
    "filter": "layer=1&filter=2",
    "filter-rank": "layer=1&filter=2&measure=change",
    "top-filters": "iteration=300&k=4&measure=change",
    "top-counts": "k=4&measure=change",
    "kernels": "iteration=300",
}
"""Every route that answers with a frame, and a question that the small run answers."""


@pytest.fixture(scope="module")
def client(served_root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(served_root)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def run(served_root: Path) -> Run:
    return open_run(served_root / "small")


def decoded(header: dict, arrays: dict[str, np.ndarray], name: str = "cells") -> np.ndarray:
    """The values of an array of bytes, as the document says: NaN where 0."""
    (scale,) = [one["scale"] for one in header["arrays"] if one["name"] == name]
    values = scale["lo"] + (arrays[name].astype(float) - 1) / 254 * (scale["hi"] - scale["lo"])
    return np.where(arrays[name] == 0, np.nan, values)


def test_the_network_is_told_in_full(client: TestClient, run: Run) -> None:
    found = client.get("/api/network?run=small").json()
    network = run.network()
    assert [layer["name"] for layer in found["layers"]] == [layer.name for layer in network.layers]
    assert set(found["layers"][0]) == {"name", "kind", "shape", "filters", "fan_in", "offset", "places"}
    assert found["layers"][3] == {
        **asdict(network.layers[3]),
        "shape": [*network.layers[3].shape],
        "places": [*network.layers[3].places],
    }
    assert found["nodes"] == [{"name": x.name, "parent": x.parent, "layer": x.layer} for x in run.nodes()]
    assert found["nodes"][0] == {"name": "", "parent": -1, "layer": None}
    assert found["graph"]["nodes"] == [asdict(node) for node in network.graph.nodes]
    assert found["graph"]["edges"] == [[*edge] for edge in network.graph.edges]
    assert (found["source"], found["kernel_layer"]) == (network.source, 0)
    assert found["filter_measures"] == [*FILTER_MEASURES]
    assert found["node_measures"] == [*NODE_MEASURES]
    section = DOCUMENT.split("### `/api/network`")[1].split("###")[0]
    assert set(found) == set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE))


@pytest.mark.parametrize("route", FRAMES)
def test_a_frame_has_the_documented_arrays_and_header(client: TestClient, route: str) -> None:
    header, arrays = ask(client, f"/api/{route}?run=small&{FRAMES[route]}")
    section = DOCUMENT.split(f"### `/api/{route}`")[1].split("\n### ")[0]
    documented = set(re.findall(r"`([a-z_]+)`", section))
    assert set(arrays) <= documented
    cursor = {"first", "dumps", "iteration", "branch"}
    assert set(header) - cursor - {"arrays"} <= documented
    assert (header["dumps"], header["iteration"], header["branch"]) == (DUMPS, 5900, 0)
    for name, array in arrays.items():
        described = re.search(rf"`{name}` {array.dtype.name}\b", section)
        assert described, f"{name} is {array.dtype.name}"


@pytest.mark.parametrize("measure", NODE_MEASURES)
def test_node_stats_and_boxes_agree_with_run(client: TestClient, run: Run, measure: str) -> None:
    header, arrays = ask(client, f"/api/node-stats?run=small&measure={measure}")
    np.testing.assert_array_equal(arrays["values"], run.node_stats(measure))
    assert (header["measure"], header["first"]) == (measure, 0)
    header, arrays = ask(client, f"/api/box?run=small&node=2&measure={measure}")
    expected = run.box(2, measure)
    np.testing.assert_array_equal(arrays["values"], expected.values)
    assert (header["node"], header["of"]) == (2, expected.of)


@pytest.mark.parametrize("normalise", ["filter", "iteration", "global"])
@pytest.mark.parametrize(("measure", "lo"), [("change", 0), ("mean", -1), ("cosine_distance", 0)])
def test_cells_are_shares_of_the_largest_and_sizes_give_the_values_back(
    client: TestClient, run: Run, normalise: str, measure: str, lo: int
) -> None:
    header, arrays = ask(client, f"/api/filters?run=small&layer=3&measure={measure}&normalise={normalise}")
    values = run.filter_stats(3, measure)
    assert header["arrays"][0]["scale"] == {"lo": lo, "hi": 1}
    shares = run.filter_stats(3, measure, normalise)  # type: ignore[arg-type]
    np.testing.assert_allclose(decoded(header, arrays), shares, atol=(1 - lo) / 254 / 2 + 1e-5)
    size = arrays["size"]
    assert size.shape == {"filter": (len(values),), "iteration": (DUMPS,), "global": (1,)}[normalise]
    size = size[:, None] if normalise == "filter" else size
    error = np.abs(decoded(header, arrays) * size - values)
    assert (np.isnan(error) | (error <= (1 - lo) / 254 * size + 1e-7)).all()
    assert (header["layer"], header["measure"], header["normalise"]) == (3, measure, normalise)


def test_without_normalising_the_scale_goes_from_the_smallest_to_the_largest(client: TestClient, run: Run) -> None:
    header, arrays = ask(client, "/api/filters?run=small&layer=0&measure=min")
    values = run.filter_stats(0, "min")
    scale = header["arrays"][0]["scale"]
    assert (scale["lo"], scale["hi"]) == (float(values.min()), float(values.max()))
    np.testing.assert_allclose(decoded(header, arrays), values, atol=(scale["hi"] - scale["lo"]) / 254)
    assert arrays["size"].tolist() == [1]
    assert header["normalise"] is None
    np.testing.assert_array_equal(arrays["never"], run.never_changing(0))
    assert len(arrays["never"]) == 2
    _, arrays = ask(client, "/api/filter-values?run=small&layer=0&measure=grad_l2")
    np.testing.assert_array_equal(arrays["values"], run.filter_stats(0, "grad_l2"))


def test_orders_filters_ranks_and_counts_agree_with_run(client: TestClient, run: Run) -> None:
    for by in ("similarity", "activity"):
        header, arrays = ask(client, f"/api/filter-order?run=small&layer=2&measure=sd&by={by}")
        expected = run.filter_order(2, "sd", by)  # type: ignore[arg-type]
        np.testing.assert_array_equal(arrays["order"], expected.order)
        assert (header["order_method"], header["by"]) == (expected.method, by)
    header, arrays = ask(client, "/api/filter?run=small&layer=2&filter=3")
    np.testing.assert_array_equal(arrays["values"], run.filter_history(2, 3))
    assert header["measures"] == [*FILTER_MEASURES]
    header, arrays = ask(client, "/api/filter-rank?run=small&layer=2&filter=3&measure=l1")
    np.testing.assert_array_equal(arrays["rank"], run.filter_rank(2, 3, "l1"))
    assert header["filters"] == run.network().filters
    _, arrays = ask(client, "/api/top-counts?run=small&k=9&measure=l1")
    np.testing.assert_array_equal(arrays["counts"], run.top_counts(9, "l1"))


def test_top_filters_and_kernels_are_those_of_the_dump(client: TestClient, run: Run) -> None:
    header, arrays = ask(client, "/api/top-filters?run=small&iteration=700&k=3&measure=update_ratio")
    expected = run.top_filters(700, 3, "update_ratio")
    np.testing.assert_array_equal(arrays["layer"], expected.layer)
    np.testing.assert_array_equal(arrays["filter"], expected.filter)
    np.testing.assert_array_equal(arrays["value"], expected.value)
    assert (header["at"], header["k"]) == (700, 3)
    _, nothing = ask(client, "/api/top-filters?run=small&iteration=0")
    assert nothing["value"].shape == (0,), "change is not known at the first dump"
    header, arrays = ask(client, "/api/kernels?run=small&iteration=700")
    kernels = run.kernels(700)
    assert kernels is not None
    np.testing.assert_array_equal(arrays["values"], kernels.values)
    assert (header["layer"], header["at"]) == (0, 700)


@pytest.mark.parametrize(
    "question", ["node-stats?measure=sd", "box?node=0&measure=change", "box?node=1&measure=grad_q1"]
)
@pytest.mark.parametrize("predictions", [True, False])
def test_with_a_cursor_only_the_new_dumps_come(small_run: Path, question: str, predictions: bool) -> None:
    if not predictions:
        shutil.rmtree(small_run / "samples")
    with TestClient(create_app(str(small_run.parent)), base_url="http://127.0.0.1") as client:
        header, whole = ask(client, f"/api/{question}&run=small")
        assert (header["first"], header["dumps"], header["iteration"]) == (0, DUMPS, 5900)
        header, rest = ask(client, f"/api/{question}&run=small&since=4900&branch=0")
        assert header["first"] == 50
        np.testing.assert_array_equal(rest["values"], whole["values"][:, 50:])
        header, nothing = ask(client, f"/api/{question}&run=small&since=5900&branch=0")
        assert nothing["values"].shape == (len(whole["values"]), 0)


LAYERS = (Layer("conv", "conv2d", (3, 2, 1, 1), 3, 2, 0), Layer("fc", "linear", (2, 3), 2, 3, 3))
PARTS = ("layers", "filters")


@pytest.fixture
def growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TestClient, LogWriter]]:
    """A client, and the writer of a run that it sees grow at once."""
    for pause in ("REFRESH_SECONDS", "LONGEST_SECONDS", "ENDED_SECONDS"):
        monkeypatch.setattr(runs, pause, 0)
    log = LogWriter(Blobs(tmp_path / "run"))
    log.write_info(info())
    log.write_network(Network(LAYERS, Node("", (Node("conv", layer=0), Node("fc", layer=1)))))
    with TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1") as client:
        yield client, log


def info(*starts: int) -> RunInfo:
    return RunInfo("run", "2026-01-01T00:00:00+00:00", tuple(Branch(start, "then") for start in (0, *starts)))


def write_dump(log: LogWriter, iteration: int, *, value: float | None = None, seed: int = 0) -> None:
    rng = np.random.default_rng([seed, iteration])
    values = np.float32(rng.normal(size=(len(MEASURES), 5))) if value is None else np.full((len(MEASURES), 5), value)
    bins, counts = [np.arange(4000, 4009, dtype=np.uint16)] * 2, [rng.integers(1, 9, 9).astype(np.uint32)] * 2
    log.write_layers(iteration, Histograms(bins, counts, bins, counts), parts=PARTS)
    log.write_filters(iteration, dict(zip(MEASURES, values, strict=True)), parts=PARTS)


@pytest.mark.parametrize(
    "question",
    ["node-stats?measure=sd", "node-stats?measure=weight_q1", "box?node=0&measure=l2", "box?node=2&measure=grad_q1"],
)
def test_what_a_client_puts_together_is_the_whole_also_after_resuming(
    growing: tuple[TestClient, LogWriter], question: str
) -> None:
    client, log = growing
    header, arrays = ask(client, f"/api/{question}&run=run")
    held = arrays["values"]
    assert held.shape[1] == 0
    assert header["iteration"] == -1

    def follow() -> None:
        nonlocal header, held
        since = f"&since={header['iteration']}&branch={header['branch']}" if header["iteration"] >= 0 else ""
        header, arrays = ask(client, f"/api/{question}&run=run{since}")
        held = np.concatenate([held[:, : header["first"]], arrays["values"]], axis=1)
        _, whole = ask(client, f"/api/{question}&run=run")
        np.testing.assert_array_equal(held, whole["values"])
        assert held.shape[1] == header["dumps"]

    for iteration in range(5):
        write_dump(log, iteration)
        follow()
    log.write_info(info(2))
    follow()
    assert (held.shape[1], header["branch"]) == (3, 1)
    resumed = LogWriter(Blobs(Path(client.app.state.served.root) / "run"), branch=1)  # type: ignore[attr-defined]
    for iteration in (3, 4):
        write_dump(resumed, iteration, seed=1)
    follow()
    assert held.shape[1] == 5


def test_a_run_without_dumps_has_empty_answers(growing: tuple[TestClient, LogWriter]) -> None:
    client, _ = growing
    shapes = {
        "node-stats?measure=sd": ("values", (3, 0)),
        "box?node=0&measure=weight_q1": ("values", (5, 0)),
        "filters?layer=0&measure=sd&normalise=filter": ("cells", (3, 0)),
        "filters?layer=1&measure=sd": ("cells", (2, 0)),
        "filter-values?layer=0&measure=sd": ("values", (3, 0)),
        "filter-order?layer=0&measure=sd": ("order", (3,)),
        "filter?layer=0&filter=0": ("values", (len(FILTER_MEASURES), 0)),
        "filter-rank?layer=0&filter=0&measure=sd": ("rank", (0,)),
        "top-counts?k=5": ("counts", (2, 0)),
    }
    for question, (name, shape) in shapes.items():
        header, arrays = ask(client, f"/api/{question}&run=run")
        assert arrays[name].shape == shape
        assert (header["dumps"], header["iteration"]) == (0, -1)
    assert client.get("/api/top-filters?run=run&iteration=0").status_code == 404
    assert client.get("/api/network?run=run").json()["kernel_layer"] is None


@pytest.mark.parametrize(("value", "cell"), [(np.nan, 0), (np.inf, 255), (-np.inf, 1), (0.0, 1)])
def test_what_is_missing_or_infinite_is_answered(
    growing: tuple[TestClient, LogWriter], value: float, cell: int
) -> None:
    client, log = growing
    write_dump(log, 0, value=value)
    for normalise in ("", "&normalise=filter", "&normalise=iteration", "&normalise=global"):
        _, arrays = ask(client, f"/api/filters?run=run&layer=0&measure=sd{normalise}")
        assert (arrays["cells"] == cell).all(), normalise
        assert np.isfinite(arrays["size"]).all()
    for question in ("node-stats?measure=sd", "box?node=0&measure=sd", "filter?layer=0&filter=0"):
        _, arrays = ask(client, f"/api/{question}&run=run")
        assert arrays["values"].shape[1] == 1
    _, arrays = ask(client, "/api/filter-order?run=run&layer=0&measure=sd")
    assert arrays["order"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("question", "status", "says"),
    [
        ("node-stats?run=nope&measure=sd", 404, "no run"),
        ("node-stats?run=small", 400, "measure: Field required"),
        ("node-stats?run=small&measure=median", 404, "no measure 'median'"),
        ("box?run=small&node=999&measure=sd", 404, "no node 999"),
        ("box?run=small&node=-1&measure=sd", 400, "node"),
        ("box?run=small&node=0&measure=nope", 404, "no measure 'nope'"),
        ("filters?run=small&layer=99&measure=sd", 404, "no layer 99"),
        ("filters?run=small&layer=-1&measure=sd", 400, "layer"),
        ("filters?run=small&layer=0&measure=weight_q1", 404, "no measure 'weight_q1'"),
        ("filters?run=small&layer=0&measure=sd&normalise=layer", 400, "normalise"),
        ("filter-order?run=small&layer=0&measure=sd&by=size", 400, "by"),
        ("filter-order?run=small&layer=0&measure=grad_min", 404, "no measure"),
        ("filter?run=small&layer=0&filter=8", 404, "no filter 8 in layer"),
        ("filter?run=small&layer=0&filter=-1", 400, "filter"),
        ("filter-rank?run=small&layer=0&filter=99&measure=sd", 404, "no filter 99"),
        ("top-filters?run=small&iteration=7", 404, "no dump at iteration 7"),
        ("top-filters?run=small&iteration=0&k=0", 400, "k:"),
        ("top-counts?run=small&k=-3", 400, "k:"),
        ("top-counts?run=small&measure=nope", 404, "no measure"),
        ("kernels?run=small&iteration=7", 404, "no dump at iteration 7"),
    ],
)
def test_every_error_has_the_one_shape_and_says_what_to_do(
    client: TestClient, question: str, status: int, says: str
) -> None:
    response = client.get(f"/api/{question}")
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert says in error["message"]
    assert error["remedy"]


@pytest.mark.parametrize("route", ["network", *FRAMES])
def test_before_the_network_is_known_every_route_says_when_it_comes(tmp_path: Path, route: str) -> None:
    LogWriter(Blobs(tmp_path / "run")).write_info(info())
    client = TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1")
    response = client.get(f"/api/{route}?run=run&{FRAMES.get(route, '')}")
    assert response.status_code == 404
    if route != "kernels":
        assert "no network" in response.json()["error"]["message"]
        assert "The recorder writes it" in response.json()["error"]["remedy"]


def test_kernels_that_were_not_recorded_are_a_404_that_says_why(growing: tuple[TestClient, LogWriter]) -> None:
    client, log = growing
    write_dump(log, 0)
    response = client.get("/api/kernels?run=run&iteration=0")
    assert response.status_code == 404
    assert "no kernels were recorded" in response.json()["error"]["message"]
    assert "docs/format.md" in response.json()["error"]["remedy"]


def test_a_frame_that_hardly_shrinks_is_sent_as_it_is(growing: tuple[TestClient, LogWriter]) -> None:
    client, log = growing
    for iteration in range(200):
        write_dump(log, iteration)
    for encoding in ("zstd", "gzip"):
        packed = client.get("/api/filter-order?run=run&layer=0&measure=sd", headers={"Accept-Encoding": encoding})
        assert "content-encoding" not in packed.headers, "so small that nothing is saved"
        with client.stream(
            "GET", "/api/filter?run=run&layer=0&filter=0", headers={"Accept-Encoding": encoding}
        ) as response:
            raw = b"".join(response.iter_raw())
        assert "content-encoding" not in response.headers, "random numbers"
        assert decode(raw)[1]["values"].shape == (len(FILTER_MEASURES), 200)
