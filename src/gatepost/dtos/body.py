"""`compile_body`: from the attributes that an actor may see and write to a decoder of request bodies.

Controllers compile one decoder per action and set of fields when the app is built, and call `decode` per request. The
good case is one msgspec pass plus the checks that msgspec cannot express; everything else goes to the strict reader
(`body_errors.py`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NoReturn, Required, TypedDict, cast

import msgspec

from gatepost.dtos.body_errors import BodyField, collect, read_value
from gatepost.dtos.json_input import WireType, field_type_of, unless_null
from gatepost.dtos.json_values import BOUNDS, Bounds, NumberReader, members
from gatepost.dtos.path_keys import fits_in_a_path
from gatepost.dtos.shown_values import read_row, unchanged_names
from gatepost.dtos.strict_json import (
    DoubledKeys,
    has_doubled_keys,
    may_hide_keys,
    may_hold_nul,
    read_any_keys,
    read_json,
)
from gatepost.dtos.structured_json import structured_type_of
from gatepost.dtos.value_checks import ValueCheck, value_checks
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest, Unprocessable
from gatepost.json_pointers import tokens_of
from gatepost.models.constraints import Constraint
from gatepost.models.entity import Attribute
from gatepost.models.shape import Form

Finish = Callable[[Any], Any]


class Body(msgspec.Struct):
    """A decoded body: Python values as SQLAlchemy's bind processors take them, only of fields that were present.

    `read_only_values` are the read-only fields that a PATCH sent back: the service accepts values equal to the row's
    present ones, and refuses others with `read_only`.
    """

    values: dict[str, Any]
    read_only_values: dict[str, Any]


class BodyDecoder:
    """Decodes the bodies of one action for one set of fields, which are given by the names that clients know. What it
    returns, and is asked for, goes by the names of attributes, where it does not speak of keys or of what was sent."""

    def __init__(self, fields: Mapping[str, BodyField], required: frozenset[str], bounds: Bounds) -> None:
        known = {name: (field, field.type) for name, field in fields.items() if field.type is not None}
        wire = {name: _wire(field, kind, name in required) for name, (field, kind) in known.items()}
        self._numbers = NumberReader(bounds)
        # A TypedDict holds only the fields that are present: a patch of one field costs one field.
        self._decode = cast(
            "Callable[[bytes], dict[str, Any]]",
            msgspec.json.Decoder(TypedDict("Wire", wire, total=False), float_hook=self._numbers).decode,  # type: ignore[operator]
        )
        finishes = ((name, _finish(field, kind)) for name, (field, kind) in known.items())
        self._finishes: dict[str, Finish] = {name: finish for name, finish in finishes if finish is not None}
        self._json = tuple(name for name, (_, kind) in known.items() if kind.wire in (Any, list[Any]))
        self._read_only = frozenset(name for name, (field, _) in known.items() if not field.writable)
        self._unasked = tuple(
            name for name, (_, kind) in known.items() if name in required and kind.wire is msgspec.Raw
        )
        self._required = required
        self._fields = fields
        self._bounds = bounds
        self._is_renamed = any(key != field.name for key, field in fields.items())

    def decode(self, body: bytes) -> Body:
        """The body's fields.

        Raises `BadRequest("malformed_json")`, or `Unprocessable("invalid_body")` whose errors name every violation.
        """
        return self.decode_fast(body) or self.decode_strictly(body)

    def decode_fast(self, body: bytes) -> Body | None:
        """The fast path; None where the body is refused, or may need the strict reader."""
        try:
            self._numbers.surplus = 0
            values = self._decode(body)
            nested = 0
            for name in self._json:
                if name in values:
                    nested += members(values[name], self._bounds)
            # `body.count` here spares most bodies the call: with as many colons as members nothing is hidden.
            if body.count(b":") != len(values) + nested and may_hide_keys(body, values, nested):
                return None
            if may_hold_nul(body) or (self._json and not self._numbers.is_within(body)):
                return None
            for name in self._unasked:
                if name not in values:
                    return None
            finishes = self._finishes
            for name, value in values.items():
                if name in finishes:
                    values[name] = finishes[name](value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Violation):
            return None
        if not self._read_only or self._read_only.isdisjoint(values):
            return Body(self._by_attribute(values) if self._is_renamed else values, {})
        read_only_values = {name: values.pop(name) for name in self._read_only & values.keys()}
        return Body(self._by_attribute(values), self._by_attribute(read_only_values))

    def decode_strictly(self, body: bytes) -> Body:
        """The strict reader: the same values as the fast path, or the refusal with every violation."""
        return self._collected(read_json(body))

    def refused_values(self, body: bytes) -> dict[str, Any]:
        """The values in a refused body that no body may have, by the names that were sent, as `read_any_keys` gives
        them: none where the body has other mistakes as well."""
        try:
            node = read_any_keys(body)
            names = _doubled(node)
        except (BadRequest, RecursionError):
            return {}
        if not isinstance(node, dict) or isinstance(node, DoubledKeys):
            return {}
        members = cast("dict[str, Any]", node)
        try:
            collect(self._fields, self._required, _without(members, names))
        except Unprocessable as problem:
            names |= {next(iter(tokens_of(error.pointer)), "") for error in problem.errors}
        return {name: members[name] for name in names} if names <= members.keys() & self._fields.keys() else {}

    def read_only_sent(self, body: bytes) -> frozenset[str]:
        """The read-only fields that are in a body. Raises `BadRequest("malformed_json")`."""
        return self.named(body, self.attribute_names(self._read_only))

    def read_only_changed(self, body: bytes, row: str) -> list[str]:
        """The read-only fields of a body whose value is well-formed, and not the one that the row's JSON shows."""
        node = read_any_keys(body)
        sent = {name: node[name] for name in self._read_only.intersection(node)}
        try:
            shown = read_row(row)
        except RecursionError:
            return []
        differing = sent.keys() & shown.keys() - unchanged_names(row, sent)
        changed = (key for key in sorted(differing) if _is_changed(self._fields[key], shown[key], sent[key]))
        return [self._fields[key].name for key in changed]

    def decode_without(self, body: bytes, keys: frozenset[str]) -> Body:
        """The body's fields but for what it has under `keys`. Raises as `decode` does."""
        rest = _without(read_any_keys(body), keys)
        return self.decode_strictly(body) if _doubled(rest) else self._collected(rest)

    def named(self, body: bytes, names: frozenset[str]) -> frozenset[str]:
        """Those of `names` that are in a body. Raises `BadRequest("malformed_json")`."""
        node = read_any_keys(body)
        if not isinstance(node, dict):
            return frozenset()
        members = cast("dict[str, Any]", node)
        return frozenset(field.name for key, field in self._fields.items() if field.name in names and key in members)

    def refuse(self, body: bytes, unknown: frozenset[str]) -> NoReturn:
        """Raise the `Unprocessable` for a body whose fields `unknown` are to look as if they did not exist."""
        keys = self._keys(unknown)
        fields = {key: field for key, field in self._fields.items() if key not in keys}
        collect(fields, self._required - keys, read_json(body))
        raise RuntimeError(f"the body names none of {sorted(unknown)}")

    def attribute_names(self, keys: Collection[str]) -> frozenset[str]:
        """The attributes that clients know by these names."""
        return frozenset(self._fields[key].name for key in keys)

    def _keys(self, names: Collection[str]) -> set[str]:
        return {key for key, field in self._fields.items() if field.name in names}

    def _by_attribute(self, values: dict[str, Any]) -> dict[str, Any]:
        return {self._fields[key].name: value for key, value in values.items()} if self._is_renamed else values

    def _collected(self, node: Any) -> Body:
        values, read_only_values = collect(self._fields, self._required, node)
        return Body(self._by_attribute(values), self._by_attribute(read_only_values))


class BodyFields(msgspec.Struct, frozen=True):
    """Which fields a body may have. Those that are neither writable nor readable are unknown.

    The writable ones of `required` must be there; a patch (RFC 7396) requires none. Those in `maybe_unknown` may turn
    out to be unknown to the actor, so hints do not suggest them. `path_keys` are part of the paths of rows, as primary
    keys are. Those in `kept` are set by no actor.
    """

    writable: frozenset[str]
    readable: frozenset[str]
    required: frozenset[str] = frozenset()
    maybe_unknown: frozenset[str] = frozenset()
    is_patch: bool = False
    path_keys: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()


def _doubled(node: Any) -> set[str]:
    """The names of the members in whose values a key appears twice in one object."""
    members = cast("dict[str, Any]", node) if isinstance(node, dict) else {}
    return {name for name, value in members.items() if has_doubled_keys(value)}


def _without(node: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name not in names}


def compile_body(
    attributes: Iterable[Attribute], fields: BodyFields, location: str, bounds: Bounds = BOUNDS
) -> BodyDecoder:
    """The decoder of bodies with these fields. `bounds` hold for JSON and arrays. `location` (the name of the model)
    opens the sentence of a `ConfigurationError` for a type or constraint that cannot be served."""
    known: dict[str, BodyField] = {}
    required: set[str] = set()
    for attribute in attributes:
        name, is_writable = attribute.name, attribute.name in fields.writable
        if not is_writable and name not in fields.readable:
            continue
        is_key = attribute.primary_key or name in fields.path_keys
        kind = (
            _field_type(attribute, location, bounds, is_patch=fields.is_patch, is_key=is_key) if is_writable else None
        )
        if fields.is_patch and not is_writable and attribute.shape.unsupported is None:
            # A read-only value is only compared with the row, so constraints do not apply.
            kind = field_type_of(attribute.shape.unconstrained, "", bounds)
        if is_writable and name in fields.required:
            required.add(attribute.wire_name)
        is_hinted = is_writable and name not in fields.maybe_unknown
        known[attribute.wire_name] = BodyField(
            name, kind, attribute.nullable, is_writable, is_hinted, name in fields.kept
        )
    return BodyDecoder(known, frozenset(required), bounds)


def check_field(attribute: Attribute, location: str) -> None:
    """Raise the `ConfigurationError` of an attribute that no body can hold, before there is a body."""
    _field_type(attribute, location, BOUNDS, is_patch=False, is_key=attribute.primary_key)


def _field_type(attribute: Attribute, location: str, bounds: Bounds, *, is_patch: bool, is_key: bool) -> WireType:
    shape = attribute.shape
    if shape.structure is not None:
        return structured_type_of(shape, f"{location}.{attribute.name}", bounds, is_patch=is_patch)
    is_text_key = is_key and shape.form is Form.TEXT
    further = (*value_checks((Constraint("min_length", 1),), shape), _IN_A_PATH) if is_text_key else ()
    return field_type_of(shape, f"{location}.{attribute.name}", bounds, further)


def _is_changed(field: BodyField, shown: Any, sent: Any) -> bool:
    """Whether a value is well-formed and another one than the row shows, in whatever spelling."""
    try:
        value = read_value(field, sent)
    except Violation:
        return False
    try:
        return bool(read_value(field, shown) != value)
    except Violation:  # other programs store what no body may have
        return True


_IN_A_PATH = ValueCheck(
    fits_in_a_path,
    "pattern_mismatch",
    "A key is part of its row's path: it cannot consist of dots, or contain slashes or control characters.",
)


def _wire(field: BodyField, kind: WireType, required: bool) -> Any:
    if kind.wire is msgspec.Raw:
        return kind.wire  # accepts null itself; and msgspec 0.22 does not accept `Raw | None` where a key is required
    wire = kind.wire | None if field.nullable and kind.wire is not Any else kind.wire
    return Required[wire] if required else wire


def _finish(field: BodyField, kind: WireType) -> Callable[[Any], Any] | None:
    """The conversion after msgspec, including null, which `Any` and `Raw` accept unchecked."""
    convert = kind.convert
    if kind.wire is msgspec.Raw:
        return _raw_or_null(convert) if field.nullable and convert is not None else convert
    if kind.wire is Any and not field.nullable:
        return _not_null(convert)
    if convert is None or not field.nullable:
        return convert
    return unless_null(convert)


def _raw_or_null(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def finish(raw: Any) -> Any:
        try:
            return convert(raw)
        except Violation:
            if bytes(raw) == b"null":
                return None
            raise

    return finish


def _not_null(convert: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def finish(value: Any) -> Any:
        if value is None:
            raise Violation("not_nullable", "The field cannot be null.")
        return value if convert is None else convert(value)

    return finish
