"""A frame can be read as docs/http-api.md says."""

import json
import struct

import numpy as np
import pytest

from deeptracker.server.frame import encode_frame, span_of, to_bytes


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


def test_infinities_are_put_on_the_ends_and_the_given_values_stay() -> None:
    values = np.array([[np.inf, -np.inf], [np.nan, 3]], np.float32)
    as_they_were = values.copy()
    assert to_bytes(values, 2, 4).tolist() == [[255, 1], [0, 128]]
    np.testing.assert_array_equal(values, as_they_were)


def test_what_lies_far_outside_is_put_on_the_ends() -> None:
    assert to_bytes(np.array([3e38, -3e38], np.float32), -3e38, -2e38).tolist() == [255, 1]


def test_values_that_are_all_equal_are_known() -> None:
    assert to_bytes(np.array([5, np.nan, 5], np.float32), 5, 5).tolist() == [1, 0, 1]


@pytest.mark.parametrize("ends", [(-3e38, 3e38), (0, 1e-44), (1000, 1000.001), (-1, 1), (0, 3)])
def test_bytes_of_float32_are_linear_in_any_range(ends: tuple[float, float]) -> None:
    lo, hi = (float(np.float32(end)) for end in ends)
    values = np.linspace(lo, hi, 5).astype(np.float32)
    share = (values.astype(np.float64) - lo) / (hi - lo)
    np.testing.assert_allclose(to_bytes(values, lo, hi), 1 + 254 * share, atol=0.5 + 1e-4)


def test_the_span_is_that_of_the_finite_values() -> None:
    assert span_of(np.array([[np.nan, 2], [np.inf, -3]], np.float32)) == (-3, 2)
    assert span_of(np.array([-np.inf, np.nan], np.float32)) == (0, 1)
    assert span_of(np.zeros((3, 0), np.float32)) == (0, 1)
