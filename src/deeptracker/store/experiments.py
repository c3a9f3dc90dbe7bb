"""What was found when filters of a model were inactivated, and how is that kept with a run?

1. An experiment is one document, `experiments/<id>.json`, written once, complete or absent. The id begins with the
   second in which it was made, so names ascend in time.
2. It says which filters, of which weights, on how many samples; the error before and after, with an interval; what as
   many random groups of the same sizes in the same layers did to the error; and which classes changed
   (docs/format.md). Errors and changes are shares: 0.01 is one sample of a hundred.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any, Literal, Self, get_args

from deeptracker.documents import FORMAT_VERSION, Naming, parse_document
from deeptracker.store.blobs import Blobs

FOLDER = "experiments/"
KIND = "deeptracker-experiment"
Origin = Literal["filters", "mini-set", "dead"]
"""How the filters were chosen: named one by one, as a mini-set of the Correlation view, or because they are dead."""

Expected = Literal["more", "less"]

_PATH = re.compile(rf"{FOLDER}\d{{8}}-\d{{6}}-[0-9a-f]{{6}}\.json")
_MINI_SET = re.compile("[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class FilterGroup:
    """Some filters of a layer, by its name; numbers within the layer, ascending."""

    layer: str
    filters: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.filters or list(self.filters) != sorted(set(self.filters)) or self.filters[0] < 0:
            raise ValueError(f"filters of {self.layer!r} must be numbers >= 0, ascending. Got {self.filters}.")


@dataclass(frozen=True, slots=True)
class ClassChange:
    """The error of one class, a share of its `samples`, `before` and `after`; `low` to `high` is the interval of
    `change`, which is after - before."""

    cls: int
    samples: int
    before: float
    after: float
    change: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What a mini-set was found with: a window (dumps) and threshold (a share), a rule, and which filters are anomaly
    filters: the `top` by `measure`, or all `above` a value."""

    window: int
    threshold: float
    rule: str
    top: int
    measure: str
    above: float | None


@dataclass(frozen=True, slots=True)
class Experiment:
    """What inactivating some filters did.

    `iteration` is that of the weights, None where it is not known, `weights` the file. Of the `samples` that were
    evaluated `spoiled` were right before only, `mended` after only, and `moved` were taken for another class than
    before, right or wrong. `low` to `high` is the interval of `change` at `level`; `p_change` the probability of such
    a change if spoiling and mending were equally likely (exact McNemar test). `random` are the changes of the error
    that random groups made; `p` is the share of groups, the chosen one among them, that changed the error at least as
    much (`expected` "more") or at most as much ("less") as the chosen one; None without random groups. `classes` are
    those in which any sample was spoiled or mended, the largest change first. `notes` are sentences for people.
    """

    id: str
    created: str
    command: str
    origin: Origin
    mini_set: str | None
    setting: Setting | None
    iteration: int | None
    weights: str
    filters: tuple[FilterGroup, ...]
    samples: int
    error_before: float
    error_after: float
    change: float
    low: float
    high: float
    level: float
    spoiled: int
    mended: int
    moved: int
    p_change: float
    expected: Expected
    random: tuple[float, ...]
    p: float | None
    seed: int
    classes: tuple[ClassChange, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.origin not in get_args(Origin) or self.expected not in get_args(Expected):
            raise ValueError(
                f"origin must be one of {', '.join(get_args(Origin))}, expected one of "
                f"{', '.join(get_args(Expected))}. Got {self.origin!r} and {self.expected!r}."
            )
        if (self.origin == "mini-set") != (self.mini_set is not None):
            raise ValueError(
                f"a mini-set must be named where that is the origin. Got {self.origin!r}, {self.mini_set!r}."
            )
        if self.mini_set is not None and not _MINI_SET.fullmatch(self.mini_set):
            raise ValueError(f"mini_set must be 12 hexadecimal digits. Got {self.mini_set!r}.")
        if not self.filters or self.samples < 1:
            raise ValueError(f"filters and samples must be one or more. Got {len(self.filters)} and {self.samples}.")
        if (self.p is None) != (not self.random):
            raise ValueError(f"p must be there where there are random groups. Got {self.p} and {len(self.random)}.")

    def to_json(self) -> bytes:
        """UTF-8 JSON with the format version."""
        document = {"format": KIND, "format_version": FORMAT_VERSION, **self.as_dict()}
        return json.dumps(document, indent=1, allow_nan=False).encode()

    def as_dict(self) -> dict[str, Any]:
        """Its fields as JSON has them; `cls` is called `class` there."""
        document = asdict(self)
        document["classes"] = [
            {("class" if key == "cls" else key): one[key] for key in one} for one in document["classes"]
        ]
        return document

    @classmethod
    def from_json(cls, data: bytes, *, place: str) -> Self:
        """Read it back. `place` names the file in errors (`LogFileError`, `FormatVersionError`)."""
        document = parse_document(data, KIND, place=place)
        with Naming(place):
            setting = document.pop("setting")
            return cls(
                setting=None if setting is None else Setting(**setting),
                filters=tuple(FilterGroup(one["layer"], tuple(one["filters"])) for one in document.pop("filters")),
                random=tuple(document.pop("random")),
                classes=tuple(_class(one) for one in document.pop("classes")),
                notes=tuple(document.pop("notes")),
                **document,
            )


def new_id(now: datetime) -> str:
    """A name that no other experiment has: the second (UTC), and six digits by chance."""
    return f"{now:%Y%m%d-%H%M%S}-{token_hex(3)}"


def write_experiment(blobs: Blobs, experiment: Experiment) -> str:
    """Keep it with the run; its path."""
    path = f"{FOLDER}{experiment.id}.json"
    blobs.put(path, experiment.to_json())
    return path


def experiment_paths(blobs: Blobs) -> list[str]:
    """Where the experiments of a run lie, the oldest first; other files there are passed over."""
    return [blob.path for blob in blobs.list(FOLDER) if is_experiment(blob.path)]


def is_experiment(path: str) -> bool:
    """Is this the name of a file of an experiment?"""
    return _PATH.fullmatch(path) is not None


def in_words(groups: Iterable[FilterGroup]) -> str:
    """As `--filters` takes them, with ranges.

    >>> in_words([FilterGroup("conv1", (1, 2, 3, 17)), FilterGroup("fc", (0,))])
    'conv1:1-3,17 fc:0'
    """
    return " ".join(f"{group.layer}:{','.join(_ranges(group.filters))}" for group in groups)


def _ranges(numbers: tuple[int, ...]) -> list[str]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [str(first) if first == last else f"{first}-{last}" for first, last in runs]


def _class(document: dict[str, Any]) -> ClassChange:
    return ClassChange(cls=document["class"], **{key: value for key, value in document.items() if key != "class"})
