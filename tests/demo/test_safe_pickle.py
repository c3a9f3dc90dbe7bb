"""Are arrays read out of pickles, and is everything else refused before it runs?"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deeptracker.demo.safe_pickle import load_arrays
from deeptracker.errors import DatasetError

DATA = {"data": np.arange(12, dtype=np.uint8).reshape(2, 6), "labels": [3, 4], "name": "small", "flag": None}


class Runs:
    """Its pickle calls a function when opened."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_text_and_lists_come_back(protocol: int) -> None:
    loaded = load_arrays(pickle.dumps(DATA, protocol), place="here")
    np.testing.assert_array_equal(loaded.pop("data"), DATA["data"])
    assert loaded == {"labels": [3, 4], "name": "small", "flag": None}


def test_a_function_is_refused_and_not_run(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    data = pickle.dumps({"data": Runs(os.mkdir, str(harm))}, 2)
    pickle.loads(data)
    assert harm.exists()  # so the pickle does run where nothing guards
    harm.rmdir()
    with pytest.raises(DatasetError, match=r"batch must be a pickle of arrays alone.*mkdir.*binary version"):
        load_arrays(data, place="batch")
    assert not harm.exists()


@pytest.mark.parametrize("function", [eval, exec, getattr, __import__, os.system, np.load, np.frombuffer, open])
def test_every_way_out_is_refused(function: Any) -> None:
    with pytest.raises(DatasetError, match="data never needs"):
        load_arrays(pickle.dumps(Runs(function, "1"), 2), place="here")


def test_another_codec_is_refused() -> None:
    import codecs

    with pytest.raises(DatasetError, match="latin1"):
        load_arrays(pickle.dumps(Runs(codecs.encode, "text", "rot13"), 2), place="here")


@pytest.mark.parametrize(
    "name", ["numpy\nndarray", "numpy\ndtype", "numpy.core.multiarray\n_reconstruct", "_codecs\nencode"]
)
def test_nothing_can_be_hung_onto_what_is_allowed(name: str) -> None:
    """GLOBAL, then BUILD with a state that would set an attribute of it."""
    data = b"\x80\x02c" + name.encode() + b"\nN}U\x05extraK\x01s\x86b."
    with pytest.raises(DatasetError, match=r"__setstate__|has no attribute"):
        load_arrays(data, place="here")


@pytest.mark.parametrize("data", [b"", b"hello", pickle.dumps(DATA, 2)[:-20], b"\x80\x02N", b"\x80\x02]R."])
def test_a_damaged_pickle_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(DatasetError, match="here must be a pickle"):
        load_arrays(data, place="here")
