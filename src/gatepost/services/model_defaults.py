"""What the model adds to the values of a write: Python-side defaults, discriminators and owners."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Column

from gatepost.actor import Actor
from gatepost.models.entity import Entity
from gatepost.models.orm_reasons import is_context_sensitive
from gatepost.models.served_model import ServedModel


class ModelDefaults:
    """What is added to new and changed rows of one resource."""

    def __init__(self, served: ServedModel) -> None:
        self._served = served
        self._defaults = [*_identity(served.entity), *_fillers(served, lambda column: column.default)]
        self._on_update = _fillers(served, lambda column: column.onupdate)

    def complete_owner(self, draft: Any, actor: Actor) -> None:
        """Set the owner columns that a draft leaves out to the actor's id."""
        if actor.id is not None:
            for name in self._served.owned:
                if getattr(draft, name) is None:
                    setattr(draft, name, actor.id)

    def fill(self, values: dict[str, Any]) -> None:
        """Set the values that a new row leaves out to the model's defaults."""
        for name, make in self._defaults:
            if name not in values:
                values[name] = make()

    def with_updates(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values of a change, and the model's `onupdate` defaults."""
        if not (values and self._on_update):
            return values
        return {**values, **{name: make() for name, make in self._on_update if name not in values}}


def _fillers(served: ServedModel, default_of: Callable[[Column[Any]], Any]) -> list[tuple[str, Callable[[], Any]]]:
    """Python-side defaults of columns: SQLAlchemy applies them in the ORM, a compiled statement does not."""
    defaults = [(name, default_of(attribute.column)) for name, attribute in served.entity.attributes.items()]
    return [
        (name, partial(default.arg, None) if default.is_callable else partial(getattr, default, "arg"))
        for name, default in defaults
        if default is not None
        and not (default.is_clause_element or default.is_sequence or is_context_sensitive(default))
    ]


def _identity(entity: Entity) -> list[tuple[str, Callable[[], Any]]]:
    """The discriminator of a new row, which the mapper sets in the ORM."""
    found = entity.discriminator
    return [] if found is None or found.identity is None else [(found.name, lambda: found.identity)]
