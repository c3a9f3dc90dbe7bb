"""The routes of docs/http-api.md: parse, ask `Run`, encode."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from deeptracker.documents import FORMAT_VERSION
from deeptracker.errors import UnknownNameError
from deeptracker.run import WINDOWS, Run
from deeptracker.server.answers import frame_response
from deeptracker.server.frame import encode_frame, to_bytes
from deeptracker.server.live import follow_list, follow_run
from deeptracker.server.questions import (
    FRAME,
    Branch,
    HeldLevel,
    NewColumns,
    Room,
    RunId,
    Served,
    Shown,
    Since,
    cursor,
)
from deeptracker.server.runs import Json, version
from deeptracker.store.samples import media_type

router = APIRouter(prefix="/api")
Class = Annotated[int, Query(ge=0, description="index of a class")]
Window = Annotated[int, Query(ge=1, description="dumps that a run of equal results must last")]


@router.get("/runs")
def runs(served: Served) -> Json:
    """Every run below the root, the last updated first."""
    return {"root": served.root, "runs": served.summaries()}


@router.get("/run")
def run_in_full(served: Served, run: RunId) -> Json:
    """One run: summary, configuration, classes, stages, warnings."""
    with served.open(run) as it:
        info, samples = it.info, it.samples
        rows = it.scalars()
        return {
            **served.describe(run, it),
            "config": info.config,
            "class_names": it.class_names,
            "class_sizes": np.diff(samples.class_offsets).tolist() if samples else [],
            "version": version(it),
            "every": info.every,
            "next_iteration": info.next_iteration if not len(it.iterations) else None,
            "lr_stages": [asdict(stage) for stage in it.learning_rate_stages()],
            "scalars": sorted(set(rows) - {"iteration"}),
            "branch": it.branch,
            "branches": [asdict(branch) for branch in it.branches],
            "warnings": it.warnings,
            "has_pictures": bool(samples and samples.has_pictures),
            "has_predictions": samples is not None,
            "bytes": it.size_bytes,
            "format_version": FORMAT_VERSION,
            "exception": info.exception,
            "stopped": info.stopped,
        }


@router.get("/overall", response_class=Response, responses=FRAME)
def overall(request: Request, served: Served, run: RunId, since: Since = None, branch: Branch = None) -> Response:
    """Training and validation error and learning rate at each new dump."""
    with served.open(run) as it:
        first = it.first_new_dump(since, branch)
        arrays: dict[str, npt.NDArray[Any]] = {
            "iterations": it.iterations[first:].astype(np.float64),
            "validation_error": it.validation_error()[first:],
            "training_error": it.training_error()[first:],
            "lr": it.learning_rate()[first:],
        }
        return frame_response(request, encode_frame(arrays, _cursor(it, first)))


@router.get("/classes", response_class=Response, responses=FRAME)
def classes(
    request: Request,
    served: Served,
    room: Shown,
    run: RunId,
    since: Since = None,
    branch: Branch = None,
    level: HeldLevel = None,
) -> Response:
    """Error rate of every class at each new dump, or in columns."""
    with served.open(run) as it:
        header: Json = {}
        if room.width is None:
            first, end = it.first_new_dump(since, branch), len(it.iterations)
            arrays = {"error": to_bytes(it.error_rates()[:, first:], 0, 1)}
        else:
            found = it.error_levels(room.width, room.first, room.end)
            new = NewColumns.of(it, found, since, branch, level)
            first, end = new.first, new.end
            arrays = {"error": to_bytes(found.mean[:, new.skipped :], 0, 1)}
            if found.level > 1:
                arrays["highest"] = to_bytes(found.max[:, new.skipped :], 0, 1)
            header = {"level": found.level, "from": found.first}
        frame = arrays | {"iterations": it.iterations[first:end].astype(np.float64)}
        scales: dict[str, tuple[float, float]] = dict.fromkeys(arrays, (0, 1))
        return frame_response(request, encode_frame(frame, header | _cursor(it, first), scales))


@router.get("/clusters", response_class=Response, responses=FRAME)
def clusters(request: Request, served: Served, run: RunId, k: Annotated[int, Query(ge=1, le=50)] = 4) -> Response:
    """Classes grouped by their error curves, easy to hard, and their similarity order."""
    with served.open(run) as it:
        found, order = it.clusters(k), it.class_order()
        final = [_last_known(curve) for curve in found.curves]
        arrays: dict[str, npt.NDArray[Any]] = {
            "assignment": found.assignment,
            "curves": found.curves,
            "order": order.order,
        }
        header: Json = {"k": found.k, "sizes": found.sizes.tolist(), "final": final, "order_method": order.method}
        return frame_response(request, encode_frame(arrays, header | _cursor(it, 0)))


@router.get("/anomalies", response_class=Response, responses=FRAME)
def anomalies(
    request: Request,
    served: Served,
    run: RunId,
    window: Window = 10,
    threshold: Annotated[float, Query(ge=0, le=1)] = 0.35,
) -> Response:
    """Anomaly iterations of every class."""
    with served.open(run) as it:
        found = it.anomalies(window, threshold)
        arrays = {
            "class": found.cls,
            "dump": found.dump,
            "left": found.left,
            "right": found.right,
            "pending": found.pending,
        }
        highest = found.highest and {
            "score": found.highest.score,
            "class": found.highest.cls,
            "dump": found.highest.dump,
            "rule": found.highest.rule,
        }
        header: Json = {"window": window, "threshold": threshold, "highest": highest}
        return frame_response(request, encode_frame(arrays, header | _cursor(it, 0)))


@router.get("/anomaly-counts", response_class=Response, responses=FRAME)
def anomaly_counts(request: Request, served: Served, run: RunId) -> Response:
    """How many anomalies every window and threshold would show."""
    with served.open(run) as it:
        arrays = {"windows": np.array(WINDOWS, np.int32), "counts": it.anomaly_counts()}
        return frame_response(request, encode_frame(arrays, _cursor(it, 0)))


@router.get("/class", response_class=Response, responses=FRAME)
def one_class(
    request: Request,
    served: Served,
    room: Shown,
    run: RunId,
    cls: Class,
    window: Window = 10,
    since: Since = None,
    branch: Branch = None,
    level: HeldLevel = None,
) -> Response:
    """Predicted label of every sample of a class at each new dump; or in columns when it was wrong."""
    with served.open(run) as it:
        if room.width is not None:
            return frame_response(request, _class_in_columns(it, cls, room, window, (since, branch, level)))
        found = it.class_samples(cls)
        first = it.first_new_dump(since, branch)
        arrays: dict[str, npt.NDArray[Any]] = {
            "labels": found.predicted[:, first:],
            "samples": found.samples,
            "order": found.order.order,
        }
        header: Json = {"names": found.ids, "order_method": found.order.method}
        return frame_response(request, encode_frame(arrays, header | _cursor(it, first)))


def _class_in_columns(
    run: Run, cls: int, room: Room, window: int, held: tuple[int | None, int | None, int | None]
) -> bytes:
    """The frame of `one_class` with a width, for a client that holds what `since`, `branch` and `level` say."""
    assert room.width is not None
    found = run.class_levels(cls, room.width, window, room.first, room.end)
    new = NewColumns.of(run, found, *held)
    arrays: dict[str, npt.NDArray[Any]] = {
        "error": to_bytes(found.error[:, new.skipped :], 0, 1),
        "left": found.left,
        "right": found.right,
        "samples": found.samples,
        "order": found.order.order,
    }
    if found.predicted is not None:
        arrays["labels"] = found.predicted[:, new.skipped :]
    header: Json = {"names": found.ids, "order_method": found.order.method, "window": window}
    header |= {"level": found.level, "from": found.first}
    return encode_frame(arrays, header | _cursor(run, new.first), {"error": (0, 1)})


@router.get("/class-taken", response_class=Response, responses=FRAME)
def class_taken(
    request: Request,
    served: Served,
    room: Shown,
    run: RunId,
    cls: Class,
    most: Annotated[int, Query(ge=1, description="how many wrong classes to tell apart")] = 5,
) -> Response:
    """What the samples of a class are taken for at each dump, or in columns."""
    with served.open(run) as it:
        found = it.taken_for(cls, room.width or max(1, len(it.iterations)), most, room.first, room.end)
        arrays: dict[str, npt.NDArray[Any]] = {"labels": found.labels, "counts": found.counts, "known": found.known}
        header: Json = {"level": found.level, "from": found.first}
        return frame_response(request, encode_frame(arrays, header | _cursor(it, found.first)))


@router.get("/sample", response_class=Response, responses=FRAME)
def sample(request: Request, served: Served, run: RunId, sample: Annotated[int, Query(ge=0)]) -> Response:
    """One sample over all dumps."""
    with served.open(run) as it:
        history = it.sample_history(sample)
        assert it.samples is not None
        arrays: dict[str, npt.NDArray[Any]] = {
            "iterations": it.iterations.astype(np.float64),
            "labels": history["predicted"].astype(np.int32),
            "probability": history["probability"].astype(np.float32),
            "loss": history["loss"].astype(np.float32),
        }
        header: Json = {
            "label": int(it.samples.labels[sample]),
            "name": it.samples.ids[sample],
            "has_picture": it.samples.has_pictures,
        }
        return frame_response(request, encode_frame(arrays, header | _cursor(it, 0)))


@router.get("/picture", response_class=Response)
def picture(request: Request, served: Served, run: RunId, sample: Annotated[int, Query(ge=0)]) -> Response:
    """The picture of a sample, PNG or JPEG."""
    with served.open(run) as it:
        found = it.picture(sample)
        created = it.info.created
    if found is None:
        raise UnknownNameError(f"no pictures were recorded in the run {run!r}.")
    headers = {"ETag": f'"{created}-{sample}"', "Cache-Control": "private, no-cache"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found, media_type=media_type(found), headers=headers)


@router.get("/live", response_class=StreamingResponse)
def live(request: Request, served: Served, run: Annotated[str | None, Query()] = None) -> Response:
    """Server-sent events: the newest dump of a run, or the list of runs, whenever they change."""
    if run is not None:
        with served.open(run):
            pass  # an unknown run is a 404 now, not an event later
    events = follow_list(request, served) if run is None else follow_run(request, served, run)
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _cursor(run: Run, first: int) -> Json:
    """Dumps that can still receive predictions are not counted in."""
    return cursor(run, first, run.settled)


def _last_known(curve: npt.NDArray[np.float32]) -> float | None:
    known = curve[~np.isnan(curve)]
    return float(known[-1]) if len(known) else None
