"""Users for commands, seeds and tests: `gatepost users create` and `gatepost users token`."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gatepost.accounts.models import normalise_email
from gatepost.accounts.passwords import Passwords, check_new_password
from gatepost.accounts.user_store import StoredCredentials, UserStore
from gatepost.actor import Actor, ActorId
from gatepost.auth.tokens import Tokens
from gatepost.database.database import Database
from gatepost.errors import ConfigurationError

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
    hashed: str | None = None
    if password is not None:
        check_new_password(password)
        passwords = Passwords(threads=1)
        try:
            hashed = await passwords.hash(password)
        finally:
            passwords.close()
    return await UserStore(database, model).create(email, hashed, roles, own)


async def issue_token(database: Database, model: type[Any], tokens: Tokens, email: str) -> str:
    """A token for the user with this e-mail, for commands. Raises `ConfigurationError` where there is none."""
    user = await _active_user(UserStore(database, model), email)
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
        state = "is inactive" if user is not None else "does not exist"
        raise ConfigurationError(f"The user {email} {state}.", hint=_LISTED)
    return user
