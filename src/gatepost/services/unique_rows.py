"""`ensure` and `discard`: a row with unique values is there, or is not, whoever else makes or deletes it meanwhile.

What no service overrides and no ORM is needed for is INSERT ... ON CONFLICT DO NOTHING, then a SELECT; everything else
is created in a savepoint, so that the session stays usable where another transaction was faster.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from asyncpg.exceptions import SerializationError, UniqueViolationError
from sqlalchemy import ClauseElement, inspect
from sqlalchemy.exc import DBAPIError

from gatepost.actor import Actor
from gatepost.database.database import driver_error
from gatepost.database.failures import collided
from gatepost.database.transactions import Transaction
from gatepost.declaring.attributes import Attr
from gatepost.errors import NotFound, Problem
from gatepost.models.unique_keys import chosen_key
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.drafts import known_values
from gatepost.services.write_policies import denied, rule_of

INSERTS_MAX = 3
"""How often a row is made where the one that was in its way is gone when it is looked for."""


class GetByKey(Protocol):
    """Returns the row with a key. Raises `NotFound`."""

    async def __call__(self, key: Any, actor: Actor, *, lock: bool = False) -> Any: ...


class UniqueRows:
    """The rows of one resource by their unique values, in one transaction. `is_plain` says that a compiled INSERT does
    what its service would do; `get` is that of a service that overrides it."""

    def __init__(
        self, transaction: Transaction, compiled: CompiledVerbs, *, is_plain: bool, get: GetByKey | None
    ) -> None:
        self._transaction = transaction
        self._compiled = compiled
        self._served = compiled.served
        self._is_plain = is_plain
        self._get = get

    async def ensure(
        self, draft: Any, actor: Actor, unique: Sequence[Attr], create: Callable[[Any, Actor], Awaitable[Any]]
    ) -> Any:
        """The row with the draft's unique values, made of it if there is none."""
        values = self._unique_values(draft, actor, unique)
        written = self._values(draft) if self._is_plain else None
        if written is None:
            return await self._create(draft, actor, values, create)
        return await self._insert(actor, values, written)

    async def discard(
        self, draft: Any, actor: Actor, unique: Sequence[Attr], delete: Callable[[Any, Actor], Awaitable[None]]
    ) -> bool:
        """Delete the row with the draft's unique values; False where the actor may read none."""
        values = self._unique_values(draft, actor, unique)
        found = await self._find(values, actor, is_locking=True)
        if found is None:
            return False
        await delete(found, actor)
        return True

    async def _find(self, values: dict[str, Any], actor: Actor, *, is_locking: bool = False) -> Any | None:
        """The row with these values; None where the actor may get none."""
        found = await self._compiled.reads.object_with(self._transaction, values, actor, is_locking=is_locking)
        if found is None or self._get is None:
            return found
        try:
            return await self._get(self._served.entity.key.of(inspect(found).identity), actor, lock=is_locking)
        except NotFound:
            return None

    def _unique_values(self, draft: Any, actor: Actor, unique: Sequence[Attr]) -> dict[str, Any]:
        self._compiled.defaults.complete_owner(draft, actor)
        entity = self._served.entity
        values = {name: getattr(draft, name) for name in chosen_key(entity, self._compiled.unique.keys, unique)}
        missing = [name for name, value in values.items() if value is None or isinstance(value, ClauseElement)]
        if missing:
            names = ", ".join(f"{entity.name}.{name}" for name in missing)
            raise TypeError(f"{names} must have a value, because the row is found by it.")
        return values

    def _values(self, draft: Any) -> dict[str, Any] | None:
        """The values that an INSERT of the draft has; None where only the ORM knows them."""
        entity, session = self._served.entity, self._transaction.session.sync_session
        state: Any = inspect(draft)
        if not state.transient or type(draft) is not entity.model:
            return None
        given = {name: value for name, value in state.dict.items() if name in state.mapper.attrs}
        if given.keys() - entity.attributes.keys() or any(isinstance(each, ClauseElement) for each in given.values()):
            return None
        if known_values(entity, draft, {}, session, is_new=True) is None:
            return None
        # To the ORM, None means the default, and a key that the database makes.
        left_out = [name for name, value in given.items() if value is None and not _takes_none(entity.attributes[name])]
        values = {name: value for name, value in given.items() if name not in left_out}
        self._compiled.defaults.fill(values)
        return values

    async def _insert(self, actor: Actor, values: dict[str, Any], written: dict[str, Any]) -> Any:
        compiled, transaction = self._compiled, self._transaction
        rule = rule_of(self._served, "create", actor)
        for _ in range(INSERTS_MAX):
            if rule.decision is not False:
                record, key = await compiled.unique.insert(transaction, rule, written, tuple(values))
                if record is not None:
                    if not record[-1]:
                        refusal = denied(rule)
                        transaction.refuse_commit(refusal)
                        raise refusal
                    return await compiled.reads.object_anew(transaction, key)
            found = await self._find(values, actor)
            if found is not None:
                return found
            await compiled.checks.check_new(transaction, rule, written)
            if await compiled.unique.is_taken(transaction, values):
                raise compiled.unique.already_exists(values)
        raise await compiled.suppressed(transaction)

    async def _create(
        self, draft: Any, actor: Actor, values: dict[str, Any], create: Callable[[Any, Actor], Awaitable[Any]]
    ) -> Any:
        compiled, transaction = self._compiled, self._transaction
        given = _given(draft)
        found = await self._find(values, actor)
        if found is not None:
            return found
        for _ in range(INSERTS_MAX):
            try:
                async with transaction.savepoint():
                    return await create(draft, actor)
            except (Problem, DBAPIError) as error:
                reply = driver_error(error)
                if not isinstance(reply, UniqueViolationError):
                    raise
                found = await self._find(values, actor)
                if found is not None:
                    return found
                is_here = compiled.unique.is_violated(values, reply)
                if not is_here or await compiled.unique.is_taken(transaction, values):
                    raise
            if not _is_given_again(draft, given):
                break
        # Younger than what this transaction sees, or gone again each time: another attempt may find it.
        raise collided() from SerializationError("the row in the way is not to be seen")


def _given(draft: Any) -> dict[str, Any]:
    """The attributes that a draft has by now."""
    state: Any = inspect(draft)
    return {name: value for name, value in state.dict.items() if name in state.mapper.attrs}


def _is_given_again(draft: Any, given: Mapping[str, Any]) -> bool:
    """Give a draft that could not be written the attributes that it had; False where it is no draft any more."""
    if not inspect(draft).transient:
        return False
    for name in _given(draft).keys() - given.keys():
        delattr(draft, name)
    for name, value in given.items():
        setattr(draft, name, value)
    return True


def _takes_none(attribute: Any) -> bool:
    return bool(attribute.nullable and not attribute.has_default)
