"""The body of a sign-in: strict, and every violation is named."""

import pytest

from gatepost import Credentials
from gatepost.dtos.json_values import BOUNDS
from gatepost.dtos.structured_body import compile_structured_body
from gatepost.errors import BadRequest, Unprocessable

read_credentials = compile_structured_body(Credentials, "login", BOUNDS)

VIOLATIONS: dict[bytes, list[tuple[str, str]]] = {
    b"{}": [("/email", "required"), ("/password", "required")],
    b'{"email": null, "password": 5}': [("/email", "wrong_type"), ("/password", "wrong_type")],
    b'{"email": "a", "password": "", "admin~/": true}': [
        ("/admin~0~1", "unknown_field"),
        ("/email", "too_short"),
        ("/password", "too_short"),
    ],
    b'{"email": "%s", "password": "%s"}' % (b"e" * 321, b"p" * 257): [
        ("/email", "too_long"),
        ("/password", "too_long"),
    ],
    b'{"email": "a@\\u0000", "password": "p\\u0000"}': [("/email", "invalid_text"), ("/password", "invalid_text")],
    b'{"email": "\\ud800@b", "password": "\\udfff"}': [("/email", "invalid_text"), ("/password", "invalid_text")],
    b'{"email": %s, "password": "p"}' % (b"9" * 500): [("/email", "wrong_type")],
    b"[]": [("", "wrong_type")],
    b'"text"': [("", "wrong_type")],
    b"null": [("", "wrong_type")],
}

MALFORMED = {
    b"": "it is empty",
    b'{"email": ': "at line 1, column 11",
    b'{"email": "a@b", "email": "c@d", "password": "p"}': 'the key "email" appears twice',
    b'{"email": {"a": 1, "a": 2}, "password": "p"}': 'the key "a" appears twice',
    b'{"email": "\xff", "password": "p"}': "not UTF-8 at line 1, column 12",
    b'{"\\ud800": "a"}': "lone surrogate",
    b'{"email": NaN, "password": "p"}': "NaN is not a JSON number at line 1, column 11",
    b"{} {}": "at line 1, column 4",
    b"[" * 8000: "at line 1, column ",  # 257 where Python's reader gives up, else the end
}


@pytest.mark.parametrize("body", VIOLATIONS)
def test_every_violation_is_named_at_its_place(body: bytes) -> None:
    with pytest.raises(Unprocessable) as caught:
        read_credentials(body)
    assert caught.value.code == "invalid_body"
    assert [(error.pointer, error.code) for error in caught.value.errors] == VIOLATIONS[body]


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:30]))
def test_what_is_not_strict_json_is_a_bad_request_that_names_the_place(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        read_credentials(body)
    assert caught.value.code == "malformed_json"
    assert MALFORMED[body] in caught.value.detail


def test_no_violation_repeats_what_was_sent() -> None:
    with pytest.raises(Unprocessable) as caught:
        read_credentials(b'{"email": 5, "password": "hunter2\\u0000"}')
    assert "hunter2" not in repr(caught.value.errors) + caught.value.detail


def test_both_are_read_as_typed() -> None:
    credentials = read_credentials(b'{"email": "Ada@Example.COM", "password": " PaSS "}')
    assert (credentials.email, credentials.password) == ("Ada@Example.COM", " PaSS ")
