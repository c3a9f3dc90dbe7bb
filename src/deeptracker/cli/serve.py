"""`deeptracker serve`"""

from __future__ import annotations

import ctypes
import sys
from typing import Annotated

import typer

from deeptracker.cli.console import NoOpen, Port, Root, check_root, open_page, out, plain

Host = Annotated[str, typer.Option(help="Address to listen on; anything but 127.0.0.1 needs a token.")]
Token = Annotated[str | None, typer.Option(envvar="DEEPTRACKER_TOKEN", help="Token that every request must carry.")]
CacheMb = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="MIB",
        help="Memory for answers; as much for files of an object store, and 4 times as much for opened runs; else 256.",
    ),
]


def serve(
    root: Root = "runs",
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="A further name this server is reached by.")] = None,
    cache_mb: CacheMb = None,
    no_index: Annotated[bool, typer.Option("--no-index", help="Do not build the indexes of the runs.")] = False,
    no_open: NoOpen = False,
) -> None:
    """Show the runs below a folder, live, in the browser.

    Meanwhile the indexes of runs of 64 dumps and more are built, by one process of the lowest priority, wherever the
    runs may be written to.

    - `deeptracker serve runs/`
    - `deeptracker serve s3://bucket/runs`
    - `deeptracker serve runs/ --host 0.0.0.0`   (prints a link with a token)
    - `deeptracker serve runs/ --cache-mb 64`   (where memory is short)
    """
    from deeptracker.server.kept import DEFAULT_BYTES
    from deeptracker.server.serving import Server
    from deeptracker.store.cache import FETCHED

    check_root(root)
    kept_bytes = DEFAULT_BYTES if cache_mb is None else cache_mb << 20
    FETCHED.limit_bytes = kept_bytes
    server = Server(
        root,
        host=host,
        port=port,
        token=token,
        allowed=tuple(allow_host or ()),
        cache_bytes=kept_bytes,
        index=not no_index,
        say=lambda text: out.print(plain(text)),
    )
    out.print(f"DeepTracker shows the runs at [bold cyan]{server.link}[/bold cyan]   (Ctrl+C stops)")
    if not no_open:
        open_page(server.link)
    _give_freed_memory_back()
    server.run()


def _give_freed_memory_back() -> None:
    """Arrays of a MiB and more are freed to the system at once (glibc), and do not leave holes among small objects.

    By itself glibc raises that bound to 32 MiB with the first large array that is freed. After 600 questions about a
    run of 192 dumps the process then took 490 MiB instead of 387, of which 249 were kept on purpose.
    """
    largest_on_heap = -3  # M_MMAP_THRESHOLD of malloc.h
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(largest_on_heap, 1 << 20)
