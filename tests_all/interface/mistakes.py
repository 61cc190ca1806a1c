"""Programs on the public interface that are only type-checked, never run.

A type checker accepts every line but those that end with `# E`: each of these is a mistake that it has to find.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, assert_type
from uuid import UUID

import msgspec
from annotated_types import Ge, Le
from sqlalchemy import ForeignKey, Select, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import (
    DTO,
    Accounts,
    Actor,
    App,
    CamelCase,
    Changes,
    Controller,
    Counter,
    Created,
    File,
    Group,
    Locked,
    Model,
    Partial,
    Policy,
    Problem,
    Resource,
    ServerSentEvent,
    Service,
    Stream,
    UserColumns,
    actor_column,
    actor_id,
    anyone,
    authenticated,
    computed,
    count,
    delete,
    first,
    get,
    owner,
    patch,
    policy,
    post,
    put,
    readable,
)


class Follow(Model):
    __tablename__ = "follows"

    follower_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    followed_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))


class User(Model, UserColumns):
    __tablename__ = "users"

    username: Mapped[str]
    tenant_id: Mapped[int]
    followers: Mapped[list[Follow]] = relationship(foreign_keys=[Follow.followed_id])


class Favorite(Model):
    __tablename__ = "favorites"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    article_id: Mapped[UUID] = mapped_column(ForeignKey("articles.id"))


class Article(Model):
    __tablename__ = "articles"

    slug: Mapped[str]
    title: Mapped[str]
    tenant_id: Mapped[int]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    author: Mapped[User] = relationship()
    favorites: Mapped[list[Favorite]] = relationship()


class Book(Model):
    __tablename__ = "books"

    title: Mapped[str]
    stock: Mapped[int]


class Books(Service[Book]):
    async def update(self, row: Book, changes: Changes[Book], actor: Actor) -> Book:
        assert_type(changes[Book.stock], int)
        assert_type(changes.get(Book.stock, row.stock), int)
        assert_type(changes.get(Book.title), str | None)
        print(changes[Book.stok])  # E
        assert_type(self.metrics.counter("books_read", labels=("kind",)), Counter)
        self.metrics.counter("books_read").observe(0.1)  # E
        self.metrics.counter("books_read", labels=("kind",)).add(kind=None)  # E
        self.metrics.histogram("reading_seconds").observe("0.1")  # E
        assert_type(self.service(Books), Books)
        assert_type(self.service(Article), Service[Article])
        assert_type(await self.service(Article).get(row.id, actor, lock=True), Article)
        return await super().update(row, changes, actor)

    def low(self) -> list[str]:
        return []


class Profile(DTO[User]):
    username: str
    following: bool = computed(User.followers.any(Follow.follower_id == actor_id))
    typo: bool = computed(User.folowers.any())  # E


class FavoriteCard(DTO[Favorite]):
    created_at: datetime


class ArticleCard(DTO[Article]):
    slug: str
    favorites_count: int = computed(count(Article.favorites))
    favorited: bool = computed(Article.favorites.any(Favorite.user_id == actor_id))
    is_ours: bool = computed(Article.tenant_id == actor_column(User.tenant_id))
    seen: bool = computed(Article.favorites.any(readable(Favorite)), read=authenticated)
    wrong: str = computed(count(Article.favorites))  # E
    hidden: int = computed(count(Article.favorites), read=Favorite)  # E
    author: Profile
    favorites: list[FavoriteCard] = first(20, order_by=Favorite.created_at.desc())
    unordered: list[FavoriteCard] = first(20)  # E


class ArticleBody(DTO[Article]):
    title: str


class BookCard(DTO[Book]):
    title: str


class Restock(msgspec.Struct):
    copies: Annotated[int, Ge(1), Le(1000)]


async def sold() -> AsyncIterator[ServerSentEvent[Book]]:
    yield ServerSentEvent(Book(title="Emma"), id="1")


class BookRoutes(Controller[Book]):
    @post("/{id}/restock", allow=authenticated)
    async def restock(self, id: UUID, body: Restock, books: Books, actor: Actor) -> Book:
        assert_type(books.low(), list[str])
        book = await books.get(id, actor, lock=True)
        book.stock += body.copies
        return book

    @post("/{book}/sell", allow=authenticated, answers=BookCard)
    async def sell(self, book: Locked[Book], books: Books, actor: Actor) -> Book:
        assert_type(book, Book)
        wrong = Changes[Book]({Book.stock: book.stock - 1}, model=Article)  # E
        return await books.update(book, wrong, actor)

    @get("/best", allow=anyone, answers=BookCard)
    async def best(self, limit: Annotated[int, Ge(1), Le(100)] = 10) -> Select[Book]:
        return select(Book).order_by(Book.stock).limit(limit)

    @get("/all", allow=anyone, answers=BookCard, paging=False)
    async def all(self, books: Service[Book]) -> Sequence[Book]:
        assert_type(books, Service[Book])
        return []

    @get("/wrong", allow=anyone, answers=ArticleCard)  # E
    async def wrong(self) -> Select[Book]:
        return select(Book)

    @post("", allow=authenticated, answers=BookCard)
    async def made(self, title: str, books: Books, actor: Actor) -> Created[Book]:
        return Created(await books.create(Book(title=title), actor))

    @post("/other", allow=authenticated, answers=BookCard)  # E
    async def other(self) -> Created[Article]:
        return Created(Article())

    @get("/follow", allow=anyone, answers=BookCard)
    async def follow(self) -> Stream[ServerSentEvent[Book]]:
        return Stream(sold())

    @get("/rows", allow=anyone, answers=BookCard)
    async def rows(self) -> Stream[Book]:
        return Stream(sold())  # E

    @get("/articles", allow=anyone, answers=BookCard)  # E
    async def articles(self) -> Stream[Article]:
        raise NotImplementedError

    @get("/cover", allow=anyone)
    async def cover(self, name: str) -> File | None:
        wrong = File(name)  # E
        return File(Path(name), root=Path("covers")) if name else wrong

    @get("/open")  # E
    async def open(self) -> list[str]:
        return []

    @get("/count", allow=authenticated)
    async def count(self) -> int:
        return 1


class Articles(Controller):
    accounts: Accounts

    @put("/articles/{article:slug}", allow=authenticated, answers=ArticleCard)
    async def change(
        self, article: Article, body: Partial[ArticleBody], articles: Service[Article], actor: Actor
    ) -> Article:
        assert_type(body.changes, Changes[Article])
        return await articles.update(article, body.changes, actor)

    @patch("/articles/{article:slug}/books", allow=authenticated)
    async def mixed(self, book: Book, body: Partial[ArticleBody], books: Books, actor: Actor) -> Book:
        return await books.update(book, body.changes, actor)  # E

    @post("/articles", allow=authenticated, answers=ArticleCard)
    async def create(self, body: ArticleBody, articles: Service[Article], actor: Actor) -> Created[Article]:
        assert_type(body.row(author_id=actor.require_id()), Article)
        print(body.titel)  # E
        return Created(await articles.create(body.row(), actor))

    @post("/articles/{article:slug}/favorite", allow=authenticated, answers=ArticleCard)
    async def favorite(self, article: Article, favorites: Service[Favorite], actor: Actor) -> Article:
        await favorites.ensure(Favorite(user_id=actor.require_id(), article_id=article.id), actor)
        return article

    @delete("/articles/{article:slug}/favorite", allow=authenticated, answers=ArticleCard)
    async def unfavorite(self, article: Article, favorites: Service[Favorite], actor: Actor) -> Article:
        draft = Favorite(user_id=actor.require_id(), article_id=article.id)
        assert_type(await favorites.discard(draft, actor, unique=[Favorite.user_id, "article_id"]), bool)
        await favorites.discard(article, actor)  # E
        return article

    @post("/users", allow=anyone, answers=Profile)
    async def register(self) -> Created[User]:
        user = await self.accounts.register(User(username="ada"), "correct horse battery")
        assert_type(user, User)
        assert_type(await self.accounts.issue(user), str)
        return Created(user)


class Dialect(CamelCase):
    def problem(self, problem: Problem, name: str | None) -> object:
        if problem.errors:
            return {"errors": self.by_field(problem, {"required": "can't be blank"})}
        return {"errors": {name or "token": [problem.code]}}


class WrongDialect(CamelCase):
    def problem(self, problem: Problem) -> object:  # E
        return {}


Endpoint = Callable[[BookRoutes, UUID, Restock, Books, Actor], Coroutine[Any, Any, Book]]


async def unit_test(routes: BookRoutes, id: UUID, books: Books, actor: Actor) -> None:
    """Endpoints are ordinary methods, whose parameters and results type checkers know."""
    endpoint: Endpoint = BookRoutes.restock
    assert_type(await endpoint(routes, id, Restock(copies=1), books, actor), Book)
    assert_type(await routes.best(limit=3), Select[Book])
    assert_type(await routes.made("Emma", books, actor), Created[Book])
    await routes.best(limit="3")  # E
    await Articles().favorite  # E


assert_type(authenticated & owner(Article.author_id) | anyone, Policy)
assert_type(policy(Article.tenant_id == actor_column(User.tenant_id)), Policy)

ok = Resource(Article, answers=ArticleCard, lists=ArticleCard, sort=[Article.slug], key=Article.slug)
bodies = Resource(Article, creates=ArticleBody, updates=ArticleBody, where=Article.title != "")
bad = Resource(Book, answers=ArticleCard)  # E
bad_body = Resource(Book, creates=ArticleBody)  # E
bad_service = Resource(Article, service=Books)  # E
bad_controller = Resource(Article, controller=BookRoutes)  # E
app = App(
    ok,
    Resource(Book, read=owner(Book.id), service=Books, controller=BookRoutes),
    controllers=[Articles],
    users=User,
    dialect=Dialect(total="{list}Count", scheme="Token", paging="offset", update="PUT"),
)
bad_app = App(ok, controllers=[Articles()])  # E

versions = App(
    ok,
    Group("/v2", Resource(Book, read=anyone, service=Books), controllers=[Articles], dialect=Dialect()),
    Group("/v3", controllers=[Articles]),
)
not_a_model = App(ok, Group("/v2", Book))  # E
nested = App(ok, Group("/v2", Group("/beta", ok)))  # E
no_prefix = App(ok, Group(ok))  # E
not_a_dialect = App(ok, Group("/v2", ok, dialect=Dialect))  # E


async def in_a_version(actor: Actor) -> str:
    async with versions.transaction(actor, group="/v2") as tx:
        row: Book = await tx.service(Books).get(1, actor)
        return row.title


wrong_group = versions.transaction(group=2)  # E
