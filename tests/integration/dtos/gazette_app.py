"""A gazette, whose rows are shown as DTOs of three depths."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Len
from sqlalchemy import ForeignKey, Integer, Interval, MetaData, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from gatepost import (
    DTO,
    App,
    Field,
    Model,
    Resource,
    UserColumns,
    actor_column,
    actor_id,
    anyone,
    authenticated,
    computed,
    count,
    first,
    hidden,
    owner,
    policy,
    readable,
    role,
)
from gatepost.models.base import NAMING

EDITOR = role("editor")


class Printed(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Member(Printed, UserColumns):
    """Who signs in, and who writes."""

    __tablename__ = "members"

    username: Mapped[str | None]
    phone: Mapped[str | None]
    team: Mapped[int | None]
    stories: Mapped[list["Story"]] = relationship(back_populates="author")


class Story(Printed):
    """A draft is seen by its author and by editors."""

    __tablename__ = "stories"

    title: Mapped[Annotated[str, Len(1, 100)]] = mapped_column(index=True)
    cost: Mapped[int] = mapped_column(default=0)
    note: Mapped[str | None]
    secret: Mapped[str] = mapped_column(default="hidden")
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    team: Mapped[int | None]
    is_public: Mapped[bool] = mapped_column(default=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), index=True)
    author: Mapped[Member] = relationship(back_populates="stories")
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("stories.id"), index=True)
    parent: Mapped["Story | None"] = relationship(remote_side="Story.id", back_populates="parts")
    parts: Mapped[list["Story"]] = relationship(back_populates="parent")
    comments: Mapped[list["Comment"]] = relationship(back_populates="story")
    ratings: Mapped[list["Rating"]] = relationship()


class Comment(Printed):
    """One that is flagged is listed for its author and for editors."""

    __tablename__ = "comments"

    text: Mapped[Annotated[str, Len(1, 100)]]
    flag: Mapped[str] = mapped_column(default="none")
    pause: Mapped[timedelta | None] = mapped_column(Interval)
    is_flagged: Mapped[bool] = mapped_column(default=False)
    story_id: Mapped[UUID] = mapped_column(ForeignKey("stories.id"), index=True)
    story: Mapped[Story] = relationship(back_populates="comments")
    author_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), index=True)
    author: Mapped[Member] = relationship()
    reactions: Mapped[list["Reaction"]] = relationship(back_populates="comment")


class Reaction(Printed):
    """To a comment."""

    __tablename__ = "reactions"

    kind: Mapped[Annotated[str, Len(1, 100)]]
    took: Mapped[timedelta] = mapped_column(Interval, default=timedelta)
    comment_id: Mapped[UUID] = mapped_column(ForeignKey("comments.id"), index=True)
    comment: Mapped[Comment] = relationship(back_populates="reactions")
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), index=True)
    member: Mapped[Member] = relationship()


class Rating(Printed):
    """Known by two columns, so it can only be read."""

    __tablename__ = "ratings"

    story_id: Mapped[UUID] = mapped_column(ForeignKey("stories.id"), primary_key=True)
    stars: Mapped[int]


class MemberCard(DTO[Member]):
    username: str | None
    phone: str | None
    story_count: int = computed(count(Member.stories))
    is_me: bool = computed(Member.id == actor_id)


class ReactionCard(DTO[Reaction]):
    kind: str
    took: timedelta
    member: MemberCard | None


class CommentCard(DTO[Comment]):
    text: str
    flag: str
    pause: timedelta | None
    author: MemberCard | None
    reactions: list[ReactionCard] = first(2, order_by=Reaction.kind.desc())


class RatingCard(DTO[Rating]):
    stars: int


class PartCard(DTO[Story]):
    title: str
    note: str | None
    comment_count: int = computed(count(Story.comments))
    part_count: int = computed(count(Story.parts))


class StoryCard(DTO[Story]):
    title: str
    cost: int
    note: str | None
    author: MemberCard | None
    comment_count: int = computed(count(Story.comments))
    shown_comment_count: bool = computed(Story.comments.any(readable(Comment)))
    is_mine: bool = computed(Story.author_id == actor_id)
    is_of_team: bool | None = computed(Story.team == actor_column(Member.team))
    margin: int = computed(Story.cost * 2)
    pages: int | None = computed(cast(Story.data["pages"].astext, Integer))
    audit: str = computed(func.concat("audited ", Story.title, type_=Story.title.type), read=EDITOR)


other = aliased(Story)


class StoryFull(StoryCard):
    parent: PartCard | None
    parts: list[PartCard] = first(2, order_by=Story.title)
    comments: list[CommentCard] = first(2, order_by=Comment.text.desc())
    ratings: list[RatingCard] = first(2, order_by=Rating.stars.desc())
    by_same_author: int = computed(
        select(func.count()).select_from(other).where(other.author_id == Story.author_id).scalar_subquery()
    )


class StoryLine(DTO[Story]):
    title: str
    shouted: str = computed(func.upper(Story.title, type_=Story.title.type))


SEEN = policy(lambda story, actor: story.is_public) | owner("author_id") | EDITOR

app = App(
    Resource(
        Member,
        read=authenticated,
        fields={"phone": Field(read=owner(Member.id) | EDITOR, write=EDITOR)},
    ),
    Resource(
        Story,
        read=SEEN,
        write=owner("author_id") | EDITOR,
        answers=StoryFull,
        lists=StoryCard,
        sort=[Story.title],
        fields={
            "cost": Field(read=EDITOR, write=EDITOR),
            "note": Field(read=owner("author_id") | EDITOR, write=owner("author_id")),
            "secret": hidden,
        },
    ),
    Resource(
        Comment,
        list=policy(lambda comment, actor: ~comment.is_flagged) | owner("author_id") | EDITOR,
        get=policy(lambda comment, actor: ~comment.is_flagged) | owner("author_id") | EDITOR,
        fields={"flag": Field(read=EDITOR, write=EDITOR)},
        answers=CommentCard,
    ),
    Resource(Reaction, read=anyone, answers=ReactionCard, path="reactions"),
    Resource(Rating, read=anyone, where=Rating.stars > 1),
    users=Member,
)
