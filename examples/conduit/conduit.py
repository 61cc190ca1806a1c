"""RealWorld's Conduit, the API of a blog, as its specification asks for it. `models.py` is beside it."""

import re
from datetime import datetime
from secrets import token_hex
from typing import Annotated

from annotated_types import Len
from msgspec import UNSET, Struct, UnsetType, structs
from sqlalchemy import Select, func, select

from examples.conduit.models import Article, Comment, Favorite, Follow, User
from gatepost import (
    DTO,
    Accounts,
    Actor,
    App,
    CamelCase,
    Changes,
    Controller,
    Created,
    Field,
    FieldError,
    Problem,
    Resource,
    Service,
    actor_id,
    anyone,
    authenticated,
    computed,
    count,
    delete,
    get,
    owner,
    post,
    put,
)


class Users(Service[User]):
    async def update(self, row: User, changes: Changes[User], actor: Actor) -> User:
        emptied = {name: changes[name] or None for name in {"bio", "image"} & changes.keys()}
        return await super().update(row, changes.replace(**emptied), actor)


class Articles(Service[Article]):
    async def before_create(self, draft: Article, actor: Actor) -> None:
        draft.slug = self.slug(draft.title)

    async def update(self, row: Article, changes: Changes[Article], actor: Actor) -> Article:
        if (title := changes.get(Article.title, row.title)) != row.title:
            changes = changes.replace(slug=self.slug(title))
        return await super().update(row, changes, actor)

    def slug(self, title: str) -> str:
        return f"{re.sub(r'[^a-z0-9]+', '-', title.lower())[:200]}-{token_hex(4)}"


class Profile(DTO[User], name="profile"):
    username: str
    bio: str | None
    image: str | None
    following: bool = computed(User.followers.any(Follow.follower_id == actor_id))


class Me(DTO[User], name="user"):
    email: str
    username: str
    bio: str | None
    image: str | None
    token: str = computed(Accounts().token())  # the token of this call: no column


class ArticleCard(DTO[Article], name="article"):
    slug: str
    title: str
    description: str
    tag_list: list[str]
    created_at: datetime
    updated_at: datetime
    favorited: bool = computed(Article.favorites.any(Favorite.user_id == actor_id))
    favorites_count: int = computed(count(Article.favorites))
    author: Profile


class ArticleFull(ArticleCard, name="article"):
    body: str


class ArticleBody(DTO[Article], name="article"):
    title: str
    description: str
    body: str
    tag_list: list[str]


class CommentShown(DTO[Comment], name="comment"):
    id: int
    body: str
    created_at: datetime
    updated_at: datetime
    author: Profile


Line = Annotated[str, Len(1, 320)]  # "blank" is what is empty; the accounts say what else a password must be


class Login(Struct):
    email: Line
    password: Line


class NewUser(Login):
    username: Line


class ChangedUser(Struct):
    username: Line | UnsetType = UNSET
    email: Line | UnsetType = UNSET
    password: Line | UnsetType = UNSET
    bio: Annotated[str, Len(0, 2_000)] | UnsetType | None = UNSET
    image: Annotated[str, Len(0, 2_000)] | UnsetType | None = UNSET


class Conduit(Controller):
    accounts: Accounts

    @post("/users", allow=anyone, answers=Me)
    async def register(self, body: NewUser) -> Created[User]:
        return Created(await self.accounts.register(User(username=body.username, email=body.email), body.password))

    @post("/users/login", allow=anyone, answers=Me)
    async def login(self, body: Login) -> User:
        user: User = await self.accounts.sign_in(body.email, body.password)
        return user

    @get("/user", allow=authenticated, answers=Me)
    async def me(self, users: Users, actor: Actor) -> User:
        return await users.get(actor.require_id(), actor)

    @put("/user", allow=authenticated, answers=Me)
    async def change_me(self, body: ChangedUser, users: Users, actor: Actor) -> User:
        sent = {
            name: value for name, value in structs.asdict(body).items() if value is not UNSET and name != "password"
        }
        user = await users.update(await users.get(actor.require_id(), actor), Changes[User](sent), actor)
        if isinstance(body.password, str):
            await self.accounts.set_password(user, body.password)
        return user

    @get("/profiles/{user:username}", allow=anyone, answers=Profile)
    async def profile(self, user: User) -> User:
        return user

    @post("/profiles/{user:username}/follow", allow=authenticated, answers=Profile)
    async def follow(self, user: User, follows: Service[Follow], actor: Actor) -> User:
        await follows.ensure(Follow(follower_id=actor.require_id(), followed_id=user.id), actor)
        return user

    @delete("/profiles/{user:username}/follow", allow=authenticated, answers=Profile)
    async def unfollow(self, user: User, follows: Service[Follow], actor: Actor) -> User:
        await follows.discard(Follow(follower_id=actor.require_id(), followed_id=user.id), actor)
        return user

    @get("/articles", allow=anyone, answers=ArticleCard)
    async def articles(
        self, tag: str | None = None, author: str | None = None, favorited: str | None = None
    ) -> Select[Article]:
        query = select(Article).order_by(Article.created_at.desc())
        if tag is not None:
            query = query.where(Article.tag_list.contains([tag]))
        if author is not None:
            query = query.where(Article.author.has(User.username == author))
        if favorited is not None:
            query = query.where(Article.favorites.any(Favorite.user.has(User.username == favorited)))
        return query

    @get("/articles/feed", allow=authenticated, answers=ArticleCard)
    async def feed(self, actor: Actor) -> Select[Article]:
        mine = select(Follow.followed_id).where(Follow.follower_id == actor_id)
        return select(Article).where(Article.author_id.in_(mine)).order_by(Article.created_at.desc())

    @post("/articles/{article:slug}/favorite", allow=authenticated, answers=ArticleFull)
    async def favorite(self, article: Article, favorites: Service[Favorite], actor: Actor) -> Article:
        await favorites.ensure(Favorite(user_id=actor.require_id(), article_id=article.id), actor)
        return article

    @delete("/articles/{article:slug}/favorite", allow=authenticated, answers=ArticleFull)
    async def unfavorite(self, article: Article, favorites: Service[Favorite], actor: Actor) -> Article:
        await favorites.discard(Favorite(user_id=actor.require_id(), article_id=article.id), actor)
        return article

    @get("/articles/{article:slug}/comments", allow=anyone, answers=CommentShown, paging=False)
    async def comments(self, article: Article) -> Select[Comment]:
        return select(Comment).where(Comment.article_id == article.id).order_by(Comment.id)

    @get("/tags", allow=anyone, name="tags")
    async def tags(self) -> Select[str]:
        return select(func.unnest(Article.tag_list)).distinct().limit(1_000)


class ConduitDialect(CamelCase):
    def problem(self, problem: Problem, name: str | None) -> object:
        if problem.errors:
            return {"errors": self.by_field(problem, self.words)}
        if problem.code == "invalid_credentials":
            return {"errors": {"credentials": ["invalid"]}}
        if problem.status == 401:
            return {"errors": {"token": ["is missing" if problem.code == "not_signed_in" else "is invalid"]}}
        return {"errors": {name or "request": [problem.code.replace("_", " ")]}}

    def words(self, error: FieldError) -> str:
        if error.code == "required" or (error.code == "too_short" and error.params["min"] == 1):
            return "can't be blank"
        return "has already been taken" if error.code == "already_exists" else error.detail


by_author = owner("author_id")
own = owner(User.id)
app = App(
    Resource(
        Article,
        key=Article.slug,
        read=anyone,
        write=by_author,
        service=Articles,
        answers=ArticleFull,
        creates=ArticleBody,
        updates=ArticleBody,
    ),
    Resource(
        Comment, under="articles/{article:slug}", read=anyone, create=by_author, delete=by_author, answers=CommentShown
    ),
    Resource(User, routes=False, read=anyone, update=own, service=Users, fields={"email": Field(read=own, write=own)}),
    Resource(Favorite, routes=False, read=owner("user_id"), write=owner("user_id")),
    Resource(Follow, routes=False, read=owner("follower_id"), write=owner("follower_id")),
    controllers=[Conduit],
    users=User,
    dialect=ConduitDialect(total="{list}Count", scheme="Token", paging="offset", update="PUT"),
)
