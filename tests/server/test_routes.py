"""The routes answer what docs/http-api.md says, and errors have one shape."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from deeptracker import open_run
from deeptracker.server.app import create_app
from tests.server.test_frame import decode

DOCUMENT = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text()


@pytest.fixture(scope="module")
def client(served_root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(str(served_root)), base_url="http://127.0.0.1") as client:
        yield client


def ask(client: TestClient, path: str) -> tuple[dict, dict[str, np.ndarray]]:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return decode(response.content)


def test_every_route_is_in_the_document_and_every_documented_route_exists(client: TestClient) -> None:
    documented = set(re.findall(r"^\| `(/api/[a-z-]+)", DOCUMENT, re.MULTILINE))
    assert set(client.get("/api/openapi.json").json()["paths"]) == documented


def test_every_route_takes_what_its_row_in_the_document_names(client: TestClient) -> None:
    rows = re.findall(r"^\| `(/api/[a-z-]+)([^`]*)` ", DOCUMENT, re.MULTILINE)
    paths = client.get("/api/openapi.json").json()["paths"]
    for route, query in rows:
        taken = [one["name"] for one in paths[route]["get"].get("parameters", [])]
        assert re.findall(r"[?&]([a-z_]+)", query) == taken, route
        optional = [one["name"] for one in paths[route]["get"].get("parameters", []) if not one["required"]]
        in_brackets = re.findall(r"[?&]([a-z_]+)", "".join(re.findall(r"\[.*\]", query)))
        assert set(in_brackets) <= set(optional), route


def test_runs_lists_every_run_below_the_root(client: TestClient) -> None:
    found = {one["id"]: one for one in client.get("/api/runs").json()["runs"]}
    assert set(found) == {"small", "group/tiny"}
    small = found["small"]
    assert (small["dumps"], small["classes"], small["samples"], small["filters"]) == (60, 6, 120, 94)
    assert small["state"] == "finished"
    assert 0 <= small["validation_error"] <= 1
    assert len(small["curve"]) == 60


def test_the_fields_of_a_summary_and_of_a_run_are_the_documented_ones(client: TestClient) -> None:
    section = DOCUMENT.split("### `/api/runs`")[1].split("### `/api/overall`")[0]
    documented = set(re.findall(r"`([a-z_]+)`", section))
    run = client.get("/api/run", params={"run": "small"}).json()
    assert set(run) <= documented
    assert set(client.get("/api/runs").json()["runs"][0]) <= set(run)


def test_a_run_in_full_names_classes_stages_and_configuration(client: TestClient) -> None:
    run = client.get("/api/run", params={"run": "small"}).json()
    assert run["class_names"] == [f"class {c:03d}" for c in range(6)]
    assert run["class_sizes"] == [20] * 6
    assert len(run["lr_stages"]) == 4
    assert run["has_pictures"]
    assert run["warnings"] == []


def test_overall_classes_and_class_agree_with_run(client: TestClient, served_root: Path) -> None:
    run = open_run(served_root / "small")
    header, overall = ask(client, "/api/overall?run=small")
    np.testing.assert_array_equal(overall["iterations"], run.iterations)
    np.testing.assert_array_equal(overall["validation_error"], run.validation_error())
    assert (header["first"], header["dumps"], header["iteration"], header["branch"]) == (0, 60, 5900, 0)
    _, classes = ask(client, "/api/classes?run=small")
    assert np.abs((classes["error"].astype(float) - 1) / 254 - run.error_rates()).max() < 0.5 / 254 + 1e-6
    header, one = ask(client, "/api/class?run=small&cls=3")
    np.testing.assert_array_equal(one["labels"], run.class_samples(3).predicted)
    assert one["samples"].tolist() == list(range(60, 80))
    assert len(header["names"]) == 20


@pytest.mark.parametrize("route", ["overall", "classes", "class"])
def test_with_a_cursor_only_the_new_dumps_come(client: TestClient, route: str) -> None:
    _, whole = ask(client, f"/api/{route}?run=small&cls=1")
    header, rest = ask(client, f"/api/{route}?run=small&cls=1&since=4900&branch=0")
    name = {"overall": "validation_error", "classes": "error", "class": "labels"}[route]
    assert header["first"] == 50
    np.testing.assert_array_equal(rest[name], whole[name][..., 50:])
    header, nothing = ask(client, f"/api/{route}?run=small&cls=1&since=5900&branch=0")
    assert nothing[name].shape[-1] == 0


def test_clusters_and_anomalies_agree_with_run(client: TestClient, served_root: Path) -> None:
    run = open_run(served_root / "small")
    header, clusters = ask(client, "/api/clusters?run=small&k=3")
    np.testing.assert_array_equal(clusters["assignment"], run.clusters(3).assignment)
    assert sorted(clusters["order"].tolist()) == list(range(6))
    assert (header["k"], sum(header["sizes"]), len(header["final"])) == (3, 6, 3)
    header, found = ask(client, "/api/anomalies?run=small&window=5&threshold=0.2")
    expected = run.anomalies(5, 0.2)
    np.testing.assert_array_equal(found["class"], expected.cls)
    np.testing.assert_array_equal(found["left"], expected.left)
    assert header["highest"]["score"] == pytest.approx(expected.highest.score)
    _, counts = ask(client, "/api/anomaly-counts?run=small")
    assert counts["counts"][list(counts["windows"]).index(5), 20] == len(expected.cls)


def test_a_sample_and_its_picture(client: TestClient, served_root: Path) -> None:
    header, sample = ask(client, "/api/sample?run=small&sample=45")
    assert (header["label"], header["name"], header["has_picture"]) == (2, "val_000045", True)
    assert sample["probability"].shape == sample["labels"].shape == (60,)
    picture = client.get("/api/picture?run=small&sample=45")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content == open_run(served_root / "small").picture(45)
    again = client.get("/api/picture?run=small&sample=45", headers={"If-None-Match": picture.headers["etag"]})
    assert again.status_code == 304
    # Asked for again each time: a run recorded anew in the same place has other pictures at the same address.
    assert "no-cache" in picture.headers["cache-control"]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/run?run=nope", 404, "no run"),
        ("/api/run?run=../small", 404, "no run"),
        ("/api/run?run=/etc", 404, "no run"),
        ("/api/run", 400, "run: Field required"),
        ("/api/class?run=small&cls=77", 404, "no class 77"),
        ("/api/class?run=small&cls=x", 400, "cls"),
        ("/api/class?run=small&cls=-1", 400, "cls"),
        ("/api/sample?run=small&sample=5000", 404, "sample must be in 0..119"),
        ("/api/picture?run=group/tiny&sample=0", 404, "no pictures"),
        ("/api/anomalies?run=small&threshold=7", 400, "threshold"),
        ("/api/clusters?run=small&k=0", 400, "k:"),
        ("/api/live?run=nope", 404, "no run"),
        ("/api/nope", 404, "Not Found"),
        ("/nope", 404, "Not Found"),
    ],
)
def test_every_error_has_the_one_shape(client: TestClient, path: str, status: int, says: str) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"status", "message", "remedy"}
    assert response.json()["error"]["status"] == status
    assert says in response.json()["error"]["message"]


def test_only_reading_is_possible(client: TestClient) -> None:
    assert client.post("/api/runs").status_code == 405
    assert client.delete("/api/run?run=small").status_code == 405


def test_frames_are_compressed_as_the_client_accepts_and_not_sent_twice(client: TestClient) -> None:
    plain = client.get("/api/anomaly-counts?run=small", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    gzipped = client.get("/api/anomaly-counts?run=small", headers={"Accept-Encoding": "gzip"})
    assert gzipped.headers["content-encoding"] == "gzip"
    assert gzipped.content == plain.content
    with client.stream("GET", "/api/anomaly-counts?run=small", headers={"Accept-Encoding": "zstd, gzip"}) as response:
        assert response.headers["content-encoding"] == "zstd"
        packed = b"".join(response.iter_raw())
    import pyarrow as pa

    assert pa.Codec("zstd").decompress(packed, len(plain.content), asbytes=True) == plain.content
    again = client.get("/api/anomaly-counts?run=small", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_unreadable_run_is_listed_with_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    client = TestClient(create_app(str(tmp_path)), base_url="http://127.0.0.1")
    (one,) = client.get("/api/runs").json()["runs"]
    assert one["state"] == "unreadable"
    assert "must be JSON" in one["problem"]
    assert client.get("/api/overall?run=broken").status_code == 500


def test_links_out_of_the_root_are_not_followed(tmp_path: Path, served_root: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(served_root)
    client = TestClient(create_app(str(tmp_path / "root")), base_url="http://127.0.0.1")
    assert client.get("/api/runs").json()["runs"] == []
    assert client.get("/api/run?run=link/small").status_code == 404
