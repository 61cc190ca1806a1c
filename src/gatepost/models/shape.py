"""`Shape`: what the values of one attribute look like in JSON, as data. Made once per attribute, by `entity.py`.

The only module that reads a column type for its wire form. Decoders of bodies and query strings (`dtos/json_input.py`),
the SQL of responses (`json_output.py`), CHECKs (`check_conditions.py`) and the sizes of rows are made from shapes.
"""

import enum
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import PickleType, TypeDecorator

from gatepost.errors import ConfigurationError
from gatepost.models.constraints import LENGTHS, Constraint, ConstraintName, declared_constraints
from gatepost.models.json_of import JSONOf
from gatepost.models.naive_utc import NaiveUTC
from gatepost.out_of_range import OutOfRangeDate, OutOfRangeInterval, OutOfRangeTime, OutOfRangeTimestamp

REAL_MAX = 3.4028235e38
"""The largest number of PostgreSQL's `real`, as it is shown."""

SECOND_DIGITS_MAX = 6


class Form(enum.StrEnum):
    """How a value is written in JSON (`docs/reference/wire.md`). The texts are the formats of JSON Schema where it has
    one."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "double"
    DECIMAL = "decimal"
    TEXT = "text"
    UUID = "uuid"
    TIMESTAMP = "date-time"
    DATE = "date"
    TIME = "time"
    INTERVAL = "duration"
    BYTES = "base64"
    ENUM = "enum"
    DOCUMENT = "json"
    ARRAY = "array"
    OTHER = "other"
    """No body can hold it; PostgreSQL decides how it is shown."""


_JSON_TYPES = {
    Form.BOOLEAN: "boolean",
    Form.INTEGER: "integer",
    Form.FLOAT: "number",
    Form.DECIMAL: "number",
    Form.ARRAY: "array",
    Form.DOCUMENT: "any",
    Form.OTHER: "any",
}

NUMBERS = (Form.INTEGER, Form.FLOAT, Form.DECIMAL)

OUT_OF_RANGE: Mapping[Form, Any] = {
    Form.TIMESTAMP: OutOfRangeTimestamp,
    Form.DATE: OutOfRangeDate,
    Form.TIME: OutOfRangeTime,
    Form.INTERVAL: OutOfRangeInterval,
}
"""Of the forms whose columns hold more than bodies: the class of those values. They are shown as their `str()`."""

UNITS = {Form.TEXT: "character", Form.BYTES: "byte", Form.ARRAY: "element", Form.DOCUMENT: "element"}
"""What the length of a value counts."""


class Unsupported(NamedTuple):
    """Why no body can hold the values."""

    problem: str
    hint: str

    def error(self, location: str) -> ConfigurationError:
        """The error, for an attribute at this location."""
        return ConfigurationError(self.problem, location=location, hint=self.hint)


class Shape(msgspec.Struct, frozen=True):
    """The values of one attribute, or of the elements of an array (`items`).

    `constraints` are declared, `own` are those of the column type, which PostgreSQL holds without a CHECK; `misfits`
    are annotations that do not fit the type. `digits` are those before and after the point of a decimal, where they
    are limited; `choices` pair the stored text of an enum with the one on the wire. A number is a JSON string where
    `is_text`. `is_decorated` where a `TypeDecorator` stands between the values and their type, `is_converted` where it
    stores other values than are sent. `is_padded` where PostgreSQL fills texts up with spaces, `is_jsonb` where it does
    not keep the text of documents, `is_naive` where it stores timestamps in UTC without a time zone, `has_labels` where
    the choices are those of a type of the database, which may have others. `structure` is the class whose form the
    documents have (`JSONOf`). `python_type` is what a decoder makes.
    """

    form: Form
    python_type: type = object
    nullable: bool = False
    constraints: tuple[Constraint, ...] = ()
    own: tuple[Constraint, ...] = ()
    digits: tuple[int, int] | None = None
    choices: tuple[tuple[str, str], ...] = ()
    items: "Shape | None" = None
    is_text: bool = False
    is_padded: bool = False
    is_jsonb: bool = False
    is_naive: bool = False
    has_labels: bool = False
    is_decorated: bool = False
    is_converted: bool = False
    structure: Any = None
    misfits: tuple[Any, ...] = ()
    unsupported: Unsupported | None = None

    @property
    def json_type(self) -> str:
        """The type of JSON in which responses show the value."""
        return "string" if self.is_text else _JSON_TYPES.get(self.form, "string")

    @property
    def unit(self) -> str | None:
        """What the length of a value counts; None where it has none."""
        return UNITS.get(self.form)

    @property
    def is_document(self) -> bool:
        """Whether the value is stored as the JSON that was sent."""
        return self.form is Form.DOCUMENT and not self.is_decorated

    @property
    def not_finite(self) -> tuple[str, ...]:
        """The values of the column that are no numbers in JSON, as responses show them."""
        if self.form is Form.DECIMAL and self.digits is not None:
            return ("NaN",)
        return ("NaN", "Infinity", "-Infinity") if self.form in (Form.FLOAT, Form.DECIMAL) else ()

    @property
    def is_single(self) -> bool:
        """Whether the column keeps numbers in single precision."""
        return self.form is Form.FLOAT and bool(self.own)

    @property
    def unconstrained(self) -> "Shape":
        """Without what is declared: every value that the column can hold."""
        items = None if self.items is None else self.items.unconstrained
        return msgspec.structs.replace(self, constraints=(), misfits=(), structure=None, items=items)

    def bound(self, name: ConstraintName) -> Any:
        """The tightest bound of this name; None where there is none. `multiple_of` and `predicate` have no tightest
        bound: every one in `constraints` must hold."""
        bounds = [item.value for item in (*self.constraints, *self.own) if item.name == name]
        tightest = max if name in ("ge", "gt", "min_length") else min
        return tightest(bounds, default=None)

    def __str__(self) -> str:
        parts = [self.json_type] + [str(self.form)] * (self.form != self.json_type)
        parts += ["null"] * self.nullable
        if self.digits is not None:
            parts.append("digits={}.{}".format(*self.digits))
        for item in (*self.constraints, *self.own):
            is_tightened = item.name not in ("multiple_of", "predicate")
            parts.append(str(Constraint(item.name, self.bound(item.name)) if is_tightened else item))
        parts = list(dict.fromkeys(parts))
        if self.choices:
            parts.append(f"choices={'|'.join(text for _, text in self.choices)}")
        if self.items is not None:
            parts.append(f"of ({self.items})")
        return " ".join(parts)


def shape_of(
    kind: Any,
    constraints: Iterable[Any] = (),
    elements: Iterable[Any] = (),
    *,
    nullable: bool = False,
    bigint_as_string: bool = False,
) -> Shape:
    """The shape of a column type with the metadata of `Annotated`: of the value, and of the elements of an array. With
    `bigint_as_string` 64-bit integers are strings in JSON."""
    plain: Any = kind if isinstance(kind, PickleType) else plain_type(kind)  # no client chooses what a pickle executes
    form, python_type = next((known[1:] for known in _FORMS if isinstance(plain, known[0])), (Form.OTHER, object))
    items, structure = None, cast("Any", kind).kind if isinstance(kind, JSONOf) else None
    if form is Form.ENUM:
        python_type = plain.enum_class or str
    elif form is Form.UUID and not plain.as_uuid:
        python_type = str
    elif form is Form.ARRAY:
        items = shape_of(plain.item_type, elements, bigint_as_string=bigint_as_string)
    declared = list(declared_constraints(constraints))
    return Shape(
        form,
        python_type,
        nullable,
        tuple(item for _, item in declared if _fits(item, form, python_type)),
        tuple(_own(form, plain)),
        _digits(plain) if form is Form.DECIMAL else None,
        tuple(wire_values(plain).items()) if form is Form.ENUM else (),
        items,
        is_text=_is_text(form, plain, bigint_as_string=bigint_as_string),
        has_labels=form is Form.ENUM and plain.native_enum and plain_type(kind) is kind,
        is_jsonb=isinstance(plain, postgresql.JSONB),
        is_naive=isinstance(plain, NaiveUTC),
        is_padded=form is Form.TEXT and isinstance(plain, sa.CHAR | sa.NCHAR),
        is_decorated=_is_decorated(kind) and structure is None,
        is_converted=_is_converted(kind),
        structure=structure,
        misfits=tuple(found for found, item in declared if not _fits(item, form, python_type)),
        unsupported=_unsupported(form, plain) or (items.unsupported if items is not None else None),
    )


_FORMS: tuple[tuple[Any, Form, type], ...] = (
    (sa.ARRAY, Form.ARRAY, list),
    (sa.JSON, Form.DOCUMENT, dict),
    (sa.Enum, Form.ENUM, enum.Enum),
    (sa.String, Form.TEXT, str),
    (sa.Boolean, Form.BOOLEAN, bool),
    (sa.Integer, Form.INTEGER, int),
    (sa.Float, Form.FLOAT, float),
    (sa.Numeric, Form.DECIMAL, Decimal),
    (sa.Uuid, Form.UUID, UUID),
    ((sa.DateTime, NaiveUTC), Form.TIMESTAMP, datetime),
    (sa.Date, Form.DATE, date),
    (sa.Time, Form.TIME, time),
    ((sa.Interval, postgresql.INTERVAL), Form.INTERVAL, timedelta),
    ((sa.LargeBinary, sa.BINARY, sa.VARBINARY), Form.BYTES, bytes),
)
"""The first match counts: in SQLAlchemy an Enum is a String."""

PYTHON_TYPES = {form: python_type for _, form, python_type in _FORMS} | {Form.OTHER: object}
"""What a decoder makes of each form, unless the column asks for text."""


def _fits(constraint: Constraint, form: Form, python_type: type) -> bool:
    name = constraint.name
    value: Any = constraint.value
    if name == "predicate":
        return True
    if name in LENGTHS:
        return form in UNITS and isinstance(value, int) and value >= 0
    if form in NUMBERS:
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return is_number and (name != "multiple_of" or value > 0)
    if name == "multiple_of" or python_type not in (date, datetime, time, timedelta):
        return False
    return type(value) is python_type and (form is not Form.TIMESTAMP or cast("Any", value).tzinfo is not None)


def _own(form: Form, kind: Any) -> list[Constraint]:
    """What the column type itself holds."""
    if form is Form.INTEGER:
        limit = 2 ** (15 if isinstance(kind, sa.SmallInteger) else 63 if isinstance(kind, sa.BigInteger) else 31)
        return [Constraint("ge", -limit), Constraint("le", limit - 1)]
    if form is Form.FLOAT and (isinstance(kind, sa.REAL) or (kind.precision is not None and kind.precision <= 24)):
        return [Constraint("ge", -REAL_MAX), Constraint("le", REAL_MAX)]
    if form in (Form.TEXT, Form.BYTES) and kind.length is not None:
        return [Constraint("max_length", kind.length)]
    if form in (Form.TIMESTAMP, Form.TIME, Form.INTERVAL):
        digits = getattr(kind, "precision", None)
        if digits is None:
            digits = getattr(kind, "second_precision", None)
        return [] if digits is None or digits >= SECOND_DIGITS_MAX else [Constraint("second_digits", digits)]
    return []


def _is_text(form: Form, kind: Any, *, bigint_as_string: bool) -> bool:
    return bool(kind.asdecimal) if form is Form.DECIMAL else bigint_as_string and isinstance(kind, sa.BigInteger)


def _digits(kind: sa.Numeric[Any]) -> tuple[int, int] | None:
    if kind.precision is None:
        return None
    scale = kind.scale or 0
    return kind.precision - scale, scale


def _unsupported(form: Form, kind: Any) -> Unsupported | None:
    if isinstance(kind, postgresql.MONEY):
        return Unsupported(
            "is of type MONEY, whose currency and digits depend on a setting of the server (lc_monetary).",
            "Write Numeric(19, 4), and convert the column: `ALTER TABLE ... ALTER COLUMN ... TYPE numeric(19, 4) "
            "USING ...::numeric`; or hide "
            'it with fields={"...": hidden}.',
        )
    if form is Form.OTHER:
        return Unsupported(
            f"is of type {type(kind).__name__}, which has no JSON form.",
            'Hide it with fields={"...": hidden}, or use a type that JSON can carry, such as JSONB or Text.',
        )
    if form is Form.TIMESTAMP and not (kind.timezone or isinstance(kind, NaiveUTC)):
        return Unsupported(
            "is a timestamp without a time zone.",
            "Write mapped_column(NaiveUTC) where the column is a `timestamp` whose values are in UTC; or write "
            "DateTime(timezone=True), and convert the column: `ALTER TABLE ... ALTER COLUMN ... TYPE timestamptz USING "
            "... AT TIME ZONE 'UTC'`.",
        )
    if form is Form.TIME and kind.timezone:
        return Unsupported(
            "is a time of day with an offset, whose date (and so daylight saving) is unknown.",
            "Use Time(), or DateTime(timezone=True).",
        )
    if form is Form.ARRAY and (kind.dimensions or 1) != 1:
        return Unsupported(f"is an array of {kind.dimensions} dimensions.", "Use JSONB for nested lists.")
    return None


def plain_type(kind: Any) -> Any:
    """The type of the values that the database sees: for a `TypeDecorator` the type it decorates, for a domain its base
    type."""
    kind = undecorated(kind)
    return plain_type(kind.data_type) if isinstance(kind, postgresql.DOMAIN) else kind


def undecorated(kind: Any) -> Any:
    """For a `TypeDecorator` the type it decorates; those of a form of their own stay."""
    return undecorated(kind.impl_instance) if _is_decorated(kind) else kind


def element_type(kind: Any) -> Any:
    """For an array the type of its elements; undecorated."""
    kind = undecorated(kind)
    return undecorated(cast("Any", kind).item_type) if isinstance(kind, sa.ARRAY) else kind


def _is_decorated(kind: Any) -> bool:
    return isinstance(kind, TypeDecorator) and not isinstance(kind, sa.Interval | NaiveUTC)


def _is_converted(kind: Any) -> bool:
    """Whether a `TypeDecorator` stores other values than those that are bound."""
    if not _is_decorated(kind):
        return False
    own = cast("Any", type(cast("object", kind)))
    names = ("process_bind_param", "bind_processor", "bind_expression")
    return any(getattr(own, name) is not getattr(TypeDecorator, name) for name in names)


def wire_values(kind: sa.Enum) -> dict[str, str]:
    """How an enum column's stored text reads on the wire: a Python enum shows its values, a plain one itself."""
    if kind.enum_class is None:
        return {text: text for text in kind.enums}
    named = cast("Mapping[str, enum.Enum]", kind.enum_class.__members__)
    members = list(cast("Iterable[enum.Enum]", kind.enum_class))  # without aliases, as SQLAlchemy stores none
    if len(kind.enums) == len(named):
        members = list(named.values())
    return {text: str(member.value) for text, member in zip(kind.enums, members, strict=True)}
