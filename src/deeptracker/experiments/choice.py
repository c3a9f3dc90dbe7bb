"""Which filters does an experiment take away, and with which others is it compared?

1. Filters are named (`conv1:3,17-20`), are a mini-set of the Correlation view, found again with the same setting, or
   are the dead ones: those of the findings `dead-filters`.
2. Random groups have as many filters in each of the same layers, none of those chosen, and differ from each other.
   Where a layer has not as many others, there is nothing to compare with; where few groups are possible, all of them
   are taken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, islice, product

import numpy as np

from deeptracker.analysis.correlation import Rule
from deeptracker.errors import UnknownNameError
from deeptracker.experiments.errors import ExperimentError
from deeptracker.run import Run
from deeptracker.run.correlation import Movers
from deeptracker.store.experiments import FilterGroup, Setting

Groups = tuple[FilterGroup, ...]

DEAD = "dead-filters"
"""The kind of finding that names filters which may go."""


def named_filters(texts: Iterable[str], sizes: Mapping[str, int]) -> Groups:
    """Filters as a command line names them; `sizes` says how many each layer has.

    ExperimentError for what is no list of numbers, UnknownNameError for a layer or filter that there is not.

    >>> named_filters(["conv1:3,17-19", "conv1:4"], {"conv1": 20})
    (FilterGroup(layer='conv1', filters=(3, 4, 17, 18, 19)),)
    """
    found: dict[str, set[int]] = {}
    for text in texts:
        layer, colon, numbers = text.rpartition(":")
        if not colon or not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", numbers):
            raise ExperimentError(f"--filters must be LAYER:NUMBERS, as conv1:3,17-20. Got {text!r}.")
        if layer not in sizes:
            raise UnknownNameError(f"no layer {layer!r} in this model. Layers: {', '.join(list(sizes)[:12])}.")
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            end = int(last or first)
            if end >= sizes[layer]:
                raise UnknownNameError(f"no filter {end} in layer {layer!r}. It has {sizes[layer]}, numbered from 0.")
            found.setdefault(layer, set()).update(range(int(first), end + 1))
        if layer not in found or not found[layer]:
            raise ExperimentError(f"--filters must name filters, the lower number of a range first. Got {text!r}.")
    return _groups(found)


def mini_set_filters(run: Run, mini_set: str, setting: Setting) -> Groups:
    """The filters of a mini-set of the Correlation view; UnknownNameError where there is none with this setting."""
    if not re.fullmatch("[0-9a-f]{12}", mini_set):
        raise ExperimentError(f"--mini-set must be the 12 digits of an id, as the page shows it. Got {mini_set!r}.")
    rules: dict[str, Rule] = {"left": "left", "right": "right", "either": "either"}
    if setting.rule not in rules:
        raise ExperimentError(f"--rule must be one of {', '.join(rules)}. Got {setting.rule!r}.")
    movers = Movers(setting.top, setting.measure, setting.above)
    found = run.correlation(setting.window, setting.threshold, rule=rules[setting.rule], movers=movers)
    places = np.flatnonzero(found.sets.id == int(mini_set, 16))
    if not len(places):
        asked = f"--window {setting.window} --threshold {setting.threshold:g} --rule {setting.rule} --top {setting.top}"
        raise UnknownNameError(
            f"no mini-set {mini_set} in this run with {asked}: there are {len(found.sets.id)}. Give the setting that "
            "the page had, and the run as it was then: as a run grows, filters join other mini-sets."
        )
    place = int(places[0])
    layer = run.network().layers[int(found.filters.layers[found.sets.layer[place]])]
    return _groups({layer.name: found.filters.filters[found.filters.sets == place].tolist()})


def dead_filters(run: Run) -> Groups:
    """Dead filters by layer, from what is found in the run, in the order of the network; none where there are none."""
    dead = {one.place.layer: one.place.filters for one in run.findings() if one.kind == DEAD}
    return _groups({layer.name: dead.get(place, ()) for place, layer in enumerate(run.network().layers)})


def random_groups(chosen: Groups, sizes: Mapping[str, int], count: int, seed: int) -> tuple[Groups, ...]:
    """At most `count` groups of as many other filters of the same layers, all different; () where there are none."""
    others = [sorted(set(range(sizes[group.layer])) - set(group.filters)) for group in chosen]
    wanted = [len(group.filters) for group in chosen]
    possible = math.prod(math.comb(len(have), want) for have, want in zip(others, wanted, strict=True))
    if possible <= count:
        each = (combinations(have, want) for have, want in zip(others, wanted, strict=True))
        return tuple(_named(chosen, filters) for filters in islice(product(*each), possible))
    chance = np.random.default_rng(seed)
    found: dict[Groups, None] = {}
    while len(found) < count:
        drawn = [chance.choice(have, want, replace=False) for have, want in zip(others, wanted, strict=True)]
        found[_named(chosen, [sorted(map(int, filters)) for filters in drawn])] = None
    return tuple(found)


def _named(chosen: Groups, filters: Sequence[Sequence[int]]) -> Groups:
    return tuple(FilterGroup(group.layer, tuple(own)) for group, own in zip(chosen, filters, strict=True))


def _groups(found: Mapping[str, Iterable[int]]) -> Groups:
    return tuple(FilterGroup(layer, tuple(sorted(set(filters)))) for layer, filters in found.items() if filters)
