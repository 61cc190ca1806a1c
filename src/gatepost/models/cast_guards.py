"""The guards of a cast: conditions under which PostgreSQL's cast does not raise. Each is safe to evaluate once those
before it hold.

Texts of numbers, dates and durations are matched by our own regular expressions, which are the same for every version
of PostgreSQL: dates and times are ISO 8601. Texts of rarer types are checked by `pg_input_is_valid`, which exists from
PostgreSQL 16 on. Types are identified by the SQL that SQLAlchemy compiles for them, so that a `TypeDecorator` counts as
the type that the database sees.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import operators as postgresql_operators
from sqlalchemy.exc import CompileError
from sqlalchemy.sql.elements import BinaryExpression, Grouping, Label, TypeCoerce
from sqlalchemy.sql.operators import json_getitem_op, json_path_getitem_op
from sqlalchemy.types import TypeEngine

from gatepost.database.statements import DIALECT
from gatepost.models.cast_patterns import PATTERNS, UNREADABLE_ESCAPE, WARY_PATTERNS
from gatepost.models.literals import literal_integer, literal_number, literal_text

TEXTS = frozenset({"VARCHAR", "TEXT", "CHAR", "NAME", "CITEXT", ""})
"""Types whose text is the value; "" is one that SQLAlchemy does not know."""

BITS = {"SMALLINT": 15, "INTEGER": 31, "BIGINT": 63}
SMALLEST_AND_LARGEST = {"REAL": ("1.5E-45", "3.4028234E38"), "DOUBLE PRECISION": ("5E-324", "1.7976931348623157E308")}
NUMBERS = frozenset({*BITS, *SMALLEST_AND_LARGEST, "NUMERIC"})
TIMESTAMPS = frozenset({"TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITHOUT TIME ZONE"})
COMMON = frozenset({*NUMBERS, *TIMESTAMPS, "DATE", "TIME WITH TIME ZONE", "TIME WITHOUT TIME ZONE"}) | {
    "BOOLEAN",
    "BYTEA",
    "INTERVAL",
    "JSONB",
    "UUID",
}
"""Types between which a cast is refused when the statement is prepared, or is guarded by a range, or never raises."""

EARLIEST, LATEST = "4000-01-01 BC", "200000-01-01"

TEXT_BYTES_MAX = 1000
"""Longer texts are not taken for numbers, dates or durations: PostgreSQL bounds the digits of a number."""

Guards = Sequence[sa.ColumnElement[bool]]

_POSTGRESQL = cast("Any", postgresql_operators)
_EXTRACTIONS = (json_getitem_op, json_path_getitem_op, _POSTGRESQL.ASTEXT, _POSTGRESQL.JSONPATH_ASTEXT)
_SMALL_FLOAT_BITS = 24


class Kind(NamedTuple):
    """A type as PostgreSQL sees it: its name without arguments, and its full SQL."""

    name: str
    sql: str
    type: TypeEngine[Any]


class GuardedCast(NamedTuple):
    """A cast that can raise: of `operand`, which is of the type `source`, to `target`."""

    operand: sa.ColumnElement[Any]
    source: Kind
    target: Kind

    def cast(self, operand: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The cast itself."""
        return operand if self.source is self.target else sa.cast(operand, self.target.type)

    def guards(self, operand: Any) -> Guards:
        """What must hold of an operand that is `readable`, in this order."""
        source, target = self.source.name, self.target.name
        if target in TEXTS:
            return []
        if source in TEXTS:
            return _of_text(operand if source == "TEXT" else sa.cast(operand, sa.Text()), self.target)
        if source == "JSONB":
            return _of_json(operand, self.target)
        if source in NUMBERS and target in COMMON:
            return _in_range(operand, self.source, self.target)
        if source in COMMON and target in COMMON:
            return _of_bytes_and_times(operand, source, target)
        return [] if source == target else _of_text(sa.cast(operand, sa.Text()), self.target)


def guarded_cast(element: Any) -> GuardedCast | None:
    """The element as a cast that can raise; None where it is not a cast, or never raises."""
    if isinstance(element, sa.Cast):
        operand: Any = cast("Any", element).clause
        found = GuardedCast(operand, _source(operand), kind_of(cast("Any", element).type))
    elif is_extraction(element) and not isinstance(element.type, sa.JSON):
        found = _extraction(element)
    else:
        return None
    is_safe = not (readable(found.operand) or found.guards(found.operand))
    return None if is_safe else found


def _extraction(element: Any) -> GuardedCast:
    """`document["level"].as_integer()` is a cast of the member's text."""
    target = kind_of(element.type)
    if target.name in TEXTS:
        return GuardedCast(element, target, target)
    text = element._clone()
    text.type = sa.Text()
    return GuardedCast(text, kind_of(text.type), target)


def kind_of(kind: TypeEngine[Any]) -> Kind:
    """A type as PostgreSQL sees it."""
    try:
        sql: str = DIALECT.type_compiler_instance.process(kind)
    except CompileError:
        return Kind("", "", kind)
    if sql.endswith("]"):
        return Kind(sql, sql, kind)
    name, _, rest = sql.partition(" COLLATE ")[0].partition("(")
    arguments, _, behind = rest.partition(")")
    name = f"{name.strip()}{behind}"
    if name == "FLOAT":
        name = "REAL" if arguments and int(arguments) <= _SMALL_FLOAT_BITS else "DOUBLE PRECISION"
    if name.startswith("INTERVAL"):
        name = "INTERVAL"
    return Kind({"DECIMAL": "NUMERIC"}.get(name, name), sql, kind)


def _source(operand: Any) -> Kind:
    while isinstance(operand, Grouping | TypeCoerce | Label):
        operand = cast("Any", operand).clause if isinstance(operand, TypeCoerce) else cast("Any", operand).element
    kind: TypeEngine[Any] = operand.type
    is_bound_text = (
        isinstance(operand, sa.BindParameter) and isinstance(kind, sa.String) and not isinstance(kind, sa.Enum)
    )
    return kind_of(sa.Text() if is_bound_text else kind)


def is_extraction(element: Any) -> bool:
    """Whether an element takes a member out of a JSON document."""
    return isinstance(element, BinaryExpression) and element.operator in _EXTRACTIONS


def _of_bytes_and_times(operand: Any, source: str, target: str) -> Guards:
    if source == "BYTEA" and target in BITS:  # which PostgreSQL 18 casts, up to the size of the integer
        return [sa.func.octet_length(operand) <= literal_integer((BITS[target] + 1) // 8)]
    if source == "INTERVAL" and target.startswith("TIME "):
        return [sa.func.isfinite(operand)]
    if target in TIMESTAMPS and source in (*TIMESTAMPS, "DATE") and source != target:
        return [sa.or_(~sa.func.isfinite(operand), operand.between(literal_text(EARLIEST), literal_text(LATEST)))]
    return []


def readable(operand: Any) -> Guards:
    """What must hold before the operand of a cast can itself be evaluated.

    A member of a `jsonb` document can always be read as text; of a `json` document only where its escapes are valid.
    """
    while isinstance(operand, Grouping | sa.Cast | TypeCoerce):
        operand = cast("Any", operand).element if isinstance(operand, Grouping) else cast("Any", operand).clause
    if not is_extraction(operand) or isinstance(operand.type, sa.JSON):
        return []
    document = operand.left
    while is_extraction(document):
        document = document.left
    if kind_of(document.type).name != "JSON":
        return []
    return [document.is_(None) | ~_matches(sa.cast(document, sa.Text()), UNREADABLE_ESCAPE)]


def _of_text(text: sa.ColumnElement[Any], target: Kind) -> Guards:
    if target.name in NUMBERS:
        number = sa.cast(text, sa.Numeric())
        pattern = PATTERNS["INTEGER" if target.name in BITS else "NUMERIC"]
        return [
            _is_short(text) & _matches(text, pattern),
            *_in_range(number, Kind("NUMERIC", "", sa.Numeric()), target),
        ]
    if target.name in PATTERNS:
        return [_is_short(text) & _matches(text, PATTERNS[target.name])]
    if isinstance(target.type, sa.Enum):
        return [text.in_([literal_text(label) for label in target.type.enums])]
    wary = next((pattern for name, pattern in WARY_PATTERNS.items() if target.name.startswith(name)), None)
    if wary is not None:
        return [_is_short(text) & _matches(text, wary), _is_valid(text, target)]
    return [_is_valid(text, target)]


def _of_json(operand: Any, target: Kind) -> Guards:
    kind = sa.func.jsonb_typeof(operand)
    if target.name == "BOOLEAN":
        return [kind == literal_text("boolean")]
    if target.name not in NUMBERS:
        return []
    number = sa.cast(operand, sa.Numeric())
    return [kind == literal_text("number"), *_in_range(number, Kind("NUMERIC", "", sa.Numeric()), target)]


def _in_range(number: sa.ColumnElement[Any], source: Kind, target: Kind) -> Guards:
    """Whether a number is in range, after the rounding that the cast does."""
    if target.name in BITS and BITS.get(source.name, 64) > BITS[target.name]:
        bound = 2 ** BITS[target.name]
        return [_between(number, Decimal(-bound) - Decimal("0.5"), Decimal(bound) - Decimal("0.5"))]
    precision = getattr(target.type, "precision", None)
    if target.name == "NUMERIC" and precision is not None:
        scale: int = getattr(target.type, "scale", None) or 0
        with localcontext(prec=precision + abs(scale) + 2):
            bound = Decimal(10) ** (precision - scale) - Decimal("0.5").scaleb(-scale)
            return [_between(number, -bound, bound)]
    if target.name in SMALLEST_AND_LARGEST and source.name not in (*BITS, "REAL", target.name):
        smallest, largest = (literal_number(text) for text in SMALLEST_AND_LARGEST[target.name])
        size = sa.func.abs(number)
        return [(number == literal_number("0")) | size.between(smallest, largest)]
    return []


def _between(number: sa.ColumnElement[Any], low: Decimal, high: Decimal) -> sa.ColumnElement[bool]:
    return (number > literal_number(f"{low:f}")) & (number < literal_number(f"{high:f}"))


def _is_short(text: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.func.octet_length(text) <= literal_integer(TEXT_BYTES_MAX)


def _matches(text: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    # The column's collation may be nondeterministic, for which PostgreSQL has no regular expressions.
    return text.collate("C").bool_op("~")(literal_text(pattern))


def _is_valid(text: sa.ColumnElement[Any], target: Kind) -> sa.ColumnElement[bool]:
    return sa.func.pg_input_is_valid(text, literal_text(target.sql))
