"""Which validation samples does a process evaluate, and what are they called?

1. A process on its own evaluates all, called by their number in the data, or as the user calls them.
2. Of several, a loader is each process' own: its batch sampler (of a `DistributedSampler`, say) tells which numbers its
   samples have in the data set. Arrays and data sets, which every process has whole, are dealt out like cards.
3. Samples come twice where shares are filled up to equal length. Within a share only the first is kept; what two
   shares have is taken once when the run is read.
4. The samples of the run are those of all shares, in the order of their numbers: the same as a single process finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset

from deeptracker.record.ranks import Ranks
from deeptracker.record.sample_set import Outcome
from deeptracker.record.validation import as_batches


@dataclass(frozen=True, slots=True)
class Shard:
    """The batches that this process evaluates, and the ids of their samples in order; None: numbers."""

    batches: Iterable[Any]
    ids: tuple[str, ...] | None = None
    is_whole: bool = True

    def named(self, outcome: Outcome) -> Outcome:
        """An evaluation of these batches with its samples' ids, each sample once; ValueError if ids do not fit."""
        if self.ids is None:
            return outcome
        if len(self.ids) != len(outcome.labels):
            raise ValueError(
                f"ids must be one for each validation sample of this process. Got {len(self.ids)} for "
                f"{len(outcome.labels)} samples. Give validation_ids=IDS, in the order of the data."
            )
        first = {name: place for place, name in reversed(list(enumerate(self.ids)))}
        kept = np.array(sorted(first.values()), np.intp)
        return replace(
            outcome,
            ids=[self.ids[place] for place in kept],
            labels=outcome.labels[kept],
            predicted=outcome.predicted[kept],
            probability=outcome.probability[kept],
            loss=outcome.loss[kept],
        )

    def kept(self, pictures: list[bytes] | None, outcome: Outcome) -> list[bytes] | None:
        """Those of the pictures, one for each sample evaluated, that belong to the samples of `named`."""
        if pictures is None or self.ids is None:
            return pictures
        places = {name: place for place, name in reversed(list(enumerate(self.ids)))}
        return [pictures[places[name]] for name in outcome.ids] if len(pictures) == len(self.ids) else None


def shard_of(validation: Any, ids: Sequence[Any] | None, ranks: Ranks, *, batch_size: int) -> Shard:
    """What this process evaluates of the validation data; ValueError where its samples cannot be named."""
    named = None if ids is None else tuple(str(name.item() if hasattr(name, "item") else name) for name in ids)
    if ranks.count == 1:
        return Shard(as_batches(validation, batch_size=batch_size), named)
    batches, numbers = _dealt(validation, ranks, batch_size)
    if numbers is None and named is None:
        raise ValueError(
            "validation samples must have ids where several processes evaluate them. Got a "
            f"{type(validation).__name__}, which does not tell their numbers. Give a DataLoader with a "
            "DistributedSampler, the data set itself, or validation_ids=IDS, those of this process in its order."
        )
    if numbers is not None and named is not None and len(named) != len(numbers):
        named = tuple(named[number] for number in numbers)  # ids of the whole data set
    return Shard(batches, named or tuple(str(number) for number in numbers or ()), is_whole=False)


def merged_ids(shares: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Rank and place of each sample of all shares, once; by number where all ids are numbers, else as they come."""
    first: dict[str, tuple[int, int]] = {}
    for rank, share in enumerate(shares):
        for place, name in enumerate(share):
            first.setdefault(name, (rank, place))
    names = sorted(first, key=int) if all(name.isdecimal() for name in first) else list(first)
    return [first[name] for name in names]


def _dealt(validation: Any, ranks: Ranks, batch_size: int) -> tuple[Iterable[Any], list[int] | None]:
    """Batches of this process, and the numbers of their samples in the whole data where they are known."""
    if isinstance(validation, (tuple, list)) and len(validation) == 2 and all(hasattr(x, "shape") for x in validation):
        every: Any = range(len(validation[0]))
        numbers: list[Any] = list(DistributedSampler(every, ranks.count, ranks.rank, shuffle=False))
        return as_batches(tuple(x[numbers] for x in validation), batch_size=batch_size), numbers
    if isinstance(validation, Dataset) and not isinstance(validation, IterableDataset):
        sampler: DistributedSampler[Any] = DistributedSampler(validation, ranks.count, ranks.rank, shuffle=False)
        return DataLoader(validation, batch_size=batch_size, sampler=sampler), list(sampler)
    batches = as_batches(validation, batch_size=batch_size)
    sampler_of_batches = getattr(batches, "batch_sampler", None)
    if sampler_of_batches is None:
        return batches, None
    numbers = [number for batch in sampler_of_batches for number in batch]
    return batches, numbers if all(isinstance(number, (int, np.integer)) for number in numbers) else None
