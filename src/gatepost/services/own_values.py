"""Values of bodies for the application's own code, which may change them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from gatepost.database.statements import as_written
from gatepost.exact_json import natural
from gatepost.models.entity import Attribute
from gatepost.models.shape import Form, element_type


class OwnValues:
    """Copies what is mutable, because the work may run again, and turns the numbers in documents into floats where no
    precision is lost."""

    def __init__(self, attributes: Iterable[Attribute]) -> None:
        copiers = {attribute.name: _copier(attribute) for attribute in attributes}
        self._copiers = {name: copier for name, copier in copiers.items() if copier is not None}

    def of(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values by attribute."""
        copiers: Mapping[str, Callable[[Any], Any]] = self._copiers
        if copiers.keys().isdisjoint(values):
            return values
        return {name: copiers[name](value) if name in copiers else value for name, value in values.items()}


def _copier(attribute: Attribute) -> Callable[[Any], Any] | None:
    """The function that copies values of a body for this attribute; None where they are immutable."""
    shape = attribute.shape
    item = shape.items or shape
    if item.form is Form.FLOAT and not item.is_decorated and element_type(attribute.column.type).asdecimal:
        return _decimals
    if item.form is Form.DOCUMENT or (item.form is Form.DECIMAL and not (item.is_text or item.is_decorated)):
        return natural
    return _copied_list if shape.form is Form.ARRAY else None


def _decimals(value: Any) -> Any:
    return [as_written(item) for item in cast("Any", value)] if isinstance(value, list) else as_written(value)


def _copied_list(value: list[Any] | None) -> list[Any] | None:
    """A copy of an array, whose elements are immutable: bodies hold one dimension."""
    return None if value is None else list(value)
