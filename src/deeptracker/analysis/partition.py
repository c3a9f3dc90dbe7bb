"""Into how few sets can elements be divided so that every target set is a union of some of them? (paper, 7.3, Alg. 1)

1. The signature of an element is the list of the target sets that it is in.
2. Elements of one signature are in the same target sets, so nothing has to part them; elements of two signatures are
   parted by a target set that one of them is in and the other is not. Grouping by signature therefore is the smallest
   such division, and the one that Algorithm 1 of the paper arrives at by intersecting set after set.
3. The groups are the mini-sets. An id is a hash of what is in it, so a link to one survives as long as it exists.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

ID_BYTES = 6
"""Of 10,000 mini-sets two have the same id with a probability of 2e-7; and a float64 holds such a number exactly."""

Element = TypeVar("Element", bound=Hashable)


def mini_sets(target_sets: Iterable[AbstractSet[Element]]) -> list[set[Element]]:
    """The fewest disjoint sets of which every target set is a union (paper, 7.3, Alg. 1).

    Those of the elements met first come first.

    >>> mini_sets([{1, 2, 3}, {3, 4}, {2, 3}]) == [{1}, {2}, {3}, {4}]
    True
    >>> mini_sets([{"a", "b"}, {"a", "b", "c"}, set()]) == [{"a", "b"}, {"c"}]
    True
    """
    signatures: dict[Element, list[int]] = {}
    for number, target in enumerate(target_sets):
        for element in target:
            signatures.setdefault(element, []).append(number)
    found: dict[tuple[int, ...], set[Element]] = {}
    for element, signature in signatures.items():
        found.setdefault(tuple(signature), set()).add(element)
    return list(found.values())


def partition(
    elements: NDArray[np.integer], targets: NDArray[np.integer], kinds: NDArray[np.integer]
) -> NDArray[np.int32]:
    """The same for many elements at once: int32 (elements,), the number of the mini-set of each.

    Memberships are pairs, int (n,) each: `elements`, numbered from 0 without gaps, are in the target sets `targets`,
    numbered from 0. Elements of different `kinds`, int (elements,), never share a mini-set. Numbers follow the first
    element of each mini-set.

    >>> partition(np.array([0, 1, 2, 2, 3, 1, 2]), np.array([0, 0, 0, 1, 1, 2, 2]), np.zeros(4, int)).tolist()
    [0, 1, 2, 3]
    >>> partition(np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1]), np.array([7, 7, 8])).tolist()
    [0, 0, 1]
    """
    sets = int(targets.max(initial=-1)) + 1
    is_in = np.zeros((len(kinds), -(-sets // 8) * 8), bool)
    is_in[elements, targets] = True
    signatures = np.packbits(is_in, axis=1)
    numbers: dict[tuple[int, bytes], int] = {}
    keys = zip(kinds.tolist(), map(bytes, signatures), strict=True)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int32)


def set_id(layer: int, filters: NDArray[np.int32]) -> int:
    """The id of a mini-set, below 2**48, from its layer and its filters (int32, ascending).

    >>> f"{set_id(3, np.array([17, 40], np.int32)):012x}"
    '45aed8820424'
    """
    text = np.concatenate([[layer], filters]).astype("<i4").tobytes()
    return int.from_bytes(blake2b(text, digest_size=ID_BYTES).digest(), "big")
