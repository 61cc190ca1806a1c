"""A key as a segment of its row's path: which values are possible, and how they are written.

`Location` is written here, and read by `compile_scalar`. A key has the same text in a path as in a body. Types whose
texts do not fit in a path are refused when the app is built.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from gatepost.errors import ConfigurationError
from gatepost.models.entity import Attribute
from gatepost.models.shape import Form, plain_type

_NOT_IN_A_PATH = re.compile(r"[\x00-\x1f\x7f/\\]")

_WITHOUT_A_PATH = (Form.BYTES, Form.ARRAY, Form.DOCUMENT)


def fits_in_a_path(text: str) -> bool:
    """Whether a text can be a path segment that every proxy forwards unchanged."""
    return text not in ("", ".", "..") and not _NOT_IN_A_PATH.search(text)


def check_key(key: Attribute, location: str) -> None:
    """Raise `ConfigurationError` for a key column with values that cannot be part of a path."""
    kind, choices = plain_type(key.column.type), key.shape.choices
    if key.shape.form in _WITHOUT_A_PATH:
        raise ConfigurationError(
            f"is a key of type {type(kind).__name__}, whose values cannot stand in the path of a row.",
            location=location,
            hint="Use a Uuid, a number or a text as the key, and keep this column beside it with unique=True.",
        )
    wrong = sorted(value for _, value in choices if not fits_in_a_path(value))
    if wrong:
        raise ConfigurationError(
            f"is a key with the choices {', '.join(map(repr, wrong))}, which cannot stand in the path of a row.",
            location=location,
            hint="Give them names: not empty, not dots alone, without slashes and control characters.",
        )


def path_writer(key: Attribute) -> Callable[[Any], str]:
    """The function from a key's Python value to a path segment."""
    stored = dict(key.shape.choices)

    def write(value: Any) -> str:
        if isinstance(value, UUID):  # most are, and need no escapes
            return str(value)
        text = stored.get(value, value) if type(value) is str else _wire_text(value)
        return text if text.isascii() and text.isalnum() else quote(text, safe="")

    return write


def _wire_text(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return _without_zeros(value.astimezone(UTC).replace(tzinfo=None).isoformat()) + "Z"
    if isinstance(value, time):
        return _without_zeros(value.isoformat())
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    plain = msgspec.to_builtins(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _without_zeros(text: str) -> str:
    """PostgreSQL writes no zeros at the end of a fraction."""
    return text.rstrip("0") if "." in text else text
