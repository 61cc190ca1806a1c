"""An app of 200 resources and 400 endpoints of its own."""

from decimal import Decimal
from types import new_class
from typing import Annotated, Any
from uuid import UUID

import msgspec
from annotated_types import Ge, Len
from sqlalchemy import ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Actor, App, Controller, Field, Model, Resource, anyone, get, post, role

RESOURCES = 200


def resource(number: int, above: type[Any] | None) -> Resource[Any]:
    """A resource that refers to the one before it, with two endpoints."""
    kinds: dict[str, Any] = {
        "name": Mapped[Annotated[str, Len(1, 200)]],
        "price": Mapped[Annotated[Decimal, Ge(0)]],
        "stock": Mapped[int],
        "note": Mapped[str | None],
    }
    members: dict[str, Any] = {"price": mapped_column(Numeric(10, 2)), "stock": mapped_column(default=0)}
    if above is not None:
        kinds |= {"above_id": Mapped[UUID], "above": Mapped[above]}  # type: ignore[valid-type]
        members |= {
            "above_id": mapped_column(ForeignKey(f"{above.__tablename__}.id"), index=True),
            "above": relationship(),
        }
    model: Any = type(
        f"LargeThing{number}",
        (Model,),
        {"__tablename__": f"large_things_{number}", "__annotations__": kinds, "__module__": __name__, **members},
    )
    body = msgspec.defstruct(f"LargeBody{number}", [("copies", Annotated[int, Ge(1)]), ("note", str | None, None)])

    async def restock(self: Any, row: Any, body: Any, actor: Any) -> Any:
        return row

    async def best(self: Any, since: Any = None) -> Any:
        return []

    restock.__annotations__ = {"row": model, "body": body, "actor": Actor, "return": model}
    best.__annotations__ = {"since": int | None, "return": list[model]}
    endpoints = {
        "restock": post("/{row}/restock", allow=role("editor"))(restock),
        "best": get("/best", allow=anyone)(best),
    }
    controller = new_class(f"LargeRoutes{number}", (Controller[model],), {}, lambda body: body.update(endpoints))
    return Resource(
        model,
        read=anyone,
        write=role(f"editor{number % 5}"),
        sort=["name", "price"],
        search=["name"],
        controller=controller,
        fields={"note": Field(read=role("editor"), write=role("editor"))},
    )


def large_app() -> App:
    """The app, with models in the registry of `Model`: for a process of its own."""
    resources: list[Resource[Any]] = []
    for number in range(RESOURCES):
        resources.append(resource(number, resources[-1].model if resources else None))
    return App(*resources)
