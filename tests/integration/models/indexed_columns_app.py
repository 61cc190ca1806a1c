"""A table with an index of every kind beside those that a resource makes, and what each column may be asked."""

import enum
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CHAR,
    Date,
    Enum,
    Index,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Model, Resource, anyone

UNORDERED = frozenset({"eq", "ne", "in", "null"})
ORDERED = UNORDERED | {"lt", "lte", "gt", "gte"}
PATTERN = UNORDERED | {"starts_with"}
TRIGRAMS = frozenset({"contains", "starts_with", "icontains", "istarts_with"})
HAS = frozenset({"has"})
IN_DOCUMENT = frozenset({"eq", "in"})


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=Model.metadata.naming_convention)


class Kind(enum.Enum):
    ONE = "one"
    TWO = "two"


class Shelf(Base):
    """`length` is also the name of a function that an index computes of `body`."""

    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    length: Mapped[int]
    lower: Mapped[str]
    body: Mapped[str]
    plain: Mapped[str] = mapped_column(index=True)
    nullable: Mapped[str | None] = mapped_column(index=True)
    both_ways: Mapped[str | None]
    alone: Mapped[int] = mapped_column(unique=True)
    first: Mapped[int]
    second: Mapped[int]
    third: Mapped[int]
    by_attribute: Mapped[int]
    falling: Mapped[int]
    falling_nulls_last: Mapped[int]
    nulls_first: Mapped[int]
    pattern: Mapped[str]
    pattern_of_varchar: Mapped[str] = mapped_column(String(40))
    default_class: Mapped[str]
    own_collation: Mapped[str] = mapped_column(String(collation="C"), index=True)
    other_collation: Mapped[str]
    partial: Mapped[str]
    partial_unique: Mapped[str]
    hashed: Mapped[str]
    brin: Mapped[int]
    gin_document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    included: Mapped[int]
    leading: Mapped[int]
    negative: Mapped[int]
    as_text: Mapped[str]
    trigrams: Mapped[str]
    trigrams_of_gist: Mapped[str]
    trigrams_and_partial: Mapped[str]
    renamed: Mapped[int] = mapped_column("column_name", key="column_key")
    fixed: Mapped[str] = mapped_column(CHAR(4), index=True)
    any_case: Mapped[str] = mapped_column(CITEXT, index=True)
    kind: Mapped[Kind] = mapped_column(Enum(Kind, name="kind"), index=True)
    number: Mapped[Any] = mapped_column(Numeric(12, 2), index=True)
    code: Mapped[UUID] = mapped_column(index=True)
    flag: Mapped[bool] = mapped_column(index=True)
    declared_sort: Mapped[str | None]
    declared_filter: Mapped[str]
    declared_filter_hashed: Mapped[str]
    declared_search: Mapped[str]
    searched_without_case: Mapped[str] = mapped_column(CITEXT)
    searched_in_c: Mapped[str] = mapped_column(String(40, collation="C"))
    searched_without_case_in_c: Mapped[str] = mapped_column(CITEXT(collation="C"))
    trigrams_in_default: Mapped[str] = mapped_column(String(collation="C"))
    trigrams_in_c: Mapped[str] = mapped_column(String(collation="C"))
    pattern_in_c: Mapped[str] = mapped_column(String(collation="C"))
    pattern_without_case: Mapped[str] = mapped_column(CITEXT)
    texts: Mapped[list[str]] = mapped_column(ARRAY(Text))
    short_texts: Mapped[list[str]] = mapped_column(ARRAY(String(5, collation="C")))
    fixed_texts: Mapped[list[str]] = mapped_column(ARRAY(CHAR(5)))
    texts_without_case: Mapped[list[str]] = mapped_column(ARRAY(CITEXT))
    codes: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    kinds: Mapped[list[Kind]] = mapped_column(ARRAY(Enum(Kind, name="kind")))
    words: Mapped[list[str]] = mapped_column(ARRAY(Enum("one", "two", name="word", native_enum=False)))
    numbers: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    amounts: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric(8, 2)))
    days: Mapped[list[date]] = mapped_column(ARRAY(Date))
    documents: Mapped[list[Any]] = mapped_column(ARRAY(JSONB))
    btree_array: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger), index=True)
    second_of_gin: Mapped[list[str]] = mapped_column(ARRAY(Text))
    document: Mapped[Any] = mapped_column(JSONB)
    indexed_document: Mapped[Any] = mapped_column(JSONB)

    __table_args__ = (
        UniqueConstraint("first", "second"),
        Index("ix_length", func.length("body")),
        Index("ix_both_ways", "both_ways", "id"),
        Index("ix_pattern", "pattern", postgresql_ops={"pattern": "text_pattern_ops"}),
        Index("ix_varchar", "pattern_of_varchar", postgresql_ops={"pattern_of_varchar": "VARCHAR_PATTERN_OPS"}),
        Index("ix_default_class", "default_class", postgresql_ops={"default_class": "pg_catalog.text_ops"}),
        Index("ix_partial", "partial", postgresql_where=text("length > 3")),
        Index("ix_partial_unique", "partial_unique", unique=True, postgresql_where=text("length > 3")),
        Index("ix_hashed", "hashed", postgresql_using="HASH"),
        Index("ix_brin", "brin", postgresql_using="brin"),
        Index("ix_gin_document", "gin_document", postgresql_using="gin"),
        Index("ix_leading", "leading", "third", postgresql_include=["included"]),
        Index("ix_as_text", text("as_text")),
        Index("ix_trigrams", "trigrams", postgresql_using="gin", postgresql_ops={"trigrams": "gin_trgm_ops"}),
        Index(
            "ix_gist",
            "trigrams_of_gist",
            postgresql_using="gist",
            postgresql_ops={"trigrams_of_gist": "gist_trgm_ops(siglen=32)"},
        ),
        Index(
            "ix_trigrams_and_partial",
            "trigrams_and_partial",
            postgresql_using="gin",
            postgresql_ops={"trigrams_and_partial": "gin_trgm_ops"},
            postgresql_where=text("length > 3"),
        ),
        Index("ix_renamed", "column_key"),
        Index(
            "ix_trigrams_in_c",
            "trigrams_in_c",
            postgresql_using="gin",
            postgresql_ops={"trigrams_in_c": "gin_trgm_ops"},
        ),
        Index("ix_pattern_in_c", "pattern_in_c", postgresql_ops={"pattern_in_c": "text_pattern_ops"}),
        Index("ix_pattern_citext", "pattern_without_case", postgresql_ops={"pattern_without_case": "text_pattern_ops"}),
        Index("ix_documents", "documents", postgresql_using="gin"),
        Index("ix_gin_of_two", "numbers", "second_of_gin", postgresql_using="gin"),
        Index("ix_indexed_document", "indexed_document", postgresql_using="gin"),
        Index("ix_hashed_declared", "declared_filter_hashed", postgresql_using="hash"),
    )


Index("ix_by_attribute", Shelf.by_attribute)
Index("ix_lower", func.lower(Shelf.body))
Index("ix_falling", Shelf.falling.desc())
Index("ix_falling_nulls_last", Shelf.falling_nulls_last.desc().nulls_last())
Index("ix_nulls_first", Shelf.nulls_first.nulls_first())
Index("ix_both_ways_falling", Shelf.both_ways.desc().nulls_last())
Index("ix_other_collation", Shelf.other_collation.collate("C"))
Index("ix_negative", -Shelf.negative)
Index(
    "ix_trigrams_in_default",
    Shelf.trigrams_in_default.collate("default").label("in_default"),
    postgresql_using="gin",
    postgresql_ops={"in_default": "gin_trgm_ops"},
)

ARRAYS = ("texts", "short_texts", "fixed_texts", "texts_without_case", "codes", "kinds", "words", "amounts", "days")
PATHS = ("document.color", "document.size.width", "indexed_document.color")

app = App(
    Resource(
        Shelf,
        read=anyone,
        sort=["declared_sort"],
        filter=["declared_filter", "declared_filter_hashed", *ARRAYS, *PATHS],
        search=["declared_search", "searched_without_case", "searched_in_c", "searched_without_case_in_c"],
    )
)

OFFERED: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        [
            "id", "plain", "nullable", "both_ways", "alone", "first", "by_attribute", "falling", "falling_nulls_last",
            "nulls_first", "default_class", "own_collation", "leading", "renamed", "fixed", "number", "code",
            "any_case", "declared_sort", "declared_filter", "declared_filter_hashed",
        ],
        ORDERED,
    ),
    **dict.fromkeys(["kind", "flag"], UNORDERED),
    **dict.fromkeys(["pattern", "pattern_of_varchar"], PATTERN),
    **dict.fromkeys(
        [
            "trigrams", "trigrams_of_gist", "declared_search", "searched_without_case", "searched_in_c",
            "searched_without_case_in_c", "trigrams_in_default",
        ],
        TRIGRAMS,
    ),
    **dict.fromkeys(["pattern_in_c"], PATTERN),
    **dict.fromkeys([*ARRAYS, "numbers", "second_of_gin"], HAS),
    **dict.fromkeys(PATHS, IN_DOCUMENT),
    "hashed": frozenset({"eq", "in"}),
}  # fmt: skip
"""What may be asked of each field; the others have no index that serves anything."""

SORTABLE = {
    "id", "plain", "both_ways", "alone", "first", "by_attribute", "falling", "default_class", "own_collation",
    "leading", "renamed", "fixed", "any_case", "kind", "number", "code", "flag", "declared_sort", "declared_filter",
    "declared_filter_hashed",
}  # fmt: skip
