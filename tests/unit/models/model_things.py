"""Models made for a test, each with a table `things` in a MetaData of its own, and what their schema says."""

from typing import Any

from sqlalchemy import CheckConstraint, MetaData, Table
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex

from gatepost.declaring.policies import anyone
from gatepost.declaring.resource import Resource
from gatepost.models.base import Model
from gatepost.models.entity import entity_of
from gatepost.models.schema import complete_schema


def model(**attributes: Any) -> type[Any]:
    """A model of its own table `things` in a MetaData of its own; a pair is (annotation, column)."""

    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention=Model.metadata.naming_convention)

    space: dict[str, Any] = {"__tablename__": "things", "__annotations__": {}}
    for name, value in {"id": (Mapped[int], mapped_column(primary_key=True)), **attributes}.items():
        annotation, column = value if isinstance(value, tuple) else (value, mapped_column())
        space["__annotations__"][name] = annotation
        space[name] = column
    return type("Thing", (Base,), space)


def complete(thing: type[Any], **options: Any) -> "Table[Any]":
    complete_schema([entity_of(thing)], {thing: [Resource(thing, read=anyone, **options)]})
    return thing.__table__


def conditions(table: "Table[Any]") -> dict[str, str]:
    return {str(item.name): str(item.sqltext) for item in table.constraints if isinstance(item, CheckConstraint)}


def indexes(table: "Table[Any]") -> dict[str, str]:
    return {
        str(item.name): " ".join(str(CreateIndex(item).compile(dialect=dialect())).split()) for item in table.indexes
    }
