"""The body of a sign-in: strict JSON with exactly an e-mail and a password, every violation named.

It is read by the careful reader alone (`dtos/body_errors.py`): beside the hash of the password its time is nothing.
"""

import msgspec
from annotated_types import Len
from sqlalchemy import Text

from gatepost.accounts.models import EMAIL_LENGTH_MAX, normalise_email
from gatepost.accounts.passwords import LENGTH_MAX
from gatepost.dtos.body_errors import BodyField, collect
from gatepost.dtos.json_input import field_type_of, wire_type_of
from gatepost.dtos.strict_json import read_json


class Credentials(msgspec.Struct, frozen=True):
    """Who wants to sign in: the e-mail in the form it is stored in, and the password as typed."""

    email: str
    password: str


def read_credentials(body: bytes) -> Credentials:
    """Raises 400 `malformed_json` or 422 `invalid_body`."""
    values, _ = collect(_FIELDS, frozenset(_FIELDS), read_json(body))
    return Credentials(normalise_email(values["email"]), values["password"])


def _text(name: str, bounds: Len) -> BodyField:
    location = f"Credentials.{name}"
    kind = field_type_of(wire_type_of(Text(), location), [bounds], location)
    return BodyField(name, kind, nullable=False, writable=True)


# A password shorter than a new one may be is not a violation here: it is simply wrong.
_FIELDS = {"email": _text("email", Len(3, EMAIL_LENGTH_MAX)), "password": _text("password", Len(1, LENGTH_MAX))}
