"""Readers of a live run, as many as are told, each over a connection of its own. For benchmarks/live.py.

1. A follower listens to server-sent events, as the page does; at each new dump it asks for what it lacks (`since`), and
   then knows how long the dump took from the disk to its numbers.
2. A wanderer asks something at random, looks at it for about a second, and asks another thing.
3. An answer fails where the connection does, the status is not 200, or what comes is no frame. A connection that the
   server has closed while nothing was asked is opened again, as a browser does.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from benchmarks.live_questions import QUESTIONS, Answer, Known, Parameters, Question, decode, summed

TIMEOUT_SECONDS = 30.0


@dataclass(slots=True)
class Heard:
    """What all readers got: answers, seconds of each by route, failures in words, and when a follower saw which dump.

    `events` and `numbers` are (iteration, time): heard of by an event, and read in an answer.
    """

    answers: list[Answer] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    events: list[tuple[int, float]] = field(default_factory=list)
    numbers: list[tuple[int, float]] = field(default_factory=list)
    newest: int = -1
    lock: threading.Lock = field(default_factory=threading.Lock)


class Reader(threading.Thread):
    """One reader of a run, until `stopping` is set."""

    def __init__(self, link: str, run: str, known: Known, heard: Heard, stopping: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self._address = urlsplit(link).netloc
        self._run = run
        self._known = known
        self._heard = heard
        self._stopping = stopping
        self._rng = random.Random(seed)
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, question: Question, parameters: Parameters, held: Parameters | None = None) -> int | None:
        """Ask, and keep what came; iteration of the newest dump in the answer, None where it failed."""
        query = urlencode({"run": self._run, **parameters, **(held or {})})
        begun = time.perf_counter()
        try:
            header, arrays = decode(self._get(f"/api/{question.route}?{query}"))
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            self._connection = None
            with self._heard.lock:
                self._heard.failures.append(f"/api/{question.route}?{query}: {type(error).__name__}: {error}")
            return None
        answer = Answer(question.route, parameters, header["first"], header["dumps"], summed(arrays))
        with self._heard.lock:
            self._heard.seconds.setdefault(question.route, []).append(time.perf_counter() - begun)
            self._heard.answers.append(answer)
            self._heard.newest = max(self._heard.newest, header["iteration"])
        return int(header["iteration"])

    def _get(self, path: str) -> bytes:
        was_open = self._connection is not None
        try:
            response = self._sent(path)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not was_open:
                raise
            self._connection = None
            response = self._sent(path)
        body = response.read()
        if response.status != 200:
            raise ValueError(f"status {response.status}: {body[:200]!r}")
        return body

    def _sent(self, path: str) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_SECONDS)
        self._connection.request("GET", path)
        return self._connection.getresponse()


class Wanderer(Reader):
    """Asks one thing after the other."""

    def run(self) -> None:
        """Until told to stop."""
        weights = [question.weight for question in QUESTIONS]
        while not self._stopping.wait(self._rng.expovariate(1)):
            (question,) = self._rng.choices(QUESTIONS, weights)
            self._known = Known(*_sizes(self._known), iteration=max(0, self._heard.newest))
            self.ask(question, question.draw(self._rng, self._known))


class Follower(Reader):
    """Keeps a few charts up to date."""

    def run(self) -> None:
        """Until told to stop."""
        charts = [(question, question.draw(self._rng, self._known)) for question in QUESTIONS if question.follows]
        held: list[Parameters] = [{} for _ in charts]
        while not self._stopping.is_set():
            try:
                self._listen(lambda iteration: self._catch_up(charts, held, iteration))
            except (OSError, http.client.HTTPException, ValueError) as error:
                with self._heard.lock:
                    self._heard.failures.append(f"/api/live: {type(error).__name__}: {error}")
                self._stopping.wait(1)

    def _listen(self, hear: Callable[[int], None]) -> None:
        stream = http.client.HTTPConnection(self._address, timeout=TIMEOUT_SECONDS)
        stream.request("GET", f"/api/live?{urlencode({'run': self._run})}")
        response = stream.getresponse()
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        newest = -1
        while not self._stopping.is_set():
            line = response.readline()
            if not line:
                raise ValueError("the stream ended")
            if line.startswith(b"data: "):
                iteration = int(json.loads(line[6:])["iteration"])
                if iteration > newest:
                    newest = iteration
                    with self._heard.lock:
                        self._heard.events.append((iteration, time.time()))
                    hear(iteration)
        stream.close()

    def _catch_up(self, charts: list[tuple[Question, Parameters]], held: list[Parameters], iteration: int) -> None:
        for place, (question, parameters) in enumerate(charts):
            newest = self.ask(question, parameters, held[place])
            if newest is not None:
                held[place] = {"since": newest, "branch": 0}
                with self._heard.lock:
                    self._heard.numbers.append((newest, time.time()))


def _sizes(known: Known) -> tuple[int, int, tuple[int, ...], int]:
    return known.classes, known.samples, known.filters, known.nodes
