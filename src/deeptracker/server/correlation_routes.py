"""The routes of docs/http-api.md that concern filters and classes together: parse, ask `Run`, encode."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Depends, Query, Request, Response

from deeptracker.analysis.correlation import SIGNIFICANT, Correlation, Rule
from deeptracker.analysis.levels import columns_for
from deeptracker.run import Run
from deeptracker.run.correlation import Movers, Rows
from deeptracker.server.answers import frame_response
from deeptracker.server.frame import encode_frame, to_bytes
from deeptracker.server.questions import FRAME, RunId, Served, Shown, cursor
from deeptracker.server.runs import Json

router = APIRouter(prefix="/api")

Listed = Annotated[str | None, Query(pattern=r"^(\d{1,9}(-\d{1,9})?)(\.\d{1,9}(-\d{1,9})?)*$")]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is asked: which anomalies, which anomaly filters, and what of it is to be shown."""

    window: Annotated[int, Query(ge=1, description="the paper's k, in dumps")] = 10
    threshold: Annotated[float, Query(ge=0, le=1, description="score of an anomaly, a share")] = 0.35
    rule: Annotated[Rule, Query()] = "either"
    top: Annotated[int, Query(ge=1, description="so many filters are anomaly filters at an iteration")] = 100
    measure: Annotated[str, Query(description="a filter distance")] = "change"
    above: Annotated[float | None, Query(description="instead of `top`: all filters with a larger value")] = None
    min_appearances: Annotated[int, Query(ge=1, description="iterations at which a mini-set appears at least")] = 1
    significant: Annotated[bool, Query(description="only what chance does not explain")] = False
    first: Annotated[int | None, Query(description="iteration of training, inclusive")] = None
    last: Annotated[int | None, Query(description="iteration of training, inclusive")] = None
    classes: Listed = None
    layers: Listed = None

    def ask(self, run: Run) -> Correlation:
        """Put the question to a run."""
        return run.correlation(
            self.window,
            self.threshold,
            rule=self.rule,
            movers=Movers(self.top, self.measure, self.above),
            min_appearances=self.min_appearances,
            only_significant=self.significant,
            first=self.first,
            last=self.last,
            classes=_numbers(self.classes, len(run.class_names)),
            layers=_numbers(self.layers, len(run.network().layers)),
        )


Asked = Annotated[Setting, Depends()]


@router.get("/correlation", response_class=Response, responses=FRAME)
def correlation(request: Request, served: Served, run: RunId, setting: Asked) -> Response:
    """Mini-sets of anomaly filters, the classes that jump when they move, and how surprising that is."""
    with served.open(run) as it:
        found = setting.ask(it)
        columns, filters, sets, pairs = found.columns, found.filters, found.sets, found.pairs
        arrays: dict[str, npt.NDArray[Any]] = {
            "class": columns.classes,
            "class_offsets": columns.offsets,
            "column_dump": columns.dumps,
            "column_left": columns.left,
            "column_right": columns.right,
            "layer": filters.layers,
            "layer_offsets": filters.offsets,
            "filter": filters.filters,
            "filter_set": filters.sets,
            "set_layer": sets.layer,
            "set_size": sets.size,
            "set_id": sets.id.astype(np.float64),
            "appearance_set": found.appearances.set,
            "appearance_dump": found.appearances.dump,
            "pair_set": pairs.set,
            "pair_class": pairs.cls,
            "pair_hits": pairs.hits,
            "pair_p": pairs.p.astype(np.float32),
            "pair_q": pairs.q.astype(np.float32),
            "counts": found.counts,
        }
        highest = it.anomalies(setting.window, setting.threshold).highest
        header: Json = {
            "window": setting.window,
            "threshold": setting.threshold,
            "rule": setting.rule,
            "top": setting.top,
            "above": setting.above,
            "measure": setting.measure,
            "min_appearances": setting.min_appearances,
            "significant": setting.significant,
            "level": SIGNIFICANT,
            "extent": asdict(found.extent),
            "highest": highest
            and {"score": highest.score, "class": highest.cls, "dump": highest.dump, "rule": highest.rule},
        }
        return frame_response(request, encode_frame(arrays, header | cursor(it, 0, it.settled)))


@router.get("/correlation-rows", response_class=Response, responses=FRAME)
def correlation_rows(
    request: Request,
    served: Served,
    run: RunId,
    setting: Asked,
    room: Shown,
    by: Annotated[Rows, Query()] = "filter",
) -> Response:
    """How far the anomaly filters of `/api/correlation` moved at each dump, in one byte each."""
    with served.open(run) as it:
        found = setting.ask(it)
        header: Json = {"by": by, "measure": setting.measure}
        if room.width is None:
            shares = it.anomaly_rows(found, setting.measure, by)
        else:
            asked = columns_for(len(it.iterations), room.width, room.first, room.end)
            # Columns begin at multiples of the level, so those of a range are some of those of the whole run.
            place = asked.first // asked.level
            shares = it.anomaly_rows(found, setting.measure, by, asked.level)[:, place : place + asked.count]
            header |= {"level": asked.level, "from": asked.first}
        arrays = {"cells": to_bytes(shares, 0, 1)}
        return frame_response(request, encode_frame(arrays, header | cursor(it, 0, it.settled), {"cells": (0, 1)}))


def _numbers(listed: str | None, end: int) -> list[int] | None:
    """`3-5.40` as numbers below `end`; None where nothing is listed."""
    if listed is None:
        return None
    found: set[int] = set()
    for part in listed.split("."):
        first, _, last = part.partition("-")
        found.update(range(int(first), min(int(last or first) + 1, end)))
    return sorted(found)
