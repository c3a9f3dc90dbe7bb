"""analysis/partition.py against Algorithm 1 of the paper, written out word for word."""

import itertools
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeptracker.analysis.partition import mini_sets, partition, set_id

FAMILIES = st.lists(st.sets(st.integers(0, 15), max_size=10), max_size=8)


def algorithm_1(target_sets: Iterable[AbstractSet[int]]) -> list[set[int]]:
    """Minimum Set Partition (paper, 7.3), line by line."""
    result: list[set[int]] = []
    for target in target_sets:
        rest = set(target)
        new: list[set[int]] = []
        for mini_set in result:
            intersection = rest & mini_set
            new += [intersection, mini_set - rest]
            rest -= mini_set
        if rest:
            new.append(rest)
        result = [mini_set for mini_set in new if mini_set]
    return result


def as_family(sets: Iterable[AbstractSet[int]]) -> set[frozenset[int]]:
    return set(map(frozenset, sets))


@given(FAMILIES)
def test_mini_sets_are_those_of_algorithm_1(family: list[set[int]]) -> None:
    found = mini_sets(family)
    assert as_family(found) == as_family(algorithm_1(family))
    assert len(found) == len(as_family(found))


@given(FAMILIES)
def test_mini_sets_are_disjoint_and_rebuild_every_target_set(family: list[set[int]]) -> None:
    found = mini_sets(family)
    assert all(found)
    assert sum(map(len, found)) == len(set().union(*family))
    for target in family:
        assert set().union(*(one for one in found if one <= target)) == target


@given(st.lists(st.sets(st.integers(0, 4), max_size=5), max_size=4))
def test_no_smaller_division_will_do(family: list[set[int]]) -> None:
    found = mini_sets(family)
    elements = sorted(set().union(*family))
    for numbers in itertools.product(range(max(0, len(found) - 1)), repeat=len(elements)):
        groups = [{e for e, n in zip(elements, numbers, strict=True) if n == group} for group in set(numbers)]
        unions_fit = all(set().union(*(group for group in groups if group <= target)) == target for target in family)
        assert not (unions_fit and len(groups) < len(found))


@given(FAMILIES, st.integers(1, 4))
def test_many_elements_at_once_are_divided_within_each_kind(family: list[set[int]], kinds: int) -> None:
    elements = sorted(set().union(*family))
    pairs = [(elements.index(element), number) for number, target in enumerate(family) for element in target]
    kind = np.array([element % kinds for element in elements], int)
    found = partition(np.array([pair[0] for pair in pairs], int), np.array([pair[1] for pair in pairs], int), kind)
    grouped = {number: {elements[i] for i in np.flatnonzero(found == number)} for number in set(found.tolist())}
    expected = [one for of in range(kinds) for one in algorithm_1([{e for e in s if e % kinds == of} for s in family])]
    assert as_family(grouped.values()) == as_family(expected)
    firsts = [min(group) for _, group in sorted(grouped.items())]
    assert firsts == sorted(firsts)


def test_a_mini_set_is_the_same_however_often_and_in_whatever_order_target_sets_come() -> None:
    family = [{1, 2, 3}, {3, 4}, {2, 3, 5}]
    assert as_family(mini_sets(family)) == as_family(mini_sets([*family[::-1], *family]))


@pytest.mark.parametrize("other", [(2, [17, 40]), (3, [17]), (3, [17, 41])])
def test_another_layer_or_other_filters_have_another_id(other: tuple[int, list[int]]) -> None:
    own = set_id(3, np.array([17, 40], np.int32))
    assert own == set_id(3, np.array([17, 40], np.int32))
    assert set_id(other[0], np.array(other[1], np.int32)) != own
    assert 0 <= own < 2**48
