"""`gatepost users`: makes and lists users, and issues tokens, on the database that the settings name."""

import getpass
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gatepost.cli.options import AppOption, JSONOption
from gatepost.cli.output import print_rows
from gatepost.cli.settings import database_settings
from gatepost.errors import ConfigurationError, OutcomeUnknown
from gatepost.logging.console import print_success
from gatepost.server.loading import find_app, reference_of

if TYPE_CHECKING:
    from gatepost.database.database import Database
    from gatepost.settings import Settings

T = TypeVar("T")


Email = Annotated[str, typer.Argument(help="The user's e-mail address.")]
Work = Callable[["Database", type[Any], "Settings"], Awaitable[T]]


users = typer.Typer(
    help="Make and list users, and issue tokens.",
    epilog="Example: gatepost users create ada@example.com --role editor",
    no_args_is_help=True,
)


@users.command(
    epilog='Example: printf %s "$PASSWORD" | gatepost users create ada@example.com -r editor --password-stdin'
)
def create(
    email: Email,
    role: Annotated[list[str] | None, typer.Option("--role", "-r", help="A role; may be repeated.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, a column of the users' model; may be repeated.")
    ] = None,
    app: AppOption = None,
) -> None:
    """Create a user. The password is asked for or read from stdin: others can see what is on the command line."""
    from gatepost.accounts.new_users import create_user
    from gatepost.accounts.user_values import split_values

    own = split_values(set_ or [])
    password, roles = _read_password(from_stdin=password_stdin), role or []
    _on_database(app, lambda database, model, _: create_user(database, model, email, password, roles, own=own))
    print_success(f"Created {email}" + (f" with the roles {', '.join(roles)}." if roles else " without roles."))


@users.command("list", epilog="Example: gatepost users list --json")
def list_(app: AppOption = None, json: JSONOption = False) -> None:
    """List users with their roles."""
    from gatepost.accounts.user_store import UserStore

    rows = [
        {
            "email": line.email,
            "roles": list(line.roles) if json else ", ".join(line.roles),
            "is_active": line.is_active,
            "id": str(line.id),
        }
        for line in _on_database(app, lambda database, model, _: UserStore(database, model).list())
    ]
    print_rows(rows, as_json=json, columns=("email", "roles", "is_active", "id"))


@users.command(epilog='Example: curl -H "Authorization: Bearer $(gatepost users token ada@example.com)" ...')
def token(email: Email, app: AppOption = None) -> None:
    """Print a short-lived access token of a user."""
    from gatepost.accounts.new_users import issue_token
    from gatepost.auth.bearer_tokens import accept_tokens
    from gatepost.auth.keys import signing_key
    from gatepost.auth.tokens import Tokens

    if not accept_tokens(find_app(reference_of(app)).declaration.authenticators):
        raise ConfigurationError(
            "accepts no access tokens, so a token would identify no user.",
            location="App(authenticators=)",
            hint="Add BearerTokens(), or authenticate in one of the ways that the app declares.",
        )
    issued = _on_database(
        app,
        lambda database, model, settings: issue_token(
            database, model, Tokens(settings.auth, signing_key(settings)), email
        ),
    )
    sys.stdout.write(issued + "\n")


def _read_password(*, from_stdin: bool) -> str:
    """The password of a new user: the first line of stdin, or what is typed, twice, without being shown."""
    try:
        password = sys.stdin.readline().rstrip("\n") if from_stdin else _ask_for_password()
        password.encode()
    except UnicodeError:
        # The error itself would show the password.
        raise ConfigurationError("The password is not UTF-8.", hint="Write its characters in UTF-8.") from None
    return password


def _ask_for_password() -> str:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "There is no terminal to ask for the password on.", hint="Pass it on stdin with --password-stdin."
        )
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigurationError("The two passwords differ.", hint="Try again.")
    return password


def _on_database(reference: str | None, work: Work[T]) -> T:
    import asyncio

    with database_settings() as settings:
        model = find_app(reference_of(reference)).user_model
        return asyncio.run(_run(work, model, settings))


async def _run(work: Work[T], model: type[Any], settings: "Settings") -> T:
    from gatepost.database.connection_errors import connection_error
    from gatepost.database.database import Database
    from gatepost.database.startup_check import connect_once
    from gatepost.events import Events
    from gatepost.models.constraint_violations import ConstraintErrors

    describe = ConstraintErrors([model.metadata])
    database = Database(str(settings.database.url), settings.database, Events(), describe)
    try:
        if not await connect_once(database):
            raise connection_error(database.pool.reachability.reason, database.address)
        return await work(database, model, settings)
    except OutcomeUnknown as problem:
        raise ConfigurationError(
            problem.detail, location="DATABASE_URL", hint="`gatepost users list` shows it."
        ) from None
    finally:
        await database.close()
