"""Classes that are confused with each other stand side by side."""

import numpy as np
import pytest

from deeptracker.analysis.confusion import Confusion, confusion
from deeptracker.analysis.confusion_order import confusion_order

GROUPS = ((0, 5, 9), (1, 4), (2, 6, 8))


def grouped(size: int = 40, seed: int = 0) -> Confusion:
    """Classes 3 and 7 are never wrong; the others are taken for those of their group, and all for class 0 at times."""
    rng = np.random.default_rng(seed)
    rows = []
    for c in range(10):
        row = np.full(size, c)
        for group in GROUPS:
            if c in group:
                row[: size // 4] = rng.choice([other for other in group if other != c], size // 4)
                row[-2:] = 0
        rows.append(row)
    return confusion(np.concatenate(rows), np.arange(11) * size)


@pytest.mark.parametrize(("limit", "dense"), [(1500, 2500), (2, 2500)])
def test_groups_are_neighbours_and_what_is_never_confused_comes_last(limit: int, dense: int) -> None:
    found = confusion_order(grouped(), limit=limit, dense=dense)
    order = found.order.tolist()
    assert sorted(order) == list(range(10))
    assert order[-2:] == [3, 7]
    for group in GROUPS:
        places = sorted(order.index(c) for c in group)
        assert places == list(range(places[0], places[0] + len(group)))
    assert found.method.split(" (")[0] == ("optimal leaf order" if limit > 10 else "dendrogram order")


def test_many_classes_are_ordered_by_their_cells_alone() -> None:
    found = confusion_order(grouped(), dense=4)
    assert sorted(found.order.tolist()) == list(range(10))
    assert found.order.tolist()[-2:] == [3, 7]
    assert found.method == "Cuthill and McKee (8 classes: a dendrogram would take seconds)"


def test_the_same_counts_give_the_same_order_and_no_confusion_the_given_one() -> None:
    assert confusion_order(grouped()).order.tolist() == confusion_order(grouped()).order.tolist()
    right = confusion(np.arange(4), np.arange(5))
    assert confusion_order(right).order.tolist() == [0, 1, 2, 3]
    none = confusion(np.zeros(0, int), np.zeros(3, int))
    assert confusion_order(none).order.tolist() == [0, 1]
