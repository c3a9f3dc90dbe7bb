"""Which filters move when which classes jump, and which of that would chance explain? (paper, 7.3)

1. The anomaly iterations T_j of a class are columns. At each of them some filters are anomaly filters: those that moved
   the most, or further than a limit. A layer's anomaly filters of all anomaly iterations are divided into mini-sets
   (partition.py): filters of one mini-set are anomaly filters at the same of these iterations, where it `appears`.
2. A mini-set hits a class at the anomaly iterations of that class at which it appears. Let T be all anomaly iterations
   of all classes. If a class jumped at times that have nothing to do with the mini-set, then T_j would be any |T_j| of
   T, and the number of hits hypergeometric: p is the probability of as many or more. T, not all dumps, is what is drawn
   from, as only filters that appear somewhere in T become a mini-set at all: among all dumps each would seem special.
3. Every pair of a mini-set and a class is a test, those without a hit as well. q is the smallest false discovery rate
   at which a pair is reported (Benjamini and Hochberg, J. R. Stat. Soc. B 57, 1995); it is significant up to
   `SIGNIFICANT`. A class that jumps only once can hardly be significant: once, anything else jumps too.
4. `restricted` leaves out columns, layers or rare mini-sets. Mini-sets, p and q stay what they are of the whole run, so
   that looking closer at some classes neither renames a mini-set nor makes it seem less surprising.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from deeptracker.analysis.anomalies import SHARE_TOLERANCE, Anomalies
from deeptracker.analysis.partition import partition, set_id
from deeptracker.analysis.significance import false_discovery_rates, hypergeometric_tail

Rule = Literal["left", "right", "either"]
Ints = NDArray[np.int32]
Doubles = NDArray[np.float64]

SIGNIFICANT = 0.05
"""The false discovery rate at which a pair of mini-set and class counts as more than chance."""

MOST_MARKS = 1 << 24
"""Numbers below this are told apart by a mark each, larger ones by sorting."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The anomaly iterations of classes: `classes` int32 (classes,) ascending, those of `classes[c]` being the dumps
    `dumps[offsets[c]:offsets[c + 1]]`, ascending; `offsets` int32 (classes + 1,), `dumps` int32 (columns,). `left` and
    `right` float32 (columns,) are the scores there."""

    classes: Ints
    offsets: Ints
    dumps: Ints
    left: NDArray[np.float32]
    right: NDArray[np.float32]

    @property
    def place(self) -> Ints:
        """int32 (columns,): of which of `classes` each column is."""
        return np.repeat(np.arange(len(self.classes), dtype=np.int32), np.diff(self.offsets))

    def chosen(self, keep: NDArray[np.bool_]) -> Columns:
        """Some of the columns, bool (columns,); classes that have none left are left out."""
        place = self.place[keep]
        kept, counts = np.unique(place, return_counts=True)
        return Columns(self.classes[kept], _starts(counts), self.dumps[keep], self.left[keep], self.right[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """Anomaly filters in the order of rows: by layer, within it by mini-set, within that ascending.

    `layers` int32 (layers,) ascending; those of `layers[l]` are `filters[offsets[l]:offsets[l + 1]]`, int32 (filters,)
    within their layer; `sets` int32 (filters,) is the mini-set of each, numbered in order of rows.
    """

    layers: Ints
    offsets: Ints
    filters: Ints
    sets: Ints


@dataclass(frozen=True, slots=True, eq=False)
class MiniSets:
    """`layer` int32 (sets,) is a place in `Filters.layers`, `size` int32 (sets,) counts filters, `id` int64 (sets,)."""

    layer: Ints
    size: Ints
    id: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Appearances:
    """Mini-set `set` appears at the dump `dump`, int32 (appearances,) each, sorted by mini-set, then dump."""

    set: Ints
    dump: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Mini-sets and the classes that they hit, sorted by mini-set, then class; all arrays are (pairs,).

    `set` and `cls` int32 (a place in `Columns.classes`), `hits` int32, `p` and `q` float64.
    """

    set: Ints
    cls: Ints
    hits: Ints
    p: Doubles
    q: Doubles

    def chosen(self, keep: NDArray[np.bool_]) -> Pairs:
        """Some of the pairs, bool (pairs,)."""
        return Pairs(self.set[keep], self.cls[keep], self.hits[keep], self.p[keep], self.q[keep])


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there is in the whole run, whatever is left out of what is shown: anomaly iterations (|T|), classes that
    have any, layers with anomaly filters, these filters, mini-sets, and the pairs that were tested."""

    iterations: int
    classes: int
    layers: int
    filters: int
    sets: int
    tests: int


@dataclass(frozen=True, slots=True, eq=False)
class Correlation:
    """What goes with what: some or all of the whole that `extent` tells."""

    columns: Columns
    filters: Filters
    sets: MiniSets
    appearances: Appearances
    pairs: Pairs
    extent: Extent

    @property
    def counts(self) -> Ints:
        """int32 (layers, classes): how many anomaly filters of each layer appear at an anomaly iteration of a class."""
        found = np.zeros((len(self.filters.layers), len(self.columns.classes)), np.int32)
        np.add.at(found, (self.sets.layer[self.pairs.set], self.pairs.cls), self.sets.size[self.pairs.set])
        return found

    @property
    def dumps(self) -> Ints:
        """int32 (iterations,), ascending: the dumps of all columns."""
        return np.unique(self.columns.dumps)


def anomaly_columns(found: Anomalies, rule: Rule = "either") -> Columns:
    """The anomaly iterations of every class under one rule, or under either; ValueError for another rule."""
    if rule not in ("left", "right", "either"):
        raise ValueError(f"rule must be 'left', 'right' or 'either'. Got {rule!r}.")
    reached = {
        "left": found.left,
        "right": found.right,
        "either": np.maximum(found.left, found.right),
    }[rule]
    keep = (reached >= found.threshold - SHARE_TOLERANCE) & (reached > 0)
    classes, counts = np.unique(found.cls[keep], return_counts=True)
    return Columns(classes.astype(np.int32), _starts(counts), found.dump[keep], found.left[keep], found.right[keep])


def correlate(
    columns: Columns, dump: NDArray[np.integer], filter: NDArray[np.integer], layer_offsets: NDArray[np.int64]
) -> Correlation:
    """Divide anomaly filters into mini-sets, and test each against each class.

    `filter` (of the whole network) is an anomaly filter at `dump`, int (n,) each, in no order; what is said of dumps
    that are no anomaly iteration has no influence. `layer_offsets` is int64 (layers,), each layer's first filter.
    """
    dumps = np.unique(columns.dumps)
    counts = np.isin(dump, dumps)
    at, of = np.searchsorted(dumps, dump[counts]), filter[counts]
    known, element = np.unique(of, return_inverse=True)
    layer = np.subtract(np.searchsorted(layer_offsets, known, side="right"), 1)
    number = partition(element, at, layer)
    filters, order = _in_rows(known, layer, number, layer_offsets)
    sets = _described(filters)
    appears = np.zeros((len(sets.size), len(dumps)), bool)
    appears[filters.sets[order[element]], at] = True
    of_set, place = np.nonzero(appears)
    appearances = Appearances(of_set.astype(np.int32), dumps[place])
    pairs = _tested(columns, len(sets.size), appearances, dumps)
    extent = Extent(
        iterations=len(dumps),
        classes=len(columns.classes),
        layers=len(filters.layers),
        filters=len(known),
        sets=len(sets.size),
        tests=len(sets.size) * len(columns.classes),
    )
    return Correlation(columns, filters, sets, appearances, pairs, extent)


def restricted(
    whole: Correlation,
    *,
    dumps: slice | None = None,
    classes: Sequence[int] | None = None,
    layers: Sequence[int] | None = None,
    min_appearances: int = 1,
    only_significant: bool = False,
) -> Correlation:
    """Leave out columns outside `dumps` or of other `classes`, other `layers`, mini-sets that then appear at fewer than
    `min_appearances` dumps, and with `only_significant` all pairs that chance explains, and mini-sets without a pair.

    `pairs.hits` counts what is left, p and q stay. ValueError for min_appearances < 1.
    """
    if min_appearances < 1:
        raise ValueError(f"min_appearances must be >= 1. Got {min_appearances}.")
    before = whole.columns
    keep = np.ones(len(before.dumps), bool)
    if dumps is not None:
        keep &= (before.dumps >= dumps.start) & (before.dumps < dumps.stop)
    if classes is not None:
        keep &= np.isin(before.classes, list(classes))[before.place]
    columns = before.chosen(keep)
    is_shown = np.isin(whole.appearances.dump, columns.dumps)
    appearing = np.bincount(whole.appearances.set[is_shown], minlength=len(whole.sets.size))
    stays = appearing >= min_appearances
    if layers is not None:
        stays &= np.isin(whole.filters.layers, list(layers))[whole.sets.layer]
    pairs = _hits_within(whole.pairs, whole.appearances, before, columns)
    if only_significant:
        pairs = pairs.chosen(pairs.q <= SIGNIFICANT)
        stays &= np.isin(np.arange(len(stays)), pairs.set)
    return _with_sets(replace(whole, columns=columns, pairs=pairs), stays, is_shown)


def recurring(found: Correlation) -> Pairs:
    """Mini-sets that come back within one class (the paper's gong, 8.3): at least twice, significant, in few classes.

    The fewest classes first, then the most hits.
    """
    classes = np.bincount(found.pairs.set, minlength=len(found.sets.size))
    pairs = found.pairs.chosen((found.pairs.hits >= 2) & (found.pairs.q <= SIGNIFICANT))
    order = np.lexsort((pairs.q, -pairs.hits, classes[pairs.set]))
    return Pairs(pairs.set[order], pairs.cls[order], pairs.hits[order], pairs.p[order], pairs.q[order])


def shared(found: Correlation) -> tuple[Ints, Ints]:
    """Mini-sets that go with many classes (the paper's sky, 8.3), the most first: int32 (n,) mini-sets, and how many
    classes each is significant for, two or more."""
    classes = np.bincount(found.pairs.set[found.pairs.q <= SIGNIFICANT], minlength=len(found.sets.size))
    order = np.argsort(-classes, kind="stable")[: np.count_nonzero(classes >= 2)]
    return order.astype(np.int32), classes[order].astype(np.int32)


def _starts(counts: NDArray[np.integer]) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def _in_rows(
    known: NDArray[np.integer], layer: NDArray[np.integer], number: Ints, layer_offsets: NDArray[np.int64]
) -> tuple[Filters, NDArray[np.intp]]:
    """`Filters` from ascending filters, the layer and mini-set of each; and the row of each of them.

    A mini-set is numbered after its first filter, so numbers ascend with the layers.
    """
    row_order = np.argsort(number, kind="stable")
    row = np.empty(len(known), np.intp)
    row[row_order] = np.arange(len(known))
    shown, counts = np.unique(layer, return_counts=True)
    within = (known - layer_offsets[layer])[row_order]
    return Filters(shown.astype(np.int32), _starts(counts), within.astype(np.int32), number[row_order]), row


def _described(filters: Filters) -> MiniSets:
    size = np.bincount(filters.sets)
    starts = _starts(size)
    layer = np.searchsorted(filters.offsets, starts[:-1], side="right") - 1
    ids = [
        set_id(int(filters.layers[layer[number]]), filters.filters[starts[number] : starts[number + 1]])
        for number in range(len(size))
    ]
    return MiniSets(layer.astype(np.int32), size.astype(np.int32), np.array(ids, np.int64))


def _incidence(rows: Ints, columns: NDArray[np.integer], shape: tuple[int, int]) -> csr_array:
    return csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)


def _hits(columns: Columns, sets: int, appearances: Appearances, dumps: Ints) -> tuple[Ints, Ints, Ints]:
    """Mini-set, class and number of hits of all pairs that have any, sorted by mini-set, then class."""
    by_dump = _incidence(appearances.set, np.searchsorted(dumps, appearances.dump), (sets, len(dumps)))
    of_class = _incidence(columns.place, np.searchsorted(dumps, columns.dumps), (len(columns.classes), len(dumps)))
    product = csr_array(by_dump @ of_class.T)
    product.sort_indices()
    rows = np.repeat(np.arange(sets), np.diff(product.indptr))
    return rows.astype(np.int32), product.indices.astype(np.int32), product.data.astype(np.int32)


def _tested(columns: Columns, sets: int, appearances: Appearances, dumps: Ints) -> Pairs:
    row, cls, hits = _hits(columns, sets, appearances, dumps)
    appearing = np.bincount(appearances.set, minlength=sets).astype(np.int32)
    jumping = np.diff(columns.offsets)
    (marked, drawn, at_least), back = _distinct(appearing[row], jumping[cls], hits)
    p = hypergeometric_tail(len(dumps), marked, drawn, at_least)
    q = false_discovery_rates(p, sets * len(columns.classes), np.bincount(back, minlength=len(p)))
    return Pairs(row, cls, hits, p[back], q[back])


def _distinct(*numbers: Ints) -> tuple[list[Ints], NDArray[np.intp]]:
    """The tuples that occur in some arrays of numbers >= 0, as arrays, and which of them each place has.

    Numbers are few, places many: those that occur are marked, where sorting would take longer than all the rest.
    """
    key = np.zeros(len(numbers[0]), np.int64)
    occurring = [np.flatnonzero(np.bincount(of)) for of in numbers]
    for of, values in zip(numbers, occurring, strict=True):
        place = np.zeros(of.max(initial=-1) + 1, np.int64)
        place[values] = np.arange(len(values))
        key = key * len(values) + place[of]
    tuples, back = _occurring(key, math.prod(map(len, occurring)))
    places = np.unravel_index(tuples, [len(values) for values in occurring])
    return [values[at].astype(np.int32) for values, at in zip(occurring, places, strict=True)], back


def _occurring(keys: NDArray[np.int64], below: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The keys that occur, ascending, and the place of each among them."""
    if below > MOST_MARKS:
        return np.unique(keys, return_inverse=True)
    occurs = np.zeros(below, bool)
    occurs[keys] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[keys]


def _hits_within(pairs: Pairs, appearances: Appearances, before: Columns, after: Columns) -> Pairs:
    """The same pairs with the hits in the columns that are left, and their classes' new places; none without a hit."""
    sets = int(pairs.set.max(initial=-1)) + 1
    dumps = np.unique(before.dumps)
    row, cls, hits = _hits(after, sets, appearances, dumps)
    place = np.searchsorted(before.classes, after.classes)
    classes = len(before.classes)
    same = np.searchsorted(
        pairs.set.astype(np.int64) * classes + pairs.cls, row.astype(np.int64) * classes + place[cls]
    )
    return Pairs(row, cls, hits, pairs.p[same], pairs.q[same])


def _with_sets(whole: Correlation, stays: NDArray[np.bool_], is_shown: NDArray[np.bool_]) -> Correlation:
    """Leave out mini-sets and their filters, layers that have none left, and appearances that are not shown."""
    number = np.cumsum(stays) - 1
    rows = stays[whole.filters.sets]
    counts = np.add.reduceat(np.append(rows, False), whole.filters.offsets[:-1]) if len(rows) else np.zeros(0, int)
    layers = counts > 0
    position = np.cumsum(layers) - 1
    kept = is_shown & stays[whole.appearances.set]
    pairs = whole.pairs.chosen(stays[whole.pairs.set])
    filters = whole.filters
    return replace(
        whole,
        filters=Filters(
            filters.layers[layers],
            _starts(counts[layers]),
            filters.filters[rows],
            _renumbered(filters.sets[rows], number),
        ),
        sets=MiniSets(position[whole.sets.layer[stays]].astype(np.int32), whole.sets.size[stays], whole.sets.id[stays]),
        appearances=Appearances(_renumbered(whole.appearances.set[kept], number), whole.appearances.dump[kept]),
        pairs=replace(pairs, set=_renumbered(pairs.set, number)),
    )


def _renumbered(sets: Ints, number: NDArray[np.intp]) -> Ints:
    return number[sets].astype(np.int32)
