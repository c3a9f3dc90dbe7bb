"""Columns survive the way to bytes and back, and a damaged file is always noticed."""

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from deeptracker.errors import FormatVersionError, LogFileError
from deeptracker.store import columns
from deeptracker.store.columns import decode_columns, encode_columns

COLUMNS: dict[str, Any] = {
    "change": np.linspace(-1, 1, 5, dtype=np.float32),
    "probability": np.array([0, 0.25, 0.5, np.nan, 1], np.float16),
    "bins": pa.array([[1, 2], [], [3], [4], [5]], pa.list_(pa.uint16())),
    "kernel": pa.array([[0.5, -2.0], [1.0, 3.0], [0.0, 1.5], [2.0, 0.25], [1e-30, -1.0]], pa.list_(pa.float32())),
    "picture": pa.array([b"x", b"", b"yy", b"z", b"1"]),
    "name": pa.array(list("abcde")),
}


def data() -> bytes:
    return encode_columns("filters", COLUMNS, iteration=1600)


def test_columns_and_metadata_come_back_as_they_were() -> None:
    back = decode_columns(data(), "filters", place="x")
    assert back.metadata["iteration"] == 1600
    np.testing.assert_array_equal(back.numpy("change"), COLUMNS["change"])
    np.testing.assert_array_equal(back.numpy("probability"), COLUMNS["probability"])
    assert back.arrays["bins"].to_pylist() == [[1, 2], [], [3], [4], [5]]
    assert back.arrays["picture"].to_pylist() == [b"x", b"", b"yy", b"z", b"1"]
    assert back.arrays["name"].to_pylist() == list("abcde")


def test_only_the_wanted_columns_are_given() -> None:
    assert set(decode_columns(data(), "filters", place="x", only=["change", "absent"]).arrays) == {"change"}


def test_strings_are_made_when_they_are_asked_for_and_equal_those_that_were_written() -> None:
    names = ("bild-ö", "", "c", "ß", "bild-ö")
    data = encode_columns("labels", {"id": pa.array(names, pa.string())})
    texts = decode_columns(data, "labels", place="a").texts("id")
    assert len(texts) == 5
    assert (texts[0], texts[-2], texts[np.int64(3)]) == (names[0], names[-2], names[3])
    for part in (slice(None), slice(1, 3), slice(4, 1), slice(None, None, -2)):
        assert texts[part] == names[part]
    assert tuple(texts) == names
    assert texts == names
    assert texts == decode_columns(data, "labels", place="b").texts("id")
    assert texts != (*names[:4], "another")
    assert texts != "something else"
    with pytest.raises(IndexError):
        texts[5]


def test_other_arrow_tools_can_read_the_file() -> None:
    assert pa.ipc.open_file(data()).read_all().column_names == list(COLUMNS)


def test_every_cut_is_noticed_and_names_the_file() -> None:
    whole = data()
    for length in range(len(whole)):
        with pytest.raises(LogFileError, match=r"runs/a/x\.arrow"):
            decode_columns(whole[:length], "filters", place="runs/a/x.arrow")


def test_no_changed_bytes_end_the_process_or_give_another_answer() -> None:
    whole, rng = data(), random.Random(0)
    expected = decode_columns(whole, "filters", place="x")
    for _ in range(8000):
        changed = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 5])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            back = decode_columns(bytes(changed), "filters", place="x")
        except LogFileError:
            continue
        for name, array in expected.arrays.items():
            if name != "probability":  # NaN is not equal to itself
                assert back.arrays[name].equals(array)
        assert back.metadata == expected.metadata


def test_a_column_with_a_damaged_name_is_not_taken_for_one_that_was_never_written() -> None:
    renamed = data().replace(b"change\x00", b"chance\x00")
    for only in (None, ["change"], ["probability"]):
        with pytest.raises(LogFileError, match="must have a column 'change'"):
            decode_columns(renamed, "filters", place="x", only=only)


def test_a_column_of_a_type_that_is_never_written_is_named() -> None:
    ours = pa.ipc.open_file(data()).schema
    sink = pa.BufferOutputStream()
    schema = pa.schema([("change", pa.bool_()), *(ours.field(name) for name in ours.names[1:])], ours.metadata)
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.table({**COLUMNS, "change": pa.array([True] * 5)}, schema))
    with pytest.raises(LogFileError, match=r"x must be whole\. It is cut short or damaged"):
        decode_columns(bytes(sink.getvalue()), "filters", place="x")


def test_somebody_elses_arrow_file_is_told_from_ours() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, pa.schema([("a", pa.int32())])) as writer:
        writer.write_batch(pa.record_batch({"a": pa.array([1], pa.int32())}))
    with pytest.raises(LogFileError, match="somebody else"):
        decode_columns(bytes(sink.getvalue()), "filters", place="x")


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(LogFileError, match=r"must hold predictions\. It holds filters"):
        decode_columns(data(), "predictions", place="x")


def test_a_future_format_version_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "FORMAT_VERSION", 99)
    future = data()
    monkeypatch.undo()
    with pytest.raises(FormatVersionError, match="format version 99"):
        decode_columns(future, "filters", place="x")
