"""What the bodies of own endpoints become: instances of DTOs, whose rows are drafts, and changes.

The rules of fields that depend on the row, and those of references, hold for what a request asks for, in the verbs of
services: of a draft that `row()` made, and of `Partial.changes`. What the endpoint's own code sets is not subject to
them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from gatepost.call import Call
from gatepost.declaring.dto import DTO, made_of
from gatepost.models.constructors import Construct, constructor_of
from gatepost.models.dataclass_defaults import dataclass_defaults
from gatepost.models.entity import Attribute, Entity
from gatepost.models.served_model import ServedModel
from gatepost.services.changes import Changes
from gatepost.services.own_values import OwnValues
from gatepost.services.partial import Partial


class BodyValues:
    """Makes parameters of the decoded bodies of one DTO."""

    def __init__(
        self, dto: type[DTO[Any]], served: ServedModel, attributes: Sequence[Attribute], *, is_partial: bool
    ) -> None:
        self._dto = dto
        self._served = served
        self._own = OwnValues(served.entity.attributes.values())
        self._defaulted = defaulted_names(served.entity)
        self._construct: Construct | None = None if is_partial else constructor_of(served.entity)
        self._absent = _values_of_absent(served.entity, attributes)

    def instance(self, call: Call, values: dict[str, Any]) -> DTO[Any]:
        """The instance of the DTO. Members that were not sent have the default of their column, as far as Python
        knows it."""
        nulls = [name for name in self._defaulted if name in values and values[name] is None]
        rules, asked = self._served.view(call.actor).create_rules, frozenset(values)
        construct, own = cast("Construct", self._construct), self._own.of(values)

        def make(given: Mapping[str, Any]) -> Any:
            draft = construct(given)
            if call.unit is not None:
                checks = call.unit.checks
                checks.enforce_field_rules(draft, rules, asked)
                checks.keep_nulls(draft, nulls)
                checks.check_references(draft, {name: own[name] for name in own if given.get(name) is own[name]})
            return draft

        absent = {name: default() for name, default in self._absent.items() if name not in values}
        return made_of(self._dto, {**absent, **own}, make)

    def partial(self, values: dict[str, Any]) -> Partial[Any]:
        """What was sent."""
        changes: Changes[Any] = Changes(self._own.of(values), model=self._served.entity.model)
        return Partial(changes.asked_for())


def defaulted_names(entity: Entity) -> list[str]:
    """The attributes of which the ORM would take None for "the default"."""
    return [
        name
        for name, item in entity.attributes.items()
        if item.nullable and item.has_default and not item.column.type.should_evaluate_none
    ]


def _values_of_absent(entity: Entity, attributes: Sequence[Attribute]) -> dict[str, Callable[[], Any]]:
    """What makes the value of an attribute that was not sent, where it is known before the row is written."""
    found: dict[str, Callable[[], Any]] = {}
    for attribute in attributes:
        default: Any = attribute.column.default
        if attribute.name in dataclass_defaults(entity.model):
            continue
        if default is not None and (default.is_scalar or default.is_callable):
            found[attribute.name] = _evaluated(default)
        elif attribute.nullable and not attribute.has_default:
            found[attribute.name] = lambda: None
    return found


def _evaluated(default: Any) -> Callable[[], Any]:
    return (lambda: default.arg) if default.is_scalar else (lambda: default.arg(None))
