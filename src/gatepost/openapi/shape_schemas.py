"""Shapes as JSON Schema: what a body may hold, what a response may show, and what a parameter may say.

The three differ. Bodies have the declared constraints; responses show whatever a column of the type can hold, also what
another program wrote (`docs/reference/wire.md`, "Values that no body may have"); parameters are texts.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import EnumMeta
from math import isfinite
from typing import Any, Literal, cast

from gatepost.dtos.parsers import BASE64_TEXT, INTERVAL_TEXT
from gatepost.models.constraints import LENGTHS, Constraint, pattern_of
from gatepost.models.shape import NUMBERS, Form, Shape
from gatepost.openapi.components import Components, Schema
from gatepost.openapi.docstrings import described, own_docs
from gatepost.openapi.schema_parts import or_null

Use = Literal["request", "response"]
"""Whether values are sent or shown."""

StructureSchema = Callable[[Any, Use], Schema]

_DAY = "-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"


def _beyond_pattern(after_year: str) -> str:
    return rf"^(-?infinity|[0-9]{{4}}{after_year} BC|[1-9][0-9]{{4,6}}{after_year})$"


_PLAIN: dict[Form, Schema] = {
    Form.BOOLEAN: {"type": "boolean"},
    Form.TEXT: {"type": "string"},
    Form.UUID: {"type": "string", "format": "uuid"},
    Form.TIMESTAMP: {"type": "string", "format": "date-time"},
    Form.DATE: {"type": "string", "format": "date"},
    Form.TIME: {"type": "string", "pattern": f"^{_CLOCK}$"},
    Form.INTERVAL: {"type": "string", "format": "duration", "pattern": f"^{INTERVAL_TEXT}$"},
    Form.BYTES: {"type": "string", "contentEncoding": "base64", "pattern": f"^{BASE64_TEXT}$"},
    Form.DOCUMENT: {},
    Form.OTHER: {},
}

_BEYOND: dict[Form, tuple[str, Schema]] = {
    Form.TIMESTAMP: ("Timestamp", {"type": "string", "pattern": _beyond_pattern(f"{_DAY} {_CLOCK}\\+00")}),
    Form.DATE: ("Date", {"type": "string", "pattern": _beyond_pattern(_DAY)}),
}
"""What another program may have written besides, which Python and RFC 3339 do not have."""

_LISTED: dict[Form, str] = {
    Form.INTEGER: "-?(0|[1-9][0-9]{0,17})",
    Form.DECIMAL: r"-?(0|[1-9][0-9]{0,399})(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,2})?",
    Form.FLOAT: r"-?[0-9]{1,300}(\.[0-9]{1,300})?",
    Form.BOOLEAN: "(true|false)",
    Form.UUID: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    Form.TIMESTAMP: rf"[0-9]{{4}}{_DAY}T{_CLOCK}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])",
    Form.DATE: f"[0-9]{{4}}{_DAY}",
}
"""What each of several values in one text looks like, where its form says more than that it is a text."""

_BEYOND_TEXT = "`infinity`, or PostgreSQL's text of a year before 1 or after 9999, where another program wrote it."

_INTEGER_FORMATS = ((2**31, "int32"), (2**63, "int64"))

_NUMBER_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}

_LENGTHS = {
    Form.TEXT: ("minLength", "maxLength"),
    Form.ARRAY: ("minItems", "maxItems"),
}

INTEGER_TEXT = "^-?(0|[1-9][0-9]*)$"

_COUNT = "-?[0-9]{1,10}"
_WITH_MONTHS = (
    rf"P(?=[-0-9T])({_COUNT}Y)?({_COUNT}M)?({_COUNT}D)?"
    rf"(T(?=[-0-9])({_COUNT}H)?({_COUNT}M)?({_COUNT}(\.[0-9]{{1,6}})?S)?)?"
)
_COMPARED: dict[Form, Schema] = {
    Form.TIME: {"type": "string", "pattern": f"^({_CLOCK}|24:00:00)$"},
    Form.INTERVAL: {"type": "string", "pattern": f"^({INTERVAL_TEXT}|{_WITH_MONTHS}|-?infinity)$"},
    Form.DOCUMENT: {"type": "string"},
}
"""What parameters say of forms whose columns hold more than bodies may."""


class ShapeSchemas:
    """The schemas of shapes in one document. `structure` makes those of documents with a form (`JSONOf`)."""

    def __init__(self, components: Components, structure: StructureSchema = lambda kind, use: {}) -> None:
        self._components = components
        self._structure = structure

    def request(self, shape: Shape, name: str) -> Schema:
        """What a body may hold. `name` is that of the field, for what has none of its own."""
        return or_null(self._constrained(shape, name), shape.nullable)

    def response(self, shape: Shape, name: str) -> Schema:
        """What a response may show."""
        return or_null(self._shown(shape, name), shape.nullable)

    def parameter(self, shape: Shape, name: str) -> Schema:
        """What a filter or a segment of a path may say: any value that the column can hold."""
        plain = (shape.items or shape).unconstrained
        if plain.form in NUMBERS and plain.not_finite:
            return {"anyOf": [self._number(plain), {"type": "string", "enum": [*plain.not_finite]}]}
        if plain.form is Form.INTEGER:
            return {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
        if plain.form is Form.ENUM:
            return self._open_enum(plain, name)
        if plain.form in _BEYOND:
            return self._beyond(plain.form)
        return dict(_COMPARED.get(plain.form) or _PLAIN[plain.form])

    def listed(self, shape: Shape | None) -> Schema:
        """What a filter says that lists values: they are separated by commas. None is a shape of its own."""
        plain = Shape(Form.TEXT) if shape is None else shape.unconstrained
        one = _LISTED.get(plain.form)
        if plain.form in _BEYOND:
            one = f"({one}|{_BEYOND[plain.form][1]['pattern'].strip('^$')})"
        elif plain.form in _COMPARED:
            one = _COMPARED[plain.form].get("pattern", "").strip("^$")
        names = "".join(f"|{name}" for name in plain.not_finite)
        return {"type": "string", **({"pattern": f"^({one}{names})(,({one}{names}))*$"} if one else {})}

    def _constrained(self, shape: Shape, name: str) -> Schema:
        found: Schema
        match shape.form:
            case Form.ENUM:
                return self._enum(shape, name)
            case Form.DOCUMENT if shape.structure is not None:
                return self._structure(shape.structure, "request")
            case Form.DOCUMENT if not shape.nullable:
                found = {"type": ["object", "array", "string", "number", "boolean"], "items": {}}
            case Form.ARRAY if shape.items is not None:
                items = {} if shape.items.is_document else self.request(shape.items, name)
                found = {"type": "array", "items": items}
            case Form.INTEGER:
                found = self._integer(shape)
            case Form.DECIMAL:
                return _with_sentences(self._decimal(shape), shape)
            case Form.FLOAT:
                found = {"type": "number", "format": "float" if shape.is_single else "double"}
            case _:
                found = dict(_PLAIN[shape.form])
        return _with_sentences({**found, **_bounds(shape)}, shape)

    def _shown(self, shape: Shape, name: str) -> Schema:
        found: Schema = dict(_PLAIN.get(shape.form, {}))
        match shape.form:
            case _ if shape.is_converted and shape.structure is None:
                found = {}  # what the application's code makes of the stored value
            case Form.ENUM:
                found = self._open_enum(shape, name)
            case Form.DOCUMENT if shape.structure is not None:
                # A document that another program stored is shown as it is.
                found = {"anyOf": [self._structure(shape.structure, "response"), {}]}
            case Form.ARRAY if shape.items is not None:
                item = or_null(self.response(shape.items, name), nullable=True)
                nested = {"type": "array", "items": item}  # PostgreSQL lets any array have more dimensions
                found = {"type": "array", "items": {"anyOf": [*item.get("anyOf", [item]), nested]} if item else {}}
            case Form.INTEGER if shape.is_text:
                found = {"type": "string", "format": "int64", "pattern": INTEGER_TEXT}
            case Form.INTEGER:
                found = {"type": "integer", "format": _integer_format(shape)}
            case Form.DECIMAL if shape.is_text:
                found = self._decimal_text(shape)
            case Form.DECIMAL if shape.is_decorated:
                # What the application's code makes of it: a float, or a Decimal where a float has too few digits.
                found = {"anyOf": [self._number(shape), self._decimal_text(shape)]}
            case Form.FLOAT | Form.DECIMAL:
                found = {"anyOf": [self._number(shape), {"type": "string", "enum": [*shape.not_finite]}]}
            case Form.TIMESTAMP | Form.DATE:
                found = self._beyond(shape.form)
            case Form.TIME | Form.INTERVAL:
                found = {"type": "string"}
            case _:
                pass
        return found

    def _integer(self, shape: Shape) -> Schema:
        if shape.is_text:
            return {"type": ["integer", "string"], "format": "int64", "pattern": INTEGER_TEXT}
        return {"type": "integer", "format": _integer_format(shape)}

    def _number(self, shape: Shape) -> Schema:
        return {"type": "number", **({} if shape.form is Form.DECIMAL else {"format": "double"})}

    def _decimal_text(self, shape: Shape) -> Schema:
        names = "|".join(("", *shape.not_finite))
        return {"type": "string", "format": "decimal", "pattern": rf"^(-?[0-9]+(\.[0-9]+)?{names})$"}

    def _decimal(self, shape: Shape) -> Schema:
        """A number, exact as a text."""
        number: Schema = {"type": "number", **_bounds(shape)}
        whole, scale = shape.digits or (None, None)
        pattern = r"(0|[1-9][0-9]*)(\.[0-9]+)?"
        if whole is not None and scale is not None:
            digits = "0" if whole <= 0 else f"(0|[1-9][0-9]{{0,{whole - 1}}})"
            pattern = digits + (rf"(\.[0-9]{{1,{scale}}})?" if scale > 0 else "")
            limit = 10**whole if whole >= 0 else 1
            number = {"exclusiveMinimum": -limit, "exclusiveMaximum": limit, **number}
            _drop_wider(number)
        lower = next((value for name in ("ge", "gt") if (value := shape.bound(cast("Any", name))) is not None), None)
        sign = "" if lower is not None and lower >= 0 else "-?"
        return {"anyOf": [{"type": "string", "format": "decimal", "pattern": f"^{sign}{pattern}$"}, number]}

    def _beyond(self, form: Form) -> Schema:
        name, beyond = _BEYOND[form]
        made = {"anyOf": [_PLAIN[form], beyond], "description": f"Also {_BEYOND_TEXT}"}
        return self._components.schema(form, name, lambda: made, f"Stored{name}")

    def _enum(self, shape: Shape, name: str) -> Schema:
        values = tuple(dict.fromkeys(value for _, value in shape.choices))
        made: Schema = {"type": "string", "enum": [*values]}
        kind = shape.python_type
        if not isinstance(kind, EnumMeta):
            return made
        return self._components.schema((kind, values), kind.__name__, lambda: described(made, own_docs(kind)))

    def _open_enum(self, shape: Shape, name: str) -> Schema:
        """A response shows a label that the model does not know as it is stored."""
        return {"anyOf": [self._enum(shape, name), {"type": "string"}]}


def constraint_schema(constraints: Iterable[Constraint], form: Form) -> Schema:
    """What constraints say of values in this form, as far as JSON Schema has words for it."""
    return _bounds(Shape(form, constraints=tuple(constraints)))


def _bounds(shape: Shape) -> Schema:
    found: Schema = {}
    if shape.form in NUMBERS:
        for name, keyword in _NUMBER_BOUNDS.items():
            value = shape.bound(cast("Any", name))
            if value is not None and isfinite(value):
                found[keyword] = _json_number(value)
        _drop_wider(found)
        steps = [item.value for item in shape.constraints if item.name == "multiple_of"]
        if len(steps) == 1:
            found["multipleOf"] = _json_number(steps[0])
    for name, keyword in zip(LENGTHS, _LENGTHS.get(shape.form, ()), strict=False):
        if (value := shape.bound(name)) is not None:
            found[keyword] = value
    patterns = [
        pattern for item in shape.constraints if item.name == "predicate" and (pattern := pattern_of(item.value))
    ]
    if patterns and shape.form is Form.TEXT:
        found["pattern"] = patterns[0]
    return found


def _drop_wider(bounds: Schema) -> None:
    """Of an inclusive and an exclusive bound on one side keep the tighter."""
    for inclusive, exclusive, sign in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        if inclusive in bounds and exclusive in bounds:
            is_tighter = (bounds[inclusive] - bounds[exclusive]) * sign > 0
            del bounds[exclusive if is_tighter else inclusive]


def _with_sentences(schema: Schema, shape: Shape) -> Schema:
    """The schema with the constraints that JSON Schema has no word for as sentences."""
    sentences = [item.detail(shape.unit) for item in (*shape.constraints, *shape.own) if not _is_written(item, shape)]
    return {**schema, "description": " ".join(dict.fromkeys(sentences))} if sentences else schema


def _is_written(item: Constraint, shape: Shape) -> bool:
    if item.name == "predicate":
        return not item.params or (shape.form is Form.TEXT and pattern_of(item.value) is not None)
    if item.name in LENGTHS:
        return shape.form in _LENGTHS
    return shape.form in NUMBERS


def _integer_format(shape: Shape) -> str:
    most = next((item.value for item in shape.own if item.name == "le"), 2**63 - 1)
    return next(name for limit, name in _INTEGER_FORMATS if most < limit)


def _json_number(value: Any) -> int | float:
    number = Decimal(value) if not isinstance(value, float) else Decimal(str(value))
    return int(number) if number == number.to_integral_value() else float(number)
