"""The routes of docs/http-api.md that concern the iterations before a dump (flights): parse, ask `Run`, encode.

A flight is written once, so what is said of one stays the same as long as its dump is shown.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy.typing as npt
from fastapi import APIRouter, Query, Request, Response

from deeptracker.analysis.filters import Normalisation
from deeptracker.run.flights import FlightSummary
from deeptracker.schema import FLIGHT_MEASURES
from deeptracker.server.answers import frame_response
from deeptracker.server.frame import encode_frame, to_bytes
from deeptracker.server.questions import FRAME, FilterIndex, LayerIndex, RunId, Served
from deeptracker.server.runs import Json

router = APIRouter(prefix="/api")

Dump = Annotated[int, Query(ge=0, description="iteration of the dump that a flight was kept for, from /api/flights")]
Measure = Annotated[str, Query(description="name of a measure, from measures of /api/flights")]


@router.get("/flights")
def flights(served: Served, run: RunId) -> Json:
    """The flights of a run, by dump."""
    with served.open(run) as it:
        return {"flights": [_told(one) for one in it.flights()], "measures": FLIGHT_MEASURES}


@router.get("/flight")
def flight(served: Served, run: RunId, dump: Dump) -> Json:
    """One flight, with all of its iterations."""
    with served.open(run) as it:
        iterations = it.flight_iterations(dump).tolist()
        (found,) = (one for one in it.flights() if one.dump == dump)
        return {**_told(found), "iterations": iterations, "measures": FLIGHT_MEASURES}


@router.get("/flight-nodes", response_class=Response, responses=FRAME)
def flight_nodes(request: Request, served: Served, run: RunId, dump: Dump, measure: Measure) -> Response:
    """One measure of every node at each iteration of a flight."""
    with served.open(run) as it:
        arrays: dict[str, npt.NDArray[Any]] = {"values": it.flight_node_stats(dump, measure)}
        return frame_response(request, encode_frame(arrays, {"dump": dump, "measure": measure}))


@router.get("/flight-filters", response_class=Response, responses=FRAME)
def flight_filters(
    request: Request,
    served: Served,
    run: RunId,
    dump: Dump,
    layer: LayerIndex,
    measure: Measure,
    normalise: Normalisation | None = None,
) -> Response:
    """One measure of every filter of a layer at each iteration of a flight: as recorded, or in one byte each."""
    with served.open(run) as it:
        found = it.normalised_flight(dump, layer, measure, normalise)
    header: Json = {"dump": dump, "layer": layer, "measure": measure, "normalise": normalise}
    if normalise is None:
        return frame_response(request, encode_frame({"values": found.values}, header))
    scale = (-1 if (found.values < 0).any() else 0, 1)
    arrays: dict[str, npt.NDArray[Any]] = {"cells": to_bytes(found.values, *scale), "size": found.sizes.ravel()}
    return frame_response(request, encode_frame(arrays, header, {"cells": scale}))


@router.get("/flight-filter", response_class=Response, responses=FRAME)
def flight_filter(
    request: Request, served: Served, run: RunId, dump: Dump, layer: LayerIndex, filter: FilterIndex
) -> Response:
    """All measures of one filter at each iteration of a flight."""
    with served.open(run) as it:
        values = it.flight_filter(dump, layer, filter)
    header: Json = {"dump": dump, "layer": layer, "filter": filter, "measures": FLIGHT_MEASURES}
    return frame_response(request, encode_frame({"values": values}, header))


@router.get("/flight-batch")
def flight_batch(
    served: Served,
    run: RunId,
    dump: Dump,
    iteration: Annotated[int, Query(ge=0, description="one of the flight's iterations")],
) -> Json:
    """Ids of the training samples in the batch of one iteration of a flight."""
    with served.open(run) as it:
        ids = it.flight_batch(dump, iteration)
    # As text: a page's numbers have 53 bits, and ids may be hashes.
    return {"dump": dump, "at": iteration, "ids": [str(one) for one in ids.tolist()]}


def _told(flight: FlightSummary) -> Json:
    told = asdict(flight)
    told["reasons"] = [{("class" if name == "cls" else name): one[name] for name in one} for one in told["reasons"]]
    return told
