"""Reads a body that the fast decoder refused or suspects, and finds every violation in it.

It shares no code with msgspec: it walks the tree that `strict_json` read, and its result is final. A property test
checks that the fast decoder never accepts what is refused here, and that both produce the same values.
"""

from collections.abc import Collection, Mapping
from typing import Any, NoReturn, cast

import msgspec

from gatepost.dtos.json_input import WireType, noun_of
from gatepost.dtos.violations import Violation, wrong_type
from gatepost.errors import FieldError, Unprocessable
from gatepost.hints import nearest, shown
from gatepost.json_pointers import escape

UNKNOWN_MAX = 100
"""Unknown names listed; further ones are counted: the response to a hostile body must not be larger than the body."""


class BodyField(msgspec.Struct, frozen=True):
    """What a body may hold under one name, for the attribute `name`. `writable` ones become values, others read-only
    values, or are refused where `type` is None (creation). Hints suggest only `hinted` fields: writable ones that the
    actor is sure to know. `is_kept` says that no actor sets it in a creation."""

    name: str
    type: WireType | None
    nullable: bool
    writable: bool
    hinted: bool = True
    is_kept: bool = True


def collect(
    fields: Mapping[str, BodyField], required: frozenset[str], node: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values and the read-only values of a body.

    Raises `Unprocessable("invalid_body")` with all violations in pointer order.
    """
    if not isinstance(node, dict):
        _refuse([wrong_type("a JSON object", noun_of(node), expected="object").error()])
    members = cast("dict[str, Any]", node)
    errors = [FieldError(f"/{escape(name)}", "required", "The field is missing.") for name in required - members.keys()]
    values: dict[str, Any] = {}
    read_only_values: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in members.items():
        field = fields.get(name)
        if field is None:
            unknown.append(name)
            continue
        try:
            (values if field.writable else read_only_values)[name] = read_value(field, value)
        except Violation as violation:
            errors += field_errors(violation, name)
    errors += _unknown(unknown, [name for name, field in fields.items() if field.hinted] if unknown else ())
    if errors:
        _refuse(errors)
    return values, read_only_values


def field_errors(violation: Violation, name: str) -> list[FieldError]:
    """The violations of one field's value."""
    return [item.error() for item in violation.each_below(name)]


def read_only_error(name: str, *, is_once: bool, is_kept: bool) -> FieldError:
    """The violation that a body sends another value of a read-only field than the row has. `is_kept` says that no actor
    writes the field."""
    if is_once:
        return FieldError(f"/{name}", "write_once", f"The field {name} cannot be changed after creation.")
    detail = f"The field {name} cannot be written." if is_kept else f"You may not write the field {name}."
    return FieldError(f"/{name}", "read_only", detail)


def with_errors(refused: Unprocessable, errors: list[FieldError]) -> Unprocessable:
    """The refusal of a body that has these violations as well."""
    return refusal([*refused.errors, *errors]) if errors else refused


def read_value(field: BodyField, value: Any) -> Any:
    """The value of a field, as `strict_json` gives it. Raises `Violation`."""
    if field.type is None:
        reason = "The field is kept by the server" if field.is_kept else "You may not set this field"
        raise Violation("read_only", f"{reason}; leave it out.")
    if value is not None:
        return field.type.read(value)
    if not field.nullable:
        raise Violation("not_nullable", "The field cannot be null.")
    return None


def _unknown(names: list[str], known: Collection[str]) -> list[FieldError]:
    errors = [unknown_field(name, known, f"/{escape(name)}").error() for name in names[:UNKNOWN_MAX]]
    if (more := len(names) - UNKNOWN_MAX) > 0:
        errors.append(FieldError("", "unknown_field", f"There are {more} more unknown fields.", {"more": more}))
    return errors


def unknown_field(name: str, known: Collection[str], pointer: str) -> Violation:
    """The violation of a name that is none of the known ones."""
    near = nearest(name, known)
    detail = f"There is no field {shown(name)}." + (f' Did you mean "{near}"?' if near else "")
    return Violation("unknown_field", detail, pointer, params={"suggestion": near} if near else {})


def _refuse(errors: list[FieldError]) -> NoReturn:
    raise refusal(errors)


def refusal(errors: list[FieldError]) -> Unprocessable:
    """The refusal of a body with these violations."""
    count = "one violation" if len(errors) == 1 else f"{len(errors)} violations"
    return Unprocessable("invalid_body", f"The body has {count}; see errors.", errors=sorted(errors))
