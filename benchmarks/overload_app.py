"""What `overload.py` asks for too much of: rows that are read as they are, and rows that cost two milliseconds each."""

import time
from uuid import UUID

from sqlalchemy.orm import Mapped

from gatepost import Actor, App, Model, Resource, Service, anyone

BUSY_SECONDS = 0.002


class Cheap(Model):
    __tablename__ = "cheap"
    title: Mapped[str]


class Dear(Model):
    __tablename__ = "dear"
    title: Mapped[str]


class Busy(Service[Dear]):
    """Work that keeps the processor busy before the row is read."""

    async def get(self, id: UUID, actor: Actor) -> Dear:
        end = time.thread_time() + BUSY_SECONDS
        while time.thread_time() < end:
            pass
        return await super().get(id, actor)


app = App(
    Resource(Cheap, read=anyone, write=anyone),
    Resource(Dear, read=anyone, write=anyone, service=Busy),
)
