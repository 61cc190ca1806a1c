"""A record shop in three versions: the app's own resources, `/v2` with other policies, fields and names, and `/v3` with
DTOs.

Drafts exist in the first version alone, withdrawn releases in `/v2` alone. In the first version editors write, and they
alone see what a release costs; in `/v2` curators write, and they alone see the state.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from annotated_types import Ge, Len
from sqlalchemy import ForeignKey, Select, UniqueConstraint, func, select, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import (
    DTO,
    Actor,
    App,
    CamelCase,
    Changes,
    Conflict,
    Controller,
    Created,
    Field,
    Group,
    Locked,
    Problem,
    Resource,
    Service,
    Stream,
    anyone,
    authenticated,
    computed,
    count,
    get,
    post,
    readable,
    role,
)


class Base(DeclarativeBase):
    """The base of these models."""


class Label(Base):
    """The app has a resource of it, no group does."""

    __tablename__ = "group_labels"

    id: Mapped[int] = mapped_column(primary_key=True)
    short_name: Mapped[Annotated[str, Len(1, 40)]] = mapped_column(unique=True)
    is_closed: Mapped[bool] = mapped_column(default=False)
    releases: Mapped[list["Release"]] = relationship(back_populates="label")


class Release(Base):
    """Of the app and of both groups."""

    __tablename__ = "group_releases"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[Annotated[str, Len(1, 40)]] = mapped_column(unique=True)
    state: Mapped[Annotated[str, Len(1, 10)]] = mapped_column(default="out", index=True)
    unit_cost: Mapped[Annotated[int, Ge(0)]] = mapped_column(default=1, index=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("group_labels.id"), index=True)
    label: Mapped[Label] = relationship(back_populates="releases")
    songs: Mapped[list["Song"]] = relationship(back_populates="release")


class Song(Base):
    """Of the app, and of `/v2` below its release."""

    __tablename__ = "group_songs"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Annotated[str, Len(1, 40)]]
    release_id: Mapped[int] = mapped_column(ForeignKey("group_releases.id"), index=True)
    release: Mapped[Release] = relationship(back_populates="songs")


class Pin(Base):
    """Of the app alone; a release is pinned to a place once."""

    __tablename__ = "group_pins"
    __table_args__ = (UniqueConstraint("release_id", "place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[Annotated[str, Len(1, 40)]]
    release_id: Mapped[int] = mapped_column(ForeignKey("group_releases.id"))
    release: Mapped[Release] = relationship()


class Releases(Service[Release]):
    """The business logic of every version."""

    async def before_create(self, draft: Release, actor: Actor) -> None:
        if draft.title == "forbidden":
            raise Conflict("forbidden_title", "No release is called that.")

    async def reprice(self, row: Release, cost: int, actor: Actor) -> Release:
        """What a shared service does in the version that it is called in."""
        return await self.update(row, Changes[Release]({Release.unit_cost: cost}), actor)


class CheckedReleases(Releases):
    """What is checked in `/v2` besides."""

    async def before_update(self, row: Release, changes: Changes[Release], actor: Actor) -> None:
        if Release.unit_cost in changes and changes[Release.unit_cost] > 1000:
            raise Conflict("too_expensive", "Nothing costs that much.")


class Songs(Service[Song]):
    """Asks another service about the release of a song."""

    async def before_create(self, draft: Song, actor: Actor) -> None:
        if draft.name.startswith("of "):
            await self.service(Release).get(draft.release_id, actor)


class Reading(Controller[Release]):
    """The endpoints of a version's resource: each way to a row besides the derived ones."""

    @get("/{release}/shown", allow=anyone)
    async def shown(self, release: Release) -> Release:
        """A row of the path."""
        return release

    @get("/chosen", allow=anyone)
    async def chosen(self) -> Select[Release]:
        """Rows of a SELECT."""
        return select(Release)

    @get("/found", allow=anyone)
    async def found(self, number: int, releases: Releases, actor: Actor) -> Release:
        """A row of a service, by its class."""
        return await releases.get(number, actor)

    @get("/titles", allow=anyone)
    async def titles(self, releases: Service[Release], actor: Actor) -> list[str]:
        """What the SELECT of a service finds."""
        rows = await releases.session.scalars(releases.select(actor).order_by(Release.title))
        return [row.title for row in rows]

    @get("/streamed", allow=anyone)
    async def streamed(self, releases: Service[Release]) -> Stream[Release]:
        """All rows, each shown only as far as the client may read it."""
        rows = (await releases.session.scalars(select(Release))).all()

        async def source() -> AsyncIterator[Release]:
            for row in rows:
                yield row

        return Stream(source())

    @get("/handed", allow=anyone)
    async def handed(self, releases: Service[Release]) -> list[Release]:
        """All rows, as a list."""
        return [*await releases.session.scalars(select(Release))]

    @post("/{release}/reprice", allow=authenticated)
    async def reprice(self, release: Locked[Release], cost: int, releases: Releases, actor: Actor) -> Release:
        """A method of the shared service."""
        return await releases.reprice(release, cost, actor)

    @post("/{release}/pins", allow=authenticated)
    async def pin(self, release: Release, place: str, pins: Service[Pin], actor: Actor) -> Created[Pin]:
        """A row of a resource that only the app has."""
        return Created(await pins.ensure(Pin(place=place, release_id=release.id), actor))


class FirstReading(Reading):
    """Those of the app."""


class SecondReading(Reading):
    """Those of `/v2`."""


class LabelName(DTO[Label]):
    """A label inside of a release."""

    short_name: str


class SongName(DTO[Song]):
    """A song with the title of its release, where that is to be seen."""

    name: str
    release: "ReleaseTitle | None"


class ReleaseTitle(DTO[Release]):
    """A release inside of a song."""

    title: str


class LabelStatistics(DTO[Label]):
    """A label with the number of its releases that the client may read."""

    short_name: str
    shown_count: int = computed(
        select(func.count())
        .select_from(Release)
        .where(Release.label_id == Label.id, readable(Release))
        .scalar_subquery()
    )


class Statistics(Controller):
    """Of no resource, of the app and of `/v2`."""

    path = "statistics"

    @get("/labels", allow=anyone, answers=LabelStatistics, operation_id="label-statistics")
    async def labels(self) -> Select[Label]:
        """Labels with what is readable below them."""
        return select(Label)


class PinBody(DTO[Pin]):
    """A new pin."""

    place: str
    release_id: int


class ReleaseCard(DTO[Release]):
    """A release as `/v3` shows it."""

    id: int
    title: str
    label: LabelName | None
    song_count: int = computed(count(Release.songs))


class Charts(Controller):
    """Of no resource, and of `/v2`."""

    path = "charts"

    @get("/songs", allow=authenticated, answers=SongName, filters=True)
    async def songs(self) -> Select[Song]:
        """Songs with their releases."""
        return select(Song)

    @get("/labels", allow=anyone, filters=True)
    async def labels(self) -> Select[Label]:
        """Rows of a resource that only the app has."""
        return select(Label)

    @get("/pins", allow=anyone, filters=True)
    async def pins(self) -> Select[Pin]:
        """Rows of such a resource, which expand to rows of one of the group."""
        return select(Pin)

    @post("/pins", allow=authenticated)
    async def add_pin(self, body: PinBody, pins: Service[Pin], actor: Actor) -> Created[Pin]:
        """A new row that refers to a row of the group."""
        return Created(await pins.create(body.row(), actor))

    @post("/labels", allow=role("editor"))
    async def add(self, name: str, labels: Service[Label], actor: Actor) -> Created[Label]:
        """A new row of such a resource."""
        return Created(await labels.create(Label(short_name=name), actor))


class Grouped(CamelCase):
    """The dialect of `/v2`, with refusals of its own."""

    def problem(self, problem: Problem, name: str | None) -> object:
        return {"failed": problem.code, "name": name, "fields": [error.pointer for error in problem.errors]}


editor, curator = role("editor"), role("curator")

app = App(
    Resource(Label, read=anyone, write=editor, where=Label.is_closed.is_(False)),
    Resource(
        Release,
        path="releases",
        read=anyone,
        write=editor,
        where=Release.state != "withdrawn",
        sort=["title"],
        fields={"unit_cost": Field(read=editor, write=editor)},
        service=Releases,
        controller=FirstReading,
    ),
    Resource(Song, path="songs", read=anyone, write=authenticated, service=Songs),
    Resource(Pin, path="pins", read=anyone, write=authenticated),
    Group(
        "/v2",
        Resource(
            Release,
            path="records",
            read=authenticated,
            write=curator,
            where=Release.state != "draft",
            sort=["unit_cost"],
            fields={"state": Field(read=curator, write=curator), "unit_cost": Field()},
            service=CheckedReleases,
            controller=SecondReading,
        ),
        Resource(Song, path="songs", under="records/{release}", read=authenticated, write=authenticated),
        controllers=[Charts, Statistics],
        dialect=Grouped(envelope=("record", "records")),
    ),
    Group(
        "/v3",
        Resource(Release, path="releases", read=anyone, write=editor, answers=ReleaseCard),
    ),
    Group(
        "/all",
        Resource(
            Release,
            path="releases",
            read=editor,
            update=editor,
            where=true(),
            fields={"unit_cost": Field()},
            service=Releases,
        ),
        dialect=CamelCase(paging="offset", update="PUT", total="{list}Count"),
    ),
    controllers=[Statistics],
)
