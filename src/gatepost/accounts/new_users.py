"""Users for commands, seeds and tests: what `gatepost users` makes, changes and deletes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gatepost.accounts.models import normalise_email
from gatepost.accounts.passwords import Passwords, check_new_password
from gatepost.accounts.user_store import StoredCredentials, UserStore
from gatepost.actor import Actor, ActorId
from gatepost.auth.tokens import Tokens
from gatepost.database.database import Database
from gatepost.errors import ConfigurationError, Conflict, Unprocessable

_LISTED = "`gatepost users list` shows them all."


async def create_user(  # noqa: PLR0913 - what a user consists of
    database: Database,
    model: type[Any],
    email: str,
    password: str | None,
    roles: Sequence[str] = (),
    *,
    own: Mapping[str, Any] = MappingProxyType({}),
) -> ActorId:
    """Create a user, for commands and seeds, and return the key. Without a password the user cannot sign in by one.

    `own` are values of the model's own columns; a text is read as in a query string. Raises `ConfigurationError` for a
    malformed or taken e-mail, a password that is too short or too long, and a column that is refused.
    """
    return await add_user(UserStore(database, model), email, password, roles, own)


async def add_user(
    store: UserStore, email: str, password: str | None, roles: Sequence[str], own: Mapping[str, Any]
) -> ActorId:
    """What `create_user` does, in a store whose statements are compiled already."""
    hashed = None if password is None else await hash_of_new(password)
    return await store.create(email, hashed, roles, own)


async def hash_of_new(password: str) -> str:
    """The hash of a password that is given to a user. Raises `ConfigurationError` for one that is too short or too
    long."""
    check_new_password(password)
    passwords = Passwords(threads=1)
    try:
        return await passwords.hash(password)
    finally:
        passwords.close()


async def change_user(database: Database, model: type[Any], email: str, values: Mapping[str, Any]) -> ActorId:
    """Set attributes of the user with this e-mail, for commands, and return the key. Raises `ConfigurationError` where
    there is none, and where the model refuses a value."""
    store = UserStore(database, model)
    try:
        found = await store.change(normalise_email(email), values)
    except (Conflict, Unprocessable, ValueError) as error:
        raise ConfigurationError(f"{model.__name__} refuses this for {email}: {error}") from error
    if found is None:
        raise _unknown(email)
    return found


async def delete_user(database: Database, model: type[Any], email: str) -> ActorId:
    """Delete the user with this e-mail, for commands, and return the key. Raises `ConfigurationError` where there is
    none, and where other rows refer to it."""
    try:
        found = await UserStore(database, model).delete(normalise_email(email))
    except Conflict as problem:
        hint = f"`gatepost users deactivate {email}` keeps the row, and ends its tokens."
        raise ConfigurationError(f"The user {email} stays: {problem.detail}", hint=hint) from None
    if found is None:
        raise _unknown(email)
    return found


async def issue_token(database: Database, model: type[Any], tokens: Tokens, email: str) -> str:
    """A token for the user with this e-mail, for commands. Raises `ConfigurationError` where there is none."""
    return await token_of(UserStore(database, model), tokens, email)


async def token_of(store: UserStore, tokens: Tokens, email: str) -> str:
    """What `issue_token` does, in a store whose statements are compiled already."""
    user = await _active_user(store, email)
    return tokens.issue(user.subject, user.password_version)


async def actor_of_user(database: Database, model: type[Any], email: str) -> Actor:
    """The actor of requests of the user with this e-mail, for commands. Raises `ConfigurationError` where there is
    none."""
    store = UserStore(database, model)
    identity = await store.find((await _active_user(store, email)).subject)
    if identity is None:  # deactivated in between
        raise ConfigurationError(f"The user {email} is inactive.", hint=_LISTED)
    return identity.actor


async def _active_user(store: UserStore, email: str) -> StoredCredentials:
    user = await store.find_credentials(normalise_email(email))
    if user is None or not user.is_active:
        raise _unknown(email) if user is None else ConfigurationError(f"The user {email} is inactive.", hint=_LISTED)
    return user


def _unknown(email: str) -> ConfigurationError:
    return ConfigurationError(f"The user {email} does not exist.", hint=_LISTED)
