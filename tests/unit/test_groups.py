"""Groups: what is refused when the app is built, all in one run, and what a group takes from the app."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import (
    DTO,
    Actor,
    App,
    CamelCase,
    Changes,
    ConfigurationError,
    Controller,
    Dialect,
    Field,
    Group,
    RateLimit,
    Resource,
    Service,
    anyone,
    authenticated,
    get,
    hidden,
    minutes,
    nobody,
    owner,
    role,
)


class Base(DeclarativeBase):
    pass


class Ship(Base):
    __tablename__ = "unit_group_ships"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    cargo_value: Mapped[int] = mapped_column(default=0)
    is_sunk: Mapped[bool] = mapped_column(default=False)


class Sailor(Base):
    __tablename__ = "unit_group_sailors"

    id: Mapped[int] = mapped_column(primary_key=True)
    full_name: Mapped[str]
    rank: Mapped[UUID]
    ship_id: Mapped[int] = mapped_column(ForeignKey("unit_group_ships.id"), index=True)
    ship: Mapped[Ship] = relationship()


class Ships(Service[Ship]):
    async def before_update(self, row: Ship, changes: Changes[Ship], actor: Actor) -> None: ...


class LargeShips(Ships):
    pass


class OtherShips(Service[Ship]):
    pass


class ShipName(DTO[Ship]):
    name: str


class Crew(DTO[Sailor]):
    full_name: str
    ship: ShipName


class Harbour(Controller):
    path = "harbour"

    @get("/sailors", allow=anyone)
    async def sailors(self) -> sa.Select[Sailor]:
        return sa.select(Sailor)


class Wreck(Controller):
    path = "v2/wrecks"

    @get("/all", allow=anyone)
    async def wrecks(self) -> list[str]:
        return []


class AnyPlace(Controller):
    @get("/{place}/{thing}", allow=anyone)
    async def found(self, place: str, thing: str) -> list[str]:
        return [place, thing]


SHIPS = Resource(Ship, read=anyone, path="ships")
SAILORS = Resource(Sailor, read=anyone, path="sailors")


def refused(*resources: Any, **options: Any) -> list[str]:
    """The mistakes of an app."""
    with pytest.raises(ConfigurationError) as refusal:
        App(*resources, **options)
    return [str(mistake) for mistake in refusal.value.mistakes or (refusal.value,)]


@pytest.mark.parametrize("prefix", ["v2", "/", "", "/v2/", "/v 2", "/../v2", "/{version}", 2, None])
def test_a_prefix_that_is_not_a_path_is_refused(prefix: Any) -> None:
    (mistake,) = refused(SHIPS, Group(prefix, SHIPS))
    assert f"the prefix {prefix!r} is not a path." in mistake
    assert "test_groups.py:" in mistake


@pytest.mark.parametrize("prefix", ["/v2", "/v1.1", "/partners/v2", "/v2_beta"])
def test_other_prefixes_are_taken(prefix: str) -> None:
    app = App(SHIPS, Group(prefix, Resource(Ship, read=anyone, path="ships")))
    (declared,) = app.declaration.groups
    assert declared.prefix == f"/api{prefix}"
    assert [each.name for each in app.operations][2] == f"{prefix[1:].replace('/', '.')}.ships.list"


@pytest.mark.parametrize("prefix", ["/auth", "/batch", "/auth/v2"])
def test_a_prefix_of_gateposts_own_is_refused(prefix: str) -> None:
    (mistake,) = refused(SHIPS, Group(prefix, SHIPS))
    assert f"the path {prefix!r} is Gatepost's own." in mistake


@pytest.mark.parametrize(("given", "name"), [(Harbour, "Harbour"), (None, "None")])
def test_controllers_that_are_not_in_a_list_are_refused(given: Any, name: str) -> None:
    group, app = refused(Group("/v2", SHIPS, controllers=given), controllers=given), refused(SHIPS, controllers=given)
    for mistake in (*group, *app):
        assert f"controllers={name} is not a list of controllers." in mistake
        assert "test_groups.py:" in mistake
    assert ("Group('/v2')" in group[1], len(group), len(app)) == (True, 2, 1)


def test_a_mount_at_the_prefix_of_a_group_is_refused() -> None:
    async def mounted(scope: Any, receive: Any, send: Any) -> None: ...

    (mistake,) = refused(SHIPS, Group("/v2", SHIPS), mount={"/api/v2": mounted})
    assert "mount='/api/v2' is also the path of Group('/v2')." in mistake
    assert "test_groups.py:" in mistake
    App(SHIPS, Group("/v2", SHIPS), mount={"/api/v2/old": mounted})


def test_two_groups_of_one_prefix_or_name_are_refused() -> None:
    same, alike = Group("/v2", SAILORS), Group("/a.b", SAILORS)
    mistakes = refused(SHIPS, Group("/v2", SHIPS), same, Group("/a/b", SHIPS), alike)
    assert any("Group('/v2'): Group('/v2') has this prefix" in each for each in mistakes)
    assert any("Group('/a.b'): its operations would be named as those of Group('/a/b')" in each for each in mistakes)


def test_a_model_has_one_resource_in_a_group() -> None:
    (mistake,) = refused(SHIPS, Group("/v2", SHIPS, Resource(Ship, read=anyone, path="boats")))
    assert "the model has two resources" in mistake


def test_groups_do_not_nest() -> None:
    inner: Any = Group("/beta", SHIPS)
    (mistake,) = refused(SHIPS, Group("/v2", SAILORS, inner))
    assert "Group('/v2'): holds Group('/beta'), and groups hold no groups." in mistake
    assert 'Group("/v2/beta", ...)' in mistake


def test_what_is_not_a_resource_is_refused() -> None:
    ship: Any = Ship
    (mistake,) = refused(SHIPS, Group("/v2", ship))
    assert "Group('/v2'): Ship is not a Resource." in mistake


def test_an_empty_group_is_refused() -> None:
    (mistake,) = refused(SHIPS, Group("/v2"))
    assert "Group('/v2'): serves nothing." in mistake


def test_a_group_may_have_controllers_alone() -> None:
    app = App(SHIPS, SAILORS, Group("/v2", controllers=[Harbour]))
    assert [each.path for each in app.operations if each.group] == ["/api/v2/harbour/sailors"]
    assert [each.name for each in app.operations if each.group] == ["v2.harbour.sailors"]


def test_an_app_may_have_groups_alone() -> None:
    app = App(Group("/v1", SHIPS), Group("/v2", SHIPS))
    assert {each.group for each in app.operations if each.resource} == {"v1", "v2"}


def test_an_unknown_argument_and_a_wrong_dialect_are_refused() -> None:
    wrong: Any = {"dialekt": CamelCase(), "dialect": CamelCase}
    mistakes = refused(SHIPS, Group("/v2", SHIPS, **wrong))
    assert any("there is no argument 'dialekt'" in each for each in mistakes)
    assert any("Group('/v2'): dialect=CamelCase is not a dialect." in each for each in mistakes)


def test_the_scheme_of_tokens_is_the_same_for_the_whole_app() -> None:
    (mistake,) = refused(SHIPS, Group("/v2", SHIPS, dialect=CamelCase(scheme="Token")))
    assert "Group('/v2', dialect=...): its dialect has scheme='Token', and the app's has 'Bearer'" in mistake
    assert "scheme='Bearer'" in mistake
    app = App(SHIPS, Group("/v2", SHIPS, dialect=CamelCase(scheme="Token")), dialect=CamelCase(scheme="Token"))
    assert app.declaration.groups[0].dialect.names("full_name") == "fullName"


def test_a_group_without_a_dialect_speaks_that_of_the_app() -> None:
    dialect = CamelCase()
    app = App(SHIPS, Group("/v2", SHIPS), Group("/v3", SHIPS, dialect=Dialect()), dialect=dialect)
    assert [each.dialect.names("full_name") for each in app.declaration.all] == ["fullName", "fullName", "full_name"]


@pytest.mark.parametrize(
    "app",
    [
        lambda: refused(Resource(Ship, read=anyone, path="v2/ships"), Group("/v2", SHIPS)),
        lambda: refused(Resource(Ship, read=anyone, path="v2"), Group("/v2", SHIPS)),
        lambda: refused(SHIPS, Group("/v2", SHIPS), controllers=[Wreck]),
        lambda: refused(SHIPS, Group("/v2", SHIPS), controllers=[AnyPlace]),
        lambda: refused(SHIPS, Group("/v2", Resource(Ship, read=anyone, path="x/y")), Group("/v2/x", SAILORS)),
    ],
)
def test_paths_below_the_prefix_of_another_group_are_refused(app: Any) -> None:
    (mistake,) = app()
    assert "is below the prefix of Group('/v2" in mistake


def test_groups_may_stand_beside_paths_that_begin_alike() -> None:
    app = App(Resource(Ship, read=anyone, path="v2-ships"), Group("/v2", SHIPS), Group("/v2/beta", SAILORS))
    paths = {each.path for each in app.operations if each.resource}
    assert {"/api/v2-ships", "/api/v2/ships", "/api/v2/beta/sailors"} <= paths


def test_a_name_that_is_one_of_a_group_is_refused() -> None:
    (mistake,) = refused(Resource(Ship, read=anyone, name="v2.ships"), Group("/v2", SHIPS))
    assert "the name 'v2.ships' is that of a resource of a group." in mistake


def test_a_mount_at_the_path_of_a_resource_of_a_group_is_refused() -> None:
    async def legacy(*_: Any) -> None: ...

    (mistake,) = refused(SHIPS, Group("/v2", SHIPS), mount={"/api/v2/ships": legacy})
    assert "mount='/api/v2/ships' is also the path of Resource(Ship)." in mistake


def test_a_service_of_a_group_extends_that_of_the_app() -> None:
    of_app = Resource(Ship, read=anyone, service=Ships)
    (mistake,) = refused(of_app, Group("/v2", Resource(Ship, read=anyone, service=OtherShips)))
    assert "service=OtherShips is not a subclass of Ships" in mistake
    app = App(of_app, Group("/v2", Resource(Ship, read=anyone, service=LargeShips)), Group("/v3", SHIPS))
    assert [each.services[Ship] for each in app.declaration.all] == [Ships, LargeShips, Ships]
    assert app.declaration.groups[0].service_models == {Ships: Ship, LargeShips: Ship}
    assert app.declaration.own.service_models == {Ships: Ship}


def test_a_group_may_have_a_service_where_the_app_has_none() -> None:
    app = App(SHIPS, Group("/v2", Resource(Ship, read=anyone, service=OtherShips)))
    assert [each.services for each in app.declaration.all] == [{}, {Ship: OtherShips}]


def test_restrictions_are_taken_from_the_app_and_permissions_are_not() -> None:
    closed = Field(read=role("owner"), write=role("owner"))
    limit, own = RateLimit(5, per=minutes(1)), RateLimit(7, per=minutes(1))
    app = App(
        Resource(
            Ship,
            read=anyone,
            write=authenticated,
            where=Ship.is_sunk.is_(False),
            fields={"cargo_value": closed, "is_sunk": hidden},
            rate_limit=limit,
        ),
        Group("/v2", Resource(Ship, list=anyone, fields={"is_sunk": Field()})),
        Group("/v3", Resource(Ship, read=anyone, where=sa.true(), rate_limit=own)),
    )
    second, third = (each.catalog.by_model[Ship] for each in app.declaration.groups)
    assert second.resource.policies["get"] is nobody
    assert second.resource.policies["create"] is nobody
    assert second.rules["cargo_value"].read is closed.read
    assert not second.fields["is_sunk"].hidden
    assert third.fields["is_sunk"].hidden
    of_app = app.resources[0]
    assert second.resource.where is of_app.where
    assert third.resource.where is not of_app.where
    by_name = {each.name: each.rules.limits for each in app.operations}
    assert by_name["v2.unit_group_ships.list"] == by_name["unit_group_ships.list"] == (("unit_group_ships", limit),)
    assert by_name["v3.unit_group_ships.list"] == (("v3.unit_group_ships", own),)


def test_mistakes_of_all_groups_are_reported_together() -> None:
    mistakes = refused(
        Resource(Ship, read=anyone, sort=["nothing"]),
        Group("/v2", Resource(Ship, read=anyone, filter=["missing"], answers=ShipName)),
        Group("/v3", Resource(Sailor, read=anyone, fields={"full_name": Field(read=role("x"))}, write=anyone)),
        Group("v4", SHIPS),
    )
    for part in ("'nothing'", "'missing'", "fields['full_name']", "'v4' is not a path"):
        assert any(part in each for each in mistakes), (part, mistakes)
    assert all("test_groups.py:" in each for each in mistakes)


def test_a_dto_is_read_against_the_resources_of_the_group_that_shows_it() -> None:
    fine = App(SHIPS, Resource(Sailor, read=anyone, answers=Crew), Group("/v2", Resource(Ship, read=authenticated)))
    assert fine.declaration.groups[0].catalog.by_model[Sailor].answers is None
    mistakes = refused(
        SHIPS,
        Resource(Sailor, read=anyone, answers=Crew),
        Group("/v2", Resource(Ship, read=authenticated, path="ships"), controllers=[Harbour]),
    )
    assert mistakes
    assert all("Crew.ship" in each and "| None" in each for each in mistakes), mistakes


def test_indexes_are_those_of_all_versions() -> None:
    class Own(DeclarativeBase):
        pass

    class Cabin(Own):
        __tablename__ = "unit_group_cabins"

        id: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[int]
        deck: Mapped[int]

    App(Resource(Cabin, read=anyone, sort=["number"]), Group("/v2", Resource(Cabin, read=anyone, sort=["deck"])))
    assert {index.name for index in Cabin.__table__.indexes} == {  # type: ignore[attr-defined]
        "ix_unit_group_cabins_number_id",
        "ix_unit_group_cabins_deck_id",
    }


def test_a_nested_resource_of_a_group_may_be_below_one_of_the_app() -> None:
    app = App(SHIPS, Group("/v2", Resource(Sailor, read=anyone, path="crew", under="ships/{ship}")))
    assert {each.path for each in app.operations if each.group} == {
        "/api/v2/ships/{ship}/crew",
        "/api/v2/ships/{ship}/crew/{id}",
    }
    (declared,) = app.declaration.groups
    above = declared.catalog.by_model[Sailor].above
    assert above is declared.catalog.by_model[Ship]
    assert above.is_inherited
    mistakes = refused(
        SHIPS,
        Group(
            "/v2",
            Resource(Ship, read=anyone, path="vessels"),
            Resource(Sailor, read=anyone, under="ships/{ship}"),
        ),
    )
    assert any("no resource has the path 'ships'" in each and "vessels" in each for each in mistakes)


def test_every_version_may_have_a_prefix_over_resources_without_routes() -> None:
    app = App(
        Resource(Ship, read=nobody, routes=False, where=Ship.is_sunk.is_(False), service=Ships),
        Resource(Sailor, read=anyone, routes=False),
        Group("/v1", SHIPS, SAILORS),
        Group("/v2", SHIPS),
    )
    assert {each.path for each in app.operations if each.resource} == {
        "/api/v1/ships",
        "/api/v1/ships/{id}",
        "/api/v1/sailors",
        "/api/v1/sailors/{id}",
        "/api/v2/ships",
        "/api/v2/ships/{id}",
    }
    of_app = app.resources[0]
    assert [each.catalog.by_model[Ship].resource.where for each in app.declaration.groups] == [of_app.where] * 2
    assert [each.services[Ship] for each in app.declaration.groups] == [Ships] * 2


def test_a_warning_about_several_versions_is_given_once() -> None:
    app = App(
        Resource(Sailor, read=anyone, path="sailors"),
        Group("/v2", Resource(Sailor, read=owner("rank"), path="sailors")),
        Group("/v3", Resource(Sailor, read=owner("rank"), path="sailors")),
    )
    assert [each.field for each in app.declaration.owner_warnings()] == ["Sailor.rank"]
