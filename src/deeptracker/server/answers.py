"""How does every answer look: an error, a frame, JSON?

1. Errors have one shape everywhere: `{"error": {"status", "message", "remedy"}}`.
2. Frames carry an ETag and are compressed where the client accepts it: zstd level 1, else gzip level 1.
"""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

from deeptracker.server.frame import MEDIA_TYPE

SMALL_BYTES = 2048
"""Below this, compressing costs more than it saves."""

WORTH_IT = 0.9
"""A frame that keeps more than this share of its bytes is sent as it is, so that the client need not unpack it."""


def error_response(status: int, message: str, remedy: str = "") -> Response:
    """An error in the one shape."""
    body = {"error": {"status": status, "message": message, "remedy": remedy}}
    return Response(json.dumps(body), status, media_type="application/json")


def frame_response(request: Request, frame: bytes) -> Response:
    """A frame, or 304 where the client has it already."""
    tag = f'"{zlib.crc32(frame):08x}-{len(frame):x}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    encoding, body = _compressed(frame, request.headers.get("accept-encoding", ""))
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(body, headers=headers, media_type=MEDIA_TYPE)


def event(name: str, data: Any, *, identity: str | None = None) -> str:
    """One server-sent event."""
    head = f"id: {identity}\n" if identity is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n"


def _compressed(body: bytes, accepted: str) -> tuple[str | None, bytes]:
    """Compressed with what the client accepts, unless that saves next to nothing: measured floats hardly repeat."""
    encoding, packed = None, body
    if len(body) < SMALL_BYTES:
        return encoding, packed
    if "zstd" in accepted:
        encoding, packed = "zstd", bytes(pa.Codec("zstd", compression_level=1).compress(body, asbytes=True))
    elif "gzip" in accepted:
        encoding, packed = "gzip", gzip.compress(body, compresslevel=1, mtime=0)
    return (encoding, packed) if len(packed) < WORTH_IT * len(body) else (None, body)
