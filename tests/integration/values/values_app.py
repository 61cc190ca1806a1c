"""An app with three resources for each column of `value_columns`: derived, through a service, and as a key."""

from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from value_columns import COLUMNS, ValueColumn

from gatepost import App, Resource, Service, anyone
from gatepost.models.base import NAMING
from gatepost.models.operators import is_comparable
from gatepost.models.shape import shape_of


class Base(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData(naming_convention=NAMING)


def is_sortable(column: ValueColumn) -> bool:
    """Whether rows can be sorted and filtered by the column, and found by it in a path."""
    return is_comparable(shape_of(column.kind))


def _model(column: ValueColumn, suffix: str) -> Any:
    return type(
        f"{column.name}_{suffix}",
        (Base,),
        {
            "__tablename__": f"{column.name}_{suffix}",
            "__annotations__": {"id": Mapped[int], "value": Mapped[Any], "note": Mapped[str | None]},
            "id": mapped_column(primary_key=True),
            "value": mapped_column(column.kind, nullable=True),
            "note": mapped_column(),
        },
    )


def _keyed(column: ValueColumn) -> Any:
    return type(
        f"{column.name}_keyed",
        (Base,),
        {
            "__tablename__": f"{column.name}_keyed",
            "__annotations__": {"value": Mapped[Any], "note": Mapped[str | None]},
            "value": mapped_column(column.kind, primary_key=True, autoincrement=False),
            "note": mapped_column(),
        },
    )


def _service(model: Any) -> Any:
    """A service through which every verb goes, and that changes nothing."""

    class Passing(Service[model]):  # type: ignore[valid-type]
        async def list(self, query: Any, actor: Any) -> Any:
            return await super().list(query, actor)

        async def get(self, id: Any, actor: Any, *, lock: bool = False) -> Any:
            return await super().get(id, actor, lock=lock)

        async def before_create(self, draft: Any, actor: Any) -> None: ...

        async def before_update(self, row: Any, changes: Any, actor: Any) -> None: ...

    return Passing


def _resources() -> list[Resource[Any]]:
    found: list[Resource[Any]] = []
    for column in COLUMNS:
        sort = ["value"] if is_sortable(column) else []
        found.append(Resource(_model(column, "derived"), read=anyone, write=anyone, sort=sort))
        served = _model(column, "served")
        found.append(Resource(served, service=_service(served), read=anyone, write=anyone, sort=sort))
        if is_sortable(column):
            found.append(Resource(_keyed(column), read=anyone, write=anyone))
    return found


app = App(*_resources())
