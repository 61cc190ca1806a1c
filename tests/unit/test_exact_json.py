from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.exact_json import decode, decode_exact, encode, natural

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | FLOATS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", 1.5),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("0.1", 0.1),
        ("-0.0", -0.0),
        ("12345678901234.123456", Decimal("12345678901234.123456")),
        ("1e400", Decimal("1e400")),
        ("1e-400", Decimal("1e-400")),
        ("12345678901234567890123", 12345678901234567890123),
        ("9" * 5000, Decimal("9" * 5000)),
    ],
)
def test_a_number_is_a_float_where_that_says_the_same(text: str, expected: Any) -> None:
    found = decode(f'[{text}, {{"a": {text}}}]')
    assert found == [expected, {"a": expected}]
    assert type(found[0]) is type(expected)
    assert natural(decode_exact(text)) == expected
    assert type(natural(decode_exact(text))) is type(expected)


@pytest.mark.parametrize("text", ["1.10", "12345678901234.123456", "1E+400", "1E-400", "0.10", "-0.0", "9" * 5000])
def test_an_exact_number_is_written_as_it_was_read(text: str) -> None:
    assert encode(decode_exact(f'{{"a":[{text}]}}')) == f'{{"a":[{text}]}}'


@given(DOCUMENTS)
def test_what_is_written_reads_the_same(value: Any) -> None:
    assert decode(encode(value)) == value
    assert natural(decode_exact(encode(value))) == value
    assert decode(encode(decode_exact(encode(value)))) == value


@pytest.mark.parametrize("beside", [0.5, Decimal("0.5")])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("nan"), Decimal("-inf")])
def test_what_json_has_no_number_for_is_refused(value: Any, beside: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"a": [beside, value]})


@pytest.mark.parametrize("beside", [0.5, Decimal("0.5")])
@pytest.mark.parametrize("value", [object(), {1, 2}, b"x"])
def test_what_json_does_not_have_is_refused(value: Any, beside: Any) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        encode({"a": [beside, value]})


def test_a_key_that_is_not_a_text_is_refused_beside_exact_numbers() -> None:
    with pytest.raises(TypeError, match="A key"):
        encode({1: Decimal("0.5")})


@pytest.mark.parametrize("decoded", [decode, decode_exact])
@pytest.mark.parametrize("depth", [2, 6_000])
def test_a_stored_document_may_nest_as_deep_as_postgresql_lets_it(decoded: Any, depth: int) -> None:
    inner = '{"a, \\"]": ["\\u00e9 }", -1.5e3, null, true, {}, []], "b": {"c": 12345678901234567890}}'
    found = decoded("[" * depth + inner + "]" * depth)
    for _ in range(depth):
        assert isinstance(found, list)
        (found,) = found
    assert found == {'a, "]': ["\u00e9 }", -1500, None, True, {}, []], "b": {"c": 12345678901234567890}}


def test_what_is_read_without_recursion_reads_as_with_it() -> None:
    deep = 5_000
    for text in ("1e400", "0.1", "123456789.123456789012345", "9" * 5_000, '"\\\\"', "-0.0"):
        found = decode("[" * deep + text + "]" * deep)
        for _ in range(deep):
            (found,) = found
        assert (type(found), found) == (type(decode(text)), decode(text))
