"""moto's server, made quicker: what it works out anew for each request, and is the same each time, is kept.

    python tests/quick_moto.py -H 127.0.0.1 -p 0       # the options of moto's own command

1. Which of its services a request is for: moto lists its own folder for that, each time.
2. The time of each object in a listing: moto writes it, and reads it again with a parser for whatever people write.
3. Connections stay open, and requests are not written down.

What requests are answered is moto's own.
"""

from functools import lru_cache
from typing import Any

from moto import server
from moto.core import serialize
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler


class Handler(MotoRequestHandler):
    """Keeps its connection open, sends an answer in one piece, and says nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_request(self, *_: Any) -> None:
        pass


if __name__ == "__main__":
    server.MotoRequestHandler = Handler  # type: ignore[misc]
    serialize.parse_to_aware_datetime = lru_cache(100_000)(serialize.parse_to_aware_datetime)
    DomainDispatcherApplication.get_backend_for_host = lru_cache(1000)(  # type: ignore[method-assign]
        DomainDispatcherApplication.get_backend_for_host
    )
    server.main()
