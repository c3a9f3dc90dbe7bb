"""How is a finding told to a chat or a program elsewhere, without training noticing?

1. A thread sends each one as JSON by POST: `text` for chats (Slack, Mattermost), and the finding in full for programs.
2. What is not taken is tried TRIES times where a later try may help. What fails then is told once, and not the address:
   it may hold a secret.
"""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from deeptracker.analysis.findings import Finding
from deeptracker.analysis.findings.as_json import as_json

TRIES = 3
WAIT_SECONDS = 1.0
"""Before the second try; before the third one four times as long."""
TIMEOUT_SECONDS = 10.0

_WORTH_ANOTHER = frozenset({408, 425, 429, 500, 502, 503, 504})


def check_webhook(address: Any) -> str | None:
    """The address, ValueError unless it is one that can be posted to."""
    if address is None:
        return None
    parts = urlsplit(str(address))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"webhook must be an address that begins with https:// or http://. Got {address!r}.")
    return str(address)


class Webhook:
    """Posts findings of the run at a place to an address, until `finish`; errors go to `fail`."""

    def __init__(self, address: str, run: str, place: str, fail: Callable[[Exception], None]) -> None:
        self._address, self._run, self._place, self._fail = address, run, place, fail
        self._findings: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="deeptracker-webhook", daemon=True)
        self._thread.start()

    def post(self, finding: Finding) -> None:
        """Hand over a finding; nobody waits."""
        self._findings.put(finding)

    def finish(self, seconds: float) -> None:
        """Send what is left, for at most so many seconds; what is not sent by then is an error."""
        self._findings.put(None)
        self._thread.join(seconds)
        self._is_ended.set()
        if self._thread.is_alive():
            self._fail(TimeoutError(f"the webhook must take all findings within {seconds:g} s of the end. It has not"))

    def _work(self) -> None:
        while (finding := self._findings.get()) is not None and not self._is_ended.is_set():
            try:
                self._send(json.dumps(body(finding, self._run, self._place)).encode())
            except Exception as error:
                self._fail(error)

    def _send(self, data: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "deeptracker"}
        request = urllib.request.Request(self._address, data, headers, method="POST")
        host = urlsplit(self._address).hostname
        for tried in range(1, TRIES + 1):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
                    return
            except urllib.error.HTTPError as error:
                wrong, is_worth_another = f"answered {error.code} {error.reason}", error.code in _WORTH_ANOTHER
                error.close()
            except (OSError, ValueError) as error:
                wrong = f"could not be reached ({getattr(error, 'reason', error)})"
                is_worth_another = True
            if tried == TRIES or not is_worth_another or self._is_ended.wait(WAIT_SECONDS * 4 ** (tried - 1)):
                raise ConnectionError(f"the webhook must take a finding. {host} {wrong}")


def body(finding: Finding, run: str, place: str) -> dict[str, Any]:
    """What is posted: docs/alerts.md."""
    see, about = f"deeptracker serve {place}", finding.about
    said = f"*{run}* · {finding.severity} · {about.title}: {finding.text}"
    text = "\n".join([said, finding.evidence, about.remedy, f"See it: `{see}`"])
    return {"text": text, "run": run, "place": place, "see": see, "time": time.time(), "finding": as_json(finding)}
