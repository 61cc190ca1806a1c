"""An app of 200 resources and 400 own endpoints, loaded as `gatepost serve` loads it, and composed; prints the CPU
seconds that this took, libraries included."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

RESOURCES = 200

_HEAD = """
from typing import Annotated
from uuid import UUID
import msgspec
from annotated_types import Ge, Len
from sqlalchemy import ForeignKey, Select, select
from sqlalchemy.orm import Mapped, mapped_column, relationship
from gatepost import Actor, App, Controller, Model, Resource, Service, anyone, authenticated, get, post, role

class Body(msgspec.Struct):
    copies: Annotated[int, Ge(1)]
"""

_RESOURCE = """
class Thing{number}(Model):
    __tablename__ = "things_{number}"
    title: Mapped[Annotated[str, Len(1, 200)]]
    stock: Mapped[int] = mapped_column(default=0)
    above_id: Mapped[UUID | None] = mapped_column(ForeignKey("things_{above}.id"), index=True)
    above: Mapped["Thing{above} | None"] = relationship(remote_side="Thing{above}.id")

class Routes{number}(Controller[Thing{number}]):
    @post("/{{row}}/act", allow=authenticated)
    async def act(
        self, row: Thing{number}, body: Body, service: Service[Thing{number}], actor: Actor
    ) -> Thing{number}:
        row.stock += body.copies
        return row

    @get("/stocked", allow=anyone)
    async def stocked(self, least: int = 0) -> Select[Thing{number}]:
        return select(Thing{number}).where(Thing{number}.stock > least)
"""


def source() -> Iterator[str]:
    """The lines of the module."""
    yield _HEAD
    for number in range(RESOURCES):
        yield _RESOURCE.format(number=number, above=max(0, number - 1))
    resources = (
        f"Resource(Thing{n}, read=anyone, write=role('editor'), sort=['title'], controller=Routes{n})"
        for n in range(RESOURCES)
    )
    yield f"app = App({', '.join(resources)})"


def main() -> None:
    """Load, compose, and tell."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("large_app_source.py").write_text("".join(source()))
        from gatepost.server.loading import find_app
        from gatepost.settings import Settings

        find_app("large_app_source").composed(Settings())
        print(time.process_time())


if __name__ == "__main__":
    main()
