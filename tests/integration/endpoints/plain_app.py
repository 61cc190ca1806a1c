"""An app whose endpoints return plain data of every kind, what JSON cannot hold as well."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct
from pydantic import BaseModel
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, CamelCase, Controller, Model, Resource, Response, Service, anyone, get, post


class Ledger(Model):
    __tablename__ = "plain_ledgers"

    code: Mapped[str] = mapped_column(unique=True)


class PlainModel(BaseModel):
    some_name: int = 1


class PlainStruct(Struct):
    inner_part: PlainModel


@dataclass
class PlainData:
    inner_part: list[PlainModel]


def endless() -> list[Any]:
    """A list that holds itself."""
    found: list[Any] = []
    found.append(found)
    return found


UNWRITABLE: dict[str, Any] = {
    "surrogate": "\ud800",
    "inner-surrogate": {"text": ["\ud800"]},
    "key-surrogate": {"\ud800": 1},
    "object": object(),
    "complex": 1j,
    "generator": (each for each in [1]),
    "endless": endless(),
    "huge": 10**5000,
    "tuple-key": {(1, 2): 3},
    "none-key": {None: 1},
    "row": Ledger(code="x"),
    "rows": [Ledger(code="x")],
    "error": ValueError("x"),
}

WRITABLE: dict[str, tuple[Any, Any]] = {
    "nan": (float("nan"), None),
    "infinity": ([float("inf")], [None]),
    "decimal-nan": (Decimal("NaN"), "NaN"),
    "bytes": (b"\xff", "/w=="),
    "naive": (datetime(2020, 1, 1), "2020-01-01T00:00:00"),
    "aware": (datetime(2020, 1, 1, tzinfo=UTC), "2020-01-01T00:00:00Z"),
    "set": ({1}, [1]),
    "number-key": ({1: 2}, {"1": 2}),
    "uuid-key": ({UUID(int=0): 2}, {str(UUID(int=0)): 2}),
    "large": (2**70, 2**70),
    "models": ([PlainModel()], [{"some_name": 1}]),
    "struct": (PlainStruct(PlainModel()), {"inner_part": {"some_name": 1}}),
    "dataclass": (PlainData([PlainModel()]), {"inner_part": [{"some_name": 1}]}),
}


class Plain(Controller):
    path = "plain"

    @post("/unwritable/{name}", allow=anyone)
    async def unwritable(self, name: str, ledgers: Service[Ledger], actor: Actor) -> Any:
        ledgers.session.add(Ledger(code=name))
        await ledgers.session.flush()
        return UNWRITABLE[name]

    @get("/alone/{name}", allow=anyone)
    async def alone(self, name: str) -> dict[str, Any]:
        return {"value": UNWRITABLE[name]}

    @get("/writable/{name}", allow=anyone)
    async def writable(self, name: str) -> dict[str, Any]:
        return {"value": WRITABLE[name][0]}

    @get("/response", allow=anyone)
    async def response(self) -> Response:
        return Response.json({"value": [PlainModel()]})


plain = App(Resource(Ledger, read=anyone), controllers=[Plain])

renaming = App(Resource(Ledger, read=anyone), controllers=[Plain], dialect=CamelCase())
