"""Bytes are kept up to a limit, fetched once however many ask, and an error is never kept."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deeptracker.store.cache import ByteCache


def test_the_limit_holds_whatever_is_asked_for() -> None:
    cache, dice, sizes = ByteCache(1000), random.Random(0), {}
    for _ in range(3000):
        key = (dice.randrange(60),)
        size = sizes.setdefault(key, dice.choice([0, 1, 10, 100, 300, 1000, 1001]))
        assert len(cache.get(key, lambda size=size: bytes(size))) == size
        assert cache.size_bytes == sum(sizes[key] for key in sizes if cache.peek(key) is not None) <= 1000


def test_what_was_used_last_stays() -> None:
    cache = ByteCache(3)
    for name in "abcad":
        cache.get((name,), lambda: b"1")
    assert [name for name in "abcd" if cache.peek((name,))] == ["a", "c", "d"]


def test_what_is_larger_than_the_limit_pushes_nothing_out() -> None:
    cache = ByteCache(10)
    cache.get(("small",), lambda: b"12345")
    assert cache.get(("large",), lambda: bytes(11)) == bytes(11)
    assert cache.peek(("small",)) == b"12345"
    assert cache.peek(("large",)) is None


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"limit_bytes must be >= 0\. Got -1\."):
        ByteCache(-1)


def test_all_who_wait_get_the_error_of_the_one_that_fetches_and_the_next_fetches_again() -> None:
    cache, asked, may_fail = ByteCache(10), threading.Semaphore(0), threading.Event()
    fetches: list[int] = []

    def fail() -> bytes:
        fetches.append(1)
        asked.release()
        assert may_fail.wait(20)
        raise OSError("broken")

    def ask() -> bytes:
        return cache.get(("a",), fail)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask)
        assert asked.acquire(timeout=20)
        others = [pool.submit(ask) for _ in range(3)]
        while len(cache._under_way["a",]._condition._waiters) < 3:  # type: ignore[attr-defined]
            time.sleep(0.001)
        may_fail.set()
        for one in (first, *others):
            with pytest.raises(OSError, match="broken"):
                one.result()
    assert fetches == [1]
    assert cache.get(("a",), lambda: b"now") == b"now"


def test_what_is_forgotten_while_it_is_fetched_is_not_kept() -> None:
    cache = ByteCache(100)

    def fetch() -> bytes:
        cache.forget("run", "log/a")
        assert cache.get(("run", "log/a"), lambda: b"new") == b"new"
        return b"old"

    assert cache.get(("run", "log/a"), fetch) == b"old"
    assert cache.peek(("run", "log/a")) == b"new"


def test_forgetting_takes_the_keys_that_begin_alike_and_no_others() -> None:
    cache = ByteCache(100)
    keys = [("run", "a", 1), ("run", "a", 2), ("run", "ab", 1), ("other", "a", 1)]
    for key in keys:
        cache.get(key, lambda: b"1")
    cache.forget("run", "a")
    assert [key for key in keys if cache.peek(key)] == keys[2:]
    assert cache.size_bytes == 2
    cache.forget()
    assert cache.size_bytes == 0
