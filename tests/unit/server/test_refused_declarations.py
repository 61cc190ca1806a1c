"""Declarations that SQLAlchemy or PostgreSQL cannot take: a sentence with the line and what to write, no traceback."""

import gc
import importlib
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import indent

import pytest

from gatepost import App, ConfigurationError
from gatepost.cli.main import guarded
from gatepost.server.loading import find_app

PRELUDE = """
from decimal import Decimal
from typing import Any
from sqlalchemy import *
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import *
from sqlalchemy.types import TypeDecorator
from gatepost import App, NaiveUTC, Resource, anyone

class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})

class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
LINE = len(PRELUDE.splitlines()) + 5
"""The line of the first statement that a case adds to the class."""

MODEL = """
class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
APP = """
app = App(Resource(Book, read=anyone, write=anyone))
"""

Load = Callable[[str], App]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Loads the app of a module with this text, as the commands do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"declared_{uuid.uuid4().hex}"

    def loaded(text: str) -> App:
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return find_app(f"{name}:app")

    yield loaded
    sys.modules.pop(name, None)


IN_THE_CLASS = {
    "doc: Mapped[NaiveUTC]": (LINE, "Write `doc: Mapped[datetime] = mapped_column(NaiveUTC)`."),
    "doc: Mapped[Integer]": (LINE, "Write `doc: Mapped[int] = mapped_column(Integer)`."),
    "doc: Mapped[dict]": (LINE, "Write `doc: Mapped[dict[str, Any]] = mapped_column(JSONB)`."),
    "doc: Mapped[list[str]]": (LINE, "Write `doc: Mapped[list[str]] = mapped_column(ARRAY(Text))`"),
    "doc: Mapped[int | str]": (LINE, "Say which type the column has"),
    "doc: Mapped[Author]": (LINE, "`doc: Mapped[Other] = relationship()`"),
    'doc: Mapped["Nope"]': (LINE - 3, "Correct the name in Mapped[...]"),
    "doc: int": (LINE, "Write `doc: Mapped[...]`."),
    "doc = mapped_column()": (LINE, "Write `doc: Mapped[...] = ...`."),
    "doc = relationship()": (LINE, "Write `doc: Mapped[...] = ...`."),
    "doc: Mapped[int] = mapped_column(nulable=True)": (LINE, "got 'nulable'"),
    "doc: Mapped[int] = mapped_column(42)": (LINE, "Write a type of SQLAlchemy's"),
    "doc: Mapped[int] = mapped_column(server_default=1)": (LINE, 'as text("...")'),
    "doc: Mapped[list[str]] = mapped_column(ARRAY(ARRAY(Text)))": (LINE, "Do not nest ARRAY types"),
    '__table_args__ = UniqueConstraint("id")': (LINE - 3, "Write a comma behind it"),
    '__table_args__ = (UniqueConstraint("nope"),)': (LINE - 3, "Correct the name"),
    '__table_args__ = (Index("i", "nope"),)': (LINE - 3, "Correct the name"),
    '__table_args__ = (Index("i", "id", postgresql_nope=1),)': (LINE, "'postgresql_nope' is not accepted"),
    '__table_args__ = (CheckConstraint("id > 1"),)': (LINE - 3, "Name the constraint"),
    '__table_args__ = (ForeignKeyConstraint(["id"], ["a.id", "a.x"]),)': (LINE, "must match the number"),
    '__mapper_args__ = {"polymorphic_on": "kind"}': (LINE - 3, "Can't determine polymorphic_on"),
    '__mapper_args__ = {"inherits": "Book"}': (LINE - 3, "non-inheriting class"),
    '__mapper_args__ = {"polymorphic_onn": "x"}': (LINE - 3, "polymorphic_onn"),
    '__tablename__ = "authors"': (LINE - 3, "Give each class a __tablename__ of its own"),
    'others: Mapped[list["Book"]] = relationship(cascade="explode")': (LINE, "Invalid cascade"),
}
"""What the class statement itself does not survive: where it is shown, and what is said."""

AT_BUILD = {
    'other: Mapped[int] = mapped_column(ForeignKey("nope.id"))': (LINE, "Book.other", "correct the name"),
    'other: Mapped[int] = mapped_column(ForeignKey("authors.nope"))': (LINE, "Book.other", "correct the name"),
    'author: Mapped["Autor"] = relationship()': (LINE, "Book.author", "Did you mean 'Author'?"),
    "author: Mapped[Author] = relationship()": (LINE, "Book.author", "Could not determine join condition"),
    'author: Mapped[Author] = relationship(secondary="nope")': (LINE, "Book.author", "nope"),
    "kind: Mapped[str] = mapped_column(Enum())": (LINE, "Book.kind", "Give it a name and at least one value"),
    'kind: Mapped[str] = mapped_column(Enum("a"))': (LINE, "Book.kind", "Give it a name and at least one value"),
    'kind: Mapped[str] = mapped_column(mysql.SET("a", "b"))': (LINE, "Book.kind", "Its type is SET"),
    'x: Mapped[int] = mapped_column("xmin")': (LINE, "Book.x", 'mapped_column("xmin_")'),
    "ctid: Mapped[str]": (LINE, "Book.ctid", 'mapped_column("ctid_")'),
    "tableoid: Mapped[int]": (LINE, "Book.tableoid", 'mapped_column("tableoid_")'),
    "cmin: Mapped[int]": (LINE, "Book.cmin", 'mapped_column("cmin_")'),
    'n: Mapped[int] = mapped_column("a\\0b")': (LINE, "Book.n", "has a NUL"),
    "text: Mapped[str] = mapped_column(String(-1))": (LINE, "Book.text", "such as String(200)"),
    'text: Mapped[str] = mapped_column(String("x"))': (LINE, "Book.text", "such as String(200)"),
    "texts: Mapped[list[str]] = mapped_column(ARRAY(String(0)))": (LINE, "Book.texts", "such as String(200)"),
    '__table_args__ = (Index("i", "id", postgresql_include=["nope"]),)': (LINE - 3, "Book, index 'i'", "nope"),
    '__table_args__ = (UniqueConstraint("id", name="a" * 80),)': (LINE - 3, "Book", "exceeds maximum length"),
    '__mapper_args__ = {"version_id_col": "id"}': (LINE - 3, "Book", "Give it the attribute"),
}
"""What SQLAlchemy takes in the class: where it is shown, by which name, and what is said."""


def refusal_of(load: Load, statement: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as refused:
        load(PRELUDE + MODEL + indent(statement, "    ") + "\n" + APP)
    return refused.value


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("statement", IN_THE_CLASS)
def test_what_a_class_statement_does_not_survive_is_a_sentence(load: Load, statement: str) -> None:
    line, said = IN_THE_CLASS[statement]
    error = refusal_of(load, statement)
    assert error.source is not None
    assert error.source.endswith(f".py:{line}")
    assert said in str(error)
    assert "Traceback" not in str(error)


@pytest.mark.parametrize("statement", AT_BUILD)
def test_what_no_table_can_have_is_refused_when_the_app_is_built(load: Load, statement: str) -> None:
    line, location, said = AT_BUILD[statement]
    error = refusal_of(load, statement)
    assert error.source is not None
    assert error.source.endswith(f".py:{line}")
    assert error.location == location
    assert said in str(error)
    assert "Traceback" not in str(error)


OWN = {
    "1 / 0": "ZeroDivisionError",
    "doc: Mapped[int] = mapped_column(nope)": "NameError",
    "@declared_attr\ndef doc(cls) -> Mapped[int]:\n    return mapped_column(nope)": "NameError",
    "class Own(TypeDecorator):\n    impl = Integer\n    def __init__(self):\n        raise ValueError('mine')\n"
    "doc: Mapped[int] = mapped_column(Own)": "ValueError: mine",
}


@pytest.mark.parametrize("statement", OWN)
def test_an_exception_of_the_users_own_stays_a_traceback(load: Load, statement: str) -> None:
    text = str(refusal_of(load, statement))
    assert "Traceback" in text
    assert OWN[statement] in text


def test_a_system_column_that_is_declared_as_one_is_served(load: Load) -> None:
    column = '    xmin: Mapped[int] = mapped_column("xmin", system=True, server_default=FetchedValue())\n'
    assert load(PRELUDE + MODEL + column + APP).resources


def test_the_command_prints_no_traceback(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        guarded(lambda: print(load(PRELUDE + MODEL + "    doc: Mapped[NaiveUTC]\n" + APP)))
    told = capsys.readouterr().err
    assert "Mapped[datetime] = mapped_column(NaiveUTC)" in " ".join(told.split())
    assert "Traceback" not in told


@pytest.mark.parametrize("text", [PRELUDE + MODEL + APP, "app = None", "1 / 0"])
def test_garbage_is_collected_again_after_loading(load: Load, text: str) -> None:
    with suppress(ConfigurationError):
        load(text)
    assert gc.isenabled()
