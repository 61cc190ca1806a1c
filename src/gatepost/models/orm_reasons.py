"""Why a verb of a model goes through the ORM: what the mapper, its class or a session do that a statement does not.

Asked once, at start, because listeners may be registered after the app was built. A verb without a reason is one
compiled statement; one with a reason loads or makes an object and flushes it, as a service does. Reads never load
objects, so nothing that happens to loaded objects is a reason for them.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from gatepost.database.listeners import Listener, is_coerced, listeners_of
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.models.constructors import own_constructor
from gatepost.models.delete_cascades import MAPPER_EVENTS, delete_cascades
from gatepost.models.entity import Entity, entity_of
from gatepost.models.expressions import expression_on, reads_other_rows
from gatepost.sources import location_of

_INSTANCE_EVENTS = {
    "create": ("init", "init_failure", "refresh_flush"),
    "update": ("load", "refresh", "refresh_flush"),
    "delete": ("load", "refresh"),
}

_ATTRIBUTE_EVENTS = ("set", "modified", "init_scalar")

WRITES = ("create", "update", "delete")

Reasons = tuple[str, ...]


def orm_reasons(
    entity: Entity, session_listeners: Collection[Listener], actions: Collection[str] = WRITES
) -> Mapping[str, Reasons]:
    """The reasons by action; an action that is not in the result has none. `session_listeners` are the application's,
    and count for every model."""
    found: dict[str, Reasons] = {}
    for action in actions:
        reasons = [reason for item in _classes(entity, action) for reason in _of_entity(item, action)]
        reasons += [str(listener) for listener in session_listeners]
        if reasons:
            found[action] = tuple(dict.fromkeys(reasons))
    return found


def check_validators(entity: Entity) -> None:
    """Raise `ConfigurationError` for a `@validates` in a mapped class that names no attribute: SQLAlchemy would never
    call it. One of a mixin may be meant for other classes."""
    mapper: Mapper[Any] = inspect(entity.model)
    own = {
        function for item in mapper.iterate_to_root() for function in vars(item.class_).values() if callable(function)
    }
    for name, (function, _) in mapper.validators.items():
        if name not in mapper.attrs and function in own:
            raise ConfigurationError(
                f"@validates({name!r}) is never called: {entity.name} has no such mapped attribute.",
                location=f"{entity.name}.{cast('Any', function).__name__}",
                hint=did_you_mean(name, mapper.attrs.keys()).strip() or "Correct the name, or remove the validator.",
            )


def is_context_sensitive(default: Any) -> bool:
    """Whether a default is a function that reads the values of its row from the context that SQLAlchemy gives it."""
    return default is not None and default.is_callable and default.arg is default._fn


def _classes(entity: Entity, action: str) -> list[Entity]:
    """The classes that a row which the action writes may be of: a subclass's as well, unless it is made."""
    mapper: Mapper[Any] = inspect(entity.model)
    others = [item for item in mapper.self_and_descendants if item is not mapper and action != "create"]
    return [entity, *(entity_of(item.class_) for item in others)]


def _of_entity(entity: Entity, action: str) -> Iterator[str]:
    mapper: Mapper[Any] = inspect(entity.model)
    yield from _of_class(entity, mapper, action)
    yield from map(str, _listeners(entity, mapper, action))
    for column in entity.table.columns if action != "delete" else ():
        default: Any = column.default if action == "create" else column.onupdate
        is_of_python = default is not None and not (default.is_clause_element or default.is_sequence)
        if is_of_python and entity.attribute_of(column) is None:
            yield f"{'default' if action == 'create' else 'onupdate'} of {column}, which {entity.name} does not map"


def _of_class(entity: Entity, mapper: "Mapper[Any]", action: str) -> Iterator[str]:
    if action == "delete":
        yield from delete_cascades(mapper)
        return
    for name, (function, _) in mapper.validators.items():
        if name in entity.attributes:
            yield f"@validates({name!r}) ({location_of(function)})"
    setattr_of_class: Any = entity.model.__setattr__
    if setattr_of_class is not object.__setattr__:
        yield f"__setattr__ ({location_of(setattr_of_class)})"
    if action == "create" and (reason := own_constructor(entity)) is not None:
        yield reason
    if mapper.version_id_col is not None and mapper.version_id_generator is not False:
        yield f"version_id_col={mapper.version_id_col.name}"
    for name, attribute in entity.attributes.items():
        if attribute.is_expression and reads_other_rows(expression_on(entity.model, name)):
            yield f"{name}, which reads other rows, as they are after the write"
        default = attribute.column.default if action == "create" else attribute.column.onupdate
        if is_coerced(getattr(entity.model, name).dispatch.set):
            yield f"the Mutable type of {name}"
        if is_context_sensitive(default):
            word = "default" if action == "create" else "onupdate"
            yield f"{word} of {name}, which reads the context ({location_of(cast('Any', default).arg)})"


def _listeners(entity: Entity, mapper: "Mapper[Any]", action: str) -> Iterator[Listener]:
    for event in MAPPER_EVENTS[action]:
        yield from listeners_of(event, getattr(mapper.dispatch, event))
    for event in _INSTANCE_EVENTS[action]:
        yield from listeners_of(event, getattr(cast("Any", mapper.class_manager).dispatch, event))
    mapped = [name for name, attribute in entity.attributes.items() if not attribute.is_expression]
    for name in mapped if action != "delete" else ():
        dispatch: Any = getattr(entity.model, name).dispatch
        for event in _ATTRIBUTE_EVENTS:
            if kept := getattr(dispatch, event):
                yield from listeners_of(f"{event} {name}", kept)
