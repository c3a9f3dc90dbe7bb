"""Does each process evaluate its share, under the names that a single process would give, and each sample once?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from deeptracker.record.ranks import ALONE, Ranks
from deeptracker.record.sample_set import Outcome
from deeptracker.record.shards import Shard, merged_ids, shard_of

SAMPLES, COUNT = 10, 4
IMAGES, LABELS = torch.arange(SAMPLES)[:, None].float(), torch.arange(SAMPLES) % 3
DATA = TensorDataset(IMAGES, LABELS)


def loader(rank: int) -> DataLoader[Any]:
    sampler: Any = DistributedSampler(DATA, COUNT, rank, shuffle=False)
    return DataLoader(DATA, batch_size=2, sampler=sampler)


def outcome_of(shard: Shard) -> Outcome:
    """What an evaluation would give that predicts each sample's own number."""
    numbers = torch.cat([images for images, _ in shard.batches]).flatten().long().numpy()
    half = numbers.astype(np.float16)
    return shard.named(Outcome([str(i) for i in range(len(numbers))], numbers % 3, numbers, half, half, 3))


@pytest.mark.parametrize("kind", ["loader", "data set", "arrays"])
def test_shares_together_have_every_sample_under_its_number(kind: str) -> None:
    given = {"loader": loader, "data set": lambda rank: DATA, "arrays": lambda rank: (IMAGES, LABELS)}[kind]
    shards = [shard_of(given(rank), None, Ranks(rank, COUNT), batch_size=2) for rank in range(COUNT)]
    outcomes = [outcome_of(shard) for shard in shards]
    assert [shard.is_whole for shard in shards] == [False] * COUNT
    for outcome in outcomes:
        assert list(outcome.ids) == [str(number) for number in outcome.predicted]
    assert len({len(list(shard.batches)) for shard in shards}) == 1  # sharded models run forward together
    chosen = merged_ids([outcome.ids for outcome in outcomes])
    assert [outcomes[rank].ids[place] for rank, place in chosen] == [str(i) for i in range(SAMPLES)]


def test_a_sample_that_a_share_has_twice_is_kept_once() -> None:
    small = TensorDataset(IMAGES[:1], LABELS[:1])
    shard = shard_of(DataLoader(small, sampler=[0, 0, 0]), None, Ranks(1, 2), batch_size=2)
    assert list(outcome_of(shard).ids) == ["0"]
    assert shard.kept([b"a", b"b", b"c"], outcome_of(shard)) == [b"a"]


@pytest.mark.parametrize("whole", [True, False])
def test_ids_of_the_users_name_samples_of_the_whole_data_or_of_the_share(whole: bool) -> None:
    names = [f"img{i}" for i in range(SAMPLES)]
    mine = names if whole else names[1::COUNT]
    shard = shard_of(loader(1), mine, Ranks(1, COUNT), batch_size=2)
    assert list(outcome_of(shard).ids) == names[1::COUNT]


def test_one_process_has_all_samples_by_number_or_by_the_users_ids() -> None:
    assert list(outcome_of(shard_of(DATA, None, ALONE, batch_size=3)).ids) == [str(i) for i in range(SAMPLES)]
    names = [f"img{i}" for i in range(SAMPLES)]
    assert list(outcome_of(shard_of((IMAGES, LABELS), names, ALONE, batch_size=3)).ids) == names


def test_what_does_not_tell_numbers_must_be_given_ids() -> None:
    batches = [(IMAGES[1::COUNT], LABELS[1::COUNT])]
    with pytest.raises(ValueError, match="must have ids where several processes evaluate them"):
        shard_of(batches, None, Ranks(1, COUNT), batch_size=2)
    shard = shard_of(batches, ["b", "f", "j"], Ranks(1, COUNT), batch_size=2)
    assert list(outcome_of(shard).ids) == ["b", "f", "j"]


def test_ids_that_are_too_few_are_told() -> None:
    shard = shard_of((IMAGES, LABELS), ["a", "b"], ALONE, batch_size=3)
    with pytest.raises(ValueError, match="Got 2 for 10 samples"):
        outcome_of(shard)


def test_samples_with_names_come_as_the_processes_have_them() -> None:
    assert merged_ids([["b", "a"], ["a", "c"]]) == [(0, 0), (0, 1), (1, 1)]
    assert merged_ids([["10", "2"], ["9", "2"]]) == [(0, 1), (1, 0), (0, 0)]
