"""The body of a sign-in: strict JSON with exactly an e-mail and a password; every violation is reported.

Only the strict reader reads it (`dtos/body_errors.py`): its time is negligible beside hashing the password.
"""

import msgspec

from gatepost.accounts.models import EMAIL_LENGTH_MAX, normalise_email
from gatepost.accounts.passwords import LENGTH_MAX
from gatepost.dtos.body_errors import BodyField, collect
from gatepost.dtos.json_input import field_type_of
from gatepost.dtos.strict_json import read_json
from gatepost.models.constraints import Constraint
from gatepost.models.shape import Form, Shape


class Credentials(msgspec.Struct, frozen=True):
    """The e-mail in the form in which it is stored, and the password as typed."""

    email: str
    password: str


def read_credentials(body: bytes) -> Credentials:
    """Raises 400 `malformed_json` or 422 `invalid_body`."""
    values, _ = collect(_FIELDS, frozenset(_FIELDS), read_json(body))
    return Credentials(normalise_email(values["email"]), values["password"])


def _text(name: str, shortest: int, longest: int) -> BodyField:
    lengths = (Constraint("min_length", shortest), Constraint("max_length", longest))
    kind = field_type_of(Shape(Form.TEXT, str, constraints=lengths), f"Credentials.{name}")
    return BodyField(name, kind, nullable=False, writable=True)


# A password that is too short for a new one is not a violation here but a wrong password.
_FIELDS = {"email": _text("email", 3, EMAIL_LENGTH_MAX), "password": _text("password", 1, LENGTH_MAX)}
