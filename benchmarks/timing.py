"""How is an answer timed and held against another, and how is it printed? For the benchmarks of the analysis."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

import numpy as np
from rich.table import Table

OUR_REPEATS, THEIR_REPEATS = 5, 3

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: seconds of ours and of the other, and what the comparison of results said."""

    answer: str
    ours: float
    other: float | None
    agreement: str


def timed(answer: Callable[[], Result], repeats: int) -> tuple[float, Result]:
    """Median of the seconds, and the result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = answer()
        seconds.append(time.perf_counter() - start)
    return median(seconds), result


def same(*pairs: tuple[Any, Any]) -> str:
    """ "equal", or stop: a benchmark of a wrong answer is worth nothing."""
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)
    return "equal"


def close(ours: Any, theirs: Any) -> str:
    """Like `same`, for results that add up the same numbers in another order."""
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    return "equal to 5 digits"


def empty_table(title: str) -> Table:
    """The heads of the columns."""
    table = Table(title=title, title_style="")
    table.add_column("answer")
    for column in ("ours", "plain numpy", "ratio"):
        table.add_column(column, justify="right")
    table.add_column("results")
    return table


def add(table: Table, row: Row) -> None:
    """One line, in milliseconds."""
    other = "" if row.other is None else f"{1000 * row.other:,.1f} ms"
    ratio = "" if row.other is None else f"{row.other / row.ours:,.1f} x"
    table.add_row(row.answer, f"{1000 * row.ours:,.1f} ms", other, ratio, row.agreement)
