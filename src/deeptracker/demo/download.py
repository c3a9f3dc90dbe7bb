"""How does a file come from the network: whole and right, or not at all?

1. The bytes go to a temporary name beside the target, are counted to the caller and hashed as they come.
2. Only a file of the expected MD5 is flushed, synced and renamed to its name. (MD5 is what the publishers of data
   sets state; it guards against damage, and the readers guard against malice.)
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from deeptracker.errors import DatasetError

OnDownload = Callable[[int, int | None], None]

_PIECE_BYTES = 1 << 18
_TIMEOUT_SECONDS = 30.0


def download(url: str, target: Path, *, md5: str, on_download: OnDownload | None = None) -> Path:
    """Fetch `url` to `target` and return `target`. `on_download(bytes done, bytes in all or None)` follows it.

    DatasetError if the server cannot be reached or what comes has another MD5; then there is no file at `target`.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        got = _fetch(url, temporary, on_download)
        if got != md5:
            raise DatasetError(
                f"{url} must have the MD5 {md5}. What came has {got}: it was cut short or changed on the way. "
                f"Try again. {_by_hand(target)}"
            )
        os.replace(temporary, target)
    except (OSError, HTTPException) as error:  # URLError, timeouts and a full disk are OSErrors
        raise DatasetError(f"cannot download {url} to {target.parent} ({error}). {_by_hand(target)}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _fetch(url: str, temporary: Path, on_download: OnDownload | None) -> str:
    """Write the bytes of `url` and return their MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    with urlopen(url, timeout=_TIMEOUT_SECONDS) as answer, temporary.open("wb") as file:
        length = answer.headers.get("Content-Length")
        total = int(length) if length is not None else None
        while piece := answer.read(_PIECE_BYTES):
            file.write(piece)
            digest.update(piece)
            done += len(piece)
            if on_download is not None:
                on_download(done, total)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _by_hand(target: Path) -> str:
    return (
        f"Or fetch it on a machine with a network and put it at {target}, "
        "or name its place: deeptracker demo --dataset PATH"
    )
