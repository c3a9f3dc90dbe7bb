"""A frame can be read as docs/http-api.md says."""

import json
import struct

import numpy as np
import pytest

from deeptracker.server.frame import encode_frame, to_bytes


def decode(frame: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """Written from the document, not from the encoder."""
    assert frame[:4] == b"DTK1"
    (length,) = struct.unpack("<I", frame[4:8])
    header = json.loads(frame[8 : 8 + length])
    start = -(-(8 + length) // 8) * 8
    arrays = {}
    for one in header["arrays"]:
        count = int(np.prod(one["shape"]))
        values = np.frombuffer(frame, np.dtype(one["dtype"]).newbyteorder("<"), count, start + one["offset"])
        assert one["offset"] % 8 == 0
        arrays[one["name"]] = values.reshape(one["shape"])
    return header, arrays


def test_arrays_and_header_come_back() -> None:
    given = {
        "a": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "b": np.array([1.5, np.nan], np.float32),
        "c": np.zeros((0, 4), np.int32),
        "d": np.arange(5, dtype=np.float64),
        "e": np.arange(20, dtype=np.int16).reshape(4, 5).T,
    }
    header, back = decode(encode_frame(given, {"first": 3}, {"a": (0, 1)}))
    assert header["first"] == 3
    assert header["arrays"][0]["scale"] == {"lo": 0, "hi": 1}
    for name, values in given.items():
        np.testing.assert_array_equal(back[name], values)


def test_a_dtype_that_the_page_cannot_read_is_refused() -> None:
    with pytest.raises(TypeError, match="int64"):
        encode_frame({"a": np.zeros(1, np.int64)}, {})


def test_bytes_are_linear_between_lo_and_hi_and_zero_is_missing() -> None:
    values = np.linspace(0, 1, 256)
    back = (to_bytes(values, 0, 1).astype(float) - 1) / 254
    assert np.abs(back - values).max() <= 0.5 / 254 + 1e-12
    assert to_bytes(np.array([np.nan, -1, 2]), 0, 1).tolist() == [0, 1, 255]
