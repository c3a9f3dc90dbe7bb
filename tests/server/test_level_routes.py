"""With a width the routes answer in columns, and a client that puts them together has what one answer would say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from deeptracker import open_run
from deeptracker.run import Run
from deeptracker.server import runs
from deeptracker.server.app import create_app
from tests.server.test_routes import ask

DUMPS = 60


@pytest.fixture(scope="module")
def client(served_root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(served_root)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def run(served_root: Path) -> Run:
    return open_run(served_root / "small")


def cells(values: np.ndarray, lo: float, hi: float) -> np.ndarray:
    """What to_bytes makes of them, within one step."""
    return np.where(np.isnan(values), 0, 1 + 254 * (np.clip(values, lo, hi) - lo) / (hi - lo))


@pytest.mark.parametrize("question", ["classes?", "node-stats?measure=sd", "filters?layer=1&measure=change"])
@pytest.mark.parametrize("more", ["&width=60", "&width=9999"])
def test_where_all_dumps_fit_the_arrays_are_those_without_a_width(client: TestClient, question: str, more: str) -> None:
    plain_header, plain = ask(client, f"/api/{question}&run=small")
    header, arrays = ask(client, f"/api/{question}&run=small{more}")
    assert header == plain_header | {"level": 1, "from": 0}
    assert arrays.keys() == plain.keys()
    for name, values in plain.items():
        np.testing.assert_array_equal(arrays[name], values)


@pytest.mark.parametrize(("width", "level"), [(15, 4), (4, 16), (1, 64)])
@pytest.mark.parametrize("part", ["", "&from=21&to=50"])
def test_columns_are_those_of_run(client: TestClient, run: Run, width: int, level: int, part: str) -> None:
    dumps = (21, 50) if part else (0, None)
    nodes, errors = run.node_levels("sd", width, *dumps), run.error_levels(width, *dumps)
    header, arrays = ask(client, f"/api/node-stats?run=small&measure=sd&width={width}{part}")
    if not part:
        assert header["level"] == level
    assert (header["level"], header["from"], header["first"]) == (nodes.level, nodes.first, nodes.first)
    assert (header["dumps"], header["iteration"]) == (DUMPS, 5900)
    for name, values in (("values", nodes.mean), ("lowest", nodes.min), ("highest", nodes.max)):
        np.testing.assert_array_equal(arrays[name], values)
    header, arrays = ask(client, f"/api/classes?run=small&width={width}{part}")
    for name, values in (("error", errors.mean), ("highest", errors.max)):
        np.testing.assert_allclose(arrays[name], cells(values, 0, 1), atol=0.6)
    end = min(errors.first + errors.level * errors.mean.shape[1], DUMPS)
    np.testing.assert_array_equal(arrays["iterations"], run.iterations[errors.first : end])


@pytest.mark.parametrize("normalise", ["", "&normalise=filter", "&normalise=iteration", "&normalise=global"])
def test_cells_are_of_each_column_what_is_furthest_from_0(client: TestClient, run: Run, normalise: str) -> None:
    by = normalise.partition("=")[2] or None
    header, arrays = ask(client, f"/api/filters?run=small&layer=3&measure=mean&width=4&from=9&to=58{normalise}")
    found = run.filter_levels(3, "mean", 4, by, 9, 58)  # type: ignore[arg-type]
    assert (header["level"], header["from"], header["first"]) == (16, 0, 0)
    (scale,) = [one["scale"] for one in header["arrays"] if one["name"] == "cells"]
    span = run.filter_span(3, "mean")
    assert (scale["lo"], scale["hi"]) == ((-1, 1) if by else span)
    np.testing.assert_allclose(arrays["cells"], cells(found.extremes, scale["lo"], scale["hi"]), atol=0.6)
    np.testing.assert_array_equal(arrays["size"], found.sizes.ravel())
    np.testing.assert_array_equal(arrays["never"], run.never_changing(3))


def test_columns_are_aligned_whatever_part_is_asked_for(client: TestClient) -> None:
    _, whole = ask(client, "/api/node-stats?run=small&measure=sd&width=15")
    header, part = ask(client, "/api/node-stats?run=small&measure=sd&width=5&from=21&to=39")
    assert (header["level"], header["from"]) == (4, 20)
    for name in ("values", "lowest", "highest"):
        np.testing.assert_array_equal(part[name], whole[name][:, 5:10])
    header, nothing = ask(client, "/api/node-stats?run=small&measure=sd&width=5&from=60&to=90")
    assert (header["from"], nothing["values"].shape[1]) == (60, 0)
    _, ignored = ask(client, "/api/node-stats?run=small&measure=sd&from=21&to=39&level=4")
    assert ignored["values"].shape[1] == DUMPS, "without a width everything is as before"


@pytest.mark.parametrize("question", ["classes?", "node-stats?measure=change"])
@pytest.mark.parametrize(("width", "level"), [(60, 1), (15, 4), (4, 16)])
def test_with_a_cursor_what_comes_begins_with_the_first_new_column(
    client: TestClient, question: str, width: int, level: int
) -> None:
    name = "error" if question == "classes?" else "values"
    _, whole = ask(client, f"/api/{question}&run=small&width={width}")
    about = f"/api/{question}&run=small&width={width}&branch=0"
    header, rest = ask(client, f"{about}&since=4900&level={level}")
    column = 50 // level
    assert (header["level"], header["from"], header["first"]) == (level, 0, column * level)
    np.testing.assert_array_equal(rest[name], whole[name][:, column:])
    if name == "error":
        np.testing.assert_array_equal(rest["iterations"], whole["iterations"][column * level :])
    header, nothing = ask(client, f"{about}&since=5900&level={level}")
    assert nothing[name].shape[1] == 0
    assert header["first"] == whole[name].shape[1] * level
    for held in ("", "&level=64"):
        header, everything = ask(client, f"{about}&since=4900{held}")
        assert header["first"] == 0
        np.testing.assert_array_equal(everything[name], whole[name])
    header, part = ask(client, f"{about}&since=4900&level={level}&from=20&to=56")
    if header["level"] == level:
        assert header["from"] == 20 // level * level
        held = (header["first"] - header["from"]) // level
        _, all_of_it = ask(client, f"{about}&from=20&to=56")
        np.testing.assert_array_equal(part[name], all_of_it[name][:, held:])


@pytest.mark.parametrize("span", ["", "&from=8"])
def test_what_a_client_puts_together_is_the_whole_while_levels_change(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, span: str
) -> None:
    for pause in ("REFRESH_SECONDS", "LONGEST_SECONDS", "ENDED_SECONDS"):
        monkeypatch.setattr(runs, pause, 0)
    late = []
    for path in sorted((small_run / "log" / "filters").iterdir())[10:]:
        late.append((path, path.read_bytes()))
        path.unlink()
    for kind in ("layers", "kernels", "predictions"):
        for path in sorted((small_run / "log" / kind).iterdir())[10:]:
            path.unlink()
    with TestClient(create_app(str(small_run.parent)), base_url="http://127.0.0.1") as client:
        about = f"/api/node-stats?run=small&measure=mean&width=12{span}"
        header, arrays = ask(client, about)
        held, levels = arrays["values"], {header["level"]}
        for number, (path, data) in enumerate(late[:45]):
            path.write_bytes(data)
            if number % 3:
                continue
            cursor = f"&since={header['iteration']}&branch=0&level={header['level']}"
            header, arrays = ask(client, about + cursor)
            levels.add(header["level"])
            column = (header["first"] - header["from"]) // header["level"]
            held = np.concatenate([held[:, :column], arrays["values"]], axis=1)
            _, whole = ask(client, about)
            np.testing.assert_array_equal(held, whole["values"])
    assert {1, 4} <= levels


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("width=0", "width:"),
        ("width=x", "width:"),
        ("width=9&from=-1", "from:"),
        ("width=9&from=5&to=4", "to: must be >= from. Got 4 and 5"),
        ("width=9&to=many", "to:"),
    ],
)
@pytest.mark.parametrize(
    "question",
    ["classes?", "class?cls=0", "class-taken?cls=0", "node-stats?measure=sd", "filters?layer=1&measure=change"],
)
def test_what_cannot_be_asked_is_said(client: TestClient, question: str, more: str, says: str) -> None:
    response = client.get(f"/api/{question}&run=small&{more}")
    assert response.status_code == 400
    error = response.json()["error"]
    assert says in f"{error['message']} {error['remedy']}"


@pytest.mark.parametrize("width", [60, 15, 4, 1])
@pytest.mark.parametrize("part", ["", "&from=21&to=50"])
def test_a_class_in_columns_is_what_run_says(client: TestClient, run: Run, width: int, part: str) -> None:
    dumps = (21, 50) if part else (0, None)
    header, arrays = ask(client, f"/api/class?run=small&cls=2&window=3&width={width}{part}")
    found = run.class_levels(2, width, 3, *dumps)
    assert (header["level"], header["from"], header["first"]) == (found.level, found.first, found.first)
    assert (header["window"], header["names"]) == (3, list(found.ids))
    np.testing.assert_allclose(arrays["error"], cells(found.error, 0, 1), atol=0.6)
    for name, values in (("left", found.left), ("right", found.right), ("order", found.order.order)):
        np.testing.assert_array_equal(arrays[name], values)
    assert ("labels" in arrays) == (found.level == 1)
    if found.level == 1:
        _, plain = ask(client, "/api/class?run=small&cls=2")
        np.testing.assert_array_equal(arrays["labels"], plain["labels"][:, found.first : found.first + found.count])
        np.testing.assert_array_equal(arrays["error"], np.where(arrays["labels"] == 2, 1, 255))
    header, arrays = ask(client, f"/api/class-taken?run=small&cls=2&most=2&width={width}{part}")
    taken = run.taken_for(2, width, 2, *dumps)
    assert (header["level"], header["from"], header["first"]) == (taken.level, taken.first, taken.first)
    for name in ("labels", "counts", "known"):
        np.testing.assert_array_equal(arrays[name], getattr(taken, name))


def test_what_a_class_is_taken_for_has_a_column_a_dump_without_a_width(client: TestClient) -> None:
    _, plain = ask(client, "/api/class?run=small&cls=2")
    _, taken = ask(client, "/api/class-taken?run=small&cls=2")
    for label, counts in zip(taken["labels"], taken["counts"], strict=False):
        np.testing.assert_array_equal(counts, (plain["labels"] == label).sum(axis=0))
    np.testing.assert_array_equal(taken["counts"].sum(axis=0), (plain["labels"] != 2).sum(axis=0))


@pytest.mark.parametrize(("width", "level"), [(60, 1), (15, 4), (4, 16)])
def test_of_a_class_only_new_columns_come_but_all_flips(client: TestClient, width: int, level: int) -> None:
    about = f"/api/class?run=small&cls=2&width={width}"
    _, whole = ask(client, about)
    header, rest = ask(client, f"{about}&branch=0&since=4900&level={level}")
    column = 50 // level
    assert header["first"] == column * level
    np.testing.assert_array_equal(rest["error"], whole["error"][:, column:])
    for name in ("left", "right"):
        np.testing.assert_array_equal(rest[name], whole[name])
