"""What is a finding? A plain rule that holds somewhere in a run, with its evidence and its place.

1. Each has a kind (kinds.py), which says what such a finding usually means and what to try; a sentence that says what
   was seen where; the numbers that led there; and its place, so that a view can be opened that shows it.
2. Its key names kind, layer and classes, not how many filters or until when: a finding that grows with a live run stays
   the same one, and is told once. Of some kinds there is one in a run, and of many classes only that they are many.
3. Precision matters more than number: a rule that is not sure says nothing. `high` is for what spoils a training or
   its judgement now, `medium` for what costs something, `low` for what is worth knowing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from deeptracker.analysis.findings.kinds import KINDS, Kind

Severity = Literal["high", "medium", "low"]
MOST_IN_KEY = 3
"""Of more classes than this a key says only that they are many."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is: a layer (its index; None: no single one) and filters of it, classes, samples (indexes in class
    order), and iterations of training `first` to `last`, inclusive. Empty where it concerns none, or all.

    Of two classes that are confused the first is the true one of most samples.
    """

    layer: int | None = None
    filters: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if self.filters and self.layer is None:
            raise ValueError(f"filters must be those of a layer. Got {len(self.filters)} filters of none.")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"first must be <= last. Got {self.first} and {self.last}.")


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` is a sentence for people with names in it, `evidence` the numbers, and what they are compared with."""

    kind: str
    severity: Severity
    text: str
    evidence: str
    place: Place = Place()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}. Got {self.kind!r}.")
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {', '.join(SEVERITIES)}. Got {self.severity!r}.")
        if not self.text or not self.evidence:
            raise ValueError("text and evidence must be sentences for people. Got none.")

    @property
    def about(self) -> Kind:
        """What such a finding usually means, and what to try."""
        return KINDS[self.kind]

    @property
    def key(self) -> str:
        """The same for the same finding later in the run.

        >>> Finding("dead-filters", "high", "2 filters are dead.", "...", Place(layer=3, filters=(1, 2))).key
        'dead-filters.l3'
        """
        if self.about.once:
            return self.kind
        parts = [self.kind]
        if self.place.layer is not None:
            parts.append(f"l{self.place.layer}")
        classes = sorted(self.place.classes)
        parts += [f"c{cls}" for cls in classes] if len(classes) <= MOST_IN_KEY else ["many"]
        return ".".join(parts)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The severest first, then the kinds in their order, then by layer and iteration.

    Of several with one key the severest stays.
    """
    kinds = {kind: place for place, kind in enumerate(KINDS)}

    def rank(one: Finding) -> tuple[int, int, int, int]:
        place = one.place
        return SEVERITIES.index(one.severity), kinds[one.kind], place.layer or 0, place.first or 0

    by_key: dict[str, Finding] = {}
    for one in sorted(findings, key=rank):
        by_key.setdefault(one.key, one)
    return tuple(by_key.values())
