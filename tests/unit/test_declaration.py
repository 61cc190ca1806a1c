"""Mistakes in a declaration are refused when the app is built, each with the location and a hint."""

import re
from typing import Annotated, Any

import pytest
from annotated_types import Len
from sqlalchemy import ARRAY, ForeignKey, Integer, MetaData, String, TypeDecorator
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates

from gatepost import (
    App,
    Field,
    Resource,
    Service,
    UserColumns,
    anyone,
    authenticated,
    hidden,
    owner,
    policy,
    read_only,
    role,
)
from gatepost.errors import ConfigurationError
from gatepost.settings import Settings
from gatepost.testing import TestApp


class Base(DeclarativeBase):
    metadata = MetaData()


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Things(Service[Thing]):
    pass


def refusal_of(*resources: Resource[Any], **options: Any) -> str:
    """The sentence that refuses the app."""
    with pytest.raises(ConfigurationError) as refusal:
        App(*resources, **options)
    return str(refusal.value).removeprefix(f"{refusal.value.source}: ")


@pytest.mark.parametrize("isolation", ["serialisable", "SERIALIZABLE", "", None, 3])
def test_an_unknown_isolation_level_is_refused(isolation: Any) -> None:
    service = type("Careful", (Things,), {"isolation": isolation})
    sentence = refusal_of(Resource(Thing, read=anyone, service=service))
    assert sentence == (
        f"Careful.isolation: {isolation!r} is not a PostgreSQL isolation level. "
        "Choose 'read committed', 'repeatable read' or 'serializable'."
    )


@pytest.mark.parametrize("attempts", [0, -1, 1.5, "3", True, None])
def test_attempts_that_are_no_number_of_attempts_are_refused(attempts: Any) -> None:
    service = type("Careful", (Things,), {"attempts": attempts})
    sentence = refusal_of(Resource(Thing, read=anyone, service=service))
    assert sentence == f"Careful.attempts: {attempts!r} is not a valid number of attempts. Write 1 (try once) or more."


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_isolation_levels_and_attempts_that_are_right_are_taken(isolation: str) -> None:
    service = type("Careful", (Things,), {"isolation": isolation, "attempts": 3})
    assert App(Resource(Thing, read=anyone, service=service)).declaration.own.services == {Thing: service}


def test_a_foreign_key_that_leads_nowhere_is_refused() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Lost(Other):
        __tablename__ = "lost"
        id: Mapped[int] = mapped_column(primary_key=True)
        gone_id: Mapped[int] = mapped_column(ForeignKey("gone.id"))

    sentence = refusal_of(Resource(Lost, read=anyone))
    assert sentence.startswith("Lost.gone_id: has a foreign key whose target does not exist: ")
    assert "'gone'" in sentence


class Odd(Base):
    """Columns that no body can hold."""

    __tablename__ = "odd"

    id: Mapped[int] = mapped_column(primary_key=True)
    misfit: Mapped[Annotated[int, Len(1, 2)]] = mapped_column(default=1)
    grid: Mapped[list[Any]] = mapped_column(ARRAY(Integer, dimensions=2), default=list)
    search: Mapped[Any] = mapped_column(TSVECTOR, nullable=True)


ODD = {"misfit": "Len", "grid": "an array of 2 dimensions", "search": "TSVECTOR"}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("write", [{"write": anyone}, {"create": anyone}, {"update": role("editor")}])
def test_what_no_body_can_hold_is_refused_when_the_app_is_built(name: str, write: dict[str, Any]) -> None:
    others = {other: hidden for other in ODD if other != name}
    sentence = refusal_of(Resource(Odd, read=anyone, **write, fields=others))
    assert sentence.startswith(f"Odd.{name}: ")
    assert ODD[name] in sentence
    App(Resource(Odd, read=anyone, **write, fields={**others, name: read_only}))


def test_what_nobody_writes_needs_no_form_in_a_body() -> None:
    App(Resource(Odd, read=anyone, delete=anyone))


@pytest.mark.parametrize("argument", ["read", "write", "create", "update"])
def test_a_field_is_no_policy_of_a_field(argument: str) -> None:
    sentence = 'is a Field, not a policy. Write hidden, read_only or write_once alone: fields={"notes": hidden}.'
    refusal = refusal_of(Resource(Thing, read=anyone, fields={"name": Field(**{argument: hidden})}))
    assert refusal == f"Field({argument}=...): {sentence}"


def mine(thing: Any, actor: Any) -> bool:
    """A function that was not made a policy."""
    return True


ANY_POLICY = 'Write anyone, authenticated, role("editor"), owner("buyer_id"), or policy(function).'


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("anyone", f"'anyone' is not a policy. {ANY_POLICY}"),
        (True, f"True is not a policy. {ANY_POLICY}"),
        (Thing, f"Thing is not a policy. {ANY_POLICY}"),
        (role, 'role is not a policy. Call it: role("...").'),
        (owner, 'owner is not a policy. Call it: owner("...").'),
        (mine, "mine is not a policy. Write policy(mine)."),
    ],
)
@pytest.mark.parametrize("argument", ["read", "write", "list", "get", "create", "update", "delete"])
def test_what_is_no_policy_is_refused_wherever_it_stands(argument: str, given: Any, sentence: str) -> None:
    assert refusal_of(Resource(Thing, **{argument: given})) == f"Resource(Thing, {argument}=...): {sentence}"
    if argument in ("read", "write"):
        field = Field(**{argument: given})
        assert refusal_of(Resource(Thing, fields={"name": field})) == f"Field({argument}=...): {sentence}"


@pytest.mark.parametrize(
    "combine",
    [
        lambda: anyone and role("editor"),
        lambda: owner("id") or role("editor"),
        lambda: not anyone,
        lambda: anyone if policy(mine) else role("editor"),
    ],
)
def test_policies_combined_by_words_in_place_of_signs_are_refused(combine: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Combine policies with &, \| and ~ instead of and, or and not\."):
        combine()


@pytest.mark.parametrize("other", ["editor", True, mine, None])
def test_a_policy_is_combined_with_policies_only(other: Any) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        anyone & other
    with pytest.raises(TypeError, match="unsupported operand"):
        anyone | other


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sort": "name"}, """Resource(Thing, sort=...): is 'name'. Write a list of names: ["title"]."""),
        ({"filter": 1}, """Resource(Thing, filter=...): is 1. Write a list of names: ["title"]."""),
        ({"search": "name"}, """Resource(Thing, search=...): is 'name'. Write a list of names: ["title"]."""),
        ({"sort": ["nmae"]}, "Resource(Thing, sort=...): Thing has no field 'nmae'. Did you mean 'name'?"),
        ({"fields": {"nmae": hidden}}, "Resource(Thing, fields=...): Thing has no field 'nmae'. Did you mean 'name'?"),
        (
            {"fields": {"name": "hidden"}},
            "Resource(Thing, fields['name']=...): is 'hidden'. Write Field(...), hidden, read_only or write_once.",
        ),
        ({"page_size": "20"}, "Resource(Thing, page_size=...): is '20'. Write a whole number."),
        (
            {"page_size": 0},
            "Resource(Thing): page_size is 0, page_size_max is 100. Choose 1 <= page_size <= page_size_max.",
        ),
        ({"json_depth_max": 0}, "Resource(Thing, json_depth_max=...): is 0. Choose a positive number."),
        ({"body_bytes_max": "1k"}, "Resource(Thing, body_bytes_max=...): is '1k'. Write a whole number."),
        (
            {"rate_limit": 5},
            "Resource(Thing, rate_limit=...): is 5. Write RateLimit(100, per=minutes(1)), a list of different ones, or "
            "a dict of them by action.",
        ),
        ({"cors": "*"}, """Resource(Thing, cors=...): is '*'. Write CORS("https://shop.example")."""),
        ({"path": 3}, """Resource(Thing, path=...): is 3. Write a text such as "books"."""),
    ],
)
def test_an_argument_of_another_kind_is_refused_with_what_to_write(options: dict[str, Any], sentence: str) -> None:
    assert refusal_of(Resource(Thing, read=anyone, **options)) == sentence


@pytest.mark.parametrize(
    "path", ["/things", "things/", "a//b", "a b", "th\u00efngs", "things/{id}", "..", "a/../b", "?"]
)
def test_a_path_that_would_have_to_be_escaped_or_resolved_is_refused(path: str) -> None:
    assert refusal_of(Resource(Thing, read=anyone, path=path)).startswith(f"Resource(Thing): {path!r} is not a path. ")
    assert refusal_of(Resource(Thing, read=anyone), prefix=f"/{path}").startswith(
        f"App: prefix={f'/{path}'!r} is not a path."
    )


def test_a_path_may_have_several_segments() -> None:
    app = App(Resource(Thing, read=anyone, path="v1.2/my-things_~"), prefix="/a/b.c")
    assert [operation.path for operation in app.operations][:2] == [
        "/a/b.c/v1.2/my-things_~",
        "/a/b.c/v1.2/my-things_~/{id}",
    ]


def test_an_operation_names_its_resource_and_the_code_that_responds() -> None:
    operations = {operation.name: operation for operation in App(Resource(Thing, read=anyone)).operations}
    assert operations["things.list"].resource == "things"
    assert operations["livez"].resource is None
    assert all(re.search(r"\.py:[1-9]\d*$", operation.source) for operation in operations.values())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("GATEPOST_API_LIMIT", "Did you mean GATEPOST_LIMIT_API?"),
        ("gatepost_port", "Did you mean GATEPOST_PORT?"),
        ("DATABASE_URI", "Did you mean DATABASE_URL?"),
        ("colour", "The reference lists all settings."),
    ],
)
def test_a_test_cannot_set_what_is_not_a_setting(name: str, hint: str) -> None:
    app = App(Resource(Thing, read=anyone))
    with pytest.raises(ConfigurationError) as refusal:
        TestApp(app, "postgresql://", **{name: "1"})
    assert str(refusal.value) == f"TestApp: {name} is not a setting. {hint}"


async def _mounted(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing is asked of it here")


def test_a_mount_at_the_path_of_a_resource_is_refused() -> None:
    assert refusal_of(Resource(Thing, get=anyone), mount={"/api/things": _mounted}) == (
        "App: mount='/api/things' is also the path of Resource(Thing). Mount it elsewhere, such as "
        "'/api/things/more': the longer path wins. Or choose another path=."
    )


def test_mounts_are_among_the_routes() -> None:
    app = App(Resource(Thing, read=anyone), mount={"/api/things/feed": _mounted})
    assert "/api/things/feed/*" in [rules.pattern for rules in app.composed(Settings()).table.rules]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"users": "users"}, "App: users='users' does not inherit UserColumns. Write class User(Model, UserColumns)."),
        ({"users": Thing}, "App: users=Thing does not inherit UserColumns. Write class Thing(Model, UserColumns)."),
        ({"bigint": "text"}, """App: bigint='text'. Write "number" or "string"."""),
        (
            {"mount": {"/old": 1}},
            "App: mount='/old' is 1, which is not an ASGI application. Mount a callable, or a Mount of one.",
        ),
    ],
)
def test_an_app_with_something_else_in_place_of_its_parts_is_refused(options: dict[str, Any], sentence: str) -> None:
    assert refusal_of(Resource(Thing, read=anyone), **options) == sentence


def test_what_is_no_resource_is_refused() -> None:
    things: Any = Thing
    assert refusal_of(things) == "App: Thing is not a Resource. Write Resource(Model, read=...)."


def test_an_owner_that_is_of_another_type_than_the_keys_of_users_is_refused() -> None:
    sentence = refusal_of(Resource(Thing, read=owner("name")))
    assert sentence == (
        "Thing.name: owner('name') is of type str, and the keys of users are of type UUID. "
        "Name the column that refers to the user."
    )


def test_a_rule_for_a_relation_is_refused_because_it_would_hide_nothing() -> None:
    class Shelf(Base):
        __tablename__ = "shelves"
        id: Mapped[int] = mapped_column(primary_key=True)
        thing_id: Mapped[int] = mapped_column(ForeignKey("things.id"))
        thing: Mapped[Thing] = relationship()

    sentence = refusal_of(Resource(Shelf, read=anyone, fields={"thing": hidden}), Resource(Thing, read=anyone))
    assert sentence == "Resource(Shelf, fields=...): Shelf has no field 'thing'. Did you mean 'thing_id'?"


class Reference(TypeDecorator[Any]):
    """Keys of users as texts."""

    impl = String
    cache_ok = True


def test_an_owner_of_a_type_of_ones_own_is_taken_at_its_word() -> None:
    class Parcel(Base):
        __tablename__ = "parcels"
        id: Mapped[int] = mapped_column(primary_key=True)
        buyer: Mapped[Any] = mapped_column(Reference)

    App(Resource(Parcel, read=owner("buyer")))


class Sudden(Service[Thing]):
    def before_create(self, draft: Thing, actor: Any) -> None:  # type: ignore[override]
        """Not asynchronous."""


class Short(Service[Thing]):
    async def update(self, row: Thing, actor: Any) -> Thing:  # type: ignore[override]
        """Too few parameters."""
        return row


class Wide(Service[Thing]):
    async def create(self, *given: Any) -> Thing:
        """Takes whatever comes."""
        return await super().create(*given)


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        (Sudden, "Sudden.before_create: is not asynchronous. Write `async def before_create`."),
        (
            Short,
            "Short.update: does not take the arguments it is called with: too many positional arguments. "
            "Write `async def update(self, row, changes, actor)`.",
        ),
    ],
)
def test_a_verb_that_cannot_be_called_as_it_will_be_is_refused(service: type[Any], sentence: str) -> None:
    assert refusal_of(Resource(Thing, read=anyone, write=anyone, service=service)) == sentence
    App(Resource(Thing, read=anyone, write=anyone, service=Wide))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("before_udpate", "before_update"),
        ("after_created", "after_create"),
        ("befor_create", "before_create"),
        ("beforeDelete", "before_delete"),
    ],
)
def test_a_misspelt_small_method_is_refused(name: str, meant: str) -> None:
    service = type("Careless", (Things,), {name: Things.before_create})
    sentence = refusal_of(Resource(Thing, read=anyone, service=service))
    assert sentence == f"Careless.{name}: is never called. Did you mean {meant!r}?"


def test_a_method_of_another_name_is_none_of_gateposts() -> None:
    service = type("Careful", (Things,), {"_before_create": Things.before_create, "recreate": Things.before_create})
    App(Resource(Thing, read=anyone, service=service))


class Checked(DeclarativeBase):
    """A base of the next test alone."""


class Parcel(Checked):
    __tablename__ = "parcels"

    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int]

    @validates("wieght")
    def _weight(self, name: str, value: int) -> int:
        return value


def test_a_validator_that_no_attribute_calls_is_refused() -> None:
    assert refusal_of(Resource(Parcel, read=anyone)) == (
        "Parcel._weight: @validates('wieght') is never called: Parcel has no such mapped attribute. "
        "Did you mean 'weight'?"
    )


def test_a_service_may_have_methods_of_its_own() -> None:
    names = ["after_payment", "before_noon", "after_commit", "restock", "created"]
    service = type("Own", (Things,), dict.fromkeys(names, lambda self: None))
    app = App(Resource(Thing, read=anyone, service=service))
    assert [served.resource.service for served in app.declaration.catalog.served] == [service]


def test_role_takes_names_and_no_list() -> None:
    with pytest.raises(ConfigurationError, match="takes names, not a list of names"):
        role(["librarian"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Membership(Base):
    """A key of two columns."""

    __tablename__ = "memberships"

    group_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.parametrize(
    ("action", "policies"),
    [("create", {"write": anyone}), ("update", {"update": authenticated}), ("delete", {"delete": ~anyone})],
)
def test_rows_with_a_composite_key_are_only_read(action: str, policies: dict[str, Any]) -> None:
    assert refusal_of(Resource(Membership, read=anyone, **policies)).startswith(
        f"Resource(Membership): opens {action}, but rows with a composite primary key (group_id, user_id) can only be "
        "read. Leave out write=, create=, update= and delete=."
    )


def test_users_have_one_key_column() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Login(UserColumns, Other):
        __tablename__ = "logins"
        tenant: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[int] = mapped_column(primary_key=True)

    class Note(Other):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)

    assert refusal_of(Resource(Note, read=anyone), users=Login) == (
        "Login: has a composite primary key (tenant, number), and users are known by one value. "
        "Give users one key column, of type UUID, int or str."
    )
