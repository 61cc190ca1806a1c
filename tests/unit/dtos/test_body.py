"""Bodies as wholes: what must be there, what must not, what an actor may know of, and strict JSON."""

from typing import Any

import pytest
import sqlalchemy as sa
from columns import attribute, decoder, errors_of, refusal
from sqlalchemy.dialects.postgresql import JSONB

from gatepost.dtos.body import BodyDecoder, BodyFields, compile_body
from gatepost.dtos.json_values import Bounds
from gatepost.errors import BadRequest, Unprocessable

BOOK = (
    attribute("id", sa.Integer(), primary_key=True, has_default=True),
    attribute("title", sa.String(200)),
    attribute("price", sa.Numeric(10, 2)),
    attribute("stock", sa.Integer(), has_default=True),
    attribute("note", sa.Text(), nullable=True),
    attribute("cost", sa.Numeric(10, 2), nullable=True),
    attribute("extra", JSONB(), nullable=True),
)
CREATE = decoder(*BOOK, read_only=["id"], hidden=["cost"])
PATCH = decoder(*BOOK, read_only=["id"], hidden=["cost"], partial=True)


def test_absent_fields_are_not_among_the_values() -> None:
    assert CREATE.decode(b'{"title": "Sea", "price": 1}').values.keys() == {"title", "price"}
    assert PATCH.decode(b"{}").values == {}


def test_null_and_absent_are_told_apart() -> None:
    assert PATCH.decode(b'{"note": null}').values == {"note": None}


def test_every_violation_is_found_and_sorted_by_pointer() -> None:
    body = b'{"titel": 1, "price": "x", "stock": null, "note": "\\u0000", "id": 1, "extra": {"a": 1e1000}}'
    assert refusal(CREATE, body) == [
        ("/extra/a", "too_long"),
        ("/id", "read_only"),
        ("/note", "invalid_text"),
        ("/price", "wrong_type"),
        ("/stock", "not_nullable"),
        ("/titel", "unknown_field"),
        ("/title", "required"),
    ]


def test_fields_that_the_server_fills_are_optional() -> None:
    names = frozenset(item.name for item in BOOK)
    made = compile_body(BOOK, BodyFields(names, names, required=frozenset({"price"})), "Book")
    assert refusal(made, b"{}") == [("/price", "required")]
    assert made.decode(b'{"title": "Sea", "price": 1}').values["title"] == "Sea"


def test_a_read_only_field_of_a_patch_is_an_echo() -> None:
    body = PATCH.decode(b'{"id": 7, "stock": 3}')
    assert (body.values, body.read_only_values) == ({"stock": 3}, {"id": 7})
    assert PATCH.decode_fast(b'{"id": 7, "stock": 3}') == body


def test_an_echo_has_to_be_of_its_type() -> None:
    assert refusal(PATCH, b'{"id": "seven"}') == [("/id", "wrong_type")]


def test_hidden_and_unknown_fields_get_equal_violations() -> None:
    hidden, unknown = errors_of(PATCH, b'{"cost": 1}'), errors_of(PATCH, b'{"kost": 1}')
    assert hidden[0].code == unknown[0].code == "unknown_field"
    assert hidden[0].detail.replace("cost", "kost") == unknown[0].detail


def test_a_hint_names_the_nearest_field_that_the_actor_may_see() -> None:
    assert 'Did you mean "title"?' in errors_of(PATCH, b'{"Titel": 1}')[0].detail
    assert "cost" not in errors_of(PATCH, b'{"costs": 1}')[0].detail.replace("costs", "")


def test_a_hint_names_no_field_that_no_body_may_set() -> None:
    assert "Did you mean" not in errors_of(PATCH, b'{"idd": 7}')[0].detail


def test_names_in_details_are_short_and_printable() -> None:
    error = errors_of(PATCH, b'{"' + b"x" * 10_000 + b'\\u0000\\n": 1}')[0]
    assert len(error.detail) < 150
    assert error.detail.isprintable()


def test_a_flood_of_unknown_fields_is_counted_beyond_a_hundred() -> None:
    body = ("{" + ",".join(f'"x{number}": 1' for number in range(5000)) + ',"stock": "x"}').encode()
    errors = errors_of(PATCH, body)
    assert len(errors) == 102
    assert errors[0].detail == "There are 4900 more unknown fields."
    assert "/stock" in {error.pointer for error in errors}


def test_a_natural_key_cannot_be_empty() -> None:
    made = decoder(attribute("isbn", sa.String(13), primary_key=True))
    assert refusal(made, b'{"isbn": ""}') == [("/isbn", "too_short")]
    assert refusal(made, b"{}") == [("/isbn", "required")]


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"x"', b"true"])
def test_a_body_has_to_be_an_object(body: bytes) -> None:
    assert refusal(PATCH, body) == [("", "wrong_type")]


MALFORMED: list[tuple[bytes, str]] = [
    (b"", "it is empty"),
    (b" \n", "it is empty"),
    (b'{"stock": 1,}', "line 1, column 1"),
    (b'{"stock": 1} x', "line 1, column 14"),
    (b'{\n"stock": 01}', "line 2, column 11"),
    (b'{"stock": +1}', "line 1, column 11"),
    (b'{"stock": .5}', "line 1, column 11"),
    (b"{'stock': 1}", "line 1, column 2"),
    (b'{"stock": 1', "line 1, column 12"),
    (b'{"note": "a\tb"}', "line 1, column 12"),
    (b'{"note": "\\x"}', "line 1, column 11"),
    (b'\xef\xbb\xbf{"stock": 1}', "byte order mark"),
    ('{"stock": 1}'.encode("utf-16-le"), "line 1, column 2"),
    (b'{"note": "\xff"}', "not UTF-8 at line 1, column 11"),
    (b'{\n"\xc3\xa9": "\xed\xa0\x80"}', "not UTF-8 at line 2, column 7"),
    (b'{"stock": NaN}', "NaN is not a JSON number at line 1, column 11"),
    (b'{"price": -Infinity}', "-Infinity is not a JSON number"),
    (b'{"stock": 1, "stock": 2}', 'the key "stock" appears twice'),
    (b'{"stock":1,"st\\u006fck":2}', 'the key "stock" appears twice'),
    (b'{"extra":{"a":{"b":1,"b" :2}}}', 'the key "b" appears twice'),
    (b'{"note":"x:y","note":"z"}', 'the key "note" appears twice'),
    (b'{"note":"\\u003a:","note":"z"}', 'the key "note" appears twice'),
    (b'{"x": 1, "x": 2}', 'the key "x" appears twice'),
    (b'{"\\ud800": 1}', "lone surrogate"),
    (b"[" * 100_000, "nest too deeply at line 1, column 257"),
    (b'{"extra":' * 100_000, f"nest too deeply at line 1, column {256 * 9 + 1}"),
    (b'{"price":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nest too deeply at line 1, column 265"),
    (
        b'{"a]":"\\"[[",\n"price":[{"x":[]},' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        "nest too deeply at line 2, column 273",
    ),
    (b'{"price":[' + b"[]," * 20_000 + b"[" * 100_000 + b"]" * 100_000 + b"]}", "nest too deeply."),
    (b'{"note": "\x01"}', "invalid control character at line 1, column 11"),
]


@pytest.mark.parametrize("made", [CREATE, PATCH], ids=["create", "patch"])
@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: repr(case[0][:40]))
def test_what_is_not_strict_json_is_refused_with_its_place(case: tuple[bytes, str], made: BodyDecoder) -> None:
    body, place = case
    assert made.decode_fast(body) is None
    with pytest.raises(BadRequest) as refused:
        made.decode(body)
    assert refused.value.code == "malformed_json"
    assert place in refused.value.detail


@pytest.mark.parametrize("field", ["stock", "price"])
def test_a_number_of_ten_megabytes_is_refused(field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        PATCH.decode(b'{"%s":%s}' % (field.encode(), b"9" * 10_000_000))
    assert [error.code for error in refused.value.errors] == ["too_large"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"title":"Sea: a story","price":"12.50","stock":1,"note":"a: b:c"}',
        b'{"title" : "Sea", "price" : 12.5}',
        b'{"title":"Sea","price":1,"extra":{"a":{"b":[{"c":1}]}}}',
        b'{"title":"\\"Sea\\"","price":1}',
        b'{"title":"Sea","price":1,"note":null,"extra":null}',
    ],
)
def test_ordinary_bodies_take_the_fast_path(body: bytes) -> None:
    assert CREATE.decode_fast(body) == CREATE.decode_strictly(body)


def test_a_field_may_be_called_anything_that_python_allows() -> None:
    names = ["class_", "values", "_x", "décor"]
    made = decoder(*(attribute(name, sa.Integer()) for name in names))
    body: dict[str, Any] = made.decode('{"class_":1,"values":2,"_x":3,"décor":4}'.encode()).values
    assert body == dict(zip(names, [1, 2, 3, 4], strict=True))


NARROW = decoder(
    attribute("extra", JSONB()),
    attribute("codes", sa.ARRAY(sa.Integer())),
    attribute("parts", sa.ARRAY(JSONB())),
    partial=True,
    bounds=Bounds(depth=2, items=3),
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"extra": [1, 2, 3], "codes": [1, 2, 3], "parts": [[1, 2, 3], [[]], {"a": {}}]}', []),
        (b'{"extra": {"a": {"b": 1}}}', []),
        (b'{"extra": {"a": {"b": []}}}', [("/extra/a/b", "too_deep")]),
        (b'{"extra": [[[]]]}', [("/extra/0/0", "too_deep")]),
        (b'{"parts": [[[[]]]]}', [("/parts/0/0/0", "too_deep")]),
        (b'{"extra": [1, 2, 3, 4]}', [("/extra", "too_long")]),
        (b'{"extra": {"a": [1, 2, 3, 4]}}', [("/extra/a", "too_long")]),
        (b'{"codes": [1, 2, 3, 4]}', [("/codes", "too_long")]),
        (b'{"parts": [1, 2, 3, 4]}', [("/parts", "too_long")]),
        (b'{"parts": [1, [1, 2, 3, 4]]}', [("/parts/1", "too_long")]),
    ],
)
def test_depth_and_length_have_bounds_that_can_be_chosen(body: bytes, expected: list[tuple[str, str]]) -> None:
    assert refusal(NARROW, body) == expected


def test_the_bounds_where_nothing_is_chosen() -> None:
    made = decoder(attribute("extra", JSONB()))
    assert refusal(made, b'{"extra": [' + b"0," * 9_999 + b"0]}") == []
    assert refusal(made, b'{"extra": [' + b"0," * 10_000 + b"0]}") == [("/extra", "too_long")]
