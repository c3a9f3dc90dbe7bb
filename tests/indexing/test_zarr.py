"""An index is Zarr: others open it and read the same values, and reading a run needs nothing of theirs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import xarray
import zarr

from deeptracker import open_run
from deeptracker.analysis.hierarchy import preorder
from deeptracker.schema import MEASURES
from deeptracker.store.index_layout import BLOCK
from tests.indexing.asked import DUMPS, SCALE


def test_zarr_and_xarray_open_it_and_read_the_same_values(indexed: Path) -> None:
    run = open_run(indexed)
    root = zarr.open_group(indexed / "index", mode="r")
    name = root.attrs["deeptracker"]["group"]  # type: ignore[index,call-overload]
    group = zarr.open_group(indexed / "index" / name, mode="r")
    dataset = xarray.open_zarr(indexed / "index", group=name)
    every = slice(0, run.network().filters)
    for measure in MEASURES:
        expected = np.concatenate([run.filter_stats(layer.name, measure) for layer in run.network().layers]).T
        assert expected.shape == (DUMPS, every.stop)
        np.testing.assert_array_equal(group[measure][:], expected)  # type: ignore[index]
        np.testing.assert_array_equal(root[f"{name}/{measure}"][:], expected)  # type: ignore[index]
        np.testing.assert_array_equal(dataset[measure].values, expected)
        assert dataset[measure].dims == ("dump", "filter")
        np.testing.assert_array_equal(zarr.open_array(indexed / "index" / name / measure, mode="r")[:], expected)
    np.testing.assert_array_equal(dataset["iteration"].values, run.iterations)
    assert (dataset["branch"].values == 0).all()
    assert dataset["node_stats"].attrs["nodes"] == [node.name for node in preorder(run.network().hierarchy)]
    for place, measure in enumerate(dataset["node_stats"].attrs["node_measures"]):
        np.testing.assert_array_equal(dataset["node_stats"].values[:, place].T, run.node_stats(measure))
    predicted = np.concatenate([run.class_samples(cls).predicted for cls in range(SCALE.classes)])
    np.testing.assert_array_equal(dataset["predicted"].values.T, predicted)
    for detail in ("probability", "loss"):
        rows = np.stack([run.sample_history(sample)[detail] for sample in range(0, 630, 37)])
        np.testing.assert_array_equal(dataset[detail].values[:, ::37].T, rows)
    np.testing.assert_array_equal(dataset["class_error"].values.T, run.error_rates())
    np.testing.assert_array_equal(dataset["error"].values, run.validation_error())
    assert (dataset["missing"].values == 0).all()
    words = dataset["correct"].values
    labels = np.repeat(np.arange(SCALE.classes), SCALE.samples_per_class)
    for dump in (0, 63, 64, DUMPS - 1):
        bits = (words[dump // BLOCK] >> np.uint64(dump % BLOCK)) & np.uint64(1)
        np.testing.assert_array_equal(bits.astype(bool), predicted[:, dump] == labels)


def test_reading_a_run_does_not_import_zarr(indexed: Path) -> None:
    code = f"import sys, deeptracker; deeptracker.open_run({str(indexed)!r}).node_stats('sd'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"zarr", "numcodecs", "pandas", "xarray"} & set(done.stdout.split())
