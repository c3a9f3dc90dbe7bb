"""Which arrays does the index of a run have, and how do their metadata look? (docs/format.md, "The index")

1. Every array has a row a dump and is sharded: a shard is a block of 64 dumps, its inner chunks are so many columns
   wide that a layer's filters, or a class's samples, are read without the rest. A CRC32C ends every inner chunk.
2. Measures are kept as they are: random digits hardly shrink, and uncompressed chunks are read in one piece.
   Predicted classes are compressed, sample by sample, as a sample keeps its class for long.
3. Of 1,024 dumps that are complete, a wide block, there are levels of detail as well: for measures and node statistics
   the smallest and largest value of every 16 and of every 64 dumps in one array, and their mean in another, as of
   filters the mean is hardly asked for; and predicted classes once more, in chunks as long. A long run is read in few,
   short pieces so.
4. Which filters moved the most at a dump is there for every distance, so that nobody looks at all filters for it.
5. All arrays of an index lie in one group, `index/NAME/`. The name says of what run, network, samples and branches it
   is, so that what was indexed before training was resumed elsewhere is not overwritten.
6. `index/zarr.json` names that group, and tells which dumps are in it. Replacing it publishes a block.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deeptracker.documents import FORMAT_VERSION
from deeptracker.schema import FILTER_DISTANCES, MEASURES, NODE_MEASURES, Network, Node
from deeptracker.store.listing import DumpFiles
from deeptracker.store.samples import Samples

BLOCK = 64
"""Dumps in a block: of so many there is a correctness bit each in 8 bytes."""

WIDE = 16 * BLOCK
"""Dumps in a wide block: of so many, never of fewer, the index has levels of detail."""

STORED_LEVELS = (16, 64)
"""So many dumps make a row of an array of levels."""

EXTREMES = ("min", "max")
"""The places along the dimension `extreme` of such an array."""

INDEX_VERSION = 3
"""Another number is another layout: such an index is passed over, and built anew beside it."""

ROOT = "index/zarr.json"
FILTER_COLUMNS = 64
SAMPLE_COLUMNS = 256
WIDE_SAMPLE_COLUMNS = 64
LEADING = 128
"""So many of the filters that moved the most are there of each dump and distance."""

DETAILS = ("probability", "loss")
SAMPLE_ARRAYS = ("predicted", *DETAILS, "correct")

ZarrJson = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IndexArray:
    """One array: `shape` without its rows, of which there is one for `dumps_per_row` dumps.

    A shard has `dumps_per_shard` dumps: BLOCK or WIDE. Where it `has_extremes` there is a
    dimension for EXTREMES before those of the shape. `width` columns (places in the flattened shape) make an inner
    chunk, kept column by column and compressed where `is_compressed`. Raises ValueError unless chunks are whole in all
    dimensions but the first.
    """

    name: str
    dtype: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    width: int
    dumps_per_row: int = 1
    dumps_per_shard: int = BLOCK
    has_extremes: bool = False
    is_compressed: bool = False

    def __post_init__(self) -> None:
        if self.width % max(1, math.prod(self.shape[1:])):
            whole = math.prod(self.shape[1:])
            raise ValueError(f"a chunk of {self.shape} must be a multiple of {whole} wide. Got {self.width}.")

    @property
    def columns(self) -> int:
        """How many values a row has."""
        return math.prod(self.shape)

    @property
    def chunks(self) -> int:
        """Inner chunks of a shard."""
        return -(-self.columns // self.width)

    @property
    def has_one_plain_chunk(self) -> bool:
        """Is a shard a single inner chunk, not compressed?"""
        return self.chunks == 1 and not self.is_compressed

    @property
    def is_wide(self) -> bool:
        """Is a shard a wide block?"""
        return self.dumps_per_shard == WIDE

    @property
    def rows(self) -> int:
        """Rows of a shard; the smallest and the largest value are one each."""
        return self.rows_of(self.dumps_per_shard)

    def rows_of(self, dumps: int) -> int:
        """Rows of so many dumps; the smallest and the largest value are one each."""
        return -(-dumps // self.dumps_per_row) * (len(EXTREMES) if self.has_extremes else 1)

    @property
    def fill(self) -> float | int:
        """What stands where nothing was written."""
        return 0 if self.dtype.startswith("u") else np.nan if self.dtype.startswith("float") else -1

    def shard_path(self, group: str, number: int) -> str:
        """Where the shard of a block, or wide block, lies."""
        places = "0" * (len(self.shape) + self.has_extremes)
        return "/".join(["index", group, self.name, "c", str(number), *places])

    def zarr_json(self, dumps: int, attributes: ZarrJson | None = None) -> ZarrJson:
        """The array's metadata in Zarr format 3, for so many dumps."""
        rows, rest = -(-dumps // self.dumps_per_row), self.shape[1:]
        before = [len(EXTREMES)] if self.has_extremes else []
        first = [self.dumps_per_shard // self.dumps_per_row, *before]
        wide = [self.width // math.prod(rest)] if self.shape else []
        outer = [self.chunks * places for places in wide]
        codecs: list[ZarrJson] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        if self.is_compressed:
            codecs.insert(0, {"name": "transpose", "configuration": {"order": [1, 0]}})
            codecs.append({"name": "zstd", "configuration": {"level": 1, "checksum": False}})
        sharding = {
            "chunk_shape": [*first, *wide, *rest],
            "codecs": [*codecs, {"name": "crc32c"}],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": "start",
        }
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [rows, *before, *self.shape],
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [*first, *outer, *rest]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": "NaN" if self.dtype.startswith("float") else self.fill,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "attributes": attributes or {},
            "dimension_names": [*self._row_dimensions(), *self.dimensions],
            "storage_transformers": [],
        }

    def _row_dimensions(self) -> tuple[str, ...]:
        row = f"dump_{self.dumps_per_row}" if self.is_wide else "dump" if self.dumps_per_row == 1 else "block"
        return (row, "extreme") if self.has_extremes else (row,)


def index_arrays(network: Network | None, samples: Samples | None) -> dict[str, IndexArray]:
    """All arrays of a run's index, by name."""
    found = [IndexArray("iteration", "int64", (), (), 1), IndexArray("branch", "int32", (), (), 1)]
    if network is not None and network.filters:
        nodes = _nodes_below(network.hierarchy)
        shape = (len(NODE_MEASURES), nodes)
        detailed = [
            *(IndexArray(name, "float32", ("filter",), (network.filters,), FILTER_COLUMNS) for name in MEASURES),
            IndexArray("node_stats", "float32", ("node_measure", "node"), shape, nodes),
        ]
        distances, numbers = ("distance", "rank"), (len(FILTER_DISTANCES), LEADING)
        found += [
            *detailed,
            IndexArray("leading_filter", "int32", distances, numbers, LEADING),
            IndexArray("leading_value", "float32", distances, numbers, LEADING),
        ]
        found += [one for array in detailed for level in STORED_LEVELS for one in arrays_of_level(array, level)]
    if samples is not None and len(samples.labels):
        count, narrow = len(samples.labels), samples.classes <= np.iinfo(np.int16).max
        predicted = "int16" if narrow else "int32"
        found += [
            IndexArray("predicted", predicted, ("sample",), (count,), SAMPLE_COLUMNS, is_compressed=True),
            IndexArray(
                wide_name("predicted"),
                predicted,
                ("sample",),
                (count,),
                WIDE_SAMPLE_COLUMNS,
                dumps_per_shard=WIDE,
                is_compressed=True,
            ),
            *(IndexArray(name, "float16", ("sample",), (count,), SAMPLE_COLUMNS) for name in DETAILS),
            IndexArray("correct", "uint64", ("sample",), (count,), count, dumps_per_row=BLOCK),
            IndexArray("class_error", "float32", ("class",), (samples.classes,), samples.classes),
            IndexArray("error", "float32", (), (), 1),
            IndexArray("missing", "int32", (), (), 1),
        ]
    return {array.name: array for array in found}


def arrays_of_level(array: IndexArray, level: int) -> tuple[IndexArray, IndexArray]:
    """The arrays that have the means and the extremes of so many dumps of an array."""
    mean = replace(array, name=mean_name(array.name, level), dumps_per_row=level, dumps_per_shard=WIDE)
    return mean, replace(mean, name=extremes_name(array.name, level), has_extremes=True)


def wide_name(name: str) -> str:
    """What the array is called that has every dump of an array once more, in wide blocks.

    >>> wide_name("predicted")
    'predicted_1'
    """
    return f"{name}_1"


def mean_name(name: str, level: int) -> str:
    """What the array of the means of a level is called.

    >>> mean_name("change", 16)
    'change_mean_16'
    """
    return f"{name}_mean_{level}"


def extremes_name(name: str, level: int) -> str:
    """What the array of the smallest and largest values of a level is called.

    >>> extremes_name("change", 16)
    'change_16'
    """
    return f"{name}_{level}"


@dataclass(frozen=True, slots=True)
class Published:
    """What `index/zarr.json` says: the current group, the identity of each dump in it, and which blocks are there.

    A block that is not among `blocks` holds a dump that could not be read when it was built; the log is asked for it.
    What wide blocks have is there of those in `wide`; of others it is made from blocks or log.
    """

    group: str
    dumps: tuple[tuple[int, int, int], ...]
    blocks: frozenset[int]
    wide: frozenset[int] = frozenset()

    def dumps_of(self, array: IndexArray) -> int:
        """How many dumps an array has: of wide blocks, those up to the last."""
        return max((WIDE * (number + 1) for number in self.wide), default=0) if array.is_wide else len(self.dumps)

    def to_json(self, below: Mapping[str, ZarrJson], about: ZarrJson) -> bytes:
        """The bytes of `index/zarr.json`: the root group with consolidated metadata of all that is below it.

        `below` are those of the arrays by their names, `about` the attributes of their group.
        """
        nodes = {self.group: group_json(about)} | {f"{self.group}/{name}": node for name, node in below.items()}
        ours = {
            "index_version": INDEX_VERSION,
            "group": self.group,
            "dumps": [list(dump) for dump in self.dumps],
            "blocks": sorted(self.blocks),
            "wide": sorted(self.wide),
        }
        ours["crc32"] = _crc32(ours)
        return json.dumps(group_json({"deeptracker": ours}, nodes)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Published | None:
        """Read it back; None where it is damaged, or not of this version."""
        try:
            ours = json.loads(data)["attributes"]["deeptracker"]
            if ours["index_version"] != INDEX_VERSION or ours.pop("crc32") != _crc32(ours):
                return None
            dumps = tuple(tuple(dump) for dump in ours["dumps"])
            return cls(ours["group"], dumps, frozenset(ours["blocks"]), frozenset(ours["wide"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def group_json(attributes: ZarrJson, below: Mapping[str, ZarrJson] | None = None) -> ZarrJson:
    """The metadata of a group, consolidated with those of what is below it where that is given."""
    document: ZarrJson = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    if below is not None:
        document["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": dict(below)}
    return document


def dump_identity(dump: DumpFiles) -> tuple[int, int, int]:
    """Iteration, branch, and CRC32 of the paths of all files of a dump: where these are the same, so is the dump."""
    paths = "\n".join(sorted(path for paths in dump.paths.values() for path in paths))
    return dump.iteration, dump.branch, zlib.crc32(paths.encode())


def content_name(created: str, network_crc32: int, samples: Samples | None) -> str:
    """What an index is of, in 8 characters: another one is of another run, network, samples or version of the files.

    A run that is recorded anew in the same place was created at another time.
    """
    of_samples = 0 if samples is None else zlib.crc32(samples.labels.tobytes(), samples.classes)
    text = json.dumps([INDEX_VERSION, FORMAT_VERSION, created, network_crc32, of_samples, NODE_MEASURES])
    return f"{zlib.crc32(text.encode()):08x}"


def group_name(content: str, branches: Sequence[int]) -> str:
    """The group for this content, and branches that start at these iterations.

    >>> group_name("89abcdef", [0]), group_name("89abcdef", [0, 1200])
    ('89abcdef', '89abcdef-branch001-1200')
    """
    return content if len(branches) == 1 else f"{content}-branch{len(branches) - 1:03d}-{branches[-1]}"


def _nodes_below(node: Node) -> int:
    return 1 + sum(_nodes_below(child) for child in node.children)


def _crc32(ours: ZarrJson) -> int:
    return zlib.crc32(json.dumps(ours, sort_keys=True).encode())
