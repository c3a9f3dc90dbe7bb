"""The route of docs/http-api.md that tells what was tried on filters. Experiments are made by a command, never here."""

from __future__ import annotations

from fastapi import APIRouter

from deeptracker.server.questions import RunId, Served
from deeptracker.server.runs import Json

router = APIRouter(prefix="/api")


@router.get("/experiments")
def experiments(served: Served, run: RunId) -> Json:
    """What inactivating filters of this run did, the newest experiment first."""
    with served.open(run) as it:
        names = [layer.name for layer in it.network().layers] if it.has_network else []
        told = [one.as_dict() for one in it.experiments()]
    places = {name: place for place, name in enumerate(names)}
    for one in told:
        one["filters"] = [
            {"layer": places.get(group["layer"]), "name": group["layer"], "filters": group["filters"]}
            for group in one["filters"]
        ]
    return {"experiments": told}
