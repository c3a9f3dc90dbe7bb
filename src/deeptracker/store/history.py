"""What was predicted for every sample at every dump, kept in memory or in the index, and followed?

1. Rows are dumps and grow at the end. Those that the index has stay there until they are asked for (sample_rows.py,
   correct_bits.py); of them only the errors of all samples are read at once, and those of classes when asked for.
2. `refresh` reads the dumps that are new and not in the index, several at a time (on an object store the time goes into
   waiting), and counts the errors of every class as they come.
3. Dumps behind the newest one with predictions are read again next time: the user's own evaluation may still hand in
   theirs.
4. Probabilities and losses are read when first asked for.
5. Held are at most: predicted classes and probabilities of the dumps that were asked for of all samples (2 bytes each),
   error rates of classes (4 bytes), and a bit for each sample and dump.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError
from deeptracker.schema import MISSING, Predictions
from deeptracker.store.correct_bits import CorrectBits, Words
from deeptracker.store.index_layout import BLOCK, DETAILS
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader
from deeptracker.store.sample_rows import SampleRows
from deeptracker.store.samples import Samples

READERS = 8

AHEAD = 4 * READERS
"""Dumps that are read ahead of who takes them, at most."""

COUNTED = ("error", "missing")
"""The arrays of the index that have what is counted of all samples of a dump."""

Floats = npt.NDArray[np.float32]


class PredictionHistory:
    """Predictions of all samples at all dumps.

    `dumps` rows are known, `settled` of them for good: later ones may still receive predictions.
    """

    def __init__(self, log: LogReader, samples: Samples, index: IndexReader) -> None:
        self._log = log
        self._samples = samples
        self._index = index
        count, narrow = len(samples.labels), samples.classes <= np.iinfo(np.int16).max
        dtype = np.int16 if narrow else np.int32
        self._predicted = SampleRows("predicted", count, dtype, index, self._predicted_in_log, has_wide=True)
        self._details = {name: self._detail_rows(name) for name in DETAILS}
        self._bits = CorrectBits(samples.labels, self._predicted, index)
        self._error = np.zeros((0, samples.classes), np.float32)
        self._has_error = np.zeros(0, bool)
        self._overall = np.zeros(0, np.float32)
        self._missing = np.zeros(0, np.int32)
        self._shown: tuple[DumpFiles, ...] = ()
        self.dumps = 0
        self.settled = 0

    def refresh(self) -> None:
        """Read what the log shows now and did not before."""
        shown = self._log.dumps
        pairs = zip(self._shown[: self.settled], shown, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        for rows in (self._predicted, *self._details.values()):
            rows.cut(same)
            rows.grow(len(shown))
        self._bits.cut(same)
        self._error = _extended(self._error, len(shown), np.nan)
        self._has_error = _extended(self._has_error, len(shown), False)
        self._has_error[same:] = False
        self._overall = _extended(self._overall, len(shown), np.nan)
        self._missing = _extended(self._missing, len(shown), -1)
        self._shown, self.dumps = shown, len(shown)
        self._take(COUNTED, (self._overall, self._missing), same, len(shown))
        recorded = np.flatnonzero(~np.isnan(self._overall[: self.dumps]))
        self.settled = int(recorded[-1]) + 1 if len(recorded) else 0

    @property
    def size_bytes(self) -> int:
        """Bytes that are held of samples and classes."""
        held = self._bits.size_bytes + int(self._has_error.sum()) * self._error[:1].nbytes
        return held + sum(rows.size_bytes for rows in (self._predicted, *self._details.values()))

    def forget(self) -> None:
        """Hold nothing that can be read again."""
        for rows in (self._predicted, *self._details.values()):
            rows.forget()
        self._bits.forget()
        self._error = np.full_like(self._error, np.nan)
        self._has_error[:] = False

    @property
    def recorded(self) -> npt.NDArray[np.intp]:
        """The dumps that have predictions."""
        return np.flatnonzero(~np.isnan(self._overall[: self.dumps]))

    @property
    def error_rates(self) -> Floats:
        """float32 (classes, dumps): share of the class's samples that are wrong; NaN where nothing was recorded."""
        lacking = np.flatnonzero(~self._has_error[: self.dumps])
        for run in np.split(lacking, np.flatnonzero(np.diff(lacking) > 1) + 1) if len(lacking) else ():
            self._take(("class_error",), (self._error,), int(run[0]), int(run[-1]) + 1)
        self._has_error[lacking] = True
        return self._error[: self.dumps].T

    @property
    def recorded_error_rates(self) -> Floats:
        """float32 (classes, recorded dumps): `error_rates` without the dumps that have no predictions."""
        return self.error_rates[:, self.recorded]

    @property
    def overall_error(self) -> Floats:
        """float32 (dumps,): share of all samples that are wrong; NaN where nothing was recorded."""
        return self._overall[: self.dumps]

    def predicted(self, rows: slice | int, first: int = 0, end: int | None = None) -> npt.NDArray[np.integer]:
        """Predicted classes (samples chosen, dumps from `first` to before `end`), -1 where missing.

        A single sample gives (dumps,).
        """
        return self._predicted.get(rows, first, end)

    def right(self, rows: slice) -> npt.NDArray[np.bool_]:
        """bool (samples chosen, dumps): were they predicted correctly? False where missing."""
        held = self._bits.held(rows, self.dumps)
        if held is not None:
            return held
        chosen = self._predicted.get(rows)
        found: npt.NDArray[np.bool_] = chosen == self._samples.labels[rows, None].astype(chosen.dtype)
        return found

    def carried(self, right: npt.NDArray[np.bool_], rows: slice) -> npt.NDArray[np.bool_]:
        """bool (samples chosen, recorded dumps): `right`, but where a sample is missing the value of the dump before.

        At the first recorded dump there is none before: what is missing there was not correct.
        """
        recorded = self.recorded
        carried = right if len(recorded) == self.dumps else right[:, recorded]
        if (self._missing[recorded] > 0).any():
            carried, missing = carried.copy(), self._predicted.get(rows)[:, recorded] == MISSING
            for place in np.flatnonzero(missing[:, 1:].any(axis=0)) + 1:
                carried[missing[:, place], place] = carried[missing[:, place], place - 1]
        return carried

    def correct(self, rows: slice) -> npt.NDArray[np.bool_]:
        """bool (samples chosen, recorded dumps): `right` and `carried`."""
        return self.carried(self.right(rows), rows)

    def correct_words(self) -> Words | None:
        """uint64 (blocks, samples): `right` of all samples, bit i of [b, s] being dump 64 b + i. Not to be written to.

        None where `carried` is something else: where a dump has no predictions, or a sample is missing at one.
        """
        return self._bits.words(self.dumps) if self._is_complete else None

    def correct_words_of(self, rows: slice) -> Words | None:
        """The same of some samples: uint64 (blocks, samples chosen)."""
        return self._bits.words_of(rows, self.dumps) if self._is_complete else None

    @property
    def _is_complete(self) -> bool:
        return not self._missing[: self.dumps].any()  # -1 where a dump has no predictions

    def detail(self, name: str, rows: slice | int) -> npt.NDArray[np.float16]:
        """`probability` or `loss`, float16 (samples chosen, dumps), NaN where missing; one sample gives (dumps,)."""
        return self._details[name].get(rows)

    def spread(self, values: Floats, fill: float) -> Floats:
        """float32 (rows, recorded dumps) as (rows, dumps), with `fill` at the dumps that have no predictions."""
        if values.shape[1] == self.dumps:
            return values
        out = np.full((len(values), self.dumps), fill, np.float32)
        out[:, self.recorded] = values
        return out

    def _detail_rows(self, name: str) -> SampleRows:
        def from_log(first: int, end: int) -> Iterator[npt.NDArray[Any] | float]:
            for read in self._read(self._shown[first:end]):
                values = None if read is None else getattr(read, name)
                yield np.nan if values is None else values

        return SampleRows(name, len(self._samples.labels), np.float16, self._index, from_log)

    def _predicted_in_log(self, first: int, end: int) -> Iterator[npt.NDArray[Any] | float]:
        for read in self._read(self._shown[first:end]):
            yield -1 if read is None else read.predicted

    def _take(self, names: Sequence[str], rows: Sequence[npt.NDArray[Any]], first: int, end: int) -> None:
        """Take what is counted at some dumps from the index; where it cannot be read, all of it from the log."""
        stretches = self._index.stretches(first, end)
        read = self._index.fetch(
            [(name, block, None) for _, _, block in stretches if block is not None for name in names]
        )
        for start, stop, block in stretches:
            found = [None if block is None else next(read) for _ in names]
            for into, values in zip(rows, found, strict=True):
                if values is not None and block is not None:
                    of_dumps = values[start - block * BLOCK : stop - block * BLOCK]
                    into[start:stop] = of_dumps.reshape(stop - start, *into.shape[1:])
            if any(values is None for values in found):
                for row, given in zip(range(start, stop), self._read(self._shown[start:stop]), strict=True):
                    self._set(row, given)

    def _read(self, dumps: Sequence[DumpFiles]) -> Iterator[Predictions | None]:
        if len(dumps) < 2:
            yield from map(self._read_one, dumps)
            return
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(dumps), AHEAD):
                yield from pool.map(self._read_one, dumps[start : start + AHEAD])

    def _read_one(self, dump: DumpFiles) -> Predictions | None:
        if "predictions" not in dump.paths:
            return None
        try:
            return self._log.predictions(dump, len(self._samples.labels))
        except LogFileError:
            return None  # the log has noted it among its problems

    def _set(self, row: int, read: Predictions | None) -> None:
        self._has_error[row] = True
        if read is None:
            self._predicted.set(row, -1)
            self._error[row], self._overall[row], self._missing[row] = np.nan, np.nan, -1
            return
        self._predicted.set(row, read.predicted)
        self._error[row], self._overall[row] = class_errors(read.predicted, self._samples)
        self._missing[row] = (read.predicted == MISSING).sum()


def class_errors(predicted: npt.NDArray[np.integer], samples: Samples) -> tuple[Floats, np.float32]:
    """The share of wrong samples of every class, float32 (classes,), and of all; NaN where none was predicted."""
    present = predicted != MISSING
    wrong = present & (predicted != samples.labels)
    offsets = samples.class_offsets
    counts = [_sum_by_class(flags, offsets) for flags in (wrong, present)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (counts[0] / counts[1]).astype(np.float32), np.float32(wrong.sum() / present.sum())


def settled_dumps(dumps: Sequence[DumpFiles]) -> int:
    """How many dumps there are up to the newest that has predictions: none before it receives any more."""
    return max((count for count, dump in enumerate(dumps, 1) if "predictions" in dump.paths), default=0)


def _sum_by_class(flags: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    counts = np.zeros(len(offsets) - 1, np.int64)
    filled = offsets[1:] > offsets[:-1]
    if filled.any():
        counts[filled] = np.add.reduceat(flags.view(np.uint8), offsets[:-1][filled], dtype=np.int64)
    return counts


def _extended(rows: npt.NDArray[Any], dumps: int, fill: float) -> npt.NDArray[Any]:
    if dumps <= len(rows):
        return rows
    longer = np.full((max(dumps, 2 * len(rows), 16), *rows.shape[1:]), fill, rows.dtype)
    longer[: len(rows)] = rows
    return longer
