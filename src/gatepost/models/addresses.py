"""Addresses: the column by which paths name the rows of a resource, where that is not the primary key.

`Resource(key=Article.slug)`. The statements of requests are made for `ServedModel.addressed`, the same resource with
that column as its key; foreign keys, cursors and services have the primary key.
"""

from typing import Any

import sqlalchemy as sa

from gatepost.database.statements import Statement
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.models.conditions import ACTOR_ID, Below
from gatepost.models.entity import Attribute, is_unique
from gatepost.models.reads import KeyRecipe, is_key
from gatepost.models.recipes import Bound, Options, Recipe
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef
from gatepost.models.visibility import hidden_from


class ReadKey(KeyRecipe[Statement], frozen=True):
    """The values of other attributes (`names`) of the row that has the key and satisfies the rule."""

    names: tuple[str, ...]

    def compile(self, options: Options) -> Statement:
        """The SELECT of the values."""
        source = TableRef.of(self.served.entity)
        statement = sa.select(*map(source.column, self.names)).where(is_key(source), *self.rule.conditions(source))
        return self.statement(statement, f"{self.served.full_path}.key")


class ReadAbove(Recipe[Statement], frozen=True):
    """What the foreign key of the rows below another holds, where that row is there for the actor."""

    above: Below

    def compile(self, options: Options) -> Statement:
        """The SELECT of the value."""
        return self.statement(self.above.referenced(), f"{self.above.nesting.entity.table.name}.above")

    def bounds(self) -> list[Bound]:
        return self.above.bounds()

    def named(self) -> dict[str, Any]:
        return {ACTOR_ID: self.above.rule.actor.id}


def check_address(served: ServedModel) -> None:
    """Raise `ConfigurationError` where the column of `key=` cannot name rows to all who may get them."""
    name, entity = served.resource.key, served.entity
    if name is None:
        return
    location = f"Resource({entity.name}, key=...)"
    attribute = entity.attributes.get(name)
    if attribute is None:
        known = did_you_mean(name, entity.attributes)
        raise ConfigurationError(f"{entity.name} has no column {name!r}.{known}", location=location)
    if attribute.nullable and not attribute.is_expression:
        raise ConfigurationError(
            f"{name!r} may be NULL, so that some rows would have no path.",
            location=location,
            hint="Declare the column NOT NULL: Mapped[str].",
        )
    problem = _problem(served, attribute)
    if problem is not None:
        raise ConfigurationError(f"{name!r} {problem[0]}", location=location, hint=problem[1])


def check_above(served: ServedModel) -> None:
    """Raise `ConfigurationError` where the column of `under=` would tell what some clients may not see."""
    above = served.above
    if served.nesting is None or above is None:
        return
    name = served.nesting.entity.key.names[0]
    who = hidden_from(above, name, "get")
    if who is not None:
        raise ConfigurationError(
            f"{name!r} of {above.entity.name} is hidden from {who} who may get rows, and could be guessed by paths.",
            location=f"Resource({served.entity.name}, under=...)",
            hint="Name a column that is shown to everybody who may get rows.",
        )


def check_named(served: ServedModel, name: str, location: str) -> None:
    """Raise `ConfigurationError` where an attribute in the path of an endpoint, `{article:slug}`, does not name one row
    to all who may get it."""
    entity = served.entity
    attribute = entity.attributes.get(name)
    if attribute is None:
        hint = did_you_mean(name, entity.attributes).strip() or None
        raise ConfigurationError(f"names {entity.name}.{name}, which does not exist.", location=location, hint=hint)
    problem = _problem(served, attribute)
    if problem is not None:
        raise ConfigurationError(
            f"names {entity.name}.{name}, which {problem[0]}",
            location=location,
            hint=f"{problem[1]} Or take `{name}: str`, and look for the row by the session of its service.",
        )


def _problem(served: ServedModel, attribute: Attribute) -> tuple[str, str] | None:
    """Why an attribute does not name one row to all who may get it, and what to write."""
    if attribute.is_expression:
        return "is an expression.", "Name a column with unique=True."
    if not is_unique(attribute.column):
        return (
            "is not unique, so that a path would name several rows.",
            "Declare it with unique=True, or name another column.",
        )
    who = hidden_from(served, attribute.name, "get")
    if who is not None:
        return (
            f"is hidden from {who} who may get rows, and could be guessed by paths.",
            "Show it to everybody who may get rows, or name another column.",
        )
    return None
