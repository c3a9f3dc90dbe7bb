"""Which part does this process have in a distributed training, and how do its processes agree when a recorder is made?

1. Outside of one it is rank 0 of 1. Rank 0 leads: it alone writes `run.json`, `network.json`, samples, scalars and what
   is measured; every rank writes its own share of the predictions.
2. The processes make their recorders together, and exchange a few small objects then: where the run begins, and which
   samples it has. In training steps they never wait for each other because of the recorder
   (docs/decisions/0015-no-collectives-in-training-steps.md); `sharded.py` is the one exception.
3. What fails on one rank is raised on all: nobody is left waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import torch.distributed as dist

Agreed = TypeVar("Agreed")


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process is number `rank` of `count`."""

    rank: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> Self:
        """As the default process group says; rank 0 of 1 where there is none."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def leads(self) -> bool:
        """Is this rank 0?"""
        return self.rank == 0

    def agreed(self, make: Callable[[], Agreed]) -> Agreed:
        """What `make` gives on rank 0, on all ranks; what it raises there is raised on all."""
        if self.count == 1:
            return make()
        said: list[Any] = [None, None]
        if self.leads:
            try:
                said = [make(), None]
            except Exception as error:
                said = [None, error]
        dist.broadcast_object_list(said, src=0)
        if said[1] is not None:
            raise said[1]
        result: Agreed = said[0]
        return result

    def gathered(self, make: Callable[[], Agreed]) -> list[Agreed]:
        """What `make` gives on each rank, by rank, on all of them; RuntimeError on all where it raises on one."""
        if self.count == 1:
            return [make()]
        mine: tuple[Any, str | None]
        try:
            mine = make(), None
        except Exception as error:
            mine = None, f"{type(error).__name__}: {error}"
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, mine)
        for rank, (_, wrong) in enumerate(found):
            if wrong is not None:
                raise RuntimeError(f"all {self.count} processes must evaluate their samples. On rank {rank}: {wrong}")
        return [result for result, _ in found]

    def sent_to_leader(self, value: Agreed) -> list[Agreed]:
        """The values of all ranks on rank 0, by rank; nothing elsewhere."""
        if self.count == 1:
            return [value]
        found: list[Any] | None = [None] * self.count if self.leads else None
        dist.gather_object(value, found, dst=0)
        return found or []


ALONE = Ranks()
