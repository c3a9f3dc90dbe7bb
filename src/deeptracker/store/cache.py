"""How are bytes that were fetched once not fetched again, and never twice at the same time?

1. Kept are bytes that never change, by key, no more than `limit_bytes` of them: those that were used least recently go.
2. Of several threads that ask for the same key one fetches; the others wait for its answer, or get its error.
3. `forget` drops the keys that begin alike, and what is being fetched for them is not kept either.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

CACHE_BYTES = 256 << 20
"""What a process keeps of what it has fetched from object stores, unless it is told otherwise."""

Key = tuple[Hashable, ...]


class ByteCache:
    """Bytes by key, for many threads at once.

    >>> cache = ByteCache(10)
    >>> cache.get(("a",), lambda: b"123456"), cache.get(("a",), lambda: b"not asked")
    (b'123456', b'123456')
    >>> cache.get(("b",), lambda: b"78901")
    b'78901'
    >>> cache.peek(("a",)) is None, cache.size_bytes
    (True, 5)
    """

    def __init__(self, limit_bytes: int) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._under_way: dict[Key, Future[bytes]] = {}
        self._size_bytes = 0
        self._limit_bytes = limit_bytes
        self.limit_bytes = limit_bytes

    @property
    def limit_bytes(self) -> int:
        """How many bytes are kept at most; lowering it drops what is over. ValueError for less than 0 (0: nothing)."""
        return self._limit_bytes

    @limit_bytes.setter
    def limit_bytes(self, limit: int) -> None:
        if limit < 0:
            raise ValueError(f"limit_bytes must be >= 0. Got {limit}.")
        with self._lock:
            self._limit_bytes = limit
            self._shrink()

    @property
    def size_bytes(self) -> int:
        """How many bytes are kept now."""
        return self._size_bytes

    def peek(self, key: Key) -> bytes | None:
        """What is kept under a key, or None; nothing is fetched."""
        with self._lock:
            return self._found(key)

    def get(self, key: Key, fetch: Callable[[], bytes]) -> bytes:
        """What is kept under a key, else what `fetch` brings; whatever it raises is raised, and nothing is kept."""
        with self._lock:
            found = self._found(key)
            if found is not None:
                return found
            is_ours = key not in self._under_way
            answer = self._under_way.setdefault(key, Future())
        if not is_ours:
            return answer.result()
        try:
            data = fetch()
        except BaseException as error:
            self._end(key, answer)
            answer.set_exception(error)
            raise
        self._end(key, answer, data)
        answer.set_result(data)
        return data

    def forget(self, *beginning: Hashable) -> None:
        """Drop every key that begins like this; all of them if nothing is given."""
        with self._lock:
            for key in [key for key in self._kept if key[: len(beginning)] == beginning]:
                self._size_bytes -= len(self._kept.pop(key))
            for key in [key for key in self._under_way if key[: len(beginning)] == beginning]:
                del self._under_way[key]  # who asks from now on fetches anew, and what comes is not kept

    def _found(self, key: Key) -> bytes | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def _end(self, key: Key, answer: Future[bytes], data: bytes | None = None) -> None:
        with self._lock:
            if self._under_way.get(key) is not answer:
                return
            del self._under_way[key]
            # More than the limit would push all the rest out, and then go itself.
            if data is not None and len(data) <= self._limit_bytes:
                self._kept[key] = data
                self._size_bytes += len(data)
                self._shrink()

    def _shrink(self) -> None:
        while self._size_bytes > self._limit_bytes:
            self._size_bytes -= len(self._kept.popitem(last=False)[1])


FETCHED = ByteCache(CACHE_BYTES)
"""The one cache of this process for what it fetches from object stores; set `FETCHED.limit_bytes` to bound it."""
