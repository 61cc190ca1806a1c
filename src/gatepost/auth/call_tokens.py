"""The access token of a call, as `computed(Accounts().token())` shows it."""

import re

from gatepost.auth.tokens import TOKEN_FORM
from gatepost.call import Call

_CREDENTIALS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ +(" + TOKEN_FORM.encode() + rb")")
"""A scheme, whatever it is called, and a token."""


def find_token(call: Call) -> str | None:
    """The token that was issued in the call for its actor, else that of the request; None where its actor was found by
    other credentials. None is issued here: a cookie that scripts cannot read must not become a token that they can."""
    if call.issued_token is not None:
        return call.issued_token
    if call.is_ambient or call.actor.user is None:
        return None
    sent = _CREDENTIALS.fullmatch(call.headers.get(b"authorization", b""))
    return None if sent is None else sent[1].decode()
