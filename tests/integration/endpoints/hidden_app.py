"""Files in folders, some of them hidden from those who send requests to own endpoints."""

import secrets
from uuid import UUID

from sqlalchemy import ForeignKey, MetaData, Select, select
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    DTO,
    Actor,
    App,
    Controller,
    Created,
    Field,
    Locked,
    Model,
    Partial,
    Resource,
    Service,
    anyone,
    authenticated,
    get,
    hidden,
    patch,
    policy,
    post,
    role,
    system,
)
from gatepost.models.base import NAMING


class Filed(Model):
    """Tables of this app alone."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Folder(Filed):
    __tablename__ = "hidden_folders"

    name: Mapped[str] = mapped_column(unique=True)
    is_open: Mapped[bool] = mapped_column(default=True)


class File(Filed):
    __tablename__ = "hidden_files"

    name: Mapped[str] = mapped_column(unique=True)
    secret: Mapped[str] = mapped_column(unique=True, default=lambda: secrets.token_hex(6))
    salary: Mapped[int] = mapped_column(default=0)
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("hidden_folders.id"), index=True)
    unseen_id: Mapped[UUID | None] = mapped_column(ForeignKey("hidden_folders.id"), index=True)


class FileBody(DTO[File]):
    name: str
    folder_id: UUID | None
    unseen_id: UUID | None


class FileRoutes(Controller[File]):
    """Writes what bodies say, and lists in orders of hidden columns."""

    files: Service[File]

    @post("/made", allow=authenticated)
    async def make(self, body: FileBody, actor: Actor) -> Created[File]:
        return Created(await self.files.create(body.row(), actor))

    @post("/ensured", allow=authenticated)
    async def ensure(self, body: FileBody, actor: Actor) -> File:
        return await self.files.ensure(body.row(), actor, unique=[File.name])

    @post("/filed/{folder}", allow=authenticated)
    async def put_into(self, folder: UUID, body: FileBody, actor: Actor) -> File:
        """The reference is one of the code's own."""
        return await self.files.create(body.row(folder_id=folder), actor)

    @patch("/{file}/moved", allow=authenticated)
    async def move(self, file: Locked[File], body: Partial[FileBody], actor: Actor) -> File:
        return await self.files.update(file, body.changes, actor)

    @post("/placed", allow=anyone)
    async def place(self, where: str, name: str) -> Created[File]:
        return Created(await self.files.create(File(name=name), system), location=where)

    @get("/skipped", allow=anyone)
    async def skipped(self) -> Select[File]:
        return select(File).order_by(File.name).offset(1)

    @get("/fetched", allow=anyone)
    async def fetched(self) -> Select[File]:
        return select(File).order_by(File.name).fetch(1)

    @get("/locked", allow=anyone)
    async def locked(self) -> Select[File]:
        return select(File).order_by(File.name).with_for_update()

    @get("/by-secret", allow=anyone)
    async def by_secret(self) -> Select[File]:
        return select(File).order_by(File.secret)

    @get("/by-salary", allow=anyone)
    async def by_salary(self) -> Select[File]:
        return select(File).order_by(File.salary.desc())


archive = App(
    Resource(Folder, path="folders", read=policy(Folder.is_open) | role("editor")),
    Resource(
        File,
        path="files",
        read=anyone,
        write=authenticated,
        controller=FileRoutes,
        fields={
            "secret": hidden,
            "salary": Field(read=role("editor"), write=role("editor")),
            "unseen_id": Field(read=role("editor"), write=anyone),
        },
    ),
)
