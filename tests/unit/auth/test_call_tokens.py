"""Which token `computed(Accounts().token())` shows."""

from types import SimpleNamespace
from typing import Any

import pytest

from gatepost.actor import Actor, anonymous
from gatepost.auth.call_tokens import find_token
from gatepost.call import Call

TOKEN = f"e30.e30.{'a' * 86}"
MEMBER = Actor(1, user=SimpleNamespace(id=1))


def call_of(authorization: str | None, actor: Actor = MEMBER, **values: Any) -> Call:
    headers = {} if authorization is None else {b"authorization": authorization.encode()}
    return Call({}, None, "request-1", "192.0.2.1", headers, b"", actor=actor, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Token"])
def test_the_token_of_the_request_whatever_the_scheme_is_called(scheme: str) -> None:
    assert find_token(call_of(f"{scheme} {TOKEN}")) == TOKEN


def test_the_token_that_the_call_has_issued_comes_first() -> None:
    assert find_token(call_of(f"Bearer {TOKEN}", issued_token="new")) == "new"
    assert find_token(call_of(None, issued_token="new")) == "new"


@pytest.mark.parametrize("sent", [None, "ApiKey 12345", "Basic YTpi", TOKEN, f"Bearer {TOKEN}x", f"Bearer x {TOKEN}"])
def test_other_credentials_never_become_a_token(sent: str | None) -> None:
    assert find_token(call_of(sent)) is None


def test_a_cookie_beside_a_token_shows_none_and_nobody_has_none() -> None:
    assert find_token(call_of(f"Bearer {TOKEN}", is_ambient=True)) is None
    assert find_token(call_of(f"Bearer {TOKEN}", actor=anonymous)) is None
