"""docs/format.md names everything that is on disk, and what it says of bytes is true."""

import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from deeptracker.schema import (
    DERIVED_MEASURES,
    FLIGHT_MEASURES,
    FORMAT_VERSION,
    HISTOGRAM_BINS,
    HISTOGRAM_DROPPED_BITS,
    MEASURES,
    NODE_KINDS,
    QUANTILES,
    REASON_KINDS,
    Branch,
    Flight,
    Graph,
    GraphNode,
    Kernels,
    Layer,
    Network,
    Node,
    Predictions,
    Reason,
    RunInfo,
)
from deeptracker.store import samples
from deeptracker.store.blobs import Blobs
from deeptracker.store.columns import encode_columns
from deeptracker.store.histograms import Histograms
from deeptracker.store.index_layout import index_arrays
from deeptracker.store.listing import KINDS
from deeptracker.store.log import LogWriter
from deeptracker.store.samples import Samples

DOCUMENT = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", DOCUMENT)) | set(re.findall(r"\"(\w+)\"", DOCUMENT))
TYPE_NAMES = {
    "halffloat": "float16", "float": "float32", "double": "float64",
    "list<item: uint16>": "list of uint16", "list<item: uint32>": "list of uint32",
    "list<item: float>": "list of float32", "list<item: int64>": "list of int64",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """One Arrow file of every kind, by kind."""
    blobs = Blobs(tmp_path_factory.mktemp("run"))
    log = LogWriter(blobs)
    half = np.zeros(2, np.float16)
    log.write_predictions(1, Predictions(np.zeros(2, np.int16), half, half, np.arange(2, dtype=np.int32)))
    bins, counts = [np.array([1], np.uint16)], [np.array([1], np.uint32)]
    log.write_layers(1, Histograms(bins, counts, bins, counts))
    log.write_kernels(1, Kernels(0, np.array([[[[0.5, -1.0]]], [[[1e-30, 3.0]]]], np.float32)))
    log.write_filters(1, {name: np.zeros(2, np.float32) for name in MEASURES})
    values = np.ones((len(FLIGHT_MEASURES), 1, 2), np.float32)
    log.write_flight(Flight(1, np.array([1]), values, (Reason("nan", "a", 1, 2),), (np.array([7, 1 << 40]),)))
    log.write_scalars(np.array([1]), {"lr": np.zeros(1)})
    samples.write_samples(blobs, ["a", "b"], np.array([0, 1]), classes=2, pictures=[b"x", b"y"])
    found = [pa.ipc.open_file(blobs.get(blob.path)).read_all() for blob in blobs.list()]
    return {about(table)["kind"]: table for table in found}


def about(table: pa.Table) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(table.schema.metadata[b"deeptracker"])
    return parsed


@pytest.mark.parametrize("document", [RunInfo, Branch, Network, Layer, Node, Graph, GraphNode])
def test_every_field_of_the_documents_is_named(document: type) -> None:
    for field in fields(document):
        assert field.name in NAMED, field.name


def test_the_version_and_the_kinds_are_named(files: dict[str, pa.Table]) -> None:
    assert DOCUMENT.startswith(f"# The files of a run, format version {FORMAT_VERSION}\n")
    assert set(files) == {*KINDS, "flights", "scalars", "labels", "pictures"}
    assert set(files) <= NAMED


def test_every_column_is_named_with_its_type(files: dict[str, pa.Table]) -> None:
    rows = [[cell.strip() for cell in line.split("|")] for line in DOCUMENT.splitlines() if line.startswith("|")]
    for kind in ("predictions", "layers", "kernels", "flights", "labels", "pictures"):
        for field in files[kind].schema:
            expected = TYPE_NAMES.get(str(field.type), str(field.type))
            assert any(f"`{field.name}`" in row and any(cell.startswith(expected) for cell in row) for row in rows), (
                field
            )
    assert {field.name for field in files["filters"].schema} == set(MEASURES)
    assert {str(field.type) for field in files["filters"].schema} == {"float"}
    assert str(files["scalars"].schema.field("iteration").type) == "int64"
    assert str(files["scalars"].schema.field("lr").type) == "double"


def test_everything_in_the_metadata_is_named(files: dict[str, pa.Table]) -> None:
    for table in files.values():
        assert {key.decode() for key in table.schema.metadata} <= NAMED
        assert set(about(table)) <= NAMED
    (reason,) = about(files["flights"])["reasons"]
    assert {*reason, *REASON_KINDS} <= NAMED


def test_every_measure_is_defined() -> None:
    table = DOCUMENT.split("## Measures")[1].split("## The index")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*MEASURES, *QUANTILES]
    assert set(DERIVED_MEASURES) <= set(re.findall(r"`(\w+)`", table))


def test_every_array_of_the_index_is_named() -> None:
    layers = (Layer("a", "linear", (3, 2), 3, 2, 0),)
    samples = Samples(("a", "b"), np.array([0, 1], np.int32), 2, False)
    section = DOCUMENT.split("## The index")[1]
    arrays = index_arrays(Network(layers, Node("", (Node("a", layer=0),))), samples)
    others = {name for name in arrays if not name.startswith(MEASURES) or name.startswith("change_")}
    others = {name for name in others if not name.startswith("change_l1")}  # as of every measure, told of `change`
    assert len(others) > 15
    assert others <= set(re.findall(r"`(\w+)`", section))
    assert {name for array in arrays.values() for name in array.dimensions} <= set(re.findall(r"\w+", section))


def test_the_kernels_that_are_recorded_are_as_written() -> None:
    pytest.importorskip("torch")
    from deeptracker.record.kernels import MOST_WEIGHTS

    assert f"at most {MOST_WEIGHTS:,} weights" in DOCUMENT


def test_every_kind_of_node_is_named() -> None:
    assert set(NODE_KINDS) <= NAMED


def test_numbers_of_pictures_are_as_written() -> None:
    for number in (samples.PICTURE_SIDE_PIXELS, samples.LOSSLESS_SIDE_PIXELS):
        assert f" {number}" in DOCUMENT
    assert f"{samples.PICTURES_PER_FILE:,} to a file" in DOCUMENT


def test_checksums_are_as_the_document_tells(files: dict[str, pa.Table]) -> None:
    for table in files.values():
        assert int(table.schema.metadata[b"deeptracker_crc32"]) == zlib.crc32(table.schema.metadata[b"deeptracker"])
        for name, expected in about(table)["crc32"].items():
            assert told_crc32(table.column(name).combine_chunks()) == expected, name


def test_checksums_of_lists_and_texts_of_uneven_lengths_are_too() -> None:
    columns = {
        "l": pa.array([[1], [], [2, 3]], pa.list_(pa.uint16())),
        "f": pa.array([[], [0.5, 3.0], [-1.0]], pa.list_(pa.float32())),
        "s": pa.array(["", "ä", "xyz"]),
    }
    table = pa.ipc.open_file(encode_columns("filters", columns)).read_all()
    for name in columns:
        assert told_crc32(table.column(name).combine_chunks()) == about(table)["crc32"][name]


def told_crc32(column: pa.Array) -> int:
    """The section on CRC32, from Python's own values."""
    assert str(column.type) in NAMED
    t = zlib.crc32(str(column.type).encode())
    values = column.to_pylist()
    if pa.types.is_list(column.type):
        items = pa.array([item for row in values for item in row], column.type.value_type)
        return zlib.crc32(offsets(values), zlib.crc32(packed(items), zlib.crc32(str(items.type).encode())) ^ t)
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        texts = [value.encode() if isinstance(value, str) else value for value in values]
        return zlib.crc32(offsets(texts), zlib.crc32(b"".join(texts), t))
    return zlib.crc32(packed(column), t)


def packed(column: pa.Array) -> bytes:
    letters = {"float": "f", "double": "d", "halffloat": "e", "int16": "h", "int32": "i", "int64": "q", "uint16": "H",
               "uint32": "I"}  # fmt: skip
    return struct.pack(f"<{len(column)}{letters[str(column.type)]}", *column.to_pylist())


def offsets(rows: list[Any]) -> bytes:
    at = [0]
    for row in rows:
        at.append(at[-1] + len(row))
    return struct.pack(f"<{len(at)}i", *at)


def interesting_values() -> Iterator[float]:
    rng = np.random.default_rng(0)
    yield from (0.0, -0.0, 1.0, -1.0, 3e38, -3e38, 1e-45, -1e-45, 2.0**-126, 2.0**-131, -(2.0**-131))
    yield from (rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, 200)).tolist()


def test_bins_are_as_the_document_tells_and_lead_back_to_values() -> None:
    torch = pytest.importorskip("torch")
    from deeptracker.record.histograms import count, filled_bins

    for value in interesting_values():
        bins, counts = filled_bins(count(torch.tensor([value])).numpy())
        (bits,) = struct.unpack("<I", struct.pack("<f", value))
        expected = (bits >> 18) & 0x3FFF
        assert bins.tolist() == [0 if expected in (0, 8192) else expected], value
        assert counts.tolist() == [1]
        k = int(bins[0]) % 8192
        low, high = (struct.unpack("<f", struct.pack("<I", edge << 18))[0] for edge in (k, k + 1))
        assert low <= abs(np.float32(value)) < high
        if abs(value) >= 2.0**-126:
            assert abs((low + high) / 2 - abs(value)) <= abs(value) / 64 * (1 + 1e-6)
            assert (value < 0) == (bins[0] >= 8192)
    assert (HISTOGRAM_BINS, 32 - HISTOGRAM_DROPPED_BITS) == (16_384, 14)
    bins, _ = filled_bins(count(torch.tensor([np.nan, np.inf, -np.inf, -np.nan])).numpy())
    assert bins.tolist() == []
