"""How is one answer given to many readers, and how long may a browser keep it?

1. An answer is kept, as it was sent, under its address and the state of the run that it was made from. Once the run has
   grown, nobody asks for the old state again, and what is kept of it is dropped.
2. Equal questions that come while the first is being answered wait for its answer: a block is read once.
3. Answers take a bounded number of bytes together; those asked for longest ago go first.
4. A run that has ended, and of which nothing is missing or damaged, has a version (`/api/run`). What is asked for with
   the version of now never changes, so browsers may keep it for a year; everything else is asked for again each time,
   and costs a 304.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeptracker.errors import DeepTrackerError
from deeptracker.server.runs import ServedRuns

DEFAULT_BYTES = 256 << 20
LARGEST_SHARE = 4
"""An answer larger than this part of the room is not kept: it would push out all others."""

FOREVER = "private, max-age=31536000, immutable"
NEVER_KEPT = frozenset({"/api/runs", "/api/run", "/api/live", "/api/experiments"})
"""What the clock changes as well (is a run still live?), what has no end, and what comes after a run has ended."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its status, headers and body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class KeptAnswersMiddleware:
    """Answers questions about runs from what is kept, and keeps what is answered."""

    def __init__(self, app: ASGIApp, served: ServedRuns, limit_bytes: int = DEFAULT_BYTES) -> None:
        self._app = app
        self._served = served
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self._states: dict[str, str] = {}
        self._asked: dict[Key, asyncio.Lock] = {}
        self.size_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        run = _run_asked_for(scope)
        if run is None:
            await self._app(scope, receive, send)
            return
        try:
            state, _ = await run_in_threadpool(self._served.state_of, run)
        except DeepTrackerError:
            await self._app(scope, receive, send)  # which says what is wrong
            return
        self._see(run, state)
        headers = Headers(scope=scope)
        key = (run, state, scope["path"], scope["query_string"].decode("latin-1"), headers.get("accept-encoding", ""))
        answer = self._known(key) or await self._ask_once(key, scope, receive)
        await _give(answer, await self._lasts(run, scope), headers.get("if-none-match", ""), send)

    async def _lasts(self, run: str, scope: Scope) -> bool:
        """Asked for with the version of now? Looked at last: a damaged file may have been met while answering."""
        named = QueryParams(scope["query_string"]).get("v")
        if not named:
            return False
        _, version = await run_in_threadpool(self._served.state_of, run)
        return named == version

    async def _ask_once(self, key: Key, scope: Scope, receive: Receive) -> Answer:
        lock = self._asked.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                answer = self._known(key)
                if answer is None:
                    answer = await _answer_of(self._app, scope, receive)
                    self._keep(key, answer)
                return answer
        finally:
            if not lock.locked():
                self._asked.pop(key, None)

    def _known(self, key: Key) -> Answer | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _see(self, run: str, state: str) -> None:
        if self._states.get(run, state) != state:
            for key in [key for key in self._kept if key[0] == run]:
                self.size_bytes -= len(self._kept.pop(key).body)
        self._states[run] = state

    def _keep(self, key: Key, answer: Answer) -> None:
        if answer.status != 200 or len(answer.body) * LARGEST_SHARE > self._limit_bytes:
            return
        if self._states[key[0]] != key[1]:
            return  # the run has grown while it was answered
        self._kept[key] = answer
        self.size_bytes += len(answer.body)
        while self.size_bytes > self._limit_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size_bytes -= len(oldest.body)


def _run_asked_for(scope: Scope) -> str | None:
    """The run that a question is about whose answer may be kept."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    path: str = scope["path"]
    if not path.startswith("/api/") or path in NEVER_KEPT:
        return None
    return QueryParams(scope["query_string"]).get("run")


async def _answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """The whole answer, also to who has it already: the next one may not."""
    plain = dict(scope, headers=[pair for pair in scope["headers"] if pair[0] != b"if-none-match"])
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(plain, receive, collect)
    return Answer(start["status"], list(start["headers"]), bytes(body))


async def _give(answer: Answer, lasts: bool, known: str, send: Send) -> None:
    headers = MutableHeaders(raw=list(answer.headers))
    if answer.status == 200 and lasts:
        headers["cache-control"] = FOREVER
    tag = headers.get("etag", "")
    if answer.status == 200 and tag and tag in known:
        for name in ("content-length", "content-type", "content-encoding"):
            if name in headers:
                del headers[name]
        await send({"type": "http.response.start", "status": 304, "headers": headers.raw})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": answer.body})
