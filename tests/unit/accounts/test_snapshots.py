"""A snapshot of a user's row cannot be changed, at any depth."""

from types import MappingProxyType
from typing import Any

import pytest

from gatepost.accounts.snapshots import frozen


def test_every_level_is_frozen() -> None:
    stored = {"a": {"b": [1, {"c": 2}]}, "l": [1, ([3],)], "s": {1}, "y": bytearray(b"y"), "t": "text"}
    value = frozen(stored)
    assert value == MappingProxyType(
        {"a": {"b": (1, {"c": 2})}, "l": (1, ((3,),)), "s": frozenset({1}), "y": b"y", "t": "text"}
    )
    for held in (value, value["a"], value["a"]["b"][1]):
        with pytest.raises(TypeError):
            held["c"] = 3
    assert [type(value["l"]), type(value["l"][1][0]), type(value["s"]), type(value["y"])] == [
        tuple,
        tuple,
        frozenset,
        bytes,
    ]


def test_what_is_read_later_from_the_original_does_not_show() -> None:
    shared = [1]
    value = frozen([shared, shared])
    shared.append(2)
    assert value == ((1,), (1,))


def test_a_document_of_any_depth_is_frozen() -> None:
    document: Any = {}
    for _ in range(100_000):
        document = {"inner": [document]}
    value: Any = frozen(document)
    for _ in range(100_000):
        assert isinstance(value, MappingProxyType)
        value = value["inner"][0]
    assert value == {}
