"""At which iterations is a dump due?

1. A number n: every iteration that n divides. `"7/epoch"`: seven times an epoch, evenly, the last at its end.
2. Iterations themselves (a list, a range, a set), or a rule: a callable `iteration -> bool`, or an object with
   `is_due(iteration)`.
3. The first iteration of a run, with the initial weights, is always a dump; no schedule is asked.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Any, Protocol

MOST_CHOSEN_ITERATIONS = 10_000_000
_PER_EPOCH = re.compile(r"\s*(\d+)\s*/\s*epoch\s*")
_REMEDY = 'Give a number, "7/epoch", iterations, or a rule `iteration -> bool`.'


class Schedule(Protocol):
    """Tells whether a dump is due; its text is what people read."""

    def is_due(self, iteration: int) -> bool:
        """Is a dump due after this optimizer step?"""

    def next_after(self, iteration: int) -> int | None:
        """The next due iteration, or None where that is not known."""


class Every:
    """Every `number` iterations.

    >>> [i for i in range(1, 10) if Every(3).is_due(i)]
    [3, 6, 9]
    """

    def __init__(self, number: int) -> None:
        if number < 1:
            raise ValueError(f"every must be >= 1. Got {number}.")
        self._number = number

    def __str__(self) -> str:
        return "every iteration" if self._number == 1 else f"every {self._number} iterations"

    def is_due(self, iteration: int) -> bool:
        return iteration % self._number == 0

    def next_after(self, iteration: int) -> int | None:
        return (iteration // self._number + 1) * self._number


class PerEpoch:
    """`times` an epoch of `steps` iterations, spread evenly.

    >>> [i for i in range(1, 21) if PerEpoch(3, 10).is_due(i)]
    [4, 7, 10, 14, 17, 20]
    """

    def __init__(self, times: int, steps: int) -> None:
        if times < 1 or steps < 1:
            raise ValueError(
                f"a schedule must have at least one dump an epoch of at least one step. Got {times} in {steps}."
            )
        self._times, self._steps = min(times, steps), steps

    def __str__(self) -> str:
        return f"{self._times} times an epoch of {self._steps} iterations"

    def is_due(self, iteration: int) -> bool:
        return iteration * self._times // self._steps > (iteration - 1) * self._times // self._steps

    def next_after(self, iteration: int) -> int | None:
        return next(i for i in range(iteration + 1, iteration + self._steps + 1) if self.is_due(i))


class Chosen:
    """The iterations given, and no others. `range`s are not written out: they may be endless for practical purposes."""

    def __init__(self, iterations: Collection[int]) -> None:
        ordered = iterations if isinstance(iterations, range) else sorted(iterations)
        self._iterations = ordered if isinstance(ordered, range) else dict.fromkeys(ordered)

    def __str__(self) -> str:
        return f"at {len(self._iterations)} chosen iterations"

    def is_due(self, iteration: int) -> bool:
        return iteration in self._iterations

    def next_after(self, iteration: int) -> int | None:
        return next((i for i in self._iterations if i > iteration), None)


class Rule:
    """Wherever a function of the user's says so."""

    def __init__(self, rule: Callable[[int], bool], name: str) -> None:
        self._rule, self._name = rule, name

    def __str__(self) -> str:
        return f"by the rule {self._name}"

    def is_due(self, iteration: int) -> bool:
        return bool(self._rule(iteration))

    def next_after(self, iteration: int) -> int | None:
        return None


class WhenLogged:
    """Whenever the user hands one in: nothing is known beforehand."""

    def __str__(self) -> str:
        return "whenever one is logged"

    def is_due(self, iteration: int) -> bool:
        return True

    def next_after(self, iteration: int) -> int | None:
        return None


def as_schedule(every: Any, *, steps_per_epoch: int | None = None) -> Schedule:
    """The schedule that the argument `every` means; ValueError or TypeError if it means none."""
    if isinstance(every, str):
        return _per_epoch(every, steps_per_epoch)
    if hasattr(every, "is_due"):
        return Rule(every.is_due, type(every).__name__)
    if callable(every):
        return Rule(every, getattr(every, "__name__", type(every).__name__))
    if isinstance(every, Iterable):
        return _chosen(every)
    try:
        if isinstance(every, bool):
            raise TypeError
        return Every(operator.index(every))
    except TypeError:
        raise TypeError(f"every must say when a dump is due. Got {every!r}. {_REMEDY}") from None


def _per_epoch(text: str, steps_per_epoch: int | None) -> PerEpoch:
    match = _PER_EPOCH.fullmatch(text)
    if match is None:
        raise ValueError(f'every must be of the form "7/epoch" where it is text. Got {text!r}. {_REMEDY}')
    if steps_per_epoch is None:
        raise ValueError(
            f"every={text!r} must be told how long an epoch is. Got no steps_per_epoch. "
            "Give it, for instance steps_per_epoch=len(train_loader)."
        )
    return PerEpoch(int(match[1]), operator.index(steps_per_epoch))


def _chosen(every: Iterable[Any]) -> Chosen:
    if isinstance(every, range):
        return Chosen(every)
    chosen = frozenset(operator.index(i) for i in islice(every, MOST_CHOSEN_ITERATIONS + 1))
    if not chosen or len(chosen) > MOST_CHOSEN_ITERATIONS:
        amount = "none" if not chosen else "more"
        raise ValueError(f"every must name between 1 and {MOST_CHOSEN_ITERATIONS} iterations. Got {amount}. {_REMEDY}")
    return Chosen(chosen)
