"""Keys of several columns as a path segment: what is written is read, and no other text is."""

from typing import Any
from urllib.parse import quote, unquote

import pytest
from columns import attribute
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Integer, Text

from gatepost.dtos.path_keys import key_reader, key_writer
from gatepost.models.entity import Key

TEXTS = Key((attribute("a", Text()), attribute("b", Text()), attribute("c", Text())))
MIXED = Key((attribute("number", Integer()), attribute("text", Text()), attribute("flag", Boolean())))
SINGLE = Key((attribute("a", Text()),))

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.text("a,%2C; /", max_size=8)


@given(st.tuples(texts, texts, texts))
def test_the_texts_of_a_key_are_read_as_they_were_written(key: tuple[str, ...]) -> None:
    segment = key_writer(TEXTS)(key)
    assert segment.isascii()
    assert segment.count(",") == 2
    assert key_reader(TEXTS)(segment) == key


@given(st.integers(-(2**31), 2**31 - 1), texts, st.booleans())
def test_each_value_is_read_as_its_column_wants_it(number: int, text: str, flag: bool) -> None:
    segment = key_writer(MIXED)((number, text, flag))
    assert key_reader(MIXED)(segment) == (number, text, flag)
    assert segment == f"{number},{quote(text, safe='')},{'true' if flag else 'false'}"


@pytest.mark.parametrize("segment", ["", "1", "1,a", "1,a,true,", "1%2Ca%2Ctrue", "1.0,a,true", "1,a,yes", "1,%00,true",
                                     "2147483648,a,true", ",a,true", "1,a,"])  # fmt: skip
def test_what_is_not_a_value_of_each_column_is_no_key(segment: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the sentence
        key_reader(MIXED)(segment)


def test_a_key_of_one_column_is_read_from_the_decoded_segment() -> None:
    for key in ("a,b", "%2C", ","):
        assert key_reader(SINGLE)(key) == key
        assert unquote(key_writer(SINGLE)(key)) == key


def test_a_key_of_one_column_is_its_value_and_one_of_several_a_tuple() -> None:
    found: list[Any] = [SINGLE.of(["x"]), SINGLE.values("x"), TEXTS.of(["x", "y", "z"]), TEXTS.values(("x", "y", "z"))]
    assert found == ["x", ("x",), ("x", "y", "z"), ("x", "y", "z")]
    for key in ("xyz", ("x", "y"), ["x", "y", "z"], None):
        with pytest.raises(TypeError, match="tuple of a, b, c, not"):
            TEXTS.values(key)
