"""The body of a sign-in: strict JSON with exactly an e-mail and a password, every violation named."""

import json
from typing import Any, cast

import msgspec

from gatepost.accounts.models import EMAIL_LENGTH_MAX, normalise_email
from gatepost.accounts.passwords import BYTES_MAX, LENGTH_MAX
from gatepost.errors import FIELD_CODES, BadRequest, FieldError, Unprocessable

_BOUNDS = {"email": (3, EMAIL_LENGTH_MAX), "password": (1, LENGTH_MAX)}
"""Characters. A password shorter than a new one may be is not a violation here: it is simply wrong."""


class Credentials(msgspec.Struct, frozen=True):
    """Who wants to sign in: the e-mail in the form it is stored in, and the password as typed."""

    email: str
    password: str


def read_credentials(body: bytes) -> Credentials:
    """Raises 400 `malformed_json` or 422 `invalid_body`."""
    fields = _read_object(body)
    violations = [_violation(name, "unknown_field") for name in fields if name not in _BOUNDS]
    for name, (shortest, longest) in _BOUNDS.items():
        code = _complaint(fields, name, shortest, longest)
        if code is not None:
            violations.append(_violation(name, code))
    if violations:
        raise Unprocessable("invalid_body", "The body violates the declaration.", errors=sorted(violations))
    return Credentials(normalise_email(cast("str", fields["email"])), cast("str", fields["password"]))


def _read_object(body: bytes) -> dict[str, object]:
    try:
        value: Any = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_refuse_doubled)  # msgspec lets the last of two equal keys win
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise BadRequest("malformed_json", "The body is not strict JSON, or a key is doubled.") from None
    if not isinstance(value, dict):
        raise Unprocessable("invalid_body", "The body is not an object.", errors=[_violation(None, "wrong_type")])
    return cast("dict[str, object]", value)


def _refuse_doubled(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is doubled")
    return found


def _complaint(fields: dict[str, object], name: str, shortest: int, longest: int) -> str | None:
    if name not in fields:
        return "required"
    value = fields[name]
    if value is None:
        return "not_nullable"
    if not isinstance(value, str):
        return "wrong_type"
    if "\0" in value:
        return "invalid_text"
    if len(value) < shortest:
        return "too_short"
    return "too_long" if len(value) > longest or len(value.encode()) > max(BYTES_MAX, longest * 4) else None


def _violation(name: str | None, code: str) -> FieldError:
    pointer = "" if name is None else "/" + name.replace("~", "~0").replace("/", "~1")
    return FieldError(pointer, code, FIELD_CODES[code])
