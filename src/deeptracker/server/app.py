"""What is served? The API under `/api`, the built page everywhere else."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

import deeptracker
from deeptracker.errors import (
    CompanionError,
    DeepTrackerError,
    LogFileError,
    ObjectStoreError,
    RunNotFoundError,
    UnknownNameError,
)
from deeptracker.server import (
    confusion_routes,
    correlation_routes,
    experiment_routes,
    finding_routes,
    flight_routes,
    layer_routes,
    routes,
)
from deeptracker.server.access import Access, AccessMiddleware
from deeptracker.server.answers import error_response
from deeptracker.server.findings import FindingsAsked
from deeptracker.server.kept import DEFAULT_BYTES, KeptAnswersMiddleware
from deeptracker.server.runs import ServedRuns

RUNS_SHARE = 4
"""What is read and found is larger than what is sent: 1 GiB beside 256 MiB."""

STATIC = Path(deeptracker.__file__).parent / "static"
_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
        "frame-ancestors 'none'"
    ),
}

_STATUS: tuple[tuple[type[DeepTrackerError], int], ...] = (
    (RunNotFoundError, 404),
    (UnknownNameError, 404),
    (LogFileError, 500),
    (ObjectStoreError, 503),
    (CompanionError, 503),
)


def create_app(root: str, access: Access | None = None, *, cache_bytes: int = DEFAULT_BYTES) -> FastAPI:
    """The application that serves the runs below `root`; at most `cache_bytes` of answers are kept, as they were sent.

    What runs keep in memory takes RUNS_SHARE times as many at most.
    """
    app = FastAPI(
        title="DeepTracker",
        version=deeptracker.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # it would load its scripts from another site
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.served = ServedRuns(root, RUNS_SHARE * cache_bytes)
    app.state.findings = FindingsAsked()
    app.state.stopping = False
    app.include_router(routes.router)
    app.include_router(layer_routes.router)
    app.include_router(flight_routes.router)
    app.include_router(correlation_routes.router)
    app.include_router(confusion_routes.router)
    app.include_router(experiment_routes.router)
    app.include_router(finding_routes.router)
    _add_error_answers(app)
    app.add_middleware(KeptAnswersMiddleware, served=app.state.served, limit_bytes=cache_bytes)
    app.add_middleware(AccessMiddleware, access=access or Access())
    app.mount("/assets", StaticFiles(directory=STATIC / "assets", check_dir=False), name="assets")

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        index = STATIC / "index.html"
        if not index.is_file():
            return error_response(500, "the page is not built.", "Build it: make web (or install a wheel).")
        return FileResponse(index, headers=_PAGE_HEADERS)

    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.stopping = True
    await run_in_threadpool(app.state.findings.stop)


def _add_error_answers(app: FastAPI) -> None:
    @app.exception_handler(DeepTrackerError)
    async def ours(request: Request, error: DeepTrackerError) -> Response:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 409)
        return error_response(status, *_split(str(error)))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        remedy = "docs/http-api.md and /api/openapi.json say what each route takes."
        return error_response(400, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}.", remedy)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        return error_response(error.status_code, f"{request.method} {request.url.path}: {error.detail}.")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        logging.getLogger("deeptracker").error("%s %s failed", request.method, request.url.path, exc_info=error)
        return error_response(500, f"{type(error).__name__}: {error}", "Please report it, with the server's log.")


def _split(text: str) -> tuple[str, str]:
    """Message and remedy: our errors say what is wrong first, then in further sentences what to do."""
    message, _, remedy = text.partition(". ")
    return (message + "." if remedy else message), remedy
