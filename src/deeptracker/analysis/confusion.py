"""Which class is taken for which, at one dump, at two, and over all?

1. Samples are in class order. What is predicted of them at a dump is counted by (true class, prediction): only the
   cells that occur, sorted, those of each true class one after the other. So memory goes with samples, not with
   classes squared.
2. A prediction is a class, or no class: UNDEFINED (the network gave NaN or infinities) is wrong, MISSING (the sample
   was not evaluated) is neither right nor wrong, and counts in no share.
3. Of two dumps, the cells that either has are put side by side, and samples that are taken for something else now are
   counted by (true class, before, after): the flows.
4. A pair of classes is confused as much as the shares of both, taken for each other, add up to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptracker.schema import MISSING, UNDEFINED

Integers = NDArray[np.integer[Any]]
Int32s = NDArray[np.int32]
_SHIFT = -UNDEFINED  # labels begin at UNDEFINED, the lowest
_COUNTED_ROWS = 512
"""Of up to so many samples a course is counted at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """How many samples of each true class are taken for what, at one dump or over several.

    Cells that occur, sorted by true class, then prediction: those of true class c are [offsets[c], offsets[c + 1]) of
    `predicted` and `count`. All int32: `offsets` (classes + 1,), the others (cells,). `predicted` may be UNDEFINED,
    MISSING, or a class beyond those that samples have.
    """

    offsets: Int32s
    predicted: Int32s
    count: Int32s

    @property
    def classes(self) -> int:
        """How many true classes there are."""
        return len(self.offsets) - 1

    @property
    def true(self) -> Int32s:
        """int32 (cells,): the true class of each cell."""
        return np.repeat(np.arange(self.classes, dtype=np.int32), np.diff(self.offsets))

    @property
    def known(self) -> NDArray[np.int64]:
        """int64 (classes,): how many samples of each class were evaluated."""
        evaluated = self.predicted != MISSING
        return _summed(self.true[evaluated], self.count[evaluated], self.classes)

    @property
    def right(self) -> NDArray[np.int64]:
        """int64 (classes,): how many samples of each class are taken for what they are."""
        own = self.predicted == self.true
        return _summed(self.true[own], self.count[own], self.classes)

    def of(self, true: int, predicted: int) -> int:
        """How many samples of a class are taken for another, or for none."""
        cells = slice(int(self.offsets[true]), int(self.offsets[true + 1]))
        place = np.flatnonzero(self.predicted[cells] == predicted)
        return int(self.count[cells][place[0]]) if len(place) else 0


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionChange:
    """A `Confusion` at two dumps: every cell that either has, with its counts `before` and `after`, int32 (cells,)."""

    offsets: Int32s
    predicted: Int32s
    before: Int32s
    after: Int32s


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """How many samples of true class `cls` went from prediction `source` to `target`: int32 (flows,) each.

    The largest first; of equal ones the lower class, source and target.
    """

    cls: Int32s
    source: Int32s
    target: Int32s
    count: Int32s


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of classes that are confused with each other: int32 (pairs,) each, the most confused first.

    `first` is the one whose samples are taken for the other more often (as a share of its samples): `there` of them
    are, and `back` of those of `second` are taken for `first`.
    """

    first: Int32s
    second: Int32s
    there: Int32s
    back: Int32s


def confusion(predicted: Integers, class_offsets: Integers) -> Confusion:
    """Count int (samples,), in class order; `class_offsets` int (classes + 1,) says which are of which class.

    ValueError where they are not of one number of samples.

    >>> found = confusion(np.array([0, 1, 1, 1, -2]), np.array([0, 3, 5]))
    >>> found.offsets.tolist(), found.predicted.tolist(), found.count.tolist()
    ([0, 2, 4], [0, 1, -2, 1], [1, 2, 1, 1])
    """
    classes = _classes_of(predicted, class_offsets)
    shifted = predicted.astype(np.int64) + _SHIFT
    width = int(shifted.max(initial=0)) + 1
    keys, counts = np.unique(classes * width + shifted, return_counts=True)
    return _cells(keys, counts, width, len(class_offsets) - 1)


def added(several: Sequence[Confusion]) -> Confusion:
    """The counts of several dumps together. ValueError where there is none, or not all have as many classes."""
    classes = {one.classes for one in several}
    if len(classes) != 1:
        raise ValueError(f"all must have one number of classes, and one there must be. Got {sorted(classes)}.")
    width = max(int(one.predicted.max(initial=0)) for one in several) + _SHIFT + 1
    all_keys = np.concatenate([_keys(one, width) for one in several])
    keys, which = np.unique(all_keys, return_inverse=True)
    counts = np.bincount(which, np.concatenate([one.count for one in several]), len(keys))
    return _cells(keys, np.rint(counts), width, several[0].classes)


def change(before: Confusion, after: Confusion) -> ConfusionChange:
    """Two dumps side by side. ValueError where they have not as many classes.

    >>> offsets = np.array([0, 3])
    >>> found = change(confusion(np.array([0, 1, 1]), offsets), confusion(np.array([0, 0, 2]), offsets))
    >>> found.predicted.tolist(), found.before.tolist(), found.after.tolist()
    ([0, 1, 2], [1, 2, 0], [2, 0, 1])
    """
    whole = added([before, after])
    width = int(whole.predicted.max(initial=0)) + _SHIFT + 1
    keys = _keys(whole, width)
    counts = []
    for one in (before, after):
        values = np.zeros(len(keys), np.int32)
        values[np.searchsorted(keys, _keys(one, width))] = one.count
        counts.append(values)
    return ConfusionChange(whole.offsets, whole.predicted, counts[0], counts[1])


def flows(before: Integers, after: Integers, class_offsets: Integers, cls: int | None = None) -> Flows:
    """What int (samples,) at one dump becomes at another: of all classes, those samples that are taken for something
    else; of one class `cls` all, those that stay included. ValueError as in `confusion`.

    >>> found = flows(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 0]), np.array([0, 3, 4]))
    >>> list(zip(found.cls.tolist(), found.source.tolist(), found.target.tolist(), found.count.tolist()))
    [(0, 1, 0, 2), (1, 1, 0, 1)]
    """
    classes = _classes_of(before, class_offsets)
    _classes_of(after, class_offsets)
    chosen = before != after if cls is None else classes == cls
    source, target = (one[chosen].astype(np.int64) + _SHIFT for one in (before, after))
    width = int(max(source.max(initial=0), target.max(initial=0))) + 1
    keys, counts = np.unique((classes[chosen] * width + source) * width + target, return_counts=True)
    largest = np.argsort(-counts, kind="stable")
    rest, target = np.divmod(keys[largest], width)
    of, source = np.divmod(rest, width)
    found = (of, source - _SHIFT, target - _SHIFT, counts[largest])
    return Flows(*(values.astype(np.int32) for values in found))


def most_confused(found: Confusion, most: int) -> Pairs:
    """At most so many pairs of classes with samples that are taken for each other. ValueError for most < 1.

    >>> offsets = np.array([0, 4, 8])
    >>> pairs = most_confused(confusion(np.array([0, 0, 0, 1, 1, 1, 0, 0]), offsets), 5)
    >>> pairs.first.tolist(), pairs.second.tolist(), pairs.there.tolist(), pairs.back.tolist()
    ([1], [0], [2], [1])
    """
    if most < 1:
        raise ValueError(f"most must be >= 1. Got {most}. It is how many pairs are wanted.")
    true, known = found.true.astype(np.int64), found.known
    apart = (found.predicted >= 0) & (found.predicted < found.classes) & (found.predicted != true)
    one, other, count = true[apart], found.predicted[apart].astype(np.int64), found.count[apart]
    keys = np.minimum(one, other) * found.classes + np.maximum(one, other)
    pairs, which = np.unique(keys, return_inverse=True)
    low, high = np.divmod(pairs, max(1, found.classes))
    up = np.bincount(which, np.where(one < other, count, 0), len(pairs))
    down = np.bincount(which, np.where(one > other, count, 0), len(pairs))
    with np.errstate(invalid="ignore"):
        shares = np.stack([up / known[low], down / known[high]])
    shares = np.nan_to_num(shares)  # a class that is predicted and has no samples
    ranked = np.argsort(-shares.sum(axis=0), kind="stable")[:most]
    turned = (shares[1] > shares[0])[ranked]
    low, high, up, down = (values[ranked] for values in (low, high, up, down))
    chosen = ((high, low), (low, high), (down, up), (up, down))
    return Pairs(*(np.where(turned, yes, no).astype(np.int32) for yes, no in chosen))


def course(predicted: Integers, label: int) -> Int32s:
    """int32 (dumps,): how many rows of int (samples, dumps) have a label at each dump.

    >>> course(np.array([[0, 2, 2], [1, 2, -1]]), 2).tolist()
    [0, 2, 1]
    """
    counts = np.zeros(predicted.shape[1], np.int32)
    for start in range(0, len(predicted), _COUNTED_ROWS):  # what is compared is as large as what is given
        counts += (predicted[start : start + _COUNTED_ROWS] == label).sum(axis=0, dtype=np.int32)
    return counts


def _classes_of(predicted: Integers, class_offsets: Integers) -> NDArray[np.int64]:
    if len(predicted) != class_offsets[-1]:
        raise ValueError(f"there must be {class_offsets[-1]} predictions, one a sample. Got {len(predicted)}.")
    return np.repeat(np.arange(len(class_offsets) - 1), np.diff(class_offsets))


def _keys(found: Confusion, width: int) -> NDArray[np.int64]:
    return found.true.astype(np.int64) * width + found.predicted + _SHIFT


def _cells(keys: NDArray[np.int64], counts: NDArray[Any], width: int, classes: int) -> Confusion:
    true, shifted = np.divmod(keys, width)
    offsets = np.searchsorted(true, np.arange(classes + 1)).astype(np.int32)
    return Confusion(offsets, (shifted - _SHIFT).astype(np.int32), counts.astype(np.int32))


def _summed(classes: Int32s, counts: Int32s, size: int) -> NDArray[np.int64]:
    return np.rint(np.bincount(classes, counts, size)).astype(np.int64)
