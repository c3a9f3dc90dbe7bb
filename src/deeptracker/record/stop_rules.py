"""When does a finding stop a training, and how does the training hear of it?

1. A rule is "nan" (weights, gradients, outputs or the loss are NaN or infinite), a kind of finding ("class-collapse"),
   a severity ("high": those that are as severe), or a callable `Finding -> bool`. Of several, one is enough.
2. `TrainingStopped` is raised in the training's own thread. It is no error: who has `with Recorder(...)` goes on after
   the block, as after `break`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deeptracker.analysis.findings import KINDS, SEVERITIES, Finding

NOT_A_NUMBER = "nan"
NOT_FINITE = "not-finite"

Rule = Callable[[Finding], Any]


class TrainingStopped(Exception):  # noqa: N818  (nothing is wrong with the recorder)
    """A rule of `stop_on` holds; `finding` is what it holds for."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


def as_rules(given: Any) -> tuple[Rule, ...]:
    """What `stop_on` names, as rules; TypeError or ValueError for anything else."""
    several = given if isinstance(given, (list, tuple, set, frozenset)) else () if given is None else (given,)
    return tuple(_rule(one) for one in several)


def _rule(given: Any) -> Rule:
    if callable(given):
        return given  # type: ignore[no-any-return]
    if not isinstance(given, str):
        raise TypeError(
            f"stop_on must be text, a callable that takes a finding, or a list of these. Got a {type(given).__name__}."
        )
    if given in SEVERITIES:
        least = SEVERITIES.index(given)
        return lambda finding: SEVERITIES.index(finding.severity) <= least
    kind = NOT_FINITE if given == NOT_A_NUMBER else given
    if kind not in KINDS:
        raise ValueError(
            f"stop_on must be {NOT_A_NUMBER!r}, a severity ({', '.join(SEVERITIES)}), a kind of finding or a callable. "
            f"Got {given!r}. Kinds are {', '.join(KINDS)}."
        )
    return lambda finding: finding.kind == kind
