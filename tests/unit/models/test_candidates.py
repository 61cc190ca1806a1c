"""What is known of a row before it is written."""

import pytest
from sqlalchemy import MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost.database.statements import DIALECT
from gatepost.models.candidates import cells_of_insert
from gatepost.models.entity import entity_of


class Base(DeclarativeBase):
    metadata = MetaData()


class Word(Base):
    __tablename__ = "words"

    id: Mapped[int] = mapped_column(primary_key=True)
    short: Mapped[str] = mapped_column(String(20, collation="loose"))
    long: Mapped[str] = mapped_column(Text(collation="loose"))


@pytest.mark.parametrize("name", ["short", "long"])
def test_a_text_is_compared_by_the_collation_of_its_column(name: str) -> None:
    cell = cells_of_insert(entity_of(Word), [name])[name]
    assert str(cell.compile(dialect=DIALECT)).endswith(" AS TEXT) COLLATE loose")
