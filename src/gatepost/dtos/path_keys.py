"""A key as a segment of its row's path: which values are possible, how they are written, and how they are read.

A value has the same text in a path as in a body. Those of a composite key are separated by commas, so a comma inside
one of them is written as an escape: the path is split before it is decoded. Types whose texts do not fit in a path are
refused when the app is built.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec

from gatepost.dtos.scalars import compile_scalar
from gatepost.errors import ConfigurationError
from gatepost.models.entity import Attribute, Entity, Key
from gatepost.models.shape import Form, plain_type
from gatepost.out_of_range import OUT_OF_RANGE_TYPES, without_zeros

PATH_TEXT = r"^(?!\.{0,2}$)[^\x00-\x1f\x7f/\\]*$"
"""What `fits_in_a_path` holds of texts, as a pattern for clients."""

COMPOSITE_TEXT = r"[^\x00-\x1f\x7f/\\,]*"
"""The same of one value of a composite key, beside its commas."""

_NOT_IN_A_PATH = re.compile(r"[\x00-\x1f\x7f/\\]")

_WITHOUT_A_PATH = (Form.BYTES, Form.ARRAY, Form.DOCUMENT)


def fits_in_a_path(text: str) -> bool:
    """Whether a text can be a path segment that every proxy forwards unchanged."""
    return text not in ("", ".", "..") and not _NOT_IN_A_PATH.search(text)


def check_key(entity: Entity) -> None:
    """Raise `ConfigurationError` for a key column with values that cannot be part of a path."""
    comma = "," if entity.key.is_composite else ""  # beside which a value may be empty
    for attribute in entity.key.attributes:
        _check_values(attribute, f"{entity.name}.{attribute.name}", comma)


def _check_values(key: Attribute, location: str, comma: str) -> None:
    kind, choices = plain_type(key.column.type), key.shape.choices
    if key.shape.form in _WITHOUT_A_PATH:
        raise ConfigurationError(
            f"is a key of type {type(kind).__name__}, whose values cannot stand in the path of a row.",
            location=location,
            hint="Use a Uuid, a number or a text as the key, and keep this column beside it with unique=True.",
        )
    wrong = sorted(value for _, value in choices if not fits_in_a_path(value + comma))
    if wrong:
        raise ConfigurationError(
            f"is a key with the choices {', '.join(map(repr, wrong))}, which cannot stand in the path of a row.",
            location=location,
            hint="Give them names: not empty, not dots alone, without slashes and control characters.",
        )


def key_reader(key: Key) -> Callable[[str], Any]:
    """The function from a path segment to the key; it raises `ValueError` for one that cannot be a key. The segment of
    a composite key is the one that was sent, with its escapes; that of any other is decoded."""
    parsers = [compile_scalar(item, stored=True) for item in key.attributes]
    if not key.is_composite:
        return parsers[0]

    def read(segment: str) -> tuple[Any, ...]:
        parts = segment.split(",")
        return tuple([parse(unquote(part)) for parse, part in zip(parsers, parts, strict=True)])

    return read


def key_writer(key: Key) -> Callable[[Any], str]:
    """The function from a key to a path segment, with escapes."""
    writers = [_value_writer(item) for item in key.attributes]
    if not key.is_composite:
        return writers[0]
    return lambda found: ",".join([write(value) for write, value in zip(writers, found, strict=True)])


def _value_writer(key: Attribute) -> Callable[[Any], str]:
    stored = dict(key.shape.choices)

    def write(value: Any) -> str:
        if isinstance(value, UUID):  # most are, and need no escapes
            return str(value)
        text = stored.get(value, value) if type(value) is str else _wire_text(value)
        return text if text.isascii() and text.isalnum() else quote(text, safe="")

    return write


def _wire_text(value: Any) -> str:
    if isinstance(value, (Enum, *OUT_OF_RANGE_TYPES)):
        return str(value.value if isinstance(value, Enum) else value)
    if isinstance(value, Decimal) or (isinstance(value, float) and not isfinite(value)):
        return format(Decimal(value), "f")
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)  # `NaiveUTC` has none
        return without_zeros(moment.isoformat()) + "Z"
    if isinstance(value, time):
        return without_zeros(value.isoformat())
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    plain = msgspec.to_builtins(value)
    return plain if isinstance(plain, str) else json.dumps(plain)
