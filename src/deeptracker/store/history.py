"""What was predicted for every sample at every dump, kept in memory or in the index, and followed?

1. Rows are dumps and grow at the end. Those that the index has stay there until they are asked for (sample_rows.py);
   of them only error rates are read at once.
2. `refresh` reads the dumps that are new and not in the index, several at a time (on an object store the time goes into
   waiting), and counts the errors of every class as they come.
3. Dumps behind the newest one with predictions are read again next time: the user's own evaluation may still hand in
   theirs.
4. Probabilities and losses are read when first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError
from deeptracker.schema import Predictions
from deeptracker.store.index_layout import BLOCK, DETAILS
from deeptracker.store.index_reader import IndexReader
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader
from deeptracker.store.sample_rows import SampleRows
from deeptracker.store.samples import Samples

READERS = 8

COUNTED = ("class_error", "error", "missing")
"""The arrays of the index that have what is counted of every dump at once."""

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
        self._predicted = SampleRows("predicted", count, dtype, index, self._predicted_in_log)
        self._details = {name: self._detail_rows(name) for name in DETAILS}
        self._error = np.zeros((0, samples.classes), np.float32)
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
        self._error = _extended(self._error, len(shown), np.nan)
        self._overall = _extended(self._overall, len(shown), np.nan)
        self._missing = _extended(self._missing, len(shown), -1)
        self._shown, self.dumps = shown, len(shown)
        stretches = self._index.stretches(same, len(shown))
        counted = self._index.fetch(
            [(name, block, None) for _, _, block in stretches if block is not None for name in COUNTED]
        )
        for first, end, block in stretches:
            found = [None if block is None else next(counted) for _ in COUNTED]
            if block is None or not self._take_errors(first, end, block, found):
                for row, read in zip(range(first, end), self._read(shown[first:end]), strict=True):
                    self._set(row, read)
        recorded = np.flatnonzero(~np.isnan(self._overall[: self.dumps]))
        self.settled = int(recorded[-1]) + 1 if len(recorded) else 0

    @property
    def recorded(self) -> npt.NDArray[np.intp]:
        """The dumps that have predictions."""
        return np.flatnonzero(~np.isnan(self._overall[: self.dumps]))

    @property
    def error_rates(self) -> Floats:
        """float32 (classes, dumps): share of the class's samples that are wrong; NaN where nothing was recorded."""
        return self._error[: self.dumps].T

    @property
    def recorded_error_rates(self) -> Floats:
        """float32 (classes, recorded dumps): `error_rates` without the dumps that have no predictions."""
        return self.error_rates[:, self.recorded]

    @property
    def overall_error(self) -> Floats:
        """float32 (dumps,): share of all samples that are wrong; NaN where nothing was recorded."""
        return self._overall[: self.dumps]

    def predicted(self, rows: slice | int) -> npt.NDArray[np.integer]:
        """Predicted classes (samples chosen, dumps), -1 where missing; a single sample gives (dumps,)."""
        return self._predicted.get(rows)

    def correct(self, rows: slice | None = None) -> npt.NDArray[np.bool_]:
        """bool (samples chosen, recorded dumps), all samples where None.

        A sample that is missing at a dump keeps its value of the dump before.
        """
        recorded = self.recorded
        some_missing = (self._missing[recorded] > 0).any()
        if rows is None and not some_missing:
            return self._all_correct(recorded)
        rows = slice(None) if rows is None else rows
        chosen = self._predicted.get(rows)[:, recorded]
        correct: npt.NDArray[np.bool_] = chosen == self._samples.labels[rows, None].astype(chosen.dtype)
        if some_missing:
            for place in np.flatnonzero((chosen < 0).any(axis=0)):
                if place > 0:
                    missing = chosen[:, place] < 0
                    correct[missing, place] = correct[missing, place - 1]
        return correct

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

    def _all_correct(self, recorded: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """bool (samples, recorded dumps) where none is missing: 64 dumps are 8 bytes in the index."""
        labels = self._samples.labels
        correct = np.empty((len(labels), self.dumps), bool)
        stretches = self._index.stretches(0, self.dumps)
        read = self._index.fetch([("correct", block, None) for _, _, block in stretches if block is not None])
        for first, end, block in stretches:
            words = None if block is None else next(read)
            if words is None:
                chosen = self._predicted.dumps_of(first, end)
                correct[:, first:end] = (chosen == labels.astype(chosen.dtype)).T
            else:
                skipped = first - (block or 0) * BLOCK
                by_sample = np.ascontiguousarray(words[0], "<u8").view(np.uint8).reshape(len(labels), 8)
                bits = np.unpackbits(by_sample, axis=1, bitorder="little").view(bool)
                correct[:, first:end] = bits[:, skipped : skipped + end - first]
        return correct if len(recorded) == self.dumps else np.ascontiguousarray(correct[:, recorded])

    def _detail_rows(self, name: str) -> SampleRows:
        def from_log(first: int, end: int) -> Iterator[npt.NDArray[Any] | float]:
            for read in self._read(self._shown[first:end]):
                values = None if read is None else getattr(read, name)
                yield np.nan if values is None else values

        return SampleRows(name, len(self._samples.labels), np.float16, self._index, from_log)

    def _predicted_in_log(self, first: int, end: int) -> Iterator[npt.NDArray[Any] | float]:
        for read in self._read(self._shown[first:end]):
            yield -1 if read is None else read.predicted

    def _read(self, dumps: Sequence[DumpFiles]) -> Iterator[Predictions | None]:
        with ThreadPoolExecutor(READERS) as pool:
            yield from pool.map(self._read_one, dumps)

    def _read_one(self, dump: DumpFiles) -> Predictions | None:
        if "predictions" not in dump.paths:
            return None
        try:
            return self._log.predictions(dump, len(self._samples.labels))
        except LogFileError:
            return None  # the log has noted it among its problems

    def _take_errors(self, first: int, end: int, block: int, found: Sequence[npt.NDArray[Any] | None]) -> bool:
        """Take what the index has COUNTED at some dumps of a block; False where it cannot be read."""
        chosen = slice(first - block * BLOCK, end - block * BLOCK)
        for values, rows in zip(found, (self._error, self._overall, self._missing), strict=True):
            if values is None:
                return False
            rows[first:end] = values[chosen].reshape(end - first, *rows.shape[1:])
        return True

    def _set(self, row: int, read: Predictions | None) -> None:
        if read is None:
            self._predicted.set(row, -1)
            self._error[row], self._overall[row], self._missing[row] = np.nan, np.nan, -1
            return
        self._predicted.set(row, read.predicted)
        self._error[row], self._overall[row] = class_errors(read.predicted, self._samples)
        self._missing[row] = (read.predicted < 0).sum()


def class_errors(predicted: npt.NDArray[np.integer], samples: Samples) -> tuple[Floats, np.float32]:
    """The share of wrong samples of every class, float32 (classes,), and of all; NaN where none was predicted."""
    present = predicted >= 0
    wrong = present & (predicted != samples.labels)
    counts = [_sum_by_class(flags, samples.class_offsets) for flags in (wrong, present)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (counts[0] / counts[1]).astype(np.float32), np.float32(wrong.sum() / present.sum())


def settled_dumps(dumps: Sequence[DumpFiles]) -> int:
    """How many dumps there are up to the newest that has predictions: none before it receives any more."""
    return max((count for count, dump in enumerate(dumps, 1) if "predictions" in dump.paths), default=0)


def _sum_by_class(flags: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    running = np.concatenate([[0], np.cumsum(flags)])
    counts: npt.NDArray[np.int64] = running[offsets[1:]] - running[offsets[:-1]]
    return counts


def _extended(rows: npt.NDArray[Any], dumps: int, fill: float) -> npt.NDArray[Any]:
    if dumps <= len(rows):
        return rows
    longer = np.full((max(dumps, 2 * len(rows), 16), *rows.shape[1:]), fill, rows.dtype)
    longer[: len(rows)] = rows
    return longer
