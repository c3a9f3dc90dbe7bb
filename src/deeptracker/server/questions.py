"""What do most routes ask for, and what do they tell of the dumps that they cover? (docs/http-api.md)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError

from deeptracker.analysis.classes import ClassLevels
from deeptracker.analysis.levels import Detail, Envelope
from deeptracker.run import Run
from deeptracker.server.frame import MEDIA_TYPE
from deeptracker.server.runs import Json, ServedRuns

FRAME: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "a frame"}}


def _served(request: Request) -> ServedRuns:
    served: ServedRuns = request.app.state.served
    return served


Served = Annotated[ServedRuns, Depends(_served)]
RunId = Annotated[str, Query(description="folder of the run below the served root")]
Since = Annotated[int | None, Query(description="iteration of the newest dump that the client holds")]
Branch = Annotated[int | None, Query(description="branch of the answer that the client holds")]
LayerIndex = Annotated[int, Query(ge=0, description="index of a layer")]
FilterIndex = Annotated[int, Query(ge=0, description="index of a filter within its layer")]
HeldLevel = Annotated[int | None, Query(description="level of the answer that the client holds")]


@dataclass(frozen=True, slots=True)
class Room:
    """How many columns there is room for (None: as many as dumps), and the dumps that they are to show."""

    width: int | None
    first: int
    end: int | None


def _room(
    width: Annotated[int | None, Query(ge=1, description="columns that there is room for")] = None,
    first: Annotated[int, Query(alias="from", ge=0, description="first dump to show")] = 0,
    end: Annotated[int | None, Query(alias="to", ge=0, description="dump before which to end")] = None,
) -> Room:
    if end is not None and end < first:
        raise RequestValidationError([{"loc": ("query", "to"), "msg": f"must be >= from. Got {end} and {first}"}])
    return Room(width, first, end)


Shown = Annotated[Room, Depends(_room)]


@dataclass(frozen=True, slots=True)
class NewColumns:
    """Which columns of an answer a client lacks: those from place `skipped` on, of the dumps from `first` to `end`."""

    skipped: int
    first: int
    end: int

    @classmethod
    def of(
        cls,
        run: Run,
        found: Detail | Envelope | ClassLevels,
        since: int | None,
        branch: int | None,
        held_level: int | None,
    ) -> NewColumns:
        """All of them, unless the client holds columns of the same level: then from the first with a new dump on."""
        dumps, count, skipped = len(run.iterations), found.count, 0
        if held_level == found.level:
            new = run.first_new_dump(since, branch)
            column = new // found.level if new < dumps else -(-dumps // found.level)
            skipped = min(max(column - found.first // found.level, 0), count)
        end = min(found.first + count * found.level, dumps)
        return cls(skipped, found.first + skipped * found.level, end)


def cursor(run: Run, first: int, settled: int) -> Json:
    """What a client sends back as `since` and `branch` next time, when `settled` dumps will never change."""
    iterations = run.iterations
    return {
        "first": first,
        "dumps": len(iterations),
        "iteration": int(iterations[settled - 1]) if settled else -1,
        "branch": run.branch,
    }
