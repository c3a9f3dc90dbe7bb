"""What do most routes ask for, and what do they tell of the dumps that they cover? (docs/http-api.md)"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Request

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


def cursor(run: Run, first: int, settled: int) -> Json:
    """What a client sends back as `since` and `branch` next time, when `settled` dumps will never change."""
    iterations = run.iterations
    return {
        "first": first,
        "dumps": len(iterations),
        "iteration": int(iterations[settled - 1]) if settled else -1,
        "branch": run.branch,
    }
