"""The most bytes that a row can have, by its declaration."""

from typing import Annotated, Any

import pytest
from annotated_types import Len, MaxLen
from sqlalchemy import Enum, MetaData, Numeric, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, anyone
from gatepost.models.row_size import row_bytes_max


class Base(DeclarativeBase):
    metadata = MetaData()


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
    flag: Mapped[bool | None]
    short: Mapped[str] = mapped_column(String(10))
    declared: Mapped[Annotated[str, Len(1, 20)]]
    bounded: Mapped[Annotated[bytes, MaxLen(30)]]
    price: Mapped[Any] = mapped_column(Numeric(10, 2))
    state: Mapped[str] = mapped_column(Enum("open", "closed", name="state"))
    text: Mapped[str] = mapped_column(Text)
    loose: Mapped[Any] = mapped_column(Numeric)
    blob: Mapped[bytes]
    doc: Mapped[Any] = mapped_column(JSONB)
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(5)))


SERVED = App(Resource(Thing, read=anyone)).declaration.catalog.served[0]


@pytest.mark.parametrize("name", ["text", "loose", "blob", "doc", "tags"])
def test_a_column_without_a_bound_makes_the_row_unbounded(name: str) -> None:
    assert row_bytes_max(SERVED, ["id", name]) is None


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("id", str(-(2**31))),
        ("flag", "false"),
        ("short", '"' + "\\u0001" * 10 + '"'),
        ("declared", '"' + "\\u0001" * 20 + '"'),
        ("bounded", '"' + "A" * 40 + '"'),
        ("price", '"-12345678.90"'),
        ("state", '"closed"'),
    ],
)
def test_a_bound_is_no_less_than_the_longest_value(name: str, longest: str) -> None:
    found = row_bytes_max(SERVED, [name])
    assert found is not None
    assert len(f'{{"{name}":{longest}}}') <= found < len(longest) + 300
