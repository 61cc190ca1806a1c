"""Members of documents whose types only a library can read: Literals and Enums of numbers by msgspec, models by
pydantic.

Read as `structured_json.py` reads the others: a document in, an instance out, or violations with pointers. msgspec
stops at the first one. What a class would drop without a word is a violation, unless a pydantic model says `extra=`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import msgspec

from gatepost.declaring.wire_names import WireName
from gatepost.dtos.dropped_members import dropped_members
from gatepost.dtos.renamed_documents import document_names
from gatepost.dtos.violations import Violation, raise_all
from gatepost.errors import ConfigurationError
from gatepost.exact_json import encode_bytes
from gatepost.field_codes import FIELD_CODES
from gatepost.json_pointers import escape
from gatepost.models.constraints import is_constraint
from gatepost.models.json_of import convert
from gatepost.pydantic_models import is_pydantic

Read = Callable[[Any], Any]
"""From a document whose numbers are exact to the value; raises `Violation`, whose `others` are the further ones."""


def check_form(annotation: Any, location: str) -> None:
    """Raise `ConfigurationError` for types that msgspec cannot read."""
    try:
        info = msgspec.inspect.type_info(annotation)
    except (TypeError, NameError) as error:
        raise _without_form(annotation, f" ({error})", location) from error
    if any(
        isinstance(part, msgspec.inspect.CustomType) and not is_pydantic(part.cls)
        for part in getattr(info, "types", [info])
    ):
        raise _without_form(annotation, "", location)


def foreign_reader(annotation: Any, location: str) -> Read:
    """The reader of whatever msgspec can read. Raises `ConfigurationError` for other types."""
    check_form(annotation, location)
    if _hides_constraints(annotation):
        raise ConfigurationError(
            f"has a member of type {annotation}, inside which constraints would not be checked.",
            location=location,
            hint="Take the constraints out, or declare the member as a list, a dict, a Struct or a dataclass.",
        )

    def read(value: Any) -> Any:
        try:
            found = convert(annotation, value)
        except msgspec.ValidationError as error:
            raise _msgspec_violation(str(error)) from None
        raise_all([*dropped_members(value, found)])
        return found

    return read


def _hides_constraints(annotation: Any) -> bool:
    """Whether constraints of annotated-types are somewhere inside a type: msgspec ignores them."""
    if get_origin(annotation) is Annotated and any(map(is_constraint, annotation.__metadata__)):
        return True
    hints = get_type_hints(annotation, include_extras=True) if isinstance(annotation, type) else {}
    return any(map(_hides_constraints, (*get_args(annotation), *hints.values())))


def _without_form(annotation: Any, reason: str, location: str) -> ConfigurationError:
    return ConfigurationError(
        f"has a member of type {annotation}, which has no form in JSON{reason}.",
        location=location,
        hint="Use a type of the page `wire.md`, a Struct, a dataclass or a pydantic model.",
    )


def _msgspec_violation(message: str) -> Violation:
    detail, _, path = message.partition(" - at `$")
    pointer = "".join(f"/{escape(name or index)}" for name, index in _STEP.findall(path))
    code = next((code for words, code in _MSGSPEC_CODES if words in detail), "wrong_type")
    return Violation(code, f"{detail}.", pointer)


_MSGSPEC_CODES = (("missing required", "required"), ("Invalid enum value", "not_a_choice"))


_STEP = re.compile(r"\.([^.\[`]+)|\[([0-9]+)\]")


_PYDANTIC_CODES: Sequence[tuple[str, str]] = (
    ("missing", "required"),
    ("extra_forbidden", "unknown_field"),
    ("too_short", "too_short"),
    ("too_long", "too_long"),
    ("greater_than", "too_small"),
    ("less_than", "too_large"),
    ("multiple_of", "not_a_multiple"),
    ("pattern_mismatch", "pattern_mismatch"),
    ("enum", "not_a_choice"),
    ("literal_error", "not_a_choice"),
    ("finite_number", "not_finite"),
    ("decimal_", "too_precise"),
    ("_type", "wrong_type"),
    ("_parsing", "invalid_format"),
)
"""Parts of pydantic's types of errors, and the code of each. Any other is an `invalid_value`."""


_PYDANTIC_PARAMS: Mapping[str, str] = {
    "ge": "min",
    "gt": "more_than",
    "le": "max",
    "lt": "less_than",
    "min_length": "min",
    "max_length": "max",
    "multiple_of": "multiple_of",
    "decimal_places": "digits",
    "pattern": "pattern",
}
"""Values in the context of pydantic's errors, and the names that they have in `params`."""


def pydantic_reader(kind: Any) -> Read:
    """The reader of a pydantic model."""
    is_extra_declared = kind.model_config.get("extra") is not None

    def read(value: Any) -> Any:
        try:
            found = convert(kind, value)
        except ValueError as error:
            raise_all(pydantic_violations(error if is_extra_declared else _with_unknown(kind, value, error), value))
            raise
        if unknown := [*dropped_members(value, found)]:
            raise_all(_confirmed(kind, value, unknown))
        return found

    return read


def renamed_reader(kind: Any, wire_name: WireName) -> Read:
    """The reader of a pydantic model in a dialect that renames."""
    read = pydantic_reader(kind)
    names = document_names(kind, wire_name, is_closed=kind.model_config.get("extra") is None)

    def read_renamed(value: Any) -> Any:
        unknown: list[Violation] = []
        inside = names.read(value, unknown)
        try:
            found = read(inside)
        except Violation as violation:
            raise_all([*unknown, *(names.located(item) for item in (violation, *violation.others))])
            raise
        raise_all(unknown)
        return found

    return read_renamed


def _confirmed(kind: Any, value: Any, unknown: Sequence[Violation]) -> Sequence[Violation]:
    """Those of the violations that pydantic (2.12) finds as well: a validator of the model may read other names."""
    try:
        kind.model_validate_json(encode_bytes(value), extra="forbid")
    except TypeError:
        return unknown
    except ValueError as error:
        pointers = {violation.pointer for violation in pydantic_violations(error, value)}
        return [violation for violation in unknown if violation.pointer in pointers]
    return []


def _with_unknown(kind: Any, value: Any, error: ValueError) -> ValueError:
    """The error of a model with what it does not know, where pydantic (2.12) can say so as well."""
    try:
        kind.model_validate_json(encode_bytes(value), extra="forbid")
    except TypeError:
        return error
    except ValueError as further:
        return further
    return error


def pydantic_violations(error: ValueError, document: Any) -> list[Violation]:
    """What an error of pydantic says of a document, each with its place."""
    return [_pydantic_violation(item, document) for item in cast("Any", error).errors(include_url=False)]


def _pydantic_violation(error: Mapping[str, Any], document: Any) -> Violation:
    code = next((code for part, code in _PYDANTIC_CODES if part in error["type"]), "invalid_value")
    pointer, node, steps = "", document, error["loc"]
    for index, step in enumerate(steps):
        is_known = step in node if isinstance(node, dict) else isinstance(node, list) and isinstance(step, int)
        if is_known or index == len(steps) - 1:  # the others are names of branches of a union
            pointer = f"{pointer}/{escape(str(step))}"
            node = cast("Any", node)[step] if is_known else None
    return Violation(code, f"{error['msg']}.", pointer, params=_pydantic_params(code, error.get("ctx", {})))


def _pydantic_params(code: str, context: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values in the sentence, as our own of that code are named."""
    found = {name: context[theirs] for theirs, name in _PYDANTIC_PARAMS.items() if theirs in context}
    return found if tuple(found) in FIELD_CODES[code].params else {}
