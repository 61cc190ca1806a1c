"""References that the body of an own endpoint asks for: the row that a foreign key names has to be one that the actor
may read, as in the bodies of derived endpoints.

They are looked up by the verb of a service that writes them. What the endpoint's own code sets is not looked up.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import inspect

from gatepost.actor import Actor
from gatepost.database.database import driver_error
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import decide
from gatepost.errors import Problem
from gatepost.models.served_model import ServedModel
from gatepost.services.references import References

NOTHING: Mapping[str, Any] = {}


class AskedReferences:
    """The references of one write that a body asks for: `values` by attribute."""

    def __init__(self, references: References, actor: Actor, values: Mapping[str, Any]) -> None:
        self._references = references
        self._actor = actor
        self._values = values

    async def check(self, transaction: Transaction) -> None:
        """Before the write: raise `Unprocessable` where a row is missing or hidden."""
        if self._values:
            names = self._references.names(self._actor, self._values, all=True)
            await self._references.check(self._actor, transaction, self._values, names)

    @contextmanager
    def written(self) -> Generator[None]:
        """Name the references of several columns that the constraint refuses as those that are hidden."""
        try:
            yield
        except Problem as problem:
            if self._values and problem.__cause__ is not None:
                self._references.raise_composite(self._actor, driver_error(problem.__cause__), self._values)
            raise

    async def check_written(self, transaction: Transaction, key: Any) -> None:
        """After the write: the same for foreign keys of several columns."""
        if self._values:
            await self._references.composites.check(self._actor, transaction, self._values, key)


def moved(served: ServedModel, row: Any, values: Mapping[str, Any], actor: Actor) -> Mapping[str, Any]:
    """Those of the values that the row does not have and show already."""
    held = inspect(row).dict
    return {
        name: value
        for name, value in values.items()
        if not (name in held and held[name] == value and decide(served.rules[name].read, actor) is True)
    }
