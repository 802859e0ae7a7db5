"""A bounded store that forgets what was used longest ago."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from gateway.rest.cache import Cache


def test_what_was_put_last_replaces_what_was_there() -> None:
    cache: Cache[str, int] = Cache(100)

    cache.put("a", 1, 40)
    cache.put("a", 2, 60)

    assert cache.get("a") == 2
    assert cache.size_bytes == 60


def test_the_least_recently_used_goes_first() -> None:
    cache: Cache[str, int] = Cache(100)
    cache.put("a", 1, 40)
    cache.put("b", 2, 40)

    cache.get("a")
    cache.put("c", 3, 40)

    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_what_is_larger_than_the_cache_is_not_kept_and_nothing_goes_for_it() -> None:
    cache: Cache[str, int] = Cache(100)
    cache.put("a", 1, 100)

    cache.put("b", 2, 101)

    assert (cache.get("a"), cache.get("b")) == (1, None)


def test_a_cache_of_nothing_keeps_nothing() -> None:
    cache: Cache[str, int] = Cache(0)

    cache.put("a", 1, 1)

    assert cache.get("a") is None


@given(
    st.integers(0, 50),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | st.integers(0, 30)), max_size=60),
)
def test_it_is_the_plain_model_of_such_a_store(limit: int, steps: list[tuple[str, int | None]]) -> None:
    """Against a list of pairs searched from its end: None asks, a number puts a value of that size."""
    cache: Cache[str, int] = Cache(limit)
    model: OrderedDict[str, int] = OrderedDict()

    for key, size in steps:
        if size is None:
            assert cache.get(key) == model.get(key)
            if key in model:
                model.move_to_end(key)
            continue
        cache.put(key, size, size)
        model.pop(key, None)
        if size <= limit:
            model[key] = size
        while sum(model.values()) > limit:
            model.popitem(last=False)
        assert cache.size_bytes == sum(model.values()) <= limit
