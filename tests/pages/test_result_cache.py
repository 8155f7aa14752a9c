"""The shelf of results: what is kept, and what is dropped first."""

from pages.app.result_cache import ResultCache


def test_what_was_used_longest_ago_is_dropped_first() -> None:
    shelf = ResultCache(kept_bytes=100)
    for name in "abc":
        shelf.put(name, name.upper(), 40)
        shelf.get("a")
    assert [shelf.get(name) for name in "abc"] == ["A", None, "C"]


def test_a_value_larger_than_the_shelf_is_kept_until_the_next() -> None:
    shelf = ResultCache(kept_bytes=100)
    shelf.put("large", 1, 500)
    assert shelf.get("large") == 1
    shelf.put("small", 2, 1)
    assert shelf.get("large") is None and shelf.get("small") == 2


def test_a_kept_value_is_made_once() -> None:
    made: list[int] = []
    shelf = ResultCache()
    for _ in range(2):
        assert shelf.get_or_make("key", lambda: made.append(1) or "value", len) == "value"
    assert made == [1]
