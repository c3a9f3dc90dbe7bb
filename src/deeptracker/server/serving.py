"""How is the application put on an address?

1. The socket is bound before anything is printed, so the link is right even for port 0, and an occupied port is told
   at once.
2. An address other than 127.0.0.1 gets a token, made here if none was given.
3. While it serves, the indexes of the runs are built (indexer.py), unless that is not wanted.
4. When it is to end, streams and the look for findings end first, so that nobody waits for those who wait.
5. Where the runs cannot be looked for, that is told at once and not only to who opens the page. It serves all the same:
   an object store may be back in a moment.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable
from importlib import import_module
from types import FrameType

import uvicorn
from fastapi import FastAPI

from deeptracker.errors import DeepTrackerError
from deeptracker.server.access import access_for, is_loopback
from deeptracker.server.app import create_app
from deeptracker.server.indexer import Indexer
from deeptracker.server.kept import DEFAULT_BYTES
from deeptracker.server.runs import ServedRuns

Say = Callable[[str], None]


class Server:
    """A server that has its address, and runs when told to. `link` opens its page.

    What people should know is told to `say`, one line each. Without `index` no indexes are built.
    """

    def __init__(
        self,
        root: str,
        *,
        host: str,
        port: int,
        token: str | None,
        allowed: tuple[str, ...] = (),
        cache_bytes: int = DEFAULT_BYTES,
        index: bool = False,
        say: Say | None = None,
    ) -> None:
        if token is None and not is_loopback(host):
            token = secrets.token_urlsafe(24)
        access = access_for(host, token, allowed)
        self._socket = _bind(host, port)
        shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        self.link = f"http://{shown}:{self._socket.getsockname()[1]}/" + (f"?token={token}" if token else "")
        self._app = create_app(root, access, cache_bytes=cache_bytes)
        config = uvicorn.Config(self._app, log_level="warning", timeout_graceful_shutdown=2)
        self._server = _StreamEndingServer(config, self._app)
        self._say: Say = say or _nobody_listens
        self._indexer = Indexer(self._app.state.served, self._say) if index else None

    def run(self) -> None:
        """Serve until stopped, by `stop` or Ctrl+C."""
        # scikit-learn takes over a second to import: done now, so that the first picture need not wait for it.
        threading.Thread(target=import_module, args=("sklearn.cluster",), daemon=True).start()
        threading.Thread(target=_look_for_runs, args=(self._app.state.served, self._say), daemon=True).start()
        if self._indexer is not None:
            self._indexer.start()
        try:
            self._server.run(sockets=[self._socket])
        finally:
            if self._indexer is not None:
                self._indexer.stop()

    def close(self) -> None:
        """Give the address back without having run."""
        self._socket.close()

    def stop(self) -> None:
        """Ask `run` to return; streams that are open are ended."""
        end_waiting(self._app)
        self._server.should_exit = True


def _look_for_runs(served: ServedRuns, say: Say) -> None:
    try:
        served.ids()
    except (DeepTrackerError, OSError) as error:
        say(f"{error} The server stays, and shows the runs once it finds them.")


def _nobody_listens(text: str) -> None:
    pass


class _StreamEndingServer(uvicorn.Server):
    """On Ctrl+C, ends first what would take long: uvicorn would wait for it, then cancel it with a traceback."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        end_waiting(self._app)
        super().handle_exit(sig, frame)


def end_waiting(app: FastAPI) -> None:
    """Tell event streams to end, and who waits for findings that there are none; waits for neither."""
    app.state.stopping = True
    threading.Thread(target=app.state.findings.stop, daemon=True).start()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's delay off (40 ms an answer) only where it sees TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host.strip("[]"), port))
        bound.listen()  # whoever follows the link at once waits for the application, and is not refused
    except OSError as error:
        bound.close()
        raise DeepTrackerError(
            f"cannot listen on {host}:{port} ({error.strerror}). Take another port: --port 0 finds a free one."
        ) from error
    return bound
