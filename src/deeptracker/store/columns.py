"""How do columns of numbers become the bytes of a file, and how is a damaged file noticed?

1. A file is Arrow IPC (file format) with one record batch, so every Arrow tool can read it.
2. The schema's metadata has an entry `deeptracker`: JSON with the kind of file, the format version, a CRC32 of each
   column (of its type and values), and what else the kind needs; and `deeptracker_crc32`, the CRC32 of that JSON.
   Arrow itself has no checksum and reads a flipped bit silently.
3. Reading checks the version and the CRC32 of the columns that were asked for, and only those. Before a buffer is
   touched its bounds are checked: Arrow believes what a damaged file says of them.
4. Of a large file in an object store only the columns asked for are fetched (ranges.py); there Arrow copies, and it is
   the file that checks bounds.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deeptracker.documents import FORMAT_VERSION, check_version
from deeptracker.errors import LogFileError

Source: TypeAlias = bytes | pa.Buffer | pa.PythonFile
"""All of a file, or one that is fetched in parts."""

_ABOUT = b"deeptracker"
_ABOUT_CRC32 = b"deeptracker_crc32"
_DAMAGE = (pa.ArrowException, OSError, IndexError, KeyError, TypeError, ValueError)
_KINDS = {"int": "<i", "uint": "<u", "halffloat": "<f", "float": "<f", "double": "<f"}


@dataclass(frozen=True, slots=True)
class Columns:
    """A file read back: `arrays` by name, and what its writer said of it."""

    arrays: dict[str, pa.Array]
    metadata: dict[str, Any]

    def numpy(self, name: str) -> npt.NDArray[Any]:
        """A column of numbers, without a copy."""
        return numbers(self.arrays[name])

    def texts(self, name: str) -> Texts:
        """A column of strings."""
        return Texts(self.arrays[name])


class Texts(Sequence[str]):
    """Strings of a column, made when they are asked for: 50,000 take a quarter of the time that opening a run takes.

    >>> texts = Texts(pa.array(["a", "b", "c"]))
    >>> texts[1], texts[1:], texts == ("a", "b", "c")
    ('b', ('b', 'c'), True)
    """

    __slots__ = ("_array",)

    def __init__(self, array: pa.StringArray) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, chosen: int) -> str: ...
    @overload
    def __getitem__(self, chosen: slice) -> tuple[str, ...]: ...
    def __getitem__(self, chosen: int | slice) -> str | tuple[str, ...]:
        if isinstance(chosen, slice):
            return tuple(self._array[chosen].to_pylist())
        text: str = self._array[index(chosen)].as_py()
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self._array.to_pylist())

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, tuple | Texts) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


def encode_columns(kind: str, columns: Mapping[str, pa.Array | npt.NDArray[Any]], **metadata: Any) -> bytes:
    """The bytes of a file with these columns, all of one length. `metadata` must be what JSON can hold."""
    arrays = {name: column if isinstance(column, pa.Array) else pa.array(column) for name, column in columns.items()}
    checks = {name: _crc32(array) for name, array in arrays.items()}
    about = {"kind": kind, "format_version": FORMAT_VERSION, "crc32": checks, **metadata}
    fields = [pa.field(name, array.type, nullable=False) for name, array in arrays.items()]
    text = json.dumps(about).encode()
    schema = pa.schema(fields, metadata={_ABOUT: text, _ABOUT_CRC32: str(zlib.crc32(text)).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(arrays.values()), schema=schema))
    return bytes(sink.getvalue())


def decode_columns(data: Source, kind: str, *, place: str, only: Iterable[str] | None = None) -> Columns:
    """Read a file back; `only` names the columns wanted (those that exist are given).

    Raises LogFileError that names `place` where the file is empty, cut short, damaged or not ours, and
    FormatVersionError where another version wrote it.
    """
    try:
        schema = _open(data, place).schema
        about = _about(schema.metadata or {}, kind, place)
        arrays = _batch(data, place, None if only is None else set(only))
        _check_columns(schema.names, arrays, about["crc32"], place)
    except _DAMAGE as error:
        if isinstance(error, LogFileError):
            raise
        raise LogFileError(f"{place} must be whole. It is cut short or damaged ({error}).") from error
    return Columns(arrays, about)


def list_column(rows: Sequence[npt.NDArray[Any]], kind: pa.DataType) -> pa.ListArray:
    """A column of lists of numbers of a kind, from the numbers of each row."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    items = np.concatenate(rows) if rows else np.zeros(0, kind.to_pandas_dtype())
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(items, kind))


def numbers(array: pa.Array) -> npt.NDArray[Any]:
    """The values of an array of numbers without nulls, without a copy; TypeError for any other.

    Arrow's own `to_numpy` imports pandas where it is installed, which takes longer than to read a run.
    """
    if array.null_count or not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        raise TypeError(f"an array must be of numbers without nulls. Got {array.type}, {array.null_count} nulls.")
    dtype = np.dtype(f"{_KINDS[str(array.type).rstrip('0123456789')]}{array.type.bit_width // 8}")
    buffer = array.buffers()[1]
    if not len(array) or buffer is None:
        return np.zeros(0, dtype)
    return np.frombuffer(buffer, dtype, len(array), array.offset * dtype.itemsize)


def _open(data: Source, place: str, fields: list[int] | None = None) -> pa.ipc.RecordBatchFileReader:
    is_whole = not isinstance(data, pa.PythonFile)
    if is_whole and not len(data):
        raise LogFileError(f"{place} must be an Arrow file. It is empty.")
    try:
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        return pa.ipc.open_file(pa.py_buffer(data) if is_whole else data, options=options)
    except _DAMAGE as error:
        raise LogFileError(f"{place} must be an Arrow file. It is cut short, damaged or foreign ({error}).") from error


def _batch(data: Source, place: str, only: set[str] | None) -> dict[str, pa.Array]:
    if isinstance(data, pa.PythonFile):
        names = _open(data, place).schema.names
        fields = [field for field, name in enumerate(names) if only is None or name in only]
        batch = _open(data, place, fields).get_batch(0) if fields else None
        arrays = {name: batch.column(name) for name in batch.schema.names} if batch is not None else {}
        for array in arrays.values():
            array.validate()
        return arrays
    # Without Arrow's own `included_fields`: it copies, and trusts the file's offsets while copying.
    batch = _open(data, place).get_batch(0)
    arrays = {name: batch.column(name) for name in batch.schema.names if only is None or name in only}
    for array in arrays.values():
        _check_bounds(array, data)
        array.validate()
    return arrays


def _check_columns(names: list[str], arrays: Mapping[str, pa.Array], checks: Mapping[str, int], place: str) -> None:
    # Were a damaged name not noticed here, its column would pass for one that was never written.
    lost = set(checks) - set(names)
    if lost:
        raise LogFileError(f"{place} must have a column {min(lost)!r}, as its metadata say. It is damaged.")
    for name, array in arrays.items():
        if checks.get(name) != _crc32(array):
            raise LogFileError(f"{place}: column {name!r} must have CRC32 {checks.get(name)}. It is damaged.")


def _check_bounds(array: pa.Array, data: bytes | pa.Buffer) -> None:
    """Arrow believes the offsets in a damaged file: touching such a buffer would end the process, not raise."""
    whole = pa.py_buffer(data)
    for buffer in array.buffers():
        if buffer is not None and buffer.size > 0:
            inside = whole.address <= buffer.address and buffer.address + buffer.size <= whole.address + whole.size
            if not inside:
                raise IndexError("a column points outside the file")


def _about(metadata: dict[bytes, bytes], kind: str, place: str) -> dict[str, Any]:
    if _ABOUT not in metadata:
        raise LogFileError(f"{place} must be a file of DeepTracker. It is an Arrow file of somebody else's.")
    if str(zlib.crc32(metadata[_ABOUT])).encode() != metadata.get(_ABOUT_CRC32):
        raise LogFileError(f"{place}: its metadata must match their CRC32. The file is damaged.")
    about: dict[str, Any] = json.loads(metadata[_ABOUT])
    check_version(about["format_version"], place=place)
    if about["kind"] != kind:
        raise LogFileError(f"{place} must hold {kind}. It holds {about['kind']}.")
    return about


def _crc32(array: pa.Array) -> int:
    """CRC32 over type and values, whatever padding Arrow puts between them; for lists, over offsets and items."""
    kind = zlib.crc32(str(array.type).encode())
    if pa.types.is_list(array.type):
        return zlib.crc32(_bytes(array.offsets), _crc32(array.flatten()) ^ kind)
    if pa.types.is_binary(array.type) or pa.types.is_string(array.type):
        offsets = np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, array.offset * 4)
        payload = array.buffers()[2]
        text = b"" if payload is None else memoryview(payload)[offsets[0] : offsets[-1]]
        return zlib.crc32((offsets - offsets[0]).tobytes(), zlib.crc32(text, kind))
    return zlib.crc32(_bytes(array), kind)


def _bytes(array: pa.Array) -> memoryview:
    values = np.ascontiguousarray(numbers(array))
    return values.view(np.uint8).data if values.size else memoryview(b"")
