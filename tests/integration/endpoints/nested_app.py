"""A parlour whose nested resources have controllers: talks, remarks below them, and echoes below those."""

from typing import Annotated
from uuid import UUID

import msgspec
from annotated_types import Len
from sqlalchemy import ForeignKey, Select, select
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    Actor,
    App,
    Controller,
    Created,
    Locked,
    Model,
    Resource,
    Service,
    anyone,
    authenticated,
    get,
    owner,
    post,
    role,
)


class Talk(Model):
    __tablename__ = "nested_talks"

    slug: Mapped[str] = mapped_column(unique=True)
    host_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class TalkRemark(Model):
    __tablename__ = "nested_remarks"

    text: Mapped[Annotated[str, Len(1, 50)]] = mapped_column(index=True)
    talk_id: Mapped[UUID] = mapped_column(ForeignKey("nested_talks.id"), index=True)


class RemarkEcho(Model):
    __tablename__ = "nested_echoes"

    text: Mapped[str] = mapped_column(default="echo")
    remark_id: Mapped[UUID] = mapped_column(ForeignKey("nested_remarks.id"), index=True)


class Words(msgspec.Struct):
    text: str


class TalkRemarkRoutes(Controller[TalkRemark]):
    @get("/shouted", allow=anyone)
    async def shouted(self) -> Select[TalkRemark]:
        return select(TalkRemark).where(TalkRemark.text == "x").order_by(TalkRemark.text)

    @get("/all", allow=anyone)
    async def every(self, remarks: Service[TalkRemark]) -> list[TalkRemark]:
        return list(await remarks.session.scalars(select(TalkRemark)))

    @get("/count", allow=anyone)
    async def count(self) -> int:
        """Needs no connection of its own; the row above is looked up all the same."""
        return 7

    @get("/host", allow=anyone)
    async def host(self, talk: Talk) -> Talk:
        return talk

    @get("/{remark}/again", allow=anyone)
    async def again(self, remark: TalkRemark) -> TalkRemark:
        return remark

    @get("/{remark}", allow=anyone)
    async def one(self, talk: Talk, remark: TalkRemark) -> TalkRemark:
        """Replaces the derived one."""
        assert remark.talk_id == talk.id
        return remark

    @get("/first/{text}", allow=anyone)
    async def first(self, text: str, remarks: Service[TalkRemark]) -> TalkRemark | None:
        """A row of any talk."""
        return (await remarks.session.scalars(select(TalkRemark).where(TalkRemark.text == text))).first()

    @post("/said", allow=authenticated)
    async def said(
        self, talk: Locked[Talk], body: Words, remarks: Service[TalkRemark], actor: Actor
    ) -> Created[TalkRemark]:
        return Created(await remarks.create(TalkRemark(text=body.text, talk_id=talk.id), actor))

    @post("/elsewhere/{other}", allow=authenticated)
    async def elsewhere(
        self, other: UUID, body: Words, remarks: Service[TalkRemark], actor: Actor
    ) -> Created[TalkRemark]:
        return Created(await remarks.create(TalkRemark(text=body.text, talk_id=other), actor))

    @post("/{remark}/merge/{other}", allow=authenticated)
    async def merge(self, remark: Locked[TalkRemark], other: TalkRemark) -> TalkRemark:
        remark.text += other.text
        return remark


class EchoRoutes(Controller[RemarkEcho]):
    @get("/loud", allow=anyone)
    async def loud(self) -> Select[RemarkEcho]:
        return select(RemarkEcho)

    @post("/made", allow=authenticated)
    async def made(self, remark: TalkRemark, echoes: Service[RemarkEcho], actor: Actor) -> Created[RemarkEcho]:
        return Created(await echoes.create(RemarkEcho(remark_id=remark.id), actor))

    @get("/{echo}/again", allow=anyone)
    async def again(self, echo: RemarkEcho, talk: Talk) -> RemarkEcho:
        return echo


class Parlour(Controller):
    path = "parlour"

    @get("/{talk:slug}/{remark}", allow=anyone)
    async def remark_of(self, talk: Talk, remark: TalkRemark) -> TalkRemark:
        return remark

    @get("/by/{remark}/{talk:slug}", allow=anyone)
    async def talk_beside(self, remark: TalkRemark, talk: Talk) -> Talk:
        """A talk does not refer to remarks, so it may be any."""
        return talk


app = App(
    Resource(Talk, path="talks", read=owner("host_id") | role("editor"), create=owner("host_id")),
    Resource(
        TalkRemark,
        path="remarks",
        under="talks/{talk:slug}",
        read=anyone,
        write=authenticated,
        controller=TalkRemarkRoutes,
    ),
    Resource(
        RemarkEcho,
        path="echoes",
        under="talks/{talk:slug}/remarks/{remark}",
        read=anyone,
        write=authenticated,
        controller=EchoRoutes,
    ),
    controllers=[Parlour],
)
