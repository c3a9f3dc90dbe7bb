"""The routes of docs/http-api.md on which class is taken for which: parse, ask `Run`, encode."""

from __future__ import annotations

from typing import Annotated, Any

import numpy.typing as npt
from fastapi import APIRouter, Query, Request, Response

from deeptracker.analysis.confusion import Confusion, ConfusionChange
from deeptracker.run import Run
from deeptracker.server.answers import frame_response
from deeptracker.server.frame import encode_frame
from deeptracker.server.questions import FRAME, RunId, Served, Shown, cursor
from deeptracker.server.runs import Json

router = APIRouter(prefix="/api")

At = Annotated[int, Query(ge=0, description="iteration of a dump that has predictions")]
To = Annotated[int, Query(ge=0, description="iteration of another such dump")]
Class = Annotated[int, Query(ge=0, description="index of the true class")]
Label = Annotated[int, Query(ge=-2, description="index of the predicted class; -2 no number, -1 not evaluated")]
Most = Annotated[int, Query(ge=1, description="how many to give at most")]


@router.get("/confusion", response_class=Response, responses=FRAME)
def confusion(request: Request, served: Served, run: RunId, at: At, to: To | None = None) -> Response:
    """How many samples of each class are taken for what at a dump; or at two, cell by cell."""
    with served.open(run) as it:
        arrays = _one_dump(it.confusion(at)) if to is None else _two_dumps(it.confusion_change(at, to))
        return frame_response(request, encode_frame(arrays, {"at": at, "to": to} | _cursor(it)))


@router.get("/confusion-flows", response_class=Response, responses=FRAME)
def confusion_flows(
    request: Request, served: Served, run: RunId, at: At, to: To, cls: Class | None = None, most: Most = 100
) -> Response:
    """Samples that are taken for something else at another dump; or all samples of one class."""
    with served.open(run) as it:
        found = it.confusion_flows(at, to, cls)
        arrays: dict[str, npt.NDArray[Any]] = {
            "class": found.cls[:most],
            "source": found.source[:most],
            "target": found.target[:most],
            "count": found.count[:most],
        }
        header: Json = {"at": at, "to": to, "flows": len(found.cls), "samples": int(found.count.sum())}
        return frame_response(request, encode_frame(arrays, header | _cursor(it)))


@router.get("/confusion-course", response_class=Response, responses=FRAME)
def confusion_course(
    request: Request, served: Served, room: Shown, run: RunId, cls: Class, predicted: Label
) -> Response:
    """How many samples of a class are taken so at each dump, or in columns."""
    with served.open(run) as it:
        found = it.confusion_course(cls, predicted, room.width, room.first, room.end)
        header: Json = {"level": found.level, "from": found.first} | cursor(it, found.first, it.settled)
        return frame_response(request, encode_frame({"counts": found.counts[0]}, header))


@router.get("/confused-pairs", response_class=Response, responses=FRAME)
def confused_pairs(request: Request, served: Served, room: Shown, run: RunId, at: At, most: Most = 12) -> Response:
    """The pairs of classes that are confused most at a dump, and how often they are over time."""
    with served.open(run) as it:
        found = it.confused_pairs(at, most, room.width, room.first, room.end)
        pairs, courses = found.pairs, found.courses
        arrays: dict[str, npt.NDArray[Any]] = {
            "first": pairs.first,
            "second": pairs.second,
            "there": pairs.there,
            "back": pairs.back,
            "counts": courses.counts,
        }
        header: Json = {"at": at, "level": courses.level, "from": courses.first}
        return frame_response(request, encode_frame(arrays, header | cursor(it, courses.first, it.settled)))


@router.get("/confusion-samples", response_class=Response, responses=FRAME)
def confusion_samples(
    request: Request, served: Served, run: RunId, at: At, cls: Class, predicted: Label, most: Most = 60
) -> Response:
    """The samples of a class that are taken so at a dump."""
    with served.open(run) as it:
        found = it.confusion_samples(at, cls, predicted)
        arrays: dict[str, npt.NDArray[Any]] = {
            "samples": found.samples[:most],
            "probability": found.probability[:most],
        }
        header: Json = {"at": at, "names": found.ids[:most], "count": len(found.samples)}
        return frame_response(request, encode_frame(arrays, header | _cursor(it)))


@router.get("/confusion-order", response_class=Response, responses=FRAME)
def confusion_order(request: Request, served: Served, run: RunId) -> Response:
    """The classes, those that are confused with each other side by side."""
    with served.open(run) as it:
        found = it.confusion_order()
        header: Json = {"order_method": found.method}
        return frame_response(request, encode_frame({"order": found.order}, header | _cursor(it)))


def _one_dump(found: Confusion) -> dict[str, npt.NDArray[Any]]:
    return {"offsets": found.offsets, "predicted": found.predicted, "count": found.count}


def _two_dumps(found: ConfusionChange) -> dict[str, npt.NDArray[Any]]:
    cells = {"offsets": found.offsets, "predicted": found.predicted}
    return cells | {"before": found.before, "count": found.after}


def _cursor(run: Run) -> Json:
    return cursor(run, 0, run.settled)
