"""Which values of a body a row shows as well."""

import json
from typing import Any

import pytest

from gatepost.dtos.shown_values import unchanged_names
from gatepost.dtos.strict_json import read_json


def same(shown: str, sent: str) -> bool:
    """Whether the value sent counts as the one that is shown."""
    node: Any = read_json(b'{"f":%b}' % sent.encode())
    return unchanged_names(f'{{"f":{shown}}}', node) == {"f"}


@pytest.mark.parametrize(
    ("shown", "sent"),
    [
        ('"infinity"', '"infinity"'), ("[null, 1]", "[null,1]"), ("1.10", "1.1"), ("-0", "0"), ("1e2", "100"),
        ('{"a": {"b": "\\u0000"}, "c": []}', '{"c": [], "a": {"b": "\\u0000"}}'), ('{"a": 1, "a": 2}', '{"a": 2}'),
        ('"\\ud800"', '"\\ud800"'), ("null", "null"), ("true", "true"),
    ],
)  # fmt: skip
def test_a_value_that_is_shown_is_unchanged(shown: str, sent: str) -> None:
    assert same(shown, sent)


@pytest.mark.parametrize(
    ("shown", "sent"),
    [
        ('"infinity"', '"-infinity"'), ("1", '"1"'), ("1", "true"), ("0", "false"), ("0", "null"), ("[1]", "[1,null]"),
        ('{"a": 1}', "{}"), ("{}", '{"a": null}'), ("[]", "{}"), ("0.1", "0.10000000000000001"), ('"1"', "1"),
    ],
)  # fmt: skip
def test_another_value_is_not(shown: str, sent: str) -> None:
    assert not same(shown, sent)


def test_a_field_that_the_row_does_not_show_is_not() -> None:
    assert unchanged_names("{}", {"f": None}) == frozenset()
    assert unchanged_names('{"g":"infinity"}', {"f": "infinity", "g": "infinity"}) == {"g"}


def test_a_document_that_nests_too_deeply_to_compare_is_not() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert unchanged_names(f'{{"f":{deep}}}', {"f": json.loads("[]")}) == frozenset()
