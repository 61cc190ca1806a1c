"""Comparisons of a change with the row's current values: read-only fields that were sent back, documents to merge into.

A value that is hidden from the actor counts as unknown: it equals nothing, and nothing is merged into it, so that
neither the response nor what is stored depends on it.
"""

from collections.abc import Collection, Mapping
from typing import Any, cast

from gatepost.database.connection import Record
from gatepost.database.statements import DIALECT
from gatepost.declaring.policies import is_nobody
from gatepost.dtos.body_errors import field_errors, read_only_error
from gatepost.dtos.merge_patch import merge_patch
from gatepost.dtos.merged_documents import MergedDocuments
from gatepost.dtos.violations import Violation
from gatepost.errors import FieldError, Unprocessable
from gatepost.exact_json import decode_exact, is_same_document, natural
from gatepost.models.entity import Attribute
from gatepost.models.served_model import ServedModel
from gatepost.models.shape import Form, Shape
from gatepost.models.writes import TOO_LARGE, RowStatusPlan


class CurrentValues:
    """The values of one row as its record holds them, as far as the actor is shown them."""

    def __init__(self, served: ServedModel, plan: RowStatusPlan, record: Record) -> None:
        self._served = served
        self._attributes = served.entity.attributes
        self._plan = plan
        self._record = record

    def _read_only_errors(self, values: Mapping[str, Any]) -> list[FieldError]:
        """The violations among these values of read-only fields: those that are not the current ones."""
        fields = self._served.fields
        changed = values.keys() - self.unchanged(values)
        return [
            read_only_error(
                self._attributes[name].wire_name,
                is_once=fields[name].write_once,
                is_kept=is_nobody(self._served.rules[name].update),
            )
            for name in sorted(changed)
        ]

    def moved(self, values: Mapping[str, Any], compared: Collection[str]) -> dict[str, Any]:
        """The values that the row does not have already, as far as the actor may know. Of those in `compared`
        PostgreSQL has told whether one differs."""
        same = self.unchanged(values)
        if not self._plan.is_different(self._record):
            same.update(compared)
        return {name: value for name, value in values.items() if name not in same}

    def unchanged(self, values: Mapping[str, Any]) -> set[str]:
        """The names of the values that the actor is shown on the row as well."""
        return {
            name
            for name, raw in zip(self._plan.names, self._record, strict=False)
            if name in values
            and self._plan.is_shown(self._record, name)
            and _is_unchanged(self._attributes[name], raw, values[name])
        }

    def merge(self, values: Mapping[str, Any], merged: MergedDocuments, read_only: Mapping[str, Any]) -> dict[str, Any]:
        """Merge objects into the current JSON documents (RFC 7396). Any other value replaces the document, and so does
        an object where the document is hidden. A document with a form becomes an instance. Raises `Unprocessable` where
        a document is or becomes too large or too deep, or does not have its form, and for values in `read_only` that
        are not the current ones."""
        present = dict(zip(self._plan.names, self._record, strict=False))
        found: dict[str, Any] = {}
        errors = self._read_only_errors(read_only)
        for name, value in values.items():
            if name not in self._plan.documents or not isinstance(value, dict):
                found[name] = value
                continue
            try:
                target, document = _merged(present[name], value, merged)
            except Violation as violation:
                detail = f"{violation.detail} {_way_out(self._attributes[name])}"
                errors.append(FieldError(f"/{name}", violation.code, detail, violation.params))
                continue
            if self._attributes[name].shape.structure is not None and is_same_document(target, document):
                continue  # it may be one that does not fit: what is stored stays
            try:
                found[name] = merged.instance(name, document)
            except Violation as violation:
                errors += field_errors(violation, name)
        if errors:
            raise Unprocessable("invalid_body", "The body has errors.", errors=sorted(errors))
        return found


def _is_unchanged(attribute: Attribute, raw: Any, value: Any) -> bool:
    if attribute.shape.is_document and raw == TOO_LARGE:
        return False
    try:
        return _is_same(attribute.shape, _present(attribute, raw), value)
    except RecursionError:  # a document that another program has nested too deeply
        return False


def _is_same(shape: Shape, present: Any, value: Any) -> bool:
    item = shape.items or shape
    if item.is_document:
        # The driver decodes documents in an array to floats.
        return is_same_document(present, value if item is shape else natural(value))
    return bool(present == value)


def _present(attribute: Attribute, raw: Any) -> Any:
    if attribute.shape.is_document:
        return _exact(raw)
    item = attribute.shape.items or attribute.shape
    if item.form in (Form.FLOAT, Form.DECIMAL) and not item.is_decorated:
        return raw  # with all digits: neither the float of a decimal, nor the decimal of a float
    kind: Any = attribute.column.type
    process: Any = kind.dialect_impl(DIALECT).result_processor(DIALECT, None)
    return raw if process is None else process(raw)


def _exact(text: str | None) -> Any:
    return text if text is None or text == TOO_LARGE else decode_exact(text)


def _merged(text: str | None, patch: Any, merged: MergedDocuments) -> tuple[Any, Any]:
    """The stored document, and what the patch makes of it."""
    if text is None:
        return None, merge_patch(None, patch)
    if text == TOO_LARGE:
        raise Violation(
            "too_long",
            f"The document is too large to be merged into: a body has {merged.bytes_max} bytes.",
            params={"max": merged.bytes_max},
        )
    try:
        target = decode_exact(text)
        if is_same_document(target, patch):  # as it was read, with members that are null: those are not to be removed
            return target, target
        found = merge_patch(target, patch)
        if isinstance(target, dict):  # otherwise it is the patch itself, which was checked when the body was decoded
            merged.check(found)
    except RecursionError:
        raise Violation("too_deep", "The document nests too deeply to be merged into.") from None
    return cast("Any", target), found


def _way_out(attribute: Attribute) -> str:
    other = "null" if attribute.nullable else "[]"
    return f"Send {other} to replace it, then send the whole new document; or remove members with null."
