"""How an object of a mapped class is made from the values of a body: by its own `__init__`, be it
generated or written by hand.

SQLAlchemy's default constructor takes every attribute, the one that a dataclass generates takes its fields, and one
that the application wrote takes what it likes. Read once, outside the request path.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import LoaderCallableStatus
from sqlalchemy.orm.attributes import manager_of_class

from gatepost.errors import ConfigurationError
from gatepost.models.dataclass_defaults import dataclass_defaults
from gatepost.models.entity import Entity
from gatepost.sources import location_of

Construct = Callable[[Mapping[str, Any]], Any]
"""From values by attribute to an object that is in no session yet."""

_Parameter = inspect.Parameter


def constructor_of(entity: Entity) -> Construct:
    """The function that makes objects of a class. What `__init__` does not take is set afterwards; an argument that it
    needs, and for which there is no value, is None.

    Raises `ConfigurationError` where `__init__` needs what is not an attribute.
    """
    model, init = entity.model, _init_of(entity.model)
    parameters = [] if init is object.__init__ else [*inspect.signature(init).parameters.values()][1:]
    needed = [each for each in parameters if _is_needed(each)]
    _check(entity, needed)
    # A generated `__init__` does nothing but set attributes, and leaves one as it is that is given this value.
    fallback = dict.fromkeys(
        (each.name for each in needed), LoaderCallableStatus.DONT_SET if _is_generated(init) else None
    )
    if any(each.kind is _Parameter.VAR_KEYWORD for each in parameters):
        return lambda values: model(**{**fallback, **values})
    taken = {
        each.name for each in parameters if each.kind in (_Parameter.POSITIONAL_OR_KEYWORD, _Parameter.KEYWORD_ONLY)
    }

    def construct(values: Mapping[str, Any]) -> Any:
        made = model(**{**fallback, **{name: value for name, value in values.items() if name in taken}})
        for name, value in values.items():
            if name not in taken:
                setattr(made, name, value)
        return made

    return construct


def own_constructor(entity: Entity) -> str | None:
    """What the constructor does besides setting the attributes that it is given, in words; None where it does nothing
    else."""
    model, init = entity.model, _init_of(entity.model)
    if init is object.__init__ or init.__module__ == "sqlalchemy.orm.decl_base":
        return None
    if not _is_generated(init):
        return f"__init__ ({location_of(init)})"
    if (after := getattr(model, "__post_init__", None)) is not None:
        return f"__post_init__ ({location_of(after)})"
    lists = {prop.key for prop in manager_of_class(model).mapper.relationships if prop.uselist}
    made = sorted(dataclass_defaults(model) - lists)
    return f"the dataclass's own default of {', '.join(made)}" if made else None


def _init_of(model: type[Any]) -> Any:
    """The `__init__` that SQLAlchemy wrapped, once for each class of a hierarchy."""
    init: Any = manager_of_class(model).original_init
    while (wrapped := getattr(init, "_sa_original_init", None)) is not None:
        init = wrapped
    return init


def _is_generated(init: Any) -> bool:
    return getattr(getattr(init, "__code__", None), "co_filename", "") == "<string>"


def _is_needed(parameter: inspect.Parameter) -> bool:
    several = (_Parameter.VAR_POSITIONAL, _Parameter.VAR_KEYWORD)
    return parameter.default is _Parameter.empty and parameter.kind not in several


def _check(entity: Entity, needed: list[inspect.Parameter]) -> None:
    mapped = manager_of_class(entity.model).keys()
    for each in needed:
        if each.kind is _Parameter.POSITIONAL_ONLY or each.name not in mapped:
            raise ConfigurationError(
                f"needs an argument {each.name!r}, which no body can give.",
                location=f"{entity.name}.__init__",
                hint=f"Give {each.name!r} a default, or name it like the attribute that it sets.",
            )
