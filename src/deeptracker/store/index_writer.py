"""How are blocks added to the index of a run, so that no reader ever sees a part of one?

1. The shards of a block are written, each completely or not at all. They lie in a group that is named after the run,
   its network, samples and branches, so builders that know different things of a run never write to the same name;
   those that know the same write the same bytes.
2. Then the metadata are replaced: of the arrays, of their group, and last `index/zarr.json`, in one step. Until then
   the block does not count.
3. What was published stays as it is. Where training was resumed, another group is begun, and blocks of dumps that are
   still shown are copied from the one before.
4. A wide block is made from its blocks once these are written, and published in the same way.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError
from deeptracker.schema import FILTER_DISTANCES, NODE_MEASURES, Network
from deeptracker.store.blobs import Blobs, read_or_none
from deeptracker.store.index_layout import (
    BLOCK,
    EXTREMES,
    ROOT,
    WIDE,
    IndexArray,
    Published,
    ZarrJson,
    content_name,
    dump_identity,
    group_json,
    group_name,
    index_arrays,
)
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Samples
from deeptracker.store.shards import DamagedShardError, decode_shard, encode_shard

Identity = tuple[int, int, int]
Arrays = Mapping[str, IndexArray]
Rows = npt.NDArray[Any]

NOT_WHOLE = (FileNotFoundError, LogFileError, DamagedShardError)
"""What is raised of a shard, or a file of the log, that is not there or not whole."""


LEFT_OVER_SECONDS = 3600.0
"""A shard is written in less than a second; what is this old nobody finishes any more."""


class IndexWriter:
    """The index of a run as a builder sees it: which dumps belong into it, which group, what is there already.

    `arrays` have a shard a block, `wide_arrays` a shard a wide block.
    """

    def __init__(self, blobs: Blobs, log: LogReader, samples: Samples | None, dumps: int) -> None:
        self._blobs = blobs
        self._network = log.network
        every = index_arrays(log.network, samples)
        self.arrays: Arrays = {name: array for name, array in every.items() if not array.is_wide}
        self.wide_arrays: Arrays = {name: array for name, array in every.items() if array.is_wide}
        self.dumps = tuple(dump_identity(dump) for dump in log.dumps[:dumps])
        content = content_name(log.info.created, log.network_crc32, samples)
        group = group_name(content, [branch.start for branch in log.info.branches])
        before = self._read()
        self.group, self._before = _continued(before, content, group, self.dumps)
        is_other = before is not None and self._before is None and before.group.split("-")[0] == content
        self._former = before if is_other else None

    def remove_leftovers(self) -> None:
        """Remove what builders that were killed have left; they name it so that nobody ever reads it."""
        self._blobs.remove_temporary("index/", older_than_seconds=LEFT_OVER_SECONDS)

    @property
    def has_begun(self) -> bool:
        """Is anything published of this group?"""
        return self._before is not None

    @property
    def blocks(self) -> range:
        """Numbers of all blocks that belong into the index."""
        return range(-(-len(self.dumps) // BLOCK))

    @property
    def wide(self) -> range:
        """Numbers of all wide blocks that belong into it."""
        return range(len(self.dumps) // WIDE if self.wide_arrays else 0)

    def missing(self, *, check_published: bool = True) -> list[int]:
        """The blocks that are not published, or, where each shard of the others is to be read, not whole."""
        published = [block for block in self.blocks if self._is_published(block)]
        whole = {block for block in published if not check_published or self._is_whole(self.arrays, block)}
        return [block for block in self.blocks if block not in whole]

    def missing_wide(self, *, check_published: bool = True) -> list[int]:
        """The same of wide blocks; where all the blocks are there that they are made from, they can be written."""
        published = frozenset[int]() if self._before is None else self._before.wide
        whole = {
            number
            for number in self.wide
            if number in published and (not check_published or self._is_whole(self.wide_arrays, number))
        }
        return [number for number in self.wide if number not in whole]

    def write(self, block: int, rows: Mapping[str, Rows]) -> int:
        """Write the shards of a block, (rows, *shape) for each of `arrays`; how many bytes that were."""
        return sum(self._put_shard(array, block, rows[name]) for name, array in self.arrays.items())

    def write_wide(self, number: int, rows: Iterable[tuple[str, Rows]]) -> int:
        """Write the shards of a wide block: each of `wide_arrays` by its name, (rows, *shape); the bytes.

        Of extremes (rows, 2, *shape).
        """
        return sum(self._put_shard(self.wide_arrays[name], number, values) for name, values in rows)

    def read(self, name: str, block: int) -> Rows:
        """(rows, *shape): one of `arrays` at a block that is written; an error of NOT_WHOLE where it cannot be read."""
        array = self.arrays[name]
        found = decode_shard(array, self._blobs.get(array.shard_path(self.group, block)))
        return found.reshape(-1, *array.shape)

    def copy(self, block: int) -> int | None:
        """Write the shards of a block as the group before has them; the bytes written, None where it cannot be."""
        own = slice(block * BLOCK, (block + 1) * BLOCK)
        former = self._former
        if former is None or block not in former.blocks or former.dumps[own] != self.dumps[own]:
            return None
        try:
            shards = {
                name: self._blobs.get(array.shard_path(former.group, block)) for name, array in self.arrays.items()
            }
            for name, data in shards.items():
                decode_shard(self.arrays[name], data)
        except NOT_WHOLE:
            return None
        for name, data in shards.items():
            self._blobs.put(self.arrays[name].shard_path(self.group, block), data)
        return sum(map(len, shards.values()))

    def publish(self, blocks: Collection[int], wide: Collection[int], *, labels: ZarrJson, in_full: bool) -> None:
        """Let these blocks count besides those that are published; dumps up to the last of them are in the index.

        `in_full` looks at the metadata of every array and of the group as well, for who opens these by themselves, and
        replaces those that are not as they ought to be.
        """
        now = self._read()
        ours = now if now is not None and now.group == self.group else self._before
        whole, all_wide = frozenset(blocks), frozenset(wide)
        if ours is not None:
            whole, all_wide = whole | ours.blocks, all_wide | ours.wide
        known = max((min((block + 1) * BLOCK, len(self.dumps)) for block in whole), default=0)
        # Where another builder knew more of the run, that stays.
        dumps = ours.dumps if ours is not None and len(ours.dumps) > known else self.dumps[:known]
        published = Published(self.group, dumps, whole, all_wide)
        arrays = {**self.arrays, **(self.wide_arrays if all_wide else {})}
        below = {
            name: array.zarr_json(published.dumps_of(array), _attributes(array, self._network, labels))
            for name, array in arrays.items()
        }
        if in_full:
            for name, document in below.items():
                self._put(f"{self.group}/{name}", document)
            self._put(self.group, group_json(labels, below))
        self._put_other(ROOT, published.to_json(below, labels))

    def _put_shard(self, array: IndexArray, number: int, rows: Rows) -> int:
        data = encode_shard(array, rows.reshape(-1, *array.shape))
        self._blobs.put(array.shard_path(self.group, number), data)
        return len(data)

    def _put(self, node: str, document: ZarrJson) -> None:
        self._put_other(f"index/{node}/zarr.json", json.dumps(document).encode())

    def _put_other(self, path: str, data: bytes) -> None:
        """Write a file of metadata that is not there as it ought to be."""
        try:
            is_there = read_or_none(self._blobs, path) == data
        except LogFileError:
            is_there = False  # the system refuses to read it; whether it may be replaced is another question
        if not is_there:
            self._blobs.put(path, data)

    def _read(self) -> Published | None:
        data = read_or_none(self._blobs, ROOT)
        return None if data is None else Published.from_json(data)

    def _is_published(self, block: int) -> bool:
        if self._before is None or block not in self._before.blocks:
            return False
        return min((block + 1) * BLOCK, len(self.dumps)) <= len(self._before.dumps)

    def _is_whole(self, arrays: Arrays, number: int) -> bool:
        try:
            for array in arrays.values():
                decode_shard(array, self._blobs.get(array.shard_path(self.group, number)))
        except NOT_WHOLE:
            return False
        return True


def _continued(
    before: Published | None, content: str, group: str, dumps: tuple[Identity, ...]
) -> tuple[str, Published | None]:
    """The group to write to, and what is published in it.

    That of the index there is, where it is of the same content and holds the first dumps of the run and nothing else;
    and never one that a builder which knows fewer branches may write other dumps to.
    """
    if before is None or before.group.split("-")[0] != content:
        return group, None
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before.dumps, dumps, strict=False)))
    fits = same == min(len(before.dumps), len(dumps))
    grows_inside = len(before.dumps) < len(dumps) and len(before.dumps) % BLOCK != 0
    if before.group != group and not before.group.startswith(f"{group}-from"):
        return group, None
    if fits and not grows_inside:
        return before.group, before
    # The same branches, and yet other dumps: files came late. The first block that differs names the new group.
    block = same // BLOCK
    text = json.dumps(dumps[block * BLOCK : (block + 1) * BLOCK])
    return f"{group}-from{block}-{zlib.crc32(text.encode()):08x}", None


def blocks_of(number: int) -> range:
    """The blocks of a wide block."""
    return range(number * WIDE // BLOCK, (number + 1) * WIDE // BLOCK)


def _attributes(array: IndexArray, network: Network | None, labels: ZarrJson) -> ZarrJson:
    """What tells the places along the dimensions of an array."""
    found: ZarrJson = {"extremes": list(EXTREMES)} if array.has_extremes else {}
    if array.dimensions == ("node_measure", "node"):
        return found | {"node_measures": list(NODE_MEASURES), "nodes": labels["nodes"]}
    if array.dimensions == ("distance", "rank"):
        return found | {"distances": list(FILTER_DISTANCES)}
    if array.dimensions == ("filter",) and network is not None:
        layers = network.layers
        return found | {"layers": [layer.name for layer in layers], "offsets": [layer.offset for layer in layers]}
    return found


def packed(correct: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """uint64 (1, samples): bit i is dump i of bool (up to 64 dumps, samples).

    >>> packed(np.array([[True, False], [False, False], [True, True]])).tolist()
    [[5, 4]]
    """
    bits = np.zeros((BLOCK, correct.shape[1]), np.uint8)
    bits[: len(correct)] = correct
    return np.ascontiguousarray(np.packbits(bits, axis=0, bitorder="little").T).view("<u8").T
