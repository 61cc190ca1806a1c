"""DTOs whose class statement, members or values of the actor make no sense: refused when the app is built."""

from types import new_class
from typing import Any

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    DTO,
    Accounts,
    Actor,
    App,
    ConfigurationError,
    Controller,
    Field,
    Model,
    Partial,
    Resource,
    UserColumns,
    actor_column,
    actor_id,
    anyone,
    authenticated,
    computed,
    nobody,
    owner,
    policy,
    post,
    read_only,
    role,
    write_once,
)
from gatepost.models.base import NAMING


class Base(Model):
    """Tables of this module alone, with users of their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Member(Base, UserColumns):
    __tablename__ = "dto_mistake_members"

    nickname: Mapped[str] = mapped_column(default="")


class Stamped(Base):
    """Its columns have the names that classes of Gatepost have attributes of."""

    __tablename__ = "dto_mistake_stamped"

    source: Mapped[str]
    envelope: Mapped[str]
    list_envelope: Mapped[str]
    of: Mapped[str]
    name: Mapped[str]
    names: Mapped[str]
    row: Mapped[str] = mapped_column(default="")
    number: Mapped[int] = mapped_column(default=0)


class Everything(DTO[Stamped], name="stamped"):
    source: str
    envelope: str
    list_envelope: str
    of: str
    name: str
    names: str
    row: str  # pyright: ignore[reportIncompatibleMethodOverride]


class Sent(DTO[Stamped], name="sent"):
    source: str
    envelope: str
    list_envelope: str
    of: str
    name: str
    names: str


class Numbered(DTO[Stamped]):
    number: int


class Closed(Controller):
    path = "closed"

    @post("/whole", allow=anyone)
    async def whole(self, body: Numbered) -> None: ...


class ClosedPart(Controller):
    path = "part"

    @post("/part", allow=anyone)
    async def part(self, body: Partial[Numbered]) -> None: ...


def app_of(*controllers: type[Controller[Any]], **options: Any) -> App:
    """An app that serves the model."""
    declared: dict[str, Any] = {"read": anyone, "write": authenticated, **options}
    return App(Resource(Stamped, **declared), controllers=controllers, users=Member)


def refusal_of(*controllers: type[Controller[Any]], **options: Any) -> str:
    """What is said of it."""
    with pytest.raises(ConfigurationError, match=r"test_dto_mistakes\.py:\d+: |types\.py:\d+: ") as error:
        app_of(*controllers, **options)
    return str(error.value)


def test_every_column_can_be_a_member() -> None:
    app = app_of(answers=Everything, creates=Sent)

    read = app.declaration.own.dtos.read(Everything)
    assert read is not None
    assert [member.name for member in read.members] == [*Everything.__annotations__]
    (served,) = (each for each in app.declaration.catalog.served if each.entity.model is Stamped)
    assert [*served.bodies["create"]] == [*Sent.__annotations__]
    assert served.row_name == "stamped"


def test_an_instance_holds_every_member() -> None:
    values = dict.fromkeys(Sent.__annotations__, "x")

    sent = Sent(**values)
    assert {name: getattr(sent, name) for name in values} == values
    assert sent.row(number=3).number == 3


def test_a_body_has_its_method_row() -> None:
    assert "Everything.row: is called as the method" in refusal_of(creates=Everything)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": 5}, "name=...): is 5, which is not a name"),
        ({"name": ""}, "name=...): is '', which is not a name"),
        ({"name": "a b"}, "name=...): is 'a b', which is not a name"),
        ({"names": ["x"]}, "names=...): is ['x'], which is not a name"),
        ({"title": "x"}, "The arguments are name= and names=."),
    ],
)
def test_arguments_of_a_class_statement(options: dict[str, Any], words: str) -> None:
    members = {"__annotations__": {"number": int}, "__module__": __name__}
    dto: Any = new_class("Wrong", (DTO[Stamped],), options, lambda namespace: namespace.update(members))

    assert words in refusal_of(answers=dto)


def test_a_rule_of_a_computed_member_that_is_none() -> None:
    class Wrong(DTO[Stamped]):
        doubled: int = computed(Stamped.number * 2, read=5)  # type: ignore[arg-type]

    assert "Wrong.doubled, read=: 5 is not a policy" in refusal_of(answers=Wrong)


@pytest.mark.parametrize(
    ("options", "controllers"),
    [
        ({"creates": Numbered, "fields": {"number": read_only}}, ()),
        ({"updates": Numbered, "fields": {"number": read_only}}, ()),
        ({"creates": Numbered, "fields": {"number": Field(create=nobody, update=anyone)}}, ()),
        ({"fields": {"number": Field(create=nobody, update=anyone)}}, (Closed,)),
        ({"fields": {"number": write_once}}, (ClosedPart,)),
        ({"fields": {"number": read_only}}, (Closed,)),
    ],
)
def test_a_member_of_a_body_that_nobody_sets(options: Any, controllers: Any) -> None:
    assert "Numbered.number: Stamped.number is set by nobody" in refusal_of(*controllers, **options)


def test_a_change_may_repeat_what_only_a_creation_sets() -> None:
    app_of(updates=Numbered, fields={"number": write_once})


def test_a_column_of_the_actor_is_one_of_the_users_model() -> None:
    app_of(read=policy(Stamped.name == actor_column(Member.nickname)))
    app_of(read=policy(Stamped.id == actor_column(Member.id)))  # declared in a base of it
    app_of(read=policy(Stamped.id == actor_id))

    words = "has actor_column(Stamped.source), and users are of Member."
    assert words in refusal_of(read=policy(Stamped.name == actor_column(Stamped.source)))
    assert words in refusal_of(where=Stamped.number == 1, write=~policy(Stamped.name == actor_column(Stamped.source)))


def test_a_column_of_the_actor_in_the_condition_of_a_function() -> None:
    def is_own(model: type[Stamped], actor: Actor) -> Any:
        return model.name == actor_column(Member.nickname)

    def is_of_another_model(model: type[Stamped], actor: Actor) -> Any:
        return model.name == actor_column(Stamped.source)

    app_of(read=policy(is_own))
    words = "policy(is_of_another_model): has actor_column(Stamped.source), and users are of Member."
    assert words in refusal_of(read=policy(is_of_another_model))
    assert words in refusal_of(read=role("editor") & ~policy(is_of_another_model))


def test_a_column_of_users_that_no_actor_has() -> None:
    words = "has actor_column(Member.password_hash), which no actor has."
    assert words in refusal_of(read=policy(Stamped.name == actor_column(Member.password_hash)))


def test_a_dto_without_members() -> None:
    class Empty(DTO[Stamped]):
        """Shows nothing, and takes nothing."""

    assert "Empty: has no members. Name columns of the model" in refusal_of(answers=Empty)
    assert "Empty: has no members." in refusal_of(write=anyone, creates=Empty)


def test_a_column_of_the_actor_in_a_computed_member() -> None:
    class Wrong(DTO[Stamped]):
        is_own: bool = computed(Stamped.name == actor_column(Stamped.source))

    assert "Wrong.is_own: has actor_column(Stamped.source)" in refusal_of(answers=Wrong)


class Door:
    """What is provided."""


def make_door(accounts: Accounts) -> Door:
    return Door()


def test_accounts_are_taken_by_endpoints() -> None:
    with pytest.raises(ConfigurationError, match="takes 'accounts', the Accounts, which belong to the transaction"):
        App(Resource(Stamped, read=anyone), users=Member, provide={Door: make_door})


def test_a_member_that_is_assigned_is_annotated() -> None:
    class Wrong(DTO[Stamped]):
        number: int
        doubled = computed(Stamped.number * 2)

    assert "Wrong.doubled: does not say of which type it is" in refusal_of(answers=Wrong)


@pytest.mark.parametrize("rule", [owner("nobody_id"), policy(lambda model, actor: model.nothing == actor.id)])
def test_a_rule_of_a_computed_member_is_tried(rule: Any) -> None:
    class Wrong(DTO[Stamped]):
        doubled: int = computed(Stamped.number * 2, read=rule)

    assert "Stamped" in refusal_of(answers=Wrong)
