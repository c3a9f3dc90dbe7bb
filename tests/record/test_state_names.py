"""Tensors of a file find their places in the model, or what does not fit is named."""

import re

import pytest
import torch
from torch import nn

from deeptracker.record.state_names import matched
from deeptracker.record.weights import SnapshotError


class Tied(nn.Module):
    """A weight that two layers share, and batch normalisation with its counter."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.norm = nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3)
        self.again.weight = self.first.weight


def state(prefix: str = "", *without: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{key}": value for key, value in Tied().state_dict().items() if key not in without}


def names(model: nn.Module, given: dict[str, torch.Tensor]) -> set[str]:
    found = matched(model, given, of_model="nets:make", of_file="a.pt")
    model.load_state_dict(found, strict=False)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in found.items())
    return set(found)


def test_names_are_taken_as_they_are_or_below_one_prefix() -> None:
    everything = set(Tied().state_dict())
    assert names(Tied(), state()) == everything
    assert names(Tied(), state("net.") | {"loss.weight": torch.ones(2)}) == everything
    assert names(Tied(), state("ema.") | state("model.")) == everything
    compiled = torch.compile(nn.Sequential(Tied()), backend="eager")
    assert names(compiled, state("0.")) == {f"_orig_mod.0.{key}" for key in everything}


def test_a_shared_weight_need_be_there_once_and_counters_not_at_all() -> None:
    assert "again.weight" not in names(Tied(), state("", "again.weight"))
    assert "norm.num_batches_tracked" not in names(Tied(), state("model.", "norm.num_batches_tracked"))


def test_what_is_missing_unexpected_ambiguous_or_of_another_shape_is_named() -> None:
    many = {f"more{i}.weight": torch.ones(2, 2) for i in range(9)}
    for given, says in (
        (state("", "again.bias", "norm.running_var"), "In the file there is no again.bias, norm.running_var."),
        (state() | {"extra.bias": torch.ones(1)}, "In the model there is no extra.bias."),
        (state() | many, "more5.weight and 3 more."),
        (state("student.") | state("teacher."), "It does below student., teacher."),
        (state() | {"first.bias": torch.ones(4)}, "There 'first.bias' is 4, in the model 3."),
    ):
        with pytest.raises(SnapshotError, match=re.escape(says)):
            names(Tied(), given)
