"""What objectives name is read when the app is built, and refused with its place where it does not exist."""

from typing import Any

import pytest
from sqlalchemy.orm import Mapped

from gatepost import (
    App,
    ConfigurationError,
    Controller,
    Group,
    Model,
    Objective,
    Resource,
    Service,
    anyone,
    authenticated,
    get,
    post,
    seconds,
)


class Lighthouse(Model):
    __tablename__ = "objective_lighthouses"
    title: Mapped[str]


class Keeper(Model):
    __tablename__ = "objective_keepers"
    title: Mapped[str]


class Reports(Controller):
    path = "reports"

    @get("", allow=anyone)
    async def totals(self) -> int:
        return 1


class Lamps(Controller):
    @post("/{lighthouse}/light", allow=anyone)
    async def light(self, lighthouse: Lighthouse) -> int:
        return 1


RESOURCES = (
    Resource(Lighthouse, read=anyone, create=authenticated, controller=Lamps, name="lights"),
    Resource(Keeper, read=anyone),
)


def operations_of(*of: Any) -> set[str]:
    app = App(*RESOURCES, controllers=[Reports], objectives=[Objective("some", share=0.99, of=of)])
    (found,) = app.objectives
    assert set(found.operations) <= {operation.name for operation in app.operations}
    return set(found.operations)


LIGHTS = {"lights.list", "lights.get", "lights.create", "objective_lighthouses.light"}


@pytest.mark.parametrize(
    ("of", "operations"),
    [
        (["lights.list"], {"lights.list"}),
        (["lights"], LIGHTS),
        (["objective_lighthouses"], LIGHTS),
        ([Lighthouse], LIGHTS),
        ([RESOURCES[1]], {"objective_keepers.list", "objective_keepers.get"}),
        ([Lamps, Reports], {"objective_lighthouses.light", "reports.totals"}),
        (("lights.get", "lights.get", Reports), {"lights.get", "reports.totals"}),
    ],
)
def test_operations_are_named_by_themselves_and_by_what_has_them(of: Any, operations: set[str]) -> None:
    assert operations_of(*of) == operations


def test_there_are_objectives_by_default_and_none_where_none_is_wanted() -> None:
    app = App(*RESOURCES, Group("/v2", Resource(Keeper, read=anyone)), controllers=[Reports])
    found = {each.name: each for each in app.objectives}
    assert set(found) == {"reads", "writes", "endpoints"}
    assert set(found["reads"].operations) == {
        "lights.list", "lights.get", "objective_keepers.list", "objective_keepers.get", "v2.objective_keepers.list",
        "v2.objective_keepers.get",
    }  # fmt: skip
    assert found["writes"].operations == ("lights.create",)
    assert set(found["endpoints"].operations) == {"objective_lighthouses.light", "reports.totals"}
    assert found["endpoints"].faster_than is None
    assert App(*RESOURCES, objectives=[]).objectives == ()
    assert {each.name for each in App(RESOURCES[1]).objectives} == {"reads"}


def test_an_endpoint_in_place_of_a_derived_one_counts_once() -> None:
    class Listed(Controller):
        path = "objective_keepers"

        @get("", allow=anyone)
        async def shown(self) -> int:
            return 1

    app = App(RESOURCES[1], controllers=[Listed])
    assert {each.name: each.operations for each in app.objectives} == {
        "reads": ("objective_keepers.get",),
        "endpoints": ("objective_keepers.shown",),
    }


def refusal_of(*objectives: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        App(*RESOURCES, objectives=objectives)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (lambda: Objective("reads", share=0.9, of=["lights.lst"]), "'lights.lst' is not an operation or a resource."),
        (lambda: Objective("reads", share=0.9, of=["lights.lst"]), "Did you mean 'lights.list'?"),
        (lambda: Objective("reads", share=0.9, of=[Service]), "the app serves nothing of Service."),
        (lambda: Objective("reads", share=0.9, of=[{}]), "the app serves nothing of {}."),
        (lambda: Objective("reads", share=1, of=[Keeper]), "share=1 is not between 0 and 1."),
        (lambda: Objective("reads", share=99.9, of=[Keeper]), "Write 0.999 for one bad request in a thousand."),
        (lambda: Objective("reads", share=True, of=[Keeper]), "share=True is not"),
        (lambda: Objective("reads", share=0.9, of=[]), "of=[] names nothing."),
        (lambda: Objective("reads", share=0.9, of="lights"), "of='lights' names nothing."),
        (lambda: Objective("Reads!", share=0.9, of=[Keeper]), "is not a name of an objective."),
        (lambda: Objective("reads", share=0.9, of=[Keeper], faster_than=seconds(0)), "cannot be measured."),
        (lambda: Objective("reads", share=0.9, of=[Keeper], faster_than=seconds(101)), "to 100 s"),
        (lambda: "reads", "'reads' is not an Objective."),
        (lambda: Objective("reads", share=0.9, of=[Keeper], fasterthan=1), "Did you mean 'faster_than'?"),  # type: ignore[call-arg]
    ],
)  # fmt: skip
def test_mistakes_are_refused_with_their_place(objective: Any, words: str) -> None:
    said = refusal_of(objective())
    assert words in said
    assert "test_objectives.py:" in said


def test_a_name_is_that_of_one_objective() -> None:
    said = refusal_of(*(Objective("reads", share=0.9, of=[each]) for each in (Keeper, Lighthouse)))
    assert "Objective('reads'): is declared twice." in said
    many = [Objective(f"reads-{number}", share=0.9, of=[Keeper]) for number in range(31)]
    assert "31 objectives are too many." in refusal_of(*many)
