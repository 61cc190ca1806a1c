"""A cache whose keys clients choose never grows beyond its size."""

import pytest

from gatepost.bounded_cache import BoundedCache


def filled(size_max: int, **kept: int) -> BoundedCache[str, int]:
    cache = BoundedCache[str, int](size_max)
    for key, value in kept.items():
        cache[key] = value
    return cache


def test_one_more_than_the_bound_evicts_the_oldest_and_is_counted() -> None:
    cache = filled(2, a=1, b=2)
    assert (cache.evictions, cache.get("a")) == (0, 1)

    cache["c"] = 3

    assert (dict(cache), cache.evictions) == ({"b": 2, "c": 3}, 1)


def test_an_entry_that_is_replaced_evicts_none_and_keeps_its_age() -> None:
    cache = filled(2, a=1, b=2)

    cache["a"] = 3
    assert (dict(cache), cache.evictions) == ({"a": 3, "b": 2}, 0)

    cache["c"] = 4
    assert dict(cache) == {"b": 2, "c": 4}


def test_what_was_removed_makes_room() -> None:
    cache = filled(2, a=1, b=2)
    del cache["b"]
    cache["c"] = 3
    assert (dict(cache), cache.evictions) == ({"a": 1, "c": 3}, 0)

    cache.clear()
    assert not cache


def test_what_is_evicted_is_handed_over_when_it_is_gone() -> None:
    evicted: list[tuple[str, int, bool]] = []
    cache = BoundedCache[str, int](1, lambda key, value: evicted.append((key, value, key in cache)))
    cache["a"] = 1
    cache["b"] = 2
    assert evicted == [("a", 1, False)]


@pytest.mark.parametrize("name", ["update", "setdefault", "__ior__"])
def test_what_would_pass_by_the_bound_cannot_be_called(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(filled(2, a=1), name)({"b": 2})


def test_a_hit_runs_no_code_of_ours() -> None:
    for name in ("get", "__getitem__", "__contains__", "__len__"):
        assert getattr(BoundedCache, name) is getattr(dict, name)
