"""Which values may be too long for an index, and what the start says of them."""

import dataclasses
import enum
from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import sqlalchemy as sa
from annotated_types import Len, MaxLen
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, JSONOf, Resource, anyone

VIEW = {"info": {"gatepost.view": True}}


class Base(DeclarativeBase):
    """Tables of this test alone."""

    metadata = sa.MetaData()


class Kind(enum.Enum):
    A = "a"


class Shelf(Base):
    __tablename__ = "shelves"

    code: Mapped[str] = mapped_column(primary_key=True)


class Item(Base):
    """Columns with an index, named for whether they may be too long."""

    __tablename__ = "items"
    __table_args__ = (
        sa.Index("by_pair", "pair_a", "pair_b"),
        sa.Index("by_element", "long_elements", "ok_elements", postgresql_using="gin"),
        sa.Index("by_hash", "ok_hashed", postgresql_using="hash"),
        sa.Index("by_lower", sa.text("lower(long_lowered)")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    long_text: Mapped[str] = mapped_column(unique=True)
    long_optional: Mapped[str | None] = mapped_column(index=True)
    long_bounded: Mapped[Annotated[str, MaxLen(1000)]] = mapped_column(index=True)
    long_bytes: Mapped[bytes] = mapped_column(sa.LargeBinary, index=True)
    long_array: Mapped[list[str]] = mapped_column(sa.ARRAY(sa.Text), index=True)
    long_elements: Mapped[list[str]] = mapped_column(sa.ARRAY(sa.Text))
    ok_elements: Mapped[list[str]] = mapped_column(sa.ARRAY(sa.String(50)))
    long_document: Mapped[dict[str, Any]] = mapped_column(JSONB, index=True)
    long_lowered: Mapped[str]
    long_sorted: Mapped[str]
    long_filtered: Mapped[str]
    pair_a: Mapped[str] = mapped_column(sa.String(300))
    pair_b: Mapped[str] = mapped_column(sa.String(600))
    ok_column: Mapped[str] = mapped_column(sa.String(672), index=True)
    ok_annotated: Mapped[Annotated[str, Len(1, 200)]] = mapped_column(unique=True)
    ok_number: Mapped[int] = mapped_column(index=True)
    ok_enum: Mapped[Kind] = mapped_column(sa.Enum(Kind, native_enum=False), index=True)
    ok_hashed: Mapped[str]
    ok_unindexed: Mapped[str]
    ok_searched: Mapped[str]
    ok_reference: Mapped[str] = mapped_column(sa.ForeignKey("shelves.code"), index=True)


class Total(Base):
    __tablename__ = "totals"
    __table_args__ = VIEW

    code: Mapped[str] = mapped_column(primary_key=True)


app = App(
    Resource(Item, read=anyone, write=anyone, sort=["long_sorted"], filter=["long_filtered"], search=["ok_searched"]),
    Resource(Shelf, read=anyone),
    Resource(Total, read=anyone, sort=["code"]),
)


def test_each_unbounded_value_with_a_btree_is_warned_of_and_no_other() -> None:
    fields = {warning.field for warning in app.declaration.index_warnings()}
    names = [column.name for column in Item.__table__.columns]

    assert {field for field in fields if field.startswith("Item.")} == {
        "Item.pair_b",
        *(f"Item.{name}" for name in names if name.startswith("long_")),
    }
    assert "Shelf.code" in fields


def test_a_view_has_no_index_that_a_value_could_be_too_long_for() -> None:
    assert not [warning for warning in app.declaration.index_warnings() if warning.field.startswith("Total.")]


class Kept(msgspec.Struct, frozen=True):
    bounded: Annotated[str, MaxLen(100)]
    unbounded: str
    meant: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    wide: Annotated[str, MaxLen(1000)] = ""
    number: Decimal = Decimal(0)
    kind: Literal["a", "b"] = "a"
    tags: dict[str, str] = {}
    inner: "Inner | None" = None


@dataclasses.dataclass(frozen=True)
class Inner:
    city: Annotated[str, Len(1, 50)]
    code: str


class Modelled(pydantic.BaseModel, frozen=True):
    short: str = pydantic.Field(max_length=20)
    long: str = ""
    other: Annotated[str | None, pydantic.Field(max_length=20, alias="another")] = None


PATHS = {
    "kept": ("bounded", "meant", "number", "kind", "inner.city"),
    "modelled": ("short", "another"),
    "loose": ("unbounded", "wide", "tags.x", "inner.code"),
    "long": ("long",),
    "free": ("anything",),
}


def test_a_path_into_a_document_is_as_long_as_its_class_says() -> None:
    class Document(Base):
        __tablename__ = "documents"

        id: Mapped[int] = mapped_column(primary_key=True)
        kept: Mapped[Kept] = mapped_column(JSONOf(Kept))
        loose: Mapped[Kept] = mapped_column(JSONOf(Kept))
        modelled: Mapped[Modelled] = mapped_column(JSONOf(Modelled))
        long: Mapped[Modelled] = mapped_column(JSONOf(Modelled))
        free: Mapped[Any] = mapped_column(JSONB)

    paths = [f"{column}.{path}" for column, found in PATHS.items() for path in found]
    made = App(Resource(Document, read=anyone, filter=paths))
    warnings = made.declaration.index_warnings()
    by_field = Counter(warning.field for warning in warnings)
    assert by_field == {"Document.loose": len(PATHS["loose"]), "Document.long": 1, "Document.free": 1}


def test_the_warning_says_what_to_write() -> None:
    hints = {warning.field: warning for warning in app.declaration.index_warnings()}

    assert hints["Item.long_text"].hint.startswith("Bound it: Mapped[Annotated[str, MaxLen(672)]] or String(672)")
    assert "Annotated[str | None, MaxLen(672)]" in hints["Item.long_optional"].hint
    assert "digest" in hints["Item.long_bytes"].hint
    assert "Bound its elements" in hints["Item.long_elements"].hint
    assert hints["Item.long_lowered"].index_name == "by_lower"
