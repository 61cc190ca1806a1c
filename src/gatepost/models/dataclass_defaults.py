"""The defaults that a mapped dataclass gives its attributes when it is made: SQLAlchemy's columns do not know them.

A `default=` of `mapped_column` in a `MappedAsDataclass` is the column's default as well, and SQLAlchemy takes it out of
the generated `__init__`. What is left there is `default_factory=`, and the defaults of a dataclass that is mapped
imperatively.
"""

import dataclasses
from typing import Any

from sqlalchemy.orm import LoaderCallableStatus
from sqlalchemy.orm.attributes import manager_of_class


def dataclass_defaults(model: type[Any]) -> frozenset[str]:
    """The fields of a mapped dataclass to which the class itself gives a value; none of another class."""
    if not dataclasses.is_dataclass(model):
        return frozenset()
    mapped = manager_of_class(model).keys()
    return frozenset(field.name for field in dataclasses.fields(model) if field.name in mapped and _is_given(field))


def _is_given(field: "dataclasses.Field[Any]") -> bool:
    factory = field.default_factory
    if factory is not dataclasses.MISSING:
        # SQLAlchemy's own factories leave the attribute as it is.
        return str(getattr(factory, "__module__", "")).partition(".")[0] != "sqlalchemy"
    nothing = (None, dataclasses.MISSING, LoaderCallableStatus.DONT_SET)
    return not any(field.default is each for each in nothing)
