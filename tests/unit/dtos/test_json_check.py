import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.dtos.json_check import JSONCheck
from gatepost.dtos.json_values import Bounds
from gatepost.errors import Problem, Unprocessable

BOUNDS = Bounds(4, 5, 2_000, doubles=True)
LARGE = JSONCheck(Bounds(100, 100))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1}',
        b'[{"a": 1}, {"a": 2}]',
        b'{"a:b": "http://x/:", "c": {"a:b": ":::"}}',
        b'"text: \\" : "',
        b' {"a" : {"b" : "\\u0000:"}} ',
        b"7",
        b"null",
        b'{"a": [[[1]]]}',
        b"12345678901234567890123456789012345678901234567890",
    ],
)
def test_strict_json_passes(body: bytes) -> None:
    JSONCheck(BOUNDS)(body)


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        (b'{"a": 1, "a": 2}', "malformed_json", '"a" appears twice'),
        (b'[{"b": {"a": ":", "\\u0061": 2}}]', "malformed_json", '"a" appears twice'),
        (b"NaN", "malformed_json", "NaN"),
        (b'{"a": 1} x', "malformed_json", "extra data"),
        (b'{"a": }', "malformed_json", "column 7"),
        (b'"\xff"', "malformed_json", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "malformed_json", "byte order mark"),
        (b"  ", "malformed_json", "empty"),
        (b"[" * 20_000 + b"]" * 20_000, "malformed_json", "too deeply"),
        (b"[[[[[1]]]]]", "invalid_body", "too_deep"),
        (b"[1,2,3,4,5,6]", "invalid_body", "too_long"),
        (b"1e999", "invalid_body", "too_large"),
        (b"1" * 5000, "invalid_body", "too_long"),
        (b'{"a":[1e300,1e300,1e300,1e300],"b":[1e300,1e300,1e300]}', "invalid_body", "2000 characters"),
        (b'"\\ud800"', "invalid_body", "invalid_text"),
        (b'{"\\ud800": 1}', "malformed_json", "surrogate"),
    ],
)
def test_what_is_not_is_refused(body: bytes, code: str, word: str) -> None:
    with pytest.raises(Problem) as raised:
        JSONCheck(BOUNDS)(body)
    assert raised.value.code == code
    assert word in f"{raised.value.detail} {raised.value.errors}"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b'{"a":{"b":[[[1]]]}}', "/a/b/0/0", "too_deep"),
        (b'{"a":[1,{"b/c":[1,2,3,4,5,6]}]}', "/a/1/b~1c", "too_long"),
        (b'{"a":[1,1e999]}', "/a/1", "too_large"),
    ],
)
def test_a_refusal_names_the_place_in_the_body(body: bytes, pointer: str, code: str) -> None:
    with pytest.raises(Unprocessable) as raised:
        JSONCheck(BOUNDS)(body)
    assert [(error.pointer, error.code) for error in raised.value.errors] == [(pointer, code)]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_whatever_python_writes_is_taken(value: Any, indent: int | None, is_ascii: bool) -> None:
    LARGE(json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode())


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), st.data())
def test_a_doubled_key_is_found_wherever_it_stands(value: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    inner = json.dumps(value)
    doubled = f"{inner[:-1]}, {json.dumps(name)}: {json.dumps(data.draw(VALUES))}}}"
    with pytest.raises(Problem, match="twice"):
        LARGE(f'[{{"outer": {doubled}}}]'.encode())
