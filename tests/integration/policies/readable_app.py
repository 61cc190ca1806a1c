"""Clubs, their threads and the posts in these: who may read a club reads what is in it, as `readable()` says.

`Rows` says in Python what each identity may read; the requests are in `test_readable_rows.py`.
"""

from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import ForeignKey, MetaData, Select, and_, func, select
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from gatepost import (
    DTO,
    Actor,
    App,
    Controller,
    Created,
    Field,
    Locked,
    Model,
    Resource,
    Service,
    actor_id,
    anyone,
    authenticated,
    computed,
    get,
    nobody,
    owner,
    policy,
    post,
    readable,
    role,
)
from gatepost.models.base import NAMING
from gatepost.testing import Client, TestApp


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Club(Base):
    __tablename__ = "clubs"

    name: Mapped[str] = mapped_column(unique=True)
    is_open: Mapped[bool]
    leader_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)


class Thread(Base):
    """Is read by those who read its club."""

    __tablename__ = "threads"

    title: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str] = mapped_column(default="a note")
    club_id: Mapped[UUID] = mapped_column(ForeignKey("clubs.id"), index=True)
    club: Mapped[Club] = relationship()
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("threads.id"), index=True)
    replies: Mapped[list["Thread"]] = relationship()
    posts: Mapped[list["Post"]] = relationship(back_populates="thread")


class Post(Base):
    """Is read by those who read its thread, and by auditors."""

    __tablename__ = "posts"

    text: Mapped[str] = mapped_column(index=True)
    thread_id: Mapped[UUID] = mapped_column(ForeignKey("threads.id"), index=True)
    thread: Mapped[Thread] = relationship(back_populates="posts")


class Posts(Service[Post]):
    """The verbs of posts go through the ORM."""

    async def create(self, draft: Post, actor: Actor) -> Post:
        return await super().create(draft, actor)

    async def update(self, row: Post, changes: Any, actor: Actor) -> Post:
        return await super().update(row, changes, actor)

    async def delete(self, row: Post, actor: Actor) -> None:
        await super().delete(row, actor)

    async def of_actor(self, actor: Actor) -> list[str]:
        """The texts of the posts whose thread is readable, in a statement of the session."""
        chosen = self.select(actor).where(Post.thread_id.in_(select(Thread.id).where(readable(Thread))))
        return sorted(row.text for row in (await self.session.scalars(chosen)).all())

    async def of_nobody(self) -> list[Post]:
        """The same in a statement that says for whom nowhere."""
        return [*await self.session.scalars(select(Post).where(readable(Post)))]


other = aliased(Thread)


class ThreadCard(DTO[Thread]):
    title: str
    note: str
    hidden_posts: int = computed(
        select(func.count())
        .select_from(Post)
        .where(Post.thread_id.in_(select(other.id).where(other.parent_id == Thread.id)), ~readable(Post))
        .scalar_subquery()
    )
    has_hidden_reply: bool = computed(Thread.replies.any(~readable(Thread)))
    is_readable: bool = computed(readable(Thread))


class PostCard(DTO[Post]):
    text: str
    thread: ThreadCard | None
    is_thread_readable: bool = computed(Post.thread.has(readable(Thread)))


class PostTitle(DTO[Post]):
    text: str


class ThreadRoutes(Controller[Thread]):
    posts: Posts
    threads: Service[Thread]

    @get("/busy", allow=anyone, answers=ThreadCard)
    async def busy(self) -> Select[Thread]:
        return select(Thread).where(Thread.id.in_(select(Post.thread_id).where(readable(Post))))

    @get("/first", allow=anyone, answers=ThreadCard)
    async def first(self) -> Select[Thread]:
        return select(Thread).join(Thread.club).where(readable(Club)).order_by(func.lower(Thread.title)).limit(2)

    @get("/without-replies", allow=anyone, answers=ThreadCard)
    async def without_replies(self, title: str = "") -> Select[Thread]:
        replies = select(other.parent_id).where(other.parent_id.is_not(None), readable(other))
        return select(Thread).where(Thread.id.not_in(replies), Thread.title > title)

    @get("/texts", allow=anyone)
    async def texts(self) -> Select[Any]:
        return select(Post.text).join(Post.thread).where(readable(Thread)).order_by(Post.text).limit(100)

    @get("/texts-of-actor", allow=anyone)
    async def texts_of_actor(self, actor: Actor) -> list[str]:
        return await self.posts.of_actor(actor)

    @get("/of-nobody", allow=anyone)
    async def of_nobody(self) -> int:
        return len(await self.posts.of_nobody())

    @get("/unserved", allow=anyone)
    async def unserved(self) -> Select[Thread]:
        return select(Thread).where(select(Unserved.id).where(readable(Unserved)).exists())

    @post("/with-post", allow=anyone, answers=PostCard)
    async def with_post(self, club_id: UUID, actor: Actor) -> Created[Post]:
        thread = await self.threads.create(Thread(title="with a post", club_id=club_id), actor)
        return Created(await self.posts.create(Post(text="with it", thread_id=thread.id), actor))

    @get("/{thread:title}/posts", allow=anyone, answers=PostTitle)
    async def of_thread(self, thread: Thread) -> Select[Post]:
        return select(Post).where(Post.thread_id == thread.id)

    @post("/{thread:title}/touch", allow=anyone, answers=ThreadCard)
    async def touch(self, thread: Locked[Thread]) -> Thread:
        return thread


class Unserved(Base):
    __tablename__ = "unserved"


READS_CLUB = policy(Thread.club.has(readable(Club)))
LEADS_CLUB = policy(Thread.club.has(and_(readable(Club), Club.leader_id == actor_id)))

app = App(
    Resource(
        Club,
        read=policy(Club.is_open) | owner("leader_id") | role("warden"),
        where=Club.name != "gone",
        fields={"leader_id": Field(read=role("warden"), write=nobody)},
    ),
    Resource(
        Thread,
        read=READS_CLUB,
        create=policy(lambda thread, actor: thread.club.has(and_(readable(Club), ~Club.is_open))) & authenticated,
        update=LEADS_CLUB | (role("warden") & READS_CLUB),
        delete=role("warden") & policy(lambda thread, actor: ~thread.posts.any(readable(Post))),
        fields={"note": Field(read=LEADS_CLUB | role("warden"), write=LEADS_CLUB | role("warden"))},
        controller=ThreadRoutes,
        sort=["title"],
    ),
    Resource(
        Post,
        read=role("auditor") | policy(lambda post, actor: post.thread.has(readable(Thread))),
        write=policy(Post.thread.has(readable(Thread))),
        answers=PostCard,
        lists=PostCard,
        service=Posts,
        sort=["text"],
    ),
)

CLUBS = ("open", "closed", "led", "gone")
FOUR = ("anonymous", "leader", "warden", "auditor")


class Rows(NamedTuple):
    """The clients by identity; the keys of clubs, threads and posts by their names. A thread is named by its club and a
    number, a post by its thread and a letter."""

    running: TestApp
    clients: dict[str, Client]
    clubs: dict[str, UUID]
    threads: dict[str, UUID]
    posts: dict[str, UUID]

    def reads_club(self, by: str, name: str) -> bool:
        if name == "gone":
            return False
        return name == "open" or by == "warden" or (by == "leader" and name == "led")

    def reads_thread(self, by: str, title: str) -> bool:
        return self.reads_club(by, title.split("-", maxsplit=1)[0])

    def reads_post(self, by: str, text: str) -> bool:
        return by == "auditor" or self.reads_thread(by, text)

    def threads_of(self, by: str) -> list[str]:
        return [title for title in self.threads if self.reads_thread(by, title)]

    def reply_to(self, title: str) -> str | None:
        titles = [*self.threads]
        return next(iter(titles[titles.index(title) + 1 :]), None)

    def card(self, by: str, title: str) -> dict[str, Any]:
        """How a thread that an identity may read is shown."""
        reply = self.reply_to(title)
        of_reply = [text for text in self.posts if reply is not None and text.startswith(reply)]
        note = {"note": "a note"} if by == "warden" or (by == "leader" and title.startswith("led")) else {}
        return {
            "title": title,
            **note,
            "hidden_posts": sum(not self.reads_post(by, text) for text in of_reply),
            "has_hidden_reply": reply is not None and not self.reads_thread(by, reply),
            "is_readable": True,
        }

    def posts_of(self, by: str) -> list[str]:
        return [text for text in self.posts if self.reads_post(by, text)]


async def filled(running: TestApp, sql: "asyncpg.Connection[Any]") -> Rows:
    """Four clubs with two threads each, of which the first has two posts."""
    clients: dict[str, Client] = {"anonymous": running.anonymous}
    for name in FOUR[1:]:
        clients[name], key = await running.user_and_id(*([name] if name != "leader" else []))
        if name == "leader":
            leader = UUID(str(key))
    clubs: dict[str, UUID] = {}
    threads: dict[str, UUID] = {}
    posts: dict[str, UUID] = {}
    club = "INSERT INTO clubs (name, is_open, leader_id) VALUES ($1, $2, $3) RETURNING id"
    thread = "INSERT INTO threads (title, note, club_id, parent_id) VALUES ($1, 'a note', $2, $3) RETURNING id"
    post_ = "INSERT INTO posts (text, thread_id) VALUES ($1, $2) RETURNING id"
    parent: UUID | None = None
    for name in CLUBS:
        of = leader if name in ("led", "gone") else None
        clubs[name] = await sql.fetchval(club, name, name in ("open", "gone"), of)
        for title in (f"{name}-1", f"{name}-2"):
            # Each is a reply to the one before it.
            parent = threads[title] = await sql.fetchval(thread, title, clubs[name], parent)
            for text in (f"{title}-a", f"{title}-b") if title.endswith("1") else ():
                posts[text] = await sql.fetchval(post_, text, threads[title])
    return Rows(running, clients, clubs, threads, posts)
