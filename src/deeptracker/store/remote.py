"""How are the files of an object store read and written, and what is said when it refuses?

1. obstore does the requests: one PUT a file, range requests, listings. Where it is, and who we are, it takes from the
   environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID ...). Where a request fails it is made again,
   for READ_SECONDS as somebody may wait for it, for WRITE_SECONDS as what is not written is lost.
2. Files that are written once and never again are kept in `cache.FETCHED` once fetched; `run.json`, `network.json` and
   every `zarr.json` are replaced, so they are fetched each time.
3. What obstore raises becomes one sentence with a remedy. It names the place and not the file, and no times: a
   recorder tells a trouble once, however many files it keeps from being written.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import from_url

from deeptracker.errors import LogFileError, ObjectStoreError
from deeptracker.store import cache
from deeptracker.store.ranges import RangedFile

if TYPE_CHECKING:
    from obstore.store import BackoffConfig

RETRIES = 20
READ_SECONDS = 10.0
WRITE_SECONDS = 30.0
_WAITS: BackoffConfig = {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5), "base": 3}
"""Between tries. obstore's own waits do not grow, as they are drawn up to twice the last: ten tries took 2 to 7 s."""

_WRITTEN_ONCE = ("log/", "samples/", "index/")
_REPLACED = "zarr.json"

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_SERVICE_ACCOUNT",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_NO_BUCKET = ("NoSuchBucket", "specified bucket does not exist", "ContainerNotFound")
_NO_CREDENTIALS = ("169.254.", "Missing AccessKeyId", "Missing SecretAccessKey", "Account must be specified")
"""The address is where a cloud tells its own machines who they are; it is asked where the environment says nothing."""
_REFUSED = re.compile("status code: 40[13] ")

_numbers = itertools.count()

FilesAndFolders = tuple[list[str], list[str]]


class RemoteFiles:
    """The files below the URL of an object store; ObjectStoreError where it cannot be used."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._number = next(_numbers)  # two of one place share nothing: a run may have been recorded anew in between
        with self._told():
            self._store = self._opened(READ_SECONDS)
        # A store in memory, as the tests use it, is another one each time it is opened.
        self._store_to_write: Any = self._store if url.startswith("memory:") else None

    def get(self, path: str) -> bytes:
        """All bytes of a file; FileNotFoundError if there is none."""
        return self._kept(path, "whole", lambda: cast(bytes, self._store.get(path).bytes().to_bytes()))

    def range(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on; LogFileError where the file has fewer, FileNotFoundError if there is none."""
        whole = cache.FETCHED.peek((self._number, path, "whole"))
        if whole is None:
            return self._kept(path, (start, length), lambda: self._fetch(path, start, length))
        return whole_range(whole[start : start + length], f"{self._url}/{path}", start, length, len(whole))

    def size(self, path: str) -> int:
        """How many bytes a file has; FileNotFoundError if there is none."""
        return int.from_bytes(self._kept(path, "size", lambda: self._head_size(path).to_bytes(8, "big")), "big")

    def changed_ns(self, folder: str) -> None:
        """An object store has no folders, so nothing tells whether one has changed but to list it."""

    def exists(self, path: str) -> bool:
        """Is there such a file now? Asked each time: whatever is kept may have been removed meanwhile."""
        try:
            with self._told(path):
                self._head_size(path)
        except FileNotFoundError:
            return False
        return True

    def put(self, path: str, data: bytes) -> None:
        """Write or replace a file in one PUT."""
        with self._told(path):
            if self._store_to_write is None:
                self._store_to_write = self._opened(WRITE_SECONDS)
            self._store_to_write.put(path, data, use_multipart=False)
        cache.FETCHED.forget(self._number, path)

    def list(self, prefix: str, after: str | None) -> list[Any]:
        """What obstore knows of each file below `prefix`."""
        with self._told():
            return [meta for page in self._store.list(prefix or None, offset=after) for meta in page]

    def view(self, path: str) -> pa.Buffer:
        """All bytes of a file, as a buffer."""
        return pa.py_buffer(self.get(path))

    def sparse_view(self, path: str) -> pa.Buffer:
        """The same: it takes one request to fetch all of it, and several to find out which part is wanted."""
        return self.view(path)

    def part_view(self, path: str) -> pa.PythonFile:
        """A file of which only the parts that are read are fetched."""
        return pa.PythonFile(RangedFile(self.size(path), lambda start, length: self.range(path, start, length)), "r")

    def level(self, folder: str) -> FilesAndFolders:
        """The names of the files and of the folders right below a folder; both empty if there is none."""
        with self._told():
            found = self._store.list_with_delimiter(folder or None)
        paths = [meta["path"] for meta in found["objects"]]
        files, folders = ([path.rsplit("/", 1)[-1] for path in part] for part in (paths, found["common_prefixes"]))
        return files, folders

    def _opened(self, seconds: float) -> Any:
        """The store, whose requests are made again for so long."""
        limit = timedelta(seconds=seconds)
        return from_url(self._url, retry_config={"max_retries": RETRIES, "retry_timeout": limit, "backoff": _WAITS})

    def _kept(self, path: str, part: object, fetch: Callable[[], bytes]) -> bytes:
        with self._told(path):
            if path.startswith(_WRITTEN_ONCE) and not path.endswith(_REPLACED):
                return cache.FETCHED.get((self._number, path, part), fetch)
            return fetch()

    def _fetch(self, path: str, start: int, length: int) -> bytes:
        name = f"{self._url}/{path}"
        try:
            answer = self._store.get(path, options={"range": (start, start + length)})
            return whole_range(answer.bytes().to_bytes(), name, start, length, answer.meta["size"])
        except BaseError as error:
            # A range that begins beyond the end is refused, by each store in its own words.
            size = self._head_size(path) if "range" in str(error).lower() else start + 1
            if start < size:
                raise
            return whole_range(b"", name, start, length, size)

    def _head_size(self, path: str) -> int:
        return cast(int, self._store.head(path)["size"])

    @contextmanager
    def _told(self, path: str = "") -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if any(sign in str(error) for sign in _NO_BUCKET):
                raise ObjectStoreError(_in_words(self._url, error)) from error
            raise FileNotFoundError(f"no file {self._url}/{path}.") from error
        except BaseError as error:
            raise ObjectStoreError(_in_words(self._url, error)) from error


def whole_range(data: bytes, name: str, start: int, length: int, size: int) -> bytes:
    """The bytes read of a file of `size` bytes, if they are as many as were asked for; else LogFileError."""
    if len(data) == length:
        return data
    raise LogFileError(f"{name} must have {start + length} bytes or more. It has {size}: it is cut short.")


def _in_words(url: str, error: Exception) -> str:
    """What is wrong, and what to do about it."""
    scheme = url.partition("://")[0].removesuffix("a")
    credentials = _CREDENTIALS.get(scheme, "the credentials of the store in the environment")
    where = os.environ.get("AWS_ENDPOINT_URL") if scheme == "s3" else None
    at = f" at {where}" if where else ""
    text = str(error).partition("\n\nDebug source")[0]
    if any(sign in text for sign in _NO_BUCKET):
        return f"{url} must lie in a bucket that exists. There is none of that name{at}. Create it, or correct the URL."
    if "Unable to recognise URL" in text:
        return f"{url} must be the URL of an object store, such as s3://bucket/runs. It is not. Correct it."
    if any(sign in text for sign in _NO_CREDENTIALS):
        return f"{url} must be opened with credentials. The environment has none. Set {credentials}."
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _REFUSED.search(text):
        return (
            f"{url} must be open to these credentials. The store{at} refuses them{_code(text)}. "
            f"Set {credentials} to those of somebody who may read and write there."
        )
    if "region" in text:
        return f"{url} must be asked for in its own region. The store sends us elsewhere. Set AWS_REGION."
    if "HTTP error" in text:
        return (
            f"{url} must be reachable. The store{at} cannot be reached, or breaks off. "
            "Check the network and the address (s3: AWS_ENDPOINT_URL, and AWS_ALLOW_HTTP=true where it is plain http)."
        )
    said = re.sub(r"\s+", " ", text)[:300].rstrip(". ")
    status = re.search(r"status code: (\d+ [A-Za-z ]*)", text)
    if status:
        said = f"it answers {status[1].strip()}{_code(text)}"
    return f"{url} must be usable. The store{at} says no: {said}. Check its address and its own log."


def _code(text: str) -> str:
    found = re.search(r"<Code>(\w+)</Code>", text)
    return f" ({found[1]})" if found else ""
