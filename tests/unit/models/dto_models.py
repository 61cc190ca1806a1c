"""Models whose rows the DTOs of tests show."""

from datetime import datetime
from typing import Annotated

from annotated_types import Len
from sqlalchemy import ColumnElement, DateTime, ForeignKey, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Keeps these tables apart from those of other tests."""


class Writer(Base):
    __tablename__ = "dto_writers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Annotated[str, Len(1, 100)]]
    bio: Mapped[Annotated[str, Len(1, 1000)] | None]
    secret: Mapped[str]
    salary: Mapped[int]
    posts: Mapped[list["Post"]] = relationship(back_populates="writer", foreign_keys="Post.writer_id")


class Post(Base):
    __tablename__ = "dto_posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[Annotated[str, Len(1, 200)]]
    writer_id: Mapped[int] = mapped_column(ForeignKey("dto_writers.id"))
    editor_id: Mapped[int | None] = mapped_column(ForeignKey("dto_writers.id"))
    writer: Mapped[Writer] = relationship(back_populates="posts", foreign_keys=[writer_id])
    editor: Mapped[Writer | None] = relationship(foreign_keys=[editor_id])
    remarks: Mapped[list["Remark"]] = relationship(back_populates="post")
    tags: Mapped[list["Tag"]] = relationship()

    @hybrid_property
    def length(self) -> int:
        return len(self.title)

    @length.inplace.expression
    @classmethod
    def _length(cls) -> ColumnElement[int]:
        return func.char_length(cls.title)


class Remark(Base):
    __tablename__ = "dto_remarks"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[Annotated[str, Len(1, 200)]]
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    post_id: Mapped[int] = mapped_column(ForeignKey("dto_posts.id"))
    post: Mapped[Post] = relationship(back_populates="remarks")


class Tag(Base):
    """Has no resource."""

    __tablename__ = "dto_tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("dto_posts.id"))
