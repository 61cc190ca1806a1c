"""The statements that accounts run on the users' table, compiled once for the model at hand."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import BigInteger, Text, bindparam, inspect, select, text, update
from sqlalchemy import cast as sql_cast

from gatepost.accounts.models import EMAIL_LENGTH_MAX, EMAIL_LENGTH_MIN, UserColumns, normalise_email
from gatepost.accounts.password_versions import REHASH
from gatepost.accounts.snapshots import kept_names, key_parser, snapshot_reader, value_reader
from gatepost.accounts.user_values import read_values, refusal_of
from gatepost.actor import Actor, ActorId
from gatepost.database.connection import Record
from gatepost.database.database import Database
from gatepost.database.statements import Statement
from gatepost.database.transactions import Transaction
from gatepost.errors import ConfigurationError, Conflict, Unprocessable
from gatepost.models.conditions import scope_conditions
from gatepost.models.constructors import constructor_of
from gatepost.models.entity import entity_of
from gatepost.models.table_refs import TableRef

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f\ud800-\udfff]+@[^@\s\x00-\x1f\x7f\ud800-\udfff]+")
_KEY_AS_TEXT = "gatepost_key"

LISTED_MAX = 1000


def is_email(address: str) -> bool:
    """Whether a (normalised) text has the form of an e-mail address."""
    return EMAIL_LENGTH_MIN <= len(address) <= EMAIL_LENGTH_MAX and _EMAIL.fullmatch(address) is not None


class StoredCredentials(msgspec.Struct, frozen=True):
    """What sign-in reads of a user. `subject` is the key as PostgreSQL casts it to text; `password_version` is that of
    the hash."""

    subject: str
    password_hash: str | None
    password_version: int
    is_active: bool


class Identity(msgspec.Struct, frozen=True):
    """The user of a request: the key as PostgreSQL casts it to text, the actor, and the version that tokens hold."""

    subject: str
    actor: Actor
    password_version: int


class UserSummary(msgspec.Struct, frozen=True):
    """One user, for a listing."""

    id: ActorId
    email: str
    roles: tuple[str, ...]
    is_active: bool


class UserStore:
    """Finds, creates and lists users of one model. Raises `ConfigurationError` for a model without `UserColumns`.

    All reads go to the primary: a lagging replica could bring back a role that was revoked.
    """

    def __init__(self, database: Database, model: type[Any]) -> None:
        if not issubclass(model, UserColumns):
            hint = f"Write `class {model.__name__}(Model, UserColumns)`."
            raise ConfigurationError("is not a users' model.", location=model.__name__, hint=hint)
        self._database = database
        self._entity = entity = entity_of(model)
        self._parse_key = key_parser(entity)
        self._read_snapshot = snapshot_reader(entity)
        column = {name: item.column for name, item in entity.attributes.items()}
        key, as_text = entity.single_key.column, sql_cast(entity.single_key.column, Text).label(_KEY_AS_TEXT)
        kind = BigInteger() if entity.single_key.shape.python_type is int else key.type
        shown = [TableRef.of(entity).column(name).label(name) for name in kept_names(entity)]
        # Of a hierarchy's table only the rows of the model and its subclasses are users.
        users = scope_conditions(TableRef.of(entity))
        self._load = Statement(
            select(as_text, *shown).where(key == bindparam("key", type_=kind), column["is_active"], *users),
            "users.load",
        )
        self._sign_in = Statement(
            select(
                as_text, *(column[name].label(name) for name in ("password_hash", "password_version", "is_active"))
            ).where(column["email"] == bindparam("email"), *users),
            "users.sign_in",
        )
        self._announce_rehash = Statement(text(REHASH), "users.announce_rehash")
        self._rehash = Statement(
            update(entity.table)
            .values({column["password_hash"]: bindparam("new")})
            .where(column["email"] == bindparam("address"), column["password_hash"] == bindparam("old"), *users),
            "users.rehash",
        )
        self._list = Statement(
            select(*[column[name].label(name) for name in ("email", "roles", "is_active")], key.label("gatepost_id"))
            .where(*users)
            .order_by(column["email"])
            .limit(bindparam("count")),
            "users.list",
        )

    async def find(self, subject: str, transaction: Transaction | None = None) -> Identity | None:
        """The active user with this key as text; None where there is none, or the subject is not a key."""
        try:
            key = self._parse_key(subject)
        except ValueError:
            return None
        return await self.find_by_key(key, transaction)

    async def find_by_key(self, key: ActorId, transaction: Transaction | None = None) -> Identity | None:
        """The active user with this key; None where there is none."""
        rows = await self._rows(self._load, {"key": key}, transaction)
        if not rows:
            return None
        snapshot = self._read_snapshot(rows[0])
        actor = Actor(getattr(snapshot, self._entity.single_key.name), frozenset(snapshot.roles), user=snapshot)
        return Identity(rows[0][_KEY_AS_TEXT], actor, rows[0]["password_version"])

    async def find_credentials(self, email: str, transaction: Transaction | None = None) -> StoredCredentials | None:
        """What sign-in needs of the user with this (normalised) e-mail."""
        rows = await self._rows(self._sign_in, {"email": email}, transaction)
        names = (_KEY_AS_TEXT, "password_hash", "password_version", "is_active")
        return StoredCredentials(*(rows[0][name] for name in names)) if rows else None

    async def replace_hash(self, email: str, old: str, new: str) -> None:
        """Store another hash of the same password, unless it was changed in between. Tokens stay valid."""

        async def work(transaction: Transaction) -> None:
            await transaction.fetch(self._announce_rehash, {})
            await transaction.fetch(self._rehash, {"address": email, "old": old, "new": new})

        await self._database.transact(work)

    async def create(
        self, email: str, password_hash: str | None, roles: Sequence[str], own: Mapping[str, Any]
    ) -> ActorId:
        """Create a user, with values of the model's own columns, and return the key. Raises `ConfigurationError` where
        the e-mail is malformed or taken, and where a column is refused."""
        address = normalise_email(email)
        if not is_email(address):
            raise ConfigurationError(f"{email!r} is not an e-mail address.", hint="Write it as name@example.com.")
        base = {"email": address, "password_hash": password_hash, "roles": list(roles), "is_active": True}
        try:
            user = constructor_of(self._entity)({**base, **read_values(self._entity, own)})
        except ValueError as error:
            raise ConfigurationError(f"{self._entity.name} refuses {address}: {error}") from error

        async def insert(transaction: Transaction) -> ActorId:
            transaction.session.add(user)
            await transaction.session.flush()
            return cast("ActorId", inspect(user).identity[0])

        try:
            return await self._database.transact(insert)
        except (Conflict, Unprocessable) as problem:
            is_taken = problem.code == "already_exists" and not problem.errors
            if is_taken or any(error.pointer == "/email" for error in problem.errors):
                hint = "Choose another e-mail address."
                raise ConfigurationError(f"The user {address} exists already.", hint=hint) from None
            raise refusal_of(self._entity, address, problem, user) from None
        except ValueError as error:
            raise ConfigurationError(f"{self._entity.name} refuses {address}: {error}") from error

    async def change(self, email: str, values: Mapping[str, Any]) -> ActorId | None:
        """Set attributes of the user with this (normalised) e-mail, and return the key; None where there is none.
        Triggers end tokens where the password changes, and tell every instance."""

        async def set_all(transaction: Transaction) -> ActorId | None:
            user = await self._load_by(email, transaction)
            for name, value in values.items() if user is not None else ():
                setattr(user, name, value)
            await transaction.session.flush()
            return None if user is None else self.key_of(user)

        return await self._database.transact(set_all)

    async def delete(self, email: str) -> ActorId | None:
        """Delete the user with this (normalised) e-mail, and return the key; None where there is none. Raises
        `Conflict` where other rows refer to it."""

        async def delete(transaction: Transaction) -> ActorId | None:
            user = await self._load_by(email, transaction)
            if user is None:
                return None
            key = self.key_of(user)
            await transaction.session.delete(user)
            await transaction.session.flush()
            return key

        return await self._database.transact(delete)

    async def _load_by(self, email: str, transaction: Transaction) -> Any:
        column = self._entity.attributes["email"].column
        return (await transaction.load(select(self._entity.model).where(column == email), {})).one_or_none()

    def key_of(self, user: Any) -> ActorId:
        """The key of a user: a row, or the snapshot that an actor has."""
        return cast("ActorId", getattr(user, self._entity.single_key.name))

    async def load(self, key: ActorId, transaction: Transaction) -> Any:
        """The row with this key, in the session of a transaction; None where there is none."""
        column = self._entity.single_key.column
        found = await transaction.load(select(self._entity.model).where(column == key), {})
        return found.one_or_none()

    async def _rows(
        self, statement: Statement, values: dict[str, Any], transaction: Transaction | None
    ) -> Sequence[Record]:
        """Run a statement that reads: in a transaction on its connection, with what it has written; else by itself."""
        if transaction is not None:
            return await transaction.read(statement, values)
        return await self._database.run(statement, statement.arguments(values))

    async def list(self) -> list[UserSummary]:
        """The first LISTED_MAX users by e-mail, for commands."""
        rows = await self._database.run(self._list, self._list.arguments({"count": LISTED_MAX}))
        read_key = value_reader(self._entity.single_key.column)
        return [
            UserSummary(read_key(row["gatepost_id"]), row["email"], tuple(row["roles"]), row["is_active"])
            for row in rows
        ]
