"""Which arrays does the index of a run have, and how do their metadata look? (docs/format.md, "The index")

1. Every array has a row a dump and is sharded: a shard is a block of 64 dumps, its inner chunks are so many columns
   wide that a layer's filters, or a class's samples, are read without the rest. A CRC32C ends every inner chunk.
2. Measures are kept as they are: random digits hardly shrink, and uncompressed chunks are read in one piece.
   Predicted classes are compressed, sample by sample, as a sample keeps its class for long.
3. All arrays of an index lie in one group, `index/NAME/`. The name says of what network, samples and branches it is,
   so that what was indexed before training was resumed elsewhere is not overwritten.
4. `index/zarr.json` names that group, and tells which dumps are in it. Replacing it publishes a block.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeptracker.schema import FORMAT_VERSION, MEASURES, NODE_MEASURES, Network, Node
from deeptracker.store.listing import DumpFiles
from deeptracker.store.samples import Samples

BLOCK = 64
"""Dumps in a block: of so many there is a correctness bit each in 8 bytes."""

INDEX_VERSION = 1
"""Another number is another layout: such an index is passed over, and built anew beside it."""

ROOT = "index/zarr.json"
FILTER_COLUMNS = 64
SAMPLE_COLUMNS = 256
DETAILS = ("probability", "loss")
SAMPLE_ARRAYS = ("predicted", *DETAILS, "correct")

ZarrJson = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IndexArray:
    """One array: `shape` without its rows, of which there is one for `dumps_per_row` dumps.

    `width` columns (places in the flattened shape) make an inner chunk, kept column by column and compressed where
    `is_compressed`. Raises ValueError unless chunks of a shape of two are rows of its last dimension.
    """

    name: str
    dtype: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    width: int
    dumps_per_row: int = 1
    is_compressed: bool = False

    def __post_init__(self) -> None:
        if len(self.shape) > 1 and self.width != self.shape[-1]:
            raise ValueError(f"a chunk of {self.shape} must be {self.shape[-1]} wide. Got {self.width}.")

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
    def rows(self) -> int:
        """Rows of a shard."""
        return BLOCK // self.dumps_per_row

    @property
    def fill(self) -> float | int:
        """What stands where nothing was written."""
        return 0 if self.dtype.startswith("u") else np.nan if self.dtype.startswith("float") else -1

    def shard_path(self, group: str, block: int) -> str:
        """Where the shard of a block lies."""
        return "/".join(["index", group, self.name, "c", str(block), *("0" for _ in self.shape)])

    def zarr_json(self, dumps: int, attributes: ZarrJson | None = None) -> ZarrJson:
        """The array's metadata in Zarr format 3, for so many dumps."""
        inner = [self.rows, *(1 for _ in self.shape[1:]), *((self.width,) if self.shape else ())]
        last = () if not self.shape else (self.chunks * self.width,) if len(self.shape) == 1 else self.shape
        codecs: list[ZarrJson] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        if self.is_compressed:
            codecs.insert(0, {"name": "transpose", "configuration": {"order": [1, 0]}})
            codecs.append({"name": "zstd", "configuration": {"level": 1, "checksum": False}})
        sharding = {
            "chunk_shape": inner,
            "codecs": [*codecs, {"name": "crc32c"}],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": "start",
        }
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [-(-dumps // self.dumps_per_row), *self.shape],
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [self.rows, *last]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": "NaN" if self.dtype.startswith("float") else self.fill,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "attributes": attributes or {},
            "dimension_names": ["dump" if self.dumps_per_row == 1 else "block", *self.dimensions],
            "storage_transformers": [],
        }


def index_arrays(network: Network | None, samples: Samples | None) -> dict[str, IndexArray]:
    """All arrays of a run's index, by name."""
    found = [IndexArray("iteration", "int64", (), (), 1), IndexArray("branch", "int32", (), (), 1)]
    if network is not None and network.filters:
        found += [IndexArray(name, "float32", ("filter",), (network.filters,), FILTER_COLUMNS) for name in MEASURES]
        nodes = _nodes_below(network.hierarchy)
        shape = (len(NODE_MEASURES), nodes)
        found.append(IndexArray("node_stats", "float32", ("node_measure", "node"), shape, nodes))
    if samples is not None and len(samples.labels):
        count, narrow = len(samples.labels), samples.classes <= np.iinfo(np.int16).max
        predicted = "int16" if narrow else "int32"
        found += [
            IndexArray("predicted", predicted, ("sample",), (count,), SAMPLE_COLUMNS, is_compressed=True),
            *(IndexArray(name, "float16", ("sample",), (count,), SAMPLE_COLUMNS) for name in DETAILS),
            IndexArray("correct", "uint64", ("sample",), (count,), count, dumps_per_row=BLOCK),
            IndexArray("class_error", "float32", ("class",), (samples.classes,), samples.classes),
            IndexArray("error", "float32", (), (), 1),
            IndexArray("missing", "int32", (), (), 1),
        ]
    return {array.name: array for array in found}


@dataclass(frozen=True, slots=True)
class Published:
    """What `index/zarr.json` says: the current group, the identity of each dump in it, and which blocks are there.

    A block that is not among `blocks` holds a dump that could not be read when it was built; the log is asked for it.
    """

    group: str
    dumps: tuple[tuple[int, int, int], ...]
    blocks: frozenset[int]

    def to_json(self, arrays: Iterable[tuple[IndexArray, ZarrJson]], about: ZarrJson) -> bytes:
        """The bytes of `index/zarr.json`: the root group with consolidated metadata of all that is below it."""
        nodes: dict[str, ZarrJson] = {self.group: group_json(about)}
        for array, attributes in arrays:
            nodes[f"{self.group}/{array.name}"] = array.zarr_json(len(self.dumps), attributes)
        ours = {
            "index_version": INDEX_VERSION,
            "group": self.group,
            "dumps": [list(dump) for dump in self.dumps],
            "blocks": sorted(self.blocks),
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
            return cls(ours["group"], tuple(tuple(dump) for dump in ours["dumps"]), frozenset(ours["blocks"]))
        except (ValueError, KeyError, TypeError, AttributeError):
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


def content_name(network_crc32: int, samples: Samples | None) -> str:
    """What an index is of, in 8 characters: another one belongs to another network, samples or version of the files."""
    of_samples = 0 if samples is None else zlib.crc32(samples.labels.tobytes(), samples.classes)
    text = json.dumps([INDEX_VERSION, FORMAT_VERSION, network_crc32, of_samples, NODE_MEASURES])
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
