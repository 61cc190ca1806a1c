"""The body of a sign-in: strict, and every violation is named."""

import pytest

from gatepost.accounts.credentials import read_credentials
from gatepost.errors import BadRequest, Unprocessable

VIOLATIONS: dict[bytes, list[tuple[str, str]]] = {
    b"{}": [("/email", "required"), ("/password", "required")],
    b'{"email": null, "password": 5}': [("/email", "not_nullable"), ("/password", "wrong_type")],
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
    b"[]": [("", "wrong_type")],
    b'"text"': [("", "wrong_type")],
    b"null": [("", "wrong_type")],
}

MALFORMED = {
    "nothing": b"",
    "half": b'{"email": ',
    "a doubled key": b'{"email": "a@b", "email": "c@d", "password": "p"}',
    "a doubled key further in": b'{"email": {"a": 1, "a": 2}, "password": "p"}',
    "bad UTF-8": b'{"email": "\xff", "password": "p"}',
    "a lone surrogate": b'{"email": "\\ud800", "password": "p"}',
    "NaN": b'{"email": NaN, "password": "p"}',
    "two values": b"{} {}",
    "nesting": b"[" * 8000,
    "a number of 5,000 digits": b'{"email": %s}' % (b"9" * 5000),
}


@pytest.mark.parametrize("body", VIOLATIONS)
def test_every_violation_is_named_at_its_place(body: bytes) -> None:
    with pytest.raises(Unprocessable) as caught:
        read_credentials(body)
    assert caught.value.code == "invalid_body"
    assert [(error.pointer, error.code) for error in caught.value.errors] == VIOLATIONS[body]


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_strict_json_is_a_bad_request(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_credentials(MALFORMED[name])
    assert caught.value.code == "malformed_json"


def test_the_email_is_read_in_the_form_it_is_stored_in_and_the_password_as_typed() -> None:
    credentials = read_credentials(b'{"email": "Ada@Example.COM", "password": " PaSS "}')
    assert (credentials.email, credentials.password) == ("ada@example.com", " PaSS ")
