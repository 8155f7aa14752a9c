"""The cache of results: what is kept, what is dropped first, and that each is made once."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pages.app.result_cache import ResultCache


def test_the_least_recently_used_value_is_dropped_first() -> None:
    cache = ResultCache(max_bytes=100)
    for name in "abc":
        cache.put(name, name.upper(), 40)
        cache.get("a")
    assert [cache.get(name) for name in "abc"] == ["A", None, "C"]


def test_a_value_larger_than_the_cache_is_kept_until_the_next() -> None:
    cache = ResultCache(max_bytes=100)
    cache.put("large", 1, 500)
    assert cache.get("large") == 1
    cache.put("small", 2, 1)
    assert cache.get("large") is None and cache.get("small") == 2


def test_a_cached_value_is_made_once() -> None:
    made: list[int] = []
    cache = ResultCache(max_bytes=100)
    for _ in range(2):
        assert cache.get_or_make("key", lambda: made.append(1) or "value", len) == "value"
    assert made == [1]


def test_two_threads_that_ask_at_once_get_the_same_value() -> None:
    cache, made = ResultCache(max_bytes=100), []

    def slow() -> list[int]:
        made.append(1)
        time.sleep(0.2)
        return [1]

    with ThreadPoolExecutor(4) as threads:
        values = list(threads.map(lambda _: cache.get_or_make("key", slow, len), range(4)))
    assert len(made) == 1 and all(value is values[0] for value in values)


def test_a_value_that_cannot_be_made_leaves_nothing_behind() -> None:
    cache = ResultCache(max_bytes=100)
    with pytest.raises(ValueError, match="bad"):
        cache.get_or_make("key", lambda: int("bad"), lambda _: 1)
    assert cache.get_or_make("key", lambda: "good", len) == "good" and cache.size_bytes == 4


def test_a_replaced_value_counts_once() -> None:
    cache = ResultCache(max_bytes=100)
    for size in (60, 70):
        cache.put("key", "value", size)
    assert cache.size_bytes == 70
