"""How does a folder of snapshots of weights become a run, be it larger than memory, and by many processes?

1. `snapshots.py` finds the snapshots, their order, and the layers, whose names are all that is known of the network;
   unless there is a function that makes it: then everything is known that a forward pass tells (`snapshot_models.py`).
2. A snapshot becomes a dump. Some after each other are a block (`snapshot_blocks.py`), measured by whoever is free.
3. The process that was asked writes: `run.json` and `network.json`, then dumps in the order of iterations, so that the
   run grows as if it were recorded; at the end `run.json` again, now "finished".
4. Dumps that are there and whole are kept. So the same import goes on after it was stopped, repairs dumps that are
   damaged, and takes up snapshots that have come since. One that comes before such dumps would change what they were
   compared with: it is left out.
5. Before a dump is compared with one that was kept, the snapshot of that is held against it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from deeptracker.errors import LogFileError, RunExistsError
from deeptracker.parallel import handed_out
from deeptracker.record.dump import Dump, here
from deeptracker.record.hierarchy import describe
from deeptracker.record.kernels import FirstConvolution
from deeptracker.record.sample_set import SampleSet
from deeptracker.record.snapshot_blocks import Block, measure_block, one_thread, without_weights
from deeptracker.record.snapshot_models import ModelSpec, Tried, labels_checksum, loaded_model
from deeptracker.record.snapshots import Places, Snapshot, Snapshots, difference, find_snapshots, places_of
from deeptracker.record.validation_sets import ValidationSpec
from deeptracker.record.weight_folders import files_of
from deeptracker.record.weights import SnapshotError
from deeptracker.schema import Branch, Network, RunInfo
from deeptracker.store.blobs import Blobs
from deeptracker.store.listing import DumpFiles
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.samples import read_samples

BLOCK_BYTES = 8 << 30
FEWEST_IN_BLOCK, MOST_IN_BLOCK = 4, 16
"""A block has so many bytes of weights, in no fewer and no more snapshots: for each, one snapshot is read once more."""

CLUSTER = 64
"""How many workers a cluster is taken to have, as it may grow: a long series makes no fewer blocks."""

IMPORTED_FROM = "imported_from"
"""The entry of `config` by which an imported run is known."""

MODEL = "imported_with"
"""The entry of `config` that tells the function which made the network, and what was validated on."""

SOURCE = "module names in a file of weights, which tells no embedding from a linear layer"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: dumps written and kept, seconds it took, bytes of the files that were measured.

    `left_out` says of each file that was not imported why; `source` where iterations come from.
    """

    dumps_written: int
    dumps_kept: int
    seconds: float
    bytes: int
    left_out: tuple[str, ...]
    source: str


def import_checkpoints(
    places: Places,
    run: str | os.PathLike[str],
    *,
    model: str | None = None,
    validation: ValidationSpec | None = None,
    allow: Sequence[str] = (),
    processes: int = 1,
    scheduler: str | None = None,
    rule: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Write a run of the snapshots in a folder, or bring it up to date; `on_progress` is told dumps done and in all.

    `places` is a folder, or several files and folders. `model`, package.module:function, makes the network, and
    `validation` says on what it is evaluated; without them the run has the measures of weights alone. `allow` is that
    of `open_weights`, `rule` that of `find_snapshots`. Snapshots are measured by this process, by so many, or by the
    workers of a Dask cluster that see the folder under the same name (`scheduler`, the address of its scheduler): the
    bytes are the same. SnapshotError where the snapshots are not one series of one network, or not that of the run;
    RunExistsError where the run was recorded, not imported; ValueError unless processes >= 1.
    """
    if processes < 1:
        raise ValueError(f"processes must be >= 1. Got {processes}.")
    if validation is not None and model is None:
        raise ValueError("validation needs the network: --model package.module:function makes it. Got none.")
    began = time.perf_counter()
    found = find_snapshots(places, rule=rule, allow=allow)
    spec = None if model is None else ModelSpec(model, _absolute(validation), os.getcwd())
    network = _Network.of(found, spec, tuple(allow))
    target = _Target(Blobs(run), Path(places_of(places)[0]).absolute(), found, network)
    todo, late = target.missing(found.snapshots)
    share = -(-len(todo) // (processes if scheduler is None else CLUSTER))
    blocks = target.blocks(todo, found.snapshots, share if scheduler is None else max(FEWEST_IN_BLOCK, share))
    kept, size_bytes = len(target.whole), sum(os.path.getsize(part) for one in todo for part in files_of(one.path))
    if blocks:
        with handed_out(measure_block, blocks, processes=min(processes, len(blocks)), scheduler=scheduler) as measured:
            target.begin()
            new = (dump for block, dumps in zip(blocks, measured, strict=True) for dump in target.new(block, dumps))
            for done, dump in enumerate(new, kept + 1):
                dump.write(target.log)
                if on_progress is not None:
                    on_progress(done, kept + len(todo))
    left_out = (*found.unreadable, *map(_late, late))
    target.finish(left_out)
    return ImportReport(len(todo), kept, time.perf_counter() - began, size_bytes, left_out, found.source)


@dataclass(frozen=True, slots=True)
class _Network:
    """What is known of the network: `tried` is None where that is only what files tell."""

    spec: ModelSpec | None
    tried: Tried | None
    allow: tuple[str, ...]

    @classmethod
    def of(cls, found: Snapshots, spec: ModelSpec | None, allow: tuple[str, ...]) -> _Network:
        if spec is None:
            return cls(None, None, allow)
        loaded_model.cache_clear()  # what the function gives, or the validation data, may have changed since
        model = loaded_model(spec)
        with one_thread():
            model.load(found.snapshots[0], allow)
            return cls(spec, model.tried(), allow)

    @property
    def samples(self) -> SampleSet | None:
        return None if self.tried is None else self.tried.samples

    @property
    def told(self) -> dict[str, str] | None:
        """How the run tells what made it."""
        if self.spec is None:
            return None
        validation = self.spec.validation
        return {"model": self.spec.function} | ({} if validation is None else {"validation": validation.source})


class _Target:
    """The run to be written, and what is there of it: `whole` are the dumps that are kept, by iteration.

    Nothing is written before `begin`.
    """

    def __init__(self, blobs: Blobs, folder: Path, found: Snapshots, network: _Network) -> None:
        self.log = LogWriter(blobs)
        self._blobs, self._folder, self._made = blobs, folder, network
        self._there = LogReader(blobs) if blobs.exists("run.json") else None
        if self._there is not None and IMPORTED_FROM not in self._there.info.config:
            raise RunExistsError(
                f"{blobs.place} must be free, or hold an earlier import. It holds a run that was recorded. "
                "Import to another folder."
            )
        self._info = _new_info(folder, found.source, network) if self._there is None else self._there.info
        self._written = None if self._there is None else self._there.info
        known = None if self._there is None else self._there.network
        self._network = self._fitting(known, found)
        dumps = () if self._there is None else self._there.dumps
        self._dumps = {dump.iteration: dump for dump in dumps}
        kinds = _kinds(self._network, network.samples)
        self.whole = {dump.iteration: dump for dump in dumps if self._is_whole(dump, kinds)}

    def missing(self, snapshots: Sequence[Snapshot]) -> tuple[list[Snapshot], list[Snapshot]]:
        """Those that are to be measured, and those that come too late for it."""
        newest = max(self._dumps, default=-1)
        new = [one for one in snapshots if one.iteration not in self.whole]
        late = [one for one in new if one.iteration < newest and one.iteration not in self._dumps]
        return [one for one in new if one not in late], late

    def blocks(self, todo: Sequence[Snapshot], snapshots: Sequence[Snapshot], most: int) -> list[Block]:
        """What is to be measured, in the order of iterations: in blocks of no more than `most` snapshots."""
        order = sorted({*self._dumps, *(one.iteration for one in todo)})
        before = dict(zip(order[1:], order, strict=False))
        found = {one.iteration: one for one in snapshots}
        most = min(_most_in_block(self._network), most)
        blocks: list[Block] = []
        for one in todo:
            last = blocks[-1].snapshots if blocks else ()
            if last and last[-1].iteration == before[one.iteration] and len(last) < most:
                blocks[-1] = replace(blocks[-1], snapshots=(*last, one))
            else:
                made = self._made
                checksum = labels_checksum(made.samples)
                before_it = self._before(one, before, found)
                blocks.append(Block(self._network, before_it, (one,), made.spec, checksum, made.allow))
        return blocks

    def begin(self) -> None:
        """Say that the run is being written."""
        self._write(replace(self._info, state="running"))
        self.log.write_network(self._network)
        if self._made.samples is not None and not self._blobs.exists("samples/labels.arrow"):
            self._made.samples.write(self._blobs)

    def new(self, block: Block, dumps: Sequence[Dump]) -> Sequence[Dump]:
        """The dumps of a block but not of the snapshot before; SnapshotError if that is another than was kept."""
        if block.before is None:
            return dumps
        kept, measured = self.whole.get(block.before.iteration), here(dumps[0].measured)
        if self._there is not None and kept is not None and measured is not None:
            # Extremes are exact; sums may be rounded otherwise by another version of torch.
            known = self._there.filters(kept, ("min", "max"))
            if not all(np.array_equal(measured.measures[name], known[name], equal_nan=True) for name in known):
                raise SnapshotError(
                    f"{block.before.path} must be the snapshot of which the dump at {kept.iteration} was made, "
                    "as the next is compared with it. Its weights are others. Import to another folder."
                )
        return dumps[1:]

    def finish(self, left_out: tuple[str, ...]) -> None:
        """Say that the run is written, and what could not be; the error of each validation is a scalar, as recorded."""
        self._write_errors()
        self._write(replace(self._info, state="finished", lost=left_out))

    def _write_errors(self) -> None:
        if self._made.samples is None:
            return
        log = LogReader(self._blobs)
        known = log.scalars()
        values = known.get("validation_error", np.full(len(known["iteration"]), np.nan))
        there = set(known["iteration"][~np.isnan(values)].tolist())
        labels = self._made.samples.labels
        new = {
            dump.iteration: float((log.predictions(dump, len(labels)).predicted != labels).mean())
            for dump in log.dumps
            if dump.iteration not in there and "predictions" in dump.paths
        }
        if new:
            self.log.write_scalars(np.array(list(new)), {"validation_error": np.array(list(new.values()))})

    def _write(self, info: RunInfo) -> None:
        if info != self._written:
            self.log.write_info(info)
            self._written = info

    def _fitting(self, known: Network | None, found: Snapshots) -> Network:
        """The network of the run; SnapshotError unless it is that of an earlier import."""
        tried = self._made.tried
        if known is not None and self._info.config.get(MODEL) != self._made.told:
            raise SnapshotError(
                f"an import must go on as it was begun. {self._blobs.place} was imported with "
                f"{_named(self._info.config.get(MODEL))}, now it is {_named(self._made.told)}. "
                "Import to another folder."
            )
        network = known or (describe(found.layers, source=SOURCE) if tried is None else tried.network)
        wrong = difference(found.layers if tried is None else tried.network.layers, network.layers)
        if wrong:
            raise SnapshotError(
                f"snapshots must be of the network of the run. In {found.snapshots[0].path} {wrong} in "
                f"{self._blobs.name('network.json')}. Import to another folder."
            )
        samples = None if known is None or self._made.samples is None else read_samples(self._blobs)
        if samples is not None and self._made.samples is not None:
            self._made.samples.check(samples.ids, samples.labels, complete=True)
        return network

    def _is_whole(self, dump: DumpFiles, kinds: set[str]) -> bool:
        assert self._there is not None
        if not kinds <= dump.paths.keys():
            return False
        try:
            for read in (self._there.filters, self._there.histograms, self._there.kernels):
                read(dump)
            if self._made.samples is not None:
                self._there.predictions(dump, len(self._made.samples))
        except LogFileError:
            return False
        return True

    def _before(self, one: Snapshot, before: Mapping[int, int], found: Mapping[int, Snapshot]) -> Snapshot | None:
        if one.iteration not in before:
            return None
        iteration = before[one.iteration]
        if iteration not in found:
            raise SnapshotError(
                f"the snapshot of iteration {iteration} must be in {self._folder}, as {one.path} is compared with it. "
                "It is there no more. Put it back, or import to another folder."
            )
        return found[iteration]


def _new_info(folder: Path, source: str, network: _Network) -> RunInfo:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    config: dict[str, Any] = {IMPORTED_FROM: str(folder), "iterations_from": source}
    config |= {} if network.told is None else {MODEL: network.told}
    names = None if network.tried is None else network.tried.class_names
    name = folder.name if folder.is_dir() else folder.parent.name
    return RunInfo(name, now, (Branch(0, now),), config=config, class_names=names, every="as snapshots were saved")


def _absolute(validation: ValidationSpec | None) -> ValidationSpec | None:
    """The same, a path told in full: other processes may be elsewhere."""
    if validation is not None:
        with suppress(OSError):
            if Path(validation.source).expanduser().exists():
                return replace(validation, source=str(Path(validation.source).expanduser().absolute()))
    return validation


def _named(told: Any) -> str:
    return "no model" if not told else " and ".join(f"{kind} {name}" for kind, name in told.items())


def _kinds(network: Network, samples: SampleSet | None) -> set[str]:
    """The kinds of files that each dump of a network has."""
    has_kernels = FirstConvolution.of(without_weights(network.layers)) is not None
    more = ({"kernels"} if has_kernels else set()) | ({"predictions"} if samples is not None else set())
    return {"layers", "filters"} | more


def _most_in_block(network: Network) -> int:
    size_bytes = 4 * sum(layer.filters * layer.fan_in for layer in network.layers)
    return min(MOST_IN_BLOCK, max(FEWEST_IN_BLOCK, BLOCK_BYTES // size_bytes))


def _late(one: Snapshot) -> str:
    return f"{one.path} comes before dumps that were measured without it. Import to another folder to have it as well."
