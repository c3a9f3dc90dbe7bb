"""Is an iteration counted when it is done, once, and never for a copy?"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn

from deeptracker.record.steps import Part, Steps


def make(count: int = 1, kind: type[torch.optim.Optimizer] = torch.optim.SGD) -> list[torch.optim.Optimizer]:
    made = []
    for _ in range(count):
        parameter = nn.Parameter(torch.ones(2))
        parameter.grad = torch.ones(2)
        made.append(kind([parameter], lr=0.1))  # type: ignore[call-arg]
    return made


def followed(optimizers: list[torch.optim.Optimizer]) -> tuple[Steps, list[Part], list[Part]]:
    before: list[Part] = []
    after: list[Part] = []
    return Steps(optimizers, before.append, after.append), before, after


def test_an_iteration_begins_with_the_first_and_ends_with_the_last_optimizer() -> None:
    first, last = make(2)
    _, before, after = followed([first, last])
    for optimizer in (first, first, last, last, first, last):
        optimizer.step()
    assert [part.begins for part in before] == [True, False, False, True, True, False]
    assert [part.ends for part in after] == [False, False, True, True, False, True]


def test_nothing_is_followed_after_it_is_removed() -> None:
    (optimizer,) = make()
    steps, before, _ = followed([optimizer])
    steps.remove()
    optimizer.step()
    assert before == []


def test_a_fused_step_that_found_infinities_does_not_count() -> None:
    (optimizer,) = make()
    optimizer.param_groups[0]["fused"] = True
    _, _, after = followed([optimizer])
    for found in (1.0, 0.0):
        optimizer.found_inf = torch.tensor(found)  # type: ignore[attr-defined]
        optimizer.step()
    assert len(after) == 1


def test_a_shared_or_unknown_parameter_goes_with_the_last_optimizer() -> None:
    first, last = make(2)
    shared, unknown = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    for optimizer in (first, last):
        optimizer.add_param_group({"params": shared})
    steps, before, _ = followed([first, last])
    first.step()
    last.step()
    of_first, of_last = (steps.owned(part) for part in before)
    mine = first.param_groups[0]["params"][0]
    assert (of_first(mine), of_last(mine)) == (True, False)
    assert [(of_first(one), of_last(one)) for one in (shared, unknown)] == [(False, True)] * 2


class KeepsHooks(torch.optim.SGD):
    """Some optimizers of others hand over all that they have."""

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)


@pytest.mark.parametrize("kind", [torch.optim.SGD, KeepsHooks])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_an_optimizer_are_not_followed(kind: type[torch.optim.Optimizer], copied: Any) -> None:
    (optimizer,) = make(1, kind)
    _, before, after = followed([optimizer])
    copied(optimizer).step()
    assert (before, after) == ([], [])
    optimizer.step()
    assert len(after) == 1


def test_learning_rates_are_numbered_over_all_optimizers() -> None:
    steps, _, _ = followed(make(2))
    assert steps.learning_rates() == {"lr": 0.1, "lr/1": 0.1}
