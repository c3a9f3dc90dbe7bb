"""Rows kept for dumps are always those that would be made anew, and only rows of new dumps are made."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.store.listing import DumpFiles
from deeptracker.store.rows import DumpRows


@dataclass
class Shown:
    """A log, as far as rows need one."""

    dumps: tuple[DumpFiles, ...] = ()


def dump(iteration: int, branch: int = 0, **more: tuple[str, ...]) -> DumpFiles:
    return DumpFiles(iteration, branch, {"filters": (f"{iteration}.{branch}",), **more})


def rows_of(dumps: tuple[DumpFiles, ...]) -> npt.NDArray[np.int64]:
    """What the rows of these dumps have to be."""
    return np.array([[one.iteration, one.branch, -1] for one in dumps], np.int64).reshape(-1, 3)


class Asked:
    """Rows under one key, and from which dump on they were made."""

    def __init__(self, log: Shown, rows: DumpRows, key: str = "key") -> None:
        self.log, self.rows, self.key = log, rows, key
        self.made: list[int] = []

    def __call__(self) -> npt.NDArray[np.int64]:
        def make(first: int) -> npt.NDArray[np.int64]:
            self.made.append(first)
            return rows_of(self.log.dumps[first:])

        return self.rows.get(self.key, make)


changes = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), max_size=12)


@given(changes)
def test_following_a_run_and_its_branches_gives_what_making_all_anew_gives(steps: list[tuple[int, int]]) -> None:
    log = Shown()
    ask = Asked(log, DumpRows(log, 1 << 20))  # type: ignore[arg-type]
    handed_out: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for branch, (kept, more) in enumerate(steps):
        before = log.dumps
        kept = min(kept, len(before))
        log.dumps = before[:kept] + tuple(dump(kept + i, branch) for i in range(more))
        found = ask()
        np.testing.assert_array_equal(found, rows_of(log.dumps))
        assert not found.flags.writeable
        handed_out.append((found, found.copy()))
    for found, as_it_was in handed_out:
        np.testing.assert_array_equal(found, as_it_was)


def test_only_rows_of_dumps_that_were_not_shown_before_are_made() -> None:
    log = Shown(tuple(dump(i) for i in range(5)))
    ask = Asked(log, DumpRows(log, 1 << 20))  # type: ignore[arg-type]
    ask()
    ask()
    log.dumps = (*log.dumps, dump(5), dump(6))
    ask()
    log.dumps = (*log.dumps[:3], dump(3, 1))
    ask()
    log.dumps = log.dumps[:2]
    ask()
    assert ask.made == [0, 5, 3]


def test_predictions_that_come_late_change_nothing_and_other_files_do() -> None:
    log = Shown(tuple(dump(i) for i in range(3)))
    ask = Asked(log, DumpRows(log, 1 << 20))  # type: ignore[arg-type]
    ask()
    late = replace(log.dumps[1], paths={**log.dumps[1].paths, "predictions": ("p",)})
    log.dumps = (log.dumps[0], late, log.dumps[2])
    ask()
    assert ask.made == [0]
    log.dumps = (log.dumps[0], dump(1, layers=("l",)), log.dumps[2])
    ask()
    assert ask.made == [0, 1]


def test_what_was_asked_for_longest_ago_is_dropped_first_and_the_last_never() -> None:
    log = Shown(tuple(dump(i) for i in range(4)))
    one = rows_of(log.dumps).nbytes
    rows = DumpRows(log, 2 * one)  # type: ignore[arg-type]
    first, second, third = (Asked(log, rows, key) for key in "abc")
    first(), second(), first(), third(), first(), second()
    assert (first.made, second.made, third.made) == ([0], [0, 0], [0])
    assert rows.size_bytes == 2 * one
    small = DumpRows(log, 1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(Asked(log, small)(), rows_of(log.dumps))
    assert small.size_bytes == one


def test_what_was_asked_for_longest_ago_is_dropped_first_and_made_again() -> None:
    log = Shown(tuple(dump(iteration) for iteration in range(3)))
    rows = DumpRows(log, 1 << 20)  # type: ignore[arg-type]
    first, second = Asked(log, rows, "first"), Asked(log, rows, "second")
    each = first().nbytes
    second()
    rows.shrink(2 * each)
    assert rows.size_bytes == 2 * each
    first()
    rows.shrink(2 * each - 1)
    assert (rows.size_bytes, rows.holds("first"), rows.holds("second")) == (each, True, False)
    rows.shrink(0)
    assert rows.size_bytes == 0
    np.testing.assert_array_equal(first(), rows_of(log.dumps))
    assert (first.made, second.made) == ([0, 0], [0])
