"""Query strings taken apart: strict UTF-8, `name[operator]`, lists and paths split, nothing guessed.

Pure: a `RawQuery` depends on the bytes alone. What its names mean for an actor is resolved in `queries.py`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from gatepost.dtos.body_errors import field_errors
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest

SHAPE_PARAMETERS = ("sort", "fields", "expand", "limit")
RESERVED = frozenset({*SHAPE_PARAMETERS, "after", "before", "count", "q"})
"""Parameters of lists that are paged by cursors; a column of the same name is filtered by `name[eq]=`."""

PARAMETERS_MAX = 50
EXPANSIONS_MAX = 10
DEPTH_MAX = 3

MEMBERS_MAX = 100
"""Values that one list of a filter may have."""

UNBALANCED = 'A value that begins with a quote (") ends with one before a comma or the end; write "" for a quote in it.'

_MEMBER = re.compile(r'(?:"((?:[^"]|"")*)"|([^",][^,]*|))(,|\Z)')

_PERCENT, _PLUS = b"%+"
"""As integers: `int in bytes` is faster than `bytes in bytes`."""


class Parameter(NamedTuple):
    """One parameter: `price[lt]=20` is `("price", "lt", "20")`, `limit=5` is `("limit", None, "5")`."""

    name: str
    operator: str | None
    value: str

    @property
    def label(self) -> str:
        """The parameter's name as the client sent it."""
        return self.name if self.operator is None else f"{self.name}[{self.operator}]"


class RawQuery(msgspec.Struct, frozen=True):
    """A query string taken apart. What is not given is None or empty.

    `labels` are the names of all parameters as they were sent. `filters` are those that are not reserved, `sort` and
    `fields` the members of these lists, `expand` the relations as a tree, and `cursor` is `after` or `before`.
    """

    labels: tuple[str, ...] = ()
    filters: tuple[Parameter, ...] = ()
    sort: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    expand: Mapping[str, Any] = {}
    limit: str | None = None
    cursor: Parameter | None = None
    offset: str | None = None
    count: str | None = None


def parse(query_string: bytes, reserved_names: Collection[str] = RESERVED) -> RawQuery:
    """Take a query string apart. Raises `BadRequest`."""
    return raw_query(parameters_of(query_string), reserved_names)


def raw_query(parameters: Sequence[Parameter], reserved_names: Collection[str]) -> RawQuery:
    """What parameters say, apart from their meaning. Raises `BadRequest`."""
    filters: list[Parameter] = []
    reserved: dict[str, Parameter] = {}
    for parameter in parameters:
        if parameter.operator is not None or parameter.name not in reserved_names:
            filters.append(parameter)
        elif parameter.name in reserved:
            raise invalid_parameter(parameter.name, "It is given more than once")
        else:
            reserved[parameter.name] = parameter
    if "after" in reserved and "before" in reserved:
        raise invalid_parameter("after", "`after` and `before` cannot be combined")
    names = ("sort", "fields", "expand", "limit", "offset", "count")
    sort, fields, expand, limit, offset, count = (reserved.get(name) for name in names)
    return RawQuery(
        tuple([parameter.label for parameter in parameters]),
        tuple(filters),
        tuple(sort.value.split(",")) if sort else (),
        tuple(dict.fromkeys(fields.value.split(","))) if fields else None,
        _tree(expand.value) if expand else {},
        limit.value if limit else None,
        reserved.get("after") or reserved.get("before"),
        offset.value if offset else None,
        count.value if count else None,
    )


def invalid_parameter(label: str, reason: str | ValueError) -> BadRequest:
    """The refusal of a parameter's name or value, for a reason that begins like a sentence. A violation is in its
    `errors` as well, with the parameter as its pointer."""
    errors = field_errors(reason, label) if isinstance(reason, Violation) else ()
    return BadRequest("invalid_parameter", said_of(f"The parameter {label!r}", str(reason)), errors=errors)


def said_of(what: str, reason: str) -> str:
    """One sentence of a parameter and of what is wrong with it."""
    said = f"{what}{reason[2:]}" if reason.startswith("It ") else f"{what}: {reason}"
    return said if said.endswith((".", "?", "!")) else f"{said}."


def too_many(what: str, most: int) -> BadRequest:
    """The refusal of a query as a whole, of which there are more than `most` of something."""
    violation = Violation("too_long", what, params={"max": most})
    return BadRequest("invalid_parameter", what, errors=[violation.error()])


def members_of(text: str) -> list[str]:
    """The members of a list, separated by commas. One that begins with a quote ends with a quote, as in CSV (RFC 4180):
    it may contain commas, and quotes that are doubled. Raises `Violation`."""
    members: list[str] = []
    position, has_more = 0, True
    while has_more:
        found = _MEMBER.match(text, position)
        if found is None:
            raise Violation("invalid_format", UNBALANCED, params={"format": "list"})
        if len(members) == MEMBERS_MAX:
            raise Violation("too_long", f"There are more than {MEMBERS_MAX} values.", params={"max": MEMBERS_MAX})
        quoted, plain, comma = found.groups()
        members.append(plain if quoted is None else quoted.replace('""', '"'))
        position, has_more = found.end(), bool(comma)
    return members


def parameters_of(query_string: bytes) -> list[Parameter]:
    """The parameters of a query string, in their order. Raises `BadRequest`."""
    parts = query_string.split(b"&")
    if len(parts) > PARAMETERS_MAX:
        raise too_many(f"There are more than {PARAMETERS_MAX} parameters.", PARAMETERS_MAX)
    found: list[Parameter] = []
    for part in parts:
        if part:
            name, _, value = part.partition(b"=")
            found.append(_parameter(_decoded(name), _decoded(value)))
    return found


def _parameter(name: str, value: str) -> Parameter:
    if not name.endswith("]"):
        return Parameter(name, None, value)
    path, bracket, operator = name[:-1].partition("[")
    if not bracket or not operator:
        raise BadRequest("invalid_parameter", f"The parameter {name!r} is not of the form field[operator].")
    return Parameter(path, operator, value)


def _decoded(text: bytes) -> str:
    if _PERCENT in text or _PLUS in text:
        text = unquote_to_bytes(text.replace(b"+", b" "))
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("invalid_parameter", "The query string is not UTF-8.") from None
    if "\0" in decoded:
        raise BadRequest("invalid_parameter", "The query string holds a NUL character.")
    return decoded


def _tree(text: str) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    paths = text.split(",")
    if len(paths) > EXPANSIONS_MAX:
        reason = f"There are more than {EXPANSIONS_MAX} relations."
        raise invalid_parameter("expand", Violation("too_long", reason, params={"max": EXPANSIONS_MAX}))
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEPTH_MAX:
            reason = f"{path!r} goes deeper than {DEPTH_MAX} relations."
            raise invalid_parameter("expand", Violation("too_deep", reason, params={"max": DEPTH_MAX}))
        branch = tree
        for step in steps:
            branch = branch.setdefault(step, {})
    return tree
