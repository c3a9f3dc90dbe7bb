"""The routes of docs/http-api.md that concern layers and filters: parse, ask `Run`, encode.

What is said of the filters of a dump never changes once it is shown, so all dumps that are shown are settled.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy.typing as npt
from fastapi import APIRouter, Query, Request, Response

from deeptracker.analysis.filters import FilterOrder, Normalisation
from deeptracker.errors import UnknownNameError
from deeptracker.run import Run
from deeptracker.schema import FILTER_MEASURES, NODE_MEASURES
from deeptracker.server.answers import frame_response
from deeptracker.server.frame import encode_frame, to_bytes
from deeptracker.server.questions import (
    FRAME,
    Branch,
    FilterIndex,
    HeldLevel,
    LayerIndex,
    NewColumns,
    RunId,
    Served,
    Shown,
    Since,
    cursor,
)
from deeptracker.server.runs import Json

router = APIRouter(prefix="/api")

Measure = Annotated[str, Query(description="name of a measure, from filter_measures or node_measures of /api/network")]
NodeIndex = Annotated[int, Query(ge=0, description="index of a node of /api/network")]
Count = Annotated[int, Query(ge=1, description="how many filters")]


@router.get("/network")
def network(served: Served, run: RunId) -> Json:
    """Layers, hierarchy and graph, and what may be asked of them."""
    with served.open(run) as it:
        known = it.network()
        return {
            "layers": [asdict(layer) for layer in known.layers],
            "nodes": [{"name": x.name, "parent": x.parent, "layer": x.layer} for x in it.nodes()],
            "graph": asdict(known.graph),
            "source": known.source,
            "filter_measures": FILTER_MEASURES,
            "node_measures": NODE_MEASURES,
            "kernel_layer": it.kernel_layer(),
        }


@router.get("/node-stats", response_class=Response, responses=FRAME)
def node_stats(
    request: Request,
    served: Served,
    room: Shown,
    run: RunId,
    measure: Measure,
    since: Since = None,
    branch: Branch = None,
    level: HeldLevel = None,
) -> Response:
    """One measure of every node at each new dump, or in columns."""
    with served.open(run) as it:
        header: Json = {"measure": measure}
        if room.width is None:
            first = it.first_new_dump(since, branch)
            arrays = {"values": it.node_stats(measure)[:, first:]}
        else:
            found = it.node_levels(measure, room.width, room.first, room.end)
            new = NewColumns.of(it, found, since, branch, level)
            first = new.first
            arrays = {"values": found.mean[:, new.skipped :]}
            if found.level > 1:
                arrays |= {"lowest": found.min[:, new.skipped :], "highest": found.max[:, new.skipped :]}
            header |= {"level": found.level, "from": found.first}
        return frame_response(request, encode_frame(arrays, header | _cursor(it, first)))


@router.get("/box", response_class=Response, responses=FRAME)
def box(
    request: Request,
    served: Served,
    run: RunId,
    node: NodeIndex,
    measure: Measure,
    since: Since = None,
    branch: Branch = None,
) -> Response:
    """How filters, weights or gradients of one node are distributed at each new dump."""
    with served.open(run) as it:
        first = it.first_new_dump(since, branch)
        found = it.box(node, measure)
        header: Json = {"node": node, "measure": measure, "of": found.of}
        return frame_response(request, encode_frame({"values": found.values[:, first:]}, header | _cursor(it, first)))


@router.get("/filters", response_class=Response, responses=FRAME)
def filters(
    request: Request,
    served: Served,
    room: Shown,
    run: RunId,
    layer: LayerIndex,
    measure: Measure,
    normalise: Normalisation | None = None,
) -> Response:
    """One measure of every filter of a layer at each dump or in columns, in one byte each."""
    with served.open(run) as it:
        width = len(it.iterations) or 1 if room.width is None else room.width
        found = it.filter_levels(layer, measure, width, normalise, *((room.first, room.end) if room.width else ()))
        lo, hi = it.filter_span(layer, measure)
        scale = (lo, hi) if normalise is None else (-1 if lo < 0 or (found.min < 0).any() else 0, 1)
        arrays: dict[str, npt.NDArray[Any]] = {
            "cells": to_bytes(found.extremes, *scale),
            "size": found.sizes.ravel(),
            "never": it.never_changing(layer),
        }
        header: Json = {"layer": layer, "measure": measure, "normalise": normalise}
        if room.width is not None:
            header |= {"level": found.level, "from": found.first}
        return frame_response(request, encode_frame(arrays, header | _cursor(it, found.first), {"cells": scale}))


@router.get("/filter-values", response_class=Response, responses=FRAME)
def filter_values(request: Request, served: Served, run: RunId, layer: LayerIndex, measure: Measure) -> Response:
    """One measure of every filter of a layer at each dump, as recorded."""
    with served.open(run) as it:
        values = it.filter_stats(layer, measure)
        header: Json = {"layer": layer, "measure": measure}
        return frame_response(request, encode_frame({"values": values}, header | _cursor(it, 0)))


@router.get("/filter-order", response_class=Response, responses=FRAME)
def filter_order(
    request: Request, served: Served, run: RunId, layer: LayerIndex, measure: Measure, by: FilterOrder = "similarity"
) -> Response:
    """The filters of a layer in the order in which to draw them."""
    with served.open(run) as it:
        found = it.filter_order(layer, measure, by)
        header: Json = {"layer": layer, "measure": measure, "by": by, "order_method": found.method}
        return frame_response(request, encode_frame({"order": found.order}, header | _cursor(it, 0)))


@router.get("/filter", response_class=Response, responses=FRAME)
def one_filter(request: Request, served: Served, run: RunId, layer: LayerIndex, filter: FilterIndex) -> Response:
    """All measures of one filter at each dump."""
    with served.open(run) as it:
        values = it.filter_history(layer, filter)
        header: Json = {"layer": layer, "filter": filter, "measures": FILTER_MEASURES}
        return frame_response(request, encode_frame({"values": values}, header | _cursor(it, 0)))


@router.get("/filter-rank", response_class=Response, responses=FRAME)
def filter_rank(
    request: Request, served: Served, run: RunId, layer: LayerIndex, filter: FilterIndex, measure: Measure
) -> Response:
    """The place of one filter among all of the network at each dump."""
    with served.open(run) as it:
        rank = it.filter_rank(layer, filter, measure)
        header: Json = {"layer": layer, "filter": filter, "measure": measure, "filters": it.network().filters}
        return frame_response(request, encode_frame({"rank": rank}, header | _cursor(it, 0)))


@router.get("/top-filters", response_class=Response, responses=FRAME)
def top_filters(
    request: Request, served: Served, run: RunId, iteration: int, k: Count = 100, measure: Measure = "change"
) -> Response:
    """The filters with the largest values at one dump, over all layers."""
    with served.open(run) as it:
        found = it.top_filters(iteration, k, measure)
        arrays: dict[str, npt.NDArray[Any]] = {
            "layer": found.layer,
            "filter": found.filter,
            "value": found.value,
        }
        header: Json = {"at": iteration, "k": k, "measure": measure}
        return frame_response(request, encode_frame(arrays, header | _cursor(it, 0)))


@router.get("/top-counts", response_class=Response, responses=FRAME)
def top_counts(request: Request, served: Served, run: RunId, k: Count = 100, measure: Measure = "change") -> Response:
    """How many of the filters with the largest values at each dump are in each layer."""
    with served.open(run) as it:
        counts = it.top_counts(k, measure)
        return frame_response(request, encode_frame({"counts": counts}, {"k": k, "measure": measure} | _cursor(it, 0)))


@router.get("/kernels", response_class=Response, responses=FRAME)
def kernels(request: Request, served: Served, run: RunId, iteration: int) -> Response:
    """The weights of the first convolution at one dump."""
    with served.open(run) as it:
        found = it.kernels(iteration)
        if found is None:
            raise UnknownNameError(
                f"no kernels were recorded at iteration {iteration} of the run {run!r}. They are where the first "
                "convolution is small (docs/format.md), since recorders know of them."
            )
        header: Json = {"layer": found.layer, "at": iteration}
        return frame_response(request, encode_frame({"values": found.values}, header | _cursor(it, 0)))


def _cursor(run: Run, first: int) -> Json:
    return cursor(run, first, len(run.iterations))
