"""Configuring SQLAlchemy's mappers, and what it refuses there as a mistake in a declaration.

Outside the request path: `mapping.py` asks when the app is built. SQLAlchemy configures all mappers of a registry
together, so the class that it refuses may be another one than the class that is asked about.
"""

import re
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

from sqlalchemy.exc import AmbiguousForeignKeysError, NoForeignKeysError, SQLAlchemyError
from sqlalchemy.orm import Mapper, RelationshipProperty, registry
from sqlalchemy.orm.exc import UnmappedClassError
from sqlalchemy.orm.interfaces import MapperProperty

from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.mistakes import Mistakes, together
from gatepost.sources import attribute_location, location_of
from gatepost.sqlalchemy_refusals import refused_by_sqlalchemy

_UNKNOWN_NAME = re.compile(r"failed to locate a name \('?(\w+)")


def configure_mappers(known: registry) -> None:
    """Configure all mappers of a registry, and of those that it depends on.

    Raises `ConfigurationError` that names each class and attribute that cannot be configured, whichever classes of the
    registry those are.
    """
    try:
        known.configure(cascade=True)
    except Exception as error:
        # SQLAlchemy remembers the first failure, and refuses every further attempt because of it.
        first: BaseException = getattr(error, "_configure_failed", error)
        mistakes = Mistakes()
        for each in [*_failures(known)] or [first]:
            mistakes.add(_refusal(each, known))
        raise together(mistakes) from error


def _failures(known: registry) -> Iterator[BaseException]:
    """What SQLAlchemy refuses of each attribute: it stops at the first. A relation from the other side that fails for
    the same foreign keys is left out."""
    unjoined: set[frozenset[Any]] = set()
    for prop in _unconfigured(known):
        try:
            prop.init()
        except (NoForeignKeysError, AmbiguousForeignKeysError) as error:
            tables = _joined_tables(cast("RelationshipProperty[Any]", prop))
            if tables not in unjoined:
                yield error
            unjoined.add(tables)
        except Exception as error:
            if not hasattr(error, "_configure_failed"):  # else it is the first failure once more
                yield error


def _unconfigured(known: registry) -> Iterator[MapperProperty[Any]]:
    mappers: list[Mapper[Any]] = []
    with suppress(UnmappedClassError):  # of a class that is mapped late
        mappers += known.mappers
    for mapper in sorted(mappers, key=lambda mapper: mapper.class_.__qualname__):
        properties: list[MapperProperty[Any]] = [] if mapper.configured else [*cast("Any", mapper)._props.values()]
        yield from (prop for prop in properties if prop.parent is mapper and not cast("Any", prop)._configure_finished)


def _joined_tables(prop: "RelationshipProperty[Any]") -> frozenset[Any]:
    """The tables that a relation would join."""
    return frozenset({prop.parent.local_table, prop.entity.local_table})


def _refusal(error: BaseException, known: registry) -> ConfigurationError:
    text = refused_by_sqlalchemy(error).message if isinstance(error, SQLAlchemyError) else _plain(error)
    hint = ""
    if unknown := _UNKNOWN_NAME.search(text):
        with suppress(UnmappedClassError):  # of a class that is mapped late
            hint = did_you_mean(unknown[1], [mapper.class_.__name__ for mapper in known.mappers]).strip()
    model, name = _failed(error)
    if model is None:
        return ConfigurationError(text, location="App", hint=hint)
    if name is None:
        return ConfigurationError(text, location=model.__name__, hint=hint, source=location_of(model))
    return ConfigurationError(
        text, location=f"{model.__name__}.{name}", hint=hint, source=attribute_location(model, name)
    )


def _plain(error: BaseException) -> str:
    return f"cannot be mapped: {type(error).__name__}: {error}"


def _failed(error: BaseException) -> tuple[type[Any] | None, str | None]:
    """The class that SQLAlchemy was configuring, and its attribute: those of the innermost call."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        found: Any = frame.f_locals.get("self")
        if isinstance(found, MapperProperty) and hasattr(cast("Any", found), "parent"):
            return cast("Any", found).parent.class_, cast("Any", found).key
        if isinstance(found, Mapper):
            return cast("Any", found).class_, None
    return None, None
