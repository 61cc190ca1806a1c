"""`gatepost users`: makes and lists users, and issues tokens, on the database that the settings name."""

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gatepost.cli.output import print_rows
from gatepost.cli.settings import database_settings
from gatepost.errors import ConfigurationError, DatabaseMistake, OutcomeUnknown, Problem
from gatepost.events import Events
from gatepost.logging import print_success
from gatepost.server.loading import find_app, reference_of
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.database.database import Database

T = TypeVar("T")

Work = Callable[["Database", type[Any], Settings], Awaitable[T]]


def create_user(reference: str | None, email: str, roles: Sequence[str], password: str) -> None:
    """Make a user and say so."""
    from gatepost.accounts.sign_in import create_user as create

    async def work(database: "Database", model: type[Any], settings: Settings) -> object:
        return await create(database, model, email, password, roles)

    _on_database(reference, work)
    print_success(f"Made {email}" + (f" with the roles {', '.join(roles)}." if roles else " without roles."))


def list_users(reference: str | None, *, as_json: bool) -> None:
    """Print users by e-mail."""
    from gatepost.accounts.user_store import UserStore

    async def work(database: "Database", model: type[Any], settings: Settings) -> list[dict[str, Any]]:
        return [
            {
                "email": line.email,
                "roles": list(line.roles) if as_json else ", ".join(line.roles),
                "is_active": line.is_active,
                "id": str(line.id),
            }
            for line in await UserStore(database, model).list()
        ]

    print_rows(_on_database(reference, work), as_json=as_json, columns=("email", "roles", "is_active", "id"))


def print_token(reference: str | None, email: str) -> None:
    """Print an access token, and nothing else, on stdout."""
    from gatepost.accounts.sign_in import issue_token
    from gatepost.auth.bearer_tokens import accept_tokens
    from gatepost.auth.keys import signing_key
    from gatepost.auth.tokens import Tokens

    if not accept_tokens(find_app(reference_of(reference)).declaration.authenticators):
        raise ConfigurationError(
            "accepts no access tokens, so a token would identify no user.",
            location="App(authenticators=)",
            hint="Add BearerTokens(), or authenticate in one of the ways that the app declares.",
        )

    async def work(database: "Database", model: type[Any], settings: Settings) -> str:
        tokens = Tokens(settings.auth, signing_key(settings))
        return await issue_token(database, model, tokens, email)

    sys.stdout.write(_on_database(reference, work) + "\n")


def read_password(*, from_stdin: bool) -> str:
    """The password of a new user: the first line of stdin, or what is typed, twice, without being shown."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "There is no terminal to ask for the password on.", hint="Pass it on stdin with --password-stdin."
        )
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigurationError("The two passwords differ.", hint="Try again.")
    return password


def _on_database(reference: str | None, work: Work[T]) -> T:
    with database_settings() as settings:
        model = find_app(reference_of(reference)).user_model
        return asyncio.run(_run(work, model, settings))


async def _run(work: Work[T], model: type[Any], settings: Settings) -> T:
    import asyncpg

    from gatepost.database.database import Database
    from gatepost.database.startup_check import connect_once

    database = Database(str(settings.database.url), settings.database, Events())
    try:
        await connect_once(database)
        return await work(database, model, settings)
    except OutcomeUnknown as problem:
        raise ConfigurationError(
            problem.detail, location="DATABASE_URL", hint="`gatepost users list` shows it."
        ) from None
    except DatabaseMistake as error:
        raise ConfigurationError(f"{error}", location="DATABASE_URL") from None
    except Problem as problem:
        raise ConfigurationError(
            problem.detail, location="DATABASE_URL", hint="`gatepost doctor` says what is missing."
        ) from None
    except asyncpg.PostgresError as error:
        raise ConfigurationError(
            f"{error}.", location="DATABASE_URL", hint="Bring the database to the models first: `gatepost migrate up`."
        ) from None
    finally:
        await database.close()
