"""Kernels are read as they were written, and those that do not fit the network are named."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from deeptracker.errors import LogFileError
from deeptracker.schema import Branch, Kernels, Layer, Network, Node, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.columns import encode_columns
from deeptracker.store.log import LogReader, LogWriter

NETWORK = Network(
    (Layer("conv1", "conv2d", (2, 1, 3, 3), 2, 9, 0), Layer("fc", "linear", (3, 2), 3, 2, 2)),
    Node("", (Node("conv1", layer=0), Node("fc", layer=1))),
)


def begin(place: Path, network: Network | None) -> LogWriter:
    log = LogWriter(Blobs(place))
    log.write_info(RunInfo("a", "2026-01-02T03:04:05+00:00", (Branch(0, "then"),)))
    if network is not None:
        log.write_network(network)
    return log


@pytest.mark.parametrize("shape", [(2, 1, 3, 3), (2, 9, 1, 1), (2, 3, 1, 3)])
def test_kernels_come_back_in_their_shape_and_order(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.arange(18, dtype=np.float32).reshape(shape)
    log = begin(tmp_path, NETWORK)
    log.write_kernels(0, Kernels(0, values))
    log.write_kernels(10, Kernels(0, values.swapaxes(2, 3).copy().swapaxes(2, 3)))  # the same, laid out otherwise
    read = LogReader(Blobs(tmp_path))
    for dump in read.dumps:
        found = read.kernels(dump)
        assert found is not None
        np.testing.assert_array_equal(found.values, values)
    assert len(read.dumps) == 2
    assert read.check() == []


def kernel_file(place: Path, rows: list[list[float]] | None, **about: Any) -> LogReader:
    """A reader of a run with one file of kernels, which has these rows (None: no such column) and says this."""
    blobs = Blobs(place)
    column = {"other": np.zeros(2)} if rows is None else {"kernel": pa.array(rows, pa.list_(pa.float32()))}
    blobs.put("log/kernels/000000000000.arrow", encode_columns("kernels", column, parts=["kernels"], **about))
    return LogReader(blobs)


ROWS = [[1.0] * 9, [2.0] * 9]


@pytest.mark.parametrize(
    ("rows", "layer", "shape", "text"),
    [
        (None, 0, [1, 3, 3], "must have a column 'kernel'"),
        (ROWS, None, [1, 3, 3], "must name a layer and a shape"),
        (ROWS, -1, [1, 3, 3], r"It names layer -1 and shape \[1, 3, 3\]"),
        (ROWS, 0, None, "names layer 0 and shape None"),
        (ROWS, 0, [9], "must name a layer and a shape"),
        (ROWS, 0, [1, 3, "3"], "must name a layer and a shape"),
        (ROWS, 0, [-1, 3, -3], "must name a layer and a shape"),
        (ROWS, 0, [1, 3, 4], "must have kernels of 12 weights each"),
        ([[1.0] * 9, [2.0] * 8], 0, [1, 3, 3], "must have kernels of 9 weights each"),
        ([], 0, [1, 3, 3], "must have kernels of 9 weights each"),
        ([*ROWS, [3.0] * 9], 0, [1, 3, 3], r"must have 2 kernels of 9 weights, .* 'conv1' has\. It has 3 of 9"),
        ([[1.0], [2.0]], 0, [1, 1, 1], "It has 2 of 1"),
        (ROWS, 2, [1, 3, 3], r"must name one of 2 layers\. It names layer 2"),
        (ROWS, 1, [1, 3, 3], "must have 3 kernels of 2 weights"),
    ],
)
def test_kernels_that_do_not_fit_are_named(
    tmp_path: Path, rows: list[list[float]] | None, layer: Any, shape: Any, text: str
) -> None:
    begin(tmp_path, NETWORK)
    read = kernel_file(tmp_path, rows, layer=layer, shape=shape)
    with pytest.raises(LogFileError, match=rf"{tmp_path}/log/kernels/000000000000\.arrow .*{text}"):
        read.kernels(read.dumps[0])
    assert read.problems == LogReader(Blobs(tmp_path)).check()
    assert len(read.problems) == 1


def test_kernels_are_read_before_a_network_is_known(tmp_path: Path) -> None:
    begin(tmp_path, None)
    read = kernel_file(tmp_path, [[1.0] * 4] * 3, layer=7, shape=[1, 2, 2])
    found = read.kernels(read.dumps[0])
    assert found is not None
    assert (found.layer, found.values.shape) == (7, (3, 1, 2, 2))
