"""An app whose endpoints send files: bytes, paths, and bytes from elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Mapped

from gatepost import App, Controller, File, Model, Resource, Response, Service, anyone, authenticated, get, post


class Attachment(Model):
    __tablename__ = "file_attachments"

    name: Mapped[str]


@dataclass
class Folder:
    """Where the files are, and what the sources have done."""

    path: Path = Path()
    lines: list[str] = field(default_factory=list)


folder = Folder()

MODIFIED = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)


async def pieces(count: int, *, fails: bool = False) -> AsyncIterator[bytes]:
    """So many pieces of ten bytes."""
    try:
        for number in range(count):
            yield b"%010d" % number
        if fails:
            raise RuntimeError("the other end is gone")
    finally:
        folder.lines.append("closed")


async def stuck() -> AsyncIterator[bytes]:
    """A piece, and then nothing."""
    try:
        yield b"0123456789"
        await asyncio.Event().wait()
    finally:
        folder.lines.append("closed")


class Files(Controller):
    path = "files"

    @get("/bytes", allow=anyone)
    async def of_bytes(self) -> File:
        return File(b"0123456789", name="digits.txt", last_modified=MODIFIED)

    @get("/empty", allow=anyone)
    async def empty(self) -> File:
        return File(b"")

    @get("/path/{name}", allow=anyone)
    async def of_path(self, name: str) -> File:
        return File(folder.path / name)

    @get("/below", allow=anyone)
    async def below(self, name: str) -> File:
        return File(Path(name), root=folder.path)

    @get("/source", allow=anyone)
    async def of_source(self, count: int = 3, length: int = 30, fails: bool = False) -> File:
        return File(pieces(count, fails=fails), length=length, name="pieces.bin", etag="p3")

    @get("/stuck", allow=anyone)
    async def stuck(self) -> File:
        return File(stuck(), length=20)

    @get("/page/{name}", allow=anyone)
    async def page(self, name: str, inline: bool = True) -> File:
        return File(b"<script>alert(1)</script>", name=name, inline=inline)

    @get("/own-policy", allow=anyone, headers={"content-security-policy": "default-src 'self'"})
    async def own_policy(self) -> File:
        return File(b"<p>", name="a.html", inline=True)

    @get("/maybe", allow=authenticated, cache_control="private, max-age=60")
    async def maybe(self, what: str) -> File | Response | None:
        if what == "file":
            return File(b"1", name="one.txt")
        return Response.text("no") if what == "response" else None

    @post("/made", allow=anyone)
    async def made(self, attachments: Service[Attachment], name: str) -> File:
        attachments.session.add(Attachment(name=name))
        return File(f"of {name}".encode(), name=f"{name}.txt")


app = App(Resource(Attachment, read=anyone), controllers=[Files])
