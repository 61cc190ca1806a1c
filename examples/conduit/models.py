"""What Conduit keeps: users, articles, comments, favorites and follows."""

from typing import Annotated
from uuid import UUID, uuid4

from annotated_types import Len
from sqlalchemy import ForeignKey, Identity, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Model, Row, UserColumns

Tag = Annotated[str, Len(1, 100)]


class User(Model, UserColumns):
    __tablename__ = "users"

    # The default is for `gatepost users create`, which knows only Gatepost's own columns.
    username: Mapped[Annotated[str, Len(1, 100)]] = mapped_column(unique=True, default=lambda: uuid4().hex)
    bio: Mapped[Annotated[str, Len(0, 2_000)] | None]
    image: Mapped[Annotated[str, Len(0, 2_000)] | None]
    followers: Mapped[list["Follow"]] = relationship(foreign_keys="Follow.followed_id")


class Article(Model):
    __tablename__ = "articles"
    __table_args__ = (
        Index("ix_articles_created_at_id", "created_at", "id"),
        Index("ix_articles_tag_list", "tag_list", postgresql_using="gin"),
    )

    slug: Mapped[Annotated[str, Len(1, 300)]] = mapped_column(unique=True, default="")
    title: Mapped[Annotated[str, Len(1, 200)]]
    description: Mapped[Annotated[str, Len(1, 1_000)]]
    body: Mapped[Annotated[str, Len(1, 100_000)]]
    tag_list: Mapped[list[Tag]] = mapped_column(ARRAY(Text), default=list)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    author: Mapped[User] = relationship()
    favorites: Mapped[list["Favorite"]] = relationship()


class Comment(Row):
    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    body: Mapped[Annotated[str, Len(1, 10_000)]]
    article_id: Mapped[UUID] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    author: Mapped[User] = relationship()


class Favorite(Model):
    __tablename__ = "favorites"
    __table_args__ = (UniqueConstraint("user_id", "article_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    user: Mapped[User] = relationship()
    article_id: Mapped[UUID] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), index=True)


class Follow(Model):
    __tablename__ = "follows"
    __table_args__ = (UniqueConstraint("follower_id", "followed_id"),)

    follower_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    followed_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
