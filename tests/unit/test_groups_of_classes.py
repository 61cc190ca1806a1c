"""Subclasses in groups: each row belongs to one resource of the group, else to one of the app's."""

from typing import ClassVar

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Group, Resource, anyone, authenticated, role
from gatepost.declaring.policies import Policy


class Base(DeclarativeBase):
    pass


class Animal(Base):
    __tablename__ = "unit_group_animals"
    __mapper_args__: ClassVar[dict[str, str]] = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class Dog(Animal):
    __mapper_args__: ClassVar[dict[str, str]] = {"polymorphic_identity": "dog"}


class Cat(Animal):
    __mapper_args__: ClassVar[dict[str, str]] = {"polymorphic_identity": "cat"}


def shares(app: App, group: int) -> dict[str, set[Policy]]:
    """The policies of the resources whose rows those of animals include, by class, in a group."""
    catalog = app.declaration.all[group].catalog
    animals = catalog.by_model[Animal]
    return {item.entity.name: {item.resource.read} for item in animals.others}


def test_rows_of_a_subclass_are_under_its_resource_in_the_group_or_the_apps() -> None:
    keeper, walker = role("keeper"), role("walker")
    app = App(
        Resource(Animal, read=anyone, path="animals"),
        Resource(Dog, read=keeper, path="dogs"),
        Resource(Cat, read=authenticated, path="cats"),
        Group("/v2", Resource(Animal, read=anyone, path="animals"), Resource(Dog, read=walker, path="dogs")),
        Group("/v3", Resource(Animal, read=anyone, path="animals")),
    )
    assert shares(app, 0) == {"Dog": {keeper}, "Cat": {authenticated}}
    assert shares(app, 1) == {"Dog": {walker}, "Cat": {authenticated}}
    assert shares(app, 2) == {"Dog": {keeper}, "Cat": {authenticated}}


def test_a_subclass_may_have_a_resource_in_a_group_alone() -> None:
    walker = role("walker")
    app = App(
        Resource(Animal, read=anyone, path="animals"),
        Group("/v2", Resource(Dog, read=walker, path="dogs")),
    )
    assert shares(app, 0) == {}
    assert shares(app, 1) == {"Dog": {walker}}


def test_the_roles_of_an_app_are_those_of_a_base_with_subclasses_too() -> None:
    app = App(Resource(Animal, read=role("chief"), path="animals"), Resource(Dog, read=role("walker"), path="dogs"))

    assert app.declaration.role_names == {"chief", "walker"}
