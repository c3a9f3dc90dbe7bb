from __future__ import annotations

import numpy as np
import pytest

from deeptracker.analysis.findings.course import Course
from tests.analysis.findings.predicted import iterations


def course(*error: float, classes: int = 10) -> Course:
    return Course(iterations(len(error)), np.array(error, np.float32), classes)


def test_nothing_is_learned_where_all_is_guessed_or_the_record_is_short() -> None:
    assert course(*[0.9] * 20).learned is None
    assert course(0.9, 0.1, 0.1).learned is None


def test_a_training_that_falls_apart_at_last_is_not_well() -> None:
    fine = [0.9, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert course(*fine).is_well
    assert not course(*fine, 0.9, 0.9, 0.9).is_well


def test_good_dumps_leave_out_the_beginning_and_every_breakdown() -> None:
    assert course(0.9, 0.6, 0.1, 0.1, 0.9, 0.1, 0.1).good.tolist() == [False, False, True, True, False, True, True]


def test_there_is_an_error_for_every_iteration() -> None:
    with pytest.raises(ValueError, match="must both be"):
        Course(iterations(3), np.zeros(4, np.float32), 10)
