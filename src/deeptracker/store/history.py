"""What was predicted for every sample at every dump, kept in memory and followed?

1. Rows are dumps and grow at the end; capacity doubles, so that following a live run copies little.
2. `refresh` reads the dumps that are new, several at a time (on an object store the time goes into waiting), and
   counts the errors of every class as they come.
3. Dumps behind the newest one with predictions are read again next time: the user's own evaluation may still hand in
   theirs.
4. Probabilities and losses are read when first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError
from deeptracker.schema import Predictions
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Samples

READERS = 8


class PredictionHistory:
    """Predictions of all samples at all dumps.

    `dumps` rows are held, `settled` of them for good: later ones may still receive predictions.
    """

    def __init__(self, log: LogReader, samples: Samples) -> None:
        self._log = log
        self._samples = samples
        self._offsets = samples.class_offsets
        narrow = samples.classes <= np.iinfo(np.int16).max
        self._predicted: npt.NDArray[Any] = np.zeros((0, len(samples.labels)), np.int16 if narrow else np.int32)
        self._error = np.zeros((0, samples.classes), np.float32)
        self._overall = np.zeros(0, np.float32)
        self._details: dict[str, npt.NDArray[np.float16]] = {}
        self._shown: tuple[DumpFiles, ...] = ()
        self.dumps = 0
        self.settled = 0

    def refresh(self) -> None:
        """Read what the log shows now and did not before."""
        shown = self._log.dumps
        pairs = zip(self._shown[: self.settled], shown, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._grow(len(shown))
        for row, read in zip(range(same, len(shown)), self._read(shown[same:]), strict=True):
            self._set(row, read)
        self._shown, self.dumps = shown, len(shown)
        recorded = np.flatnonzero(~np.isnan(self._overall[: self.dumps]))
        self.settled = int(recorded[-1]) + 1 if len(recorded) else 0
        self._details = {name: rows[:same] for name, rows in self._details.items()}

    @property
    def recorded(self) -> npt.NDArray[np.intp]:
        """The dumps that have predictions."""
        return np.flatnonzero(~np.isnan(self._overall[: self.dumps]))

    @property
    def error_rates(self) -> npt.NDArray[np.float32]:
        """float32 (classes, dumps): share of the class's samples that are wrong; NaN where nothing was recorded."""
        return self._error[: self.dumps].T

    @property
    def recorded_error_rates(self) -> npt.NDArray[np.float32]:
        """float32 (classes, recorded dumps): `error_rates` without the dumps that have no predictions."""
        return self.error_rates[:, self.recorded]

    @property
    def overall_error(self) -> npt.NDArray[np.float32]:
        """float32 (dumps,): share of all samples that are wrong; NaN where nothing was recorded."""
        return self._overall[: self.dumps]

    def predicted(self, rows: slice | int) -> npt.NDArray[np.integer]:
        """Predicted classes (samples chosen, dumps), -1 where missing; a single sample gives (dumps,)."""
        return self._predicted[: self.dumps, rows].T

    def correct(self) -> npt.NDArray[np.bool_]:
        """bool (samples, recorded dumps). A sample that is missing at a dump keeps its value of the dump before."""
        chosen = self._predicted[self.recorded]
        correct: npt.NDArray[np.bool_] = chosen == self._samples.labels.astype(chosen.dtype)
        for row in np.flatnonzero((chosen < 0).any(axis=1)):
            if row > 0:
                missing = chosen[row] < 0
                correct[row, missing] = correct[row - 1, missing]
        return np.ascontiguousarray(correct.T)

    def detail(self, name: str, rows: slice | int) -> npt.NDArray[np.float16]:
        """`probability` or `loss`, float16 (samples chosen, dumps), NaN where missing; one sample gives (dumps,)."""
        held = self._details.get(name, np.zeros((0, len(self._samples.labels)), np.float16))
        if len(held) < self.dumps:
            more = np.full((self.dumps - len(held), held.shape[1]), np.nan, np.float16)
            for row, read in enumerate(self._read(self._shown[len(held) : self.dumps])):
                values = None if read is None else getattr(read, name)
                if values is not None:
                    more[row] = values
            held = self._details[name] = np.concatenate([held, more])
        return held[: self.dumps, rows].T

    def spread(self, values: npt.NDArray[np.float32], fill: float) -> npt.NDArray[np.float32]:
        """float32 (rows, recorded dumps) as (rows, dumps), with `fill` at the dumps that have no predictions."""
        if values.shape[1] == self.dumps:
            return values
        out = np.full((len(values), self.dumps), fill, np.float32)
        out[:, self.recorded] = values
        return out

    def _read(self, dumps: tuple[DumpFiles, ...]) -> Iterator[Predictions | None]:
        with ThreadPoolExecutor(READERS) as pool:
            yield from pool.map(self._read_one, dumps)

    def _read_one(self, dump: DumpFiles) -> Predictions | None:
        if "predictions" not in dump.paths:
            return None
        try:
            return self._log.predictions(dump, len(self._samples.labels))
        except LogFileError:
            return None  # the log has noted it among its problems

    def _grow(self, dumps: int) -> None:
        if dumps <= len(self._predicted):
            return
        capacity = max(dumps, 2 * len(self._predicted), 16)
        self._predicted = _extended(self._predicted, capacity, -1)
        self._error = _extended(self._error, capacity, np.nan)
        self._overall = _extended(self._overall, capacity, np.nan)

    def _set(self, row: int, read: Predictions | None) -> None:
        if read is None:
            self._predicted[row], self._error[row], self._overall[row] = -1, np.nan, np.nan
            return
        if read.predicted.dtype.itemsize > self._predicted.dtype.itemsize:
            self._predicted = self._predicted.astype(read.predicted.dtype)
        self._predicted[row] = read.predicted
        present = read.predicted >= 0
        wrong = present & (read.predicted != self._samples.labels)
        counts = np.stack([_sum_by_class(wrong, self._offsets), _sum_by_class(present, self._offsets)])
        with np.errstate(invalid="ignore", divide="ignore"):
            self._error[row] = counts[0] / counts[1]
            self._overall[row] = wrong.sum() / present.sum()


def _sum_by_class(flags: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    running = np.concatenate([[0], np.cumsum(flags)])
    counts: npt.NDArray[np.int64] = running[offsets[1:]] - running[offsets[:-1]]
    return counts


def _extended(rows: npt.NDArray[Any], capacity: int, fill: float) -> npt.NDArray[Any]:
    longer = np.full((capacity, *rows.shape[1:]), fill, rows.dtype)
    longer[: len(rows)] = rows
    return longer
