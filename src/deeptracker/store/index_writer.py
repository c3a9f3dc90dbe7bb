"""How are blocks added to the index of a run, so that no reader ever sees a part of one?

1. The shards of a block are written, each completely or not at all. They lie in a group that is named after the run's
   network, samples and branches, so builders that know different things of a run never write to the same name; those
   that know the same write the same bytes.
2. Then the metadata are replaced: of the arrays, of their group, and last `index/zarr.json`, in one step. Until then
   the block does not count.
3. What was published stays as it is. Where training was resumed, another group is begun, and blocks of dumps that are
   still shown are copied from the one before.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.errors import LogFileError
from deeptracker.schema import MEASURES, NODE_MEASURES, Network
from deeptracker.store.blobs import Blobs, read_or_none
from deeptracker.store.index_layout import (
    BLOCK,
    ROOT,
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
from deeptracker.store.shards import DamagedShardError, check_shard, encode_shard

Identity = tuple[int, int, int]


class IndexWriter:
    """The index of a run as a builder sees it: which dumps belong into it, which group, what is there already."""

    def __init__(self, blobs: Blobs, log: LogReader, samples: Samples | None, dumps: int) -> None:
        self._blobs = blobs
        self._network = log.network
        self.arrays = index_arrays(log.network, samples)
        self.dumps = tuple(dump_identity(dump) for dump in log.dumps[:dumps])
        content = content_name(log.network_crc32, samples)
        group = group_name(content, [branch.start for branch in log.info.branches])
        before = self._read()
        self.group, self._before = _continued(before, content, group, self.dumps)
        is_other = before is not None and self._before is None and before.group.split("-")[0] == content
        self._former = before if is_other else None

    @property
    def blocks(self) -> range:
        """Numbers of all blocks that belong into the index."""
        return range(-(-len(self.dumps) // BLOCK))

    def missing(self) -> list[int]:
        """The blocks that are not published, or not whole: each shard of the others is read."""
        return [block for block in self.blocks if not self._is_whole(block)]

    def write(self, block: int, rows: Mapping[str, npt.NDArray[Any]]) -> int:
        """Write the shards of a block, (rows, *shape) for each array; how many bytes that were."""
        size_bytes = 0
        for name, array in self.arrays.items():
            data = encode_shard(array, rows[name])
            self._blobs.put(array.shard_path(self.group, block), data)
            size_bytes += len(data)
        return size_bytes

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
                check_shard(self.arrays[name], data)
        except (FileNotFoundError, LogFileError, DamagedShardError):
            return None
        for name, data in shards.items():
            self._blobs.put(self.arrays[name].shard_path(self.group, block), data)
        return sum(map(len, shards.values()))

    def publish(self, blocks: set[int], *, labels: ZarrJson, in_full: bool) -> None:
        """Let these blocks count besides those that are published; dumps up to the last of them are in the index.

        `in_full` replaces the metadata of every array and of the group as well, for who opens these by themselves.
        """
        now = self._read()
        ours = now if now is not None and now.group == self.group else self._before
        whole = frozenset(blocks | (set() if ours is None else set(ours.blocks)))
        known = max((min((block + 1) * BLOCK, len(self.dumps)) for block in whole), default=0)
        published = Published(self.group, self.dumps[:known], whole)
        if ours is not None and len(ours.dumps) > known:
            published = Published(self.group, ours.dumps, whole)  # another builder knew more of the run
        described = [(array, _attributes(array, self._network, labels)) for array in self.arrays.values()]
        below = {array.name: array.zarr_json(len(published.dumps), attributes) for array, attributes in described}
        if in_full:
            for name, document in below.items():
                self._put(f"{self.group}/{name}", document)
            self._put(self.group, group_json(labels, below))
        self._blobs.put(ROOT, published.to_json(described, labels))

    def _put(self, node: str, document: ZarrJson) -> None:
        self._blobs.put(f"index/{node}/zarr.json", json.dumps(document).encode())

    def _read(self) -> Published | None:
        data = read_or_none(self._blobs, ROOT)
        return None if data is None else Published.from_json(data)

    def _is_whole(self, block: int) -> bool:
        if self._before is None or block not in self._before.blocks:
            return False
        if min((block + 1) * BLOCK, len(self.dumps)) > len(self._before.dumps):
            return False
        try:
            for array in self.arrays.values():
                check_shard(array, self._blobs.get(array.shard_path(self.group, block)))
        except (FileNotFoundError, LogFileError, DamagedShardError):
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


def _attributes(array: IndexArray, network: Network | None, labels: ZarrJson) -> ZarrJson:
    """What tells the places along the dimensions of an array."""
    if array.dimensions == ("node_measure", "node"):
        return {"node_measures": list(NODE_MEASURES), "nodes": labels["nodes"]}
    if array.name in MEASURES and network is not None:
        return {"layers": [layer.name for layer in network.layers], "offsets": [x.offset for x in network.layers]}
    return {}


def packed(correct: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """uint64 (1, samples): bit i is dump i of bool (up to 64 dumps, samples).

    >>> packed(np.array([[True, False], [False, False], [True, True]])).tolist()
    [[5, 4]]
    """
    bits = np.zeros((BLOCK, correct.shape[1]), np.uint8)
    bits[: len(correct)] = correct
    return np.ascontiguousarray(np.packbits(bits, axis=0, bitorder="little").T).view("<u8").T
