"""How did the network as a whole fare, so that one class or one sample can be judged by it?

1. It has learned from the first dump on at which its accuracy is half of the way from guessing to its best. What comes
   before is wild in every training.
2. Good dumps are those at which it knows at least `GOOD` of what it knows at its best. What a sample is taken for is
   counted there.
3. Late dumps are the last fifth, three at least: how things stand now, without the noise of one dump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_DUMPS = 6
"""Of a shorter record nothing is said."""

GOOD = 0.8
LEAST_LEARNED = 0.1
"""A network whose accuracy is not better than guessing by this has learned nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The dumps that have predictions: `iterations` int64 and `error` float32, both (dumps,); how many classes."""

    iterations: NDArray[np.int64]
    error: NDArray[np.float32]
    classes: int

    def __post_init__(self) -> None:
        if self.iterations.shape != self.error.shape or self.error.ndim != 1:
            raise ValueError(
                f"iterations and error must both be (dumps,). Got {self.iterations.shape} and {self.error.shape}."
            )

    @property
    def dumps(self) -> int:
        """How many there are."""
        return len(self.error)

    @property
    def best(self) -> float:
        """The accuracy that it reached, but for a few lucky dumps."""
        return float(np.quantile(1 - self.error, 0.95)) if self.dumps else 0.0

    @property
    def learned(self) -> int | None:
        """The dump from which on it has learned; None if that never was, or the record is too short to say.

        >>> Course(np.arange(7), np.array([0.9, 0.8, 0.4, 0.2, 0.1, 0.1, 0.1], np.float32), 10).learned
        2
        """
        guessing = 1 / max(self.classes, 1)
        if self.dumps < LEAST_DUMPS or self.best - guessing < LEAST_LEARNED:
            return None
        return int(np.argmax(1 - self.error >= (guessing + self.best) / 2))

    @property
    def good(self) -> NDArray[np.bool_]:
        """bool (dumps,)."""
        return np.asarray(1 - self.error >= GOOD * self.best)

    @property
    def is_well(self) -> bool:
        """Does it still know at late dumps what it knew at its best?"""
        return bool(self.dumps) and float(np.mean(1 - self.error[self.late])) >= GOOD * self.best

    @property
    def late(self) -> slice:
        """The last dumps."""
        return slice(max(0, self.dumps - max(3, self.dumps // 5)), self.dumps)


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names as a person lists them.

    >>> listed(["a", "b", "c", "d"]), listed(["a", "b", "c", "d"], 2)
    ('a, b, c and d', 'a, b and 2 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def percent(share: float) -> str:
    """A share as whole percent.

    >>> percent(0.254)
    '25 %'
    """
    return f"{100 * share:.0f} %"
