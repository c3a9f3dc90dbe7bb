"""Is a dump due when the argument `every` says so?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deeptracker.record.schedule import as_schedule


class Powers:
    def is_due(self, iteration: int) -> bool:
        return iteration & (iteration - 1) == 0


def due(every: Any, until: int = 20, **kwargs: Any) -> list[int]:
    schedule = as_schedule(every, **kwargs)
    found = [i for i in range(1, until + 1) if schedule.is_due(i)]
    known = schedule.next_after(0)
    assert known is None or known == found[0]
    return found


def test_a_number_makes_every_iteration_that_it_divides_due() -> None:
    assert due(6) == due(np.int64(6)) == [6, 12, 18]
    assert str(as_schedule(6)) == "every 6 iterations"


def test_iterations_a_rule_and_a_function_are_schedules() -> None:
    assert due([3, 5]) == due({5, 3}) == due(iter([3, 5])) == [3, 5]
    assert due(range(4, 10**12, 7)) == [4, 11, 18]
    assert due(Powers()) == [1, 2, 4, 8, 16]
    assert due(lambda i: i == 7) == [7]


def test_dumps_per_epoch_are_spread_evenly_and_the_last_is_at_its_end() -> None:
    assert due("4/epoch", steps_per_epoch=10) == [3, 5, 8, 10, 13, 15, 18, 20]
    assert due("1 / epoch", steps_per_epoch=10) == [10, 20]
    assert due("99/epoch", until=4, steps_per_epoch=3) == [1, 2, 3, 4]


@pytest.mark.parametrize("every", [0, -1, "7", "often", "0/epoch", [], "7/epoch"])
def test_an_impossible_schedule_is_refused(every: Any) -> None:
    with pytest.raises(ValueError, match=r"must|steps_per_epoch"):
        as_schedule(every, steps_per_epoch=None if every == "7/epoch" else 5)


@pytest.mark.parametrize("every", [None, 1.5, True, [1.5]])
def test_something_that_is_no_schedule_is_refused(every: Any) -> None:
    with pytest.raises(TypeError):
        as_schedule(every)
