"""The users' table: a mixin for an application's own model, and the default model for those without one."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

from annotated_types import Len
from sqlalchemy import ARRAY, Boolean, CheckConstraint, Integer, String, Table, Text, Uuid, inspect, text, true
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, mapped_column, validates

from gatepost.accounts.notifications import notify_of_changes
from gatepost.accounts.password_versions import raise_with_password
from gatepost.declaring.policies import nobody
from gatepost.declaring.resource import Field, hidden, read_only
from gatepost.errors import ConfigurationError
from gatepost.models.base import FIELD, MANAGED, PERSONAL, Model
from gatepost.models.schema_names import full_name

EMAIL_LENGTH_MIN = 3
EMAIL_LENGTH_MAX = 320
DEFAULT_TABLE = "users"

KEPT = "gatepost.user_model"
"""Key in `MetaData.info`: the users' model that was made for it. SQLAlchemy holds its classes weakly."""


FIELDS: Mapping[str, Field] = {
    "email": Field(personal=True),
    "password_hash": hidden,
    "password_version": Field(read=nobody, write=nobody),
    "roles": read_only,
    "is_active": read_only,
}
"""The fields of `UserColumns` that are personal, or closed by default. A resource opens them with its own `Field`,
except for `password_hash`, which is always hidden, and the version, which is never written."""


def normalise_email(email: str) -> str:
    """An e-mail address as it is stored and looked up: in lower case, so that its spelling does not matter."""
    return email.lower()


class UserColumns:
    """What sign-in needs of a users' model: `class User(Model, UserColumns)` with `__tablename__` and more columns.

    Any key type works (UUID, int, str). With `password_hash` None the user cannot sign in with a password. A user with
    `is_active` False is refused everywhere, within 100 ms of the change. A trigger raises `password_version` whenever
    `password_hash` changes, which ends the user's tokens just as fast.
    """

    email: Mapped[Annotated[str, Len(EMAIL_LENGTH_MIN, EMAIL_LENGTH_MAX)]] = mapped_column(
        String(EMAIL_LENGTH_MAX), CheckConstraint("email = lower(email)", name="email_is_lower"), unique=True
    )
    password_hash: Mapped[str | None] = mapped_column(Text)
    password_version: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"), info={MANAGED: True})
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default=text("'{}'"))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())

    @validates("email")
    def _lower_email(self, _name: str, email: str) -> str:
        return normalise_email(email)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__table__" in vars(cls):
            complete_users_table(cls)


def complete_users_table(model: type[Any]) -> None:
    """Declare the triggers of a users' table, and which of its columns are closed by default, whatever model serves
    them. Idempotent."""
    mapper = cast("Mapper[Any]", inspect(model))
    notify_of_changes(model)
    columns = {name: column for name in FIELDS if (column := mapper.columns.get(name)) is not None}
    for name, column in columns.items():
        column.info[FIELD] = FIELDS[name]
        column.info[PERSONAL] = FIELDS[name].personal
    hashed, version = columns["password_hash"], columns["password_version"]
    raise_with_password(cast("Table[Any]", mapper.local_table), hashed.name, version.name)


def user_model(base: type[DeclarativeBase] = Model) -> type[Any]:
    """The default users' model in the metadata of `base`: made at the first call, the same one afterwards.

    Raises `ConfigurationError` where the metadata has another table `users`.
    """
    kept: type[Any] | None = base.metadata.info.get(KEPT)
    if kept is not None:
        return kept
    if full_name(DEFAULT_TABLE, base.metadata.schema) in base.metadata.tables:
        return _existing(base)
    columns: dict[str, Any] = {
        "__tablename__": DEFAULT_TABLE,
        "__doc__": "A user who signs in.",
        # One registry may have several MetaDatas, and identifies classes by name and module.
        "__module__": __name__ if base is Model else base.__module__,
    }
    if not hasattr(base, "id"):
        columns["__annotations__"] = {"id": Mapped[Any]}
        columns["id"] = mapped_column(Uuid, primary_key=True, server_default=text("uuidv7()"), info={MANAGED: True})
    made = base.metadata.info[KEPT] = type("User", (UserColumns, base), columns)
    return made


def _existing(base: type[DeclarativeBase]) -> type[Any]:
    table = base.metadata.tables[full_name(DEFAULT_TABLE, base.metadata.schema)]
    for model in subclasses(UserColumns):
        if vars(model).get("__table__") is table:
            return model
    raise ConfigurationError(
        f"There is a table {DEFAULT_TABLE!r} that is not a users' table.",
        location=f"{base.__name__}.metadata",
        hint="Let its class inherit from UserColumns and write App(users=...), or rename the table.",
    )


def subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    """Every class that inherits from this one."""
    for each in cls.__subclasses__():
        yield each
        yield from subclasses(each)
