"""How does a page hear of new dumps? By server-sent events, one stream a page.

1. A stream looks at the run (or the list) every LOOK_SECONDS, in a worker thread, and sends what changed. Looking is
   cheap, and shared: a run is refreshed once for all who look.
2. Without change a comment keeps the connection open. A stream ends when the client leaves or the server stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from deeptracker.errors import DeepTrackerError
from deeptracker.server.answers import event
from deeptracker.server.runs import Json, ServedRuns

LOOK_SECONDS = 0.5
LOOK_AT_LIST_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 15.0


def follow_run(request: Request, served: ServedRuns, identity: str) -> AsyncIterator[str]:
    """Events `run`: newest dump and state."""
    return _follow(request, lambda: _newest(served, identity), "run", LOOK_SECONDS)


def follow_list(request: Request, served: ServedRuns) -> AsyncIterator[str]:
    """Events `runs`: the whole list."""
    return _follow(request, lambda: {"runs": served.summaries()}, "runs", LOOK_AT_LIST_SECONDS)


async def _follow(request: Request, look: Callable[[], Json], name: str, seconds: float) -> AsyncIterator[str]:
    sent: Any = None
    silent = 0.0
    while not (request.app.state.stopping or await request.is_disconnected()):
        seen = await run_in_threadpool(look)
        if seen != sent:
            identity = str(seen["iteration"]) if "iteration" in seen else None
            yield event(name, seen, identity=identity)
            sent, silent = seen, 0.0
        elif silent >= KEEP_ALIVE_SECONDS:
            yield ": still here\n\n"
            silent = 0.0
        await asyncio.sleep(seconds)
        silent += seconds


def _newest(served: ServedRuns, identity: str) -> Json:
    try:
        with served.open(identity) as run:
            iterations = run.iterations
            scalars = run.scalars()["iteration"]
            return {
                "dumps": len(iterations),
                "iteration": int(iterations[-1]) if len(iterations) else -1,
                "branch": run.branch,
                "scalars_iteration": int(scalars[-1]) if len(scalars) else -1,
                "state": run.state,
                "updated": run.updated.isoformat(),
            }
    except DeepTrackerError as error:
        return {"dumps": 0, "iteration": -1, "branch": 0, "scalars_iteration": -1, "state": "unreadable",
                "updated": None, "problem": str(error)}  # fmt: skip
