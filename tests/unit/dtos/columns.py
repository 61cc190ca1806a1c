"""Attributes made by hand, so that a test names only what it is about."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column
from sqlalchemy.types import TypeEngine
from tests.documented_params import check_params

from gatepost.dtos.body import Body, BodyDecoder, BodyFields, compile_body
from gatepost.dtos.json_values import BOUNDS, Bounds
from gatepost.errors import FieldError, Unprocessable
from gatepost.models.entity import Attribute
from gatepost.models.shape import shape_of


def attribute(
    name: str,
    kind: TypeEngine[Any],
    *constraints: Any,
    nullable: bool = False,
    primary_key: bool = False,
    has_default: bool = False,
    elements: Sequence[Any] = (),
) -> Attribute:
    column: Column[Any] = Column(name, kind, nullable=nullable, primary_key=primary_key)
    shape = shape_of(kind, constraints, elements, nullable=nullable)
    return Attribute(name, column, shape, primary_key, False, has_default, None)


def decoder(
    *attributes: Attribute,
    partial: bool = False,
    read_only: Sequence[str] = (),
    hidden: Sequence[str] = (),
    bounds: Bounds = BOUNDS,
) -> BodyDecoder:
    names = frozenset(item.name for item in attributes) - frozenset(hidden)
    required = frozenset[str]() if partial else names.intersection(item.name for item in attributes if item.is_required)
    fields = BodyFields(names - frozenset(read_only), names, required, is_patch=partial)
    return compile_body(attributes, fields, "Thing", bounds)


def class_of(value: object) -> type:
    """The class that a value counts as: the driver's own kind of UUID is as good as its parent."""
    return UUID if isinstance(value, UUID) else type(value)


def decode(kind: TypeEngine[Any], body: bytes, *constraints: Any, nullable: bool = False) -> Any:
    """The value of field `f` in `body`, read in both ways where the quick one does not step back."""
    made = decoder(attribute("f", kind, *constraints, nullable=nullable))
    quick = made.decode_fast(body)
    careful = made.decode_strictly(body)
    assert quick is None or quick == careful
    return careful.values["f"]


def refusal(made: BodyDecoder, body: bytes) -> list[tuple[str, str]]:
    """Pointers and codes of the refusal of a body; empty where it is accepted."""
    return [(error.pointer, error.code) for error in errors_of(made, body)]


def errors_of(made: BodyDecoder, body: bytes) -> tuple[FieldError, ...]:
    try:
        accepted: Body = made.decode(body)
    except Unprocessable as problem:
        refused = problem
    else:
        assert made.decode_strictly(body) == accepted
        return ()
    assert refused.code == "invalid_body"
    check_params(refused.errors)
    assert made.decode_fast(body) is None
    return refused.errors


def code(kind: TypeEngine[Any], value: bytes, *constraints: Any) -> str | None:
    """The code with which `{"f": value}` is refused, or None."""
    found = refusal(decoder(attribute("f", kind, *constraints)), b'{"f":' + value + b"}")
    return found[0][1] if found else None
