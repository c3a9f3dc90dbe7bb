"""The routes of docs/http-api.md on what rules find in a run: parse, ask a process beside this one, encode."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from deeptracker.analysis.findings import KINDS
from deeptracker.analysis.findings.as_json import as_json
from deeptracker.server.findings import FindingsAsked
from deeptracker.server.questions import RunId, Served
from deeptracker.server.runs import Json

router = APIRouter(prefix="/api")


def _findings(request: Request) -> FindingsAsked:
    asked: FindingsAsked = request.app.state.findings
    return asked


Asked = Annotated[FindingsAsked, Depends(_findings)]


@router.get("/findings")
async def findings(served: Served, asked: Asked, run: RunId) -> Json:
    """Everything that the rules find in a run up to now, the severest first."""
    found, seen = await asked.findings(await run_in_threadpool(served.where, run))
    return {"findings": [as_json(one) for one in found], "kinds": len(KINDS), **asdict(seen)}


@router.get("/suggestions")
async def suggestions(served: Served, asked: Asked, run: RunId) -> Json:
    """Windows and thresholds that show anomalies which chance does not explain, the best first."""
    found, seen = await asked.suggestions(await run_in_threadpool(served.where, run))
    settings = [{**asdict(one), "rate": one.false_discovery_rate} for one in found]
    return {"settings": settings, **asdict(seen)}
