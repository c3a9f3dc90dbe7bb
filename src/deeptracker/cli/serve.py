"""`deeptracker serve`"""

from __future__ import annotations

from typing import Annotated

import typer

from deeptracker.cli.console import NoOpen, Port, Root, check_root, open_page, out

Host = Annotated[str, typer.Option(help="Address to listen on; anything but 127.0.0.1 needs a token.")]
Token = Annotated[str | None, typer.Option(envvar="DEEPTRACKER_TOKEN", help="Token that every request must carry.")]
CacheMb = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="MIB", help="Memory for answers, and as much for files fetched from an object store; else 256."
    ),
]


def serve(
    root: Root = "runs",
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="A further name this server is reached by.")] = None,
    cache_mb: CacheMb = None,
    no_open: NoOpen = False,
) -> None:
    """Show the runs below a folder, live, in the browser.

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
    server = Server(root, host=host, port=port, token=token, allowed=tuple(allow_host or ()), cache_bytes=kept_bytes)
    out.print(f"DeepTracker shows the runs at [bold cyan]{server.link}[/bold cyan]   (Ctrl+C stops)")
    if not no_open:
        open_page(server.link)
    server.run()
