"""Field rules that silently open something, or close what a creation requires, are refused when the app is built."""

import enum
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    FetchedValue,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from gatepost import App, Field, Resource, Service, anyone, authenticated, hidden, owner, policy, read_only, role
from gatepost.accounts.models import UserColumns
from gatepost.actor import Actor, anonymous
from gatepost.declaring.policies import Policy, nobody
from gatepost.declaring.resource import write_once
from gatepost.errors import ConfigurationError
from gatepost.models.served_model import ServedModel
from gatepost.view import View


class Letter(enum.Enum):
    A = "a"


class Base(DeclarativeBase):
    metadata = MetaData()


class Paper(Base):
    """`name` is required, and `salary` is not; `stamp` is kept by the database."""

    __tablename__ = "papers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    salary: Mapped[int | None]
    stamp: Mapped[int] = mapped_column(server_default=FetchedValue(), info={"gatepost.managed": True})
    writer_id: Mapped[int | None]
    version: Mapped[int] = mapped_column(server_default="1", info={"gatepost.version": True})


class Papers(Service[Paper]):
    async def before_create(self, draft: Paper, actor: Actor) -> None:
        draft.name = "filled"


@policy
def is_public(model: Any, actor: Actor) -> Any:
    return model.salary.is_(None)


def refusal_of(fields: dict[str, Field], **options: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        built(fields, **options)
    return str(refusal.value).removeprefix(f"{refusal.value.source}: ")


def built(fields: dict[str, Field], **options: Any) -> App:
    return App(Resource(Paper, **{"read": anyone, "write": anyone, "fields": fields, **options}), users=User)


def view_of(app: App, actor: Actor = anonymous) -> View:
    (served,) = (item for item in app.declaration.catalog.served if item.entity.model is Paper)
    assert isinstance(served, ServedModel)
    return served.view(actor)


class User(Base, UserColumns):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)


ADMIN = Actor(1, frozenset({"admin"}))
USER = Actor(2)

READERS: dict[str, Policy] = {
    "role('hr')": role("hr"),
    "owner('writer_id')": owner("writer_id"),
    "is_public": is_public,
    "authenticated": authenticated,
    "nobody": nobody,
    "(role('hr') | owner('writer_id'))": role("hr") | owner("writer_id"),
    "~role('hr')": ~role("hr"),
    "anyone & authenticated": anyone & authenticated,
}


@pytest.mark.parametrize("name", READERS)
def test_a_rule_of_reading_alone_is_refused_and_both_ways_out_are_printed(name: str) -> None:
    sentence = refusal_of({"salary": Field(read=READERS[name])})
    assert sentence == (
        f"Resource(Paper, fields['salary']): is shown to {name} alone, but can be written by every actor who may "
        f"write the row. Write Field(read={name}, write={name}), or Field(read={name}, write=anyone) to leave it open."
    )
    built({"salary": Field(read=READERS[name], write=READERS[name])})
    built({"salary": Field(read=READERS[name], write=anyone)})


@pytest.mark.parametrize(
    "field",
    [
        Field(read=role("hr"), create=role("hr")),
        Field(read=role("hr"), update=nobody),
        Field(read=role("hr"), write_once=True),
    ],
)
def test_what_is_said_of_one_way_of_writing_says_nothing_of_the_other(field: Field) -> None:
    assert "Field(read=role('hr'), write=role('hr'))" in refusal_of({"salary": field})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("salary", {"write": nobody}),
        ("salary", {"write": nobody, "delete": anyone}),
        ("stamp", {}),
        ("version", {}),
        ("id", {}),
    ],
)
def test_a_rule_of_reading_alone_is_enough_where_nobody_writes(name: str, options: dict[str, Any]) -> None:
    built({name: Field(read=role("hr"))}, **options)


def test_only_the_open_way_of_writing_has_to_be_said() -> None:
    built({"salary": Field(read=role("hr"), create=role("hr"))}, update=nobody)
    built({"salary": Field(read=role("hr"), update=role("hr"))}, create=nobody)
    built({"salary": Field(read=role("hr"), write=role("hr"), write_once=True)})


@pytest.mark.parametrize("argument", ["create", "update"])
def test_write_beside_one_of_its_halves_is_refused(argument: str) -> None:
    arguments: dict[str, Any] = {"write": anyone, argument: anyone}
    sentence = (
        "is given together with create= or update=, which it stands for. Use either write=, or create= and update=."
    )
    assert refusal_of({"salary": Field(**arguments)}) == f"Field(write=...): {sentence}"


def test_an_update_of_what_is_written_once_is_refused() -> None:
    sentence = refusal_of({"salary": Field(write_once=True, update=anyone)})
    assert sentence.startswith("Field(update=...): is given together with write_once=True")


@pytest.mark.parametrize("arguments", [{"read": role("hr")}, {"write": role("hr")}, {"create": authenticated}])
def test_hidden_with_a_rule_beside_it_is_refused(arguments: dict[str, Any]) -> None:
    assert refusal_of({"salary": Field(hidden=True, **arguments)}).startswith("Field(hidden=True): ")


def test_hidden_by_its_argument_is_as_hidden_as_the_constant() -> None:
    assert Field(hidden=True) == hidden


@pytest.mark.parametrize(
    ("field", "creatable", "updatable"),
    [
        (Field(), True, True),
        (Field(write=role("admin")), False, False),
        (Field(create=role("admin")), False, True),
        (Field(update=role("admin")), True, False),
        (Field(create=nobody, update=anyone), False, True),
        (Field(create=anyone, update=nobody), True, False),
        (write_once, True, False),
        (Field(create=role("admin"), write_once=True), False, False),
        (read_only, False, False),
        (hidden, False, False),
    ],
)
def test_create_and_update_are_apart_and_write_is_both(field: Field, creatable: bool, updatable: bool) -> None:
    view = view_of(built({"salary": field}), USER)
    assert ("salary" in view.creatable, "salary" in view.updatable) == (creatable, updatable)


def test_a_rule_of_the_row_for_one_way_of_writing_leaves_the_other_alone() -> None:
    view = view_of(built({"salary": Field(create=owner("writer_id"))}), USER)
    assert (set(view.create_rules), set(view.update_rules)) == ({"salary"}, set())


def test_two_actors_who_differ_in_one_rule_alone_have_two_views() -> None:
    app = built({"salary": Field(update=role("admin"))})
    assert view_of(app, USER) is not view_of(app, ADMIN)
    assert view_of(app, USER) is view_of(app, anonymous)


UNSENDABLE: list[tuple[Field, dict[str, Any], str]] = [
    (read_only, {}, "an anonymous client"),
    (hidden, {}, "an anonymous client"),
    (Field(create=nobody), {"create": role("editor")}, "a user with editor"),
    (Field(write=authenticated), {}, "an anonymous client"),
    (Field(write=role("editor")), {"write": authenticated}, "a user without roles"),
    (Field(write=role("editor")), {"write": role("editor", "clerk")}, "a user with clerk"),
    (Field(create=~role("banned")), {"write": authenticated}, "a user with banned"),
    (Field(create=~(role("a") & role("b"))), {"write": authenticated}, "a user with a, b"),
    (Field(write=role("editor")), {"write": owner("writer_id")}, "a user without roles"),
]


@pytest.mark.parametrize(("field", "options", "who"), UNSENDABLE)
def test_a_required_field_that_somebody_who_creates_may_not_set_is_refused(
    field: Field, options: dict[str, Any], who: str
) -> None:
    sentence = refusal_of({"name": field}, **options)
    assert sentence.startswith(
        f"Resource(Paper, fields['name']): is required, and {who} may create rows but not set it. "
    )
    assert "Field(create=...)" in sentence
    built({"name": field}, **options, service=Papers)
    built({"salary": field if field.hidden else Field(write=nobody)}, **options)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        (read_only, {"create": nobody}),
        (Field(create=anyone, update=nobody), {}),
        (write_once, {}),
        (Field(write=role("editor")), {"write": role("editor")}),
        (Field(create=role("editor", "clerk"), update=nobody), {"write": role("editor") & ~role("banned")}),
        (Field(create=owner("writer_id")), {"write": authenticated}),
    ],
)
def test_a_required_field_that_all_who_create_may_set_is_taken(field: Field, options: dict[str, Any]) -> None:
    built({"name": field}, **options)


def test_the_owners_column_need_not_be_sent() -> None:
    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        writer_id: Mapped[int]

    App(Resource(Note, read=anyone, write=owner("writer_id"), fields={"writer_id": read_only}), users=User)


def test_a_version_of_ones_own_is_set_by_nobody_and_needs_a_first_value() -> None:
    view = view_of(built({"version": read_only}))
    assert "version" not in view.creatable | view.updatable
    for field in (Field(write=anyone), Field(create=role("admin")), Field(update=owner("writer_id")), write_once):
        assert refusal_of({"version": field}).startswith(
            "Resource(Paper, fields['version']): is kept by the database, and set by no client. "
        )

    class Loose(Base):
        __tablename__ = "loose"
        id: Mapped[int] = mapped_column(primary_key=True)
        version: Mapped[int] = mapped_column(info={"gatepost.version": True})

    with pytest.raises(ConfigurationError) as refusal:
        App(Resource(Loose, read=anyone, write=anyone), users=User)
    assert str(refusal.value).removeprefix(f"{refusal.value.source}: ") == (
        "Loose.version: is the version of its row, which clients never set, and has no first value. "
        'Write server_default=text("1").'
    )


@pytest.mark.parametrize(
    "field", [Field(write=anyone), Field(create=role("admin")), Field(update=authenticated), write_once]
)
@pytest.mark.parametrize("name", ["id", "stamp", "version"])
def test_what_the_database_keeps_is_opened_to_nobody(name: str, field: Field) -> None:
    sentence = refusal_of({name: field})
    assert sentence.startswith(f"Resource(Paper, fields[{name!r}]): is kept by the database, and set by no client. ")


def test_a_key_that_clients_choose_is_set_once() -> None:
    class Country(Base):
        __tablename__ = "countries"
        code: Mapped[str] = mapped_column(primary_key=True)

    def app(**fields: Field) -> App:
        return App(Resource(Country, read=anyone, write=anyone, fields=fields), users=User)

    app(code=Field(create=role("editor") | ~role("editor"), update=nobody))
    app(code=write_once)
    with pytest.raises(
        ConfigurationError, match=r"fields\['code'\]\): is a key, which never changes\. Leave out update="
    ):
        app(code=Field(update=anyone))
    with pytest.raises(
        ConfigurationError, match=r"is required, and an anonymous client may create rows but not set it"
    ):
        app(code=read_only)


def test_a_key_that_nothing_generates_is_the_clients_to_set() -> None:
    class Numbered(Base):
        __tablename__ = "numbered"
        number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

    App(Resource(Numbered, read=anyone, write=anyone), users=User)
    with pytest.raises(ConfigurationError, match="is required, and an anonymous client may create rows but not set it"):
        App(Resource(Numbered, read=anyone, write=anyone, fields={"number": hidden}), users=User)


def test_a_version_that_the_mapper_leaves_to_others_needs_a_value_unless_a_service_fills_it() -> None:
    class Counted(Base):
        __tablename__ = "counted"
        id: Mapped[int] = mapped_column(primary_key=True)
        count = mapped_column(Integer, nullable=False)
        __mapper_args__ = {"version_id_col": count, "version_id_generator": False}  # noqa: RUF012

    class Counts(Service[Counted]):
        async def before_create(self, draft: Counted, actor: Actor) -> None:
            draft.count = 1

    with pytest.raises(ConfigurationError, match=r"Counted\.count: is the version_id_col, .* nothing gives it a value"):
        App(Resource(Counted, read=anyone, write=anyone), users=User)
    App(Resource(Counted, read=anyone, write=anyone, service=Counts), users=User)


@pytest.mark.parametrize(
    ("kind", "default", "words"),
    [
        (String(3), "abcd", "'abcd' that the column cannot hold: it is longer than 3."),
        (SmallInteger(), 40_000, "it is out of range."),
        (Integer(), "5", "it is of type str."),
        (Text(), 5, "it is of type int."),
        (Date(), "2030-01-31", "it is of type str."),
        (Enum("a", "b", name="letter"), "c", "it is not one of the choices."),
        (Numeric(3, 1), 100, "it is out of range."),
        (Numeric(3, 1), 1.25, "it would be rounded."),
        (Integer(), 1.5, "it would be rounded."),
        (Date(), 5, "it is of type int."),
        (Double(), "5", "it is of type str."),
        (LargeBinary(), "ab", "it is of type str."),
        (Uuid(), "abc", "it is not a UUID."),
        (Uuid(), 5, "it is of type int."),
        (Uuid(as_uuid=False), UUID(int=1), "it is of type UUID."),
        (ARRAY(Integer), 5, "it is of type int, not a list."),
        (ARRAY(Integer), [1, "x"], "it is of type str."),
        (ARRAY(String(3)), ["abcd"], "it is longer than 3."),
        (JSONB(), {"a": {1}}, "JSON has no such value"),
        (JSON(), [float("nan")], "JSON has no NaN and no infinity."),
    ],
)
def test_a_default_that_its_column_cannot_hold_is_refused(kind: Any, default: Any, words: str) -> None:
    class Alone(DeclarativeBase):
        pass

    class Note(Alone):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[Any] = mapped_column(kind, default=default)

    with pytest.raises(ConfigurationError, match=rf"Note\.text: has a default .*{words}"):
        App(Resource(Note, read=anyone, write=anyone))


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (String(3), "abc"),
        (Numeric(3, 1), 1.5),
        (Numeric(3, 1), Decimal("99.9")),
        (Float(), 1),
        (Boolean(), True),
        (Enum("a", "b", name="letter"), "a"),
        (Enum(Letter), Letter.A),
        (Enum(Letter), "A"),
        (ARRAY(Text), ["a"]),
        (JSONB(), {"a": 1}),
        (Uuid(as_uuid=False), "00000000-0000-0000-0000-000000000001"),
        (Uuid(), UUID(int=1)),
        (Uuid(), "00000000-0000-0000-0000-000000000001"),
        (JSON(), [Decimal("1.10"), None]),
        (Date(), datetime(2030, 1, 31)),
        (LargeBinary(3), b"abc"),
        (Interval(), timedelta(days=1)),
        (Interval(second_precision=0), timedelta(seconds=1)),
        (DateTime(timezone=True), datetime(2030, 1, 31, tzinfo=UTC)),
        (Integer(), True),
    ],
)
def test_a_default_that_its_column_holds_is_taken(kind: Any, default: Any) -> None:
    class Alone(DeclarativeBase):
        pass

    class Note(Alone):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[Any] = mapped_column(kind, default=default)

    App(Resource(Note, read=anyone, write=anyone))


def test_a_managed_column_without_a_value_is_refused_unless_a_service_fills_it() -> None:
    class Stamped(Base):
        __tablename__ = "stamped"
        id: Mapped[int] = mapped_column(primary_key=True)
        stamp: Mapped[int] = mapped_column(info={"gatepost.managed": True})

    class Stamps(Service[Stamped]):
        async def before_create(self, draft: Stamped, actor: Actor) -> None:
            draft.stamp = 1

    with pytest.raises(ConfigurationError) as refusal:
        App(Resource(Stamped, read=anyone, write=anyone), users=User)
    assert refusal.value.location == "Stamped.stamp"
    assert "no request sets it, and nothing gives it a value" in str(refusal.value)
    App(Resource(Stamped, read=anyone, write=anyone, service=Stamps), users=User)
    App(Resource(Stamped, read=anyone, update=anyone), users=User)


def test_a_required_column_without_an_attribute_is_refused() -> None:
    class Partial(Base):
        __table__ = Table(
            "partial", Base.metadata, Column("id", Integer, primary_key=True), Column("name", Text, nullable=False)
        )
        __mapper_args__ = {"exclude_properties": ["name"]}  # noqa: RUF012 - as SQLAlchemy declares it

    with pytest.raises(ConfigurationError, match="Partial: no attribute maps the column 'name', which needs a value"):
        App(Resource(Partial, read=anyone, write=anyone), users=User)
    App(Resource(Partial, read=anyone, delete=anyone), users=User)


def test_the_anonymous_owns_nothing_and_has_to_send_the_owner() -> None:
    class Memo(Base):
        __tablename__ = "memos"
        id: Mapped[int] = mapped_column(primary_key=True)
        writer_id: Mapped[int]

    App(
        Resource(Memo, read=anyone, write=owner("writer_id") | role("clerk"), fields={"writer_id": read_only}),
        users=User,
    )
    with pytest.raises(ConfigurationError, match="is required, and an anonymous client may create rows but not set it"):
        App(Resource(Memo, read=anyone, write=owner("writer_id") | anyone, fields={"writer_id": read_only}), users=User)


def test_a_service_that_only_acts_afterwards_fills_nothing() -> None:
    class Afterwards(Service[Paper]):
        async def after_create(self, row: Paper, actor: Actor) -> None: ...

    assert "is required" in refusal_of({"name": read_only}, service=Afterwards)


# Users


def users_view(fields: dict[str, Field], actor: Actor = anonymous) -> View:
    app = App(Resource(User, read=anyone, write=anyone, fields=fields), users=User)
    return app.declaration.catalog.by_model[User].view(actor)


def test_of_users_neither_hash_nor_version_is_shown_and_roles_and_activity_are_read_only() -> None:
    view = users_view({})
    assert set(view.names) == {"id", "email", "roles", "is_active"}
    assert view.creatable == view.updatable == {"email"}


@pytest.mark.parametrize("name", ["roles", "is_active"])
def test_roles_and_activity_are_opened_by_a_field_that_says_who_writes_and_by_no_other(name: str) -> None:
    for closed in (Field(), Field(read=authenticated), Field(create=role("admin"))):
        assert name not in users_view({name: closed}, ADMIN).updatable
    for opened in (Field(write=role("admin")), Field(update=role("admin")), Field(read=nobody, write=anyone)):
        assert name in users_view({name: opened}, ADMIN).updatable
    assert name not in users_view({name: Field(write=role("admin"))}, USER).updatable


def test_the_version_of_the_password_may_be_shown_and_never_written() -> None:
    view = users_view({"password_version": Field(read=role("admin"))}, ADMIN)
    assert "password_version" in view.names
    assert "password_version" not in view.creatable | view.updatable


@pytest.mark.parametrize(
    "field",
    [Field(), read_only, write_once, Field(read=nobody, write=nobody), Field(read=nobody, write=role("admin"))],
)
def test_a_field_that_does_not_hide_the_hash_is_refused(field: Field) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        users_view({"password_hash": field})
    assert str(refusal.value).removeprefix(f"{refusal.value.source}: ") == (
        "Resource(User, fields['password_hash']): holds the hashes of passwords, which are never on the wire. "
        "Leave the Field out: the column is always hidden."
    )
    users_view({"password_hash": hidden})


def hash_names(model: type[Any], users: type[Any] | None) -> set[str]:
    """What of a model that maps the users' table is on the wire."""
    view = App(Resource(model, read=anyone, write=anyone), users=users).declaration.catalog.by_model[model].view(ADMIN)
    return {*view.names, *view.ruled, *view.creatable, *view.updatable}


def test_the_hash_is_hidden_under_every_name_and_by_every_model_that_maps_it() -> None:
    class Own(DeclarativeBase):
        metadata = MetaData()

    class Person(Own, UserColumns):
        __tablename__ = "people"
        id: Mapped[int] = mapped_column(primary_key=True)
        password_hash: Mapped[str | None] = mapped_column("pw", Text)

    class Shadow(Own):
        __table__ = Person.__table__

    class Login(Own, UserColumns):
        __tablename__ = "logins"
        id: Mapped[int] = mapped_column(primary_key=True)

    assert not {"password_hash", "pw"} & hash_names(Person, Person)
    assert "pw" not in hash_names(Shadow, Login)


def test_the_hash_is_hidden_in_a_model_that_is_mapped_after_it_is_made() -> None:
    mapper = registry()

    @mapper.mapped
    class Late(UserColumns):
        __tablename__ = "late"
        id: Mapped[int] = mapped_column(primary_key=True)

    assert hash_names(Late, Late) == {"id", "email", "roles", "is_active"}


class Vote(Base):
    """A key of two columns."""

    __tablename__ = "votes"

    option: Mapped[str] = mapped_column(primary_key=True)
    voter_id: Mapped[int] = mapped_column(primary_key=True)


def voting(read: Field, **policies: Policy) -> App:
    return App(Resource(Vote, fields={"voter_id": read}, **policies), users=User)


@pytest.mark.parametrize(
    ("get", "read", "who"),
    [
        (anyone, nobody, "an anonymous client"),
        (anyone, authenticated, "an anonymous client"),
        (authenticated, role("clerk"), "a user without roles"),
        (role("clerk", "judge"), role("clerk"), "a user with judge"),
        (owner("voter_id"), role("clerk"), "a user without roles"),
        (anyone, owner("voter_id"), "an anonymous client"),
    ],
)
def test_a_row_is_not_found_by_a_part_of_its_key_that_is_hidden(get: Policy, read: Policy, who: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        voting(Field(read=read, write=nobody), get=get, list=anyone)
    sentence = (
        f"Resource(Vote, fields['voter_id']): is a part of the key, and {who} may get rows by it without seeing it."
    )
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("get", "read"),
    [
        (nobody, nobody), (role("clerk"), role("clerk")), (role("clerk"), authenticated),
        (owner("voter_id"), owner("voter_id")), (role("clerk") & authenticated, role("clerk", "judge")),
    ],
)  # fmt: skip
def test_a_part_of_a_key_is_hidden_from_those_who_only_list(get: Policy, read: Policy) -> None:
    voting(Field(read=read, write=nobody), get=get, list=anyone)
