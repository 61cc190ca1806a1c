"""An app that can give every kind of response; started by `test_every_response.py` in a folder of its own, as `app`."""

import asyncio

from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Model, Mount, RateLimit, Resource, Service, anyone, hours, role


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str] = mapped_column(unique=True)


class Broken(Model):
    __tablename__ = "broken"
    title: Mapped[str]


class Rare(Model):
    __tablename__ = "rare"
    title: Mapped[str]


class Shared(Model):
    __tablename__ = "shared"
    title: Mapped[str]


class Fails(Service[Broken]):
    async def get(self, id, actor: Actor, *, lock: bool = False):
        raise RuntimeError("secret of the service")


def responding(status, *headers, body=b"", delay=0):
    async def app(scope, receive, send):
        await asyncio.sleep(delay)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"server", b"leaky/1.2"), (b"x-content-type-options", b"nosniff")],
            }
        )
        await send({"type": "http.response.body", "body": body})

    return app


HTML = (b"content-type", b"text/html")
SHARED = {"Cache-Control": "public, max-age=60", "Cross-Origin-Resource-Policy": "cross-origin"}
app = App(
    Resource(Note, read=anyone, write=role("editor"), require_if_match=True),
    Resource(Broken, read=anyone, service=Fails),
    Resource(Shared, read=anyone, headers=SHARED),
    Resource(Rare, read=anyone, rate_limit=RateLimit(1, per=hours(1)), headers=SHARED),
    mount={
        "/page": responding(200, HTML, body=b"<p>Hello"),
        "/data": responding(200, (b"content-type", b"application/json"), body=b"{}"),
        "/missing": responding(404, HTML, body=b"<p>No"),
        "/moved": responding(302, (b"location", b"/page")),
        "/unchanged": responding(304, (b"etag", b'"1"')),
        "/slow": responding(200, delay=60),
        "/fails": lambda scope, receive, send: 1 / 0,
        "/framed": Mount(responding(200, HTML), headers={"X-Frame-Options": None, "X-Robots-Tag": "noindex"}),
    },
)
