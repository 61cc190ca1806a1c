"""The users' model: the default one on demand, or one's own."""

import gc
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost.accounts.models import UserColumns, user_model
from gatepost.errors import ConfigurationError
from gatepost.models.base import NAMING
from gatepost.models.entity import entity_of
from gatepost.models.schema_objects import OBJECTS


def fresh_base() -> type[DeclarativeBase]:
    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention=NAMING)

    return Base


def test_the_default_model_is_made_once_per_metadata() -> None:
    base = fresh_base()
    first = user_model(base)
    assert user_model(base) is first
    assert user_model(fresh_base()) is not first
    assert first.__tablename__ == "users"


def test_the_default_model_is_kept_as_long_as_its_metadata() -> None:
    base = fresh_base()
    user_model(base)
    gc.collect()
    assert user_model(base).__tablename__ == "users", "SQLAlchemy itself forgets a class that nobody holds"


def test_the_default_model_stands_in_the_schema_of_its_metadata() -> None:
    class Base(DeclarativeBase):
        metadata = MetaData(schema="store")

    made = user_model(Base)
    assert (made.__table__.fullname, user_model(Base)) == ("store.users", made)
    assert "ON store.users" in made.__table__.info[OBJECTS][1].create


def test_importing_accounts_makes_no_table() -> None:
    assert "users" not in fresh_base().metadata.tables


def test_a_base_without_a_key_gets_a_uuid() -> None:
    entity = entity_of(user_model(fresh_base()))
    assert (entity.single_key.name, entity.single_key.shape.python_type, entity.single_key.managed) == (
        "id",
        UUID,
        True,
    )


def test_the_key_of_the_base_is_kept() -> None:
    class Base(DeclarativeBase):
        id: Mapped[int] = mapped_column(primary_key=True)

    assert entity_of(user_model(Base)).single_key.shape.python_type is int


def test_a_model_of_ones_own_may_have_another_table_key_and_columns() -> None:
    class Member(UserColumns, fresh_base()):  # type: ignore[misc]
        __tablename__ = "members"
        login: Mapped[str] = mapped_column(primary_key=True)

    mixed_in = {"email", "password_hash", "password_version", "roles", "is_active"}
    assert {"login", *mixed_in} == set(entity_of(Member).attributes)


@pytest.mark.parametrize("columns_first", [True, False])
def test_a_users_table_carries_the_triggers_that_tell_of_a_change(columns_first: bool) -> None:
    base = fresh_base()
    bases = (UserColumns, base) if columns_first else (base, UserColumns)
    columns: dict[str, Any] = {"__tablename__": "people", "id": mapped_column(Integer, primary_key=True)}
    model = type("Person", bases, columns)
    names = [item.name for item in inspect(model).local_table.info[OBJECTS]]
    assert names[:4] == [
        "gatepost_identity_changed",
        "gatepost_identity_update",
        "gatepost_identity_delete",
        "gatepost_identity_truncate",
    ]
    assert names[4].startswith("gatepost_password_version_")
    assert names[5:] == ["zy_gatepost_password_version"]


def test_an_email_is_stored_in_lower_case_and_its_length_is_declared() -> None:
    model = user_model(fresh_base())
    assert model(email="Ada@Example.COM").email == "ada@example.com"
    assert entity_of(model).attributes["email"].shape.constraints


def test_a_users_table_that_is_no_users_model_is_refused() -> None:
    base = fresh_base()
    Table("users", base.metadata, Column("id", Integer, primary_key=True))
    with pytest.raises(ConfigurationError, match="UserColumns"):
        user_model(base)


def test_an_own_model_named_users_is_taken_as_the_default() -> None:
    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention=NAMING)

    class Account(Base, UserColumns):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    assert user_model(Base) is Account
