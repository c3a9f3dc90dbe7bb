"""How is the log of a run written and read, also while it is still being written?

1. `run.json` and `network.json` are replaced in one step; all other files are written once and never again.
2. A dump at iteration i is a file of each kind, written in this order: `log/predictions/`, `log/layers/`,
   `log/kernels/`, `log/filters/`, named by i in 12 digits. Each tells in its metadata which kinds the dump has
   (`parts`), so that a dump which a killed process left unfinished is known as such; predictions also, how many
   processes write them (`ranks`). Scalars lie in `log/scalars/FIRST-LAST.arrow`, the iterations before a dump that
   showed trouble in `log/flights/`.
3. Training resumed at iteration n is a new branch: its files carry `.branch001` and so on, and of the branches before
   it only dumps up to n are shown.
4. A reader lists what is there, from the newest dump it knows on. No lock is needed: a file is complete or absent. The
   newest dump counts once all of its parts are there, or once a later one is.
5. A file that cannot be read is told in `problems`; everything else stays readable.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError, RunNotFoundError, UnknownNameError
from deeptracker.schema import FLIGHT_MEASURES, MEASURES, Branch, Flight, Kernels, Network, Predictions, RunInfo
from deeptracker.store.blobs import Blob, Blobs, read_or_none
from deeptracker.store.columns import Columns, Source, decode_columns, encode_columns
from deeptracker.store.flights import FlightHead, batch_in, head_in, values_in, written_flight
from deeptracker.store.histograms import Histograms, histograms_in, written_histograms
from deeptracker.store.kernels import kernels_in, written_kernels
from deeptracker.store.listing import KINDS, DumpFiles, Listing
from deeptracker.store.predictions import merged_predictions, predictions_in
from deeptracker.store.samples import damaged_samples

Floats = npt.NDArray[np.float64]
Taken = TypeVar("Taken")


class LogWriter:
    """Writes the log of one branch. Only one process writes a branch, or `ranks` of them their own predictions each."""

    def __init__(self, blobs: Blobs, branch: int = 0, *, rank: int = 0, ranks: int = 1) -> None:
        self._blobs = blobs
        self._suffix = f".branch{branch:03d}" if branch else ""
        self._rank, self._ranks = rank, ranks

    def write_info(self, info: RunInfo) -> None:
        """Replace `run.json`."""
        self._blobs.put("run.json", info.to_json())

    def write_network(self, network: Network) -> None:
        """Replace `network.json`."""
        self._blobs.put("network.json", network.to_json())

    def write_filters(
        self, iteration: int, measures: Mapping[str, npt.NDArray[np.float32]], *, parts: Iterable[str] = ("filters",)
    ) -> None:
        """One dump's measures: float32 (filters,) for each of MEASURES."""
        columns = {name: np.ascontiguousarray(measures[name], np.float32) for name in MEASURES}
        self._put("filters", iteration, columns, parts)

    def write_kernels(self, iteration: int, kernels: Kernels, *, parts: Iterable[str] = ("kernels",)) -> None:
        """One dump's weights of the first convolution."""
        columns, about = written_kernels(kernels)
        self._put("kernels", iteration, columns, parts, **about)

    def write_layers(self, iteration: int, histograms: Histograms, *, parts: Iterable[str] = ("layers",)) -> None:
        """One dump's histograms of every layer."""
        self._put("layers", iteration, written_histograms(histograms), parts)

    def write_predictions(
        self, iteration: int, predictions: Predictions, *, parts: Iterable[str] = ("predictions",)
    ) -> None:
        """One dump's predictions. The column `sample` is left out where all samples come in order."""
        columns = {"predicted": predictions.predicted, "probability": predictions.probability}
        if predictions.loss is not None:
            columns["loss"] = predictions.loss
        if predictions.samples is not None:
            columns["sample"] = predictions.samples
        if self._ranks == 1:
            self._put("predictions", iteration, columns, parts)
        else:
            self._put("predictions", iteration, columns, parts, f".rank{self._rank:03d}", ranks=self._ranks)

    def write_scalars(self, iterations: npt.NDArray[np.int64], values: Mapping[str, Floats]) -> None:
        """Rows of scalars, iterations ascending; NaN where a name was not logged."""
        path = f"log/scalars/{int(iterations[0]):012d}-{int(iterations[-1]):012d}{self._suffix}.arrow"
        self._blobs.put(path, encode_columns("scalars", {"iteration": iterations, **values}))

    def write_flight(self, flight: Flight) -> None:
        """The last iterations before a dump; it is none of the dump's parts."""
        columns, about = written_flight(flight)
        path = f"log/flights/{flight.dump:012d}{self._suffix}.arrow"
        self._blobs.put(path, encode_columns("flights", columns, iteration=flight.dump, **about))

    def write_weights(self, iteration: int, data: bytes) -> None:
        """A file of weights beside the log, in the format of safetensors."""
        self._blobs.put(f"weights/{iteration:012d}{self._suffix}.safetensors", data)

    def _put(
        self, kind: str, iteration: int, columns: Mapping[str, Any], parts: Iterable[str], rank: str = "", **about: Any
    ) -> None:
        path = f"log/{kind}/{iteration:012d}{self._suffix}{rank}.arrow"
        self._blobs.put(path, encode_columns(kind, columns, iteration=iteration, parts=sorted(parts), **about))


class LogReader:
    """Reads a log, and follows it: `refresh` looks for what is new.

    `info`, `network` (None until known) and `network_crc32` of its file, `dumps` (those shown, ascending), `flights`
    (the files of those that count, by the dump's iteration), `modified` (newest file) and `problems` tell what was seen
    at the last refresh. Given a `branch`, it is read as that branch had it; `branches` are all of the run.
    """

    def __init__(self, blobs: Blobs, branch: int | None = None) -> None:
        self._blobs, self._branch = blobs, branch
        self.branches: tuple[Branch, ...] = ()
        self._listing = Listing(blobs)
        self._scalars: dict[str, dict[str, npt.NDArray[Any]]] = {}
        self._problems: dict[str, str] = {}
        self._unreadable: set[str] = set()
        self.info = self._read_info()
        self.network: Network | None = None
        self.network_crc32 = 0
        self.dumps: tuple[DumpFiles, ...] = ()
        self.flights: dict[int, Blob] = {}
        self.refresh()

    @property
    def problems(self) -> list[str]:
        """One sentence for each file that is damaged, foreign or missing, as far as it was noticed."""
        return [self._problems[key] for key in sorted(self._problems)]

    @property
    def modified(self) -> datetime:
        """When the newest file was written; the beginning of time if there is none."""
        return self._listing.modified

    @property
    def size_bytes(self) -> int:
        """Bytes of the log that have been listed."""
        return self._listing.size_bytes

    def refresh(self) -> bool:
        """Look for what is new; True if anything is."""
        info = self._read_info()
        changed = info != self.info
        self.info = info
        if self.network is None or changed:
            self.network = self._read_network()
        known = self._listing.files
        dumps = self._listing.followed(info.branches, lambda key: not self._missing_parts(key))
        for path in self._listing.foreign:
            text = f"{self._blobs.name(path)} is not a file of DeepTracker; it is ignored. Move it out of the run."
            self.note_problem(path, text)
        for folder in self._unreadable - set(self._listing.unreadable):
            self.forget_problem(folder)
        for folder, text in self._listing.unreadable.items():
            self.note_problem(folder, text)
        self._unreadable = set(self._listing.unreadable)
        changed |= dumps != self.dumps or self._listing.files != known
        self.dumps = dumps
        shown = {dump.iteration for dump in dumps}
        self.flights = {dump: blob for dump, blob in self._listing.flights_that_count().items() if dump in shown}
        return changed

    def filters(self, dump: DumpFiles, only: Iterable[str] | None = None) -> dict[str, npt.NDArray[np.float32]]:
        """Measures of every filter at a dump, float32 (filters,) by name; `only` those named, in the order of MEASURES.

        NaN where the file has no such column, being older than the measure. LogFileError if it cannot be read.
        """
        chosen = set(MEASURES if only is None else only)
        wanted = [name for name in MEASURES if name in chosen]
        columns = self._read(dump, "filters", None if only is None else wanted)[0]
        count = self.network.filters if self.network else self._filter_count(dump, columns)
        for name in columns.arrays:
            found = len(columns.arrays[name])
            if found != count:
                wrong = f"must have {count} filters. Its column {name!r} has {found}."
                raise self._noted(dump.paths["filters"][0], wrong)
        return {
            name: columns.numpy(name) if name in columns.arrays else np.full(count, np.nan, np.float32)
            for name in wanted
        }

    def histograms(self, dump: DumpFiles) -> Histograms:
        """Histograms of every layer at a dump; LogFileError if they cannot be read."""
        columns = self._read(dump, "layers")[0]
        layers = len(self.network.layers) if self.network else None
        return self._fitting(dump.paths["layers"][0], columns, lambda columns: histograms_in(columns, layers))

    def kernels(self, dump: DumpFiles) -> Kernels | None:
        """Weights of the first convolution at a dump; None where it has none, LogFileError if they cannot be read."""
        paths = dump.paths.get("kernels", ())
        return self._kernels(paths[0]) if paths else None

    def flight_head(self, path: str) -> FlightHead:
        """What there is in the file of a flight; LogFileError if it cannot be read."""
        return self._fitting(path, self._flight_columns(path, ["iteration"]), head_in)

    def flight_values(self, path: str, measure: str) -> npt.NDArray[np.float32]:
        """float32 (iterations, filters), read-only, not to be held: one of FLIGHT_MEASURES; LogFileError as above."""
        columns, filters = self._flight_columns(path, [measure]), self.network.filters if self.network else None
        return self._fitting(path, columns, lambda columns: values_in(columns, measure, filters))

    def flight_batch(self, path: str, row: int) -> npt.NDArray[np.int64]:
        """int64 (samples,): the batch of one row of a flight; LogFileError if it cannot be read."""
        return self._fitting(path, self._flight_columns(path, ["batch"]), lambda columns: batch_in(columns, row))

    def dump_at(self, iteration: int) -> DumpFiles:
        """The dump at an iteration; `UnknownNameError` if there is none."""
        for dump in self.dumps:
            if dump.iteration == iteration:
                return dump
        raise UnknownNameError(f"no dump at iteration {iteration} in this run. Run.iterations lists those there are.")

    def predictions(self, dump: DumpFiles, samples: int) -> Predictions:
        """Predictions at a dump for all `samples`, those of all ranks merged; LogFileError if they cannot be read."""
        pieces = []
        for path, columns in zip(dump.paths.get("predictions", ()), self._read(dump, "predictions"), strict=True):
            try:
                pieces.append(predictions_in(columns, samples))
            except ValueError as error:
                raise self._noted(path, str(error)) from error
        return merged_predictions(pieces, samples)

    def scalars(self) -> dict[str, npt.NDArray[Any]]:
        """All scalars: `iteration` int64 (n,), ascending, and float64 (n,) for each name, NaN where not logged.

        Rows of several files at one iteration are one row.
        """
        paths = sorted(self._listing.scalars, key=self._listing.scalars.__getitem__)
        rows = [self._scalar_rows(path) for path in paths]
        rows = [row for row in rows if row]
        names = sorted({name for row in rows for name in row} - {"iteration"})
        if not rows:
            return {"iteration": np.zeros(0, np.int64)}
        iterations, place = np.unique(np.concatenate([row["iteration"] for row in rows]), return_inverse=True)
        out: dict[str, npt.NDArray[Any]] = {"iteration": iterations}
        for name in names:
            values = np.concatenate([row.get(name, np.full(len(row["iteration"]), np.nan)) for row in rows])
            logged = ~np.isnan(values)
            out[name] = np.full(len(iterations), np.nan)
            out[name][place[logged]] = values[logged]  # of two values at one iteration the last is kept
        return out

    def check(self) -> list[str]:
        """Read every file of log and samples, and say in one sentence each what is damaged, foreign or missing."""
        for key in sorted(self._listing.dumps):
            self._check_dump(*key)
        for blob in self._listing.flights.values():
            self._check_flight(blob.path)
        for path in self._listing.scalars:
            self._scalar_rows(path)
        for path, text in damaged_samples(self._blobs).items():
            self.note_problem(path, text)
        return self.problems

    def note_problem(self, path: str, text: str) -> None:
        """Remember what is wrong with a file, once."""
        self._problems[path] = text

    def forget_problem(self, path: str) -> None:
        """A file is found to be whole again."""
        self._problems.pop(path, None)

    def _noted(self, path: str, wrong: str) -> LogFileError:
        """The error for a file that is wrong in this way, which is among the problems from now on."""
        error = LogFileError(f"{self._blobs.name(path)} {wrong}")
        self.note_problem(path, str(error))
        return error

    def _read_info(self) -> RunInfo:
        try:
            data = self._blobs.get("run.json")
        except FileNotFoundError as error:
            raise RunNotFoundError(
                f"no run in {self._blobs.place} (no run.json). Record one: {self._how_to_record()}"
            ) from error
        info = RunInfo.from_json(data, place=self._blobs.name("run.json"))
        self.branches = info.branches
        return info if self._branch is None else info.at_branch(self._branch)

    def _how_to_record(self) -> str:
        if self._blobs.local is None:
            return f'Recorder("{self._blobs.place}", ...)'
        return f"deeptracker demo --run {self._blobs.place}"

    def _read_network(self) -> Network | None:
        try:
            data = read_or_none(self._blobs, "network.json")
            network = None if data is None else Network.from_json(data, place=self._blobs.name("network.json"))
        except LogFileError as error:
            self.note_problem("network.json", str(error))
            return None
        self.forget_problem("network.json")
        self.network_crc32 = zlib.crc32(data or b"")
        return network

    def _missing_parts(self, key: tuple[int, int]) -> list[str]:
        """Kinds that the dump's own files say it has, and that are not there, from all ranks that write them."""
        files = self._listing.dumps[key]
        for kind in KINDS:  # predictions first: they alone tell of ranks
            paths = files.get(kind, ())
            if not paths:
                continue
            try:
                place = self._blobs.name(paths[0])
                about = decode_columns(self._blobs.sparse_view(paths[0]), kind, place=place, only=()).metadata
            except (LogFileError, FileNotFoundError) as error:
                self.note_problem(paths[0], str(error))
                continue
            missing = [part for part in about["parts"] if part not in files]
            ranks = about.get("ranks", 1)
            if len(paths) < ranks:
                missing.append(f"predictions of {ranks - len(paths)} of {ranks} processes")
            return missing
        return []

    def _read(self, dump: DumpFiles, kind: str, only: Iterable[str] | None = None) -> list[Columns]:
        paths = dump.paths.get(kind, ())
        if not paths:
            raise LogFileError(f"the dump at iteration {dump.iteration} of {self._blobs.place} has no {kind}.")
        return [self._decode(path, kind, only) for path in paths]

    def _decode(
        self, path: str, kind: str, only: Iterable[str] | None = None, view: Callable[[str], Source] | None = None
    ) -> Columns:
        try:
            data = (view or (self._blobs.view if only is None else self._blobs.sparse_view))(path)
            return decode_columns(data, kind, place=self._blobs.name(path), only=only)
        except FileNotFoundError as error:
            raise self._noted(path, "must be there. It has been removed since it was listed.") from error
        except LogFileError as error:
            self.note_problem(path, str(error))
            raise

    def _kernels(self, path: str) -> Kernels:
        return self._fitting(path, self._decode(path, "kernels"), lambda columns: kernels_in(columns, self.network))

    def _flight_columns(self, path: str, only: Iterable[str]) -> Columns:
        return self._decode(path, "flights", only, self._blobs.part_view)

    def _fitting(self, path: str, columns: Columns, take: Callable[[Columns], Taken]) -> Taken:
        """What `take` makes of a file; its ValueError, which follows the file's name, becomes one that is noted."""
        try:
            return take(columns)
        except ValueError as error:
            raise self._noted(path, str(error)) from error

    def _filter_count(self, dump: DumpFiles, columns: Columns) -> int:
        """How many filters a dump has, told by one column of its file; any will do."""
        if not columns.arrays:
            columns = self._read(dump, "filters")[0]
        return len(next(iter(columns.arrays.values()), ()))

    def _scalar_rows(self, path: str) -> dict[str, npt.NDArray[Any]]:
        if path not in self._scalars:
            try:
                columns = self._decode(path, "scalars")
                self._scalars[path] = {name: columns.numpy(name) for name in columns.arrays}
            except LogFileError:
                self._scalars[path] = {}
        rows = self._scalars[path]
        end = self._listing.end_of(self._listing.scalars[path][1])
        if not rows or rows["iteration"][-1] <= end:
            return rows
        kept = rows["iteration"] <= end
        return {name: values[kept] for name, values in rows.items()}

    def _check_flight(self, path: str) -> None:
        try:
            self.flight_head(path)
            for measure in FLIGHT_MEASURES:
                self.flight_values(path, measure)
            self.flight_batch(path, 0)
        except LogFileError:
            return  # it has been noted

    def _check_dump(self, iteration: int, branch: int) -> None:
        for kind, paths in self._listing.dumps[iteration, branch].items():
            for path in paths:
                try:
                    if kind == "kernels":
                        self._kernels(path)
                    else:
                        self._decode(path, kind)
                except LogFileError:
                    continue  # it has been noted
        parts = self._missing_parts((iteration, branch))
        missing = [part for part in parts if f"log/{part}/" not in self._listing.unreadable]
        if missing:
            text = (
                f"the dump at iteration {iteration} of {self._blobs.place} has no {' and no '.join(missing)}: "
                "the recorder was stopped while writing it, or writes it now."
            )
            self.note_problem(f"log/{iteration:012d}.branch{branch:03d}", text)
